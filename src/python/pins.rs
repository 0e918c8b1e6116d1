//! pip-req.txt, read without losing anything: comments, blank lines, order, hashes, continued lines, options and line ends
//! stay as their author wrote them, and only what is asked for changes. Pure: it reads and writes no file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::dist::{Dist, is_seed};
use super::installer::Resolved;
use super::requirement::{Name, Requirement, Source};
use crate::problem::{Place, Problem};

/// The name of the file.
pub const PINS: &str = "pip-req.txt";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// What it is called where a place in it is shown.
    file: PathBuf,
    lines: Vec<Line>,
}

/// A logical line: with what a `\` carries on, and with the indented `# via` lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// Verbatim, line ends included.
    raw: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Nothing, or a comment.
    Blank,
    /// `--index-url ...`, `-r ...`.
    Option(String),
    Pin(Pin),
    /// Not understood; kept, and told by [`Pins::problems`].
    Wrong(Problem),
}

/// One requirement of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub requirement: Requirement,
    /// The requirement as it stands, without hashes and comment.
    pub text: String,
    pub hashes: Vec<String>,
    /// Who needs it; empty for a direct requirement.
    pub via: Vec<String>,
    /// The author's own words behind it.
    comment: Option<String>,
}

impl Pin {
    pub fn is_direct(&self) -> bool {
        self.via.is_empty()
    }

    fn is_from_index(&self) -> bool {
        matches!(self.requirement.source, Source::Index { .. })
    }

    fn marker(&self) -> &str {
        match &self.requirement.source {
            Source::Index { marker, .. } => marker,
            _ => "",
        }
    }

    fn write(&self, end: &str) -> String {
        let mut line = self.text.clone();
        for hash in &self.hashes {
            let _ = write!(line, " \\{end}    --hash={hash}");
        }
        if !self.via.is_empty() {
            let _ = write!(line, "  # via {}", self.via.join(", "));
        } else if let Some(comment) = &self.comment {
            let _ = write!(line, "  # {comment}");
        }
        line + end
    }
}

impl Pins {
    pub fn parse(text: &str) -> Self {
        Self::parse_file(Path::new(PINS), text)
    }

