//! When a cron job runs: the five fields of crontab(5), `@daily` and its like, and `every 5 minutes` in words.
//!
//! Where both days are given, day of month and day of week, either is enough, as in every cron. When clocks are put forward, a
//! job at a fixed time that would be skipped runs right after the gap; when they are put back, it runs once. A job whose minute
//! or hour is `*` goes by real time: every five minutes is every five minutes on those days too.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::reader::{nearest, words};

/// A schedule that comes round at least once in some years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    /// Minutes of a day, rising.
    times: Vec<u16>,
    days: Days,
    goes_by: GoesBy,
}

/// Bits; bit 0 of `weekdays` is Sunday.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Days {
    of_month: u32,
    months: u16,
    weekdays: u8,
    both_given: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoesBy {
    /// The clock on the wall.
    Wall,
    /// Time as it passes.
    RealTime,
}

/// What is wrong with a schedule: `length` characters from `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub at: usize,
    pub length: usize,
    pub why: String,
    pub hint: String,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const LONG_WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const DAY: u16 = 24 * 60;
/// In this many days every date there is has come: 29 February may be eight years off.
const LONGEST: usize = 8 * 366 + 2;

/// One of the five fields.
struct Field {
    what: &'static str,
    range: RangeInclusive<u8>,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { what: "minute", range: 0..=59, names: &[] },
    Field { what: "hour", range: 0..=23, names: &[] },
    Field { what: "day of the month", range: 1..=31, names: &[] },
    Field { what: "month", range: 1..=12, names: &MONTHS },
    Field { what: "day of the week", range: 0..=7, names: &WEEKDAYS },
];

impl Schedule {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let whole = |why: &str, hint: &str| Wrong {
            at: 0,
            length: text.chars().count(),
            why: why.to_owned(),
            hint: hint.to_owned(),
        };
        let trimmed = text.trim();
        let (times, days, goes_by) = match trimmed {
            "" => return Err(whole("it is empty", "write `0 3 * * *` or `every 5 minutes`")),
            "@yearly" | "@annually" => fields("0 0 1 1 *")?,
            "@monthly" => fields("0 0 1 * *")?,
            "@weekly" => fields("0 0 * * 0")?,
            "@daily" | "@midnight" => fields("0 0 * * *")?,
            "@hourly" => fields("0 * * * *")?,
            "@reboot" => return Err(whole("an app has no reboot", "put it under `daemons`, which start with the app")),
            _ if trimmed.starts_with('@') => {
                let known = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"];
                let hint = match nearest(trimmed, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", words(&known)),
                };
                return Err(whole(&format!("`{trimmed}` is not known"), &hint));
            }
            _ if trimmed.to_lowercase().starts_with("every") => {
                every(&trimmed.to_lowercase()).map_err(|(why, hint)| whole(&why, &hint))?
            }
            _ => fields(text)?,
        };
        let schedule = Self { text: trimmed.to_owned(), times, days, goes_by };
        let start = Timestamp::UNIX_EPOCH;
        if schedule.next(start, &TimeZone::UTC).is_none() {
            return Err(whole("there is no such day", "look at the day of the month and the month"));
        }
        Ok(schedule)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same in the five fields that every cron takes, numbers only; several lines where one cannot say it.
    pub fn crontab(&self) -> Vec<String> {
        let mut hours_of: std::collections::BTreeMap<Vec<u16>, Vec<u16>> = std::collections::BTreeMap::new();
        for hour in 0..24 {
            let minutes: Vec<u16> = self.times.iter().filter(|time| *time / 60 == hour).map(|time| time % 60).collect();
            if !minutes.is_empty() {
                hours_of.entry(minutes).or_default().push(hour);
            }
        }
        let bits = |set: u32, range: RangeInclusive<u16>| range.filter(|bit| set >> bit & 1 == 1).collect::<Vec<_>>();
        let Days { of_month, months, weekdays, both_given } = &self.days;
        // A day that must not be `*` although it is all of them, because either day is enough then.
        let day = |set: Vec<u16>, range: RangeInclusive<u16>| {
            if *both_given && set.len() == range.clone().count() {
                return format!("{}-{}", range.start(), range.end());
            }
            list(&set, range)
        };
        let days = [
            day(bits(*of_month, 1..=31), 1..=31),
            list(&bits((*months).into(), 1..=12), 1..=12),
            day(bits((*weekdays).into(), 0..=6), 0..=6),
        ];
        let line = |(minutes, hours): (Vec<u16>, Vec<u16>)| {
            format!("{} {} {}", list(&minutes, 0..=59), list(&hours, 0..=23), days.join(" "))
        };
        hours_of.into_iter().map(line).collect()
    }

