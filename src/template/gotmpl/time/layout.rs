//! Layouts: texts in which `2006`, `Jan`, `15` and so on stand for the parts of a time.

use super::Time;
use super::calendar::{DAYS, MONTHS};

/// A part of a layout that stands for something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// `2006`.
    LongYear,
    /// `06`.
    Year,
    /// `January`.
    LongMonth,
    /// `Jan`.
    Month,
    /// `1`, or `01` with the flag.
    NumMonth(bool),
    /// `Monday`.
    LongWeekday,
    /// `Mon`.
    Weekday,
    /// `2`, `_2` and `02`.
    Day(Pad),
    /// `__2` and `002`.
    YearDay(Pad),
    /// `15`.
    Hour,
    /// `3`, or `03` with the flag.
    Hour12(bool),
    /// `4`, or `04` with the flag.
    Minute(bool),
    /// `5`, or `05` with the flag.
    Second(bool),
    /// `PM`, or `pm` without the flag.
    Noon(bool),
    /// `MST`.
    Zone,
    /// `-0700`, `Z07:00` and the like.
    Offset {
        /// Zero is written as `Z`.
        z: bool,
        /// Colons between its numbers.
        colon: bool,
        /// How many numbers: hours, minutes, seconds.
        numbers: u8,
    },
    /// `.000`, or `.999` with `trim`.
    Fraction {
        /// Zeros at the end, and nothing but zeros, are left out.
        trim: bool,
        digits: usize,
        separator: u8,
    },
}

/// What fills a number up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pad {
    Nothing,
    Space,
    Zero,
}

const fn offset(z: bool, colon: bool, numbers: u8) -> Part {
    Part::Offset { z, colon, numbers }
}

/// In the order in which they are tried at a place.
const PARTS: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::Zone),
    ("01", Part::NumMonth(true)),
    ("02", Part::Day(Pad::Zero)),
    ("03", Part::Hour12(true)),
    ("04", Part::Minute(true)),
    ("05", Part::Second(true)),
    ("06", Part::Year),
    ("002", Part::YearDay(Pad::Zero)),
    ("15", Part::Hour),
    ("1", Part::NumMonth(false)),
    ("2006", Part::LongYear),
    ("2", Part::Day(Pad::Nothing)),
    ("_2", Part::Day(Pad::Space)),
    ("__2", Part::YearDay(Pad::Space)),
    ("3", Part::Hour12(false)),
    ("4", Part::Minute(false)),
    ("5", Part::Second(false)),
    ("PM", Part::Noon(true)),
    ("pm", Part::Noon(false)),
    ("-070000", offset(false, false, 3)),
    ("-07:00:00", offset(false, true, 3)),
    ("-0700", offset(false, false, 2)),
    ("-07:00", offset(false, true, 2)),
    ("-07", offset(false, false, 1)),
    ("Z070000", offset(true, false, 3)),
    ("Z07:00:00", offset(true, true, 3)),
    ("Z0700", offset(true, false, 2)),
    ("Z07:00", offset(true, true, 2)),
    ("Z07", offset(true, false, 1)),
];

/// The next part of a layout: where it begins, where it ends, and what it is.
pub(super) fn next(layout: &[u8]) -> Option<(usize, usize, Part)> {
    (0..layout.len()).find_map(|at| {
        let rest = &layout[at..];
        let (length, part) = fraction(rest).or_else(|| named(rest))?;
        if part == Part::Day(Pad::Space) && rest[1..].starts_with(b"2006") {
            // an underscore before a year is one
            return Some((at + 1, at + 5, Part::LongYear));
        }
        Some((at, at + length, part))
    })
}

fn named(rest: &[u8]) -> Option<(usize, Part)> {
    if !b"JM012_345Pp-Z".contains(&rest[0]) {
        return None;
    }
    PARTS.iter().find_map(|(name, part)| {
        let after = rest.strip_prefix(name.as_bytes())?;
        // `January` and `Jan`, but not `Janet`
        let whole = !matches!(part, Part::Month | Part::Weekday)
            || !after.first().is_some_and(u8::is_ascii_lowercase);
        whole.then_some((name.len(), *part))
    })
}

