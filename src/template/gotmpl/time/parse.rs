//! Reading times: Go's `time.ParseInLocation`, with its errors.

use super::calendar::{self, DAYS, MONTHS};
use super::layout::{self, Pad, Part};
use super::zone::Zone;
use super::{Time, quote};

/// What a text has told so far.
#[derive(Default)]
struct Seen {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    /// After noon, or before it.
    noon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: String,
}

/// Why a part of a layout did not fit.
enum Misfit {
    /// It is not there.
    Bad,
    /// It is, and too large.
    Range(&'static str),
}

type Read<T> = Result<T, Misfit>;

pub(super) fn parse(layout: &[u8], text: &[u8], local: &Zone) -> Result<Time, String> {
    let mismatch = |element: &[u8], rest: &[u8]| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(text),
            quote(layout),
            quote(rest),
            quote(element)
        )
    };
    let fault = |what: &str| format!("parsing time {}: {what}", quote(text));
    let mut seen = Seen::default();
    let mut rest = text;
    let mut layout = layout;
    loop {
        let next = layout::next(layout);
        let prefix = &layout[..next.map_or(layout.len(), |(start, ..)| start)];
        rest = skip(rest, prefix).map_err(|rest| mismatch(prefix, rest))?;
        let Some((start, end, part)) = next else {
            if !rest.is_empty() {
                return Err(fault(&format!("extra text: {}", quote(rest))));
            }
            break;
        };
        let element = &layout[start..end];
        layout = &layout[end..];
        let before = rest;
        match seen.read(part, &mut rest, layout) {
            Ok(()) => (),
            Err(Misfit::Bad) => return Err(mismatch(element, before)),
            Err(Misfit::Range(what)) => return Err(fault(&format!("{what} out of range"))),
        }
    }
    seen.time(local).map_err(fault)
}

/// Takes the plain text of a layout off; some spaces match some spaces.
fn skip<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Result<&'t [u8], &'t [u8]> {
    while let Some(first) = prefix.first() {
        if *first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return Err(text);
            }
            prefix = without_spaces(prefix);
            text = without_spaces(text);
        } else {
            if text.first() != Some(first) {
                return Err(text);
            }
            prefix = &prefix[1..];
            text = &text[1..];
        }
    }
    Ok(text)
}

fn without_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte == b' ').count()..]
}

