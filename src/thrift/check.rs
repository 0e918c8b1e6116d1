//! What is wrong with interfaces beyond their grammar: names that mean nothing, numbers given twice, defaults of another type.

use std::collections::HashMap;

use super::idl::{Interfaces, LONGEST_CHAIN, Real};
use super::syntax::{
    Base, Definition, Document, Field, Function, Kind, Literal, Name, Need, Service, Shape, Span, Struct, Type, Value,
};
use crate::problem::Problem;

const BASE: &[&str] = &["bool", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid"];

pub(super) fn check(all: &Interfaces) -> Vec<Problem> {
    let mut found = Vec::new();
    for at in 0..all.documents.len() {
        Check { all, at, document: &all.documents[at], found: &mut found }.document();
    }
    found
}

struct Check<'a> {
    all: &'a Interfaces,
    at: usize,
    document: &'a Document,
    found: &'a mut Vec<Problem>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, what: &str, span: &Span, message: impl Into<String>) -> &mut Problem {
        self.found.push(self.document.problem(what, span, message));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn hint(&mut self, what: &str, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.document.problem(what, span, message).hint(hint);
        self.found.push(problem);
    }

    fn document(&mut self) {
        let document = self.document;
        let names = document.definitions.iter().map(Definition::name);
        self.twice(names, "is defined twice in this file");
        for definition in &document.definitions {
            match definition {
                Definition::Const(is) => {
                    self.of_type(&is.of);
                    self.value(&is.of, &is.value);
                }
                Definition::Typedef(is) => {
                    let known = self.of_type(&is.of);
                    if known && self.all.real(self.at, &is.of).is_none() && !self.names_no_type(&is.of) {
                        let message = format!("the typedef `{}` means itself", is.name.text);
                        self.wrong("typedef-circle", &is.name.span, message);
                    }
                }
                Definition::Enum(is) => {
                    self.twice(is.values.iter().map(|value| &value.name), "is twice in this enum");
                    for value in &is.values {
                        if i32::try_from(value.number).is_err() {
                            let message =
                                format!("{} does not fit into 32 bits, as an enum's values must", value.number);
                            self.wrong("enum-value", &value.name.span, message);
                        }
                    }
                }
                Definition::Struct(is) => self.structure(is),
                Definition::Service(is) => self.service(is),
            }
        }
    }

    fn twice<'n>(&mut self, names: impl Iterator<Item = &'n Name>, what: &str) {
        let mut seen: HashMap<&str, &Span> = HashMap::new();
        for name in names {
            if let Some(first) = seen.get(name.text.as_str()) {
                let line = self.document.place(first).line;
                let problem = self.wrong("twice", &name.span, format!("`{}` {what}", name.text));
                problem.causes.push(format!("it is there on line {line} already"));
            } else {
                seen.insert(&name.text, &name.span);
            }
        }
    }

    /// Whether every name in it means a type.
    fn of_type(&mut self, of: &'a Type) -> bool {
        match &of.shape {
            Shape::Base(_) => true,
            Shape::List(of) | Shape::Set(of) => self.of_type(of),
            Shape::Map(of) => self.of_type(&of.0) & self.of_type(&of.1),
            Shape::Named(name) => match self.all.definition(self.at, name) {
                Some((_, Definition::Const(_) | Definition::Service(_))) => {
                    let kind = self.all.definition(self.at, name).map_or("no type", |(_, is)| is.kind());
                    self.wrong("type", &of.span, format!("`{name}` is {kind} and no type"));
                    false
                }
                Some(_) => true,
                None => {
                    self.unknown(name, &of.span);
                    false
                }
            },
        }
    }

    fn names_no_type(&self, of: &Type) -> bool {
        matches!(&of.shape, Shape::Named(name)
            if matches!(self.all.definition(self.at, name), Some((_, Definition::Const(_) | Definition::Service(_)))))
    }

    fn unknown(&mut self, name: &str, span: &Span) {
        if let Some((file, inner)) = name.split_once('.') {
            if let Some(at) = self.all.includes[self.at].get(file) {
                let theirs = &self.all.documents[*at];
                let hint = nearest(inner, theirs).map(|near| format!("did you mean `{file}.{near}`?"));
                let message = format!("`{}` has no `{inner}`", theirs.file.display());
                let problem = self.wrong("unknown-type", span, message);
                problem.hints.extend(hint.map(crate::problem::Hint::Say));
                return;
            }
            // What could not be read has been told.
            let included = self.document.includes.iter().any(|include| include.path.text.contains(file));
            if !included {
                let hint = format!("write `include \"{file}.thrift\"` at the top");
                self.hint("unknown-type", span, format!("no file that is included is named `{file}`"), hint);
            }
            return;
        }
        let base = BASE.iter().find(|base| strsim::osa_distance(base, &name.to_lowercase()) <= 1);
        let elsewhere =
            self.all.includes[self.at].iter().find(|(_, at)| self.all.documents[**at].definition(name).is_some());
        let hint = match (elsewhere, nearest(name, self.document), base, name) {
            (Some((file, _)), ..) => format!("write `{file}.{name}`: it is in an included file"),
            (_, Some(near), ..) => format!("did you mean `{near}`?"),
            (_, _, Some(base), _) => format!("did you mean `{base}`?"),
            (_, _, _, "int" | "integer" | "long") => "write `i32` or `i64`".to_owned(),
            (_, _, _, "str" | "text" | "unicode") => "write `string`".to_owned(),
            (_, _, _, "float") => "write `double`".to_owned(),
            _ => "define it in this file, or include the file that does".to_owned(),
        };
        self.hint("unknown-type", span, format!("there is no type `{name}`"), hint);
    }

    fn structure(&mut self, is: &'a Struct) {
        self.fields(&is.fields);
        if is.kind != Kind::Union {
            return;
        }
        for field in &is.fields {
            if field.need == Need::Required {
                let message =
                    format!("`{}` of a union cannot be required: only one of its fields is there", field.name.text);
                self.hint("union", &field.name.span, message, "take `required` out");
            }
        }
        if let Some(field) = is.fields.iter().filter(|field| field.default.is_some()).nth(1) {
            let message = "two fields of a union have a default, and only one of them can be there";
            self.hint("union", &field.name.span, message, "keep one of the defaults");
        }
    }

    fn fields(&mut self, fields: &'a [Field]) {
        self.twice(fields.iter().map(|field| &field.name), "is there twice");
        let mut seen: HashMap<i64, &Field> = HashMap::new();
        for field in fields {
            if let Some(first) = seen.get(&field.id) {
                let is_free = |id: &i64| fields.iter().all(|field| field.id != *id);
                let free = (1..=i64::from(i16::MAX)).find(is_free).unwrap_or_default();
                let message =
                    format!("the number {} is given to `{}` and to `{}`", field.id, first.name.text, field.name.text);
                self.hint("field-number", &field.id_span, message, format!("the next free number is {free}"));
            }
            seen.insert(field.id, field);
            if i16::try_from(field.id).is_err() {
                let message = format!("{} does not fit into 16 bits, as the number of a field must", field.id);
                self.wrong("field-number", &field.id_span, message);
            }
            if self.of_type(&field.of)
                && let Some(default) = &field.default
            {
                self.value(&field.of, default);
            }
        }
    }

    fn service(&mut self, is: &'a Service) {
        self.twice(is.functions.iter().map(|function| &function.name), "is there twice");
        for function in &is.functions {
            self.function(function);
        }
        let Some(extends) = &is.extends else { return };
        match self.all.definition(self.at, &extends.text) {
            Some((_, Definition::Service(_))) => {}
            Some((_, other)) => {
                let message = format!("`{}` is {} and no service", extends.text, other.kind());
                self.wrong("extends", &extends.span, message);
                return;
            }
            None => return self.unknown(&extends.text, &extends.span),
        }
        let (mut at, mut service, mut length) = (self.at, is, 0);
        while let Some((file, parent)) = self.all.parent(at, service) {
            length += 1;
            if (file, &parent.name) == (self.at, &is.name) || length > LONGEST_CHAIN {
                self.wrong("extends-circle", &extends.span, format!("`{}` extends itself", is.name.text));
                return;
            }
            for function in &is.functions {
                if parent.functions.iter().any(|theirs| theirs.name.text == function.name.text) {
                    let message = format!("`{}` is a function of `{}` already", function.name.text, parent.name.text);
                    self.wrong("twice", &function.name.span, message);
                }
            }
            (at, service) = (file, parent);
        }
    }

    fn function(&mut self, is: &'a Function) {
        if let Some(of) = &is.returns {
            self.of_type(of);
            if is.oneway {
                let hint = "a client does not wait for it: write `oneway void`";
                self.hint("oneway", &of.span, format!("`{}` is oneway and cannot return anything", is.name.text), hint);
            }
        }
        self.fields(&is.args);
        self.fields(&is.throws);
        for field in &is.throws {
            let real = self.all.real(self.at, &field.of);
            if is.oneway {
                let message = format!("`{}` is oneway and cannot throw", is.name.text);
                self.wrong("oneway", &field.of.span, message);
            } else if let Some(real) = real
                && !matches!(real, Real::Struct(_, thrown) if thrown.kind == Kind::Exception)
            {
                let message = format!("`{}` is no exception and cannot be thrown", field.of);
                self.hint("throws", &field.of.span, message, "define it with `exception` in place of `struct`");
            }
        }
    }

    /// Whether a value is of a type.
    fn value(&mut self, of: &'a Type, value: &'a Value) {
        let at = self.at;
        self.value_in(at, of, value, 0);
    }

    fn value_in(&mut self, at: usize, of: &'a Type, value: &'a Value, depth: usize) {
        let Some(real) = self.all.real(at, of) else { return };
        if let Literal::Named(name) = &value.is {
            return self.named(real, of, name, &value.span, depth);
        }
        let good = match (real, &value.is) {
            (Real::Base(Base::Bool), Literal::Int(number)) => matches!(number, 0 | 1),
            (Real::Base(base @ (Base::I8 | Base::I16 | Base::I32 | Base::I64)), Literal::Int(number)) => {
                let bits = match base {
                    Base::I8 => 8,
                    Base::I16 => 16,
                    Base::I32 => 32,
                    _ => 64,
                };
                if *number < i64::MIN >> (64 - bits) || *number > i64::MAX >> (64 - bits) {
                    self.wrong("value", &value.span, format!("{number} does not fit into {bits} bits"));
                }
                true
            }
            (Real::Base(Base::Double), Literal::Int(_) | Literal::Double(_))
            | (Real::Base(Base::String | Base::Binary), Literal::Text(_)) => true,
            (Real::Base(Base::Uuid), Literal::Text(text)) => {
                let digits: String = text.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
                digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit())
            }
            (Real::Enum(_, is), Literal::Int(number)) => is.values.iter().any(|value| value.number == *number),
            (Real::List(at, of) | Real::Set(at, of), Literal::List(values)) => {
                for value in values {
                    self.value_in(at, of, value, depth);
                }
                true
            }
            // Apache's compiler takes an empty list for an empty map, and the other way round.
            (Real::Map(..), Literal::List(values)) => values.is_empty(),
            (Real::List(..) | Real::Set(..), Literal::Map(pairs)) => pairs.is_empty(),
            (Real::Map(at, key, inner), Literal::Map(pairs)) => {
                for (name, value) in pairs {
                    self.value_in(at, key, name, depth);
                    self.value_in(at, inner, value, depth);
                }
                true
            }
            (Real::Struct(at, is), Literal::Map(pairs)) => {
                for (name, value) in pairs {
                    let field = match &name.is {
                        Literal::Text(text) => is.fields.iter().find(|field| field.name.text == *text),
                        _ => None,
                    };
                    match field {
                        Some(field) => self.value_in(at, &field.of, value, depth),
                        None => {
                            self.wrong("value", &name.span, format!("`{}` has no such field", is.name.text));
                        }
                    }
                }
                true
            }
            _ => false,
        };
        if !good {
            self.wrong("value", &value.span, format!("this is no value of the type `{of}`"));
        }
    }

    /// A constant, one of an enum, `true` or `false` where `real` is wanted.
    fn named(&mut self, real: Real<'a>, of: &'a Type, name: &str, span: &Span, depth: usize) {
        if matches!(name, "true" | "false") && matches!(real, Real::Base(Base::Bool)) {
            return;
        }
        if let Some((at, Definition::Const(constant))) = self.all.definition(self.at, name) {
            if depth > LONGEST_CHAIN || (at == self.at && constant.value.span == *span) {
                self.wrong("value", span, format!("the constant `{name}` means itself"));
                return;
            }
            let theirs = self.all.real(at, &constant.of);
            let same = match (real, theirs) {
                (Real::Enum(_, a), Some(Real::Enum(_, b))) => a.name == b.name,
                (Real::Struct(_, a), Some(Real::Struct(_, b))) => a.name == b.name,
                (Real::Base(Base::Double), Some(Real::Base(_)))
                | (Real::Base(Base::String | Base::Binary), Some(Real::Base(Base::String | Base::Binary)))
                | (Real::List(..), Some(Real::List(..)))
                | (Real::Set(..), Some(Real::Set(..)))
                | (Real::Map(..), Some(Real::Map(..))) => true,
                (Real::Base(a), Some(Real::Base(b))) => is_whole(a) && is_whole(b) || a == b,
                (Real::Base(base), Some(Real::Enum(..))) | (Real::Enum(..), Some(Real::Base(base))) => is_whole(base),
                _ => false,
            };
            if !same {
                self.wrong("value", span, format!("the constant `{name}` is no value of the type `{of}`"));
            }
            return;
        }
        if let Some(theirs) = self.enum_value(name) {
            let fits = match real {
                Real::Enum(_, is) => is.name.text == theirs,
                Real::Base(base) => is_whole(base),
                _ => false,
            };
            if !fits {
                self.wrong("value", span, format!("`{name}` is no value of the type `{of}`"));
            }
            return;
        }
        // Where a color is wanted, `RED`, and whatever ends in `.RED`, is `Color.RED`: Apache's compiler reads the last word.
        let last = name.rsplit('.').next().unwrap_or(name);
        if !matches!(real, Real::Enum(_, is) if is.values.iter().any(|value| value.name.text == last)) {
            self.hint("value", span, format!("there is no constant `{name}`"), "a text stands in quotes");
        }
    }

    /// The enum of `Color.RED` or `base.Color.RED`.
    fn enum_value(&self, name: &str) -> Option<&'a str> {
        let (of, value) = name.rsplit_once('.')?;
        match self.all.definition(self.at, of)? {
            (_, Definition::Enum(is)) if is.values.iter().any(|is| is.name.text == value) => Some(&is.name.text),
            _ => None,
        }
    }
}

fn is_whole(base: Base) -> bool {
    matches!(base, Base::Bool | Base::I8 | Base::I16 | Base::I32 | Base::I64)
}

fn nearest<'a>(name: &str, document: &'a Document) -> Option<&'a str> {
    let names = document.definitions.iter().map(|definition| definition.name().text.as_str());
    let far = |known: &&str| strsim::osa_distance(&known.to_lowercase(), &name.to_lowercase());
    names.min_by_key(far).filter(|known| far(known) <= 1 + name.len() / 5)
}
