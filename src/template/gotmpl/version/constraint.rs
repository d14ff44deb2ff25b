//! Constraints: groups joined by `||`, each of comparisons that must all hold.

use super::{Version, identifiers};
use crate::template::gotmpl::fmt::quote::quote;

/// A constraint on versions.
#[derive(Debug)]
pub struct Constraint {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    comparisons: Vec<Comparison>,
    /// One of its comparisons names a pre-release: only then pre-releases are looked at.
    with_pre: bool,
}

/// One comparison. `any` tells that not all numbers were given.
#[derive(Debug)]
struct Comparison {
    operator: Operator,
    version: Version,
    any: bool,
    any_minor: bool,
    any_patch: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

const LONGEST: usize = 512;
const MOST_GROUPS: usize = 32;

/// The longer before those they begin with.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterEqual),
    ("=>", Operator::GreaterEqual),
    ("<=", Operator::LessEqual),
    ("=<", Operator::LessEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// The library's text.
    pub fn parse(text: &[u8]) -> Result<Constraint, String> {
        if text.len() > LONGEST {
            return Err(format!("constraint string is too long (max {LONGEST} bytes)"));
        }
        let text = expand_ranges(text);
        let parts = split_groups(&text);
        if parts.len() > MOST_GROUPS {
            return Err(format!("too many constraint groups (max {MOST_GROUPS})"));
        }
        let groups = parts.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Constraint { groups })
    }

    /// True when the version satisfies it.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            (version.pre.is_empty() || group.with_pre)
                && group.comparisons.iter().all(|comparison| comparison.allows(version))
        })
    }
}

impl Comparison {
    fn allows(&self, version: &Version) -> bool {
        let order = version.precedence(&self.version);
        match self.operator {
            Operator::Equal if self.any => self.tilde(version),
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater if !self.any => order.is_gt(),
            Operator::Greater => {
                if version.major != self.version.major {
                    version.major > self.version.major
                } else if self.any_minor {
                    // nothing of 11 is greater than 11
                    false
                } else if self.any_patch {
                    version.minor > self.version.minor
                } else {
                    order.is_gt()
                }
            }
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::LessEqual if !self.any => order.is_le(),
            Operator::LessEqual => {
                version.major < self.version.major
                    || version.major == self.version.major
                        && (version.minor <= self.version.minor || self.any_minor)
            }
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if self.any {
            if version.major != wanted.major {
                return true;
            }
            if self.any_minor {
                return false;
            }
            if version.minor != wanted.minor {
                return true;
            }
            if self.any_patch {
                return super::compare_pre(&version.pre, &wanted.pre).is_ne();
            }
            if version.patch != wanted.patch {
                return true;
            }
        }
        version.precedence(wanted).is_ne()
    }

    fn tilde(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.precedence(wanted).is_lt() {
            return false;
        }
        let zero = (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0);
        if zero && !self.any_minor && !self.any_patch {
            return true;
        }
        version.major == wanted.major && (version.minor == wanted.minor || self.any_minor)
    }

    fn caret(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.precedence(wanted).is_lt() || version.major != wanted.major {
            return false;
        }
        if wanted.major > 0 || self.any_minor {
            return true;
        }
        if version.minor != wanted.minor {
            return false;
        }
        wanted.minor > 0 || self.any_patch || version.patch == wanted.patch
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_space(**byte)).count()
}

fn split_groups(text: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"||") {
        parts.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    parts.push(rest);
    parts
}

/// The comparisons of a group, with blanks or commas between them.
fn group(text: &[u8]) -> Result<Group, String> {
    let improper = || format!("improper constraint: {}", quote(text));
    let mut patterns = Vec::new();
    let mut rest = &text[spaces(text)..];
    loop {
        let (operator, after) = operator(rest);
        let after = &after[spaces(after)..];
        let (pattern, after) = Pattern::at(after).ok_or_else(improper)?;
        patterns.push((operator, pattern));
        let blanks = spaces(after);
        rest = &after[blanks..];
        match rest.first() {
            None => break,
            Some(b',') => rest = &rest[1 + spaces(&rest[1..])..],
            Some(_) if blanks > 0 => (),
            Some(_) => return Err(improper()),
        }
    }
    // the whole group is looked at before its numbers are
    let comparisons = patterns
        .iter()
        .map(|(operator, pattern)| pattern.comparison(*operator))
        .collect::<Result<Vec<_>, _>>()?;
    let with_pre = comparisons.iter().any(|comparison| !comparison.version.pre.is_empty());
    Ok(Group { comparisons, with_pre })
}

fn operator(text: &[u8]) -> (Operator, &[u8]) {
    OPERATORS
        .iter()
        .find_map(|(name, operator)| Some((*operator, text.strip_prefix(name.as_bytes())?)))
        .unwrap_or((Operator::Equal, text))
}

/// A version in which numbers may be `x` or missing, as it was written.
struct Pattern<'t> {
    whole: &'t [u8],
    numbers: [&'t [u8]; 3],
    /// With its hyphen.
    pre: &'t [u8],
}

impl<'t> Pattern<'t> {
    /// The one at the beginning of a text, and what follows.
    fn at(text: &'t [u8]) -> Option<(Pattern<'t>, &'t [u8])> {
        let number = |text: &[u8]| {
            text.iter().take_while(|byte| byte.is_ascii_digit() || b"|xX*".contains(byte)).count()
        };
        let mut rest = text.strip_prefix(b"v").unwrap_or(text);
        let mut numbers: [&[u8]; 3] = [b""; 3];
        for (index, found) in numbers.iter_mut().enumerate() {
            let after = if index == 0 { Some(rest) } else { rest.strip_prefix(b".") };
            match after.map(|after| (after, number(after))) {
                Some((after, length @ 1..)) => (*found, rest) = after.split_at(length),
                _ if index == 0 => return None,
                _ => break,
            }
        }
        let mut tag = |mark: u8| {
            let length = match rest.first() {
                Some(first) if *first == mark => identifiers(&rest[1..]),
                _ => 0,
            };
            let (tag, after) = rest.split_at(if length == 0 { 0 } else { length + 1 });
            rest = after;
            tag
        };
        let pre = tag(b'-');
        tag(b'+');
        let whole = &text[..text.len() - rest.len()];
        Some((Pattern { whole, numbers, pre }, rest))
    }

