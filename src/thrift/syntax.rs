//! What a .thrift file says, with the place of everything in it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::parser::Parser;
use crate::problem::{Place, Problem, Result};

/// Bytes of the file's text.
pub type Span = Range<usize>;

/// One file.
#[derive(Debug, Clone)]
pub struct Document {
    /// As problems name it: relative to the app where it is in it.
    pub file: PathBuf,
    pub text: String,
    pub includes: Vec<Include>,
    /// Scope and name: `py`, `user.gen`.
    pub namespaces: Vec<(String, String)>,
    pub definitions: Vec<Definition>,
}

/// `include "shared/base.thrift"`.
#[derive(Debug, Clone)]
pub struct Include {
    pub path: Name,
}

/// A word or a text, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum Definition {
    Const(Const),
    Typedef(Typedef),
    Enum(Enum),
    Struct(Struct),
    Service(Service),
}

#[derive(Debug, Clone)]
pub struct Const {
    pub name: Name,
    pub of: Type,
    pub value: Value,
    pub doc: String,
}

#[derive(Debug, Clone)]
pub struct Typedef {
    pub name: Name,
    pub of: Type,
}

#[derive(Debug, Clone)]
pub struct Enum {
    pub name: Name,
    pub values: Vec<EnumValue>,
    pub doc: String,
}

#[derive(Debug, Clone)]
pub struct EnumValue {
    pub name: Name,
    pub number: i64,
    pub doc: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Struct,
    Union,
    Exception,
}

#[derive(Debug, Clone)]
pub struct Struct {
    pub kind: Kind,
    pub name: Name,
    pub fields: Vec<Field>,
    pub doc: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Default,
    Required,
    Optional,
}

#[derive(Debug, Clone)]
pub struct Field {
    /// Negative where the file gives none: counted down, as Apache's compiler does.
    pub id: i64,
    /// Where the number stands; the name's place where there is none.
    pub id_span: Span,
    pub need: Need,
    pub of: Type,
    pub name: Name,
    pub default: Option<Value>,
    pub doc: String,
}

#[derive(Debug, Clone)]
pub struct Type {
    pub shape: Shape,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum Shape {
    Base(Base),
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<(Type, Type)>),
    /// `UserProfile`, or `base.UserProfile` of an included file.
    Named(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    String,
    Binary,
    Uuid,
}

#[derive(Debug, Clone)]
pub struct Value {
    pub is: Literal,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Int(i64),
    Double(f64),
    Text(String),
    /// `true`, a constant, or one value of an enum.
    Named(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl PartialEq for Value {
    /// Wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.is == other.is
    }
}

#[derive(Debug, Clone)]
pub struct Service {
    pub name: Name,
    pub extends: Option<Name>,
    pub functions: Vec<Function>,
    pub doc: String,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub name: Name,
    pub oneway: bool,
    /// None for `void`.
    pub returns: Option<Type>,
    pub args: Vec<Field>,
    pub throws: Vec<Field>,
    /// `(dae.idempotent = "true")`: doing it twice does no harm, so that a client may try again.
    pub idempotent: bool,
    pub doc: String,
}

/// Reads one file; nothing beyond its text is looked at. All faults of the grammar at which reading can go on are told at once.
pub fn parse(file: &Path, text: &str) -> Result<Document> {
    Parser::read(file, text)
}

impl Document {
    /// What other files put before its names: `user` of `gen/user.thrift`.
    pub fn stem(&self) -> &str {
        self.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    pub fn place(&self, span: &Span) -> Place {
        let length = self.text.get(span.clone()).map_or(0, |text| text.chars().count());
        Place::in_text(&self.file, &self.text, span.start, length)
    }

    /// A problem at a place of this file; `what` goes behind `thrift.`.
    pub fn problem(&self, what: &str, span: &Span, message: impl Into<String>) -> Problem {
        Problem::new(format!("thrift.{what}"), message).at(self.place(span))
    }

    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.name().text == name)
    }

    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.definitions.iter().filter_map(|definition| match definition {
            Definition::Service(service) => Some(service),
            _ => None,
        })
    }

    pub fn structs(&self) -> impl Iterator<Item = &Struct> {
        self.definitions.iter().filter_map(|definition| match definition {
            Definition::Struct(is) => Some(is),
            _ => None,
        })
    }
}

impl Definition {
    pub fn name(&self) -> &Name {
        match self {
            Self::Const(is) => &is.name,
            Self::Typedef(is) => &is.name,
            Self::Enum(is) => &is.name,
            Self::Struct(is) => &is.name,
            Self::Service(is) => &is.name,
        }
    }

    /// What a person calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Const(_) => "a constant",
            Self::Typedef(_) => "a typedef",
            Self::Enum(_) => "an enum",
            Self::Struct(is) => match is.kind {
                Kind::Struct => "a struct",
                Kind::Union => "a union",
                Kind::Exception => "an exception",
            },
            Self::Service(_) => "a service",
        }
    }
}

impl Base {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Uuid => "uuid",
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.shape {
            Shape::Base(base) => f.write_str(base.as_str()),
            Shape::List(of) => write!(f, "list<{of}>"),
            Shape::Set(of) => write!(f, "set<{of}>"),
            Shape::Map(of) => write!(f, "map<{}, {}>", of.0, of.1),
            Shape::Named(name) => f.write_str(name),
        }
    }
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let oneway = if self.oneway { "oneway " } else { "" };
        let returns = self.returns.as_ref().map_or("void".to_owned(), ToString::to_string);
        let args: Vec<_> = self.args.iter().map(|field| format!("{} {}", field.of, field.name.text)).collect();
        write!(f, "{oneway}{returns} {}({})", self.name.text, args.join(", "))
    }
}
