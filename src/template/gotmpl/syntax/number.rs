//! Numbers and characters as Go writes them: one constant can be an integer, a double and a complex
//! number at once, and where it is used decides which it is.

use super::super::value::Text;
use super::quote::unquote_char;

/// A constant: all that it can be without loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// As it was written.
    pub text: Text,
    /// As a signed integer.
    pub int: Option<i64>,
    /// As an unsigned integer.
    pub uint: Option<u64>,
    /// As a double.
    pub float: Option<f64>,
    /// As a complex number: only what was written as one.
    pub complex: Option<(f64, f64)>,
}

/// A character in single quotes.
pub(super) fn character(text: &str) -> Result<Number, String> {
    let (c, _, tail) = unquote_char(&text.as_bytes()[1..], b'\'').ok_or("invalid syntax")?;
    if tail != b"'" {
        return Err(format!("malformed character constant: {text}"));
    }
    Ok(Number {
        text: text.into(),
        int: Some(i64::from(c)),
        uint: Some(u64::from(c)),
        float: Some(f64::from(c)),
        complex: None,
    })
}

/// Two numbers with a sign between, the second imaginary.
pub(super) fn complex(text: &str) -> Result<Number, String> {
    let body = &text[..text.len() - 1];
    // The sign of an exponent is not the one between.
    let split = body
        .char_indices()
        .skip(1)
        .filter(|(at, c)| {
            let hexadecimal = body.contains(['x', 'X']);
            let before = body.as_bytes()[at - 1];
            let exponent = if hexadecimal { b"pP" } else { b"eE" };
            matches!(c, '+' | '-') && !exponent.contains(&before)
        })
        .map(|(at, _)| at)
        .last()
        .ok_or("syntax error scanning complex number")?;
    let (real, imaginary) = body.split_at(split);
    let part = |text: &str| {
        float(text).ok_or_else(|| {
            format!("strconv.ParseFloat: parsing {}: invalid syntax", super::quote(text.as_bytes()))
        })
    };
    Ok(simplified(text, part(real)?, part(imaginary)?))
}

/// Any other number.
pub(super) fn number(text: &str) -> Result<Number, String> {
    if let Some(imaginary) = text.strip_suffix('i').and_then(float) {
        return Ok(simplified(text, 0.0, imaginary));
    }
    let mut number =
        Number { text: text.into(), int: int(text), uint: uint(text), float: None, complex: None };
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a constant is rounded where it is a double")]
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", super::quote(text.as_bytes())));
        }
        number.float = Some(float);
        number.int = whole(float);
        number.uint = whole_unsigned(float);
    } else {
        return Err(format!("illegal number syntax: {}", super::quote(text.as_bytes())));
    }
    Ok(number)
}

/// A complex number, which is also a double when nothing of it is imaginary.
fn simplified(text: &str, real: f64, imaginary: f64) -> Number {
    let float = (imaginary == 0.0).then_some(real);
    Number {
        text: text.into(),
        int: float.and_then(whole),
        uint: float.and_then(whole_unsigned),
        float,
        complex: Some((real, imaginary)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only what fits is converted")]
fn whole(float: f64) -> Option<i64> {
    let fits = float.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    fits.then_some(float as i64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only what fits is converted"
)]
fn whole_unsigned(float: f64) -> Option<u64> {
    let fits = float.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&float);
    fits.then_some(float as u64)
}

/// Go's `strconv.ParseInt` with base 0.
#[must_use]
pub fn int(text: &str) -> Option<i64> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, uint(&text[1..])?),
        b'+' => (false, uint(&text[1..])?),
        _ => (false, uint(text)?),
    };
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseUint` with base 0.
#[must_use]
pub fn uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', _, ..] => (16, &lower[2..]),
        [b'0', b'b', _, ..] => (2, &lower[2..]),
        [b'0', b'o', _, ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
        return None;
    }
    if lower.contains('_') && !underscores_separate(&lower) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), base).ok()
}

/// Go's `strconv.ParseFloat` for what the lexer takes for a number.
#[must_use]
pub fn float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if lower.contains('_') && !underscores_separate(lower.trim_start_matches(['+', '-'])) {
        return None;
    }
    let plain = lower.replace('_', "");
    let (negative, magnitude) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    let value = if let Some(digits) = magnitude.strip_prefix("0x") {
        hexadecimal(digits)?
    } else {
        if !magnitude.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        magnitude.parse().ok()?
    };
    if value.is_infinite() {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// Underscores must stand between digits; a prefix such as `0x` counts as one.
fn underscores_separate(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut before, start, hexadecimal) = match bytes {
        [b'0', letter @ (b'x' | b'b' | b'o'), ..] => (b'0', 2, *letter == b'x'),
        _ => (b'^', 0, false),
    };
    for byte in &bytes[start..] {
        match byte {
            b'0'..=b'9' => before = b'0',
            b'a'..=b'f' if hexadecimal => before = b'0',
            b'_' if before == b'0' => before = b'_',
            _ if *byte == b'_' || before == b'_' => return false,
            _ => before = b'!',
        }
    }
    before != b'_'
}

/// A hexadecimal double such as `1.8p3`, rounded to even.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i64 = exponent.parse().ok().or_else(|| {
        // Beyond any double, whatever it is exactly.
        let digits = exponent.trim_start_matches(['+', '-']);
        let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        number.then_some(if exponent.starts_with('-') { -1_000_000 } else { 1_000_000 })
    })?;
    let mut exponent = exponent.clamp(-1_000_000, 1_000_000);
    let (mut bits, mut lost, mut any, mut fraction) = (0u64, false, false, false);
    for byte in mantissa.bytes() {
        if byte == b'.' {
            if fraction {
                return None;
            }
            fraction = true;
            continue;
        }
        let digit = u64::from(char::from(byte).to_digit(16)?);
        any = true;
        if bits >> 59 == 0 {
            bits = bits << 4 | digit;
            exponent -= if fraction { 4 } else { 0 };
        } else {
            lost |= digit != 0;
            exponent += if fraction { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    Some(round(bits, exponent, lost))
}

/// `bits * 2^exponent`, and a little more when something was lost, rounded to even.
fn round(bits: u64, exponent: i64, lost: bool) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let length = 64 - i64::from(bits.leading_zeros());
    // 53 bits, or fewer where doubles are denormal.
    let keep = (length + exponent + 1074).min(53);
    let mut scale = exponent;
    let mut kept = bits;
    let drop = length - keep;
    if drop > 64 {
        return 0.0;
    }
    if drop > 0 {
        let wide = u128::from(bits);
        let (rest, half) = (wide & ((1 << drop) - 1), 1u128 << (drop - 1));
        let up = rest > half || rest == half && (lost || wide >> drop & 1 == 1);
        kept = u64::try_from(wide >> drop).expect("bits are dropped, not added") + u64::from(up);
        scale += drop;
    }
    if scale > 1024 {
        return f64::INFINITY;
    }
    let mut value = f64::from(u32::try_from(kept >> 32).expect("32 bits")) * 4_294_967_296.0
        + f64::from(u32::try_from(kept & 0xffff_ffff).expect("32 bits"));
    let mut scale = i32::try_from(scale).expect("the exponent is that of a double");
    // No single power of two reaches from the smallest double to the largest.
    while scale != 0 {
        let step = scale.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        scale -= step;
    }
    value
}
