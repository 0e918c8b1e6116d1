//! Which module may import which: the house's load-bearing walls. A violation names file, line and both modules.

use std::path::Path;

/// A module and all it may import of ours. What is not listed may import nothing; `commands` and `cli` stand on top of all.
/// A module listed below another one, as `remote::server`, is not granted with it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("problem", &[]),
    ("term", &["problem"]),
    ("app", &["problem"]),
    ("python", &["problem", "term", "app", "supervisor::parent"]),
    ("thrift", &["problem", "term"]),
    ("supervisor", &["problem", "term", "supervisor::parent"]),
    ("supervisor::parent", &[]),
    ("services", &["problem", "term", "app", "supervisor"]),
    ("gateway", &["problem", "term"]),
    ("node", &["problem", "term", "app", "python", "thrift", "services", "supervisor", "gateway"]),
    ("packaging", &["problem", "term", "app", "python"]),
    ("remote", &["problem", "term", "app", "packaging"]),
    (
        "remote::server",
        &["problem", "term", "app", "python", "services", "supervisor", "gateway", "node", "packaging", "remote"],
    ),
    ("remote::kubernetes", &["problem", "term", "app", "packaging", "remote"]),
    ("dev_server", &["problem", "term", "app", "python", "thrift", "services", "supervisor", "gateway", "node"]),
];

/// Modules that begin no asynchronous work.
const WITHOUT_TOKIO: &[&str] = &["problem", "term", "app", "thrift", "packaging", "python"];

/// Modules that may name the one writer to stdout and stderr.
const MAY_NAME_TERMINAL: &[&str] = &["term", "commands", "cli", "main"];

/// The module a file below `src` belongs to: the longest path in the table, or the first word.
fn module(file: &str) -> String {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let listed = MAY_IMPORT.iter().map(|(name, _)| *name).filter(|name| within(&path, name));
    let longest = listed.max_by_key(|name| name.len());
    longest.unwrap_or_else(|| path.split("::").next().unwrap_or_default()).to_owned()
}

/// `a::b` is within `a::b` and within `a`.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The entry of the table that a path of ours falls under.
fn module_of(path: &str) -> String {
    module(&path.replace("::", "/"))
}

/// What is wrong in the text of one file below `src`.
fn violations(file: &str, text: &str) -> Vec<String> {
    let from = module(file);
    let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, allowed)| *allowed);
    let calls_commands = ["commands", "cli", "main", "lib"].contains(&from.as_str());
    let code = code(text);
    let mut wrong = Vec::new();
    for (number, to) in imports(&code) {
        let target = module_of(&to);
        if target == "commands" && !calls_commands {
            wrong.push((number, format!("`{from}` imports `{to}`; nobody imports commands")));
        } else if target != from && !calls_commands && !allowed.contains(&target.as_str()) {
            wrong.push((number, format!("`{from}` imports `{to}`")));
        }
    }
    for (at, line) in code.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let names = |word: &str| words.clone().any(|found| found == word);
        if WITHOUT_TOKIO.contains(&from.as_str()) && names("tokio") {
            wrong.push((at + 1, format!("`{from}` names `tokio`")));
        }
        if !MAY_NAME_TERMINAL.contains(&from.as_str()) && words.any(|found| found == "Terminal") {
            wrong.push((at + 1, format!("`{from}` names `Terminal`; only `term`, `commands` and `cli` do")));
        }
    }
    wrong.sort();
    wrong.into_iter().map(|(number, what)| format!("src/{file}:{number}: {what}")).collect()
}

/// The code of the product, line by line as it was: no comments, and nothing from the unit tests on, which may draw.
fn code(text: &str) -> String {
    let product = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..product].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path of ours with the line it begins on; braces after `crate::` are opened.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let number = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let head = rest.split(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).next().unwrap_or_default();
        let Some(group) = rest[head.len()..].strip_prefix('{') else {
            found.push((number, head.to_owned()));
            continue;
        };
        for part in parts(group) {
            let part = part.split(['{', ' ']).next().unwrap_or_default().trim_end_matches("self");
            found.push((number, format!("{head}{part}").trim_end_matches(':').to_owned()));
        }
    }
    found
}

/// What stands between the commas of a group whose opening brace has been passed; inner groups are left whole.
fn parts(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            found.push((name, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn nobody_imports_upwards() {
    let mut sources = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.len() > 40, "the sources were not found");
    sources.sort();
    let wrong: Vec<_> = sources.iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(wrong.is_empty(), "\n{}\n\nthe table is in {}", wrong.join("\n"), file!());
}

#[test]
fn a_violation_is_named() {
    let of = |file, text| violations(file, text).join("\n");
    insta::assert_snapshot!(of("problem.rs", "use crate::app::App;\n"), @"src/problem.rs:1: `problem` imports `app::App`");
    insta::assert_snapshot!(of("app/find.rs", "//! x\nuse crate::{problem::Result, node};\nuse tokio::fs;\n"), @"
    src/app/find.rs:2: `app` imports `node`
    src/app/find.rs:3: `app` names `tokio`
    ");
    insta::assert_snapshot!(of("gateway/proxy.rs", "use crate::{\n    problem::{Problem, Result},\n    app,\n};\nfn f() { crate::app::find(); }\n"), @"
    src/gateway/proxy.rs:1: `gateway` imports `app`
    src/gateway/proxy.rs:5: `gateway` imports `app::find`
    ");
    insta::assert_snapshot!(of("remote/client.rs", "use crate::remote::server::Store;\nuse crate::node::Node;\n"), @"
    src/remote/client.rs:1: `remote` imports `remote::server::Store`
    src/remote/client.rs:2: `remote` imports `node::Node`
    ");
    insta::assert_snapshot!(of("node/seat.rs", "use crate::commands::Context;\nuse crate::term::{Line, Terminal};\n"), @"
    src/node/seat.rs:1: `node` imports `commands::Context`; nobody imports commands
    src/node/seat.rs:2: `node` names `Terminal`; only `term`, `commands` and `cli` do
    ");
}

#[test]
fn what_is_granted_passes() {
    for (file, text) in [
        ("remote/server/mod.rs", "use crate::node::Node;\nuse crate::remote::api::Release;\n"),
        ("remote/client.rs", "use super::api;\nuse crate::packaging::Image;\n"),
        ("commands/deploy.rs", "use crate::remote::server;\nuse crate::term::Terminal;\nuse super::Context;\n"),
        ("packaging/layers.rs", "// tokio and crate::node are far away\nuse crate::app::App;\n"),
        ("gateway/page.rs", "use crate::problem::Problem;\n#[cfg(test)]\nmod tests { use crate::app::App; }\n"),
    ] {
        assert_eq!(violations(file, text), Vec::<String>::new(), "{file}");
    }
}
