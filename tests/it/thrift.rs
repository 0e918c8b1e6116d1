//! The files of `tests/thrift`: good ones are read, and of bad ones every fault is told with its place.

use std::path::{Path, PathBuf};

use dae::problem::Problem;
use dae::thrift::{Interfaces, service_package};

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
