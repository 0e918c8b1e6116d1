//! `cron` in app.yaml: what runs at set times.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Schedule;
use super::reader::{Keys, Reader, nearest};
use super::script::Script;
use super::yaml::Node;
use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CronJob {
    pub name: String,
    pub schedule: Schedule,
    /// By whose clocks: an IANA name. The same on every machine, so never the machine's own.
    pub timezone: String,
    pub runs: Runs,
    #[serde(default)]
    pub overlap: Overlap,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    Script(Script),
    /// A path of the app that is asked for.
    Url(String),
}

/// What happens when a run is due while the last one still goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    #[default]
    Skip,
    Wait,
    Allow,
}

pub(super) const KEYS: &[&str] = &["name", "schedule", "timezone", "script", "url", "overlap"];
pub(super) const OVERLAPS: &[(&str, Overlap)] =
    &[("skip", Overlap::Skip), ("wait", Overlap::Wait), ("allow", Overlap::Allow)];

impl CronJob {
    /// The next runs after `after`, soonest first, without end.
    pub fn runs_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let zone = self.zone();
        std::iter::successors(self.schedule.next(after, &zone), move |last| self.schedule.next(*last, &zone))
    }

    /// Where the machine has no such time zone any more, UTC.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC)
    }
}

impl Runs {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Script(script) => script.as_str(),
            Self::Url(url) => url,
        }
    }
}

impl Reader<'_> {
    pub(super) fn cron(&mut self, keys: &Keys) -> Vec<CronJob> {
        let example = "cron: [{name: nightly, schedule: \"0 3 * * *\", script: nightly.py}]";
        let mut names = Vec::new();
        self.list(keys, "cron", example).iter().filter_map(|node| self.cron_job(node, &mut names)).collect()
    }

    fn cron_job(&mut self, node: &Node, names: &mut Vec<String>) -> Option<CronJob> {
        let keys = self.keys(node, "a cron job", KEYS)?;
        let name = self
            .required(&keys, "name", "this cron job", "name: nightly")
            .and_then(|node| self.own_name(names, node, "a cron job"));
        let schedule = self
            .required(&keys, "schedule", "this cron job", "schedule: \"0 3 * * *\"")
            .and_then(|node| self.schedule(node));
        let timezone = keys.get("timezone").map_or(Some("UTC".to_owned()), |node| self.timezone(node));
        let runs = match (keys.get("script"), keys.get("url")) {
            (Some(script), None) => self.script(script).map(Runs::Script),
            (None, Some(url)) => self.own_url(url).map(Runs::Url),
            (None, None) => {
                self.required(&keys, "script", "this cron job", "script: jobs/nightly.py` or `url: /tasks/nightly");
                None
            }
            (Some(_), Some(url)) => {
                let message = "this cron job has a `script` and a `url`";
                self.wrong(url, "cron", message, "keep one of them");
                None
            }
        };
        let overlap = self.choice(&keys, "overlap", "way to treat an overlap", OVERLAPS).unwrap_or_default();
        Some(CronJob { name: name?, schedule: schedule?, timezone: timezone?, runs: runs?, overlap })
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        let text = self.text(node, "schedule")?;
        Schedule::parse(&text)
            .map_err(|wrong| {
                let place = self.source.part_place(node, &text, wrong.at, wrong.length);
                let problem = Problem::new("app-yaml.schedule", format!("`{text}` is no schedule"));
                self.push(problem.at(place).because(wrong.why).hint(wrong.hint));
            })
            .ok()
    }

    fn timezone(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "timezone")?;
        let database = jiff::tz::db();
        if let Ok(zone) = database.get(&name) {
            return Some(zone.iana_name().unwrap_or("UTC").to_owned());
        }
        let known: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        // People know the city and not the continent.
        let city = |known: &&&str| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name.trim()));
        let hint = match nearest(&name, &names).or_else(|| names.iter().find(city).copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the time zone database, as in `Asia/Shanghai` or `UTC`".to_owned(),
        };
        self.wrong(node, "timezone", format!("`{name}` is no time zone"), hint);
        None
    }

    pub(super) fn script(&mut self, node: &Node) -> Option<Script> {
        self.command_line(node, "script", "feed.py --verbose")
    }

    /// A script under another name, written like `example`.
    pub(super) fn command_line(&mut self, node: &Node, key: &str, example: &str) -> Option<Script> {
        let text = self.text(node, key)?;
        Script::parse(&text)
            .map_err(|why| {
                self.wrong(node, key, format!("`{text}` is no command line: {why}"), format!("write `{example}`"));
            })
            .ok()
    }

    /// A path of the app's own, asked for by dae.
    pub(super) fn own_url(&mut self, node: &Node) -> Option<String> {
        let url = self.text(node, "url")?;
        if url.starts_with('/') && !url.starts_with("//") && url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(url);
        }
        self.wrong(
            node,
            "url",
            format!("`{url}` is no path of the app"),
            "begin it with one `/`, as in `/tasks/nightly`",
        );
        None
    }
}