    /// Reads another file of that kind.
    pub fn parse_file(file: &Path, text: &str) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut rest = text;
        let mut offset = 0;
        while !rest.is_empty() {
            let raw = logical(rest);
            rest = &rest[raw.len()..];
            let annotation = raw.starts_with([' ', '\t']) && raw.trim_start().starts_with('#');
            if let Some(Line { raw: above, kind: Kind::Pin(pin) }) = lines.last_mut().filter(|_| annotation) {
                let words = raw.trim().trim_start_matches('#').trim();
                // pip-compile's form: `# via flask`, or `# via` and one name a line.
                let carried_on = above.lines().last().is_some_and(|last| last.trim_start().starts_with('#'));
                if words == "via" || words.starts_with("via ") || carried_on {
                    let names = words.strip_prefix("via").filter(|rest| rest.is_empty() || rest.starts_with(' '));
                    pin.via.extend(names_of(names.unwrap_or(words)));
                    above.push_str(raw);
                    offset += raw.len();
                    continue;
                }
            }
            lines.push(Line { raw: raw.to_owned(), kind: read(raw, file, text, offset) });
            offset += raw.len();
        }
        Self { file: file.to_owned(), lines }
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.raw.as_str()).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pin> {
        self.lines.iter().filter_map(|line| match &line.kind {
            Kind::Pin(pin) => Some(pin),
            _ => None,
        })
    }

    pub fn get(&self, name: &Name) -> Option<&Pin> {
        self.iter().find(|pin| pin.requirement.key() == *name)
    }

    /// How the file spells each name.
    pub fn names(&self) -> BTreeMap<Name, String> {
        self.iter().map(|pin| (pin.requirement.key(), pin.requirement.name.clone())).collect()
    }

    /// Everything in the file that cannot be right.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .lines
            .iter()
            .filter_map(|line| match &line.kind {
                Kind::Wrong(problem) => Some(problem.clone()),
                _ => None,
            })
            .collect();
        let (mut seen, mut offset) = (BTreeMap::new(), 0);
        let text = self.text();
        for line in &self.lines {
            if let Kind::Pin(pin) = &line.kind
                && pin.marker().is_empty()
                && let Some(first) = seen.insert(pin.requirement.key(), pin.text.clone())
            {
                problems.push(
                    Problem::new("pins.twice", format!("`{}` is there twice", pin.requirement.name))
                        .at(place(&self.file, &text, offset, &pin.text))
                        .because(format!("`{first}` stands above it"))
                        .hint("take one of the two out"),
                );
            }
            offset += line.raw.len();
        }
        problems
    }

    /// Direct requirements that name no single version.
    pub fn loose(&self) -> impl Iterator<Item = &Pin> {
        self.iter().filter(|pin| pin.is_from_index() && pin.requirement.pinned().is_none())
    }

    pub fn has_hashes(&self) -> bool {
        self.iter().any(|pin| !pin.hashes.is_empty())
    }

    /// What an installer is asked for when `asked` is added: options and direct requirements, the asked ones as they were
    /// typed in place of the file's own.
    pub fn wish(&self, asked: &[(Requirement, String)]) -> String {
        let named: BTreeSet<Name> = asked.iter().map(|(requirement, _)| requirement.key()).collect();
        let mut wish = String::new();
        for line in &self.lines {
            match &line.kind {
                Kind::Option(text) => wish.push_str(text),
                Kind::Pin(pin) if pin.is_direct() && !named.contains(&pin.requirement.key()) => {
                    wish.push_str(&pin.text);
                }
                _ => continue,
            }
            wish.push('\n');
        }
        for (_, text) in asked {
            wish.push_str(text);
            wish.push('\n');
        }
        wish
    }

    /// The versions that should stay where there is a choice: one `name==version` a line.
    pub fn preferred(&self) -> String {
        let pinned = self
            .iter()
            .filter(|pin| pin.marker().is_empty())
            .filter_map(|pin| Some(format!("{}=={}\n", pin.requirement.name, pin.requirement.pinned()?)));
        pinned.collect()
    }

    /// Takes over a whole closure: `asked` become direct requirements, what nobody needs any more goes, direct requirements
    /// get their version. Lines that are no plain requirement of an index, and names that come twice, are their author's.
    pub fn take(&mut self, closure: &[Resolved], asked: &[(Requirement, String)]) {
        let asked: BTreeMap<Name, &(Requirement, String)> = asked.iter().map(|one| (one.0.key(), one)).collect();
        let found: BTreeSet<Name> = closure.iter().map(|one| Name::new(&one.name)).collect();
        self.lines.retain(|line| match &line.kind {
            Kind::Pin(pin) => pin.is_direct() || !pin.marker().is_empty() || found.contains(&pin.requirement.key()),
            _ => true,
        });
        for one in closure {
            let key = Name::new(&one.name);
            let here = self.get(&key).cloned();
            let wanted = asked.get(&key).map(|(requirement, text)| (requirement, text.as_str()));
            let direct = wanted.is_some() || here.as_ref().is_some_and(Pin::is_direct) || one.via.is_empty();
            let via = if direct { Vec::new() } else { one.via.clone() };
            let text = match (wanted, &here) {
                // As typed, where the installer has no better way to write it.
                (
                    Some((
                        Requirement { source: Source::Vcs { editable: true, .. } | Source::Direct { .. }, .. },
                        text,
                    )),
                    _,
                ) => text.to_owned(),
                (Some((typed, _)), _) => with_extras(&one.line, typed),
                (None, Some(pin)) if !pin.is_from_index() => pin.text.clone(),
                (None, Some(pin)) if direct => with_extras(&one.line, &pin.requirement),
                _ => one.line.clone(),
            };
            self.set(&key, text, one.hashes.clone(), via);
        }
    }

    /// Writes one pin: over the line that has it, or where a new one of its kind belongs.
    fn set(&mut self, name: &Name, text: String, hashes: Vec<String>, via: Vec<String>) {
        let Ok(requirement) = Requirement::parse(&text) else { return };
        let end = self.line_end();
        let mut at = self.lines.iter().enumerate().filter(|(_, line)| line.is(name)).map(|(at, _)| at);
        let (first, second) = (at.next(), at.next());
        if second.is_some() {
            return;
        }
        let old = first.and_then(|at| match &self.lines[at].kind {
            Kind::Pin(pin) => Some((at, pin.clone())),
            _ => None,
        });
        let comment = old.as_ref().and_then(|(_, pin)| pin.comment.clone());
        let new = Pin { requirement, text, hashes, via, comment };
        let Some((at, old)) = old else {
            let at = self.place_of(name, new.is_direct());
            return self.insert(at, new, end);
        };
        let same_version = old.requirement.source == new.requirement.source;
        let same_via = old.via.iter().map(|who| Name::new(who)).eq(new.via.iter().map(|who| Name::new(who)));
        if same_version && same_via && (new.hashes.is_empty() || !old.hashes.is_empty()) {
            return;
        }
        if old.is_direct() == new.is_direct() {
            let raw = new.write(end);
            self.lines[at] = Line { raw, kind: Kind::Pin(new) };
        } else {
            self.lines.remove(at);
            let at = self.place_of(name, new.is_direct());
            self.insert(at, new, end);
        }
    }

    fn insert(&mut self, at: usize, pin: Pin, end: &str) {
        if let Some(above) = at.checked_sub(1).and_then(|above| self.lines.get_mut(above))
            && !above.raw.ends_with('\n')
        {
            above.raw.push_str(end);
        }
        self.lines.insert(at, Line { raw: pin.write(end), kind: Kind::Pin(pin) });
    }

    /// Direct ones stand first, in the order they came; the others behind them, by name.
    fn place_of(&self, name: &Name, direct: bool) -> usize {
        let pin = |line: &Line| match &line.kind {
            Kind::Pin(pin) => Some((pin.is_direct(), pin.requirement.key())),
            _ => None,
        };
        let after = |wanted: &dyn Fn(bool, &Name) -> bool| {
            self.lines.iter().rposition(|line| pin(line).is_some_and(|(direct, key)| wanted(direct, &key)))
        };
        let first_via = self.lines.iter().position(|line| pin(line).is_some_and(|(direct, _)| !direct));
        if direct {
            after(&|direct, _| direct).map(|at| at + 1).or(first_via).unwrap_or(self.lines.len())
        } else {
            after(&|direct, key| !direct && key < name).map(|at| at + 1).or(first_via).unwrap_or(self.lines.len())
        }
    }

    /// Says what a virtualenv holds: versions as they are there, new lines for what is new, none for what is gone.
    pub fn hold(&mut self, held: &BTreeMap<Name, Dist>) {
        let mut closure = Vec::new();
        for (name, dist) in held.iter().filter(|(name, _)| !is_seed(name) || self.get(name).is_some()) {
            let needed_by = held.iter().filter(|(other, one)| *other != name && one.needs.contains(name));
            let via = needed_by.map(|(_, one)| one.spelled.clone()).collect();
            let line = dist.origin().unwrap_or_else(|| format!("{}=={}", dist.spelled, dist.version));
            closure.push(Resolved { name: dist.spelled.clone(), line, via, hashes: Vec::new() });
        }
        let gone = |pin: &Pin| pin.marker().is_empty() && !held.contains_key(&pin.requirement.key());
        let gone = self.iter().filter(|pin| gone(pin)).map(|pin| pin.requirement.key()).collect();
        self.drop_lines(&gone);
        self.take(&closure, &[]);
        self.spell(&held.iter().map(|(name, dist)| (name.clone(), dist.spelled.clone())).collect());
    }

    /// Takes direct requirements out, with all that only they needed.
    pub fn remove(&mut self, names: &BTreeSet<Name>) {
        let mut needed: BTreeSet<Name> = self
            .iter()
            .filter(|pin| pin.is_direct())
            .map(|pin| pin.requirement.key())
            .filter(|key| !names.contains(key))
            .collect();
        loop {
            let more: Vec<Name> = self
                .iter()
                .filter(|pin| !needed.contains(&pin.requirement.key()))
                .filter(|pin| pin.via.iter().any(|who| needed.contains(&bare(who))))
                .map(|pin| pin.requirement.key())
                .collect();
            if more.is_empty() {
                break;
            }
            needed.extend(more);
        }
        let end = self.line_end();
        self.lines.retain_mut(|line| {
            let Kind::Pin(pin) = &mut line.kind else { return true };
            if !needed.contains(&pin.requirement.key()) {
                return false;
            }
            let before = pin.via.len();
            pin.via.retain(|who| needed.contains(&bare(who)));
            if pin.via.len() != before {
                line.raw = pin.write(end);
            }
            true
        });
    }

    fn drop_lines(&mut self, names: &BTreeSet<Name>) {
        self.lines.retain(|line| !names.iter().any(|name| line.is(name)));
    }

    /// Writes names as their projects spell them; a direct requirement stays as it was typed, and a name behind `via` is
    /// written as its own line has it.
    pub fn spell(&mut self, spelled: &BTreeMap<Name, String>) {
        let end = self.line_end();
        for line in &mut self.lines {
            let Kind::Pin(pin) = &mut line.kind else { continue };
            let Some(name) = spelled.get(&pin.requirement.key()) else { continue };
            if pin.is_from_index()
                && !pin.is_direct()
                && *name != pin.requirement.name
                && pin.text.starts_with(&pin.requirement.name)
            {
                pin.text = format!("{name}{}", &pin.text[pin.requirement.name.len()..]);
                name.clone_into(&mut pin.requirement.name);
                line.raw = pin.write(end);
            }
        }
        let mut names = spelled.clone();
        names.extend(self.names());
        for line in &mut self.lines {
            let Kind::Pin(pin) = &mut line.kind else { continue };
            let via: Vec<String> = pin.via.iter().map(|who| names.get(&bare(who)).unwrap_or(who).clone()).collect();
            if via != pin.via && !line.raw.trim_end().contains('\n') {
                pin.via = via;
                line.raw = pin.write(end);
            }
        }
    }

    fn line_end(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.raw.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }
}