    /// The first run after `after`, by the clocks of `zone`; `None` only at the end of time.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self.goes_by {
            GoesBy::Wall => self.next_by_wall(after, zone),
            GoesBy::RealTime => self.next_by_real_time(after, zone),
        }
    }

    fn next_by_wall(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut wall = zone.to_datetime(after);
        loop {
            wall = self.next_on_wall(wall)?;
            let ambiguous = zone.to_ambiguous_timestamp(wall);
            let at = match ambiguous.offset() {
                AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok()?,
                AmbiguousOffset::Gap { .. } => {
                    let beyond = ambiguous.later().ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
                    zone.preceding(beyond).next()?.timestamp()
                }
            };
            if at > after {
                return Some(at);
            }
        }
    }

    /// From one change of the clocks to the next, within which the wall and real time go together.
    fn next_by_real_time(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut after = after;
        let end = after.checked_add(SignedDuration::from_hours(24 * i64::try_from(LONGEST).ok()?)).ok()?;
        while after < end {
            let change = zone.following(after).next().map(|change| change.timestamp());
            let offset = zone.to_offset(after);
            if let Some(wall) = self.next_on_wall(offset.to_datetime(after)) {
                let at = offset.to_timestamp(wall).ok()?;
                if change.is_none_or(|change| at < change) {
                    return Some(at);
                }
            }
            let change = change?;
            // The very moment of the change is a moment of the new time.
            let wall = zone.to_datetime(change);
            if wall.second() == 0 && self.is_on_wall(wall) {
                return Some(change);
            }
            after = change;
        }
        None
    }

    fn is_on_wall(&self, wall: DateTime) -> bool {
        self.days.hold(wall.date()) && self.times.binary_search(&minute_of_day(wall)).is_ok()
    }

    /// The first match on the wall after `after`, as if clocks were never changed.
    fn next_on_wall(&self, after: DateTime) -> Option<DateTime> {
        let now = minute_of_day(after);
        if self.days.hold(after.date()) {
            let later = self.times.partition_point(|minute| *minute <= now);
            if let Some(minute) = self.times.get(later) {
                return at(after.date(), *minute);
            }
        }
        let first = *self.times.first()?;
        let mut date = after.date();
        for _ in 0..LONGEST {
            date = date.tomorrow().ok()?;
            if self.days.hold(date) {
                return at(date, first);
            }
        }
        None
    }
}

