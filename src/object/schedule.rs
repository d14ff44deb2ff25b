//! Schedules of `CronJob`s: minute, hour, day, month, weekday, or a name such as `@daily`.
//!
//! Fields are sets of numbers, a bit each. A day fits when its day of the month and its weekday do;
//! where both are restricted, one of them is enough, as cron has it. Times are looked for in their
//! zone: an hour that a zone skips has no runs, one that it repeats has them twice.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use std::fmt;

/// When something is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Again and again after a time.
    Every(SignedDuration),
    /// At times that fit.
    Fields(Fields),
}

/// The numbers that fit: bit 3 of `hour` is for three o'clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Day and weekday are both restricted.
    either_day: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleFault {
    /// It names a time zone.
    Zone,
    /// A name that is not known.
    Unknown,
    /// Not five fields, but so many.
    Count(usize),
    /// A field that is none.
    Field {
        /// What it is about, such as `minute`.
        unit: &'static str,
        /// The field.
        text: String,
        /// The least number that it may have.
        least: u32,
        /// The greatest.
        most: u32,
    },
}

impl fmt::Display for ScheduleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleFault::Zone => f.write_str("a schedule names no time zone"),
            ScheduleFault::Unknown => f.write_str("unrecognized descriptor"),
            ScheduleFault::Count(count) => write!(f, "expected exactly 5 fields, found {count}"),
            ScheduleFault::Field { unit, text, least, most } => {
                write!(f, "the {unit} {text:?} is not within {least} and {most}")
            }
        }
    }
}

/// The fields: what they are about, the least and the greatest number.
const UNITS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6)];

/// Years after which a time that never comes is no longer looked for.
const YEARS: i16 = 5;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleFault> {
        if text.contains("TZ=") {
            return Err(ScheduleFault::Zone);
        }
        let named = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            name if name.starts_with('@') => {
                let every = name.strip_prefix("@every ").and_then(duration);
                return every.map(Schedule::Every).ok_or(ScheduleFault::Unknown);
            }
            fields => fields,
        };
        let parts: Vec<&str> = named.split_whitespace().collect();
        if parts.len() != UNITS.len() {
            return Err(ScheduleFault::Count(parts.len()));
        }
        let mut sets = [0; 5];
        for ((part, (unit, least, most)), set) in parts.iter().zip(UNITS).zip(&mut sets) {
            for range in part.split(',') {
                *set |= bits(range, least, most).ok_or_else(|| {
                    let text = (*part).to_owned();
                    ScheduleFault::Field { unit, text, least, most }
                })?;
            }
        }
        let [minute, hour, day, month, weekday] = sets;
        let restricts = |part: &str| !part.split(',').any(|range| range.starts_with(['*', '?']));
        let either_day = restricts(parts[2]) && restricts(parts[4]);
        Ok(Schedule::Fields(Fields { minute, hour, day, month, weekday, either_day }))
    }

    /// The first time after another; nothing when there is none within years.
    #[must_use]
    pub fn after(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Schedule::Every(pause) => {
                let whole = Timestamp::from_second(time.as_second()).ok()?;
                whole.checked_add(*pause).ok()
            }
            Schedule::Fields(fields) => fields.after(time, zone),
        }
    }
}

impl Fields {
    fn after(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let minute = Timestamp::from_second(time.as_second().div_euclid(60) * 60 + 60).ok()?;
        let mut at = minute.to_zoned(zone.clone());
        let last = at.year().checked_add(YEARS)?;
        while at.year() <= last {
            at = if !holds(self.month, at.month()) {
                at.first_of_month().ok()?.checked_add(1.month()).ok()?.start_of_day().ok()?
            } else if !self.is_day(&at) {
                at.tomorrow().ok()?.start_of_day().ok()?
            } else if !holds(self.hour, at.hour()) {
                at.checked_add((60 - i64::from(at.minute())).minutes()).ok()?
            } else if !holds(self.minute, at.minute()) {
                at.checked_add(1.minute()).ok()?
            } else {
                return Some(at.timestamp());
            };
        }
        None
    }

    fn is_day(&self, at: &Zoned) -> bool {
        let day = holds(self.day, at.day());
        let weekday = holds(self.weekday, at.weekday().to_sunday_zero_offset());
        if self.either_day { day || weekday } else { day && weekday }
    }
}

fn holds(set: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| set >> number & 1 == 1)
}