impl Line {
    fn is(&self, name: &Name) -> bool {
        matches!(&self.kind, Kind::Pin(pin) if pin.requirement.key() == *name)
    }
}

/// `flask[async]==3.1.3`: the version that was found, with the extras and the marker that were asked for.
fn with_extras(line: &str, typed: &Requirement) -> String {
    let Some((_, version)) = line.split_once("==") else { return line.to_owned() };
    let Source::Index { extras, marker, .. } = &typed.source else { return line.to_owned() };
    let version = version.split(';').next().unwrap_or(version).trim();
    let marker = if marker.is_empty() { String::new() } else { format!(" ; {marker}") };
    format!("{}{extras}=={version}{marker}", typed.name)
}

fn bare(who: &str) -> Name {
    Name::new(who.split('[').next().unwrap_or(who))
}

fn names_of(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(str::trim).filter(|who| !who.is_empty() && !who.starts_with("-r")).map(str::to_owned)
}

/// The first logical line of `text`, its end included.
fn logical(text: &str) -> &str {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        let bare = line.trim_end_matches(['\n', '\r']);
        if !bare.ends_with('\\') || bare.trim_start().starts_with('#') {
            break;
        }
    }
    &text[..length]
}

fn read(raw: &str, file: &Path, text: &str, offset: usize) -> Kind {
    let joined: String = raw
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.strip_suffix('\\').map_or(line, |line| line.trim_end()))
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ");
    // A `#` begins a comment at the start or behind a blank; elsewhere it is a URL's fragment.
    let at = if joined.starts_with('#') { Some(0) } else { joined.find(" #").or_else(|| joined.find("\t#")) };
    let (code, comment) = at.map_or((joined.as_str(), None), |at| {
        (&joined[..at], Some(joined[at..].trim_start().trim_start_matches('#').trim().to_owned()))
    });
    let code = code.trim();
    if code.is_empty() {
        return Kind::Blank;
    }
    let editable = code.starts_with("-e ") || code.starts_with("-e=") || code.starts_with("--editable");
    if code.starts_with('-') && !editable {
        return Kind::Option(code.to_owned());
    }
    let mut words = code.split(" --");
    let requirement = words.next().unwrap_or_default().trim().to_owned();
    let hashes =
        words.filter_map(|word| word.trim().strip_prefix("hash").map(|rest| rest.trim_start_matches(['=', ' '])));
    let hashes: Vec<String> = hashes.map(str::to_owned).collect();
    match Requirement::parse(&requirement) {
        Ok(parsed) => {
            let via = comment.as_deref().and_then(|comment| comment.strip_prefix("via "));
            let via: Vec<String> = via.map(|names| names_of(names).collect()).unwrap_or_default();
            let comment = comment.filter(|comment| !comment.starts_with("via ") && !comment.is_empty());
            Kind::Pin(Pin { requirement: parsed, text: requirement, hashes, via, comment })
        }
        Err(problem) => Kind::Wrong(problem.at(place(file, text, offset, &requirement))),
    }
}

