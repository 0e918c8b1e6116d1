//! The files of `tests/thrift`: good ones are read, and of bad ones every fault is told with its place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dae::problem::Problem;
use dae::thrift::{Interfaces, service_package};
use proptest::prelude::*;

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/thrift").join(below)
}

fn files(below: &str) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder(below)).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name()));
    let mut names: Vec<_> = names.filter(|name| name.extension().is_some_and(|end| end == "thrift")).collect();
    names.sort();
    names
}

/// One line a fault: where, what, and the hint.
fn told(problem: &Problem) -> String {
    let one = |problem: &Problem| {
        let place = problem.place.as_ref().map(|at| {
            let meant: String = at.text.chars().skip(at.column - 1).take(at.length.min(30)).collect();
            format!("{}:{}:{} [{meant}] ", at.file.display(), at.line, at.column)
        });
        let mut said = place.unwrap_or_default() + &problem.message;
        for cause in &problem.causes {
            said.extend([": ", cause]);
        }
        for hint in &problem.hints {
            let (dae::problem::Hint::Run(text) | dae::problem::Hint::Say(text)) = hint;
            said.extend([" (", text, ")"]);
        }
        said
    };
    std::iter::once(problem).chain(&problem.others).map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_files_are_read() {
    for file in files("good") {
        if let Err(problem) = Interfaces::read(&folder("good"), std::slice::from_ref(&file)) {
            panic!("{}", told(&problem));
        }
    }
}

#[test]
fn no_nest_is_too_deep_to_be_refused() {
    let (open, close) = ("list<".repeat(100_000), ">".repeat(100_000));
    let (brackets, ends) = ("[".repeat(100_000), "]".repeat(100_000));
    for text in [format!("struct A {{ 1: {open}i32{close} a }}"), format!("const list<i32> A = {brackets}{ends}")] {
        let problem = dae::thrift::parse(Path::new("deep.thrift"), &text).unwrap_err();
        assert_eq!(problem.message, "types and values nest deeper than 64 here");
    }
}

#[test]
fn every_fault_of_bad_files_has_its_place() {
    let bad = files("bad").into_iter().map(|file| {
        let read = Interfaces::read(&folder("bad"), std::slice::from_ref(&file));
        let problem = read.and_then(|all| service_package(&all)).expect_err(&format!("{}", file.display()));
        format!("{}\n", told(&problem))
    });
    insta::assert_snapshot!(bad.collect::<Vec<_>>().join("\n"));
}

/// Words that a document may hold in any order, and what it may not.
const WORDS: &str = "include namespace struct union exception enum service const typedef oneway throws extends void required optional \
    list set map bool i8 byte i16 i32 i64 double string binary uuid slist async cpp_type py * A B a.B a_b 0 1 -1 +7 0x1F 1e9 -.5 1. \
    99999999999999999999 \"a\" 'b' \"a\\n' \" ' { } ( ) [ ] < > , ; : = & . é \u{feff} \0 /* */ /** // # \\";

fn anything() -> impl Strategy<Value = String> {
    let words: Vec<_> = WORDS.split(' ').filter(|word| !word.is_empty()).collect();
    let blank = prop_oneof![4 => Just(" "), 2 => Just("\n"), 1 => Just("\r\n"), 1 => Just(""), 1 => Just("\t")];
    let word = (proptest::sample::select(words), blank).prop_map(|(word, blank)| format!("{word}{blank}"));
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// Every problem names a place, and it is one of the file.
fn has_places(problem: &Problem, text: &str) {
    for problem in std::iter::once(problem).chain(&problem.others) {
        let place = problem.place.as_ref().unwrap_or_else(|| panic!("no place: {problem:?}\n{text}"));
        let line = text.split('\n').nth(place.line - 1).expect("a line of the file").trim_end_matches('\r');
        assert_eq!(place.text.trim_start_matches('\u{feff}'), line.trim_start_matches('\u{feff}'));
        let end = place.column + place.length;
        assert!(place.column >= 1 && end <= line.chars().count() + 2, "{place:?}");
    }
}

/// From, to, and where a copy of it goes; without that it is taken out.
type Edit = (proptest::sample::Index, u8, Option<proptest::sample::Index>);

fn edited(text: String, (from, length, to): Edit) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return text;
    }
    let from = from.index(letters.len());
    let end = (from + usize::from(length)).min(letters.len());
    match to.map(|to| to.index(letters.len())) {
        None => drop(letters.drain(from..end)),
        Some(to) => {
            let copy = letters[from..end].to_vec();
            letters.splice(to..to, copy);
        }
    }
    letters.into_iter().collect()
}

/// Where something may stand between fields, functions or values, or nothing.
const SEPARATOR: &str = "\0";

