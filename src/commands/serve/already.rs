//! Where the app is served already.

use futures_util::future::try_join_all;

use super::super::{Context, Outcome, foreground};
use crate::dev_server::{Server, Tagged};
use crate::problem::Problem;
use crate::term::{Done, Line, Tone};

/// Shows what happens at the servers that run.
pub fn join(context: &Context, servers: &[Server]) -> Outcome {
    context.terminal.line(&Line::new(Tone::Quiet, "leave", "Ctrl-C; `dae stop` ends the server"));
    let follow = async |server: &Server| {
        let alone = servers.len() == 1;
        let hear = |item| {
            if alone { context.terminal.tell(&item) } else { context.terminal.tell(&Tagged::new(&server.app, &item)) }
        };
        server.follow(hear).await?;
        let text = format!("process {} serves `{}` no more", server.pid, server.url);
        context.terminal.line(&Line::new(Tone::Plain, "ended", text));
        Ok::<_, Problem>(())
    };
    foreground::runtime()?.block_on(async {
        let stop = foreground::stop()?;
        tokio::select! {
            followed = try_join_all(servers.iter().map(follow)) => drop(followed?),
            () = stop => {
                for Server { pid, url, .. } in servers {
                    context.terminal.line(&Line::new(Tone::Good, "left", format!("process {pid} goes on serving `{url}`")));
                }
            }
        }
        Ok::<_, Problem>(())
    })?;
    Ok(Box::new(Done::default()))
}
