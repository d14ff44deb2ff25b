//! What a scalar means: go-yaml's resolution of plain texts and of tags.
//!
//! It follows YAML 1.1 with go-yaml's exceptions: octal as `010` and `0o17`, underscores in
//! numbers, no base 60. Version 2 (Helm, Kubernetes) takes `y`, `yes`, `on` and their opposites for
//! booleans; version 3 (kustomize) takes them for text, and turns timestamps into RFC 3339.

use super::json;
use super::node::{Number, Value};
use super::timestamp;
use std::borrow::Cow;

/// Which rules a text is read by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// go-yaml 2 through `sigs.k8s.io/yaml`: Helm and Kubernetes' own tools. Of a key given twice
    /// the last counts.
    GoYamlV2,
    /// go-yaml 3: kustomize. A key given twice is an error.
    GoYamlV3,
    /// The values of [`Dialect::GoYamlV2`], and more care: a key given twice is an error, an
    /// explicit key wins over a merged one wherever it stands, and all faults of values are
    /// reported, not the first. What people write for wharf is read by this.
    #[default]
    Strict,
}

impl Dialect {
    /// Whether `yes` and `on` are booleans.
    fn has_yes(self) -> bool {
        self != Dialect::GoYamlV3
    }
}

/// The prefix of the tags that YAML itself defines.
const YAML_TAG: &str = "tag:yaml.org,2002:";

/// What kind of thing a scalar turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Str,
}

impl Kind {
    fn tag(self) -> &'static str {
        match self {
            Kind::Null => "!!null",
            Kind::Bool => "!!bool",
            Kind::Int => "!!int",
            Kind::Float => "!!float",
            Kind::Timestamp => "!!timestamp",
            Kind::Str => "!!str",
        }
    }
}

/// The value of a plain scalar without a tag.
#[inline]
pub(super) fn plain(text: &str, dialect: Dialect) -> Value {
    let Some(first) = text.as_bytes().first() else { return Value::Null };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => {
            let (_, value) = number(text);
            match value {
                Value::String(_) if dialect == Dialect::GoYamlV3 => {
                    timestamp::rfc3339(text).map_or(value, Value::from)
                }
                value => value,
            }
        }
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text, dialect).unwrap_or_else(|| Value::from(text))
        }
        _ => Value::from(text),
    }
}

/// The value of a text that stands without quotes, as kustomize reads it.
#[must_use]
pub fn plain_scalar(text: &str) -> Value {
    plain(text, Dialect::GoYamlV3)
}

/// The value of a scalar with a tag.
///
/// # Errors
/// go-yaml's words on why it has none.
pub fn tagged(tag: &str, text: &str, dialect: Dialect) -> Result<Value, String> {
    let short = short_tag(tag);
    let wanted = match short.as_ref() {
        "!!binary" => return binary(text),
        "!!null" => Kind::Null,
        "!!bool" => Kind::Bool,
        "!!int" => Kind::Int,
        "!!float" => Kind::Float,
        "!!timestamp" => Kind::Timestamp,
        _ => return Ok(Value::from(text)),
    };
    let (kind, value) = if wanted == Kind::Timestamp && timestamp::rfc3339(text).is_some() {
        (Kind::Timestamp, Value::from(text))
    } else {
        classify(text, dialect)
    };
    match (wanted, kind, &value) {
        (Kind::Timestamp, Kind::Timestamp, _) if dialect == Dialect::GoYamlV3 => {
            Ok(timestamp::rfc3339(text).map_or(value, Value::from))
        }
        (wanted, kind, _) if wanted == kind => Ok(value),
        (Kind::Float, Kind::Int, Value::Number(number @ Number::Int(_))) => {
            Ok(Value::from(number.as_f64()))
        }
        _ => Err(format!("cannot decode {} `{text}` as a {short}", kind.tag())),
    }
}

/// The tag of what a text without quotes means to kustomize's reader.
pub(super) fn implicit_tag(text: &str) -> &'static str {
    if text == "<<" {
        return "!!merge";
    }
    match classify(text, Dialect::GoYamlV3).0 {
        Kind::Str if timestamp::rfc3339(text).is_some() => Kind::Timestamp.tag(),
        kind => kind.tag(),
    }
}

