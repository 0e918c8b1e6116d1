//! `dae deploy`.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::online::{Which, block_on};
use super::{Context, Outcome, cluster_deploy, pack, plan, traffic};
use crate::app::App;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{GitState, NewRelease, ReleaseId, Share};
use crate::remote::client::exit;
use crate::remote::deploy::{self, Deployed, Step, millis, seconds, size};
use crate::remote::promote::{self, Reference};
use crate::remote::{Client, Live, Remotes, origin};
use crate::term::{Line, Paint, Text, Tone};

/// Package the app, upload what the remote misses, and switch to it
///
/// The release that serves goes on until the new one answers; when that fails, it stays.
///
/// Exit codes: 0 live, 2 usage, 3 refused before the upload, 4 upload failed (try again), 5 the release
/// command failed, 6 the new release does not work and
/// the old one serves, 7 somebody else deployed meanwhile, 8 cancelled, 9 the remote does not answer and may still be at it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    /// A line to remember the release by
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Follow a release that is under way already
    #[arg(long, value_name = "REL", conflicts_with_all = ["message", "list_files"])]
    pub attach: Option<ReleaseId>,
    /// Deploy an image that is there: `REMOTE/r42` of another remote, `REMOTE` for its live one, `sha256:...` here
    #[arg(long, value_name = "REF", conflicts_with_all = ["attach", "list_files", "plan", "require_clean"])]
    pub image: Option<String>,
    /// Try it beside the live release on so many of a hundred visitors; see `dae traffic`
    #[arg(long, value_name = "PCT", value_parser = clap::value_parser!(u8).range(0..=100), conflicts_with_all = ["attach", "plan", "list_files"])]
    pub traffic: Option<u8>,
    /// Try it on every request with this header
    #[arg(long, value_name = "NAME=VALUE", value_parser = traffic::header, conflicts_with_all = ["attach", "plan", "list_files"])]
    pub traffic_header: Vec<(String, String)>,
    /// Try it on every request from this network, as `10.0.0.0/8`
    #[arg(long, value_name = "NETWORK", conflicts_with_all = ["attach", "plan", "list_files"])]
    pub traffic_from: Vec<String>,
    /// Only list the app's files that would be packed
    #[arg(long)]
    pub list_files: bool,
    #[command(flatten)]
    pub cluster: cluster_deploy::Flags,
    /// Only show what would be sent and changed, as `dae plan` does
    #[arg(long, conflicts_with_all = ["attach", "list_files"])]
    pub plan: bool,
    /// Refuse when the app's folder holds changes that no commit does
    #[arg(long)]
    pub require_clean: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Live,
    /// It is tried beside the live one.
    Gray,
    /// It was live already.
    Unchanged,
}

#[derive(Serialize)]
struct Report {
    outcome: Ended,
    release: ReleaseId,
    url: Option<String>,
    remote: String,
    image: Option<String>,
    bytes_sent: u64,
    requests: u64,
    took_ms: u64,
}

