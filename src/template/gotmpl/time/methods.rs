//! The methods of times, durations, months and days of the week.

#![expect(clippy::unnecessary_wraps, reason = "all methods have one signature")]

use super::calendar::{DAYS, MONTHS};
use super::zone::Zone;
use super::{NANOS, Time, YEAR_ONE, duration};
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY_LIST, INT, INT64, Kind, STRING, Type};
use crate::template::gotmpl::value::{Object, Text, Value};
use std::any::Any;
use std::rc::Rc;

/// `time.Time`.
pub static TIME: Type = Type {
    name: "time.Time",
    kind: Kind::Struct,
    elem: None,
    method: |name| find(TIME_METHODS, name),
    text: None,
};

/// `time.Duration`, nanoseconds.
pub static DURATION: Type = Type {
    name: "time.Duration",
    kind: Kind::Int64,
    elem: None,
    method: |name| find(DURATION_METHODS, name),
    text: Some(|nanos| duration::text(nanos).into()),
};

static MONTH: Type = Type {
    name: "time.Month",
    kind: Kind::Int,
    elem: None,
    method: |name| find(NAMED_METHODS, name),
    text: Some(|month| label(&MONTHS, month, 1, "Month")),
};

static WEEKDAY: Type = Type {
    name: "time.Weekday",
    kind: Kind::Int,
    elem: None,
    method: |name| find(NAMED_METHODS, name),
    text: Some(|day| label(&DAYS, day, 0, "Weekday")),
};

static LOCATION: Type = Type {
    name: "*time.Location",
    kind: Kind::Ptr,
    elem: None,
    method: |name| find(LOCATION_METHODS, name),
    text: None,
};

fn find(methods: &'static [Function], name: &str) -> Option<&'static Function> {
    methods.iter().find(|method| method.name == name)
}

fn label(names: &[&str], number: i64, first: i64, of: &str) -> Text {
    match usize::try_from(number - first).ok().and_then(|index| names.get(index)) {
        Some(name) => (*name).into(),
        None => format!("%!{of}({number})").into(),
    }
}

#[derive(Debug)]
struct Location(Zone);

/// What a time holds of its zone: nothing for UTC.
pub(super) fn location(zone: &Zone) -> Value {
    match zone {
        Zone::Utc => Value::NilOf(&LOCATION),
        _ => Value::Object(Rc::new(Location(zone.clone()))),
    }
}

impl Object for Location {
    fn go_type(&self) -> &'static Type {
        &LOCATION
    }

    /// Those of a zone without rules: Go shows all of a zone's changes.
    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", Value::text(self.0.name())),
            ("zone", Value::NilOf(&ANY_LIST)),
            ("tx", Value::NilOf(&ANY_LIST)),
            ("extend", Value::text("")),
            ("cacheStart", Value::Int(0, &INT64)),
            ("cacheEnd", Value::Int(0, &INT64)),
            ("cacheZone", Value::NilOf(&LOCATION)),
        ]
    }

    fn text(&self) -> Option<Text> {
        Some(self.0.name().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Outcome = Result<Value, Failure>;

static TIME_METHODS: &[Function] = &[
    Function::new("Add", &[&DURATION], |call| time(receiver(call).add(call.int(1)))),
    Function::new("AddDate", &[&INT, &INT, &INT], add_date),
    Function::new("After", &[&TIME], |call| bool(order(call).is_gt())),
    Function::new("Before", &[&TIME], |call| bool(order(call).is_lt())),
    Function::new("Compare", &[&TIME], |call| int(order(call) as i64)),
    Function::new("Day", &[], |call| int(receiver(call).civil().day)),
    Function::new("Equal", &[&TIME], |call| bool(order(call).is_eq())),
    Function::new("Format", &[&STRING], |call| {
        Ok(Value::text(receiver(call).format(call.text(1))))
    }),
    Function::new("GoString", &[], |call| {
        Ok(Value::text(receiver(call).syntax().expect("times have one")))
    }),
    Function::new("Hour", &[], |call| int(receiver(call).civil().clock().0)),
    Function::new("In", &[&LOCATION], to_location),
    Function::new("IsDST", &[], |call| {
        let this = receiver(call);
        bool(this.zone.is_dst(this.seconds))
    }),
    Function::new("IsZero", &[], |call| {
        let this = receiver(call);
        bool(this.seconds == -YEAR_ONE && this.nanos == 0)
    }),
    Function::new("Local", &[], |call| time(receiver(call).to(Zone::local(&call.world.zone)))),
    Function::new("Location", &[], |call| {
        Ok(Value::Object(Rc::new(Location(receiver(call).zone.clone()))))
    }),
    Function::new("Minute", &[], |call| int(receiver(call).civil().clock().1)),
    Function::new("Month", &[], |call| {
        let month = receiver(call).civil().month;
        Ok(Value::Int(i64::try_from(month).expect("at most 12"), &MONTH))
    }),
    Function::new("Nanosecond", &[], |call| int(receiver(call).nanos.into())),
    Function::new("Round", &[&DURATION], |call| snap(call, true)),
    Function::new("Second", &[], |call| int(receiver(call).civil().clock().2)),
    Function::new("String", &[], |call| {
        Ok(Value::text(receiver(call).text().expect("times have one")))
    }),
    Function::new("Sub", &[&TIME], |call| {
        Ok(Value::Int(receiver(call).since(instant(call, 1)), &DURATION))
    }),
    Function::new("Truncate", &[&DURATION], |call| snap(call, false)),
    Function::new("UTC", &[], |call| time(receiver(call).to(Zone::Utc))),
    Function::new("Unix", &[], |call| int64(receiver(call).seconds)),
    Function::new("UnixMicro", &[], |call| unix(call, 1000)),
    Function::new("UnixMilli", &[], |call| unix(call, 1_000_000)),
    Function::new("UnixNano", &[], |call| unix(call, 1)),
    Function::new("Weekday", &[], |call| {
        let day = receiver(call).civil().weekday;
        Ok(Value::Int(i64::try_from(day).expect("at most 6"), &WEEKDAY))
    }),
    Function::new("Year", &[], |call| int(receiver(call).civil().year)),
    Function::new("YearDay", &[], |call| int(receiver(call).civil().year_day())),
];

static DURATION_METHODS: &[Function] = &[
    Function::new("Abs", &[], |call| Ok(Value::Int(call.int(0).saturating_abs(), &DURATION))),
    Function::new("Hours", &[], |call| in_unit(call, duration::HOUR)),
    Function::new("Microseconds", &[], |call| int64(call.int(0) / 1000)),
    Function::new("Milliseconds", &[], |call| int64(call.int(0) / 1_000_000)),
    Function::new("Minutes", &[], |call| in_unit(call, duration::MINUTE)),
    Function::new("Nanoseconds", &[], |call| int64(call.int(0))),
    Function::new("Round", &[&DURATION], |call| {
        Ok(Value::Int(duration::round(call.int(0), call.int(1)), &DURATION))
    }),
    Function::new("Seconds", &[], |call| in_unit(call, duration::SECOND)),
    Function::new("String", &[], label_of),
    Function::new("Truncate", &[&DURATION], |call| {
        Ok(Value::Int(duration::truncate(call.int(0), call.int(1)), &DURATION))
    }),
];

static NAMED_METHODS: &[Function] = &[Function::new("String", &[], label_of)];

static LOCATION_METHODS: &[Function] = &[Function::new("String", &[], |call| {
    let Value::Object(object) = &call.args[0] else { return Ok(Value::text("UTC")) };
    Ok(object.text().map_or(Value::Nil, Value::Text))
})];

fn time(time: Time) -> Outcome {
    Ok(Value::Object(Rc::new(time)))
}

fn bool(bool: bool) -> Outcome {
    Ok(Value::Bool(bool))
}

fn int(int: i64) -> Outcome {
    Ok(Value::int(int))
}

fn int64(int: i64) -> Outcome {
    Ok(Value::Int(int, &INT64))
}

/// The time at a parameter of the type.
pub(crate) fn instant<'a>(call: &Call<'a>, index: usize) -> &'a Time {
    match &call.args[index] {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
    .expect("a time by the signature")
}

fn receiver<'a>(call: &Call<'a>) -> &'a Time {
    instant(call, 0)
}

