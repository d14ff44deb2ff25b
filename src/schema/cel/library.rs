//! Operators and functions: the standard ones of CEL, and those that Kubernetes adds for lists,
//! sets, quantities, addresses and URLs. Those of texts are in [`super::text`].
//!
//! A mixture of numbers, which a type checker would refuse, is calculated with doubles.

use super::eval::{Failure, no_overload};
use super::syntax::Operator;
use super::text;
use super::value::{Value, duration};
use jiff::tz::TimeZone;
use std::cmp::Ordering;
use std::net::IpAddr;

type Outcome<'a> = Result<Value<'a>, Failure>;

/// `left operator right`, for all but `&&` and `||`.
pub(super) fn binary<'a>(operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
    let ordered = |accept: fn(Ordering) -> bool| {
        let order = left.compare(right);
        order
            .map(|order| Value::Bool(accept(order)))
            .ok_or_else(|| no_overload("_<_", &[left, right]))
    };
    match operator {
        Operator::Equal => Ok(Value::Bool(left.equals(right))),
        Operator::Unequal => Ok(Value::Bool(!left.equals(right))),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::AtMost => ordered(Ordering::is_le),
        Operator::More => ordered(Ordering::is_gt),
        Operator::AtLeast => ordered(Ordering::is_ge),
        Operator::In => contains(right, left),
        Operator::And | Operator::Or => Err(no_overload("_&&_", &[left, right])),
        _ => arithmetic(operator, left, right),
    }
}

fn contains<'a>(container: &Value<'a>, item: &Value<'a>) -> Outcome<'a> {
    if let Some(items) = container.items() {
        return Ok(Value::Bool(items.iter().any(|known| known.equals(item))));
    }
    match container {
        Value::Fields(..) | Value::Map(_) => Ok(Value::Bool(container.get(item).is_some())),
        _ => Err(no_overload("@in", &[item, container])),
    }
}

/// Calculates with whole numbers of one type, whose range the result must not leave.
macro_rules! checked {
    ($operator:expr, $a:expr, $b:expr) => {
        match $operator {
            Operator::Add => $a.checked_add($b).ok_or_else(overflow),
            Operator::Subtract => $a.checked_sub($b).ok_or_else(overflow),
            Operator::Multiply => $a.checked_mul($b).ok_or_else(overflow),
            _ if $b == 0 => Err("division by zero".into()),
            Operator::Divide => $a.checked_div($b).ok_or_else(overflow),
            _ => $a.checked_rem($b).ok_or_else(overflow),
        }
    };
}

fn overflow() -> Failure {
    "integer overflow".into()
}

fn arithmetic<'a>(operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
    Ok(match (operator, left, right) {
        (_, Value::Int(a), Value::Int(b)) => Value::Int(checked!(operator, a, *b)?),
        (_, Value::Uint(a), Value::Uint(b)) => Value::Uint(checked!(operator, a, *b)?),
        (Operator::Add, Value::Text(a), Value::Text(b)) => Value::Text(format!("{a}{b}").into()),
        (Operator::Add, Value::Bytes(a), Value::Bytes(b)) => {
            Value::Bytes([a.as_slice(), b].concat())
        }
        (Operator::Add, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_add(*b).ok_or_else(overflow)?)
        }
        (Operator::Subtract, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_sub(*b).ok_or_else(overflow)?)
        }
        (Operator::Add, Value::Time(time), Value::Duration(span))
        | (Operator::Add, Value::Duration(span), Value::Time(time)) => {
            Value::Time(time.checked_add(*span).map_err(|_| overflow())?)
        }
        (Operator::Subtract, Value::Time(time), Value::Duration(span)) => {
            Value::Time(time.checked_sub(*span).map_err(|_| overflow())?)
        }
        (Operator::Subtract, Value::Time(a), Value::Time(b)) => {
            Value::Duration(a.duration_since(*b))
        }
        (Operator::Add, ..) if left.items().is_some() && right.items().is_some() => {
            let mut items = left.items().unwrap_or_default();
            items.extend(right.items().unwrap_or_default());
            Value::List(items)
        }
        _ => {
            let numbers = left.as_double().zip(right.as_double());
            let (a, b) = numbers.ok_or_else(|| no_overload("_+_", &[left, right]))?;
            match operator {
                Operator::Add => Value::Double(a + b),
                Operator::Subtract => Value::Double(a - b),
                Operator::Multiply => Value::Double(a * b),
                Operator::Divide => Value::Double(a / b),
                _ => return Err(no_overload("_%_", &[left, right])),
            }
        }
    })
}

