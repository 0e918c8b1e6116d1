//! What uv and pip complain of, as problems with a hint.

use crate::problem::Problem;
use crate::python::interpreter::Interpreter;
use crate::python::program::Said;

/// The words by which uv and pip say that nobody answered.
const NETWORK: &[&str] = &[
    "Failed to fetch",
    "error sending request",
    "client error (Connect)",
    "Failed to establish a new connection",
    "NewConnectionError",
    "Could not connect",
    "dns error",
    "Temporary failure in name resolution",
    "Read timed out",
    "operation timed out",
];

pub fn is_network(stderr: &str) -> bool {
    NETWORK.iter().any(|words| stderr.contains(words))
}

/// `doing` follows "could not".
pub fn uv(doing: &str, said: &Said) -> Problem {
    let stderr = tidy(&said.stderr);
    if let Some(problem) = repository(&stderr).or_else(|| common(&stderr)) {
        return problem;
    }
    if let Some((before, _)) = stderr.split_once(" was not found in the package registry") {
        return unknown(before.rsplit([' ', '\n']).next().unwrap_or(before));
    }
    if let Some(wanted) = between(&stderr, "there is no version of ", " and ") {
        return no_version(wanted);
    }
    if stderr.contains("requirements are unsatisfiable") || stderr.contains("No solution found") {
        return conflict(&stderr);
    }
    failed("uv", doing, &stderr)
}

pub fn pip(doing: &str, said: &Said) -> Problem {
    let stderr = tidy(&said.stderr);
    // pip says "no matching distribution" as well where no index answered.
    if let Some(problem) = common(&stderr) {
        return problem;
    }
    if let Some(wanted) = stderr.lines().find_map(|line| line.split("No matching distribution found for ").nth(1)) {
        let wanted = wanted.trim().split(" (from").next().unwrap_or(wanted);
        let none = stderr.contains("(from versions: none)");
        return if none { unknown(wanted) } else { no_version(wanted) };
    }
    if stderr.contains("ResolutionImpossible") || stderr.contains("conflicting dependencies") {
        return conflict(&stderr);
    }
    failed("pip", doing, &stderr)
}

fn common(stderr: &str) -> Option<Problem> {
    if is_network(stderr) {
        let address = ["http://", "https://"].iter().find_map(|scheme| {
            let at = stderr.find(scheme)?;
            stderr[at..].split(|c: char| c.is_whitespace() || "`'\")".contains(c)).next()
        });
        let why = ["Connection refused", "dns error", "timed out", "name resolution", "certificate"]
            .into_iter()
            .find(|why| stderr.contains(why));
        let mut problem = Problem::new("installer.network", "the package index cannot be reached");
        problem = match (address, why) {
            (Some(address), Some(why)) => problem.because(format!("{address}: {why}")),
            (Some(address), None) => problem.because(address),
            (None, Some(why)) => problem.because(why),
            (None, None) => problem,
        };
        return Some(problem.hint(
            "try again with a network; another index is set with `UV_DEFAULT_INDEX` or `PIP_INDEX_URL`; nothing was changed",
        ));
    }
    if stderr.contains("No space left on device") {
        let problem = Problem::new("io.disk-full", "there is no room left on the disk").detail(stderr);
        return Some(problem.hint("free some space and try again"));
    }
    let built = between(stderr, "Failed to build `", "`")
        .or_else(|| between(stderr, "Failed building wheel for ", "\n"))
        .or_else(|| between(stderr, "Failed to build ", "\n"));
    if let Some(what) = built {
        return Some(
            Problem::new("installer.build", format!("`{}` could not be built from source", what.trim()))
                .because("there is no ready-made wheel of it for this Python and this system")
                .detail(last_lines(stderr, 20))
                .hint("install the compiler and the headers it asks for, or choose a version that has a wheel"),
        );
    }
    None
}