fn order(call: &Call<'_>) -> std::cmp::Ordering {
    receiver(call).total().cmp(&instant(call, 1).total())
}

#[expect(clippy::cast_possible_truncation, reason = "Go's arithmetic of times wraps around")]
fn unix(call: &Call<'_>, unit: i128) -> Outcome {
    int64(receiver(call).total().div_euclid(unit) as i64)
}

fn in_unit(call: &Call<'_>, unit: u64) -> Outcome {
    Ok(Value::float(duration::in_unit(call.int(0), unit)))
}

fn label_of(call: &mut Call<'_>) -> Outcome {
    match &call.args[0] {
        Value::Int(number, of) => Ok(of.text.map_or(Value::Nil, |text| Value::Text(text(*number)))),
        other => panic!("a number by the signature, not {other:?}"),
    }
}

fn add_date(call: &mut Call<'_>) -> Outcome {
    let this = receiver(call);
    let civil = this.civil();
    let month = i64::try_from(civil.month).expect("at most 12");
    let seconds = this.zone.seconds(
        civil.year.wrapping_add(call.int(1)),
        month.wrapping_add(call.int(2)),
        civil.day.wrapping_add(call.int(3)),
        civil.seconds,
    );
    time(Time { seconds, ..this.clone() })
}

fn to_location(call: &mut Call<'_>) -> Outcome {
    let place = match &call.args[1] {
        Value::Object(object) => object.as_any().downcast_ref::<Location>(),
        _ => None,
    };
    match place {
        Some(Location(zone)) => time(receiver(call).to(zone.clone())),
        None => Err(Failure::new("time: missing Location in call to Time.In")),
    }
}

/// To a multiple of a duration since the year 1.
fn snap(call: &Call<'_>, nearest: bool) -> Outcome {
    let this = receiver(call);
    let step = call.int(1);
    if step <= 0 {
        return time(this.clone());
    }
    let since = this.total() + i128::from(YEAR_ONE) * NANOS;
    let rest = i64::try_from(since.rem_euclid(i128::from(step))).expect("less than the step");
    if nearest && i128::from(rest) * 2 >= i128::from(step) {
        return time(this.add(step - rest));
    }
    time(this.add(-rest))
}
