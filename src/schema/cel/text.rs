//! Functions of texts, and what texts can be read as: patterns, quantities, networks, URLs.

use super::eval::{Failure, no_overload};
use super::value::Value;
use crate::yaml::json;
use regex::Regex;
use std::net::IpAddr;

/// One, as quantities count: they have nine digits after the point.
pub(super) const UNIT: i128 = 1_000_000_000;

/// What a replaced or joined text may have in bytes.
const LONGEST: usize = 4 << 20;

/// A method of a text; nothing when texts have none of this name.
pub(super) fn method<'a>(
    own: &str,
    name: &str,
    args: &[Value<'a>],
) -> Option<Result<Value<'a>, Failure>> {
    let texts: Vec<&str> = args.iter().map_while(Value::as_text).collect();
    let number = |at: usize| args.get(at).and_then(Value::as_int);
    let chars = || own.chars().collect::<Vec<char>>();
    let text = |text: String| Ok(Value::Text(text.into()));
    let flag = |value: bool| Ok(Value::Bool(value));
    Some(match (name, texts.as_slice()) {
        ("size", []) => Ok(Value::Int(i64::try_from(own.chars().count()).unwrap_or(i64::MAX))),
        ("startsWith", [start]) => flag(own.starts_with(start)),
        ("endsWith", [end]) => flag(own.ends_with(end)),
        ("contains", [part]) => flag(own.contains(part)),
        ("matches", [pattern]) => compiled(pattern).map(|found| Value::Bool(found.is_match(own))),
        ("find", [pattern]) => compiled(pattern).map(|found| {
            let part = found.find(own).map_or("", |found| found.as_str());
            Value::Text(part.to_owned().into())
        }),
        ("findAll", [pattern]) => compiled(pattern).map(|found| {
            let most = number(1).and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            let parts = found.find_iter(own).take(most);
            Value::List(parts.map(|part| Value::Text(part.as_str().to_owned().into())).collect())
        }),
        ("lowerAscii", []) => text(own.to_ascii_lowercase()),
        ("upperAscii", []) => text(own.to_ascii_uppercase()),
        ("trim", []) => text(own.trim().to_owned()),
        ("reverse", []) => text(own.chars().rev().collect()),
        ("charAt", []) => match number(0).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at <= own.chars().count() => text(chars().get(at).into_iter().collect()),
            _ => Err("index out of range".into()),
        },
        ("substring", []) => {
            let chars = chars();
            let from = number(0).and_then(|at| usize::try_from(at).ok());
            let to = match args.get(1) {
                Some(_) => number(1).and_then(|at| usize::try_from(at).ok()),
                None => Some(chars.len()),
            };
            let part = from.zip(to).and_then(|(from, to)| chars.get(from..to));
            part.map_or_else(
                || Err("index out of range".into()),
                |part| text(part.iter().collect()),
            )
        }
        ("indexOf" | "lastIndexOf", [part]) => {
            let from = number(1).and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            let skipped: usize = own.chars().take(from).map(char::len_utf8).sum();
            let at = if name == "indexOf" {
                own[skipped..].find(part).map(|at| at + skipped)
            } else {
                own.rfind(part)
            };
            let at = at.map_or(-1, |at| i64::try_from(own[..at].chars().count()).unwrap_or(-1));
            Ok(Value::Int(at))
        }
        ("replace", [from, to]) => {
            let limit = number(2).unwrap_or(-1);
            let times = usize::try_from(limit).unwrap_or(own.len() + 1);
            if own.len().saturating_mul(to.len().max(1)) > LONGEST {
                return Some(Err("the text would be too long".into()));
            }
            text(own.replacen(from, to, times))
        }
        ("split", [separator]) => {
            let limit = number(1).unwrap_or(-1);
            let parts: Vec<Value> = match (usize::try_from(limit), separator.is_empty()) {
                (Ok(0), _) => Vec::new(),
                (_, true) => own.chars().map(|c| Value::Text(c.to_string().into())).collect(),
                (Ok(most), _) => {
                    own.splitn(most, separator).map(|p| Value::Text(p.to_owned().into())).collect()
                }
                (Err(_), _) => {
                    own.split(separator).map(|p| Value::Text(p.to_owned().into())).collect()
                }
            };
            Ok(Value::List(parts))
        }
        ("format", []) => match args.first().and_then(Value::items) {
            Some(values) => format(own, &values).map(|done| Value::Text(done.into())),
            None => return None,
        },
        _ => return None,
    })
}

fn compiled(pattern: &str) -> Result<Regex, Failure> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| format!("error parsing regexp: {pattern:?}"))
}

