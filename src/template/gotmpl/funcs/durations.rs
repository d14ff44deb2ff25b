//! Helm's functions of durations: texts, and numbers of seconds, in the units that charts ask for.

use crate::template::gotmpl::fmt::{float, quote};
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, INT64};
use crate::template::gotmpl::time::{DURATION, duration};
use crate::template::gotmpl::value::Value;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("durationDays", &[&ANY], |call| in_unit(call, duration::HOUR, 24.0)),
    Function::new("durationHours", &[&ANY], |call| in_unit(call, duration::HOUR, 1.0)),
    Function::new("durationMicroseconds", &[&ANY], |call| whole(call, 1_000)),
    Function::new("durationMilliseconds", &[&ANY], |call| whole(call, 1_000_000)),
    Function::new("durationMinutes", &[&ANY], |call| in_unit(call, duration::MINUTE, 1.0)),
    Function::new("durationNanoseconds", &[&ANY], |call| whole(call, 1)),
    Function::new("durationRoundTo", &[&ANY, &ANY], |call| to_multiple(call, duration::round)),
    Function::new("durationSeconds", &[&ANY], |call| in_unit(call, duration::SECOND, 1.0)),
    Function::new("durationTruncateTo", &[&ANY, &ANY], |call| {
        to_multiple(call, duration::truncate)
    }),
    Function::new("durationWeeks", &[&ANY], |call| {
        let Value::Float(days, of) = in_unit(call, duration::HOUR, 24.0)? else {
            panic!("a unit is a number of them");
        };
        Ok(Value::Float(days / 7.0, of))
    }),
    Function::new("mustToDuration", &[&ANY], |call| {
        Ok(Value::Int(read(&call.args[0])?, &DURATION))
    }),
];

type Outcome = Result<Value, Failure>;

/// A duration in a unit, divided once more; 0 for what is no duration.
fn in_unit(call: &Call<'_>, unit: u64, divisor: f64) -> Outcome {
    let nanos = read(&call.args[0]).unwrap_or(0);
    Ok(Value::float(duration::in_unit(nanos, unit) / divisor))
}

/// Whole units of a duration; 0 for what is no duration.
fn whole(call: &Call<'_>, unit: i64) -> Outcome {
    Ok(Value::Int(read(&call.args[0]).unwrap_or(0) / unit, &INT64))
}

/// A duration brought to a multiple of another; itself when that is no duration.
fn to_multiple(call: &Call<'_>, bring: fn(i64, i64) -> i64) -> Outcome {
    let nanos = match read(&call.args[0]) {
        Ok(nanos) => read(&call.args[1]).map_or(nanos, |multiple| bring(nanos, multiple)),
        Err(_) => 0,
    };
    Ok(Value::Int(nanos, &DURATION))
}

/// A duration: one by type or by text, or a number of seconds.
fn read(value: &Value) -> Result<i64, String> {
    match value {
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Int(nanos, of) if **of == DURATION => Ok(*nanos),
        Value::Int(seconds, _) => seconds
            .checked_mul(duration::SECOND.cast_signed())
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Uint(seconds, _) => i64::try_from(*seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(duration::SECOND.cast_signed()))
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Float(seconds, _) => of_seconds(*seconds),
        Value::Text(text) => {
            let trimmed = text.lossy();
            let trimmed = trimmed.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Ok(nanos) = duration::parse(trimmed.as_bytes()) {
                return Ok(nanos);
            }
            match super::number::parse_float(trimmed) {
                Some(seconds) => of_seconds(seconds),
                None => Err(format!("could not parse duration {}", quote::quote(text))),
            }
        }
        other => {
            let name = other.go_type().map_or("<nil>", |of| of.name);
            Err(format!("unsupported duration type {name}"))
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "Go cuts the fraction off too")]
fn of_seconds(seconds: f64) -> Result<i64, String> {
    // the doubles next to the ends of 64 bits
    const LARGEST: f64 = 9_223_372_036.854_776;
    const NANOS: f64 = 1e9;
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", float::shortest(seconds)));
    }
    if seconds.abs() > LARGEST {
        return Err(format!("duration seconds overflow: {}", float::shortest(seconds)));
    }
    Ok((seconds * NANOS) as i64)
}
