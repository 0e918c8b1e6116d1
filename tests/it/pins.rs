//! pip-req.txt's reader against many files' shapes, against Python's own `packaging`, and against whatever comes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use dae::python::{Interpreter, Pin, Pins, Requirement};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every file of the corpus, by name.
fn corpus() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requirements");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&file).unwrap()))
        .collect()
}

#[test]
fn every_shape_prints_back_byte_for_byte() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    for (name, text) in &corpus {
        assert_eq!(Pins::parse(text).text(), *text, "{name}");
        let wrong: Vec<String> = Pins::parse(text)
            .problems()
            .iter()
            .filter(|problem| problem.code == "python.requirement")
            .map(ToString::to_string)
            .collect();
        assert_eq!(wrong.is_empty(), name != "wrong", "{name}: {wrong:#?}");
    }
    assert_eq!(Pins::parse(&corpus["wrong"]).iter().count(), 0);
}

/// What `packaging` reads in a requirement, or null where it is none; the same for what dae read, compared there.
const ASK: &str = "
import json, sys
from packaging.requirements import Requirement, InvalidRequirement
from packaging.specifiers import SpecifierSet
from packaging.markers import Marker
answers = []
for asked in json.load(sys.stdin):
    try:
        theirs = Requirement(asked['text'])
    except InvalidRequirement as error:
        answers.append({'accepted': False, 'why': str(error)})
        continue
    ours = asked['ours']
    differs = []
    if ours is not None:
        if ours['name'] != theirs.name: differs.append(['name', theirs.name])
        if set(ours['extras']) != theirs.extras: differs.append(['extras', sorted(theirs.extras)])
        if SpecifierSet(ours['version']) != theirs.specifier: differs.append(['version', str(theirs.specifier)])
        if (ours['url'] or None) != theirs.url: differs.append(['url', theirs.url])
        if (str(Marker(ours['marker'])) if ours['marker'] else None) != (str(theirs.marker) if theirs.marker else None):
            differs.append(['marker', str(theirs.marker)])
    answers.append({'accepted': True, 'differs': differs})
json.dump(answers, sys.stdout)
";

fn packaging(asked: &Value) -> Vec<Value> {
    // The runtime set holds a new one.
    let interpreter = Interpreter::probe(crate::harness::python()).unwrap();
    let runtime =
        dae::python::runtime::ensure(&interpreter, &crate::harness::shared_cache().join("dae"), &|_| ()).unwrap();
    let mut python = Command::new(crate::harness::python());
    let mut python = python
        .args(["-c", ASK])
        .env("PYTHONPATH", runtime)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let said = python.wait_with_output().unwrap();
    assert!(said.status.success());
    serde_json::from_slice(&said.stdout).unwrap()
}

fn told(requirement: &Requirement) -> Value {
    let extras: Vec<&str> =
        requirement.extras.trim_matches(['[', ']']).split(',').filter(|extra| !extra.is_empty()).collect();
    let line = requirement.line();
    let bare = line.split(" ; ").next().unwrap();
    let url = bare.split_once(" @ ").map_or("", |(_, url)| url);
    let version = if url.is_empty() { &bare[requirement.name.len() + requirement.extras.len()..] } else { "" };
    json!({"name": requirement.name, "extras": extras, "version": version, "url": url, "marker": requirement.marker})
}

/// A path, a URL alone and `-e` are pip's own and none of packaging's business.
fn is_packagings(text: &str) -> bool {
    let bare = text.split(';').next().unwrap();
    let path = bare.starts_with(['.', '/', '~', '-']) || bare.contains(".tar") || bare.contains("+lp:");
    // To git an address, to packaging a package named `git`; pip takes it for neither.
    let scp = bare.starts_with("git@");
    let addressed = bare.contains('@') && bare.split("://").next().is_none_or(|lead| lead.contains('@'));
    !path && !scp && (addressed || !bare.contains('/'))
}

#[test]
fn requirements_mean_what_packaging_says() {
    let mut texts: Vec<String> = Vec::new();
    for text in corpus().values() {
        let pins = Pins::parse(text);
        texts.extend(pins.iter().map(|pin| pin.text.clone()));
        let place = |problem: &dae::problem::Problem| problem.place.clone().unwrap().text;
        texts.extend(pins.problems().iter().filter(|problem| problem.code == "python.requirement").map(place));
    }
    texts.retain(|text| is_packagings(text));
    assert!(texts.len() > 500, "{}", texts.len());
    let ours: Vec<Option<Requirement>> = texts.iter().map(|text| Requirement::parse(text).ok()).collect();
    let asked: Vec<Value> =
        texts.iter().zip(&ours).map(|(text, ours)| json!({"text": text, "ours": ours.as_ref().map(told)})).collect();
    let answers = packaging(&json!(asked));
    let differing: Vec<String> = texts
        .iter()
        .zip(&ours)
        .zip(&answers)
        .filter(|((_, ours), theirs)| {
            theirs["accepted"] != ours.is_some() || theirs["differs"].as_array().is_some_and(|list| !list.is_empty())
        })
        .map(|((text, ours), theirs)| format!("{text}\n  ours: {ours:?}\n  theirs: {theirs}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Files made of the corpus's lines and of anything, with any line ends.
fn any_file() -> impl Strategy<Value = String> {
    let lines: Vec<String> = corpus()
        .into_values()
        .filter(|text| text.len() < 4000)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let line = prop_oneof![3 => proptest::sample::select(lines), 1 => any_text(), 1 => Just(String::new())];
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\\\n"), 1 => Just("")];
    proptest::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

/// Any text, made of what could mislead a reader more often than not.
fn any_text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        proptest::sample::select("\\\r\n\t #@;[]=<>~!+-:/.,'\"(){}$é豆\u{feff}\u{85}a1".chars().collect::<Vec<_>>()),
        any::<char>()
    ];
    proptest::collection::vec(c, 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_is_lost_whatever_stands_there(text in prop_oneof![any_file(), any_text()]) {
        let pins = Pins::parse(&text);
        prop_assert_eq!(pins.text(), text);
        let _ = (pins.problems(), pins.moving(), pins.wish(&[]), pins.preferred(), pins.named());
    }

    #[test]
    fn a_requirement_that_is_written_reads_the_same(text in any_text(), line in any_file()) {
        for text in [text.as_str()].into_iter().chain(line.lines()) {
            if let Ok(read) = Requirement::parse(text)
                && read.repository().is_some()
                && Requirement::parse(&read.name).is_ok()
            {
                let written = read.line();
                prop_assert_eq!(Requirement::parse(&written).map(|again| (again.source, again.marker)), Ok((read.source, read.marker)), "{}", written);
            }
        }
    }

    #[test]
    fn taking_one_out_leaves_every_other_line(text in any_file(), which in any::<proptest::sample::Index>()) {
        let mut pins = Pins::parse(&text);
        let direct: Vec<Pin> = pins.iter().filter(|pin| pin.is_direct()).cloned().collect();
        prop_assume!(!direct.is_empty() && pins.iter().all(Pin::is_direct));
        let gone = which.get(&direct).requirement.key();
        let kept: Vec<String> = pins.iter().filter(|pin| pin.requirement.key() != gone).map(|pin| pin.text.clone()).collect();
        pins.remove(&[gone.clone()].into());
        let after = pins.text();
        prop_assert!(is_subsequence(&after, &text));
        prop_assert_eq!(pins.iter().map(|pin| pin.text.clone()).collect::<Vec<_>>(), kept);
        prop_assert!(pins.get(&gone).is_none());
    }
}

fn is_subsequence(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.chars().all(|c| rest.any(|other| other == c))
}