impl Text for Report {
    fn text(&self, _: Paint) -> String {
        self.url.clone().unwrap_or_default()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let outcome = deploy(args, context);
    // A CI system's own page; that it cannot be written is no reason to fail.
    if let Some((_, page)) = context.environment.iter().find(|(name, _)| name == "GITHUB_STEP_SUMMARY") {
        let text = summary(&outcome);
        let _ = std::fs::File::options()
            .create(true)
            .append(true)
            .open(page)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    }
    outcome
}

/// In Markdown.
fn summary(outcome: &Outcome) -> String {
    let value = match outcome {
        Err(problem) => {
            let detail = problem.detail.replace("```", "~~~");
            let detail = if detail.is_empty() { String::new() } else { format!("\n```\n{}\n```\n", detail.trim_end()) };
            return format!("### Not deployed\n\n{problem} (exit code {})\n{detail}", problem.exit);
        }
        Ok(report) => report.json(),
    };
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    if value["outcome"].is_null() {
        return String::new();
    }
    let url = if text("url").is_empty() { String::new() } else { format!(": <{}>", text("url")) };
    format!(
        "### {} is {} on {}{url}\n\n| image | sent | took |\n|---|---|---|\n| `{}` | {} in {} requests | {} |\n",
        text("release"),
        text("outcome"),
        text("remote"),
        text("image"),
        size(value["bytes_sent"].as_u64().unwrap_or_default()),
        value["requests"],
        seconds(Duration::from_millis(value["took_ms"].as_u64().unwrap_or_default())),
    )
}

fn deploy(args: Args, context: &Context) -> Outcome {
    let app = context.app().map_err(refused)?;
    if args.list_files {
        return Ok(Box::new(pack::list(context, &app, pack::Secrets::Sealed)?));
    }
    let git = origin::git(&app.root);
    if args.require_clean {
        clean(git.as_ref()).map_err(refused)?;
    }
    let share = share(&args);
    if let Some(target) = args.which.cluster(context, Some(&app.name)).map_err(refused)? {
        if args.image.is_some() {
            return Err(refused(
                Problem::new("deploy.cluster", "`--image` is for nodes, and this remote is a cluster")
                    .because("its images lie in a registry and stand on another base")
                    .hint("deploy from the same commit: the same app is the same layers")
                    .exit(2),
            ));
        }
        let said = cluster_deploy::Said { message: args.message, attach: args.attach, plan: args.plan, share };
        return cluster_deploy::run(context, &app, target, args.cluster, said).map_err(refused);
    }
    args.cluster.refuse().map_err(refused)?;
    let start = Instant::now();
    let (client, remotes) = args.which.client(context, Some(&app.name)).map_err(refused)?;
    if args.plan {
        return Ok(Box::new(plan::make(context, &app, &client).map_err(refused)?));
    }
    let tell = |step: Step| context.terminal.tell(&step);
    if let Some(release) = args.attach {
        let live = block_on(deploy::attach(&client, &app.name, release, &tell))?;
        return finish(context, &app, &client, remotes, None, Deployed::Live(live), start.elapsed());
    }
    if let Some(reference) = &args.image {
        let said = NewRelease { image: String::new(), message: args.message, by: Some(origin::by()), git: None, share };
        let (digest, deployed) = promoted(context, &app, &client, reference, said)?;
        return finish(context, &app, &client, remotes, Some(digest), deployed, start.elapsed());
    }
    let image = pack::pack(context, &app, || block_on(deploy::recipient(&client))).map_err(refused)?;
    let (by, message) = (Some(origin::by()), args.message);
    let new = NewRelease { image: image.digest().to_string(), message, by, git, share };
    let deployed = block_on(deploy::deploy(&client, &app.name, &image, new, &tell))?;
    finish(context, &app, &client, remotes, Some(image.digest().to_string()), deployed, start.elapsed())
}

/// From the same remote, or from another one.
fn promoted(
    context: &Context,
    app: &App,
    to: &Client,
    reference: &str,
    said: NewRelease,
) -> Result<(String, Deployed)> {
    let Reference { remote, which } = Reference::parse(reference, &app.name)?;
    let tell = |step: Step| context.terminal.tell(&step);
    let Some(remote) = remote.filter(|remote| *remote != to.name) else {
        let deployed = block_on(async {
            let found = promote::find(to, &app.name, &which).await?;
            let new = NewRelease { git: found.git, ..said };
            let deployed = promote::release_there(to, &app.name, &found.digest, new, &tell).await?;
            Ok((found.digest.to_string(), deployed))
        });
        return deployed;
    };
    let (from, _) = Which { remote: Some(remote) }.client(context, Some(&app.name)).map_err(refused)?;
    let aside = tempfile::tempdir().doing(|| "make a folder for the image")?;
    block_on(async {
        let found = promote::find(&from, &app.name, &which).await?;
        let release = found.release.map(|release| format!(", {release}")).unwrap_or_default();
        context.say("Image", format!("{} of remote `{}`{release}", found.digest.short(), from.name));
        let new = NewRelease { git: found.git, ..said };
        let deployed = promote::promote(&from, to, &app.name, &found.digest, new, aside.path(), &tell).await?;
        Ok((found.digest.to_string(), deployed))
    })
}

/// The visitors it is to be tried on; none: it takes the live one's place.
fn share(args: &Args) -> Option<Share> {
    let share = Share {
        percent: args.traffic.unwrap_or_default(),
        headers: args.traffic_header.iter().cloned().collect(),
        networks: args.traffic_from.clone(),
    };
    (args.traffic.is_some() || share != Share::default()).then_some(share)
}

fn clean(git: Option<&GitState>) -> Result<()> {
    match git {
        Some(GitState { dirty: false, .. }) => Ok(()),
        Some(_) => Err(Problem::new("deploy.dirty", "the app's folder holds changes that no commit does")
            .try_running("git status")
            .hint("commit them, or deploy without `--require-clean`")),
        None => Err(Problem::new("deploy.no-commit", "the app's folder is in no repository with a commit")
            .hint("commit it, or deploy without `--require-clean`")),
    }
}

/// A problem from before anything was sent.
fn refused(mut problem: Problem) -> Problem {
    if problem.exit == 1 {
        problem.exit = exit::REFUSED;
    }
    problem
}

fn finish(
    context: &Context,
    app: &App,
    client: &Client,
    mut remotes: Remotes,
    image: Option<String>,
    deployed: Deployed,
    took: Duration,
) -> Outcome {
    let (requests, bytes_sent) = client.sent();
    let sent = format!("{} in {requests} {}", size(bytes_sent), if requests == 1 { "request" } else { "requests" });
    let (outcome, release, url) = match deployed {
        Deployed::Already(release) => {
            context.say("Unchanged", format!("{release} is live already; sent {sent}, {}", seconds(took)));
            (Ended::Unchanged, release, remotes.seen(&client.name, &app.name).map(str::to_owned))
        }
        Deployed::Live(Live { release, url, share: Some(share), .. }) => {
            let whom = traffic::said(&share);
            context.say("Gray", format!("{release} of {} for {whom} in {}; sent {sent}", app.name, seconds(took)));
            context.terminal.line(&Line::new(
                Tone::Quiet,
                "next",
                "`dae traffic 100` makes it live, `dae rollback` takes it back",
            ));
            (Ended::Gray, release, Some(url))
        }
        Deployed::Live(Live { release, url, .. }) => {
            remember(&mut remotes, client, app, &url)?;
            context.say("Live", format!("{release} of {} in {}; sent {sent}", app.name, seconds(took)));
            (Ended::Live, release, Some(url))
        }
    };
    let remote = client.name.clone();
    Ok(Box::new(Report { outcome, release, url, remote, image, bytes_sent, requests, took_ms: millis(took) }))
}

fn remember(remotes: &mut Remotes, client: &Client, app: &App, url: &str) -> Result<()> {
    if remotes.saw(&client.name, &app.name, url) { remotes.write() } else { Ok(()) }
}
