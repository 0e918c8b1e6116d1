//! The grammar of .thrift files: Apache's, with what old files hold. It is read from top to bottom and never guesses; where a
//! definition is broken, reading goes on at the next one.

use std::path::Path;

use super::lexer::{Lexer, Token, Word};
use super::syntax::{
    Base, Const, Definition, Document, Enum, EnumValue, Field, Function, Include, Kind, Literal, Name, Need, Service,
    Shape, Span, Struct, Type, Typedef, Value,
};
use crate::problem::{Problem, Result};

/// How deep types and values may nest: what nobody writes would otherwise end the program by its stack.
const DEEPEST: usize = 64;
const DEFINITIONS: &[&str] = &[
    "namespace",
    "include",
    "cpp_include",
    "const",
    "typedef",
    "enum",
    "senum",
    "struct",
    "union",
    "exception",
    "service",
];
/// What old files say in place of `namespace LANGUAGE`.
const OLD_NAMESPACES: &[&str] = &[
    "cpp_namespace",
    "php_namespace",
    "py_module",
    "perl_package",
    "ruby_namespace",
    "smalltalk_category",
    "smalltalk_prefix",
    "java_package",
    "cocoa_package",
    "cocoa_prefix",
    "csharp_namespace",
    "delphi_namespace",
    "xsd_namespace",
];

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    document: Document,
}

/// The rest of a definition makes no sense; the problem is with its place.
struct Wrong(Box<Problem>);

type Read<T> = std::result::Result<T, Wrong>;
/// Annotations: name and value.
type Annotations = Vec<(String, String)>;

impl Parser {
    pub fn read(file: &Path, text: &str) -> Result<Document> {
        let document = Document {
            file: file.to_owned(),
            text: text.to_owned(),
            includes: Vec::new(),
            namespaces: Vec::new(),
            definitions: Vec::new(),
        };
        let (tokens, strays) = Lexer::new(text).all();
        let mut problems: Vec<Problem> =
            strays.iter().map(|stray| document.problem("syntax", &stray.span, stray.message.clone())).collect();
        let mut parser = Self { tokens, at: 0, depth: 0, document };
        while parser.token().word != Word::End {
            if let Err(Wrong(problem)) = parser.definition() {
                problems.push(*problem);
                parser.skip_to_definition();
            }
        }
        match Problem::all(problems) {
            None => Ok(parser.document),
            Some(problem) => Err(problem),
        }
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.token().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is(&self, symbol: char) -> bool {
        self.token().word == Word::Symbol(symbol)
    }

    fn take(&mut self, symbol: char) -> bool {
        let is = self.is(symbol);
        if is {
            self.next();
        }
        is
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.token().word, Word::Name(name) if name == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.next();
        }
        is
    }

    fn wrong<T>(&self, wanted: &str) -> Read<T> {
        let token = self.token();
        let message = if token.word == Word::End {
            format!("the file ends where {wanted} is wanted")
        } else {
            let there = self.document.text.get(token.span.clone()).unwrap_or_default();
            let there: String = there.chars().take(40).collect();
            format!("`{there}` stands where {wanted} is wanted")
        };
        Err(Wrong(Box::new(self.document.problem("syntax", &token.span, message))))
    }

    fn expect(&mut self, symbol: char, what: &str) -> Read<()> {
        if self.take(symbol) { Ok(()) } else { self.wrong(&format!("`{symbol}` {what}")) }
    }

    fn name(&mut self, what: &str) -> Read<Name> {
        match self.token().word.clone() {
            Word::Name(text) => {
                let span = self.next().span;
                Ok(Name { text, span })
            }
            _ => self.wrong(what),
        }
    }

    fn literal(&mut self, what: &str) -> Read<Name> {
        match self.token().word.clone() {
            Word::Text(text) => {
                let span = self.next().span;
                Ok(Name { text, span })
            }
            _ => self.wrong(what),
        }
    }

    /// `,` or `;`, or neither.
    fn separator(&mut self) {
        let _ = self.take(',') || self.take(';');
    }

