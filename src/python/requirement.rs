//! One requirement: a package by name, from an index or from a version control system. Text is parsed here once.

use std::fmt;

use super::specifier;
use crate::problem::{Problem, Result};

/// A project's name as PEP 503 compares it: lowercase, runs of `-_.` as one `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As written; where only an address is, what it ends with.
    pub name: String,
    /// `[async]`, without blanks; or nothing.
    pub extras: String,
    pub source: Source,
    /// After `;`; or nothing.
    pub marker: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A package index; `>=3,<4` without blanks, or nothing.
    Index { version: String },
    /// A version control system.
    Vcs(Repository),
    /// A folder or an archive, by path or URL.
    Direct { address: String, editable: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub kind: Vcs,
    /// Without the kind, the revision and the fragment; `${NAME}` in it stands for the environment's.
    pub url: String,
    pub rev: Option<String>,
    /// The folder in it that holds the package.
    pub subdirectory: Option<String>,
    pub editable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vcs {
    Git,
    Hg,
    Svn,
    Bzr,
}

impl Name {
    pub fn new(spelled: &str) -> Self {
        let mut name = String::with_capacity(spelled.len());
        for c in spelled.trim().chars() {
            match c {
                '-' | '_' | '.' => {
                    if !name.ends_with('-') {
                        name.push('-');
                    }
                }
                c => name.push(c.to_ascii_lowercase()),
            }
        }
        Self(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Vcs {
    /// What stands before `+`, and what its program is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Hg => "hg",
            Self::Svn => "svn",
            Self::Bzr => "bzr",
        }
    }

    fn of(address: &str) -> Option<(Self, &str)> {
        let (kind, url) = address.split_once('+')?;
        let all = [Self::Git, Self::Hg, Self::Svn, Self::Bzr];
        all.into_iter().find(|one| one.as_str() == kind).map(|kind| (kind, url))
    }
}

impl Repository {
    /// Whether it names one state for good: all 40 digits, or for Subversion and Bazaar any revision.
    pub fn is_pinned(&self) -> bool {
        match self.kind {
            Vcs::Git | Vcs::Hg => self.rev.as_deref().is_some_and(is_full),
            Vcs::Svn | Vcs::Bzr => self.rev.is_some(),
        }
    }

    /// The address with all that belongs to it, as a requirement carries it.
    fn address(&self, egg: Option<&str>) -> String {
        let rev = self.rev.as_ref().map_or_else(String::new, |rev| format!("@{rev}"));
        let egg = egg.map(|egg| format!("egg={egg}"));
        let subdirectory = self.subdirectory.as_ref().map(|folder| format!("subdirectory={folder}"));
        let fragment: Vec<String> = egg.into_iter().chain(subdirectory).collect();
        let fragment = if fragment.is_empty() { String::new() } else { format!("#{}", fragment.join("&")) };
        format!("{}+{}{rev}{fragment}", self.kind.as_str(), self.url)
    }
}

/// A whole revision of git or Mercurial.
pub fn is_full(rev: &str) -> bool {
    rev.len() == 40 && rev.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Requirement {
    /// Reads one requirement as pip writes it, `-e` included; without comment and hashes.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let read = Self::read(text)?;
        let (begin, end) = (read.marker.chars().next(), read.marker.chars().next_back());
        let may =
            |end: Option<char>, quotes: &str| end.is_none_or(|end| end.is_ascii_alphabetic() || quotes.contains(end));
        if !may(begin, "'\"(") || !may(end, "'\")") {
            return Err(wrong(text, &format!("`{}` is no marker", read.marker)));
        }
        Ok(read)
    }

    fn read(text: &str) -> Result<Self> {
        if let Some(rest) = editable(text) {
            let (address, marker) = unmarked(rest);
            return Self::from_address(text, address, None, true, marker);
        }
        let (address, marker) = unmarked(text);
        let lead = address.split("://").next().filter(|lead| lead.len() < address.len());
        let scp = address.split_once(':').is_some_and(|(lead, rest)| {
            lead == "git@github.com" || (lead.starts_with("git@") && !rest.starts_with("//"))
        });
        if lead.is_some_and(|lead| !lead.contains('@')) || Vcs::of(address).is_some() || scp {
            return Self::from_address(text, address, None, false, marker);
        }
        let path = address.split(['=', '<', '>', '!', '~', ' ']).next().unwrap_or_default();
        let archive = [".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz"].iter().any(|end| address.ends_with(end));
        if text.starts_with(['.', '/', '~']) && !text.starts_with("~=")
            || (path.contains('/') && !path.contains('@'))
            || (archive && path == address && !address.contains('@'))
        {
            return Self::from_address(text, address, None, false, marker);
        }
        Self::from_name(text)
    }

    fn from_name(text: &str) -> Result<Self> {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !is_name(name) {
            return Err(wrong(text, "it does not begin with a package's name"));
        }
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((extras, rest)) => (plain(extras).map_err(|why| wrong(text, &why))?, rest),
                None => return Err(wrong(text, "`[` is not closed")),
            },
            None => (String::new(), rest),
        };
        let rest = rest.trim_start();
        if let Some(address) = rest.strip_prefix('@') {
            let (address, marker) = unmarked(address);
            let mut found = Self::from_address(text, address, Some(name), false, marker)?;
            found.extras = extras;
            return Ok(found);
        }
        let (version, marker) = rest.split_once(';').map_or((rest, None), |(version, marker)| (version, Some(marker)));
        let marker = marker.map_or(Ok(""), |marker| {
            let marker = marker.trim();
            if marker.is_empty() { Err(wrong(text, "nothing follows `;`")) } else { Ok(marker) }
        })?;
        let version = version.trim();
        let version = match version.strip_prefix('(') {
            Some(inner) => inner.strip_suffix(')').ok_or_else(|| wrong(text, "`(` is not closed"))?.trim(),
            None => version,
        };
        // One comma too many at the end is what pip lets pass.
        let listed = version.strip_suffix(',').unwrap_or(version);
        for part in listed.split(',').filter(|_| !version.is_empty()) {
            specifier::check(part.trim()).map_err(|why| wrong(text, &why))?;
        }
        Ok(Self {
            name: name.to_owned(),
            extras,
            source: Source::Index { version: version.split_whitespace().collect() },
            marker: marker.to_owned(),
        })
    }

    fn from_address(text: &str, address: &str, name: Option<&str>, editable: bool, marker: &str) -> Result<Self> {
        let address = address.trim().trim_matches(['"', '\'']);
        if address.contains(char::is_whitespace) && Vcs::of(address).is_some() {
            return Err(wrong(text, "an address has no blanks"));
        }
        let (bare, fragment) = address.split_once('#').unwrap_or((address, ""));
        if bare.is_empty() {
            let after = if editable { "-e" } else { "@" };
            return Err(wrong(text, &format!("nothing follows `{after}`")));
        }
        let part = |key: &str| fragment.split('&').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        let (egg, egg_extras) = part("egg").map_or((None, ""), |egg| match egg.split_once('[') {
            Some((egg, extras)) => (Some(egg), extras.trim_end_matches(']')),
            None => (Some(egg), ""),
        });
        if let Some(egg) = egg.filter(|egg| !is_name(egg)) {
            return Err(wrong(text, &format!("`{egg}` is no package's name")));
        }
        let kind = Vcs::of(bare);
        if let Some(known) = scp(kind.map_or(bare, |(_, url)| url)) {
            return Err(Problem::new("python.requirement", format!("`{text}` is no requirement"))
                .because("pip takes addresses of version control systems as URLs only")
                .hint(format!("write `{}{known}`", if editable { "-e git+" } else { "git+" })));
        }
        let (bare, extras) = match bare.rsplit_once('[') {
            Some((bare, extras)) if kind.is_none() && extras.ends_with(']') => (bare, &extras[..extras.len() - 1]),
            _ => (bare, egg_extras),
        };
        let extras = plain(extras).map_err(|why| wrong(text, &why))?;
        let (url, rev) = kind.map_or((bare, None), |(_, url)| revision(url));
        if rev.is_some_and(str::is_empty) {
            return Err(wrong(text, "nothing follows the last `@`"));
        }
        let last = || {
            let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(url);
            last.trim_end_matches(".git").split(".tar").next().unwrap_or(last).to_owned()
        };
        // A wheel's file name begins with the project's name.
        let wheel = || {
            let wheel = url.rsplit('/').next().filter(|file| file.to_lowercase().ends_with(".whl"));
            wheel.and_then(|file| file.split('-').next()).map(str::to_owned)
        };
        let name = name.or(egg).map_or_else(|| wheel().unwrap_or_else(last), str::to_owned);
        let source = match kind {
            Some((kind, _)) => Source::Vcs(Repository {
                kind,
                url: url.to_owned(),
                rev: rev.map(str::to_owned),
                subdirectory: part("subdirectory").map(str::to_owned),
                editable,
            }),
            None => Source::Direct { address: address.to_owned(), editable },
        };
        Ok(Self { name, extras, source, marker: marker.to_owned() })
    }

    /// The name as it is compared.
    pub fn key(&self) -> Name {
        Name::new(&self.name)
    }

    /// `Some` when it names one version exactly.
    pub fn pinned(&self) -> Option<&str> {
        match &self.source {
            Source::Index { version } => {
                let exact = version.strip_prefix("===").or_else(|| version.strip_prefix("=="))?;
                Some(exact).filter(|exact| !exact.contains([',', '*']))
            }
            _ => None,
        }
    }

    pub fn repository(&self) -> Option<&Repository> {
        match &self.source {
            Source::Vcs(repository) => Some(repository),
            _ => None,
        }
    }

    pub fn is_from_index(&self) -> bool {
        matches!(self.source, Source::Index { .. })
    }

    /// The same as [`Self::line`] where the name is only guessed at.
    pub fn line_without_name(&self) -> String {
        let Source::Vcs(repository) = &self.source else { return self.line() };
        let lead = if repository.editable { "-e " } else { "" };
        let line = format!("{lead}{}", repository.address(None));
        if self.marker.is_empty() { line } else { format!("{line} ; {}", self.marker) }
    }

    /// As it is written into a file: `flask[async]==3.1.3`, `x @ git+https://...`, `-e hg+http://...#egg=x`.
    pub fn line(&self) -> String {
        let Self { name, extras, source, marker } = self;
        let line = match source {
            Source::Index { version } => format!("{name}{extras}{version}"),
            Source::Vcs(repository) if repository.editable => {
                format!("-e {}", repository.address(Some(&format!("{name}{extras}"))))
            }
            Source::Vcs(repository) => format!("{name}{extras} @ {}", repository.address(None)),
            Source::Direct { address, editable: true } => format!("-e {address}"),
            Source::Direct { address, editable: false } if address.contains("://") => {
                format!("{name}{extras} @ {address}")
            }
            Source::Direct { address, editable: false } => address.clone(),
        };
        if marker.is_empty() { line } else { format!("{line} ; {marker}") }
    }
}

