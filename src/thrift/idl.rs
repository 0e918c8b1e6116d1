//! The .thrift files of an app with all that they include, read and checked; and what a name in one of them means.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use super::check::check;
use super::syntax::{Base, Definition, Document, Enum, Function, Service, Shape, Struct, Type, parse};
use crate::problem::{Doing as _, Problem, Result};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// Typedefs of typedefs beyond this go round in a circle.
pub(super) const LONGEST_CHAIN: usize = 64;

/// Checked interfaces. Every name in them means something.
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// Each file once; what it includes stands before it.
    pub documents: Vec<Document>,
    /// For each, the files that it includes, by the names it calls them.
    pub(super) includes: Vec<HashMap<String, usize>>,
}

/// One file of them.
#[derive(Debug, Clone, Copy)]
pub struct Idl<'a> {
    pub all: &'a Interfaces,
    pub at: usize,
}

/// What a type is below its typedefs. The number is that of the file the inner types are written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Real<'a> {
    Base(Base),
    List(usize, &'a Type),
    Set(usize, &'a Type),
    Map(usize, &'a Type, &'a Type),
    Enum(usize, &'a Enum),
    Struct(usize, &'a Struct),
}

impl Interfaces {
    /// Reads `files` below `root`, and what they include. All that is wrong with them is told at once.
    pub fn read(root: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut reading = Reading { root, found: Self::empty(), known: HashMap::new(), problems: Vec::new() };
        for file in files {
            let text = read(root, file)?;
            reading.document(file, text, &mut Vec::new());
        }
        reading.problems.extend(check(&reading.found));
        match Problem::all(reading.problems) {
            None => Ok(reading.found),
            Some(problem) => Err(problem),
        }
    }

    /// Files that are held and not on disk, by their paths.
    pub fn of_texts(texts: &BTreeMap<PathBuf, String>) -> Result<Self> {
        let mut found = Self::empty();
        let mut problems = Vec::new();
        let mut left: Vec<_> = texts.iter().map(|(file, text)| parse(file, text)).collect::<Result<_>>()?;
        // Those first whose includes are there already.
        while !left.is_empty() {
            let there = |document: &Document| {
                document.includes.iter().all(|include| found.by_stem(stem(&include.path.text)).is_some())
            };
            let Some(at) = left.iter().position(there) else {
                problems.push(Problem::new("thrift.include", "the files include each other, or what is not there"));
                break;
            };
            let document = left.remove(at);
            let includes = document.includes.iter().filter_map(|include| {
                let name = stem(&include.path.text);
                Some((name.to_owned(), found.by_stem(name)?))
            });
            let includes = includes.collect();
            found.documents.push(document);
            found.includes.push(includes);
        }
        problems.extend(check(&found));
        Problem::all(problems).map_or(Ok(found), Err)
    }

    fn empty() -> Self {
        Self { documents: Vec::new(), includes: Vec::new() }
    }

    pub fn by_stem(&self, stem: &str) -> Option<usize> {
        self.documents.iter().position(|document| document.stem() == stem)
    }

    /// A service by the two parts of `user.UserStorage`.
    pub fn service(&self, idl: &str, service: &str) -> Option<(usize, &Service)> {
        let at = self.by_stem(idl)?;
        self.documents[at].services().find(|found| found.name.text == service).map(|found| (at, found))
    }

    /// What `name` means in the file `at`.
    pub(super) fn definition(&self, at: usize, name: &str) -> Option<(usize, &Definition)> {
        // A name of its own may hold a dot nowhere, so the dot parts file and name.
        if let Some((file, name)) = name.split_once('.') {
            let at = *self.includes[at].get(file)?;
            return Some((at, self.documents[at].definition(name)?));
        }
        Some((at, self.documents[at].definition(name)?))
    }

    /// Nothing where a name means nothing, or goes round in a circle.
    pub(super) fn real<'a>(&'a self, mut at: usize, mut of: &'a Type) -> Option<Real<'a>> {
        for _ in 0..LONGEST_CHAIN {
            match &of.shape {
                Shape::Base(base) => return Some(Real::Base(*base)),
                Shape::List(of) => return Some(Real::List(at, of)),
                Shape::Set(of) => return Some(Real::Set(at, of)),
                Shape::Map(of) => return Some(Real::Map(at, &of.0, &of.1)),
                Shape::Named(name) => match self.definition(at, name)? {
                    (file, Definition::Typedef(typedef)) => (at, of) = (file, &typedef.of),
                    (file, Definition::Enum(is)) => return Some(Real::Enum(file, is)),
                    (file, Definition::Struct(is)) => return Some(Real::Struct(file, is)),
                    (_, Definition::Const(_) | Definition::Service(_)) => return None,
                },
            }
        }
        None
    }

    /// A service's functions, those of the services it extends first, each with the file it is written in.
    pub fn functions<'a>(&'a self, at: usize, service: &'a Service) -> Vec<(usize, &'a Function)> {
        let mut chain = vec![(at, service)];
        while let Some((at, parent)) = chain.last().and_then(|(at, service)| self.parent(*at, service)) {
            if chain.len() > LONGEST_CHAIN {
                break;
            }
            chain.push((at, parent));
        }
        let all = chain.iter().rev().flat_map(|(at, service)| service.functions.iter().map(|function| (*at, function)));
        all.collect()
    }

    /// The service that `service` extends.
    pub(super) fn parent<'a>(&'a self, at: usize, service: &'a Service) -> Option<(usize, &'a Service)> {
        match self.definition(at, &service.extends.as_ref()?.text)? {
            (at, Definition::Service(parent)) => Some((at, parent)),
            _ => None,
        }
    }
}

struct Reading<'a> {
    root: &'a Path,
    found: Interfaces,
    /// By normal paths; none: it could not be read.
    known: HashMap<PathBuf, Option<usize>>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    /// Takes up a file's text, after what it includes. `through` are the files it was reached by.
    fn document(&mut self, file: &Path, text: String, through: &mut Vec<PathBuf>) -> Option<usize> {
        if let Some(known) = self.known.get(file) {
            return *known;
        }
        let document = match parse(file, &text) {
            Ok(document) => document,
            Err(problem) => {
                self.problems.push(problem);
                self.known.insert(file.to_owned(), None);
                return None;
            }
        };
        through.push(file.to_owned());
        let mut includes = HashMap::new();
        for include in &document.includes {
            let path = &include.path;
            match self.include(file, &path.text, through) {
                Ok(Some(at)) => drop(includes.insert(stem(&path.text).to_owned(), at)),
                // Told where it was read.
                Ok(None) => {}
                Err(problem) => self.problems.push(problem.at(document.place(&path.span))),
            }
        }
        through.pop();
        let name = document.stem();
        if let Some(other) = self.found.by_stem(name).map(|at| self.found.documents[at].file.clone()) {
            let message = format!("`{}` and `{}` have the same name", other.display(), file.display());
            let problem = Problem::new("thrift.same-name", message);
            self.problems.push(problem.hint("other files name what is in them by it; rename one of the two"));
        }
        self.found.documents.push(document);
        self.found.includes.push(includes);
        let at = self.found.documents.len() - 1;
        self.known.insert(file.to_owned(), Some(at));
        Some(at)
    }

    /// `path` as `from` writes it: beside that file, or below the app's folder.
    fn include(&mut self, from: &Path, path: &str, through: &mut Vec<PathBuf>) -> Result<Option<usize>> {
        let beside = normal(&from.parent().unwrap_or(Path::new("")).join(path));
        let candidates = [beside, normal(Path::new(path))];
        let Some(file) = candidates.iter().find(|file| self.root.join(file).is_file()) else {
            return Err(Problem::new("thrift.include", format!("there is no file `{path}` to include"))
                .hint("it is looked for beside this file, then in the app's folder"));
        };
        if through.contains(file) {
            let start = through.iter().position(|known| known == file).unwrap_or_default();
            let circle: Vec<_> = through[start..].iter().chain([file]).map(|file| file.display().to_string()).collect();
            let message = format!("`{}` includes itself", file.display());
            let problem = Problem::new("thrift.include-circle", message).because(circle.join(" includes "));
            return Err(problem.hint("put what both need into a third file"));
        }
        let text = read(self.root, file)?;
        Ok(self.document(file, text, through))
    }
}

fn read(root: &Path, file: &Path) -> Result<String> {
    let doing = || format!("read `{}`", file.display());
    let path = root.join(file);
    let size = std::fs::metadata(&path).doing(doing)?.len();
    if size > LARGEST {
        return Err(Problem::new("thrift.large", format!("`{}` is larger than 4 MB", file.display())));
    }
    let bytes = std::fs::read(&path).doing(doing)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::new("thrift.utf8", format!("`{}` is not UTF-8", file.display()))
            .because(format!("byte {} is none", at + 1))
    })
}

fn stem(path: &str) -> &str {
    Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// Without `.` and, where it can be, `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}
