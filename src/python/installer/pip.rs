//! What pip is asked, where uv cannot be had. Slower, and it needs a virtualenv that holds pip.

use std::path::Path;
use std::process::Command;

use super::{Hashes, Names, Order, Resolved, Wish, trouble};
use crate::problem::{Doing as _, Problem, Result};
use crate::python::dist::{self, Dist, is_seed, need};
use crate::python::interpreter::Interpreter;
use crate::python::program::{command, run};
use crate::python::requirement::Name;
use crate::python::venv::{Bytecode, Venv};

pub fn make_venv(interpreter: &Interpreter, venv: &Venv) -> Result<()> {
    let said = run(command(&interpreter.path).args(["-m", "venv", "--clear"]).arg(&venv.dir), "")?;
    if said.success { Ok(()) } else { Err(trouble::no_ensurepip(interpreter, &said)) }
}

pub fn resolve(venv: &Venv, root: &Path, wish: &Wish) -> Result<Vec<Resolved>> {
    closure(venv, root, wish, Names::Some)
}

fn closure(venv: &Venv, root: &Path, wish: &Wish, names: Names) -> Result<Vec<Resolved>> {
    let scratch = tempfile::tempdir().doing(|| "make a folder for a moment")?;
    let (asked, kept) = (scratch.path().join("asked.txt"), scratch.path().join("kept.txt"));
    std::fs::write(&asked, &wish.requirements).doing(|| "write down what is asked for")?;
    std::fs::write(&kept, &wish.preferred).doing(|| "write down what is preferred")?;
    let report = |kept: Option<&Path>| {
        let mut pip = pip(venv)?;
        pip.current_dir(root).args(["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]);
        pip.arg("-r").arg(&asked);
        if names == Names::Everything {
            pip.arg("--no-deps");
        }
        if let Some(kept) = kept {
            pip.arg("-c").arg(kept);
        }
        let said = run(&mut pip, "")?;
        if said.success { Ok(said.stdout) } else { Err(trouble::pip("find out what is needed", &said)) }
    };
    // pip knows no preference: what is preferred is demanded first, and let go when that cannot be.
    let answer = report(Some(&kept)).or_else(|problem| match &*problem.code {
        "installer.conflict" | "installer.no-version" => report(None),
        _ => Err(problem),
    })?;
    parse_report(&answer, wish.hashes)
}

/// What `pip install --report` says: <https://pip.pypa.io/en/stable/reference/installation-report/>.
fn parse_report(text: &str, hashes: Hashes) -> Result<Vec<Resolved>> {
    let unreadable = |why: String| Problem::new("installer.report", "pip's report cannot be read").because(why);
    let report: serde_json::Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let entries = report["install"].as_array().ok_or_else(|| unreadable("it lists nothing".into()))?;
    let mut found = Vec::new();
    for entry in entries {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let metadata = &entry["metadata"];
        let (Some(name), Some(version)) = (text(&metadata["name"]), text(&metadata["version"])) else {
            return Err(unreadable("a package has no name".into()));
        };
        let extras = entry["requested_extras"].as_array().map_or_else(String::new, |extras| {
            let extras: Vec<&str> = extras.iter().filter_map(serde_json::Value::as_str).collect();
            format!("[{}]", extras.join(","))
        });
        let download = &entry["download_info"];
        let line = match (entry["is_direct"].as_bool(), text(&download["url"])) {
            (Some(true), Some(url)) => {
                match (text(&download["vcs_info"]["vcs"]), text(&download["vcs_info"]["commit_id"])) {
                    (Some(vcs), Some(commit)) => format!("{name} @ {vcs}+{url}@{commit}"),
                    _ if download["dir_info"]["editable"] == true => format!("-e {url}"),
                    _ => format!("{name} @ {url}"),
                }
            }
            _ => format!("{name}{extras}=={version}"),
        };
        let needs = metadata["requires_dist"].as_array().cloned().unwrap_or_default();
        let needs: Vec<Name> = needs.iter().filter_map(|text| need(text.as_str()?)).collect();
        let sha256 = text(&download["archive_info"]["hashes"]["sha256"]).filter(|_| hashes == Hashes::With);
        let hashes = sha256.iter().map(|hash| format!("sha256:{hash}")).collect();
        found.push((Resolved { name, line, via: Vec::new(), hashes }, needs));
    }
    let needed: Vec<(String, Vec<Name>)> =
        found.iter().map(|(resolved, needs)| (resolved.name.clone(), needs.clone())).collect();
    let mut resolved: Vec<Resolved> = found.into_iter().map(|(resolved, _)| resolved).collect();
    for one in &mut resolved {
        let key = Name::new(&one.name);
        one.via = needed.iter().filter(|(_, needs)| needs.contains(&key)).map(|(who, _)| who.clone()).collect();
        one.via.sort_by_key(|who| Name::new(who));
    }
    resolved.sort_by_key(|one| Name::new(&one.name));
    Ok(resolved)
}

pub fn sync(order: Order) -> Result<()> {
    let Order { venv, root, requirements, .. } = order;
    let wish = Wish { requirements: requirements.to_owned(), ..Wish::default() };
    let wanted = if requirements.trim().is_empty() { Vec::new() } else { closure(venv, root, &wish, order.names)? };
    let site = site_packages(venv)?;
    let there = dist::in_folder(&site);
    let is_there = |one: &Resolved| {
        there.get(&Name::new(&one.name)).is_some_and(|dist: &Dist| one.line.ends_with(&format!("=={}", dist.version)))
    };
    let missing: Vec<&str> = wanted.iter().filter(|one| !is_there(one)).map(|one| one.line.as_str()).collect();
    if !missing.is_empty() {
        let scratch = tempfile::tempdir().doing(|| "make a folder for a moment")?;
        let file = scratch.path().join("missing.txt");
        let options = requirements.lines().filter(|line| line.starts_with("--"));
        let lines: Vec<&str> = options.chain(missing).collect();
        std::fs::write(&file, lines.join("\n")).doing(|| "write down what is missing")?;
        let mut pip = pip(venv)?;
        pip.current_dir(root).args(["install", "--quiet", "--no-deps"]);
        pip.arg(if order.bytecode == Bytecode::Now { "--compile" } else { "--no-compile" }).arg("-r").arg(&file);
        let said = run(&mut pip, "")?;
        if !said.success {
            return Err(trouble::pip("make the virtualenv match", &said));
        }
    }
    let extra: Vec<&str> = there
        .iter()
        .filter(|(name, _)| !is_seed(name))
        .filter(|(name, _)| wanted.iter().all(|one| Name::new(&one.name) != **name))
        .map(|(_, dist)| dist.spelled.as_str())
        .collect();
    if !extra.is_empty() {
        let said = run(pip(venv)?.args(["uninstall", "--quiet", "--yes"]).args(&extra), "")?;
        if !said.success {
            return Err(trouble::pip("remove what is not in the file", &said));
        }
    }
    Ok(())
}

pub fn outdated(venv: &Venv, root: &Path) -> Result<String> {
    let said = run(pip(venv)?.current_dir(root).args(["list", "--outdated", "--format", "json"]), "")?;
    if said.success { Ok(said.stdout) } else { Err(trouble::pip("look for newer versions", &said)) }
}

pub fn into_folder(interpreter: &Interpreter, requirements: &str, folder: &Path) -> Result<()> {
    let scratch = tempfile::tempdir().doing(|| "make a folder for a moment")?;
    let file = scratch.path().join("set.txt");
    std::fs::write(&file, requirements).doing(|| "write down what is needed")?;
    let tool = Venv { dir: scratch.path().join("venv") };
    make_venv(interpreter, &tool)?;
    let mut pip = pip(&tool)?;
    pip.args(["install", "--quiet", "--no-deps", "--target"]).arg(folder).arg("-r").arg(&file);
    let said = run(&mut pip, "")?;
    if said.success { Ok(()) } else { Err(trouble::pip("install dae's own packages", &said)) }
}

/// The virtualenv's pip, put there when it has none: uv makes virtualenvs without.
fn pip(venv: &Venv) -> Result<Command> {
    if !dist::in_folder(&site_packages(venv)?).contains_key(&Name::new("pip")) {
        let said = run(command(venv.python()).args(["-m", "ensurepip", "--default-pip"]), "")?;
        if !said.success {
            return Err(Problem::new("installer.no-pip", "the virtualenv has no pip and cannot be given one")
                .detail(said.stderr)
                .hint("install uv, or the system's package for it: `apt install python3-venv`"));
        }
    }
    let mut pip = command(venv.python());
    pip.args(["-m", "pip", "--no-input", "--disable-pip-version-check", "--no-color"]);
    Ok(pip)
}

fn site_packages(venv: &Venv) -> Result<std::path::PathBuf> {
    let lib = venv.dir.join("lib");
    let entries = lib.read_dir().doing(|| format!("read `{}`", lib.display()))?;
    let python = entries.flatten().map(|entry| entry.path().join("site-packages")).find(|path| path.is_dir());
    python.ok_or_else(|| Problem::new("venv.broken", format!("`{}` has no site-packages", venv.dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_report_is_read() {
        let report = r#"{"version": "1", "install": [
            {"metadata": {"name": "Flask", "version": "3.1.3", "requires_dist": ["click>=8", "asgiref; extra == 'async'"]},
             "requested_extras": ["async"], "is_direct": false, "requested": true},
            {"metadata": {"name": "click", "version": "8.5.1"}, "is_direct": false},
            {"metadata": {"name": "x", "version": "1"}, "is_direct": true,
             "download_info": {"url": "https://h/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}}]}"#;
        let lines: Vec<String> = parse_report(report, Hashes::Without)
            .unwrap()
            .into_iter()
            .map(|one| format!("{} via {}", one.line, one.via.join(",")))
            .collect();
        assert_eq!(lines, ["click==8.5.1 via Flask", "Flask[async]==3.1.3 via ", "x @ git+https://h/x@abc via "]);
        assert!(parse_report("{}", Hashes::Without).is_err());
    }
}
