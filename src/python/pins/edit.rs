//! Changes to pip-req.txt: a closure taken over, a requirement taken out. Only the lines that have to change are written.

use std::collections::{BTreeMap, BTreeSet};

use super::line::{Kind, Line, Pin, following};
use super::{Asked, Pins};
use crate::python::dist::{Dist, is_seed};
use crate::python::installer::Resolved;
use crate::python::requirement::{Name, Requirement, Source};

impl Pins {
    /// Takes over a whole closure: `asked` become direct requirements, what nobody needs any more goes, direct requirements
    /// get their version. Lines that are no plain requirement of an index, and names that come twice, are their author's.
    pub fn take(&mut self, closure: &[Resolved], asked: &[Asked], elsewhere: &BTreeSet<Name>) {
        let asked: BTreeMap<Name, &Asked> = asked.iter().map(|one| (one.requirement.key(), one)).collect();
        let found: BTreeSet<Name> = closure.iter().map(|one| Name::new(&one.name)).collect();
        self.lines.retain(|line| match &line.kind {
            Kind::Pin(pin) => {
                pin.is_direct() || !pin.requirement.marker.is_empty() || found.contains(&pin.requirement.key())
            }
            _ => true,
        });
        for one in closure {
            let key = Name::new(&one.name);
            let here = self.get(&key).cloned();
            let wanted = asked.get(&key).copied();
            if wanted.is_none() && here.is_none() && elsewhere.contains(&key) {
                continue;
            }
            let direct = wanted.is_some() || here.as_ref().is_some_and(Pin::is_direct) || one.via.is_empty();
            let via = if direct { Vec::new() } else { one.via.clone() };
            let text = match (wanted, &here) {
                // As typed: the installer was told something else, or has no better way to write it.
                (Some(asked), _) if !asked.requirement.is_from_index() => asked.text.clone(),
                (Some(asked), _) => with_extras(&one.line, &asked.requirement),
                (None, Some(pin)) if !pin.requirement.is_from_index() => pin.text.clone(),
                (None, Some(pin)) if direct => with_extras(&one.line, &pin.requirement),
                _ => one.line.clone(),
            };
            let follows = match wanted {
                Some(asked) => asked.follows.as_deref(),
                None => here.as_ref().and_then(Pin::follows),
            };
            self.set(&key, text, one.hashes.clone(), via, follows);
        }
    }

