//! `dae serve --detach`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::{Context, Outcome};
use crate::dev_server::Session;
use crate::problem::{Doing as _, Problem, Result};
use crate::term::{Done, Line, Tone};

/// How long a server in the background may take until its port is open.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// Starts this very command once more without `--detach`, and waits until its port is open. What it says goes to a file of the first app.
pub fn start(context: &Context, roots: &[PathBuf]) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let Some(first) = roots.first() else { return Ok(Box::new(Done::default())) };
    let folder = first.join(".dae/logs");
    std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let path = folder.join("serve.log");
    let log = std::fs::File::create(&path).doing(|| format!("write `{}`", path.display()))?;
    let mut child = Command::new(std::env::current_exe().doing(|| "find dae itself")?)
        .args(std::env::args_os().skip(1).filter(|arg| arg != "--detach"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(|| format!("write `{}`", path.display()))?)
        .stderr(log)
        // Not in this terminal's group any more: its Ctrl-C is not meant for it.
        .process_group(0)
        .spawn()
        .doing(|| "start the server")?;
    let since = Instant::now();
    loop {
        let servers = roots.iter().map(|root| Session::server(root)).collect::<Result<Vec<_>>>()?;
        let servers: Option<Vec<_>> = servers.into_iter().collect();
        if let Some(servers) = servers {
            for server in servers {
                context.say("serving", format!("`{}` in the background, process {}", server.url, server.pid));
            }
            let hint = format!("`dae stop`; what it says is in `{}`", path.display());
            context.terminal.line(&Line::new(Tone::Quiet, "end it", hint));
            return Ok(Box::new(Done::default()));
        }
        let ended = child.try_wait().doing(|| "look at the server")?.is_some();
        if ended || since.elapsed() > OPEN_WITHIN {
            // Told by its own words; a log that cannot be read says nothing.
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            return Err(Problem::new("serve.detached", "the server in the background did not start").detail(said));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
