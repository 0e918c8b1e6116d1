//! Runs a program to its end and keeps what it said.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::problem::{Doing as _, Result};
use crate::supervisor::parent::end_with_us;

#[derive(Debug)]
pub struct Said {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Variables that would lead an installer away from the virtualenv it is told, or that cost every later start
/// (`PYTHONDONTWRITEBYTECODE`).
const MISLEADING: &[&str] = &[
    "CONDA_PREFIX",
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REPORT",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "VIRTUAL_ENV",
];

/// A command that ends when dae ends, with an environment in which installers do as they are told.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in MISLEADING {
        command.env_remove(name);
    }
    end_with_us(&mut command, Signal::SIGTERM);
    command
}

/// Runs it with `input` on its stdin.
pub fn run(command: &mut Command, input: &str) -> Result<Said> {
    let name = Path::new(command.get_program()).display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| format!("start `{name}`"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // On a thread of its own: a long input and a long answer must not wait for each other. One that ends without
        // reading all of it has said why.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output()
    })
    .doing(|| format!("hear `{name}`"))?;
    Ok(Said {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
