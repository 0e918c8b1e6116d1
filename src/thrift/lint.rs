//! What of a change to an interface breaks those who call it: the interface of the last generated client is compared with that
//! of now.

use super::idl::{Interfaces, Real};
use super::syntax::{Document, Field, Function, Kind, Need, Service, Span, Struct, Type};
use crate::problem::Problem;

/// Something in an interface that clients made before cannot bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach(pub Problem);

/// All breaches in the services named by `(file, service)`, and in the types they reach.
pub fn compare(before: &Interfaces, now: &Interfaces, services: &[(String, String)]) -> Vec<Breach> {
    let mut lint = Lint { before, now, found: Vec::new(), seen: Vec::new() };
    for (idl, service) in services {
        if let (Some(old), Some(new)) = (before.service(idl, service), now.service(idl, service)) {
            lint.service(old, new);
        }
    }
    lint.found
}

struct Lint<'a> {
    before: &'a Interfaces,
    now: &'a Interfaces,
    found: Vec<Breach>,
    /// Structs that were compared, by name: types go round in circles.
    seen: Vec<(String, String)>,
}

impl<'a> Lint<'a> {
    fn breach(&mut self, at: usize, span: &Span, what: &'static str, message: String, hint: &str) {
        let document: &Document = &self.now.documents[at];
        self.found.push(Breach(document.problem(what, span, message).hint(hint)));
    }

    fn service(&mut self, (old_at, old): (usize, &'a Service), (new_at, new): (usize, &'a Service)) {
        let functions = self.now.functions(new_at, new);
        for (old_at, function) in self.before.functions(old_at, old) {
            if let Some((new_at, is)) = functions.iter().find(|(_, is)| is.name.text == function.name.text) {
                self.function((old_at, function), (*new_at, is));
            } else {
                let message =
                    format!("`{}` has no `{}` any more, and clients call it", new.name.text, function.name.text);
                self.breach(new_at, &new.name.span, "removed", message, "keep it until no client calls it");
            }
        }
    }

    fn function(&mut self, (old_at, old): (usize, &'a Function), (new_at, new): (usize, &'a Function)) {
        let name = &new.name.text;
        if old.oneway != new.oneway {
            let message = format!("`{name}` {} oneway", if new.oneway { "has become" } else { "is no longer" });
            self.breach(
                new_at,
                &new.name.span,
                "changed",
                message,
                "one side waits for an answer and the other sends none",
            );
        }
        match (&old.returns, &new.returns) {
            (None, None) => {}
            (Some(old), Some(new)) => self.of_type(old_at, old, new_at, new, &format!("what `{name}` returns")),
            (was, is) => {
                let told = |of: &Option<Type>| of.as_ref().map_or("void".to_owned(), ToString::to_string);
                let message = format!("`{name}` returned {} and now returns {}", told(was), told(is));
                let span = is.as_ref().map_or(&new.name.span, |of| &of.span);
                self.breach(new_at, span, "changed", message, "give what is new another name");
            }
        }
        self.fields((old_at, &old.args), (new_at, &new.args), &new.name.span, &format!("`{name}`"), Gone::Unheard);
        for thrown in &new.throws {
            let known = old.throws.iter().any(|old| old.id == thrown.id);
            if !known {
                let message = format!("`{name}` throws {}, which clients of before do not know", thrown.of);
                self.breach(new_at, &thrown.of.span, "throws", message, "they are told that nothing was returned");
            }
        }
        self.fields((old_at, &old.throws), (new_at, &new.throws), &new.name.span, &format!("`{name}`"), Gone::Fine);
    }