    /// What the comments right before the next word say.
    fn doc(&self) -> String {
        let comments = &self.token().comments;
        let far = comments.iter().rposition(|comment| comment.trails || !comment.adjoins).map_or(0, |at| at + 1);
        let near: Vec<&str> = comments[far..].iter().map(|comment| comment.text.as_str()).collect();
        near.join("\n").trim().to_owned()
    }

    /// That, or what stands behind on the same line, once the next word is reached.
    fn doc_or_trailing(&self, doc: String) -> String {
        if !doc.is_empty() {
            return doc;
        }
        let trailing = self.token().comments.iter().take_while(|comment| comment.trails);
        trailing.map(|comment| comment.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn skip_to_definition(&mut self) {
        loop {
            match &self.token().word {
                Word::End => return,
                Word::Name(name) if DEFINITIONS.contains(&name.as_str()) => {
                    // A word of the language may be a name as well; at the start of a line it is not.
                    let start = self.token().span.start;
                    let before = &self.document.text[..start];
                    if before.rfind('\n').map_or(before, |end| &before[end + 1..]).trim().is_empty() {
                        return;
                    }
                }
                _ => {}
            }
            self.next();
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth == DEEPEST {
            let message = format!("types and values nest deeper than {DEEPEST} here");
            let problem = self.document.problem("deep", &self.token().span, message);
            return Err(Wrong(Box::new(problem.hint("give the inner one a name with `typedef`"))));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn definition(&mut self) -> Read<()> {
        self.depth = 0;
        let doc = self.doc();
        let word = self.name("a definition (`struct`, `service`, `include`, ...)")?;
        let definition = match word.text.as_str() {
            "include" => {
                let path = self.literal("the path of a .thrift file in quotes")?;
                self.document.includes.push(Include { path });
                self.separator();
                return Ok(());
            }
            "cpp_include" => {
                self.literal("a path in quotes")?;
                self.separator();
                return Ok(());
            }
            "namespace" => return self.namespace(),
            old if OLD_NAMESPACES.contains(&old) => {
                let scope = old.split('_').next().unwrap_or_default().to_owned();
                let name = self.literal("a name").or_else(|_| self.name("a name"))?;
                self.document.namespaces.push((scope, name.text));
                return Ok(());
            }
            "const" => Definition::Const(self.constant(doc)?),
            "typedef" => {
                let of = self.of_type()?;
                let name = self.name("the new name of the type")?;
                self.annotations()?;
                Definition::Typedef(Typedef { name, of })
            }
            "enum" => Definition::Enum(self.enumeration(doc)?),
            "senum" => Definition::Typedef(self.names_of_texts()?),
            "struct" => Definition::Struct(self.structure(Kind::Struct, doc)?),
            "union" => Definition::Struct(self.structure(Kind::Union, doc)?),
            "exception" => Definition::Struct(self.structure(Kind::Exception, doc)?),
            "service" => Definition::Service(self.service(doc)?),
            other => {
                let message = format!("`{other}` begins no definition");
                let problem = self.document.problem("syntax", &word.span, message);
                let near = DEFINITIONS.iter().find(|known| strsim::osa_distance(known, other) <= 2);
                let hint = near.map_or_else(
                    || {
                        "one begins with `struct`, `union`, `exception`, `enum`, `typedef`, `const` or `service`"
                            .to_owned()
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(Wrong(Box::new(problem.hint(hint))));
            }
        };
        self.separator();
        self.document.definitions.push(definition);
        Ok(())
    }

    fn namespace(&mut self) -> Read<()> {
        let scope = if self.take('*') { "*".to_owned() } else { self.name("a language, or `*`")?.text };
        let mut name = match self.literal("a name") {
            Ok(name) => name,
            Err(_) => self.name("the name of the namespace")?,
        };
        // Smalltalk's may hold these.
        while self.take('-') {
            name.text.push('-');
            name.text.push_str(&self.name("the rest of the name")?.text);
        }
        self.annotations()?;
        self.separator();
        self.document.namespaces.push((scope, name.text));
        Ok(())
    }

    fn constant(&mut self, doc: String) -> Read<Const> {
        let of = self.of_type()?;
        let name = self.name("the name of the constant")?;
        self.expect('=', "and the value")?;
        let value = self.value()?;
        Ok(Const { name, of, value, doc })
    }

    fn enumeration(&mut self, doc: String) -> Read<Enum> {
        let name = self.name("the name of the enum")?;
        self.expect('{', "before its values")?;
        let (mut values, mut number) = (Vec::new(), -1);
        while !self.take('}') {
            let doc = self.doc();
            let name = self.name("the name of a value, or `}`")?;
            number += 1;
            if self.take('=') {
                number = self.number("a whole number")?.0;
            }
            self.annotations()?;
            self.separator();
            let doc = self.doc_or_trailing(doc);
            values.push(EnumValue { name, number, doc });
        }
        self.annotations()?;
        Ok(Enum { name, values, doc })
    }

    /// `senum`, long out of use: texts by name, which on the wire are texts.
    fn names_of_texts(&mut self) -> Read<Typedef> {
        let name = self.name("the name of the senum")?;
        self.expect('{', "before its texts")?;
        while !self.take('}') {
            self.literal("a text in quotes, or `}`")?;
            self.separator();
        }
        self.annotations()?;
        let span = name.span.clone();
        Ok(Typedef { name, of: Type { shape: Shape::Base(Base::String), span } })
    }

    fn structure(&mut self, kind: Kind, doc: String) -> Read<Struct> {
        let name = self.name("its name")?;
        self.take_word("xsd_all");
        self.expect('{', "before the fields")?;
        let fields = self.fields('}')?;
        self.annotations()?;
        Ok(Struct { kind, name, fields, doc })
    }

    /// Up to `end`, and past it.
    fn fields(&mut self, end: char) -> Read<Vec<Field>> {
        let (mut fields, mut without) = (Vec::new(), 0);
        while !self.take(end) {
            let doc = self.doc();
            let mut id = None;
            if let Word::Int(_) = self.token().word {
                id = Some(self.number("the number of a field")?);
                self.expect(':', "behind the number of a field")?;
            }
            let need = if self.take_word("required") {
                Need::Required
            } else if self.take_word("optional") {
                Need::Optional
            } else {
                Need::Default
            };
            if !matches!(self.token().word, Word::Name(_)) {
                return self.wrong(&format!("a field (`1: i32 uid`) or `{end}`"));
            }
            let of = self.of_type()?;
            self.take('&');
            let name = self.name("the name of the field")?;
            let default = if self.take('=') { Some(self.value()?) } else { None };
            while self.take_word("xsd_optional") || self.take_word("xsd_nillable") {}
            if self.take_word("xsd_attrs") {
                self.expect('{', "before the attributes")?;
                self.deeper(|parser| parser.fields('}'))?;
            }
            self.annotations()?;
            self.separator();
            let doc = self.doc_or_trailing(doc);
            let (id, id_span) = id.unwrap_or_else(|| {
                without -= 1;
                (without, name.span.clone())
            });
            fields.push(Field { id, id_span, need, of, name, default, doc });
        }
        Ok(fields)
    }

    fn number(&mut self, what: &str) -> Read<(i64, Span)> {
        match self.token().word {
            Word::Int(number) => Ok((number, self.next().span)),
            _ => self.wrong(what),
        }
    }

    fn of_type(&mut self) -> Read<Type> {
        self.deeper(|parser| {
            let word = parser.name("a type")?;
            let shape = match word.text.as_str() {
                "bool" => Shape::Base(Base::Bool),
                "byte" | "i8" => Shape::Base(Base::I8),
                "i16" => Shape::Base(Base::I16),
                "i32" => Shape::Base(Base::I32),
                "i64" => Shape::Base(Base::I64),
                "double" => Shape::Base(Base::Double),
                "string" | "slist" => Shape::Base(Base::String),
                "binary" => Shape::Base(Base::Binary),
                "uuid" => Shape::Base(Base::Uuid),
                "list" | "set" if parser.is('<') || parser.is_word("cpp_type") => {
                    parser.cpp_type()?;
                    parser.expect('<', "and the type of the elements")?;
                    let of = Box::new(parser.of_type()?);
                    parser.expect('>', "behind the type of the elements")?;
                    parser.cpp_type()?;
                    if word.text == "list" { Shape::List(of) } else { Shape::Set(of) }
                }
                "map" if parser.is('<') || parser.is_word("cpp_type") => {
                    parser.cpp_type()?;
                    parser.expect('<', "and the types of keys and values")?;
                    let key = parser.of_type()?;
                    parser.expect(',', "and the type of the values")?;
                    let value = parser.of_type()?;
                    parser.expect('>', "behind the type of the values")?;
                    Shape::Map(Box::new((key, value)))
                }
                _ => Shape::Named(word.text.clone()),
            };
            let end = parser.tokens[parser.at - 1].span.end;
            parser.annotations()?;
            Ok(Type { shape, span: word.span.start..end })
        })
    }

    fn cpp_type(&mut self) -> Read<()> {
        if self.take_word("cpp_type") {
            self.literal("a type of C++ in quotes")?;
        }
        Ok(())
    }

    fn value(&mut self) -> Read<Value> {
        self.deeper(|parser| {
            let start = parser.token().span.start;
            let is = match parser.token().word.clone() {
                Word::Int(number) => {
                    parser.next();
                    Literal::Int(number)
                }
                Word::Double(number) => {
                    parser.next();
                    Literal::Double(number)
                }
                Word::Text(text) => {
                    parser.next();
                    Literal::Text(text)
                }
                Word::Name(name) => {
                    parser.next();
                    Literal::Named(name)
                }
                Word::Symbol('[') => {
                    parser.next();
                    let mut values = Vec::new();
                    while !parser.take(']') {
                        values.push(parser.value()?);
                        parser.separator();
                    }
                    Literal::List(values)
                }
                Word::Symbol('{') => {
                    parser.next();
                    let mut pairs = Vec::new();
                    while !parser.take('}') {
                        let key = parser.value()?;
                        parser.expect(':', "between key and value")?;
                        pairs.push((key, parser.value()?));
                        parser.separator();
                    }
                    Literal::Map(pairs)
                }
                _ => return parser.wrong("a value"),
            };
            let end = parser.tokens[parser.at - 1].span.end;
            Ok(Value { is, span: start..end })
        })
    }

    /// `( name = "value", other )`, where there are any.
    fn annotations(&mut self) -> Read<Annotations> {
        let mut found = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                let mut name = self.name("an annotation or `)`")?.text;
                while self.take('-') {
                    name.push('-');
                    name.push_str(&self.name("the rest of the annotation's name")?.text);
                }
                // Apache's compiler reads one without a value as this.
                let value =
                    if self.take('=') { self.literal("the annotation's value in quotes")?.text } else { "1".into() };
                found.push((name, value));
                self.separator();
            }
        }
        Ok(found)
    }

    fn service(&mut self, doc: String) -> Read<Service> {
        let name = self.name("the name of the service")?;
        let extends = if self.take_word("extends") { Some(self.name("the service it extends")?) } else { None };
        self.expect('{', "before the functions")?;
        let mut functions = Vec::new();
        while !self.take('}') {
            functions.push(self.function()?);
        }
        self.annotations()?;
        Ok(Service { name, extends, functions, doc })
    }

    fn function(&mut self) -> Read<Function> {
        let doc = self.doc();
        if !matches!(self.token().word, Word::Name(_)) {
            return self.wrong("a function (`void ping()`) or `}`");
        }
        let oneway = self.take_word("oneway") || self.take_word("async");
        let returns = if self.take_word("void") { None } else { Some(self.of_type()?) };
        if returns.is_none() {
            self.annotations()?;
        }
        let name = self.name("the name of the function")?;
        self.expect('(', "before the arguments")?;
        let args = self.fields(')')?;
        let throws = if self.take_word("throws") {
            self.expect('(', "before what it throws")?;
            self.fields(')')?
        } else {
            Vec::new()
        };
        let annotations = self.annotations()?;
        self.separator();
        let doc = self.doc_or_trailing(doc);
        let says = |(name, value): &(String, String)| {
            (name == "dae.idempotent" || name == "idempotent") && matches!(value.as_str(), "1" | "true" | "yes")
        };
        let idempotent = annotations.iter().any(says);
        Ok(Function { name, oneway, returns, args, throws, idempotent, doc })
    }
}
