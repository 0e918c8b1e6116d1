//! `dae run --remote`: the command runs at the remote, and is listened to here.

use serde_json::{Value, json};

use crate::app::AppName;
use crate::commands::cluster::Target;
use crate::commands::online::{Which, WhichApp, block_on};
use crate::commands::{Context, Outcome};
use crate::problem::Result;
use crate::remote::Client;
use crate::remote::api::{NewRun, ReleaseId, RunId};
use crate::remote::kubernetes::command::Runs;
use crate::remote::kubernetes::job;
use crate::remote::origin;
use crate::term::{Event, Line, Paint, Shown, Text, Tone};

/// Where a command runs, if not here.
#[derive(Debug, clap::Args)]
pub struct Where {
    /// Run it at this remote
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    #[command(flatten)]
    pub app: WhichApp,
    /// With this release's code [default: the live one's]
    #[arg(long, value_name = "REL", requires = "remote")]
    pub release: Option<ReleaseId>,
}

impl Where {
    pub fn is_meant(&self) -> bool {
        self.remote.is_some()
    }

    pub fn which(&self) -> Which {
        Which { remote: self.remote.clone() }
    }
}

/// How it runs there.
#[derive(Debug, clap::Args)]
pub struct There {
    #[command(flatten)]
    pub place: Where,
    /// Start it and do not listen
    #[arg(long, requires = "remote", conflicts_with = "attach")]
    detach: bool,
    /// Listen, from its beginning, to one that was started before
    #[arg(long, value_name = "RUN", requires = "remote", conflicts_with = "command")]
    attach: Option<RunId>,
    /// Sit at it: this terminal becomes the command's, which ends with the connection; also written `-it`
    #[arg(short, long, short_alias = 't', requires = "remote", overrides_with = "interactive", conflicts_with_all = ["detach", "attach"])]
    pub interactive: bool,
}

/// A line the command printed: part of the answer.
struct Printed(String);

impl Event for Printed {
    fn show(&self) -> Shown<'_> {
        Shown::Answer(&self.0)
    }

    fn json(&self) -> Value {
        json!({ "event": "output", "line": self.0 })
    }
}

#[derive(serde::Serialize)]
pub struct Ended {
    pub run: RunId,
    pub release: Option<ReleaseId>,
    pub code: u8,
}

impl Text for Ended {
    fn text(&self, _: Paint) -> String {
        String::new()
    }

    fn exit(&self) -> u8 {
        self.code
    }
}

#[derive(serde::Serialize)]
struct Started {
    run: RunId,
    release: ReleaseId,
}

impl Text for Started {
    fn text(&self, _: Paint) -> String {
        self.run.to_string()
    }
}

pub fn run(there: There, command: Vec<String>, context: &Context) -> Outcome {
    let app = there.place.app.name(context)?;
    let which = there.place.which();
    if let Some(target) = which.cluster(context, Some(&app))? {
        return on_cluster(&there, &command, context, &app, &target);
    }
    let (client, _) = which.client(context, Some(&app))?;
    block_on(async {
        let (run, release, events) = if let Some(run) = there.attach {
            (run, None, format!("/dae/v1/apps/{app}/runs/{run}/events"))
        } else {
            let new = NewRun { command, release: there.place.release, by: Some(origin::by()) };
            let accepted = client.start_run(&app, &new).await?;
            (accepted.run, Some(accepted.release), accepted.events)
        };
        if let (true, Some(release)) = (there.detach, release) {
            return Ok(Box::new(Started { run, release }) as Box<dyn crate::term::Report>);
        }
        let named = release.map(|release| format!(" with the code of {release}")).unwrap_or_default();
        context.say("Running", format!("{run} of {app} on {}{named}", client.name));
        let (code, why) = listen(&client, &app, run, &events, context).await?;
        if let Some(why) = why {
            context.terminal.line(&Line::new(Tone::Warning, "ended", format!("{run}: {why}")));
        }
        Ok(Box::new(Ended { run, release, code }) as Box<dyn crate::term::Report>)
    })
}

/// A first Ctrl-C ends the command, a second one only the listening.
async fn listen(
    client: &Client,
    app: &crate::app::AppName,
    run: RunId,
    events: &str,
    context: &Context,
) -> Result<(u8, Option<String>)> {
    let mut hear = |line: String| context.terminal.tell(&Printed(line));
    let followed = client.follow_run(events, run, &mut hear);
    tokio::pin!(followed);
    tokio::select! {
        ended = &mut followed => return ended,
        _ = tokio::signal::ctrl_c() => {}
    }
    client.end_run(app, run).await?;
    tokio::select! {
        ended = followed => ended,
        _ = tokio::signal::ctrl_c() => {
            context.say("Left", format!("{run} is ending at the remote"));
            Ok((130, None))
        }
    }
}

fn on_cluster(there: &There, command: &[String], context: &Context, app: &AppName, target: &Target) -> Outcome {
    block_on(async {
        let api = target.connect().await?;
        let runs = Runs { api: &api, app };
        let run = match there.attach {
            Some(run) => runs.find(run).await?,
            None => runs.start(command, there.place.release).await?,
        };
        if there.detach {
            return Ok(Box::new(Started { run: run.id, release: run.release }) as Box<dyn crate::term::Report>);
        }
        context.say("Running", format!("{} of {app} on {} with the code of {}", run.id, target.name, run.release));
        let mut hear = |line: String| context.terminal.tell(&Printed(line));
        let ended = tokio::select! {
            ended = runs.follow(&run, &mut hear) => ended?,
            _ = tokio::signal::ctrl_c() => {
                runs.end(&run).await?;
                context.say("Ended", format!("{}: its pod is taken away", run.id));
                job::Ended { code: 130, why: None }
            }
        };
        if let Some(why) = &ended.why {
            context.terminal.line(&Line::new(Tone::Warning, "ended", format!("{}: {why}", run.id)));
        }
        Ok(Box::new(Ended { run: run.id, release: Some(run.release), code: ended.code })
            as Box<dyn crate::term::Report>)
    })
}