/// What git said through uv of a repository that a line of pip-req.txt names.
fn repository(stderr: &str) -> Option<Problem> {
    if !stderr.contains("Git operation failed") {
        return None;
    }
    let line = between(stderr, "Failed to download and build `", "`")?;
    let (name, address) = line.split_once(" @ git+")?;
    let (address, revision) = address.rsplit_once('@').unwrap_or((address, ""));
    let revision = revision.split('#').next().unwrap_or(revision);
    let gone = ["not our ref", "no such ref was fetched", "couldn't find remote ref", "reference is not a tree"];
    if gone.iter().any(|words| stderr.contains(words)) {
        return Some(
            Problem::new("vcs.revision-gone", format!("`{name}` is pinned to a revision that is not there any more"))
                .because(format!(
                    "`{address}` has no commit `{revision}`; somebody rewrote its history, or it was mistyped"
                ))
                .try_running(format!("dae update {name}"))
                .hint("which pins the newest revision of what it follows; nothing was changed"),
        );
    }
    let why = stderr.lines().map(str::trim).find(|line| line.starts_with("fatal:")).unwrap_or("fatal: it said nothing");
    Some(
        Problem::new("vcs.unreachable", format!("the repository `{address}` of `{name}` cannot be reached"))
            .because(why.trim_start_matches("fatal:").trim())
            .hint(format!("check the address and that `git ls-remote {address}` works here; nothing was changed")),
    )
}

fn unknown(name: &str) -> Problem {
    Problem::new("installer.unknown-package", format!("there is no package `{name}`"))
        .because("the package index has nothing of that name")
        .hint("check the spelling; what is imported and what is installed may have different names (`import yaml` is `PyYAML`)")
}

fn no_version(wanted: &str) -> Problem {
    let name = wanted.split(|c: char| "=<>!~ [".contains(c)).next().unwrap_or(wanted);
    let version = wanted[name.len()..].trim();
    Problem::new("installer.no-version", format!("there is no version of `{name}` that fits `{version}`"))
        .because("the package index has none for this Python")
        .try_running(format!("dae install {name}"))
}

fn conflict(stderr: &str) -> Problem {
    let why = stderr
        .lines()
        .skip_while(|line| line.contains("No solution found"))
        .map(|line| line.trim_start().trim_start_matches("cause: ").trim_start_matches("╰─▶ "))
        .collect::<Vec<_>>()
        .join("\n");
    Problem::new("installer.conflict", "the requirements contradict each other")
        .detail(why)
        .hint("ask for less on one side; a version that pip-req.txt pins may move when its name is typed along")
}

fn failed(program: &str, doing: &str, stderr: &str) -> Problem {
    let first = stderr.lines().find_map(|line| line.strip_prefix("error: ").or_else(|| line.strip_prefix("ERROR: ")));
    let problem = Problem::new("installer.failed", format!("could not {doing}"));
    let problem = match first {
        Some(line) => problem.because(format!("{program}: {line}")),
        None => problem.because(format!("{program} gave up")),
    };
    problem.detail(last_lines(stderr, 20))
}

pub fn no_ensurepip(interpreter: &Interpreter, said: &Said) -> Problem {
    let whole = format!("{}{}", said.stdout, said.stderr);
    Problem::new("installer.no-pip", format!("the Python at `{}` can install nothing", interpreter.path.display()))
        .because("it has neither pip nor ensurepip, and there is no uv on PATH")
        .detail(last_lines(&whole, 6))
        .hint("install uv, or the system's package for it: `apt install python3-venv`")
}

/// Without pip's advice about itself and without colours.
fn tidy(stderr: &str) -> String {
    let plain = console::strip_ansi_codes(stderr);
    let noise = |line: &&str| {
        !line.starts_with("WARNING: Running pip as") && !line.starts_with("[notice]") && !line.starts_with("warning: ")
    };
    plain.lines().filter(noise).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(of_git: &str) -> Problem {
        let stderr = format!(
            "error: Failed to download and build `mylib @ git+https://host/mylib@dead00000000000000000000000000000000beef`\n\
             cause: Git operation failed\n  cause: failed to fetch commit\n  --- stderr\n  {of_git}\n"
        );
        uv("make the virtualenv match", &Said { success: false, stdout: String::new(), stderr })
    }

    #[test]
    fn a_revision_that_is_gone_is_not_a_repository_that_is_gone() {
        let gone = said("fatal: remote error: upload-pack: not our ref dead00000000000000000000000000000000beef");
        assert_eq!(gone.code, "vcs.revision-gone");
        assert!(gone.message.contains("`mylib`") && gone.hints.len() == 2, "{gone:?}");
        let unreachable = said("fatal: '/tmp/mylib' does not appear to be a git repository");
        assert_eq!(unreachable.code, "vcs.unreachable");
        assert_eq!(unreachable.causes, ["'/tmp/mylib' does not appear to be a git repository"]);
    }
}
