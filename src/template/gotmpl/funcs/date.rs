//! Dates and durations: sprig's functions over [`Time`].

use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, INT, INT32, INT64, STRING};
use crate::template::gotmpl::time::zone::Zone;
use crate::template::gotmpl::time::{TIME, Time, duration};
use crate::template::gotmpl::value::Value;
use std::rc::Rc;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("ago", &[&ANY], ago),
    Function::new("date", &[&STRING, &ANY], |call| shown(call, call.text(0), &call.args[1], LOCAL)),
    Function::new("dateInZone", &[&STRING, &ANY, &STRING], date_in_zone),
    Function::new("dateModify", &[&STRING, &TIME], date_modify),
    Function::new("date_in_zone", &[&STRING, &ANY, &STRING], date_in_zone),
    Function::new("date_modify", &[&STRING, &TIME], date_modify),
    Function::new("duration", &[&ANY], duration_of_seconds),
    Function::new("durationRound", &[&ANY], duration_round),
    Function::new("htmlDate", &[&ANY], |call| shown(call, HTML, &call.args[0], LOCAL)),
    Function::new("htmlDateInZone", &[&ANY, &STRING], |call| {
        shown(call, HTML, &call.args[0], call.text(1))
    }),
    Function::new("mustDateModify", &[&STRING, &TIME], must_date_modify),
    Function::new("mustToDate", &[&STRING, &STRING], |call| match read(call) {
        Ok(time) => value(time),
        Err(message) => Err(Failure::new(message)),
    }),
    Function::new("must_date_modify", &[&STRING, &TIME], must_date_modify),
    Function::new("now", &[], |call| value(now(call))),
    Function::new("toDate", &[&STRING, &STRING], |call| {
        value(read(call).unwrap_or_else(|_| Time::zero()))
    }),
    Function::new("unixEpoch", &[&TIME], |call| {
        Ok(Value::text(time(&call.args[0]).map_or(0, |time| time.seconds).to_string()))
    }),
];

const HTML: &[u8] = b"2006-01-02";
const LOCAL: &[u8] = b"Local";

type Outcome = Result<Value, Failure>;

fn value(time: Time) -> Outcome {
    Ok(Value::Object(Rc::new(time)))
}

fn local(call: &Call<'_>) -> Zone {
    Zone::local(&call.world.zone)
}

fn now(call: &Call<'_>) -> Time {
    Time::unix_nanos(call.world.now, local(call))
}

fn time(value: &Value) -> Option<&Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

/// A time, or seconds since 1970; anything else means the present.
fn instant(call: &Call<'_>, value: &Value) -> Time {
    if let Some(time) = time(value) {
        return time.clone();
    }
    match value {
        Value::Int(seconds, of) if [&INT, &INT32, &INT64].contains(of) => {
            Time::unix(*seconds, local(call))
        }
        _ => now(call),
    }
}

fn shown(call: &Call<'_>, layout: &[u8], date: &Value, zone: &[u8]) -> Outcome {
    let zone = Zone::named(zone, &call.world.zone);
    Ok(Value::text(instant(call, date).to(zone).format(layout)))
}

fn date_in_zone(call: &mut Call<'_>) -> Outcome {
    shown(call, call.text(0), &call.args[1], call.text(2))
}

fn read(call: &Call<'_>) -> Result<Time, String> {
    Time::parse(call.text(0), call.text(1), &local(call))
}

fn modified(call: &Call<'_>) -> Result<Time, (String, Time)> {
    let time = time(&call.args[1]).expect("a time by the signature");
    match duration::parse(call.text(0)) {
        Ok(nanos) => Ok(time.add(nanos)),
        Err(message) => Err((message, time.clone())),
    }
}

/// A duration that cannot be read changes nothing.
fn date_modify(call: &mut Call<'_>) -> Outcome {
    value(modified(call).unwrap_or_else(|(_, time)| time))
}

fn must_date_modify(call: &mut Call<'_>) -> Outcome {
    match modified(call) {
        Ok(time) => value(time),
        Err((message, _)) => Err(Failure::new(message)),
    }
}

fn ago(call: &mut Call<'_>) -> Outcome {
    let since = now(call).since(&instant(call, &call.args[0]));
    Ok(Value::text(duration::text(duration::round(since, duration::SECOND.cast_signed()))))
}

fn duration_of_seconds(call: &mut Call<'_>) -> Outcome {
    let seconds = match &call.args[0] {
        Value::Text(text) => saturated(text),
        Value::Int(seconds, of) if **of == INT64 => *seconds,
        _ => 0,
    };
    let nanos = seconds.wrapping_mul(duration::SECOND.cast_signed());
    Ok(Value::text(duration::text(nanos)))
}

/// Go's `strconv.ParseInt` without its error: the nearest there is, or 0.
fn saturated(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let magnitude = digits.iter().fold(0i128, |number, digit| {
        (number * 10 + i128::from(digit - b'0')).min(i128::from(u64::MAX))
    });
    let number = if negative { -magnitude } else { magnitude };
    i64::try_from(number).unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// The largest unit of which there is more than one, without its fraction.
fn duration_round(call: &mut Call<'_>) -> Outcome {
    let nanos = match &call.args[0] {
        Value::Text(text) => duration::parse(text).unwrap_or(0),
        Value::Int(nanos, of) if **of == INT64 => *nanos,
        other => time(other).map_or(0, |time| now(call).since(time)),
    };
    let nanos = nanos.unsigned_abs();
    let day = 24 * duration::HOUR;
    let units = [
        (365 * day, "y"),
        (30 * day, "mo"),
        (day, "d"),
        (duration::HOUR, "h"),
        (duration::MINUTE, "m"),
        (duration::SECOND, "s"),
    ];
    let text = units
        .iter()
        .find(|(unit, _)| nanos > *unit)
        .map_or("0s".to_owned(), |(unit, name)| format!("{}{name}", nanos / unit));
    Ok(Value::text(text))
}