    fn comparison(&self, operator: Operator) -> Result<Comparison, String> {
        let [major, minor, patch] = self.numbers;
        let is_any = |number: &[u8]| matches!(number, b"" | b"x" | b"X" | b"*");
        let (mut any_minor, mut any_patch) = (false, false);
        let version = if is_any(major) {
            [b"0.0.0", self.pre].concat()
        } else if is_any(minor) {
            any_minor = true;
            [major, b".0.0", self.pre].concat()
        } else if is_any(patch) {
            any_patch = true;
            [major, b".", minor, b".0", self.pre].concat()
        } else {
            self.whole.to_vec()
        };
        let any = self.numbers.into_iter().any(is_any);
        let version = Version::parse(&version).map_err(|_| "constraint parser error")?;
        Ok(Comparison { operator, version, any, any_minor, any_patch })
    }
}

/// Writes `1.2 - 1.4` as two comparisons.
fn expand_ranges(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if let Some((low, high, length)) = range(&text[at..]) {
            out.extend_from_slice(b">= ");
            out.extend_from_slice(low);
            out.extend_from_slice(b", <= ");
            out.extend_from_slice(high);
            out.push(b' ');
            at += length;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// A range at the beginning: its ends, and its length with the blanks around it.
fn range(text: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let (low, rest) = Pattern::at(&text[spaces(text)..])?;
    let before = spaces(rest);
    let rest = rest[before..].strip_prefix(b"-")?;
    let after = spaces(rest);
    if before == 0 || after == 0 {
        return None;
    }
    let (high, rest) = Pattern::at(&rest[after..])?;
    let end = text.len() - rest.len() + spaces(rest);
    Some((low.whole, high.whole, end))
}
