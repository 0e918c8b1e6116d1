//! When cron jobs run, against croniter: another implementation, by other people, from PyPI.

use crate::harness::{Place, python, shared_cache};

/// Schedule, time zone, moment. Away from changes of the clocks, where every cron agrees.
const CASES: &[(&str, &str)] = &[
    ("* * * * *", "UTC"),
    ("*/5 * * * *", "UTC"),
    ("*/7 * * * *", "UTC"),
    ("0 * * * *", "UTC"),
    ("30 * * * *", "UTC"),
    ("0 0 * * *", "UTC"),
    ("0 3 * * *", "Asia/Shanghai"),
    ("15 14 1 * *", "UTC"),
    ("0 22 * * 1-5", "UTC"),
    ("23 0-20/2 * * *", "UTC"),
    ("5 4 * * sun", "UTC"),
    ("0 0 * * 7", "UTC"),
    ("0 0 * * 0", "UTC"),
    ("0 0,12 1 */2 *", "UTC"),
    ("0 4 8-14 * *", "UTC"),
    ("0 0 1,15 * 3", "UTC"),
    ("0 0 1 1 *", "UTC"),
    ("0 0 29 2 *", "UTC"),
    ("0 0 31 * *", "UTC"),
    ("0 0 30 * *", "UTC"),
    ("59 23 31 12 *", "UTC"),
    ("0 0 * feb *", "UTC"),
    ("0 0 * jan,jul mon", "UTC"),
    ("0 9 * * mon-fri", "Asia/Shanghai"),
    ("*/15 9-17 * * mon-fri", "Asia/Kolkata"),
    ("0 12 * * fri", "Asia/Kathmandu"),
    ("10-20 3 * * *", "UTC"),
    ("10-50/20 3 * * *", "UTC"),
    ("1,2,3,5,8,13 * * * *", "UTC"),
    ("0 1-5,20-23 * * *", "UTC"),
    ("0 0 1-7 * *", "UTC"),
    ("*/59 * * * *", "UTC"),
    ("0 */23 * * *", "UTC"),
    ("0 0 */30 * *", "UTC"),
    ("0 0 1 */11 *", "UTC"),
    ("0 0 * * */2", "UTC"),
    ("0 0 * * */3", "UTC"),
    ("0 6 * * 1,3,5", "UTC"),
    ("45 23 28-31 * *", "UTC"),
    ("0 0 13 * 5", "UTC"),
    ("0 0 * * 6,0", "UTC"),
    ("0 0 * * sat,sun", "UTC"),
    ("0 0 * 2-4 *", "UTC"),
    ("0 0 * oct-dec *", "UTC"),
    ("7 7 7 7 *", "UTC"),
    ("@yearly", "UTC"),
    ("@annually", "UTC"),
    ("@monthly", "UTC"),
    ("@weekly", "UTC"),
    ("@daily", "UTC"),
    ("@midnight", "UTC"),
    ("@hourly", "UTC"),
    ("0 8 * * *", "America/New_York"),
    ("0 8 * * *", "Europe/London"),
    ("30 6 * * *", "Australia/Lord_Howe"),
    ("0 12 * * *", "Pacific/Apia"),
    ("0 23 * * *", "Pacific/Chatham"),
    ("20 5 * * 2", "Africa/Cairo"),
    ("0 0 1 3,6,9,12 *", "Asia/Tokyo"),
    ("5/20 * * * *", "UTC"),
    ("0 5/6 * * *", "UTC"),
    ("58-59 23 * * *", "America/Sao_Paulo"),
    ("0 0 ? * mon", "UTC"),
    ("00 03 * * 01", "UTC"),
];

const CRONITER: &str = "
import datetime, json, sys, zoneinfo
from croniter import croniter
cases, moments, count = json.load(sys.stdin)
out = []
for text, zone in cases:
    for moment in moments:
        start = datetime.datetime.fromisoformat(moment).astimezone(zoneinfo.ZoneInfo(zone))
        runs = croniter(text, start)
        out.append([runs.get_next(datetime.datetime).astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ') for _ in range(count)])
json.dump(out, sys.stdout)
";

#[test]
fn croniter_agrees_where_clocks_stand_still() {
    use std::io::Write as _;
    let place = Place::new();
    let target = shared_cache().join("croniter-7.0.0");
    if !target.join("croniter").is_dir() {
        let args = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "croniter==7.0.0", "--target"];
        place.command(python(), args).arg(&target).ok();
    }
    let moments = ["2026-01-07T10:17:30+00:00", "2026-06-15T23:59:59+00:00", "2027-12-05T00:00:00+00:00"];
    let input = serde_json::to_string(&(CASES, moments, 4)).unwrap();
    let mut child = std::process::Command::new(python())
        .args(["-c", CRONITER])
        .env("PYTHONPATH", &target)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success());
    let theirs: Vec<Vec<String>> = serde_json::from_slice(&said.stdout).unwrap();
    let mut theirs = theirs.into_iter();
    let mut differ = Vec::new();
    for (text, zone) in CASES {
        let schedule = dae::app::Schedule::parse(text).unwrap();
        let zone_of = jiff::tz::TimeZone::get(zone).unwrap();
        for moment in moments {
            let after: jiff::Timestamp = moment.parse().unwrap();
            let runs = std::iter::successors(schedule.next(after, &zone_of), |last| schedule.next(*last, &zone_of));
            let ours: Vec<String> = runs.take(4).map(|run| run.to_string()).collect();
            let theirs = theirs.next().unwrap();
            if ours != theirs {
                differ.push(format!("{text} {zone} after {moment}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        }
    }
    assert!(CASES.len() >= 60 && differ.is_empty(), "{}", differ.join("\n"));
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