/// A function, or a method of a target.
pub(super) fn call<'a>(target: Option<Value<'a>>, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let Some(target) = target else { return function(name, args) };
    match &target {
        Value::Text(own) => {
            if let Some(outcome) = text::method(own, name, args) {
                return outcome;
            }
        }
        Value::Optional(inner) => return optional(inner.as_deref(), name, args),
        Value::Time(_) | Value::Duration(_) => return time(&target, name, args),
        Value::Quantity(..) => return quantity(&target, name, args),
        Value::Address(address) => return address_method(*address, name),
        Value::Network(address, bits) => return network(*address, *bits, name, args),
        Value::Url(url) => return text::url(url, name),
        _ => {}
    }
    if name == "size" && args.is_empty() {
        return function(name, &[target]);
    }
    let Some(items) = target.items() else {
        let all: Vec<&Value> = std::iter::once(&target).chain(args).collect();
        return Err(no_overload(name, &all));
    };
    list(&target, items, name, args)
}

fn list<'a>(
    target: &Value<'a>,
    items: Vec<Value<'a>>,
    name: &str,
    args: &[Value<'a>],
) -> Outcome<'a> {
    let unfit = || no_overload(name, &[target]);
    let best = |wanted: Ordering| {
        let mut best = items.first().cloned().ok_or("min/max called on empty list")?;
        for item in &items[1..] {
            if item.compare(&best).ok_or_else(unfit)? == wanted {
                best = item.clone();
            }
        }
        Ok(best)
    };
    let place = |found: Option<usize>| {
        Ok(Value::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
    };
    match (name, args) {
        ("isSorted", []) => {
            let sorted =
                items.windows(2).all(|pair| pair[0].compare(&pair[1]).is_some_and(Ordering::is_le));
            Ok(Value::Bool(sorted))
        }
        ("sum", []) => {
            let Some((first, rest)) = items.split_first() else { return Ok(Value::Int(0)) };
            let start = Ok(first.clone());
            rest.iter().fold(start, |sum, item| arithmetic(Operator::Add, &sum?, item))
        }
        ("min", []) => best(Ordering::Less),
        ("max", []) => best(Ordering::Greater),
        ("indexOf", [wanted]) => place(items.iter().position(|item| item.equals(wanted))),
        ("lastIndexOf", [wanted]) => place(items.iter().rposition(|item| item.equals(wanted))),
        ("join", separator) => {
            let separator = separator.first().and_then(Value::as_text).unwrap_or_default();
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_text).collect();
            Ok(Value::Text(texts.ok_or_else(unfit)?.join(separator).into()))
        }
        ("reverse", []) => Ok(Value::List(items.into_iter().rev().collect())),
        ("distinct", []) => {
            let mut seen: Vec<Value> = Vec::new();
            for item in items {
                if !seen.iter().any(|known| known.equals(&item)) {
                    seen.push(item);
                }
            }
            Ok(Value::List(seen))
        }
        ("slice", [from, to]) => {
            let bounds = from.as_int().zip(to.as_int()).and_then(|(from, to)| {
                Some((usize::try_from(from).ok()?, usize::try_from(to).ok()?))
            });
            let (from, to) = bounds.ok_or_else(unfit)?;
            let part = items.get(from..to).ok_or("slice is out of bounds")?;
            Ok(Value::List(part.to_vec()))
        }
        ("first", []) => Ok(Value::Optional(items.into_iter().next().map(Box::new))),
        ("last", []) => Ok(Value::Optional(items.into_iter().next_back().map(Box::new))),
        _ => Err(unfit()),
    }
}

fn optional<'a>(inner: Option<&Value<'a>>, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    match (name, args) {
        ("hasValue", []) => Ok(Value::Bool(inner.is_some())),
        ("value", []) => inner.cloned().ok_or_else(|| "optional.none() dereference".into()),
        ("orValue", [other]) => Ok(inner.unwrap_or(other).clone()),
        ("or", [other]) => {
            Ok(inner.map_or(other.clone(), |inner| Value::Optional(Some(Box::new(inner.clone())))))
        }
        _ => Err(no_overload(name, &[&Value::Optional(None)])),
    }
}

