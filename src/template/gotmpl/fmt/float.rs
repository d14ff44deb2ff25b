//! Floating-point numbers as text: Go's `strconv.FormatFloat`.

use crate::yaml::json::scientific;
use std::fmt::Write as _;

const TAKES_ALL: &str = "a text takes all that is written";

/// How many digits to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Digits {
    /// As few as tell the number from its neighbours.
    Shortest,
    /// So many: after the point, or significant ones for `g`.
    Exactly(usize),
}

/// More digits than this a double has not; what is asked beyond are zeros.
const SIGNIFICANT: usize = 1100;

/// The number in one of the forms `b`, `e`, `E`, `f`, `g`, `G`, `x`, `X`. `single` tells that it is
/// a widened `float32`.
#[must_use]
pub fn format(number: f64, form: u8, digits: Digits, single: bool) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut out = String::new();
    if number.is_sign_negative() {
        out.push('-');
    }
    let number = number.abs();
    match form {
        b'b' => binary(&mut out, number, single),
        b'x' | b'X' => hexadecimal(&mut out, number, form, digits, single),
        b'e' | b'E' => exponent(&mut out, &decimal(number, digits, single), form),
        b'f' => fixed(&mut out, number, digits, single),
        _ => general(&mut out, number, form, digits, single),
    }
    out
}

/// The shortest text of the form `g`: what `print` writes.
#[must_use]
pub fn shortest(number: f64) -> String {
    format(number, b'g', Digits::Shortest, false)
}

/// Decimal digits, the first before the point, and the power of ten.
struct Decimal {
    digits: String,
    exponent: i32,
    /// Zeros that follow the digits.
    padding: usize,
}

/// The digits of a number; `Exactly(n)` asks for `n` after the first one.
fn decimal(number: f64, digits: Digits, single: bool) -> Decimal {
    let (text, padding) = match digits {
        Digits::Shortest if single => (format!("{:e}", narrow(number)), 0),
        Digits::Shortest => (scientific(number), 0),
        Digits::Exactly(count) => {
            let known = count.min(SIGNIFICANT);
            (format!("{number:.known$e}"), count - known)
        }
    };
    let (mantissa, exponent) = text.split_once('e').expect("the exponential form has an exponent");
    let digits = mantissa.chars().filter(|c| *c != '.').collect();
    Decimal { digits, exponent: exponent.parse().expect("an exponent is a number"), padding }
}

#[expect(clippy::cast_possible_truncation, reason = "the number was widened from an `f32`")]
fn narrow(number: f64) -> f32 {
    number as f32
}

fn exponent(out: &mut String, decimal: &Decimal, form: u8) {
    let (first, rest) = decimal.digits.split_at(1);
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
        out.extend(std::iter::repeat_n('0', decimal.padding));
    }
    out.push(form as char);
    out.push(if decimal.exponent < 0 { '-' } else { '+' });
    write!(out, "{:02}", decimal.exponent.unsigned_abs()).expect(TAKES_ALL);
}

fn fixed(out: &mut String, number: f64, digits: Digits, single: bool) {
    match digits {
        Digits::Shortest if single => out.push_str(&narrow(number).to_string()),
        Digits::Shortest => out.push_str(&number.to_string()),
        Digits::Exactly(count) => {
            let known = count.min(SIGNIFICANT);
            write!(out, "{number:.known$}").expect(TAKES_ALL);
            out.extend(std::iter::repeat_n('0', count - known));
        }
    }
}

/// The form `g`: an exponent only for the very large and the very small, no zeros at the end.
fn general(out: &mut String, number: f64, form: u8, digits: Digits, single: bool) {
    let asked = match digits {
        Digits::Shortest => Digits::Shortest,
        Digits::Exactly(count) => Digits::Exactly(count.max(1) - 1),
    };
    let mut decimal = decimal(number, asked, single);
    decimal.padding = 0;
    while decimal.digits.len() > 1 && decimal.digits.ends_with('0') {
        decimal.digits.pop();
    }
    let count = i64::try_from(decimal.digits.len()).expect("few digits");
    let point = i64::from(decimal.exponent) + 1;
    let threshold = match digits {
        Digits::Shortest => SHORTEST_THRESHOLD,
        Digits::Exactly(wanted) => {
            let wanted = i64::try_from(wanted.max(1)).unwrap_or(i64::MAX);
            if wanted > count && count >= point { count } else { wanted }
        }
    };
    if i64::from(decimal.exponent) < -4 || i64::from(decimal.exponent) >= threshold {
        return exponent(out, &decimal, form - (b'g' - b'e'));
    }
    plain(out, &decimal.digits, point);
}

/// Without a wanted number of digits, exponents from here on are written as such.
const SHORTEST_THRESHOLD: i64 = 6;

/// Digits with the point after so many of them.
fn plain(out: &mut String, digits: &str, point: i64) {
    let Ok(whole) = usize::try_from(point) else {
        return below_one(out, digits, point.unsigned_abs());
    };
    if whole == 0 {
        return below_one(out, digits, 0);
    }
    if digits.len() <= whole {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
        return;
    }
    out.push_str(&digits[..whole]);
    out.push('.');
    out.push_str(&digits[whole..]);
}

fn below_one(out: &mut String, digits: &str, zeros: u64) {
    out.push_str("0.");
    (0..zeros).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// Mantissa and exponent of two, the mantissa with `width` bits after the first.
fn parts(number: f64, single: bool) -> (u64, i64, u32) {
    let (bits, width, bias) = if single {
        (u64::from(narrow(number).to_bits()), 23, 127)
    } else {
        (number.to_bits(), 52, 1023)
    };
    let mantissa = bits & ((1 << width) - 1);
    let exponent = i64::try_from(bits >> width).expect("the sign is taken off");
    if exponent == 0 {
        (mantissa, 1 - bias, width)
    } else {
        (mantissa | 1 << width, exponent - bias, width)
    }
}

fn binary(out: &mut String, number: f64, single: bool) {
    let (mantissa, exponent, width) = parts(number, single);
    write!(out, "{mantissa}p{:+}", exponent - i64::from(width)).expect(TAKES_ALL);
}

fn hexadecimal(out: &mut String, number: f64, form: u8, digits: Digits, single: bool) {
    let (mut mantissa, mut exponent, width) = parts(number, single);
    if mantissa == 0 {
        exponent = 0;
    } else {
        mantissa <<= 60 - width;
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent -= i64::from(shift);
    }
    if let Digits::Exactly(count @ 0..15) = digits {
        let kept = 60 - 4 * count;
        let extra = mantissa & ((1 << kept) - 1);
        mantissa >>= kept;
        // half rounds to even
        let half = 1 << (kept - 1);
        if extra > half || extra == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= kept;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let upper = form == b'X';
    out.push_str(if upper { "0X" } else { "0x" });
    out.push(if mantissa >> 60 == 0 { '0' } else { '1' });
    let fraction = mantissa & ((1 << 60) - 1);
    let text = if upper { format!("{fraction:015X}") } else { format!("{fraction:015x}") };
    let text = match digits {
        Digits::Shortest => text.trim_end_matches('0').to_owned(),
        Digits::Exactly(count) if count <= text.len() => text[..count].to_owned(),
        Digits::Exactly(count) => format!("{text}{}", "0".repeat(count - text.len())),
    };
    if !text.is_empty() {
        out.push('.');
        out.push_str(&text);
    }
    out.push(if upper { 'P' } else { 'p' });
    out.push(if exponent < 0 { '-' } else { '+' });
    write!(out, "{:02}", exponent.unsigned_abs()).expect(TAKES_ALL);
}
