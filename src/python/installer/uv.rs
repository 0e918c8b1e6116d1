//! What uv is asked, and what it answers.

use std::path::Path;
use std::process::Command;

use super::{Hashes, Names, Order, Resolved, Wish, settings, trouble};
use crate::problem::{Doing as _, Result};
use crate::python::interpreter::Interpreter;
use crate::python::pins::Pins;
use crate::python::program::{Said, command, run};
use crate::python::venv::{Bytecode, Venv};
use crate::python::{Event, Tell};

pub fn make_venv(uv: &Path, interpreter: &Interpreter, venv: &Venv) -> Result<()> {
    let mut make = uv_command(uv);
    make.args(["venv", "--quiet", "--no-project", "--clear", "-p"]).arg(&interpreter.path).arg(&venv.dir);
    let said = run(&mut make, "")?;
    if said.success { Ok(()) } else { Err(trouble::uv("make the virtualenv", &said)) }
}

pub fn resolve(uv: &Path, venv: &Venv, root: &Path, wish: &Wish, tell: Tell) -> Result<Vec<Resolved>> {
    let scratch = tempfile::tempdir().doing(|| "make a folder for a moment")?;
    let answer = scratch.path().join("answer.txt");
    // uv prefers what the file it is about to write says already.
    std::fs::write(&answer, &wish.preferred).doing(|| "write down what is preferred")?;
    let mut ask = uv_command(uv);
    ask.current_dir(root);
    ask.args(["pip", "compile", "-", "--quiet", "--no-header", "--annotation-style", "line", "--no-strip-extras"]);
    ask.arg("-o").arg(&answer).arg("-p").arg(venv.python());
    if wish.hashes == Hashes::With {
        ask.arg("--generate-hashes");
    }
    let said = run_online_or_not(ask, &wish.requirements, tell)?;
    if !said.success {
        return Err(trouble::uv("find out what is needed", &said));
    }
    let text = std::fs::read_to_string(&answer).doing(|| "read uv's answer")?;
    Ok(Pins::parse(&text).iter().map(Resolved::from_pin).collect())
}

pub fn sync(uv: &Path, order: Order, tell: Tell) -> Result<()> {
    let mut install = uv_command(uv);
    install.current_dir(order.root);
    install.args(["pip", "install", "--quiet", "--exact", "-r", "-", "-p"]).arg(order.venv.python());
    if order.names == Names::Everything {
        install.arg("--no-deps");
    }
    if order.bytecode == Bytecode::Now {
        install.arg("--compile-bytecode");
    }
    let said = run_online_or_not(install, order.requirements, tell)?;
    if said.success { Ok(()) } else { Err(trouble::uv("make the virtualenv match", &said)) }
}

pub fn into_folder(uv: &Path, interpreter: &Interpreter, requirements: &str, folder: &Path, tell: Tell) -> Result<()> {
    let mut install = uv_command(uv);
    install.current_dir(folder);
    install.args(["pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--no-config", "-r", "-"]);
    install.arg("-p").arg(&interpreter.path).arg("--target").arg(folder);
    let said = run_online_or_not(install, requirements, tell)?;
    if said.success { Ok(()) } else { Err(trouble::uv("install dae's own packages", &said)) }
}

pub fn outdated(uv: &Path, venv: &Venv, root: &Path) -> Result<String> {
    let mut list = uv_command(uv);
    list.current_dir(root).args(["pip", "list", "--outdated", "--format", "json", "-p"]).arg(venv.python());
    let said = run(&mut list, "")?;
    if said.success { Ok(said.stdout) } else { Err(trouble::uv("look for newer versions", &said)) }
}

/// Where the index cannot be reached, the cache may be enough.
fn run_online_or_not(mut uv: Command, input: &str, tell: Tell) -> Result<Said> {
    let said = run(&mut uv, input)?;
    if said.success || !trouble::is_network(&said.stderr) {
        return Ok(said);
    }
    let offline = run(uv.arg("--offline"), input)?;
    if offline.success {
        tell(Event::Offline);
        return Ok(offline);
    }
    Ok(said)
}

fn uv_command(uv: &Path) -> Command {
    let mut uv = command(uv);
    settings::tell_uv(&mut uv);
    uv
}