/// Whether it says what its package is called, or only where it is.
pub fn says_name(text: &str) -> bool {
    let bare = editable(text).unwrap_or(text).trim();
    let (address, _) = unmarked(bare);
    address.contains("egg=") || Vcs::of(address).is_none()
}

/// What follows `-e`.
pub fn editable(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("--editable").filter(|rest| rest.is_empty() || rest.starts_with([' ', '=', '\t']));
    let rest = rest.or_else(|| text.strip_prefix("-e"))?;
    Some(rest.trim_start_matches([' ', '=', '\t']))
}

/// An address and the marker behind it: there a blank has to stand beside the `;`, which may be part of a URL.
fn unmarked(text: &str) -> (&str, &str) {
    let at = [" ;", "\t;", "; "].iter().filter_map(|mark| text.find(mark)).min();
    at.map_or((text.trim(), ""), |at| {
        let marker = text[at..].trim_start().trim_start_matches(';');
        (text[..at].trim(), marker.trim_start_matches(';').trim())
    })
}

/// The revision stands behind the last `@` of the path; one before that is a user's: `ssh://git@host/x`.
fn revision(url: &str) -> (&str, Option<&str>) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(if host == 0 { 0 } else { url.len() }, |at| host + at);
    url[path..].rfind('@').map_or((url, None), |at| (&url[..path + at], Some(&url[path + at + 1..])))
}