/// Whether a plain text is read back as text, by both versions of go-yaml.
pub(super) fn is_text(text: &str) -> bool {
    let (kind, _) = classify(text, Dialect::GoYamlV2);
    kind == Kind::Str && timestamp::rfc3339(text).is_none()
}

pub(super) fn short_tag(tag: &str) -> Cow<'_, str> {
    match tag.strip_prefix(YAML_TAG) {
        Some(name) => format!("!!{name}").into(),
        None => tag.into(),
    }
}

/// True for the tag that makes a key a merge key.
pub(super) fn is_merge_tag(tag: &str) -> bool {
    tag.strip_prefix(YAML_TAG) == Some("merge")
}

fn classify(text: &str, dialect: Dialect) -> (Kind, Value) {
    match text.as_bytes().first() {
        None => (Kind::Null, Value::Null),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text),
        Some(_) => match word(text, dialect) {
            Some(Value::Null) => (Kind::Null, Value::Null),
            Some(value) => (Kind::Bool, value),
            None => (Kind::Str, Value::from(text)),
        },
    }
}

/// The words of the table.
fn word(text: &str, dialect: Dialect) -> Option<Value> {
    Some(match text {
        "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect.has_yes() => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect.has_yes() => {
            Value::Bool(false)
        }
        _ => return None,
    })
}

/// A text that begins like a number.
fn number(text: &str) -> (Kind, Value) {
    let bytes = text.as_bytes();
    // most of what begins with a digit is short and plain
    if bytes.len() <= 18 && bytes[0] != b'0' && bytes.iter().all(u8::is_ascii_digit) {
        let value = bytes.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        return (Kind::Int, Value::from(value));
    }
    match text {
        ".nan" | ".NaN" | ".NAN" => return (Kind::Float, Value::from(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return (Kind::Float, Value::from(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return (Kind::Float, Value::from(f64::NEG_INFINITY)),
        _ => {}
    }
    let found = if bytes[0] == b'.' {
        float(text)
    } else {
        let digits: Cow<'_, str> =
            if text.contains('_') { text.replace('_', "").into() } else { text.into() };
        integer(&digits).or_else(|| float(&digits)).or_else(|| late_integer(&digits))
    };
    match found {
        Some(value @ Value::Number(Number::Float(_))) => (Kind::Float, value),
        Some(value) => (Kind::Int, value),
        None => (Kind::Str, Value::from(text)),
    }
}

/// An integer as Go's `ParseInt` with base 0 reads it, or `ParseUint` beyond that.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let size = magnitude(digits, base)?;
    if negative {
        return Some(Value::from(0_i64.checked_sub_unsigned(size)?));
    }
    match i64::try_from(size) {
        Ok(value) => Some(Value::from(value)),
        // ParseUint takes no sign
        Err(_) => (!text.starts_with('+')).then(|| Value::from(size)),
    }
}

fn magnitude(digits: &str, base: u32) -> Option<u64> {
    let valid = digits.bytes().all(|digit| char::from(digit).is_digit(base));
    if !valid {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, when it is finite.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let mantissa_fits = digits(whole)
        && fraction.is_none_or(digits)
        && !(whole.is_empty() && fraction.is_none_or(str::is_empty));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::from)
}

/// go-yaml reads the rest after `0b` and `0o` once more, and there a sign may stand.
fn late_integer(text: &str) -> Option<Value> {
    let (base, rest) = match text.as_bytes() {
        [b'0', b'b', ..] => (2, &text[2..]),
        _ => return None,
    };
    let digits = rest.strip_prefix(['-', '+'])?;
    let size = magnitude(digits, base)?;
    let value = if rest.starts_with('-') {
        0_i64.checked_sub_unsigned(size)?
    } else {
        i64::try_from(size).ok()?
    };
    Some(Value::from(value))
}

/// The text of a `!!binary` scalar; bytes that are no text are replaced, as Go's JSON does.
fn binary(text: &str) -> Result<Value, String> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = STANDARD
        .decode(packed)
        .map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
    }
    Ok(Value::from(decoded))
}

/// The text of a double as a key: Go writes it with the precision of 32 bits.
pub(super) fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "that is what Go does")]
    let value = value as f32;
    json::general(value)
}
