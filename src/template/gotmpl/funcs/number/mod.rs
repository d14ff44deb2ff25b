//! Numbers: conversions that never fail (spf13's `cast`), and arithmetic on what they give.

mod decimal;

use super::strval::printed;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{self, ANY, FLOAT64, INT, STRING};
use crate::template::gotmpl::value::{List, Value};
use decimal::Decimal;
use std::borrow::Cow;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::variadic("add", &[&ANY], add),
    Function::new("add1", &[&ANY], |call| Ok(Value::int64(to_int(&call.args[0]).wrapping_add(1)))),
    Function::new("add1f", &[&ANY], add1f),
    Function::variadic("addf", &[&ANY], addf),
    Function::new("atoi", &[&STRING], atoi),
    Function::variadic("biggest", &[&ANY, &ANY], max),
    Function::new("ceil", &[&ANY], |call| Ok(Value::float(to_float(&call.args[0]).ceil()))),
    Function::new("div", &[&ANY, &ANY], div),
    Function::variadic("divf", &[&ANY, &ANY], |call| decimals(call, Decimal::divided)),
    Function::new("float64", &[&ANY], |call| Ok(Value::float(to_float(&call.args[0])))),
    Function::new("floor", &[&ANY], |call| Ok(Value::float(to_float(&call.args[0]).floor()))),
    Function::new("int", &[&ANY], |call| Ok(Value::int(to_int(&call.args[0])))),
    Function::new("int64", &[&ANY], |call| Ok(Value::int64(to_int(&call.args[0])))),
    Function::variadic("max", &[&ANY, &ANY], max),
    Function::variadic("maxf", &[&ANY, &ANY], |call| floats(call, greater)),
    Function::variadic("min", &[&ANY, &ANY], min),
    Function::variadic("minf", &[&ANY, &ANY], |call| floats(call, |a, b| -greater(-a, -b))),
    Function::new("mod", &[&ANY, &ANY], modulo),
    Function::variadic("mul", &[&ANY, &ANY], mul),
    Function::variadic("mulf", &[&ANY, &ANY], |call| decimals(call, Decimal::times)),
    Function::variadic("round", &[&ANY, &INT, &FLOAT64], round),
    Function::variadic("seq", &[&INT], seq),
    Function::new("sub", &[&ANY, &ANY], sub),
    Function::variadic("subf", &[&ANY, &ANY], |call| decimals(call, Decimal::minus)),
    Function::new("toDecimal", &[&ANY], to_decimal),
    Function::new("until", &[&INT], until),
    Function::new("untilStep", &[&INT, &INT, &INT], until_step),
];

/// The integer of a value: 0 where there is none.
#[expect(
    clippy::cast_possible_wrap,
    reason = "Go's conversion of an unsigned integer keeps its bits"
)]
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(int, of) if is_plain(of) => *int,
        Value::Uint(int, of) if is_plain(of) => *int as i64,
        Value::Float(float, _) => int_of_float(*float),
        Value::Text(text) => text.as_str().and_then(int_of_text).unwrap_or(0),
        Value::Bool(bool) => i64::from(*bool),
        _ => 0,
    }
}

/// The double of a value: 0 where there is none.
#[expect(clippy::cast_precision_loss, reason = "as Go's conversion does")]
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(int, of) if is_plain(of) => *int as f64,
        Value::Uint(int, of) if is_plain(of) => *int as f64,
        Value::Float(float, _) => *float,
        Value::Text(text) => text.as_str().and_then(parse_float).unwrap_or(0.0),
        Value::Bool(bool) => f64::from(u8::from(*bool)),
        _ => 0.0,
    }
}

/// `cast` knows Go's own integers and, of those with a name, months and days of the week.
fn is_plain(of: &go_type::Type) -> bool {
    !of.name.contains('.') || matches!(of.name, "time.Month" | "time.Weekday")
}

/// Go's conversion on amd64: what does not fit becomes the least integer.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit has been looked at")]
pub(super) fn int_of_float(float: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&float) { float as i64 } else { i64::MIN }
}

/// The integer of a text: a fraction of zeros is cut off, a prefix tells the base, and digits may
/// have underscores between them if there is one.
fn int_of_text(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches('0');
    let text = match digits.strip_suffix('.') {
        Some(before) if digits.len() < text.len() => before,
        _ => text,
    };
    parse_int(text, 0)
}

