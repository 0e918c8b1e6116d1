//! `dae traffic`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::problem::{Problem, Result};
use crate::remote::Client;
use crate::remote::api::{Gray, ReleaseId, Share, Traffic, TrafficChange};
use crate::remote::kubernetes::Word;
use crate::term::{Paint, Text, Tone};

/// Show or change which visitors get the release that is tried
///
/// `dae deploy --traffic 10` tries a release beside the live one, on a tenth of the visitors. A visitor stays where they are, by a cookie
/// with a number below 100; a larger share adds visitors and moves none. `dae traffic 50` is half of them, `dae traffic 100` makes it the
/// live one, `dae traffic 0` takes it back, as `dae rollback` does. Daemons, queue workers and scheduled tasks stay with the live one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The share of the release that is tried, of a hundred: `50`, or `r42=50`
    #[arg(value_name = "[REL=]PCT")]
    pub shares: Vec<String>,
    /// Every request with this header too
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub header: Vec<(String, String)>,
    /// Every request from this network too, as `10.0.0.0/8`
    #[arg(long, value_name = "NETWORK")]
    pub from: Vec<String>,
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
}

#[derive(Serialize)]
pub struct Report {
    pub remote: String,
    #[serde(flatten)]
    pub found: Traffic,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        let Traffic { app, live, gray } = &self.found;
        let Some(live) = live else { return format!("nothing of {app} is live on {}", self.remote) };
        let row = |id: ReleaseId, percent: u8, state: &str, tone: Tone, more: &str| {
            let state = paint.tone(tone, &format!("{state:9}"));
            format!("{:6}{state}{percent:>3} %{more}", id.to_string())
        };
        match gray {
            None => row(*live, 100, "live", Tone::Good, ""),
            Some(Gray { release, share }) => {
                let rules = rules(share);
                let rules = if rules.is_empty() { rules } else { format!(" and {rules}") };
                let rest = 100_u8.saturating_sub(share.percent);
                let lines = [
                    row(*live, rest, "live", Tone::Good, ""),
                    row(*release, share.percent, "gray", Tone::Warning, &rules),
                ];
                lines.join("\n")
            }
        }
    }
}

/// The visitors a share names beside those it counts.
fn rules(share: &Share) -> String {
    let headers = share.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let networks = share.networks.iter().map(|network| format!("from {network}"));
    headers.chain(networks).collect::<Vec<_>>().join(", ")
}

/// `10 % of the visitors and X-Gray: yes`.
pub fn said(share: &Share) -> String {
    let rules = rules(share);
    match (share.percent, rules.is_empty()) {
        (percent, true) => format!("{percent} % of the visitors"),
        (0, false) => format!("visitors with {rules}"),
        (percent, false) => format!("{percent} % of the visitors and {rules}"),
    }
}

