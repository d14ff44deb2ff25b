//! Time zones: the rules of the IANA data base, which is built in, and fixed offsets.

use super::calendar;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// Where a time is shown.
#[derive(Clone, Debug)]
pub enum Zone {
    /// UTC itself.
    Utc,
    /// The zone of the render, whatever it is.
    Local(TimeZone),
    /// A zone that was asked for by name.
    Named(TimeZone),
    /// A zone that a text told: its abbreviation, which may be empty, and its offset in seconds.
    Fixed(String, i64),
}

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// 400 years: after them dates fall on the same days of the week, and rules repeat.
const ERA: i64 = 12_622_780_800;

impl Zone {
    /// The zone of that name, `Local` being the one of the render. A name that is not known is UTC.
    #[must_use]
    pub fn named(name: &[u8], local: &str) -> Zone {
        match name {
            b"" | b"UTC" => Zone::Utc,
            b"Local" => Zone::local(local),
            _ => find(name).map_or(Zone::Utc, Zone::Named),
        }
    }

    /// The zone of the render.
    #[must_use]
    pub fn local(name: &str) -> Zone {
        match name {
            "" | "UTC" | "Local" => Zone::Local(TimeZone::UTC),
            _ => Zone::Local(find(name.as_bytes()).unwrap_or(TimeZone::UTC)),
        }
    }

    /// Its name as a location.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Zone::Utc => "UTC",
            // a machine whose zone is UTC says so
            Zone::Local(rules) if *rules == TimeZone::UTC => "UTC",
            Zone::Local(_) => "Local",
            Zone::Named(rules) => rules.iana_name().unwrap_or("UTC"),
            Zone::Fixed(name, _) => name,
        }
    }

    /// Offset in seconds and abbreviation at a time.
    #[must_use]
    pub fn at(&self, seconds: i64) -> (i64, String) {
        match self {
            Zone::Utc => (0, "UTC".to_owned()),
            Zone::Fixed(name, offset) => (*offset, name.clone()),
            Zone::Local(rules) | Zone::Named(rules) => {
                let info = rules.to_offset_info(timestamp(seconds));
                (i64::from(info.offset().seconds()), info.abbreviation().to_owned())
            }
        }
    }

    /// True when it is daylight saving time.
    #[must_use]
    pub fn is_dst(&self, seconds: i64) -> bool {
        match self {
            Zone::Utc | Zone::Fixed(..) => false,
            Zone::Local(rules) | Zone::Named(rules) => {
                rules.to_offset_info(timestamp(seconds)).dst().is_dst()
            }
        }
    }

    /// Seconds since 1970 of a date and a time of day in this zone.
    pub(super) fn seconds(&self, year: i64, month: i64, day: i64, seconds: i64) -> i64 {
        let there = calendar::seconds(year, month, day, seconds);
        // near a change of the offset the first guess may be wrong
        let (guess, _) = self.at(there);
        if guess == 0 {
            return there;
        }
        let (offset, _) = self.at(there.wrapping_sub(guess));
        there.wrapping_sub(offset)
    }

    /// The offset that an abbreviation has in this zone at about a time of day there.
    pub(super) fn offset_of(&self, abbreviation: &str, there: i64) -> Option<i64> {
        let (Zone::Local(rules) | Zone::Named(rules)) = self else {
            let (offset, name) = self.at(there);
            return (name == abbreviation).then_some(offset);
        };
        let changes = rules
            .following(Timestamp::MIN)
            .take(CHANGES)
            .map(|change| (i64::from(change.offset().seconds()), change.abbreviation().to_owned()));
        let mut fallback = None;
        for (offset, name) in std::iter::once(self.at(there)).chain(changes) {
            if name == abbreviation {
                if self.at(there.wrapping_sub(offset)).1 == abbreviation {
                    return Some(offset);
                }
                fallback = fallback.or(Some(offset));
            }
        }
        fallback
    }
}

/// So many changes of the offset are looked at for an abbreviation: all that are not by rule.
const CHANGES: usize = 400;

fn find(name: &[u8]) -> Option<TimeZone> {
    let name = std::str::from_utf8(name).ok()?;
    let rules = DATABASE.get(name).ok()?;
    // the names of files, which Go looks for, tell capitals from small letters
    (rules.iana_name() == Some(name)).then_some(rules)
}

/// A time for which there are rules: of the same day of the week and the year, some eras off.
fn timestamp(seconds: i64) -> Timestamp {
    let inside = Timestamp::MIN.as_second() + ERA..Timestamp::MAX.as_second() - ERA;
    let near = if inside.contains(&seconds) {
        seconds
    } else {
        let edge = if seconds < 0 { inside.start } else { inside.end - ERA };
        let past = i128::from(seconds) - i128::from(edge);
        let rest = i64::try_from(past.rem_euclid(i128::from(ERA))).expect("less than an era");
        edge + rest
    };
    Timestamp::from_second(near).expect("eras bring it into the range")
}
