//! One requirement: a package by name, from an index or from a version control system. Text is parsed here once.

use std::fmt;

use crate::problem::{Problem, Result};

/// A project's name as PEP 503 compares it: lowercase, runs of `-_.` as one `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As written.
    pub name: String,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A package index.
    Index {
        /// `[async]`, as written; or nothing.
        extras: String,
        /// `>=3,<4`, as written; or nothing.
        version: String,
        /// After `;`; or nothing.
        marker: String,
    },
    Vcs {
        kind: Vcs,
        /// Without the kind, the revision and the fragment.
        url: String,
        rev: Option<String>,
        editable: bool,
    },
    /// A folder or an archive, by path or URL: the whole line.
    Direct { editable: bool },
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

impl Requirement {
    /// Reads one requirement as pip writes it, `-e` included; without comment and hashes.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let editable = text.strip_prefix("--editable").or_else(|| text.strip_prefix("-e"));
        let editable = editable.filter(|rest| rest.starts_with([' ', '=', '\t']));
        if let Some(rest) = editable {
            let rest = rest.trim_start_matches([' ', '=', '\t']);
            return Self::from_url(rest, None, true).ok_or_else(|| wrong(text, "nothing follows `-e`"));
        }
        if text.contains("://") && !text.split("://").next().is_some_and(|lead| lead.contains('@')) {
            return Self::from_url(text, None, false).ok_or_else(|| wrong(text, "it has no address"));
        }
        if text.starts_with(['.', '/', '~']) || (text.contains('/') && !text.contains('@')) {
            return Self::from_url(text, None, false).ok_or_else(|| wrong(text, "it has no path"));
        }
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(name.chars().next()) || !edge(name.chars().last()) {
            return Err(wrong(text, "it does not begin with a package's name"));
        }
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((extras, rest)) => (format!("[{}]", extras.replace(' ', "")), rest),
                None => return Err(wrong(text, "`[` is not closed")),
            },
            None => (String::new(), rest),
        };
        let rest = rest.trim_start();
        if let Some(address) = rest.strip_prefix('@') {
            return Self::from_url(address.trim(), Some(name), false).ok_or_else(|| wrong(text, "nothing follows `@`"));
        }
        let (version, marker) = rest.split_once(';').unwrap_or((rest, ""));
        let version = version.trim().trim_start_matches('(').trim_end_matches(')').trim();
        for part in version.split(',').filter(|_| !version.is_empty()) {
            check_specifier(part.trim()).map_err(|why| wrong(text, &why))?;
        }
        Ok(Self {
            name: name.to_owned(),
            source: Source::Index { extras, version: version.replace(' ', ""), marker: marker.trim().to_owned() },
        })
    }

    fn from_url(address: &str, name: Option<&str>, editable: bool) -> Option<Self> {
        let (bare, fragment) = address.split_once('#').unwrap_or((address, ""));
        let egg = fragment.split('&').find_map(|part| part.strip_prefix("egg="));
        let egg = egg.map(|egg| egg.split('[').next().unwrap_or(egg));
        if bare.is_empty() {
            return None;
        }
        // `@` before the last `/` is a user's: ssh://git@host/x
        let cut = bare.rfind('@').filter(|at| bare.rfind('/').is_none_or(|slash| slash < *at));
        let (bare, rev) = cut.map_or((bare, None), |at| (&bare[..at], Some(bare[at + 1..].to_owned())));
        let last = || {
            let last = bare.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(bare);
            last.trim_end_matches(".git").split(".tar").next().unwrap_or(last).to_owned()
        };
        // A wheel's file name begins with the project's name.
        let wheel = || {
            let wheel = bare.rsplit('/').next().filter(|file| file.to_lowercase().ends_with(".whl"));
            wheel.and_then(|file| file.split('-').next()).map(str::to_owned)
        };
        let name = name.or(egg).map_or_else(|| wheel().unwrap_or_else(last), str::to_owned);
        let kind = [(Vcs::Git, "git+"), (Vcs::Hg, "hg+"), (Vcs::Svn, "svn+"), (Vcs::Bzr, "bzr+")]
            .into_iter()
            .find_map(|(kind, prefix)| bare.strip_prefix(prefix).map(|url| (kind, url)));
        let Some((kind, url)) = kind else { return Some(Self { name, source: Source::Direct { editable } }) };
        Some(Self { name, source: Source::Vcs { kind, url: url.to_owned(), rev, editable } })
    }

    /// The name as it is compared.
    pub fn key(&self) -> Name {
        Name::new(&self.name)
    }

    /// `Some` when it names one version exactly.
    pub fn pinned(&self) -> Option<&str> {
        match &self.source {
            Source::Index { version, .. } => {
                let exact = version.strip_prefix("===").or_else(|| version.strip_prefix("=="))?;
                Some(exact).filter(|exact| !exact.contains([',', '*']))
            }
            _ => None,
        }
    }

    /// `[async]`, or nothing.
    pub fn extras(&self) -> &str {
        match &self.source {
            Source::Index { extras, .. } => extras,
            _ => "",
        }
    }
}