fn type_words() -> impl Strategy<Value = String> {
    let base = ["bool", "byte", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid", "E0", "S0"];
    proptest::sample::select(base.to_vec()).prop_map(str::to_owned).prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("list < {of} >")),
            inner.clone().prop_map(|of| format!("set < {of} >")),
            (inner.clone(), inner).prop_map(|(key, of)| format!("map < {key} , {of} >")),
        ]
    })
}

fn fields(most: usize) -> impl Strategy<Value = String> {
    let need = proptest::sample::select(&["", "required", "optional"][..]);
    let field = (need, type_words(), 1..9);
    proptest::collection::vec(field, 0..most).prop_map(|fields| {
        let mut id = 0;
        let mut field = |(need, of, step): (&str, String, i32)| {
            id += step;
            format!("{id} : {need} {of} f{id} {SEPARATOR}")
        };
        fields.into_iter().map(&mut field).collect::<Vec<_>>().join(" ")
    })
}

/// The words of a document with all kinds of definitions, blanks between them.
fn documents() -> impl Strategy<Value = String> {
    let function = (any::<bool>(), type_words(), fields(4), any::<bool>());
    let functions = proptest::collection::vec(function, 0..6);
    let structs = proptest::collection::vec((any::<bool>(), fields(8)), 1..5);
    (structs, proptest::collection::vec(1..99, 1..5), functions).prop_map(|(structs, steps, functions)| {
        let mut number = 0;
        let values = steps.into_iter().enumerate().map(|(at, step)| {
            number += step;
            format!("V{at} = {number} {SEPARATOR}")
        });
        let mut words = format!("enum E0 {{ {} }} ", values.collect::<Vec<_>>().join(" "));
        for (at, (is_exception, fields)) in structs.into_iter().enumerate() {
            let kind = if is_exception && at > 0 { "exception" } else { "struct" };
            let _ = write!(words, "{kind} S{at} {{ {fields} }} ");
        }
        words +=
            "exception X { 1 : string why } typedef map < i32 , S0 > T const list < E0 > C = [ E0.V0 ] service All { ";
        for (at, (oneway, returns, args, throws)) in functions.into_iter().enumerate() {
            let throws = if throws && !oneway { "throws ( 1 : X x )" } else { "" };
            let returns = if oneway { "oneway void".to_owned() } else { returns };
            let _ = write!(words, "{returns} m{at} ( {} ) {throws} {SEPARATOR} ", args.replace("required ", ""));
        }
        words + "}"
    })
}

fn written(words: &str, mut choose: impl FnMut() -> u8) -> String {
    let mut text = String::new();
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word {
            SEPARATOR => text.push_str([",", ";", ""][usize::from(choose() % 3)]),
            word => text.push_str(word),
        }
        text.push_str([" ", "\n", "\r\n\t", "   "][usize::from(choose() % 4)]);
    }
    text
}

fn package(text: String) -> Vec<dae::thrift::Written> {
    let all = Interfaces::of_texts(&[(PathBuf::from("all.thrift"), text.clone())].into())
        .unwrap_or_else(|problem| panic!("{}\n{text}", told(&problem)));
    service_package(&all).unwrap_or_else(|problem| panic!("{}\n{text}", told(&problem)))
}

proptest! {
    // `PROPTEST_CASES=100000` looks longer.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_fault_of_anything_is_at_a_place_of_it(text in anything()) {
        if let Err(problem) = dae::thrift::parse(Path::new("any.thrift"), &text) {
            has_places(&problem, &text);
        }
    }

    #[test]
    fn what_is_made_of_a_good_file_is_read_or_refused_at_a_place(edits in proptest::collection::vec(any::<Edit>(), 1..6)) {
        let read = |file| std::fs::read_to_string(folder("good").join(file)).unwrap();
        let text = edits.into_iter().fold(read("every.thrift"), edited);
        let texts = [(PathBuf::from("every.thrift"), text.clone()), (PathBuf::from("shared.thrift"), read("shared.thrift"))];
        match Interfaces::of_texts(&texts.into()) {
            // Which file includes which is told by whoever reads them from a folder.
            Err(problem) if problem.code == "thrift.include" => {}
            Err(problem) => has_places(&problem, &text),
            Ok(all) => {
                if let Err(problem) = service_package(&all) {
                    has_places(&problem, &text);
                }
                prop_assert!(dae::thrift::compare(&all, &all, &[]).is_empty());
            }
        }
    }

    #[test]
    fn the_same_interface_is_the_same_python_however_it_is_set(words in documents(), choices in any::<[u8; 16]>()) {
        let mut turn = 0;
        let choose = || {
            turn += 1;
            choices[turn % choices.len()].wrapping_add(u8::try_from(turn % 251).unwrap_or_default())
        };
        prop_assert_eq!(package(written(&words, || 0)), package(written(&words, choose)));
    }
}