/// `git@host:user/x`, as git itself takes it, written as a URL.
fn scp(address: &str) -> Option<String> {
    let (host, path) = address.split_once(':')?;
    (host.starts_with("git@") && !path.starts_with("//"))
        .then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

/// `async, dotenv` as `[async,dotenv]`.
fn plain(extras: &str) -> std::result::Result<String, String> {
    let extras = extras.trim();
    if extras.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<&str> = extras.split(',').map(str::trim).collect();
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(format!("`{name}` is no extra's name")),
        None => Ok(format!("[{}]", names.join(","))),
    }
}

/// Letters, digits and `._-`, which stand neither first nor last.
pub fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

fn wrong(text: &str, why: &str) -> Problem {
    Problem::new("python.requirement", format!("`{text}` is no requirement"))
        .because(why)
        .hint("write it as pip does: `flask`, `flask==3.1.3`, `flask[async]>=3,<4`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_pep_503_has_it() {
        for (a, b) in
            [("web.py", "web-py"), ("Flask", "flask"), ("zope.interface", "zope__Interface"), ("a-_.b", "a-b")]
        {
            assert_eq!(Name::new(a), Name::new(b));
        }
        assert_ne!(Name::new("webpy"), Name::new("web.py"));
    }

    #[test]
    fn what_pip_writes_is_read() {
        let said = [
            "web.py",
            "flask[async, dotenv] >= 3 , < 4",
            "a==1.0 ; python_version < '3.11'",
            "a (>=1)",
            "-e hg+http://h/x@121c#egg=Hello_HG",
            "git+ssh://git@h.org/u/thing.git",
            "x @ git+https://h/u/y@v1.0",
            "x @ git+https://u:${TOKEN}@h/u/y@feature/new#subdirectory=py ; sys_platform == 'linux'",
            "-e svn+https://h/x/trunk@212#egg=x[a,b]&subdirectory=p",
            "bzr+lp:thing@3#egg=thing",
            "./lib[dev]",
            "-e .",
            "--editable=../a",
            "https://h/a/My_Pkg-1.0-py3-none-any.whl",
            "wheels/my_pkg-1.0-py3-none-any.whl ; python_version > '3'",
        ]
        .map(|text| {
            let read = Requirement::parse(text).unwrap();
            format!("{} | {:?} | {}", read.line(), read.source, read.marker)
        });
        insta::assert_snapshot!(said.join("\n"), @r#"
        web.py | Index { version: "" } | 
        flask[async,dotenv]>=3,<4 | Index { version: ">=3,<4" } | 
        a==1.0 ; python_version < '3.11' | Index { version: "==1.0" } | python_version < '3.11'
        a>=1 | Index { version: ">=1" } | 
        -e hg+http://h/x@121c#egg=Hello_HG | Vcs(Repository { kind: Hg, url: "http://h/x", rev: Some("121c"), subdirectory: None, editable: true }) | 
        thing @ git+ssh://git@h.org/u/thing.git | Vcs(Repository { kind: Git, url: "ssh://git@h.org/u/thing.git", rev: None, subdirectory: None, editable: false }) | 
        x @ git+https://h/u/y@v1.0 | Vcs(Repository { kind: Git, url: "https://h/u/y", rev: Some("v1.0"), subdirectory: None, editable: false }) | 
        x @ git+https://u:${TOKEN}@h/u/y@feature/new#subdirectory=py ; sys_platform == 'linux' | Vcs(Repository { kind: Git, url: "https://u:${TOKEN}@h/u/y", rev: Some("feature/new"), subdirectory: Some("py"), editable: false }) | sys_platform == 'linux'
        -e svn+https://h/x/trunk@212#egg=x[a,b]&subdirectory=p | Vcs(Repository { kind: Svn, url: "https://h/x/trunk", rev: Some("212"), subdirectory: Some("p"), editable: true }) | 
        thing @ bzr+lp:thing@3 | Vcs(Repository { kind: Bzr, url: "lp:thing", rev: Some("3"), subdirectory: None, editable: false }) | 
        ./lib[dev] | Direct { address: "./lib[dev]", editable: false } | 
        -e . | Direct { address: ".", editable: true } | 
        -e ../a | Direct { address: "../a", editable: true } | 
        My_Pkg @ https://h/a/My_Pkg-1.0-py3-none-any.whl | Direct { address: "https://h/a/My_Pkg-1.0-py3-none-any.whl", editable: false } | 
        wheels/my_pkg-1.0-py3-none-any.whl ; python_version > '3' | Direct { address: "wheels/my_pkg-1.0-py3-none-any.whl", editable: false } | python_version > '3'
        "#);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = [
            "",
            "==1",
            "flask=1",
            "flask=>3",
            "flask[x",
            "flask 3",
            "-flask",
            "flask==",
            "你好",
            "x @",
            "a==1 ;-e .",
            "a ; b == '' \\",
        ]
        .map(|text| Requirement::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"), @r"
        `` is no requirement: it does not begin with a package's name
        `==1` is no requirement: it does not begin with a package's name
        `flask=1` is no requirement: one version is named with `==`
        `flask=>3` is no requirement: `=>` is written `>=`
        `flask[x` is no requirement: `[` is not closed
        `flask 3` is no requirement: `3` is no version
        `-flask` is no requirement: it does not begin with a package's name
        `flask==` is no requirement: `==` names no version
        `你好` is no requirement: it does not begin with a package's name
        `x @` is no requirement: nothing follows `@`
        `a==1 ;-e .` is no requirement: `-e .` is no marker
        `a ; b == '' \` is no requirement: `b == '' \` is no marker
        ");
    }
}
