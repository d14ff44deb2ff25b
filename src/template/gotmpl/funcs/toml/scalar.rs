//! The values of TOML that are no lists or tables: what the lexer let pass is looked at closely.

use super::super::number::{parse_float, parse_int};
use super::lex::{Fault, Kind, Piece};
use super::read::Parser;
use crate::template::gotmpl::fmt::quote::quote;
use crate::template::gotmpl::time::Time;
use crate::template::gotmpl::time::zone::Zone;
use crate::template::gotmpl::value::Value;
use std::rc::Rc;

impl Parser<'_> {
    pub(super) fn integer(&self, piece: Piece<'_>, text: &str) -> Result<Value, Fault> {
        let invalid = |why| format!("Invalid integer {}: {why}", quote(text.as_bytes()));
        if !underscores_fit(text) {
            return self.wrong(piece, invalid("underscores must be surrounded by digits"));
        }
        if leading_zero(text) {
            return self.wrong(piece, invalid("cannot have leading zeroes"));
        }
        match parse_int(text, 0) {
            Some(int) => Ok(Value::int64(int)),
            None => self.wrong(piece, format!("{text} is out of range for int64")),
        }
    }

    pub(super) fn float(&self, piece: Piece<'_>, text: &str) -> Result<Value, Fault> {
        let invalid = |why| format!("Invalid float {}: {why}", quote(text.as_bytes()));
        let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
        if !parts.clone().all(underscores_fit) {
            return self.wrong(piece, invalid("underscores must be surrounded by digits"));
        }
        if parts.next().is_some_and(leading_zero) {
            return self.wrong(piece, invalid("cannot have leading zeroes"));
        }
        let after_points = text.split('.').skip(1);
        if !after_points.clone().all(|part| part.starts_with(|char: char| char.is_ascii_digit())) {
            return self.wrong(piece, invalid("'.' must be followed by one or more digits"));
        }
        let digits = text.replace('_', "");
        if let "+nan" | "-nan" = digits.as_str() {
            let sign = if digits.starts_with('-') { -1.0 } else { 1.0 };
            return Ok(Value::float(f64::NAN.copysign(sign)));
        }
        match parse_float(&digits) {
            Some(float) => Ok(Value::float(float)),
            None if digits.parse().is_ok_and(f64::is_infinite) => {
                self.wrong(piece, format!("{text} is out of range for float64"))
            }
            None => {
                let quoted = quote(text.as_bytes());
                self.wrong(piece, format!("Invalid float value: {quoted}"))
            }
        }
    }

    pub(super) fn datetime(&self, piece: Piece<'_>, text: &str) -> Result<Value, Fault> {
        let text = text.replace('z', "Z").replace(['t', ' '], "T");
        let local = |name: &str| Zone::Fixed(name.to_owned(), self.offset);
        for (layout, zone) in [
            ("2006-01-02T15:04:05.999999999Z07:00", None),
            ("2006-01-02T15:04:05.999999999", Some("datetime-local")),
            ("2006-01-02", Some("date-local")),
            ("15:04:05.999999999", Some("time-local")),
            ("2006-01-02T15:04Z07:00", None),
            ("2006-01-02T15:04", Some("datetime-local")),
            ("15:04", Some("time-local")),
        ] {
            let zone = zone.map_or_else(|| self.zone.clone(), local);
            if let Ok(time) = Time::parse(layout.as_bytes(), text.as_bytes(), &zone) {
                if lacks_zero(&text, layout) {
                    break;
                }
                return Ok(Value::Object(Rc::new(time)));
            }
        }
        let quoted = quote(text.as_bytes());
        self.wrong(piece, format!("invalid datetime: {quoted}"))
    }

    /// The text of a string.
    pub(super) fn text(&self, piece: Piece<'_>) -> Result<Vec<u8>, Fault> {
        match piece.kind {
            Kind::Escaped => self.unescaped(piece, piece.text),
            Kind::Lines => self.unescaped(piece, &joined(without_first_break(piece.text))),
            Kind::RawLines => Ok(without_first_break(piece.text).to_vec()),
            _ => Ok(piece.text.to_vec()),
        }
    }

    fn unescaped(&self, piece: Piece<'_>, text: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
            out.extend_from_slice(&rest[..at]);
            let letter = rest.get(at + 1).copied().unwrap_or(b'\\');
            let digits = match letter {
                b'x' => 2,
                b'u' => 4,
                b'U' => 8,
                _ => 0,
            };
            let end = (at + 2 + digits).min(rest.len());
            match letter {
                b'b' => out.push(8),
                b't' => out.push(b'\t'),
                b'n' => out.push(b'\n'),
                b'f' => out.push(12),
                b'r' => out.push(b'\r'),
                b'e' => out.push(27),
                b'"' | b'\\' => out.push(letter),
                b'x' | b'u' | b'U' => {
                    let digits = String::from_utf8_lossy(&rest[at + 2..end]);
                    let code = u32::from_str_radix(&digits, 16).ok();
                    let Some(char) = code.and_then(char::from_u32) else {
                        let message =
                            format!("Escaped character '\\u{digits}' is not valid UTF-8.");
                        return self.wrong(piece, message);
                    };
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => {
                    let letter = char::from(letter);
                    return self.wrong(piece, format!("invalid escape: '\\{letter}'"));
                }
            }
            rest = &rest[end..];
        }
        out.extend_from_slice(rest);
        Ok(out)
    }
}

fn underscores_fit(text: &str) -> bool {
    let special = matches!(text.trim_start_matches(['+', '-']), "nan" | "inf");
    let mut after_digit = false;
    for char in text.chars() {
        if char == '_' && !after_digit {
            return special;
        }
        after_digit = char.is_ascii_hexdigit();
    }
    special || after_digit
}

fn leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', next, ..] => !matches!(next, b'b' | b'o' | b'x'),
        [b'+' | b'-', b'0', _, ..] => true,
        _ => false,
    }
}

/// True where a field of a date has fewer digits than its layout: everything behind it is off.
fn lacks_zero(text: &str, layout: &str) -> bool {
    let fixed = layout.bytes().zip(text.bytes());
    let mut fixed = fixed.take_while(|(byte, _)| !matches!(byte, b'.' | b'Z'));
    fixed.any(|(byte, found)| !byte.is_ascii_digit() && byte != found)
}

fn without_first_break(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\n").or_else(|| text.strip_prefix(b"\r\n")).unwrap_or(text)
}

/// The text without the white space that follows a backslash at the end of a line.
fn joined(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let space = rest[at + 1..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        let after = at + 1 + space;
        if rest[at + 1..after].contains(&b'\n') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[after..];
            continue;
        }
        // another escape, perhaps of a backslash
        let end = (at + 2).min(rest.len());
        out.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
    out
}