fn function<'a>(name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let unfit = || no_overload(name, &args.iter().collect::<Vec<_>>());
    let [value] = args else { return Err(unfit()) };
    let text = value.as_text();
    Ok(match name {
        "size" => {
            let size = value.size().ok_or_else(unfit)?;
            Value::Int(i64::try_from(size).unwrap_or(i64::MAX))
        }
        "dyn" => value.clone(),
        "type" => Value::Type(value.type_name()),
        "bool" => match (value, text) {
            (Value::Bool(_), _) => value.clone(),
            (_, Some("true" | "True" | "TRUE" | "t" | "1")) => Value::Bool(true),
            (_, Some("false" | "False" | "FALSE" | "f" | "0")) => Value::Bool(false),
            _ => return Err(unfit()),
        },
        "int" => Value::Int(to_int(value).ok_or_else(unfit)?),
        "uint" => match text {
            Some(text) => Value::Uint(text.parse().map_err(|_| unfit())?),
            None => {
                Value::Uint(to_int(value).and_then(|v| u64::try_from(v).ok()).ok_or_else(unfit)?)
            }
        },
        "double" => match text {
            Some(text) => Value::Double(text.parse().map_err(|_| unfit())?),
            None => Value::Double(value.as_double().ok_or_else(unfit)?),
        },
        "string" => Value::Text(text::display(value).ok_or_else(unfit)?.into()),
        "bytes" => match (value, text) {
            (Value::Bytes(_), _) => value.clone(),
            (_, Some(text)) => Value::Bytes(text.as_bytes().to_vec()),
            _ => return Err(unfit()),
        },
        "duration" => match (value, text) {
            (Value::Duration(_), _) => value.clone(),
            (_, Some(text)) => Value::Duration(duration(text).ok_or("invalid duration")?),
            _ => return Err(unfit()),
        },
        "timestamp" => match (value, text) {
            (Value::Time(_), _) => value.clone(),
            (Value::Int(seconds), _) => {
                Value::Time(jiff::Timestamp::from_second(*seconds).map_err(|_| unfit())?)
            }
            (_, Some(text)) => Value::Time(text.parse().map_err(|_| "invalid timestamp")?),
            _ => return Err(unfit()),
        },
        "isQuantity" => Value::Bool(text::quantity(text.ok_or_else(unfit)?).is_some()),
        "quantity" => {
            let text = text.ok_or_else(unfit)?;
            let amount =
                text::quantity(text).ok_or("quantities must match the regular expression")?;
            Value::Quantity(amount, text.into())
        }
        "isIP" => Value::Bool(text.ok_or_else(unfit)?.parse::<IpAddr>().is_ok()),
        "ip" => Value::Address(
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| format!("IP Address {:?} parse error", text.unwrap_or_default()))?,
        ),
        "isCIDR" => Value::Bool(text.is_some_and(|text| text::cidr(text).is_some())),
        "cidr" => {
            let (address, bits) = text.and_then(text::cidr).ok_or("network address parse error")?;
            Value::Network(address, bits)
        }
        "isURL" => Value::Bool(text.is_some_and(text::is_url)),
        "url" => match text {
            Some(text) if text::is_url(text) => Value::Url(text.into()),
            _ => return Err("URL parse error".into()),
        },
        _ => return Err(format!("undeclared reference to '{name}'")),
    })
}

fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Text(text) => text.parse().ok(),
        Value::Time(time) => Some(time.as_second()),
        Value::Double(double) => {
            #[expect(clippy::cast_possible_truncation, reason = "CEL cuts the fraction off")]
            let whole = (double.abs() < 9.2e18).then_some(*double as i64);
            whole
        }
        other => other.as_int(),
    }
}

/// `optional.of(x)`, `sets.contains(a, b)` and the like.
pub(super) fn namespaced<'a>(space: &str, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let unfit = || no_overload(&format!("{space}.{name}"), &args.iter().collect::<Vec<_>>());
    match (space, name, args) {
        ("optional", "none", []) => Ok(Value::Optional(None)),
        ("optional", "of", [value]) => Ok(Value::Optional(Some(Box::new(value.clone())))),
        ("optional", "ofNonZeroValue", [value]) => {
            let zero = match value {
                Value::Null | Value::Bool(false) => true,
                other => other.size() == Some(0) || other.as_double() == Some(0.0),
            };
            Ok(Value::Optional((!zero).then(|| Box::new(value.clone()))))
        }
        ("sets", _, [first, second]) => {
            let lists = first.items().zip(second.items());
            let (first, second) = lists.ok_or_else(unfit)?;
            let within = |part: &[Value], whole: &[Value]| {
                part.iter().all(|item| whole.iter().any(|known| known.equals(item)))
            };
            Ok(Value::Bool(match name {
                "contains" => within(&second, &first),
                "equivalent" => within(&second, &first) && within(&first, &second),
                "intersects" => {
                    first.iter().any(|item| second.iter().any(|known| known.equals(item)))
                }
                _ => return Err(unfit()),
            }))
        }
        _ => Err(unfit()),
    }
}

