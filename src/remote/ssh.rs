//! A machine that is reached by the system's `ssh`: the keys, the known hosts and the settings are the user's own.

use std::fmt;
use std::process::{Command, Stdio};

use reqwest::Url;

use crate::app::{bracketed, without_brackets};
use crate::problem::{Problem, Result};

/// `ssh://user@host:port`; what is left out is as `~/.ssh/config` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    user: Option<String>,
    pub host: String,
    port: Option<u16>,
}

/// Whether `ssh` may ask for a passphrase, and whether a host is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Nothing,
    AtTheTerminal,
}

/// What `ssh` itself ends with when it did not get there.
const NOT_THERE: i32 = 255;

impl Machine {
    pub fn parse(text: &str) -> Result<Self> {
        let plain =
            |text: &str| !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let read = || {
            let url = Url::parse(text).ok().filter(|url| url.scheme() == "ssh" && url.password().is_none())?;
            let only = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
            let host = without_brackets(url.host_str()?).to_owned();
            let user = Some(url.username().to_owned()).filter(|user| !user.is_empty());
            let good = only && plain(&host.replace(':', "")) && user.as_deref().is_none_or(plain);
            good.then(|| Self { user, host, port: url.port() })
        };
        read().ok_or_else(|| {
            Problem::new("remote.ssh-address", format!("`{text}` is no machine to reach by ssh"))
                .hint("write it as `ssh://root@host.example.com`, with `:PORT` where it is not 22")
                .exit(2)
        })
    }

    /// Has a shell there run `script`, and returns what it wrote; `before` comes in front of that shell, `sudo -n` perhaps.
    pub fn run(&self, before: &str, script: &str, input: Stdio, asks: Asks) -> Result<String> {
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "ConnectTimeout=15"]);
        if asks == Asks::Nothing {
            ssh.args(["-o", "BatchMode=yes"]);
        }
        if let Some(port) = self.port {
            ssh.args(["-p", &port.to_string()]);
        }
        let to = self.user.as_ref().map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host));
        ssh.arg("--").arg(to).arg(format!("{before} sh -c {}", quoted(script)));
        let ran = ssh.stdin(input).output().map_err(|error| {
            Problem::new("remote.no-ssh", "could not run `ssh`").because(error).hint("install OpenSSH's client")
        })?;
        if ran.status.success() {
            return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        Err(if ran.status.code() == Some(NOT_THERE) {
            self.not_there(&said)
        } else {
            Problem::new("remote.set-up", format!("{self} could not be set up")).because(last_lines(&said))
        })
    }

    fn not_there(&self, said: &str) -> Problem {
        let problem = |code: &'static str, text: String| Problem::new(code, text).because(last_lines(said));
        let try_it = format!("try it by hand: `ssh {self}`");
        if said.contains("Host key verification failed") {
            problem("remote.ssh-host-key", format!("{self} is not known to be the right machine"))
                .hint(format!("{try_it}, and compare the key it shows with the machine's own"))
        } else if said.contains("Permission denied") {
            problem("remote.ssh-denied", format!("{self} does not let you in"))
                .hint("is your public key in `~/.ssh/authorized_keys` there, and is the user right?")
                .hint(try_it)
        } else {
            problem("remote.ssh-unreachable", format!("{self} is not reached by ssh")).hint(try_it)
        }
    }
}

/// As it is typed after `ssh`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = bracketed(&self.host);
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "ssh://{user}{host}{port}")
    }
}

/// One word for a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn last_lines(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_an_address() {
        for text in ["ssh://root@box.example.com", "ssh://box", "ssh://me@10.0.0.7:2222", "ssh://me@[::1]:22"] {
            assert_eq!(Machine::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "box",
            "http://box",
            "ssh://-oProxyCommand=x",
            "ssh://a@-b",
            "ssh://u:p@box",
            "ssh://box/srv",
            "ssh://-l@box",
            "ssh://",
        ] {
            assert_eq!(Machine::parse(text).unwrap_err().code, "remote.ssh-address", "{text}");
        }
    }

    #[test]
    fn a_word_stays_one() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