    /// Writes one pin: over the line that has it, or where a new one of its kind belongs.
    fn set(&mut self, name: &Name, text: String, hashes: Vec<String>, via: Vec<String>, follows: Option<&str>) {
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
        let (options, comment) =
            old.as_ref().map(|(_, pin)| (pin.options.clone(), pin.comment.clone())).unwrap_or_default();
        let comment = following(comment.as_deref(), follows);
        let new = Pin { requirement, text, hashes, options, via, comment };
        let Some((at, old)) = old else {
            let at = self.place_of(name, new.is_direct());
            return self.insert(at, new, end);
        };
        let same = |old: &Requirement, new: &Requirement| {
            (&old.source, &old.extras, &old.marker) == (&new.source, &new.extras, &new.marker)
        };
        let same_via = old.via.iter().map(|who| Name::new(who)).eq(new.via.iter().map(|who| Name::new(who)));
        if same(&old.requirement, &new.requirement)
            && same_via
            && old.follows() == new.follows()
            && (new.hashes.is_empty() || !old.hashes.is_empty())
        {
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
    pub fn hold(&mut self, held: &BTreeMap<Name, Dist>, elsewhere: &BTreeSet<Name>) {
        let mut closure = Vec::new();
        for (name, dist) in held.iter().filter(|(name, _)| !is_seed(name) || self.get(name).is_some()) {
            let needed_by = held.iter().filter(|(other, one)| *other != name && one.needs.contains(name));
            let via = needed_by.map(|(_, one)| one.spelled.clone()).collect();
            let line = dist.origin().unwrap_or_else(|| format!("{}=={}", dist.spelled, dist.version));
            closure.push(Resolved { name: dist.spelled.clone(), line, via, hashes: Vec::new() });
        }
        let gone = |pin: &Pin| pin.requirement.marker.is_empty() && !held.contains_key(&pin.requirement.key());
        let gone = self.iter().filter(|pin| gone(pin)).map(|pin| pin.requirement.key()).collect();
        self.drop_lines(&gone);
        self.take(&closure, &[], elsewhere);
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

    /// Drops every requirement but these.
    pub fn keep(&mut self, names: &BTreeSet<Name>) {
        self.lines.retain(|line| match &line.kind {
            Kind::Pin(pin) => names.contains(&pin.requirement.key()),
            _ => true,
        });
    }

    /// Pins a repository to another revision.
    pub fn move_to(&mut self, name: &Name, rev: &str) {
        let Some(pin) = self.get(name).cloned() else { return };
        let mut requirement = pin.requirement.clone();
        let Source::Vcs(repository) = &mut requirement.source else { return };
        repository.rev = Some(rev.to_owned());
        self.set(name, requirement.line(), pin.hashes.clone(), pin.via.clone(), pin.follows());
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
            if pin.requirement.is_from_index()
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

/// `flask[async]==3.1.3`: the version that was found, with the extras and the marker that were asked for.
fn with_extras(line: &str, typed: &Requirement) -> String {
    let found = Requirement::parse(line).ok().filter(|found| found.pinned().is_some());
    let Some(Source::Index { version }) = found.map(|found| found.source) else { return line.to_owned() };
    let Requirement { name, extras, marker, .. } = typed;
    let marker = if marker.is_empty() { String::new() } else { format!(" ; {marker}") };
    format!("{name}{extras}{version}{marker}")
}

fn bare(who: &str) -> Name {
    Name::new(who.split('[').next().unwrap_or(who))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn closure(lines: &[&str]) -> Vec<Resolved> {
        Pins::parse(&lines.join("\n")).iter().map(Resolved::from_pin).collect()
    }

    fn asked(text: &str) -> Asked {
        Asked::parse(text).unwrap()
    }

    fn nowhere() -> BTreeSet<Name> {
        BTreeSet::new()
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
        pins.take(&found, &[asked("flask[async]>=3")], &nowhere());
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
        pins.take(&found, &[asked("web-py"), asked("flask")], &nowhere());
        pins.spell(&["Jinja2", "web.py", "Flask"].into_iter().map(|name| (Name::new(name), name.to_owned())).collect());
        insta::assert_snapshot!(pins.text(), @"
        flask==3
        web-py==0.76
        click==8  # via flask
        Jinja2==3.1  # via flask
        ");
        let again = pins.clone();
        pins.take(&found, &[asked("flask")], &nowhere());
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
        pins.take(&closure(&["a==3"]), &[], &nowhere());
        assert_eq!(pins.text(), text);
    }

    /// The corpus's lines in any order, with any line ends.
    fn any_file() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requirements");
        let files = folder.read_dir().unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let lines: Vec<String> = files
            .filter(|text| text.len() < 4000)
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\\\n")];
        proptest::collection::vec((proptest::sample::select(lines), end), 1..12)
            .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn another_version_touches_its_own_line_only(text in any_file()) {
            let mut pins = Pins::parse(&text);
            let before = pins.clone();
            let moves = |pin: &&Pin| pin.is_direct() && pin.requirement.is_from_index();
            let Some(key) = pins.iter().find(moves).map(|pin| pin.requirement.key()) else { return Ok(()) };
            let (mut closure, mine) = (Vec::new(), |pin: &Pin| pin.requirement.key() == key);
            closure.extend(before.iter().filter(|pin| !mine(pin)).map(Resolved::from_pin));
            closure.push(Resolved { name: key.to_string(), line: format!("{key}==987.6"), via: vec![], hashes: vec![] });
            pins.take(&closure, &[], &nowhere());
            let others = |pins: &Pins| {
                pins.lines.iter().filter(|line| !line.is(&key)).map(|line| line.raw.clone()).collect::<Vec<_>>()
            };
            proptest::prop_assert_eq!(others(&Pins::parse(&pins.text())), others(&before));
            let twice = before.iter().filter(|pin| mine(pin)).count() > 1;
            proptest::prop_assert!(twice || pins.get(&key).unwrap().requirement.pinned() == Some("987.6"));
        }
    }
}