fn fraction(rest: &[u8]) -> Option<(usize, Part)> {
    let [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] = rest else { return None };
    let digits = rest[1..].iter().take_while(|byte| *byte == digit).count();
    if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let part = Part::Fraction { trim: *digit == b'9', digits, separator: *separator };
    Some((1 + digits, part))
}

/// A time in a layout.
pub(super) fn format(time: &Time, mut layout: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(layout.len() + 16);
    let (offset, name) = time.zone.at(time.seconds);
    let civil = super::Civil::of(time.seconds, offset);
    let (hour, minute, second) = civil.clock();
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    while let Some((start, end, part)) = next(layout) {
        out.extend_from_slice(&layout[..start]);
        layout = &layout[end..];
        let mut text = |text: &str| out.extend_from_slice(text.as_bytes());
        match part {
            Part::LongYear => number(&mut out, civil.year, 4),
            Part::Year => number(&mut out, civil.year.abs() % 100, 2),
            Part::LongMonth => text(MONTHS[civil.month - 1]),
            Part::Month => text(&MONTHS[civil.month - 1][..3]),
            Part::NumMonth(two) => {
                let month = i64::try_from(civil.month).expect("at most 12");
                number(&mut out, month, if two { 2 } else { 0 });
            }
            Part::LongWeekday => text(DAYS[civil.weekday]),
            Part::Weekday => text(&DAYS[civil.weekday][..3]),
            Part::Day(pad) => padded(&mut out, civil.day, 2, pad),
            Part::YearDay(pad) => padded(&mut out, civil.year_day(), 3, pad),
            Part::Hour => number(&mut out, hour, 2),
            Part::Hour12(two) => number(&mut out, hour12, if two { 2 } else { 0 }),
            Part::Minute(two) => number(&mut out, minute, if two { 2 } else { 0 }),
            Part::Second(two) => number(&mut out, second, if two { 2 } else { 0 }),
            Part::Noon(upper) => text(match (hour >= 12, upper) {
                (true, true) => "PM",
                (true, false) => "pm",
                (false, true) => "AM",
                (false, false) => "am",
            }),
            Part::Zone if !name.is_empty() => text(&name),
            Part::Zone => write_offset(&mut out, offset, false, 2),
            Part::Offset { z: true, .. } if offset == 0 => out.push(b'Z'),
            Part::Offset { colon, numbers, .. } => write_offset(&mut out, offset, colon, numbers),
            Part::Fraction { trim, digits, separator } => {
                if trim && time.nanos == 0 {
                    continue;
                }
                let nanos = std::format!("{:09}", time.nanos);
                let nanos = &nanos[..digits.min(9)];
                let nanos = if trim { nanos.trim_end_matches('0') } else { nanos };
                if !nanos.is_empty() {
                    out.push(separator);
                    out.extend_from_slice(nanos.as_bytes());
                }
            }
        }
    }
    out.extend_from_slice(layout);
    out
}

fn number(out: &mut Vec<u8>, number: i64, width: usize) {
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(std::format!("{:0width$}", number.unsigned_abs()).as_bytes());
}

fn padded(out: &mut Vec<u8>, value: i64, width: usize, pad: Pad) {
    match pad {
        Pad::Nothing => number(out, value, 0),
        Pad::Zero => number(out, value, width),
        Pad::Space => out.extend_from_slice(std::format!("{value:width$}").as_bytes()),
    }
}

fn write_offset(out: &mut Vec<u8>, offset: i64, colon: bool, numbers: u8) {
    // the sign is that of the whole minutes
    out.push(if offset / 60 < 0 { b'-' } else { b'+' });
    let minutes = (offset / 60).abs();
    number(out, minutes / 60, 2);
    let rest = [minutes % 60, offset.abs() % 60];
    for part in rest.iter().take(usize::from(numbers) - 1) {
        if colon {
            out.push(b':');
        }
        number(out, *part, 2);
    }
}
