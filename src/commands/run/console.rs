//! `dae run -it --remote` and `dae shell --remote`: this terminal becomes the one of a command at a node.

use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::remote::{Ended, Where};
use crate::commands::online::block_on;
use crate::commands::{Context, Outcome};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::NewRun;
use crate::remote::console::{Came, Console, NewConsole, Size};
use crate::remote::origin;
use crate::term::{Line, Raw, Report, Tone};

pub fn run(there: &Where, command: Vec<String>, context: &Context) -> Outcome {
    if !Raw::is_possible(&context.terminal) {
        return Err(Problem::new("run.no-terminal", "there is no terminal here to sit at")
            .hint("without one: `dae run --remote NAME -- CMD` prints what the command prints")
            .exit(2));
    }
    let app = there.app.name(context)?;
    let (client, _) = there.which().client(context, Some(&app))?;
    let term = context.environment.iter().find(|(name, _)| name == "TERM").map(|(_, value)| value.clone());
    let run = NewRun { command, release: there.release, by: Some(origin::by()) };
    let new = NewConsole { run, size: size(), term };
    block_on(async {
        let mut console = client.console(&app, &new).await?;
        let (run, release) = (console.run, console.release);
        context.say("Running", format!("{run} of {app} on {} with the code of {release}", client.name));
        let (code, why) = sit(&mut console).await?;
        if let Some(why) = why {
            context.terminal.line(&Line::new(Tone::Warning, "ended", format!("{run}: {why}")));
        }
        Ok(Box::new(Ended { run, release: Some(release), code }) as Box<dyn Report>)
    })
}

fn size() -> Size {
    let (rows, cols) = Raw::size();
    Size { rows, cols }
}

/// Hands keys there and what is printed here, until the command has ended.
async fn sit(console: &mut Console) -> Result<(u8, Option<String>)> {
    let listen = |kind| signal(kind).doing(|| "listen for signals");
    let mut window = listen(SignalKind::window_change())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let (send, mut typed) = mpsc::channel(16);
    let terminal = Raw::take(move |keys| send.blocking_send(Bytes::copy_from_slice(keys)).is_ok())
        .doing(|| "take the terminal")?;
    loop {
        tokio::select! {
            came = console.next() => match came? {
                Came::Printed(bytes) => terminal.write(&bytes).doing(|| "write to the terminal")?,
                Came::Ended { code, why } => return Ok((code, why)),
            },
            Some(keys) = typed.recv() => console.type_in(keys).await?,
            Some(()) = window.recv() => console.resize(size()).await?,
            // Not typed, but sent to this process: then it is to end, and the run ends with the connection.
            Some(()) = interrupt.recv() => return Ok((130, None)),
            Some(()) = terminate.recv() => return Ok((143, None)),
            Some(()) = hangup.recv() => return Ok((129, None)),
        }
    }
}
