//! Go's durations: nanoseconds in 64 bits, read from and written as `1h2m3.5s`.

use super::quote;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of a minute.
pub const MINUTE: u64 = 60 * SECOND;
/// Nanoseconds of an hour.
pub const HOUR: u64 = 60 * MINUTE;

/// A duration as Go prints it.
#[must_use]
pub fn text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let rest = match nanos {
        0 => return "0s".to_owned(),
        1..MICROSECOND => format!("{nanos}ns"),
        MICROSECOND..MILLISECOND => format!("{}µs", fraction(nanos, MICROSECOND, 3)),
        MILLISECOND..SECOND => format!("{}ms", fraction(nanos, MILLISECOND, 6)),
        SECOND..MINUTE => format!("{}s", fraction(nanos, SECOND, 9)),
        _ => {
            let seconds = fraction(nanos % MINUTE, SECOND, 9);
            match (nanos / HOUR, nanos / MINUTE % 60) {
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{rest}")
}

/// A number in a unit, without zeros at its end.
fn fraction(number: u64, unit: u64, digits: usize) -> String {
    let rest = format!("{:0digits$}", number % unit);
    match rest.trim_end_matches('0') {
        "" => (number / unit).to_string(),
        rest => format!("{}.{rest}", number / unit),
    }
}

/// Rounds to a multiple, half away from zero.
#[must_use]
pub fn round(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let (exact, step) = (i128::from(nanos), i128::from(multiple));
    let rest = exact.abs() % step;
    let magnitude = if rest * 2 < step { exact.abs() - rest } else { exact.abs() - rest + step };
    let rounded = magnitude * exact.signum();
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// Cuts to a multiple, toward zero.
#[must_use]
pub fn truncate(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 { nanos } else { nanos - nanos % multiple }
}

/// How many units a duration has.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "Go goes through doubles too")]
pub fn in_unit(nanos: i64, unit: u64) -> f64 {
    let unit = unit.cast_signed();
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

/// Reads `1h30m`, `-1.5h`, `2us` and the like.
///
/// # Errors
/// Go's text.
pub fn parse(text: &[u8]) -> Result<i64, String> {
    let fault = |what: &str| format!("time: {what} {}", quote(text));
    let invalid = || fault("invalid duration");
    let (negative, mut rest) = match text {
        [sign @ (b'-' | b'+'), rest @ ..] => (*sign == b'-', rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while let Some(first) = rest.first() {
        if !first.is_ascii_digit() && *first != b'.' {
            return Err(invalid());
        }
        let digits = count_digits(rest);
        let whole = leading_int(&rest[..digits]).ok_or_else(invalid)?;
        rest = &rest[digits..];
        let (mut part, mut scale, mut decimals) = (0, 1.0, 0);
        if rest.first() == Some(&b'.') {
            rest = &rest[1..];
            decimals = count_digits(rest);
            (part, scale) = leading_fraction(&rest[..decimals]);
            rest = &rest[decimals..];
        }
        if digits == 0 && decimals == 0 {
            return Err(invalid());
        }
        let end = rest
            .iter()
            .position(|byte| *byte == b'.' || byte.is_ascii_digit())
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(fault("missing unit in duration"));
        }
        let (name, after) = rest.split_at(end);
        rest = after;
        let Some(unit) = unit(name) else {
            return Err(fault(&format!("unknown unit {} in duration", quote(name))));
        };
        if whole > LIMIT / unit {
            return Err(invalid());
        }
        let sum = total.checked_add(whole * unit + partial(part, scale, unit));
        total = sum.filter(|sum| *sum <= LIMIT).ok_or_else(invalid)?;
    }
    if negative {
        return Ok(total.wrapping_neg().cast_signed());
    }
    i64::try_from(total).map_err(|_| invalid())
}

/// The magnitude of the most negative duration.
const LIMIT: u64 = 1 << 63;

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go goes through doubles too"
)]
fn partial(part: u64, scale: f64, unit: u64) -> u64 {
    (part as f64 * (unit as f64 / scale)) as u64
}

fn unit(name: &[u8]) -> Option<u64> {
    Some(match std::str::from_utf8(name).ok()? {
        "ns" => 1,
        // the micro sign and the Greek letter
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn leading_int(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, digit| {
        number
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))
            .filter(|number| *number <= LIMIT)
    })
}

/// Digits after the point as a number and what it is to be divided by; those too many are dropped.
fn leading_fraction(digits: &[u8]) -> (u64, f64) {
    let (mut number, mut scale) = (0u64, 1.0);
    for digit in digits {
        let more = number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
        match more.filter(|more| number <= (LIMIT - 1) / 10 && *more <= LIMIT) {
            Some(more) => number = more,
            None => break,
        }
        scale *= 10.0;
    }
    (number, scale)
}
