//! `dae logs`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::cluster::Target;
use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome};
use crate::app::{self, App, AppName};
use crate::dev_server::Session;
use crate::problem::{Problem, Result};
use crate::remote::Remotes;
use crate::remote::api::{LogLine, ReleaseId};
use crate::remote::client::Lines;
use crate::remote::kubernetes::logs::{Logs, Said};
use crate::services::logs::{Follow, Level, Line, read};
use crate::term::{Done, Event, Paint, Report, Shown, Text};

/// Show what the app's processes printed, and what they sent to Scribe
///
/// Of the app in this folder, as it is served here; of the deployed one with `--remote`, and where it is not served here but
/// a remote is chosen.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub lines: usize,
    /// Go on as they come
    #[arg(short, long, conflicts_with = "release")]
    pub follow: bool,
    /// Only of this process, as `web`, or category, as `scribe/app`
    #[arg(long, value_name = "NAME")]
    pub process: Option<String>,
    /// Only this level and above: debug, info, warning, error, critical
    #[arg(long, value_name = "LEVEL", value_parser = Level::parse)]
    pub level: Option<Level>,
    /// Only since then: `10m`, `2h`, `1d`, or a time as `2026-03-08T00:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "REGEX", value_parser = regex::Regex::new)]
    pub grep: Option<regex::Regex>,
    /// Of the access log: a line for every answer its visitors got
    #[arg(long, conflicts_with_all = ["process", "level", "since", "grep", "release"])]
    pub access: bool,
    /// Only of this release's start
    #[arg(long, value_name = "REL")]
    pub release: Option<ReleaseId>,
}

/// A line that was printed this instant.
struct Printed(LogLine);

impl Event for Printed {
    fn show(&self) -> Shown<'_> {
        Shown::Answer(&self.0.line)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "event": "line", "process": self.0.process, "line": self.0.line })
    }
}

/// The same of a pod.
struct Heard {
    said: Said,
    /// With the name of the pod: there is more than one.
    text: String,
}

impl From<Said> for Heard {
    fn from(said: Said) -> Self {
        let text = format!("{}  {}", said.pod, said.line);
        Self { said, text }
    }
}

impl Event for Heard {
    fn show(&self) -> Shown<'_> {
        Shown::Answer(&self.text)
    }

    fn json(&self) -> serde_json::Value {
        let Said { pod, process, line } = &self.said;
        serde_json::json!({ "event": "line", "pod": pod, "process": process, "line": line })
    }
}

#[derive(Serialize)]
struct Remote {
    remote: String,
    lines: Vec<String>,
}

impl Text for Remote {
    fn text(&self, _: Paint) -> String {
        self.lines.join("\n")
    }
}

#[derive(Serialize)]
struct Local {
    lines: Vec<Line>,
}