impl Seen {
    /// Reads one part; `layout` is what follows it there.
    fn read(&mut self, part: Part, rest: &mut &[u8], layout: &[u8]) -> Read<()> {
        match part {
            Part::Year => {
                let year = integer(take(rest, 2)?)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Part::LongYear => {
                if !rest.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Misfit::Bad);
                }
                self.year = integer(take(rest, 4)?)?;
            }
            Part::Month => self.month = Some(name(rest, MONTHS.map(|name| &name[..3]))?),
            Part::LongMonth => self.month = Some(name(rest, MONTHS)?),
            Part::NumMonth(two) => {
                self.month = Some(ranged(two_digits(rest, two)?, 1..=12, "month")?);
            }
            // the day of the week is not compared with the date
            Part::Weekday => drop(name(rest, DAYS.map(|name| &name[..3]))?),
            Part::LongWeekday => drop(name(rest, DAYS)?),
            Part::Day(pad) => {
                skip_space(rest, pad);
                self.day = Some(two_digits(rest, pad == Pad::Zero)?);
            }
            Part::YearDay(pad) => {
                skip_space(rest, pad);
                skip_space(rest, pad);
                self.year_day = Some(three_digits(rest, pad == Pad::Zero)?);
            }
            Part::Hour => self.hour = ranged(two_digits(rest, false)?, 0..=23, "hour")?,
            Part::Hour12(two) => self.hour = ranged(two_digits(rest, two)?, 0..=12, "hour")?,
            Part::Minute(two) => self.minute = ranged(two_digits(rest, two)?, 0..=59, "minute")?,
            Part::Second(two) => {
                self.second = ranged(two_digits(rest, two)?, 0..=59, "second")?;
                let follows = matches!(rest, [b'.' | b',', b'0'..=b'9', ..]);
                let expected = matches!(layout::next(layout), Some((_, _, Part::Fraction { .. })));
                if follows && !expected {
                    // a fraction may follow the seconds though the layout has none
                    let digits = digits(&rest[1..]);
                    self.nanos = nanos(take(rest, 1 + digits)?)?;
                }
            }
            Part::Noon(upper) => {
                let (am, pm): (&[u8], &[u8]) = if upper { (b"AM", b"PM") } else { (b"am", b"pm") };
                let found = take(rest, 2)?;
                if found != am && found != pm {
                    return Err(Misfit::Bad);
                }
                self.noon = Some(found == pm);
            }
            Part::Offset { z: true, .. } if rest.first() == Some(&b'Z') => {
                *rest = &rest[1..];
                self.utc = true;
            }
            Part::Offset { colon, numbers, .. } => {
                self.offset = Some(read_offset(rest, colon, numbers)?);
            }
            Part::Zone => {
                if let Some(after) = rest.strip_prefix(b"UTC") {
                    *rest = after;
                    self.utc = true;
                } else {
                    let length = abbreviation(rest).ok_or(Misfit::Bad)?;
                    self.zone = String::from_utf8_lossy(take(rest, length)?).into_owned();
                }
            }
            Part::Fraction { trim: false, digits, .. } => {
                self.nanos = nanos(take(rest, 1 + digits)?)?;
            }
            Part::Fraction { trim: true, .. } => {
                if matches!(rest, [b'.' | b',', b'0'..=b'9', ..]) {
                    let digits = digits(&rest[1..]);
                    self.nanos = nanos(take(rest, 1 + digits)?)?;
                }
            }
        }
        Ok(())
    }

    /// The time that all parts tell together.
    fn time(mut self, local: &Zone) -> Result<Time, &'static str> {
        match self.noon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => (),
        }
        if let Some(year_day) = self.year_day {
            self.set_year_day(year_day)?;
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let month_index = usize::try_from(month).expect("a month is from 1 to 12");
        if day < 1 || day > calendar::days_in(month_index, self.year) {
            return Err("day out of range");
        }
        let clock = (self.hour * 60 + self.minute) * 60 + self.second;
        let there = calendar::seconds(self.year, month, day, clock);
        let at = |seconds, zone| Ok(Time { seconds, nanos: self.nanos, zone });
        if self.utc {
            return at(there, Zone::Utc);
        }
        if let Some(offset) = self.offset {
            let seconds = there - offset;
            let (local_offset, name) = local.at(seconds);
            if local_offset == offset && (self.zone.is_empty() || name == self.zone) {
                return at(seconds, local.clone());
            }
            return at(seconds, Zone::Fixed(self.zone, offset));
        }
        if !self.zone.is_empty() {
            if let Some(offset) = local.offset_of(&self.zone, there) {
                return at(there - offset, local.clone());
            }
            let hours = self.zone.strip_prefix("GMT").and_then(|hours| hours.parse::<i64>().ok());
            // Go leaves the time as it was read, though the zone has an offset
            return at(there, Zone::Fixed(self.zone, hours.unwrap_or(0) * 3600));
        }
        at(local.seconds(self.year, month, day, clock), local.clone())
    }

    fn set_year_day(&mut self, year_day: i64) -> Result<(), &'static str> {
        if year_day < 1 || year_day > 365 + i64::from(calendar::is_leap(self.year)) {
            return Err("day-of-year out of range");
        }
        let month = (1..=12usize)
            .rev()
            .find(|month| calendar::days_before(*month, self.year) < year_day)
            .expect("no days are before January");
        let day = year_day - calendar::days_before(month, self.year);
        let month = i64::try_from(month).expect("at most 12");
        if self.month.is_some_and(|seen| seen != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|seen| seen != day) {
            return Err("day-of-year does not match day");
        }
        self.month = Some(month);
        self.day = Some(day);
        Ok(())
    }
}