fn wrong(text: &str, why: &str) -> Problem {
    Problem::new("python.requirement", format!("`{text}` is no requirement"))
        .because(why)
        .hint("write it as pip does: `flask`, `flask==3.1.3`, `flask[async]>=3,<4`")
}

fn check_specifier(part: &str) -> std::result::Result<(), String> {
    let operators = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];
    let Some(rest) = operators.iter().find_map(|operator| part.strip_prefix(operator)) else {
        return Err(match part.chars().next() {
            Some('=') if part.starts_with("=>") || part.starts_with("=<") => {
                format!("`{}` is written `{}=`", &part[..2], &part[1..2])
            }
            Some('=') => "one version is named with `==`".to_owned(),
            _ => format!("`{part}` is no version"),
        });
    };
    let rest = rest.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || ".*+!-_".contains(c);
    if rest.is_empty() || !rest.chars().all(good) { Err(format!("`{part}` names no version")) } else { Ok(()) }
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
        let index = |extras: &str, version: &str, marker: &str| Source::Index {
            extras: extras.into(),
            version: version.into(),
            marker: marker.into(),
        };
        let vcs = |kind, url: &str, rev: Option<&str>, editable| Source::Vcs {
            kind,
            url: url.into(),
            rev: rev.map(str::to_owned),
            editable,
        };
        for (text, name, source) in [
            ("web.py", "web.py", index("", "", "")),
            ("flask[async, dotenv] >= 3 , < 4", "flask", index("[async,dotenv]", ">=3,<4", "")),
            ("a==1.0 ; python_version < '3.11'", "a", index("", "==1.0", "python_version < '3.11'")),
            ("a (>=1)", "a", index("", ">=1", "")),
            ("-e hg+http://h/x@121c#egg=Hello_HG", "Hello_HG", vcs(Vcs::Hg, "http://h/x", Some("121c"), true)),
            ("git+ssh://git@h.org/u/thing.git", "thing", vcs(Vcs::Git, "ssh://git@h.org/u/thing.git", None, false)),
            ("x @ git+https://h/u/y@v1.0", "x", vcs(Vcs::Git, "https://h/u/y", Some("v1.0"), false)),
            ("./lib", "lib", Source::Direct { editable: false }),
            ("-e .", ".", Source::Direct { editable: true }),
            ("https://h/a/My_Pkg-1.0-py3-none-any.whl", "My_Pkg", Source::Direct { editable: false }),
        ] {
            assert_eq!(Requirement::parse(text).unwrap(), Requirement { name: name.into(), source }, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = ["", "==1", "flask=1", "flask=>3", "flask[x", "flask 3", "-flask", "flask==", "你好", "x @"]
            .map(|text| Requirement::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"), @"
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
        ");
    }
}