fn time<'a>(target: &Value<'a>, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let unfit = || no_overload(name, &[target]);
    let time = match target {
        Value::Duration(span) => {
            return Ok(Value::Int(match name {
                "getHours" => span.as_secs() / 3600,
                "getMinutes" => span.as_secs() / 60,
                "getSeconds" => span.as_secs(),
                "getMilliseconds" => i64::from(span.subsec_millis()),
                _ => return Err(unfit()),
            }));
        }
        Value::Time(time) => time,
        _ => return Err(unfit()),
    };
    let zone = match args.first().and_then(Value::as_text) {
        Some(name) => TimeZone::get(name).map_err(|error| error.to_string())?,
        None => TimeZone::UTC,
    };
    let time = time.to_zoned(zone);
    Ok(Value::Int(match name {
        "getFullYear" => i64::from(time.year()),
        "getMonth" => i64::from(time.month()) - 1,
        "getDate" => i64::from(time.day()),
        "getDayOfMonth" => i64::from(time.day()) - 1,
        "getDayOfWeek" => i64::from(time.weekday().to_sunday_zero_offset()),
        "getDayOfYear" => i64::from(time.day_of_year()) - 1,
        "getHours" => i64::from(time.hour()),
        "getMinutes" => i64::from(time.minute()),
        "getSeconds" => i64::from(time.second()),
        "getMilliseconds" => i64::from(time.millisecond()),
        _ => return Err(unfit()),
    }))
}

fn quantity<'a>(target: &Value<'a>, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let Value::Quantity(amount, _) = target else { return Err(no_overload(name, &[target])) };
    let other = match args.first() {
        Some(Value::Quantity(other, _)) => Some(*other),
        Some(Value::Int(whole)) => Some(i128::from(*whole) * text::UNIT),
        _ => None,
    };
    let make = |amount: i128| Value::Quantity(amount, amount.to_string().as_str().into());
    Ok(match (name, other) {
        ("sign", None) => Value::Int(amount.signum().try_into().unwrap_or(0)),
        ("isInteger", None) => Value::Bool(amount % text::UNIT == 0),
        ("asInteger", None) if amount % text::UNIT == 0 => {
            Value::Int(i64::try_from(amount / text::UNIT).map_err(|_| "integer overflow")?)
        }
        #[expect(clippy::cast_precision_loss, reason = "it is asked for")]
        ("asApproximateFloat", None) => Value::Double(*amount as f64 / text::UNIT as f64),
        ("isGreaterThan", Some(other)) => Value::Bool(*amount > other),
        ("isLessThan", Some(other)) => Value::Bool(*amount < other),
        ("compareTo", Some(other)) => Value::Int(amount.cmp(&other) as i64),
        ("add", Some(other)) => make(amount.saturating_add(other)),
        ("sub", Some(other)) => make(amount.saturating_sub(other)),
        _ => return Err(no_overload(name, &[target])),
    })
}

fn address_method<'a>(address: IpAddr, name: &str) -> Outcome<'a> {
    Ok(match name {
        "family" => Value::Int(if address.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => Value::Bool(address.is_unspecified()),
        "isLoopback" => Value::Bool(address.is_loopback()),
        "isGlobalUnicast" => {
            let limited = address == IpAddr::from([255, 255, 255, 255]);
            let local = text::is_link_local(address);
            let plain = !address.is_unspecified() && !address.is_loopback() && !local;
            Value::Bool(plain && !address.is_multicast() && !limited)
        }
        "isLinkLocalUnicast" => Value::Bool(text::is_link_local(address)),
        _ => return Err(no_overload(name, &[&Value::Address(address)])),
    })
}

fn network<'a>(address: IpAddr, bits: u8, name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    let inside = |other: IpAddr, other_bits: u8| {
        other.is_ipv4() == address.is_ipv4()
            && other_bits >= bits
            && text::masked(other, bits) == text::masked(address, bits)
    };
    let whole = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    Ok(match (name, args) {
        ("prefixLength", []) => Value::Int(i64::from(bits)),
        ("ip", []) => Value::Address(address),
        ("masked", []) => Value::Network(text::masked(address, bits), bits),
        ("containsIP", [Value::Address(other)]) => Value::Bool(inside(*other, whole(*other))),
        ("containsIP", [Value::Text(text)]) => {
            let other = text.parse().map_err(|_| format!("IP Address {text:?} parse error"))?;
            Value::Bool(inside(other, whole(other)))
        }
        ("containsCIDR", [Value::Network(other, bits)]) => Value::Bool(inside(*other, *bits)),
        ("containsCIDR", [Value::Text(text)]) => {
            let (other, bits) = text::cidr(text).ok_or("network address parse error")?;
            Value::Bool(inside(other, bits))
        }
        _ => return Err(no_overload(name, &[&Value::Network(address, bits)])),
    })
}