/// `NAME=VALUE`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let shares = parse(&args.shares)?;
    let app = args.app.name(context)?;
    let rules = (args.header.into_iter().collect(), args.from);
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let found = block_on(async {
            let api = target.connect().await?;
            let tell = |word: Word| context.terminal.tell(&word);
            let rollout = cluster::rollout(&api, &app, &tell);
            let found = rollout.traffic().await?;
            let Some(change) = wanted(&found, &shares, rules)? else { return Ok(found) };
            let found = rollout.change_traffic(&change).await?;
            told(context, &found);
            Ok(found)
        })?;
        return Ok(Box::new(Report { remote: target.name, found }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let found = block_on(async {
        let found = client.traffic(&app).await?;
        let Some(change) = wanted(&found, &shares, rules)? else { return Ok(found) };
        changed(&client, &found, &change, context).await
    })?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}

async fn changed(client: &Client, before: &Traffic, change: &TrafficChange, context: &Context) -> Result<Traffic> {
    let found = client.change_traffic(&before.app, change, before.live).await?;
    told(context, &found);
    Ok(found)
}

fn told(context: &Context, found: &Traffic) {
    let app = &found.app;
    match (&found.gray, found.live) {
        (Some(Gray { release, share }), _) => context.say("Gray", format!("{release} of {app} for {}", said(share))),
        (None, Some(live)) => context.say("Live", format!("{live} of {app}, for all visitors")),
        (None, None) => {}
    }
}

/// What is to change. What rules there are stay when none are given, but for the end of the trial.
fn wanted(
    found: &Traffic,
    shares: &[(Option<ReleaseId>, u8)],
    (headers, networks): (BTreeMap<String, String>, Vec<String>),
) -> Result<Option<TrafficChange>> {
    let has_rules = !headers.is_empty() || !networks.is_empty();
    if shares.is_empty() && !has_rules {
        return Ok(None);
    }
    let gray = found.gray.as_ref();
    let is_live = |id: &Option<ReleaseId>| id.is_some() && *id == found.live;
    let all: u32 = shares.iter().map(|(_, percent)| u32::from(*percent)).sum();
    let percents = match shares {
        [] => gray.map_or(0, |gray| gray.share.percent),
        [(id, percent)] if is_live(id) => 100 - percent,
        [(_, percent)] => *percent,
        [(one, _), (other, percent)] if is_live(one) && !is_live(other) && all == 100 => *percent,
        [(one, percent), (other, _)] if is_live(other) && !is_live(one) && all == 100 => *percent,
        _ => {
            return Err(Problem::new(
                "traffic.shares",
                "there are two releases at most, and their shares are 100 in all",
            )
            .hint("the share of the one that is tried is enough: `dae traffic 50`")
            .exit(2));
        }
    };
    let release = shares.iter().find_map(|(id, _)| id.filter(|id| Some(*id) != found.live));
    let share = if has_rules || percents == 0 {
        Share { percent: percents, headers, networks }
    } else {
        Share { percent: percents, ..gray.map(|gray| gray.share.clone()).unwrap_or_default() }
    };
    Ok(Some(TrafficChange { release: release.or(gray.map(|gray| gray.release)), share }))
}

fn parse(shares: &[String]) -> Result<Vec<(Option<ReleaseId>, u8)>> {
    let one = |text: &String| {
        let (id, percent) = match text.split_once('=') {
            Some((id, percent)) => (Some(id.parse()?), percent),
            None => (None, text.as_str()),
        };
        let percent = percent.trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100);
        let percent = percent.ok_or_else(|| {
            Problem::new("traffic.form", format!("`{text}` is no share of the visitors"))
                .hint("write `dae traffic 50`, or `dae traffic r42=50`")
                .exit(2)
        })?;
        Ok((id, percent))
    };
    shares.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppName;

    fn change(given: &[&str], header: Option<&str>) -> Result<Option<TrafficChange>> {
        let share = Share { percent: 10, headers: [("X-A".to_owned(), "1".to_owned())].into(), networks: Vec::new() };
        let gray = Some(Gray { release: ReleaseId(42), share });
        let found = Traffic { app: AppName::parse("a").unwrap(), live: Some(ReleaseId(41)), gray };
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        let headers = header.map(|text| super::header(text).unwrap()).into_iter().collect();
        wanted(&found, &parse(&given)?, (headers, Vec::new()))
    }

    #[test]
    fn what_is_typed_becomes_a_share() {
        let said = |given: &[&str], header| {
            let TrafficChange { release, share } = change(given, header).unwrap().unwrap();
            format!("{} {}", release.unwrap(), super::said(&share))
        };
        assert_eq!(said(&["50"], None), "r42 50 % of the visitors and X-A: 1");
        assert_eq!(said(&["50%"], Some("X-B=2")), "r42 50 % of the visitors and X-B: 2");
        assert_eq!(said(&["0"], None), "r42 0 % of the visitors");
        assert_eq!(said(&["0"], Some("X-B=2")), "r42 visitors with X-B: 2");
        assert_eq!(said(&[], Some("X-B=2")), "r42 10 % of the visitors and X-B: 2");
        assert_eq!(said(&["r41=30"], None), "r42 70 % of the visitors and X-A: 1");
        assert_eq!(said(&["r41=30", "r42=70"], None), "r42 70 % of the visitors and X-A: 1");
        assert_eq!(said(&["r7=30"], None), "r7 30 % of the visitors and X-A: 1");
        assert_eq!(change(&[], None).unwrap(), None);
        for bad in [&["101"][..], &["x"], &["r42=-1"], &["r42=10", "r41=10"], &["1", "2", "3"], &["r42=50", "r43=50"]] {
            assert_eq!(change(bad, None).unwrap_err().exit, 2, "{bad:?}");
        }
    }
}
