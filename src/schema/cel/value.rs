//! Values of CEL. Lists and maps of an object are looked at where they are.

use crate::schema::model::{Kind, Type};
use crate::yaml::{Map, Node, Number, Str};
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::LazyLock;

/// A value while a rule is evaluated.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Duration(SignedDuration),
    Time(Timestamp),
    /// A list of an object, with its type.
    Nodes(&'a [Node], Option<&'a Type>),
    List(Vec<Value<'a>>),
    /// A map of an object, with its type.
    Fields(&'a Map, Option<&'a Type>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// The name of a type.
    Type(&'static str),
    Optional(Option<Box<Value<'a>>>),
    /// An amount in thousandths of a thousandth, as `quantity()` makes it.
    Quantity(i128, Str),
    Address(std::net::IpAddr),
    Network(std::net::IpAddr, u8),
    Url(Str),
}

impl<'a> Value<'a> {
    /// A part of an object; texts with the format of a time are times.
    pub(super) fn of(node: &'a Node, ty: Option<&'a Type>) -> Value<'a> {
        match &node.value {
            crate::yaml::Value::Null => Value::Null,
            crate::yaml::Value::Bool(value) => Value::Bool(*value),
            crate::yaml::Value::Number(number) => Value::number(*number, ty),
            crate::yaml::Value::String(text) => Value::text(text, ty),
            crate::yaml::Value::List(items) => Value::Nodes(items, ty),
            crate::yaml::Value::Map(map) => Value::Fields(map, ty),
        }
    }

    fn number(number: Number, ty: Option<&Type>) -> Value<'a> {
        if ty.is_some_and(|ty| ty.kind() == Kind::Number) {
            return Value::Double(number.as_f64());
        }
        number.as_i64().map_or(Value::Double(number.as_f64()), Value::Int)
    }

    fn text(text: &'a str, ty: Option<&Type>) -> Value<'a> {
        match ty.and_then(Type::format) {
            Some("date-time") => text.parse().map_or(Value::Text(text.into()), Value::Time),
            Some("date") => {
                let time = format!("{text}T00:00:00Z").parse();
                time.map_or(Value::Text(text.into()), Value::Time)
            }
            Some("duration") => duration(text).map_or(Value::Text(text.into()), Value::Duration),
            _ => Value::Text(text.into()),
        }
    }

    /// The name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Text(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Time(_) => "google.protobuf.Timestamp",
            Value::Nodes(..) | Value::List(_) => "list",
            Value::Fields(..) | Value::Map(_) => "map",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Quantity(..) => "kubernetes.Quantity",
            Value::Address(_) => "net.IP",
            Value::Network(..) => "net.CIDR",
            Value::Url(_) => "kubernetes.URL",
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Uint(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn as_double(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "CEL converts so")]
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Uint(value) => Some(*value as f64),
            Value::Double(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::Nodes(nodes, ty) => {
                let ty = ty.and_then(Type::items);
                Some(nodes.iter().map(|node| Value::of(node, ty)).collect())
            }
            Value::List(items) => Some(items.clone()),
            _ => None,
        }
    }

    /// One item of a list.
    pub(super) fn item(&self, at: usize) -> Option<Value<'a>> {
        match self {
            Value::Nodes(nodes, ty) => {
                nodes.get(at).map(|node| Value::of(node, ty.and_then(Type::items)))
            }
            Value::List(items) => items.get(at).cloned(),
            _ => None,
        }
    }

    /// Keys and values of a map.
    pub(super) fn entries(&self) -> Option<Vec<(Value<'a>, Value<'a>)>> {
        match self {
            Value::Fields(map, ty) => {
                let pair = |entry: &'a crate::yaml::Entry| {
                    let ty = ty.and_then(|ty| ty.field(&entry.key));
                    (Value::Text(entry.key.as_str().into()), Value::of(&entry.value, ty))
                };
                Some(map.iter().map(pair).collect())
            }
            Value::Map(entries) => Some(entries.clone()),
            _ => None,
        }
    }

    /// What a map holds under a key.
    pub(super) fn get(&self, key: &Value) -> Option<Value<'a>> {
        match self {
            Value::Fields(map, ty) => {
                let key = key.as_text()?;
                Some(Value::of(map.get(key)?, ty.and_then(|ty| ty.field(key))))
            }
            Value::Map(entries) => {
                entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| value.clone())
            }
            _ => None,
        }
    }

    pub(super) fn size(&self) -> Option<usize> {
        Some(match self {
            Value::Text(text) => text.chars().count(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Nodes(nodes, _) => nodes.len(),
            Value::List(items) => items.len(),
            Value::Fields(map, _) => map.len(),
            Value::Map(entries) => entries.len(),
            _ => return None,
        })
    }

    /// Equality across the kinds of numbers. Sets and keyed lists do not mind the order.
    pub(super) fn equals(&self, other: &Value) -> bool {
        if let (Some(mine), Some(theirs)) = (self.items(), other.items()) {
            return mine.len() == theirs.len()
                && (mine.iter().zip(&theirs).all(|(a, b)| a.equals(b))
                    || self.is_unordered()
                        && mine.iter().all(|a| theirs.iter().any(|b| a.equals(b))));
        }
        if let (Some(mine), Some(theirs)) = (self.entries(), other.entries()) {
            return mine.len() == theirs.len()
                && mine
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|found| found.equals(value)));
        }
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Type(a), Value::Type(b)) => a == b,
            (Value::Address(a), Value::Address(b)) => a == b,
            (Value::Network(a, n), Value::Network(b, m)) => a == b && n == m,
            (Value::Url(a), Value::Url(b)) => a == b,
            (Value::Optional(a), Value::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b),
                (None, None) => true,
                _ => false,
            },
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }

    fn is_unordered(&self) -> bool {
        use crate::schema::ListType;
        match self {
            Value::Nodes(_, Some(ty)) => !matches!(ty.list_type(), ListType::Atomic),
            _ => false,
        }
    }

    /// The order of two values of an ordered type.
    pub(super) fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Quantity(a, _), Value::Quantity(b, _)) => Some(a.cmp(b)),
            _ => self.as_double()?.partial_cmp(&other.as_double()?),
        }
    }
}

/// A duration as Go writes it: `1h30m`, `-1.5s`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    static PART: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)").expect("a sound pattern")
    });
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total = SignedDuration::ZERO;
    while !rest.is_empty() {
        let found = PART.captures(rest)?;
        let nanoseconds = match &found[2] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 6e10,
            _ => 3.6e12,
        };
        let amount = found[1].parse::<f64>().ok()? * nanoseconds / 1e9;
        total = total.checked_add(SignedDuration::try_from_secs_f64(amount).ok()?)?;
        rest = &rest[found[0].len()..];
    }
    (!text.is_empty()).then(|| total * sign)
}