/// The numbers of a range such as `*`, `5`, `mon-fri`, `*/15`, `10-40/10`.
fn bits(range: &str, least: u32, most: u32) -> Option<u64> {
    let (range, step) = match range.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        None => (range, None),
    };
    let inside = |text: &str| number(text, most).filter(|it| (least..=most).contains(it));
    let (from, to) = match range.split_once('-') {
        _ if range == "*" || range == "?" => (least, most),
        Some((from, to)) => (inside(from)?, inside(to)?),
        // with a step, one number is where it begins
        None if step.is_some() => (inside(range)?, most),
        None => (inside(range)?, inside(range)?),
    };
    if from > to {
        return None;
    }
    let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
    Some((from..=to).step_by(step).fold(0, |set, number| set | 1 << number))
}

/// A number, or the name of a month or weekday where there are such.
fn number(text: &str, most: u32) -> Option<u32> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let place = |names: &[&str], first: usize| {
        let at = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
        u32::try_from(at + first).ok()
    };
    let named = match most {
        12 => place(&MONTHS, 1),
        6 => place(&DAYS, 0),
        _ => None,
    };
    named.or_else(|| text.parse().ok())
}

/// A duration as Go writes it, of whole seconds: `1h30m`.
fn duration(text: &str) -> Option<SignedDuration> {
    let mut seconds: i64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (seconds > 0).then(|| SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, zone: &str, after: &str, expected: &[&str]) {
        let parsed = Schedule::parse(schedule).expect(schedule);
        let zone = TimeZone::get(zone).expect("a zone");
        let mut at: Timestamp = after.parse().expect("a time");
        for next in expected {
            at = parsed.after(at, &zone).expect("a time that comes");
            assert_eq!(
                at.to_zoned(zone.clone()).strftime("%F %R").to_string(),
                *next,
                "{schedule}"
            );
        }
    }

    #[test]
    fn the_next_time_is_the_first_that_fits() {
        let (utc, noon) = ("UTC", "2026-03-27T12:00:30Z");
        check("*/15 * * * *", utc, noon, &["2026-03-27 12:15", "2026-03-27 12:30"]);
        check("30 3 * * *", utc, noon, &["2026-03-28 03:30", "2026-03-29 03:30"]);
        check("0 9-17/4 * * mon-fri", utc, noon, &["2026-03-27 13:00", "2026-03-27 17:00"]);
        check("0 0 1 1 *", utc, noon, &["2027-01-01 00:00"]);
        check(
            "0 0 13 * fri",
            utc,
            noon,
            &["2026-04-03 00:00", "2026-04-10 00:00", "2026-04-13 00:00"],
        );
        check("0 0 29 feb *", utc, noon, &["2028-02-29 00:00"]);
        check("@monthly", utc, noon, &["2026-04-01 00:00"]);
        check("@every 90m", utc, "2026-03-27T12:00:00Z", &["2026-03-27 13:30"]);
        check("5/20 0 * * 0", utc, noon, &["2026-03-29 00:05", "2026-03-29 00:25"]);
    }

    #[test]
    fn zones_skip_and_repeat_hours() {
        let berlin = "Europe/Berlin";
        check("30 2 * * *", berlin, "2026-03-28T12:00:00Z", &["2026-03-30 02:30"]);
        let twice = ["2026-10-25 02:30", "2026-10-25 02:30", "2026-10-25 03:30"];
        check("30 * * * *", berlin, "2026-10-25T00:00:00Z", &twice);
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        for (text, told) in [
            ("TZ=UTC * * * * *", "a schedule names no time zone"),
            ("@often", "unrecognized descriptor"),
            ("@every 1x", "unrecognized descriptor"),
            ("* * * *", "expected exactly 5 fields, found 4"),
            ("60 * * * *", "the minute \"60\" is not within 0 and 59"),
            ("* * 0 * *", "the day \"0\" is not within 1 and 31"),
            ("* * * foo *", "the month \"foo\" is not within 1 and 12"),
            ("* * * * 5-2", "the weekday \"5-2\" is not within 0 and 6"),
            ("*/0 * * * *", "the minute \"*/0\" is not within 0 and 59"),
        ] {
            assert_eq!(Schedule::parse(text).expect_err(text).to_string(), told);
        }
        let never = Schedule::parse("0 0 31 2 *").expect("its form is right");
        assert_eq!(never.after(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
    }
}
