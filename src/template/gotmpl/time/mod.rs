//! Go's `time.Time` and `time.Duration` as templates see them.
//!
//! A time is seconds since 1970 in 64 bits, so that years are as wide as Go's; a library is asked
//! only for the rules of time zones. Those are built in: a render does not depend on what the
//! machine has installed.

mod calendar;
pub mod duration;
mod layout;
mod methods;
mod parse;
pub mod zone;

#[cfg(test)]
mod tests;

pub use methods::{DURATION, TIME};

use super::go_type::{INT64, Type, UINT64};
use super::value::{Object, Text, Value};
use calendar::Civil;
use std::any::Any;
use std::fmt::Write as _;
use zone::Zone;

/// An instant, and the zone in which it is shown.
#[derive(Clone, Debug)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
    /// Where it is shown.
    pub zone: Zone,
}

/// Seconds from the year 1 to 1970.
const YEAR_ONE: i64 = 62_135_596_800;

const NANOS: i128 = 1_000_000_000;

impl Time {
    /// The time that Go has for a time that was never set: the beginning of the year 1.
    #[must_use]
    pub fn zero() -> Time {
        Time { seconds: -YEAR_ONE, nanos: 0, zone: Zone::Utc }
    }

    /// A time in seconds since 1970.
    #[must_use]
    pub fn unix(seconds: i64, zone: Zone) -> Time {
        Time { seconds, nanos: 0, zone }
    }

    /// A time in nanoseconds since 1970.
    #[must_use]
    pub fn unix_nanos(nanos: i64, zone: Zone) -> Time {
        Time { seconds: 0, nanos: 0, zone }.add(nanos)
    }

    /// The time so many nanoseconds later.
    #[must_use]
    pub fn add(&self, nanos: i64) -> Time {
        let sum = i128::from(nanos) + i128::from(self.nanos);
        let (seconds, nanos) = split(sum);
        Time { seconds: self.seconds.wrapping_add(seconds), nanos, zone: self.zone.clone() }
    }

    /// Nanoseconds from the other time to this one, or the most there can be.
    #[must_use]
    pub fn since(&self, other: &Time) -> i64 {
        let nanos = self.total() - other.total();
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Nanoseconds since 1970.
    fn total(&self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// The same instant in another zone.
    #[must_use]
    pub fn to(&self, zone: Zone) -> Time {
        Time { zone, ..self.clone() }
    }

    /// The time in a layout of Go.
    #[must_use]
    pub fn format(&self, layout: &[u8]) -> Vec<u8> {
        layout::format(self, layout)
    }

    /// Reads a text in a layout of Go.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse(layout: &[u8], text: &[u8], local: &Zone) -> Result<Time, String> {
        parse::parse(layout, text, local)
    }

    /// The date and the time of day in its zone.
    fn civil(&self) -> Civil {
        let (offset, _) = self.zone.at(self.seconds);
        Civil::of(self.seconds, offset)
    }
}

/// Whole seconds and the nanoseconds that are left.
fn split(nanos: i128) -> (i64, u32) {
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).expect("nanoseconds were of 64 bits");
    let rest = u32::try_from(nanos.rem_euclid(NANOS)).expect("less than a second");
    (seconds, rest)
}

impl Object for Time {
    fn go_type(&self) -> &'static Type {
        &TIME
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("wall", Value::Uint(self.nanos.into(), &UINT64)),
            ("ext", Value::Int(self.seconds.wrapping_add(YEAR_ONE), &INT64)),
            ("loc", methods::location(&self.zone)),
        ]
    }

    fn text(&self) -> Option<Text> {
        Some(self.format(b"2006-01-02 15:04:05.999999999 -0700 MST").into())
    }

    fn syntax(&self) -> Option<Text> {
        let civil = self.civil();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local(_) => "time.Local".to_owned(),
            zone => format!("time.Location({})", quote(zone.name().as_bytes())),
        };
        let month = calendar::MONTHS[civil.month - 1];
        let (hour, minute, second) = civil.clock();
        Some(
            format!(
                "time.Date({}, time.{month}, {}, {hour}, {minute}, {second}, {}, {zone})",
                civil.year, civil.day, self.nanos
            )
            .into(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn encoded(&self) -> Option<Value> {
        Some(Value::text(self.format(b"2006-01-02T15:04:05.999999999Z07:00")))
    }
}

/// A text in quotes, as the errors of Go's package `time` have it: not as `strconv` would.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=0x7f => out.push(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}").expect("a text takes all that is written"),
        }
    }
    out.push('"');
    out
}
