//! Versions and constraints on them, as charts mean them: those of the Go library
//! `Masterminds/semver`, which takes `1.2` for a version and `1.2` as a constraint for `1.2.x`.
//!
//! Package managers' own rules, such as Cargo's, are others.

mod constraint;
mod methods;

#[cfg(test)]
mod tests;

pub use constraint::Constraint;
pub use methods::VERSION;

use super::go_type::{Type, UINT64};
use super::value::{Object, Text, Value};
use std::any::Any;
use std::cmp::Ordering;

/// A version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Its first number.
    pub major: u64,
    /// Its second number.
    pub minor: u64,
    /// Its third number.
    pub patch: u64,
    /// What follows a hyphen; empty for a release.
    pub pre: String,
    /// What follows a plus sign.
    pub metadata: String,
    /// The text it was read from.
    pub original: String,
    /// True when it is a struct of its own, which has fewer methods, and no pointer to one.
    plain: bool,
}

const LONGEST: usize = 256;
const INVALID: &str = "invalid semantic version";
const LEADING_ZERO: &str = "version segment starts with 0";

impl Version {
    /// Reads a version; `v1`, `1.2` and `01.2` are ones.
    ///
    /// # Errors
    /// The library's text.
    pub fn parse(text: &[u8]) -> Result<Version, String> {
        if text.len() > LONGEST {
            return Err(format!("version string is too long (max {LONGEST} bytes)"));
        }
        let text = std::str::from_utf8(text).map_err(|_| INVALID)?;
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (major, rest) = digits(rest).ok_or(INVALID)?;
        let (minor, rest) = dotted(rest);
        let (patch, rest) = if minor.is_empty() { ("", rest) } else { dotted(rest) };
        let (pre, rest) = tagged(rest, '-');
        let (metadata, rest) = tagged(rest, '+');
        if !rest.is_empty() {
            return Err(INVALID.to_owned());
        }
        let version = Version {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: pre.to_owned(),
            metadata: metadata.to_owned(),
            original: text.to_owned(),
            plain: false,
        };
        check_pre(pre)?;
        Ok(version)
    }

    /// Compares by precedence; metadata does not count.
    #[must_use]
    pub fn precedence(&self, other: &Version) -> Ordering {
        let numbers = |version: &Version| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre(&self.pre, &other.pre),
            }
        })
    }

    /// The version as it is written without what was odd about its text.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        for (mark, tag) in [('-', &self.pre), ('+', &self.metadata)] {
            if !tag.is_empty() {
                text.push(mark);
                text.push_str(tag);
            }
        }
        text
    }
}

impl Object for Version {
    fn go_type(&self) -> &'static Type {
        if self.plain { &methods::PLAIN } else { &VERSION }
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("major", Value::Uint(self.major, &UINT64)),
            ("minor", Value::Uint(self.minor, &UINT64)),
            ("patch", Value::Uint(self.patch, &UINT64)),
            ("pre", Value::text(self.pre.as_str())),
            ("metadata", Value::text(self.metadata.as_str())),
            ("original", Value::text(self.original.as_str())),
        ]
    }

    fn text(&self) -> Option<Text> {
        Some(self.canonical().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn encoded(&self) -> Option<Value> {
        Some(Value::text(self.canonical()))
    }
}

/// Digits at the beginning, and what follows; nothing when there are none.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Digits after a point; none when there is no such thing.
fn dotted(text: &str) -> (&str, &str) {
    text.strip_prefix('.').and_then(digits).unwrap_or(("", text))
}

/// Identifiers with points between them after a mark.
fn tagged(text: &str, mark: char) -> (&str, &str) {
    let Some(rest) = text.strip_prefix(mark) else { return ("", text) };
    match identifiers(rest.as_bytes()) {
        0 => ("", text),
        end => rest.split_at(end),
    }
}

/// How long the identifiers with points between them at the beginning are.
fn identifiers(text: &[u8]) -> usize {
    let word = |text: &[u8]| {
        text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count()
    };
    let mut end = word(text);
    while end > 0 && text.get(end) == Some(&b'.') {
        match word(&text[end + 1..]) {
            0 => break,
            more => end += 1 + more,
        }
    }
    end
}

/// A number of a version; 0 when it is not there.
fn number(digits: &str) -> Result<u64, String> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| {
        format!(
            "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"
        )
    })
}

/// Numbers in a pre-release have no zeros before them.
fn check_pre(pre: &str) -> Result<(), String> {
    let wrong = |part: &str| {
        part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if pre.split('.').any(wrong) { Err(LEADING_ZERO.to_owned()) } else { Ok(()) }
}

/// Compares two pre-releases part by part.
fn compare_pre(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(part)) => {
                if !part.is_empty() {
                    return Ordering::Less;
                }
            }
            (Some(part), None) => {
                if !part.is_empty() {
                    return Ordering::Greater;
                }
            }
            (Some(left), Some(right)) => match compare_part(left, right) {
                Ordering::Equal => (),
                other => return other,
            },
        }
    }
}

/// Numbers come before words; what is too large for a number is a word.
fn compare_part(left: &str, right: &str) -> Ordering {
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    match (number(left), number(right)) {
        (None, None) => left.cmp(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(left), Some(right)) => left.cmp(&right),
    }
}