/// One field of a crontab: `*`, `*/5` or `1,2,3`.
fn list(values: &[u16], range: RangeInclusive<u16>) -> String {
    let all = range.end() - range.start() + 1;
    for step in 1..=all / 2 {
        let stepped = range.clone().step_by(step.into());
        if stepped.eq(values.iter().copied()) {
            return if step == 1 { "*".to_owned() } else { format!("*/{step}") };
        }
    }
    values.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

fn minute_of_day(wall: DateTime) -> u16 {
    u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap_or_default()
}

fn at(date: Date, minute: u16) -> Option<DateTime> {
    date.at(0, 0, 0, 0).checked_add(i64::from(minute).minutes()).ok()
}

impl Days {
    const ALL: Self = Self { of_month: u32::MAX, months: u16::MAX, weekdays: u8::MAX, both_given: false };

    fn hold(&self, date: Date) -> bool {
        let month = self.months >> date.month() & 1 == 1;
        let of_month = self.of_month >> date.day() & 1 == 1;
        let weekday = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        month && if self.both_given { of_month || weekday } else { of_month && weekday }
    }
}

type Parts = (Vec<u16>, Days, GoesBy);

/// `0 3 * * mon-fri`.
fn fields(text: &str) -> Result<Parts, Wrong> {
    let words = split(text);
    if words.len() != FIELDS.len() {
        let hint = match words.len() {
            6 | 7 => "take the seconds or the year out: it has minute, hour, day of the month, month, day of the week",
            _ => {
                "write minute, hour, day of the month, month, day of the week, as in `0 3 * * *`; or `every 5 minutes`"
            }
        };
        let why = if words.len() == 1 {
            "it has one field of five".to_owned()
        } else {
            format!("it has {} fields, not five", words.len())
        };
        return Err(Wrong { at: 0, length: text.chars().count(), why, hint: hint.to_owned() });
    }
    let mut sets = [0_u64; 5];
    let mut wrong = None;
    for ((set, field), (at, word)) in sets.iter_mut().zip(&FIELDS).zip(&words) {
        match field.set(word) {
            Ok(found) => *set = found,
            Err((why, hint)) => wrong = wrong.or(Some(Wrong { at: *at, length: word.chars().count(), why, hint })),
        }
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let [minutes, hours, of_month, months, weekdays] = sets;
    let times = (0..DAY).filter(|time| hours >> (time / 60) & 1 == 1 && minutes >> (time % 60) & 1 == 1).collect();
    let star = |number: usize| words[number].1 == "*" || words[number].1 == "?";
    let starts_with_star = |number: usize| words[number].1.starts_with('*');
    #[expect(clippy::cast_possible_truncation, reason = "the ranges of the fields leave no higher bit")]
    let days = Days {
        of_month: of_month as u32,
        months: months as u16,
        // Both 0 and 7 are Sunday.
        weekdays: (weekdays | weekdays >> 7) as u8 & 0x7f,
        both_given: !star(2) && !star(4),
    };
    let goes_by = if starts_with_star(0) || starts_with_star(1) { GoesBy::RealTime } else { GoesBy::Wall };
    Ok((times, days, goes_by))
}

/// Words and how many characters stand before each.
fn split(text: &str) -> Vec<(usize, &str)> {
    text.split_whitespace()
        .map(|word| (text[..word.as_ptr() as usize - text.as_ptr() as usize].chars().count(), word))
        .collect()
}

impl Field {
    fn set(&self, word: &str) -> Result<u64, (String, String)> {
        let word = word.to_lowercase();
        let mut set = 0;
        for part in word.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let (low, high) = self.range(range, step.is_some())?;
            let step = match step {
                None => 1,
                Some(step) => self.step(step, high - low)?,
            };
            for value in (low..=high).step_by(usize::from(step)) {
                set |= 1 << value;
            }
        }
        Ok(set)
    }

    fn range(&self, text: &str, stepped: bool) -> Result<(u8, u8), (String, String)> {
        let (first, mut last) = (*self.range.start(), *self.range.end());
        // A whole week has seven days: 7 is another word for 0.
        if last == 7 {
            last = 6;
        }
        if text == "*" || text == "?" && !stepped && (self.range.end() == &31 || self.range.end() == &7) {
            return Ok((first, last));
        }
        let Some((low, high)) = text.split_once('-') else {
            let value = self.value(text)?;
            // As in cron: `5/15` begins at 5.
            return Ok((value, if stepped { last.max(value) } else { value }));
        };
        let (low, mut high) = (self.value(low)?, self.value(high)?);
        if self.range.end() == &7 && high == 0 && low > 0 {
            high = 7;
        }
        if low > high {
            let why = format!("`{text}` goes backwards as a {}", self.what);
            return Err((why, format!("write it in two: `{low}-{last},{first}-{high}`")));
        }
        Ok((low, high))
    }

    fn value(&self, text: &str) -> Result<u8, (String, String)> {
        if let Some(at) = self.names.iter().position(|name| text == *name) {
            return Ok(u8::try_from(at).unwrap_or_default() + self.range.start().min(&1));
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u8>().ok().filter(|number| digits && self.range.contains(number));
        number.ok_or_else(|| {
            let (low, high) = (self.range.start(), self.range.end());
            let names = match (self.names.first(), self.names.last()) {
                (Some(first), Some(last)) => format!(", or `{first}` to `{last}`"),
                _ => String::new(),
            };
            let why = match text {
                "" => format!("a {} is missing", self.what),
                text => format!("`{text}` is no {}", self.what),
            };
            (why, format!("write a number from {low} to {high}{names}; or `*`"))
        })
    }

    fn step(&self, text: &str, widest: u8) -> Result<u8, (String, String)> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u8>().ok().filter(|number| digits && (1..=widest.max(1)).contains(number));
        number.ok_or_else(|| {
            let why = format!("`/{text}` is no step of the {}", self.what);
            (why, format!("write a number from 1 to {}", widest.max(1)))
        })
    }
}

/// `every 5 minutes`, `every 2 hours from 8:00 to 20:00`, `every day at 03:30`, `every monday,thursday 9:00`; lowercase.
fn every(text: &str) -> Result<Parts, (String, String)> {
    const FORMS: &str = "write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`";
    let not_known = || (format!("`{text}` is not understood"), FORMS.to_owned());
    let spaced = text.replace(", ", ",");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (unit, count, rest) = match words.as_slice() {
        ["every", count, unit, rest @ ..] if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            (*unit, count.parse::<u16>().map_err(|_| not_known())?, rest)
        }
        ["every", unit, rest @ ..] => (*unit, 1, rest),
        _ => return Err(not_known()),
    };
    let minutes = match unit {
        "minute" | "minutes" | "mins" | "min" => 1,
        "hour" | "hours" => 60,
        _ if count == 1 => return every_day(unit, rest).ok_or_else(not_known),
        _ => return Err(not_known()),
    };
    let length = count.checked_mul(minutes).filter(|length| (1..=DAY).contains(length));
    let Some(length) = length else {
        return Err((format!("{count} {unit} is not between a minute and a day"), FORMS.to_owned()));
    };
    let (from, to) = match rest {
        [] if !DAY.is_multiple_of(length) => {
            let even = |step: &dyn Fn(u16) -> Option<u16>| {
                std::iter::successors(step(length), |length| step(*length)).find(|length| DAY.is_multiple_of(*length))
            };
            let (less, more) = (even(&|n| n.checked_sub(1).filter(|n| *n > 0)), even(&|n| n.checked_add(1)));
            let near: Vec<String> =
                [less, more].into_iter().flatten().map(|n| format!("`every {n} minutes`")).collect();
            return Err((format!("{count} {unit} do not divide a day"), format!("write {}", near.join(" or "))));
        }
        [] => (0, DAY - 1),
        ["from", from, "to", to] => (time(from).ok_or_else(not_known)?, time(to).ok_or_else(not_known)?),
        _ => return Err(not_known()),
    };
    if from > to {
        return Err(("it ends before it begins".into(), "write two jobs: one up to 23:59 and one from 00:00".into()));
    }
    Ok(((from..=to).step_by(usize::from(length)).collect(), Days::ALL, GoesBy::RealTime))
}