    fn fields(
        &mut self,
        (old_at, old): (usize, &'a [Field]),
        (new_at, new): (usize, &'a [Field]),
        owner: &Span,
        of: &str,
        gone: Gone,
    ) {
        for field in new {
            match old.iter().find(|old| old.id == field.id) {
                Some(was) => {
                    // A name does not travel. Where its type is another one too, or the old name is still in use, it is not a
                    // new name of the same thing.
                    let renamed = was.name.text != field.name.text;
                    let still_used = new.iter().any(|new| new.name.text == was.name.text);
                    if renamed && (still_used || was.of.to_string() != field.of.to_string()) {
                        let message = format!(
                            "the number {} of {of} was `{}` and now is `{}`",
                            field.id, was.name.text, field.name.text
                        );
                        let hint = "what clients send as the one is read as the other; give the new field a new number";
                        self.breach(new_at, &field.id_span, "reused", message, hint);
                        continue;
                    }
                    self.of_type(old_at, &was.of, new_at, &field.of, &format!("`{}` of {of}", field.name.text));
                    if field.need == Need::Required && was.need != Need::Required {
                        let message = format!("`{}` of {of} has become required", field.name.text);
                        self.breach(
                            new_at,
                            &field.name.span,
                            "required",
                            message,
                            "clients of before may leave it out",
                        );
                    }
                }
                None if field.need == Need::Required => {
                    let message = format!("`{}` of {of} is new and required", field.name.text);
                    self.breach(
                        new_at,
                        &field.name.span,
                        "required",
                        message,
                        "clients of before do not send it: make it optional",
                    );
                }
                None => {}
            }
        }
        for was in old {
            if new.iter().any(|field| field.id == was.id) {
                continue;
            }
            if was.need == Need::Required {
                let message = format!("`{}` of {of} is gone, and clients of before require it", was.name.text);
                self.breach(new_at, owner, "removed", message, "keep it until none of them is left");
            } else if let Some(moved) = new.iter().find(|field| field.name.text == was.name.text) {
                let message = format!("`{}` of {of} had the number {} and now has {}", was.name.text, was.id, moved.id);
                self.breach(
                    new_at,
                    &moved.id_span,
                    "renumbered",
                    message,
                    "numbers are what travels; give it its own again",
                );
            } else if gone == Gone::Unheard {
                let message = format!("`{}` of {of} is gone, and what clients say by it is not heard", was.name.text);
                self.breach(new_at, owner, "removed", message, "keep it until none of them sends it");
            }
        }
    }

    fn of_type(&mut self, old_at: usize, old: &'a Type, new_at: usize, new: &'a Type, what: &str) {
        let (Some(was), Some(is)) = (self.before.real(old_at, old), self.now.real(new_at, new)) else { return };
        match (was, is) {
            (Real::Base(a), Real::Base(b)) if a == b => {}
            (Real::List(a, was), Real::List(b, is)) | (Real::Set(a, was), Real::Set(b, is)) => {
                self.inner(a, was, b, is, new_at, new, what);
            }
            (Real::Map(a, key, was), Real::Map(b, new_key, is)) => {
                self.inner(a, key, b, new_key, new_at, new, what);
                self.inner(a, was, b, is, new_at, new, what);
            }
            (Real::Enum(_, was), Real::Enum(at, is)) => {
                for value in &was.values {
                    let there = is.values.iter().find(|new| new.number == value.number);
                    let elsewhere = is.values.iter().find(|new| new.name.text == value.name.text);
                    if let (true, Some(moved)) = (there.is_none_or(|new| new.name.text != value.name.text), elsewhere) {
                        let (name, was, is) = (&value.name.text, value.number, moved.number);
                        let message = format!("`{name}` was {was} and now is {is}");
                        self.breach(
                            at,
                            &moved.name.span,
                            "renumbered",
                            message,
                            "numbers are what travels; give it its own again",
                        );
                    }
                }
            }
            (Real::Struct(a, was), Real::Struct(b, is)) => self.structure((a, was), (b, is)),
            // On the wire they are the same.
            (Real::Enum(..), Real::Base(super::syntax::Base::I32))
            | (Real::Base(super::syntax::Base::I32), Real::Enum(..)) => {}
            _ => {
                let message = format!("{what} was {old} and now is {new}");
                self.breach(new_at, &new.span, "changed", message, "give what is new another number");
            }
        }
    }

    /// The inner type of a container; a change is told with the whole.
    #[expect(clippy::too_many_arguments, reason = "two types, each with its file, and where to tell it")]
    fn inner(&mut self, a: usize, was: &'a Type, b: usize, is: &'a Type, at: usize, whole: &Type, what: &str) {
        let known = self.found.len();
        self.of_type(a, was, b, is, what);
        let place = self.now.documents[at].place(&whole.span);
        for Breach(problem) in &mut self.found[known..] {
            if problem.code == "thrift.changed" && b == at {
                problem.place = Some(place.clone());
            }
        }
    }

    fn structure(&mut self, (old_at, old): (usize, &'a Struct), (new_at, new): (usize, &'a Struct)) {
        let pair = (old.name.text.clone(), new.name.text.clone());
        if self.seen.contains(&pair) {
            return;
        }
        self.seen.push(pair);
        let (is, was) = (new.kind == Kind::Union, old.kind == Kind::Union);
        if is != was {
            let message = format!("`{}` {} a union", new.name.text, if is { "has become" } else { "is no longer" });
            self.breach(new_at, &new.name.span, "changed", message, "give what is new another name");
        }
        let of = format!("`{}`", new.name.text);
        self.fields((old_at, &old.fields), (new_at, &new.fields), &new.name.span, &of, Gone::Fine);
    }
}

/// What it means that an optional field is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Fine,
    /// An argument: the caller says something that nobody hears.
    Unheard,
}
