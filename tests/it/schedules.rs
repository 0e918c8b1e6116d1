//! When cron jobs run, against two other implementations by other people, from PyPI: croniter, and cronsim, which does as Debian's
//! cron does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::harness::Place;
use crate::mail::python_with;

/// Schedules, zones and moments; about half of them shortly before a change of the clocks.
const TABLE: &str = include_str!("../cron/table.txt");
/// Lines of the table where croniter goes by a rule of its own at a change of the clocks: it runs twice what is put back, or runs
/// what was skipped before the gap. Debian's cron does neither.
const CRONITERS_OWN: &[usize] = &[
    65, 71, 73, 81, 84, 91, 93, 95, 105, 106, 122, 137, 145, 148, 155, 160, 168, 169, 180, 182, 201, 212, 216, 224,
    226, 228,
];
/// Where cronsim goes by one: it steps by whole hours over half an hour that is skipped, and so over a full hour.
const CRONSIMS_OWN: &[usize] = &[176];

/// Asks both for the same: each answers with a list of lists of moments.
const OTHERS: &str = "
import datetime, json, sys, zoneinfo
from croniter import croniter
from cronsim import CronSim

def utc(run):
    return run.astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')

out = {'croniter': [], 'cronsim': []}
for text, zone, moment in json.load(sys.stdin):
    start = datetime.datetime.fromisoformat(moment.replace('Z', '+00:00')).astimezone(zoneinfo.ZoneInfo(zone))
    runs = croniter(text, start)
    out['croniter'].append([utc(runs.get_next(datetime.datetime)) for _ in range(50)])
    runs = CronSim(text, start)
    out['cronsim'].append([utc(next(runs)) for _ in range(50)])
json.dump(out, sys.stdout)
";

#[test]
fn two_others_agree_on_the_next_fifty_runs() {
    let place = Place::new();
    let python = python_with(&place, "cron", &["croniter==7.0.0", "cronsim==2.8"]);
    let lines: Vec<Vec<&str>> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(lines.len() >= 200);
    place.write("cases.json", serde_json::to_string(&lines).unwrap());
    let script = format!("import sys\nsys.stdin = open('cases.json')\n{OTHERS}");
    let theirs: BTreeMap<String, Vec<Vec<String>>> =
        serde_json::from_str(&place.command(python, ["-c", &script]).ok().stdout).unwrap();
    let mut differ: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut told = String::new();
    for (number, line) in lines.iter().enumerate() {
        let [text, zone, moment] = line[..] else { panic!("{line:?}") };
        let schedule = dae::app::Schedule::parse(text).unwrap();
        let zone_of = jiff::tz::TimeZone::get(zone).unwrap();
        let first = schedule.next(moment.parse().unwrap(), &zone_of);
        let runs = std::iter::successors(first, |last| schedule.next(*last, &zone_of));
        let ours: Vec<String> = runs.take(50).map(|run| run.to_string()).collect();
        for (who, theirs) in &theirs {
            let first = std::iter::zip(&ours, &theirs[number]).position(|(ours, theirs)| ours != theirs);
            if let Some(at) = first {
                differ.entry(who).or_default().push(number + 1);
                let (ours, theirs) = (&ours[at], &theirs[number][at]);
                let _ = writeln!(told, "{}: {text} {zone}, run {}: ours {ours}, {who} {theirs}", number + 1, at + 1);
            }
        }
    }
    assert_eq!(differ["cronsim"], CRONSIMS_OWN, "{told}");
    assert_eq!(differ["croniter"], CRONITERS_OWN, "{told}");
    // No line stands on our word alone.
    assert!(CRONSIMS_OWN.iter().all(|line| !CRONITERS_OWN.contains(line)));
}

#[test]
fn dae_cron_list_prints_the_next_runs() {
    let place = Place::new();
    place.write("a/app.py", "").write(
        "a/app.yaml",
        "application: a\nhandlers: [{url: /.*, wsgi_app: app:app}]\ncron:\n\
         - {name: nightly, schedule: \"30 2 * * *\", timezone: America/New_York, script: jobs/nightly.py}\n\
         - {name: often, schedule: every 12 hours, url: /tasks/often, overlap: wait}\n",
    );
    let list = |args: &[&str]| {
        let first = ["-C", "a", "cron", "list", "--at", "2026-03-07T00:00:00Z"];
        place.dae(first.iter().chain(args)).ok()
    };
    insta::assert_snapshot!(list(&[]).stdout, @"
    nightly  30 2 * * *  America/New_York  jobs/nightly.py
      2026-03-07T02:30:00-05:00
      2026-03-08T03:00:00-04:00
      2026-03-09T02:30:00-04:00
      2026-03-10T02:30:00-04:00
      2026-03-11T02:30:00-04:00
      2026-03-12T02:30:00-04:00
      2026-03-13T02:30:00-04:00
      2026-03-14T02:30:00-04:00
      2026-03-15T02:30:00-04:00
      2026-03-16T02:30:00-04:00

    often  every 12 hours  UTC  /tasks/often
      2026-03-07T12:00:00+00:00
      2026-03-08T00:00:00+00:00
      2026-03-08T12:00:00+00:00
      2026-03-09T00:00:00+00:00
      2026-03-09T12:00:00+00:00
      2026-03-10T00:00:00+00:00
      2026-03-10T12:00:00+00:00
      2026-03-11T00:00:00+00:00
      2026-03-11T12:00:00+00:00
      2026-03-12T00:00:00+00:00
    ");
    insta::assert_snapshot!(list(&["often", "-n", "1", "--json"]).stdout, @r#"{"jobs":[{"name":"often","next":["2026-03-07T12:00:00+00:00"],"overlap":"wait","paused":false,"schedule":"every 12 hours","timezone":"UTC","url":"/tasks/often"}]}"#);
    assert_eq!(place.dae(["-C", "a", "cron", "list", "none"]).run().code, 1);
}