fn every_day(days: &str, rest: &[&str]) -> Option<Parts> {
    let mut weekdays = 0;
    for day in days.split(',') {
        weekdays |= match day {
            "day" => 0x7f,
            "weekday" => 0b011_1110,
            "weekend" => 0b100_0001,
            _ => {
                let named = |names: &[&str; 7]| names.iter().position(|name| *name == day);
                1 << named(&WEEKDAYS).or_else(|| named(&LONG_WEEKDAYS))?
            }
        };
    }
    let minute = match rest {
        [] => 0,
        [at] | ["at", at] => time(at)?,
        _ => return None,
    };
    Some((vec![minute], Days { weekdays, ..Days::ALL }, GoesBy::Wall))
}

/// `9:00`, as a minute of the day.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, digits: RangeInclusive<usize>, below: u16| {
        let good = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| good && *number < below)
    };
    Some(number(hour, 1..=2, 24)? * 60 + number(minute, 2..=2, 60)?)
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|wrong| format!("`{text}`: {}", wrong.why))
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_in_the_fields_of_every_cron() {
        for (text, lines) in [
            ("0 3 * * *", &["0 3 * * *"][..]),
            ("*/5 * * * *", &["*/5 * * * *"]),
            ("every 5 minutes", &["*/5 * * * *"]),
            ("@weekly", &["0 0 * * 0"]),
            ("15 9-11 * jan mon-fri", &["15 9,10,11 * 1 1,2,3,4,5"]),
            ("0 0 13 * 7", &["0 0 13 * 0"]),
            ("0 0 1-31 * mon", &["0 0 1-31 * 1"]),
            ("0,30 9,17 1 1 ?", &["*/30 9,17 1 1 *"]),
        ] {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(schedule.crontab(), lines, "{text}");
            // What is written means the same again.
            let after = "2026-03-01T00:00:00Z".parse().unwrap();
            let [line] = schedule.crontab().try_into().unwrap();
            let again = Schedule::parse(&line).unwrap();
            assert_eq!(again.next(after, &TimeZone::UTC), schedule.next(after, &TimeZone::UTC), "{text}");
        }
        let uneven = Schedule::parse("every 90 minutes").map(|schedule| schedule.crontab());
        if let Ok(lines) = uneven {
            assert_eq!(lines.len(), 2, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_said() {
        let said = |text: &&str| match Schedule::parse(text) {
            Ok(_) => format!("{text}  is taken"),
            Err(Wrong { at, length, why, hint }) => format!("{text}  [{at}+{length}] {why}; {hint}"),
        };
        let texts = [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/61 * * * *",
            "*/0 * * * *",
            "* */24 * * *",
            "5-1 * * * *",
            "* * * dec-feb *",
            "1,,2 * * * *",
            "a * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "* * L * *",
            "* * * * mon#1",
            "0 0 30 2 *",
            "0 0 31 4,6 *",
            "@reboot",
            "@dayly",
            "? * * * *",
            "every",
            "every 7 minutes",
            "every 25 hours",
            "every 0 minutes",
            "every 2 days",
            "every fortnight",
            "every day at 24:00",
            "every 5 minutes from 14:00 to 10:00",
            "every monday 9",
            "１ * * * *",
            "* * * * mon-",
        ];
        insta::assert_snapshot!(texts.iter().map(said).collect::<Vec<_>>().join("\n"), @"
          [0+0] it is empty; write `0 3 * * *` or `every 5 minutes`
        * * * *  [0+7] it has 4 fields, not five; write minute, hour, day of the month, month, day of the week, as in `0 3 * * *`; or `every 5 minutes`
        * * * * * *  [0+11] it has 6 fields, not five; take the seconds or the year out: it has minute, hour, day of the month, month, day of the week
        60 * * * *  [0+2] `60` is no minute; write a number from 0 to 59; or `*`
        * 24 * * *  [2+2] `24` is no hour; write a number from 0 to 23; or `*`
        * * 0 * *  [4+1] `0` is no day of the month; write a number from 1 to 31; or `*`
        * * 32 * *  [4+2] `32` is no day of the month; write a number from 1 to 31; or `*`
        * * * 13 *  [6+2] `13` is no month; write a number from 1 to 12, or `jan` to `dec`; or `*`
        * * * * 8  [8+1] `8` is no day of the week; write a number from 0 to 7, or `sun` to `sat`; or `*`
        */61 * * * *  [0+4] `/61` is no step of the minute; write a number from 1 to 59
        */0 * * * *  [0+3] `/0` is no step of the minute; write a number from 1 to 59
        * */24 * * *  [2+4] `/24` is no step of the hour; write a number from 1 to 23
        5-1 * * * *  [0+3] `5-1` goes backwards as a minute; write it in two: `5-59,0-1`
        * * * dec-feb *  [6+7] `dec-feb` goes backwards as a month; write it in two: `12-12,1-2`
        1,,2 * * * *  [0+4] a minute is missing; write a number from 0 to 59; or `*`
        a * * * *  [0+1] `a` is no minute; write a number from 0 to 59; or `*`
        -1 * * * *  [0+2] a minute is missing; write a number from 0 to 59; or `*`
        +1 * * * *  [0+2] `+1` is no minute; write a number from 0 to 59; or `*`
        * * L * *  [4+1] `l` is no day of the month; write a number from 1 to 31; or `*`
        * * * * mon#1  [8+5] `mon#1` is no day of the week; write a number from 0 to 7, or `sun` to `sat`; or `*`
        0 0 30 2 *  [0+10] there is no such day; look at the day of the month and the month
        0 0 31 4,6 *  [0+12] there is no such day; look at the day of the month and the month
        @reboot  [0+7] an app has no reboot; put it under `daemons`, which start with the app
        @dayly  [0+6] `@dayly` is not known; did you mean `@daily`?
        ? * * * *  [0+1] `?` is no minute; write a number from 0 to 59; or `*`
        every  [0+5] `every` is not understood; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every 7 minutes  [0+15] 7 minutes do not divide a day; write `every 6 minutes` or `every 8 minutes`
        every 25 hours  [0+14] 25 hours is not between a minute and a day; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every 0 minutes  [0+15] 0 minutes is not between a minute and a day; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every 2 days  [0+12] `every 2 days` is not understood; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every fortnight  [0+15] `every fortnight` is not understood; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every day at 24:00  [0+18] `every day at 24:00` is not understood; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        every 5 minutes from 14:00 to 10:00  [0+35] it ends before it begins; write two jobs: one up to 23:59 and one from 00:00
        every monday 9  [0+14] `every monday 9` is not understood; write `every 5 minutes`, `every 2 hours`, `every day at 03:30` or `every monday at 9:00`
        １ * * * *  [0+1] `１` is no minute; write a number from 0 to 59; or `*`
        * * * * mon-  [8+4] a day of the week is missing; write a number from 0 to 7, or `sun` to `sat`; or `*`
        ");
    }

    /// The first runs after a moment, by the clocks of a zone, as `day hour:minute offset`.
    fn runs(text: &str, zone: &str, after: &str) -> String {
        let schedule = Schedule::parse(text).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let runs = std::iter::successors(schedule.next(after, &zone), |last| schedule.next(*last, &zone));
        let told = |run: Timestamp| run.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string();
        runs.take(4).map(told).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn clocks_are_put_forward_and_back() {
        // New York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00. Lord Howe changes by half an hour.
        let (spring, autumn) = ("2026-03-08T04:00:00Z", "2026-11-01T04:30:00Z");
        let of = |text, zone, after| format!("{text}  {}", runs(text, zone, after));
        insta::assert_snapshot!([
            of("30 2 * * *", "America/New_York", spring),
            of("0,30 2 * * *", "America/New_York", spring),
            of("0 3 * * *", "America/New_York", spring),
            of("*/30 * * * *", "America/New_York", "2026-03-08T06:00:00Z"),
            of("*/30 2 * * *", "America/New_York", spring),
            of("every 90 minutes", "America/New_York", spring),
            of("30 1 * * *", "America/New_York", autumn),
            of("*/30 1 * * *", "America/New_York", autumn),
            of("0 * * * *", "America/New_York", autumn),
            of("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:00:00Z"),
            of("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T13:00:00Z"),
            of("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z"),
        ].join("\n"), @"
        30 2 * * *  08 03:00-04:00, 09 02:30-04:00, 10 02:30-04:00, 11 02:30-04:00
        0,30 2 * * *  08 03:00-04:00, 09 02:00-04:00, 09 02:30-04:00, 10 02:00-04:00
        0 3 * * *  08 03:00-04:00, 09 03:00-04:00, 10 03:00-04:00, 11 03:00-04:00
        */30 * * * *  08 01:30-05:00, 08 03:00-04:00, 08 03:30-04:00, 08 04:00-04:00
        */30 2 * * *  09 02:00-04:00, 09 02:30-04:00, 10 02:00-04:00, 10 02:30-04:00
        every 90 minutes  08 00:00-05:00, 08 01:30-05:00, 08 03:00-04:00, 08 04:30-04:00
        30 1 * * *  01 01:30-04:00, 02 01:30-05:00, 03 01:30-05:00, 04 01:30-05:00
        */30 1 * * *  01 01:00-04:00, 01 01:30-04:00, 01 01:00-05:00, 01 01:30-05:00
        0 * * * *  01 01:00-04:00, 01 01:00-05:00, 01 02:00-05:00, 01 03:00-05:00
        15 2 * * *  04 02:30+11:00, 05 02:15+11:00, 06 02:15+11:00, 07 02:15+11:00
        45 1 * * *  05 01:45+11:00, 06 01:45+10:30, 07 01:45+10:30, 08 01:45+10:30
        0 12 * * *  29 12:00-10:00, 31 00:00+14:00, 31 12:00+14:00, 01 12:00+14:00
        ");
    }
}