/// Where `wanted` stands at or after `offset`.
fn place(file: &Path, text: &str, offset: usize, wanted: &str) -> Place {
    let at = text[offset..].find(wanted).map_or(offset, |found| offset + found);
    Place::in_text(file, text, at, wanted.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closure(lines: &[&str]) -> Vec<Resolved> {
        Pins::parse(&lines.join("\n")).iter().map(Resolved::from_pin).collect()
    }

    fn asked(text: &str) -> (Requirement, String) {
        (Requirement::parse(text).unwrap(), text.to_owned())
    }

    const HAND_WRITTEN: &str = "\u{feff}# what the shop needs\r\n--index-url http://index.test/simple\r\n\r\n\
        Flask==3.0.0   # not 3.1: ticket 12\r\n-e git+https://h.test/lib@abc#egg=Lib\r\n\
        six==1.16.0 \\\r\n    --hash=sha256:aa \\\r\n    --hash=sha256:bb\r\n\r\n# theirs\r\n\
        click==8.1.0\r\n    # via\r\n    #   flask\r\n    #   lib\r\nwerkzeug==3.0.0  # via flask\r\nhalf =\r\n-r more.txt";

    #[test]
    fn nothing_is_lost() {
        for text in [HAND_WRITTEN, "", "\n\n", "a", "a\n\n#x", "a==1 \\", "\r\n", "x @ https://h/#egg=x # y\n"] {
            assert_eq!(Pins::parse(text).text(), text);
        }
    }

    #[test]
    fn what_the_lines_mean() {
        let pins = Pins::parse(HAND_WRITTEN);
        let rows: Vec<String> =
            pins.iter().map(|pin| format!("{} {:?} {:?} {:?}", pin.text, pin.hashes, pin.via, pin.comment)).collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        Flask==3.0.0 [] [] Some("not 3.1: ticket 12")
        -e git+https://h.test/lib@abc#egg=Lib [] [] None
        six==1.16.0 ["sha256:aa", "sha256:bb"] [] None
        click==8.1.0 [] ["flask", "lib"] None
        werkzeug==3.0.0 [] ["flask"] None
        "#);
        insta::assert_snapshot!(pins.wish(&[asked("Six")]), @"
        --index-url http://index.test/simple
        Flask==3.0.0
        -e git+https://h.test/lib@abc#egg=Lib
        -r more.txt
        Six
        ");
        insta::assert_snapshot!(pins.preferred(), @"
        Flask==3.0.0
        six==1.16.0
        click==8.1.0
        werkzeug==3.0.0
        ");
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut pins = Pins::parse(HAND_WRITTEN);
        let found = closure(&[
            "flask[async]==3.0.0",
            "asgiref==3.9  # via flask",
            "click==8.1.0  # via flask, lib",
            "lib @ git+https://h.test/lib@abc",
            "six==1.17.0",
            "werkzeug==3.0.1  # via flask, extra",
        ]);
        pins.take(&found, &[asked("flask[async]>=3")]);
        insta::assert_snapshot!(pins.text().replace("\r\n", "~\n"), @"
        ﻿# what the shop needs~
        --index-url http://index.test/simple~
        ~
        flask[async]==3.0.0  # not 3.1: ticket 12~
        -e git+https://h.test/lib@abc#egg=Lib~
        six==1.17.0~
        ~
        # theirs~
        asgiref==3.9  # via flask~
        click==8.1.0~
            # via~
            #   flask~
            #   lib~
        werkzeug==3.0.1  # via flask, extra~
        half =~
        -r more.txt
        ");
    }

    #[test]
    fn a_new_file_has_direct_ones_first() {
        let mut pins = Pins::parse("");
        let found = closure(&["click==8  # via flask", "flask==3", "jinja2==3.1  # via flask", "web-py==0.76"]);
        pins.take(&found, &[asked("web-py"), asked("flask")]);
        pins.spell(&["Jinja2", "web.py", "Flask"].into_iter().map(|name| (Name::new(name), name.to_owned())).collect());
        insta::assert_snapshot!(pins.text(), @"
        flask==3
        web-py==0.76
        click==8  # via flask
        Jinja2==3.1  # via flask
        ");
        let again = pins.clone();
        pins.take(&found, &[asked("flask")]);
        assert_eq!(pins, again);
    }

    #[test]
    fn what_only_the_removed_one_needed_goes_with_it() {
        let mut pins = Pins::parse(
            "# mine\nflask==3\nbottle==1\nclick==8  # via flask\nloop-a==1  # via loop-b\nloop-b==1  # via loop-a, flask\n\
             shared==2  # via bottle, flask\n",
        );
        pins.remove(&BTreeSet::from([Name::new("Flask")]));
        insta::assert_snapshot!(pins.text(), @"
        # mine
        bottle==1
        shared==2  # via bottle
        ");
    }

    #[test]
    fn what_is_wrong_is_told_at_once() {
        let pins =
            Pins::parse("flask=1\nsix\nSix==1\na==1 ; python_version < '3'\na==2 ; python_version > '3'\nhalf ==\n");
        let problem = Problem::all(pins.problems()).unwrap();
        let paint = crate::term::Paint { color: false };
        insta::assert_snapshot!(crate::term::draw(&problem, paint), @"
        error: `flask=1` is no requirement
         --> pip-req.txt:1:1
          |
        1 | flask=1
          | ^^^^^^^
          because: one version is named with `==`

        hint: write it as pip does: `flask`, `flask==3.1.3`, `flask[async]>=3,<4`

        error: `half ==` is no requirement
         --> pip-req.txt:6:1
          |
        6 | half ==
          | ^^^^^^^
          because: `==` names no version

        hint: write it as pip does: `flask`, `flask==3.1.3`, `flask[async]>=3,<4`

        error: `Six` is there twice
         --> pip-req.txt:3:1
          |
        3 | Six==1
          | ^^^^^^
          because: `six` stands above it

        hint: take one of the two out

        error: 3 problems
        ");
    }

    #[test]
    fn a_name_that_comes_twice_is_its_authors() {
        let text = "a==1 ; python_version < '3'\na==2 ; python_version > '3'\n";
        let mut pins = Pins::parse(text);
        pins.take(&closure(&["a==3"]), &[]);
        assert_eq!(pins.text(), text);
    }
}
