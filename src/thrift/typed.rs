//! A type, and a value of it, as Python has them.

use super::idl::Real;
use super::python::{Module, quoted};
use super::syntax::{Base, Definition, Literal, Type, Value};

/// Where a name is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Within {
    /// The file's own module of types.
    Types,
    /// A module beside it.
    Beside,
    /// The top of the package, where each file's types go by `_file`.
    Package,
}

/// Whether Python must be able to hash it: keys and what sets hold are tuples, frozen sets and frozen maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Freely,
    Hashed,
}

impl Held {
    /// As the library has it: whether a container is frozen.
    fn python(self) -> &'static str {
        match self {
            Self::Freely => "False",
            Self::Hashed => "True",
        }
    }
}

impl Module<'_> {
    /// A type in the words of the library: its number, and what it holds.
    pub fn kind(&self, at: usize, of: &Type, within: Within, held: Held) -> (u8, String) {
        let frozen = held.python();
        let none = || "None".to_owned();
        match self.all.real(at, of) {
            None => (0, none()),
            Some(Real::Base(base)) => match base {
                Base::Bool => (2, none()),
                Base::I8 => (3, none()),
                Base::I16 => (6, none()),
                Base::I32 => (8, none()),
                Base::I64 => (10, none()),
                Base::Double => (4, none()),
                Base::String => (11, "\"UTF8\"".into()),
                Base::Binary => (11, "\"BINARY\"".into()),
                Base::Uuid => (16, none()),
            },
            Some(Real::Enum(..)) => (8, none()),
            Some(Real::Struct(at, is)) => (12, format!("{}.thrift_kind", self.class_name(at, &is.name.text, within))),
            Some(Real::List(at, of)) => {
                let (number, inner) = self.kind(at, of, within, held);
                (15, format!("({number}, {inner}, {frozen})"))
            }
            Some(Real::Set(at, of)) => {
                let (number, inner) = self.kind(at, of, within, Held::Hashed);
                (14, format!("({number}, {inner}, {frozen})"))
            }
            Some(Real::Map(at, key, value)) => {
                let ((key, key_inner), (value, value_inner)) =
                    (self.kind(at, key, within, Held::Hashed), self.kind(at, value, within, held));
                (13, format!("({key}, {key_inner}, {value}, {value_inner}, {frozen})"))
            }
        }
    }

    /// A class or an enum of the file `at`.
    pub fn class_name(&self, at: usize, name: &str, within: Within) -> String {
        match within {
            Within::Types if at == self.at => name.to_owned(),
            Within::Beside if at == self.at => format!("ttypes.{name}"),
            Within::Types | Within::Beside | Within::Package => format!("_{}.{name}", self.all.documents[at].stem()),
        }
    }

    /// A value in Python. Constants are put in.
    pub fn value(&self, at: usize, of: &Type, value: &Value, within: Within, held: Held) -> String {
        let Some(real) = self.all.real(at, of) else { return "None".into() };
        if let Literal::Named(name) = &value.is {
            return self.named((at, of, held), real, name, within);
        }
        let all = |values: &[Value], at, of: &Type, held| {
            values.iter().map(|value| self.value(at, of, value, within, held)).collect::<Vec<_>>().join(", ")
        };
        let hashed = held == Held::Hashed;
        match (real, &value.is) {
            (Real::Base(Base::Bool), Literal::Int(number)) => if *number == 0 { "False" } else { "True" }.into(),
            (Real::Base(Base::Double), Literal::Int(number)) => format!("{number}.0"),
            (Real::Base(Base::Uuid), Literal::Text(text)) => format!("_uuid.UUID({})", quoted(text)),
            (Real::Base(Base::Binary), Literal::Text(text)) => {
                text.bytes()
                    .fold("b\"".to_owned(), |out, byte| out + &byte.escape_ascii().to_string().replace("\\'", "'"))
                    + "\""
            }
            (Real::Enum(file, is), Literal::Int(number)) => {
                format!("{}({number})", self.class_name(file, &is.name.text, within))
            }
            (Real::List(at, of), Literal::List(values)) => {
                let list = format!("[{}]", all(values, at, of, held));
                if hashed { format!("tuple({list})") } else { list }
            }
            (Real::List(..), Literal::Map(_)) => if hashed { "()" } else { "[]" }.into(),
            (Real::Set(at, of), Literal::List(values)) => {
                let values = all(values, at, of, Held::Hashed);
                match held {
                    Held::Hashed => format!("frozenset([{values}])"),
                    Held::Freely if values.is_empty() => "set()".into(),
                    Held::Freely => format!("{{{values}}}"),
                }
            }
            (Real::Set(..), Literal::Map(_)) => if hashed { "frozenset()" } else { "set()" }.into(),
            (Real::Map(at, key, of), Literal::Map(pairs)) => {
                let pair = |(name, value): &(Value, Value)| {
                    let name = self.value(at, key, name, within, Held::Hashed);
                    format!("{name}: {}", self.value(at, of, value, within, held))
                };
                let map = format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "));
                if hashed { format!("_s.TFrozenDict({map})") } else { map }
            }
            (Real::Map(..), Literal::List(_)) => if hashed { "_s.TFrozenDict()" } else { "{}" }.into(),
            (Real::Struct(file, is), Literal::Map(pairs)) => {
                let pair = |(name, value): &(Value, Value)| match &name.is {
                    Literal::Text(text) => {
                        let field = is.fields.iter().find(|field| field.name.text == *text)?;
                        Some(format!("{text}={}", self.value(file, &field.of, value, within, held)))
                    }
                    _ => None,
                };
                let fields: Vec<_> = pairs.iter().filter_map(pair).collect();
                format!("{}({})", self.class_name(file, &is.name.text, within), fields.join(", "))
            }
            (_, Literal::Int(number)) => number.to_string(),
            (_, Literal::Double(number)) => format!("{number:?}"),
            (_, Literal::Text(text)) => quoted(text),
            _ => "None".into(),
        }
    }

    fn named(&self, (at, of, held): (usize, &Type, Held), real: Real, name: &str, within: Within) -> String {
        match name {
            "true" => return "True".into(),
            "false" => return "False".into(),
            _ => {}
        }
        if let Some((file, Definition::Const(constant))) = self.all.definition(self.text, name) {
            return Module { text: file, ..*self }.value(at, of, &constant.value, within, held);
        }
        let enum_value = |of: &str, value: &str| match self.all.definition(self.text, of) {
            Some((file, Definition::Enum(is))) if is.values.iter().any(|is| is.name.text == value) => {
                Some(format!("{}.{value}", self.class_name(file, &is.name.text, within)))
            }
            _ => None,
        };
        if let Some(known) = name.rsplit_once('.').and_then(|(of, value)| enum_value(of, value)) {
            return known;
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        match real {
            Real::Enum(file, is) => format!("{}.{last}", self.class_name(file, &is.name.text, within)),
            _ => "None".into(),
        }
    }

    /// A type as type checkers write it.
    pub fn hint(&self, at: usize, of: &Type, within: Within, held: Held) -> String {
        let hashed = held == Held::Hashed;
        match self.all.real(at, of) {
            None => "object".into(),
            Some(Real::Base(base)) => match base {
                Base::Bool => "bool",
                Base::I8 | Base::I16 | Base::I32 | Base::I64 => "int",
                Base::Double => "float",
                Base::String => "str",
                Base::Binary => "bytes",
                Base::Uuid => "uuid.UUID",
            }
            .into(),
            // What comes back is the number itself: a server may know values that this client does not.
            Some(Real::Enum(..)) => "int".into(),
            Some(Real::Struct(at, is)) => self.class_name(at, &is.name.text, within),
            Some(Real::List(at, of)) => {
                let of = self.hint(at, of, within, held);
                if hashed { format!("tuple[{of}, ...]") } else { format!("list[{of}]") }
            }
            Some(Real::Set(at, of)) => {
                let of = self.hint(at, of, within, Held::Hashed);
                if hashed { format!("frozenset[{of}]") } else { format!("set[{of}]") }
            }
            Some(Real::Map(at, key, value)) => {
                let (key, value) = (self.hint(at, key, within, Held::Hashed), self.hint(at, value, within, held));
                format!("dict[{key}, {value}]")
            }
        }
    }
}