impl Text for Local {
    fn text(&self, paint: Paint) -> String {
        let one = |line: &Line| Text::text(&One(line.clone()), paint);
        self.lines.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

/// A line that came while somebody follows.
#[derive(Serialize)]
#[serde(transparent)]
struct One(Line);

impl Text for One {
    fn text(&self, paint: Paint) -> String {
        let Line { time, process, level, text } = &self.0;
        let zone = jiff::tz::TimeZone::system();
        let time = time.map_or_else(|| " ".repeat(8), |time| time.to_zoned(zone).strftime("%H:%M:%S").to_string());
        // Nothing that was logged may steer the terminal.
        let text = text.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
        let text = if *level >= Level::Error { paint.bad(&text) } else { text };
        format!("{} {} {text}", paint.dim(&time), paint.key(process))
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    match here(&args, context)? {
        Some(app) => local(&args, &app, context),
        None => remote(&args, context),
    }
}

/// The app whose logs on this machine are meant.
fn here(args: &Args, context: &Context) -> Result<Option<App>> {
    let said = args.which.remote.is_some() || context.remote.is_some() || args.app.app.is_some();
    if said || args.release.is_some() || args.access {
        return Ok(None);
    }
    let (app, _) = App::read(&app::find(&context.cwd)?)?;
    let chosen = || Ok::<_, Problem>(Remotes::read(&context.dirs.config)?.pick(None, Some(&app.name)).is_ok());
    let local_only = args.level.is_some() || args.since.is_some() || args.grep.is_some();
    Ok((local_only || Session::server(&app.root)?.is_some() || !chosen()?).then_some(app))
}

fn remote(args: &Args, context: &Context) -> Outcome {
    let only_here =
        [("--level", args.level.is_some()), ("--since", args.since.is_some()), ("--grep", args.grep.is_some())];
    if let Some((flag, _)) = only_here.iter().find(|(_, given)| *given) {
        return Err(Problem::new("logs.remote", format!("`{flag}` is for an app that is served here"))
            .hint("of a remote `-n`, `-f`, `--process` and `--release` can be asked for")
            .exit(2));
    }
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))?.filter(|_| !args.access) {
        return block_on(of_cluster(args, &target, &app, context));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let wanted =
        Lines { count: args.lines, process: args.process.as_deref(), release: args.release, access: args.access };
    if args.follow {
        let mut hear = |line: LogLine| context.terminal.tell(&Printed(line));
        let followed = client.follow_logs(&app, &wanted, &mut hear);
        return block_on(until_enough(followed));
    }
    let text = block_on(client.logs(&app, &wanted))?;
    Ok(Box::new(Remote { remote: client.name.clone(), lines: text.lines().map(str::to_owned).collect() }))
}

/// Until whoever reads has had enough.
async fn until_enough(followed: impl Future<Output = Result<()>>) -> Outcome {
    tokio::select! {
        ended = followed => ended?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(Box::new(Done::default()) as Box<dyn Report>)
}

async fn of_cluster(args: &Args, target: &Target, app: &AppName, context: &Context) -> Outcome {
    let api = target.connect().await?;
    let (process, release) = (args.process.as_deref(), args.release);
    let logs = Logs { api: &api, app, process, release, lines: args.lines };
    if args.follow {
        let mut hear = |said: Said| context.terminal.tell(&Heard::from(said));
        return until_enough(logs.follow(&mut hear)).await;
    }
    let said = logs.last().await?;
    let several = said.iter().any(|line| line.pod != said[0].pod);
    let line = |said: Said| if several { Heard::from(said).text } else { said.line };
    let lines = said.into_iter().map(line).collect();
    Ok(Box::new(Remote { remote: target.name.clone(), lines }))
}

/// How often it is looked for new lines.
const PAUSE: Duration = Duration::from_millis(150);

fn local(args: &Args, app: &App, context: &Context) -> Outcome {
    let folders = folders(&app.root, app);
    // Before what is there is read: nothing falls between.
    let follow = if args.follow { Some(Follow::new(folders.clone())?) } else { None };
    let (mut last, mut processes) = (VecDeque::new(), Vec::new());
    read(&folders, |line| {
        if !processes.contains(&line.process) {
            processes.push(line.process.clone());
        }
        if wanted(args, &line) {
            if last.len() == args.lines {
                last.pop_front();
            }
            if args.lines > 0 {
                last.push_back(line);
            }
        }
    })?;
    if let Some(name) =
        args.process.as_ref().filter(|name| !args.follow && !processes.iter().any(|known| is_of(known, name)))
    {
        let problem = Problem::new("logs.process", format!("there is no log of a process `{name}`"));
        processes.sort();
        return Err(if processes.is_empty() {
            problem.try_running("dae serve")
        } else {
            problem.hint(format!("there is: {}", processes.join(", ")))
        });
    }
    let Some(mut follow) = follow else { return Ok(Box::new(Local { lines: last.into() })) };
    for line in last {
        context.terminal.answer(&One(line));
    }
    // Until Ctrl-C, or until nobody reads any more.
    loop {
        std::thread::sleep(PAUSE);
        let mut lines = Vec::new();
        follow.next(|line| lines.push(line))?;
        lines.sort_by_key(|line| line.time);
        for line in lines.into_iter().filter(|line| wanted(args, line)) {
            context.terminal.answer(&One(line));
        }
    }
}

fn folders(root: &Path, app: &App) -> Vec<(PathBuf, &'static str)> {
    let logs = root.join(".dae/logs");
    vec![(logs.join(app.name.as_str()), ""), (logs.join("scribe"), "scribe/")]
}

/// `twin` is `twin.1` and `twin.2` too.
fn is_of(process: &str, name: &str) -> bool {
    process == name || process.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

fn wanted(args: &Args, line: &Line) -> bool {
    args.process.as_ref().is_none_or(|name| is_of(&line.process, name))
        && args.level.is_none_or(|level| line.level >= level)
        && args.since.is_none_or(|since| line.time.is_some_and(|time| time >= since))
        && args.grep.as_ref().is_none_or(|pattern| pattern.is_match(&line.text))
}

/// A time, or how long ago.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        return local.to_zoned(jiff::tz::TimeZone::system()).map(|time| time.timestamp()).map_err(|e| e.to_string());
    }
    let ago: SignedDuration = match text.strip_suffix('d').and_then(|days| days.trim().parse::<i64>().ok()) {
        Some(days) => SignedDuration::from_hours(days.saturating_mul(24).min(876_000)),
        None => text.parse().map_err(|_| "say how long ago, `10m`, `2h`, `1d`, or a time, `2026-03-08T00:00:00Z`")?,
    };
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_several_ways() {
        let ago = |text: &str| (Timestamp::now().as_second() - since(text).unwrap().as_second() + 5) / 10 * 10;
        assert_eq!((ago("10m"), ago("2h"), ago("1d"), ago("1h 30m")), (600, 7200, 86_400, 5400));
        assert_eq!(since("2026-03-08T00:00:00Z").unwrap().as_second(), 1_772_928_000);
        assert!(since("2026-03-08 10:00").is_ok());
        assert!(since("yesterday").is_err());
    }
}
