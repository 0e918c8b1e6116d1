//! The time zones of this machine as rows of MySQL's own tables: without them `CONVERT_TZ` and Django's date lookups fail.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::{TimeZone, db};

/// The years MySQL's time zones reach over: its loader reads 32-bit times.
const FIRST: i64 = -2_147_483_648;
const LAST: i64 = 2_147_483_647;
/// Rows in one statement: the server reads its start-up statements into a small buffer, line by line.
const ROWS: usize = 200;

/// The statements that fill the four tables; empty where the machine knows no zones.
pub fn statements() -> String {
    let (mut zones, mut names, mut kinds, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Most names are another zone's second name.
    let mut known: HashMap<Zone, usize> = HashMap::new();
    for name in db().available() {
        let name = name.as_str();
        let Ok(zone) = db().get(name) else { continue };
        let zone = Zone::of(&zone);
        let next = known.len() + 1;
        let id = *known.entry(zone.clone()).or_insert(next);
        names.push(format!("('{name}',{id})"));
        if id != next {
            continue;
        }
        zones.push(format!("({id},'N')"));
        for (kind, (offset, summer, short)) in zone.kinds.iter().enumerate() {
            kinds.push(format!("({id},{kind},{offset},{},'{short}')", u8::from(*summer)));
        }
        changes.extend(zone.changes.iter().map(|(at, kind)| format!("({id},{at},{kind})")));
    }
    let mut text = String::new();
    for (table, rows) in [
        ("time_zone (Time_zone_id, Use_leap_seconds)", zones),
        ("time_zone_name (Name, Time_zone_id)", names),
        ("time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation)", kinds),
        ("time_zone_transition (Time_zone_id, Transition_time, Transition_type_id)", changes),
    ] {
        for rows in rows.chunks(ROWS) {
            let _ = writeln!(text, "INSERT INTO mysql.{table} VALUES\n{};", rows.join(",\n"));
        }
    }
    text
}

/// A zone as MySQL has it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Zone {
    /// Offset in seconds, whether it is summer time, the short name. The first holds before the first change.
    kinds: Vec<(i32, bool, String)>,
    /// From this second on that kind holds.
    changes: Vec<(i64, usize)>,
}

impl Zone {
    fn of(zone: &TimeZone) -> Self {
        let mut this = Self { kinds: Vec::new(), changes: Vec::new() };
        let first = Timestamp::from_second(FIRST).unwrap_or(Timestamp::MIN);
        let info = zone.to_offset_info(first);
        this.kind(info.offset().seconds(), info.dst().is_dst(), info.abbreviation());
        for change in zone.following(first) {
            let at = change.timestamp().as_second();
            if at > LAST {
                break;
            }
            let kind = this.kind(change.offset().seconds(), change.dst().is_dst(), change.abbreviation());
            this.changes.push((at, kind));
        }
        this
    }

    fn kind(&mut self, offset: i32, summer: bool, short: &str) -> usize {
        let short: String = short.chars().filter(|c| c.is_ascii_alphanumeric() || "+-".contains(*c)).take(8).collect();
        let kind = (offset, summer, short);
        self.kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_kinds_and_changes() {
        let Ok(berlin) = db().get("Europe/Berlin") else { return };
        let zone = Zone::of(&berlin);
        let at = |second: i64| {
            let kind = zone.changes.iter().rev().find(|(from, _)| *from <= second).map_or(0, |(_, kind)| *kind);
            zone.kinds[kind].clone()
        };
        assert_eq!(at(1_720_000_000), (7200, true, "CEST".into()));
        assert_eq!(at(1_705_000_000), (3600, false, "CET".into()));
        // The last summer that is told of.
        assert_eq!(at(2_130_000_000), (7200, true, "CEST".into()));
    }

    #[test]
    fn statements_are_short_enough_for_the_server() {
        let text = statements();
        // sql_bootstrap.h: MAX_BOOTSTRAP_QUERY_SIZE.
        assert!(text.split_inclusive(";\n").all(|statement| statement.len() < 20_000));
    }
}