fn take<'t>(rest: &mut &'t [u8], length: usize) -> Read<&'t [u8]> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Misfit::Bad)?;
    *rest = after;
    Ok(taken)
}

fn skip_space(rest: &mut &[u8], pad: Pad) {
    if pad == Pad::Space && rest.first() == Some(&b' ') {
        *rest = &rest[1..];
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn ranged(number: i64, range: std::ops::RangeInclusive<i64>, what: &'static str) -> Read<i64> {
    if range.contains(&number) { Ok(number) } else { Err(Misfit::Range(what)) }
}

/// An integer that may have a sign, of few digits.
fn integer(text: &[u8]) -> Read<i64> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Misfit::Bad)
}

/// One digit or two; just two if `fixed`.
fn two_digits(rest: &mut &[u8], fixed: bool) -> Read<i64> {
    let count = digits(rest).min(2);
    if count == 0 || fixed && count == 1 {
        return Err(Misfit::Bad);
    }
    integer(take(rest, count)?)
}

fn three_digits(rest: &mut &[u8], fixed: bool) -> Read<i64> {
    let count = digits(rest).min(3);
    if count == 0 || fixed && count < 3 {
        return Err(Misfit::Bad);
    }
    integer(take(rest, count)?)
}

/// A separator and digits, as nanoseconds; more than nine digits do not count.
fn nanos(text: &[u8]) -> Read<u32> {
    let [b'.' | b',', digits @ ..] = text else { return Err(Misfit::Bad) };
    let digits = &digits[..digits.len().min(9)];
    if digits.is_empty() {
        return Ok(0);
    }
    let number = integer(digits)?;
    let number = u32::try_from(number).map_err(|_| Misfit::Range("fractional second"))?;
    Ok((digits.len()..9).fold(number, |number, _| number * 10))
}

/// The index from 1 of a name, whose letters may be small or capital.
fn name<const N: usize>(rest: &mut &[u8], names: [&str; N]) -> Read<i64> {
    for (number, name) in (1..).zip(names) {
        let start = rest.get(..name.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())) {
            take(rest, name.len())?;
            return Ok(number);
        }
    }
    Err(Misfit::Bad)
}

fn read_offset(rest: &mut &[u8], colon: bool, numbers: u8) -> Read<i64> {
    let gap = usize::from(colon);
    let count = usize::from(numbers);
    let text = take(rest, 1 + 2 * count + gap * (count - 1))?;
    let mut parts = [0; 3];
    let mut sound = matches!(text[0], b'+' | b'-');
    for (index, part) in parts.iter_mut().enumerate().take(count) {
        let start = 1 + index * (2 + gap);
        if colon && index > 0 && text[start - 1] != b':' {
            return Err(Misfit::Bad);
        }
        match two_digits(&mut &text[start..start + 2], true) {
            Ok(number) => *part = number,
            Err(_) => {
                sound = false;
                break;
            }
        }
    }
    // what is too large is told before what is no number
    let [hours, minutes, seconds] = parts;
    ranged(seconds, 0..=60, "time zone offset second")?;
    ranged(minutes, 0..=60, "time zone offset minute")?;
    ranged(hours, 0..=24, "time zone offset hour")?;
    if !sound {
        return Err(Misfit::Bad);
    }
    let offset = (hours * 60 + minutes) * 60 + seconds;
    Ok(if text[0] == b'-' { -offset } else { offset })
}

/// How long the abbreviation of a time zone here is.
fn abbreviation(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours(rest));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_hours(text)).filter(|length| *length > 0);
    }
    match text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count() {
        5 if text[4] == b'T' => Some(5),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// The length of hours with a sign; 0 where there are none.
fn signed_hours(text: &[u8]) -> usize {
    let Some(b'+' | b'-') = text.first() else { return 0 };
    let count = digits(&text[1..]);
    match integer(&text[1..=count]) {
        Ok(0..=23) => 1 + count,
        _ => 0,
    }
}
