//! Whatever formats, layouts, patterns and versions hold, there is an answer.

use super::super::fmt::sprintf;
use super::super::regexp;
use super::super::time::zone::Zone;
use super::super::time::{Time, duration};
use super::super::value::{Text, Value};
use super::super::version::{Constraint, Version};
use proptest::collection::vec;
use proptest::prelude::*;

/// Texts of pieces that mean something, and of any bytes.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const VERBS: &[&str] =
    &["%", "*", ".", "[1]", "[", "]", "9", "0", "#", "+", "-", " ", "d", "v", "s", "x", "g", "U"];
const LAYOUT: &[&str] = &[
    "2006", "06", "Jan", "1", "_2", "__2", "002", "15", "3", "PM", "04", "5", ".000", ",999",
    "MST", "Z07:00", "-070000", "Monday", " ", "24", "-", "+",
];
const PATTERN: &[&str] = &[
    "(",
    ")",
    "(?i)",
    "(?P<n>",
    "[",
    "]",
    "[^",
    "[:alpha:]",
    "-",
    "a",
    "é",
    ".",
    "*",
    "+?",
    "{2}",
    "{,3}",
    "{900}",
    "|",
    "\\Q",
    "\\E",
    "\\pL",
    "\\x{",
    "\\0",
    "\\b",
    "\\B",
    "^",
    "$",
];
const VERSION: &[&str] = &[
    "1", ".", "2", "x", "*", "-", "+", "a", "0", "||", ",", " ", " - ", "^", "~>", ">=", "v", "!=",
];

proptest! {
    #[test]
    fn formats(format in text(VERBS), int in any::<i64>(), float in any::<f64>()) {
        let values = [Value::int(int), Value::float(float), Value::text("é"), Value::Nil];
        prop_assert!(sprintf(&format, &values).is_ok());
    }

    #[test]
    fn layouts(layout in text(LAYOUT), text in text(LAYOUT), seconds in any::<i64>()) {
        for zone in ["UTC", "America/New_York"] {
            let zone = Zone::named(zone.as_bytes(), "UTC");
            let shown = Time::unix(seconds, zone.clone()).format(&layout);
            drop(Time::parse(&layout, &shown, &zone));
            drop(Time::parse(&layout, &text, &zone));
        }
        drop(duration::parse(&text));
    }

    #[test]
    fn patterns(pattern in text(PATTERN), text in text(PATTERN)) {
        if let Ok(pattern) = regexp::compile(&Text::from(pattern)) {
            let replaced = pattern.replace_all(&text, b"$1${n}$", false);
            prop_assert!(replaced.is_ok());
            let parts = pattern.split(&text, -1).expect("there is no limit");
            prop_assert!(parts.iter().map(|part| part.len()).sum::<usize>() <= text.len());
        }
    }

    #[test]
    fn versions(constraint in text(VERSION), version in text(VERSION)) {
        let version = Version::parse(&version);
        if let (Ok(constraint), Ok(version)) = (Constraint::parse(&constraint), version) {
            let _: bool = constraint.allows(&version);
            prop_assert!(version.precedence(&version).is_eq());
        }
    }
}