/// Go's `strconv.ParseInt` for 64 bits; base 0 means that a prefix tells it.
pub(super) fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match base {
        0 => base_of(digits)?,
        base => (base, digits.to_owned()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(&digits, base).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// The base that a prefix tells, and the digits without underscores.
fn base_of(text: &str) -> Option<(u32, String)> {
    let digits = without_underscores(text)?.to_ascii_lowercase();
    Some(match digits.as_bytes() {
        [b'0', b'x', ..] => (16, digits[2..].to_owned()),
        [b'0', b'b', ..] => (2, digits[2..].to_owned()),
        [b'0', b'o', ..] => (8, digits[2..].to_owned()),
        [b'0', _, ..] => (8, digits[1..].to_owned()),
        _ => (10, digits),
    })
}

/// A number without its underscores, which must stand between digits, or between prefix and digits.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let prefix = text.get(..2).unwrap_or_default().to_ascii_lowercase();
    let prefixed = matches!(prefix.as_str(), "0x" | "0b" | "0o");
    let is_digit = |char: char| char.is_digit(if prefix == "0x" { 16 } else { 10 });
    let (mut after_digit, mut after_underscore) = (prefixed, false);
    for char in text[if prefixed { 2 } else { 0 }..].chars() {
        let misplaced =
            if char == '_' { !after_digit } else { after_underscore && !is_digit(char) };
        if misplaced {
            return None;
        }
        (after_digit, after_underscore) = (is_digit(char), char == '_');
    }
    (!after_underscore).then(|| Cow::Owned(text.replace('_', "")))
}

/// Go's `strconv.ParseFloat` for texts: decimal and hexadecimal forms, `inf` and `nan`.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = without_underscores(unsigned)?.to_ascii_lowercase();
    let negative = text.starts_with('-');
    let signed = |float: f64| if negative { -float } else { float };
    match lower.as_str() {
        "inf" | "infinity" => return Some(signed(f64::INFINITY)),
        // only without a sign
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        _ => {}
    }
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return parse_hexadecimal(hexadecimal).map(signed);
    }
    let plain = lower.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'));
    let float: f64 = lower.parse().ok().filter(|_| plain)?;
    float.is_finite().then(|| signed(float))
}

/// The number `1.8p3` of `0x1.8p3`: digits, a point, and an exponent that must be there.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa: u128 = 0;
    let mut shift: i32 = 0;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        let after_point = index >= whole.len();
        if mantissa >> 120 == 0 {
            mantissa = mantissa << 4 | u128::from(digit);
            shift -= if after_point { 4 } else { 0 };
        } else {
            mantissa |= u128::from(digit != 0);
            shift += if after_point { 0 } else { 4 };
        }
    }
    // a product with powers of two is exact, unless the result is subnormal
    #[expect(clippy::cast_precision_loss, reason = "rounded to even, as Go does")]
    let float = scaled(mantissa as f64, exponent.saturating_add(shift).clamp(-5000, 5000));
    float.is_finite().then_some(float)
}

fn add(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::int64(call.args.iter().map(to_int).fold(0, i64::wrapping_add)))
}

fn sub(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::int64(to_int(&call.args[0]).wrapping_sub(to_int(&call.args[1]))))
}

fn mul(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::int64(call.args.iter().map(to_int).fold(1, i64::wrapping_mul)))
}

const BY_ZERO: &str = "runtime error: integer divide by zero";

fn div(call: &mut Call<'_>) -> Result<Value, Failure> {
    match to_int(&call.args[1]) {
        0 => Err(BY_ZERO.into()),
        divisor => Ok(Value::int64(to_int(&call.args[0]).wrapping_div(divisor))),
    }
}

fn modulo(call: &mut Call<'_>) -> Result<Value, Failure> {
    match to_int(&call.args[1]) {
        0 => Err(BY_ZERO.into()),
        divisor => Ok(Value::int64(to_int(&call.args[0]).wrapping_rem(divisor))),
    }
}

fn max(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::int64(call.args.iter().map(to_int).max().unwrap_or(0)))
}

fn min(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::int64(call.args.iter().map(to_int).min().unwrap_or(0)))
}

fn floats(call: &mut Call<'_>, pick: fn(f64, f64) -> f64) -> Result<Value, Failure> {
    Ok(Value::float(call.args.iter().map(to_float).reduce(pick).unwrap_or(0.0)))
}

/// Go's `math.Max`: infinity wins over NaN, NaN over all else, and 0 over -0.
fn greater(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == 0.0 && b == 0.0 {
        return if a.is_sign_negative() { b } else { a };
    }
    if a > b { a } else { b }
}

fn add1f(call: &mut Call<'_>) -> Result<Value, Failure> {
    let one = Decimal::of(1.0)?;
    Ok(Value::float(Decimal::of(to_float(&call.args[0]))?.plus(&one)?.to_float()))
}

fn addf(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut sum = Decimal::of(0.0)?;
    for value in call.args {
        sum = sum.plus(&Decimal::of(to_float(value))?)?;
    }
    Ok(Value::float(sum.to_float()))
}