/// `"%s has %d".format([…])`
fn format(pattern: &str, values: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digits = after.strip_prefix('.').map_or("", |after| {
            &after[..after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())]
        });
        let skip = if digits.is_empty() { 0 } else { digits.len() + 1 };
        let verb = after[skip..].chars().next().ok_or("unexpected end of the format")?;
        rest = &after[skip + verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = values.next().ok_or("too few values for the format")?;
        let precision = digits.parse::<usize>().unwrap_or(6).min(100);
        let shown = match (verb, value.as_int(), value.as_double()) {
            ('s' | 'd', ..) => display(value),
            ('f', _, Some(double)) => Some(format!("{double:.precision$}")),
            ('e', _, Some(double)) => Some(format!("{double:.precision$e}")),
            ('b', Some(int), _) => Some(format!("{int:b}")),
            ('o', Some(int), _) => Some(format!("{int:o}")),
            ('x', Some(int), _) => Some(format!("{int:x}")),
            ('X', Some(int), _) => Some(format!("{int:X}")),
            _ => None,
        };
        out.push_str(&shown.ok_or_else(|| no_overload("format", &[value]))?);
    }
    out.push_str(rest);
    Ok(out)
}

/// A value as a text.
pub(super) fn display(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => json::float(*value),
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok()?,
        Value::Duration(span) => format!("{}s", json::float(span.as_secs_f64())),
        Value::Time(time) => time.to_string(),
        Value::Type(name) => (*name).into(),
        Value::Quantity(_, text) | Value::Url(text) => text.to_string(),
        Value::Address(address) => address.to_string(),
        Value::Network(address, bits) => format!("{address}/{bits}"),
        Value::Optional(_) => return None,
        other => {
            if let Some(items) = other.items() {
                let shown: Option<Vec<String>> = items.iter().map(display).collect();
                return Some(format!("[{}]", shown?.join(", ")));
            }
            let entries = other.entries()?;
            let shown: Option<Vec<String>> = entries
                .iter()
                .map(|(key, value)| Some(format!("{}: {}", display(key)?, display(value)?)))
                .collect();
            format!("{{{}}}", shown?.join(", "))
        }
    })
}

/// An amount as Kubernetes writes it, in billionths.
pub(super) fn quantity(text: &str) -> Option<i128> {
    if !super::super::format::is_quantity(text) {
        return None;
    }
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let factor: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => UNIT,
        "k" => UNIT * 1_000,
        "M" => UNIT * 1_000_000,
        "G" => UNIT * 1_000_000_000,
        "T" => UNIT * 1_000_000_000_000,
        "P" => UNIT * 1_000_000_000_000_000,
        "E" => UNIT * 1_000_000_000_000_000_000,
        "Ki" => UNIT << 10,
        "Mi" => UNIT << 20,
        "Gi" => UNIT << 30,
        "Ti" => UNIT << 40,
        "Pi" => UNIT << 50,
        "Ei" => UNIT << 60,
        exponent => {
            let power: i32 = exponent[1..].parse().ok()?;
            let digits = u32::try_from(power + 9).ok()?;
            10_i128.checked_pow(digits)?
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let digits: String = format!("{whole}{fraction}").replace(['-', '+'], "");
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let amount = value.checked_mul(factor)? / scale;
    Some(if negative { -amount } else { amount })
}

/// A network: its address and the length of its prefix.
pub(super) fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

/// The first address of a network.
pub(super) fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// An address with a scheme, or a path from the root.
pub(super) fn is_url(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let sound = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    !text.contains(|c: char| c.is_control() || c == ' ')
        && (text.starts_with('/') || scheme.is_some_and(sound))
}

/// A method of a URL.
pub(super) fn url<'a>(url: &str, name: &str) -> Result<Value<'a>, Failure> {
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if !url.starts_with('/') => (scheme, rest),
        _ => ("", url),
    };
    let (host, rest) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let host = host.rsplit('@').next().unwrap_or_default();
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bare, port) = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (bare, port),
        _ => (host, ""),
    };
    let text = |text: &str| Ok(Value::Text(text.to_owned().into()));
    match name {
        "getScheme" => text(scheme),
        "getHost" => text(host),
        "getHostname" => text(bare.trim_matches(['[', ']'])),
        "getPort" => text(port),
        "getEscapedPath" => text(path),
        "getQuery" => {
            let mut pairs: Vec<(String, Vec<Value>)> = Vec::new();
            for part in query.split('&').filter(|part| !part.is_empty()) {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                let value = Value::Text(value.to_owned().into());
                match pairs.iter_mut().find(|(known, _)| known == key) {
                    Some((_, values)) => values.push(value),
                    None => pairs.push((key.to_owned(), vec![value])),
                }
            }
            let pair = |(key, values): (String, _)| (Value::Text(key.into()), Value::List(values));
            Ok(Value::Map(pairs.into_iter().map(pair).collect()))
        }
        _ => Err(format!("undeclared reference to '{name}'")),
    }
}