fn decimals(
    call: &mut Call<'_>,
    operation: fn(&Decimal, &Decimal) -> Result<Decimal, Failure>,
) -> Result<Value, Failure> {
    let mut result = Decimal::of(to_float(&call.args[0]))?;
    for value in &call.args[1..] {
        call.templates.spend(1 + result.size())?;
        result = operation(&result, &Decimal::of(to_float(value))?)?;
    }
    Ok(Value::float(result.to_float()))
}

fn atoi(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(0);
    // beyond the range the number is its end, and that it is so is not told
    let parsed = text.as_str().and_then(|text| {
        let clamped = || {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            number.then_some(if text.starts_with('-') { i64::MIN } else { i64::MAX })
        };
        parse_int(text, 10).or_else(clamped)
    });
    Ok(Value::int(parsed.unwrap_or(0)))
}

fn round(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (value, places) = (to_float(&call.args[0]), call.int(1));
    let round_on = call.args.get(2).map_or(0.5, to_float);
    let power = power_of_ten(places);
    let digit = power * value;
    let part = if digit.is_infinite() { f64::NAN } else { digit.fract() };
    let rounded = if part >= round_on { digit.ceil() } else { digit.floor() };
    Ok(Value::float(rounded / power))
}

/// Go's `math.Pow(10, exponent)`, whose results are not always the nearest doubles.
fn power_of_ten(exponent: i64) -> f64 {
    let (mut base, mut base_power) = (0.625, 4);
    let (mut result, mut power) = (1.0, 0);
    let mut rest = exponent.unsigned_abs();
    while rest != 0 {
        if base_power > 1 << 12 {
            power += base_power;
            break;
        }
        if rest & 1 == 1 {
            result *= base;
            power += base_power;
        }
        base *= base;
        base_power <<= 1;
        if base < 0.5 {
            base += base;
            base_power -= 1;
        }
        rest >>= 1;
    }
    if exponent < 0 {
        (result, power) = (1.0 / result, -power);
    }
    scaled(result, power)
}

/// The number times a power of two.
fn scaled(mut float: f64, mut power: i32) -> f64 {
    while power != 0 && float != 0.0 && float.is_finite() {
        let step = power.clamp(-1000, 1000);
        float *= 2f64.powi(step);
        power -= step;
    }
    float
}

fn to_decimal(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = printed(&call.args[0])?;
    Ok(Value::int64(text.as_str().and_then(|text| parse_int(text, 8)).unwrap_or(0)))
}

/// The integers from `start` before `stop`, none when the step leads away.
fn steps(
    call: &mut Call<'_>,
    start: i64,
    stop: i64,
    step: i64,
) -> Result<impl Iterator<Item = i64> + use<>, Failure> {
    let distance = i128::from(stop) - i128::from(start);
    let toward = if stop < start { step < 0 } else { step > 0 };
    let count = if toward && distance != 0 {
        let (distance, step) = (distance.unsigned_abs(), i128::from(step).unsigned_abs());
        usize::try_from(distance.div_ceil(step)).unwrap_or(usize::MAX)
    } else {
        0
    };
    call.templates.pay_items(count)?;
    Ok((0..count).scan(start, move |next, _| {
        let int = *next;
        *next = next.wrapping_add(step);
        Some(int)
    }))
}

fn int_list(ints: impl Iterator<Item = i64>) -> Value {
    Value::List(List::new(&go_type::INT_LIST, ints.map(Value::int).collect::<Vec<_>>()))
}

fn until(call: &mut Call<'_>) -> Result<Value, Failure> {
    let count = call.int(0);
    Ok(int_list(steps(call, 0, count, if count < 0 { -1 } else { 1 })?))
}

fn until_step(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (start, stop, step) = (call.int(0), call.int(1), call.int(2));
    Ok(int_list(steps(call, start, stop, step)?))
}

fn seq(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (start, step, end) = match call.args.len() {
        1 => (1, None, call.int(0)),
        2 => (call.int(0), None, call.int(1)),
        3 => (call.int(0), Some(call.int(1)), call.int(2)),
        _ => return Ok(Value::text("")),
    };
    let down = end < start;
    if down && step.is_some_and(|step| step > 0) {
        return Ok(Value::text(""));
    }
    let last = if down { -1 } else { 1 };
    let ints = steps(call, start, end.wrapping_add(last), step.unwrap_or(last))?;
    let mut out = String::new();
    for int in ints {
        use std::fmt::Write;
        let separator = if out.is_empty() { "" } else { " " };
        let _ = write!(out, "{separator}{int}");
    }
    Ok(Value::text(out))
}
