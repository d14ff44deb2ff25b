//! JSON texts as Go writes them.

use super::node::{Node, Value};
use std::fmt::{Display, LowerExp, Write};

/// A double as Go's JSON encoder writes it: shortest digits, exponents below 1e-6 and from 1e21.
#[must_use]
pub fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = scientific(value);
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    even(value).unwrap_or_else(|| format!("{value}"))
}

/// The shortest digits that read as the number, with an exponent: `1.5e-7`.
#[must_use]
pub fn scientific(value: f64) -> String {
    let Some(fixed) = even(value) else { return format!("{value:e}") };
    let point = fixed.find('.').unwrap_or(fixed.len());
    let start = usize::from(value < 0.0) + 1;
    let digits = fixed[start..].replace('.', "");
    format!("{}.{digits}e{}", &fixed[..start], point - start)
}

/// The digits of a number that stands in the middle between two of the shortest texts: there Go
/// takes the even one, Rust the larger.
fn even(value: f64) -> Option<String> {
    // with a fraction, and as many digits as a double has
    if value.fract() == 0.0 || !(5e14..1e16).contains(&value.abs()) {
        return None;
    }
    let shortest = format!("{value}");
    let exact = format!("{value:.4}");
    let below = exact.trim_end_matches('0').strip_suffix('5')?;
    let is_even = below.ends_with(['0', '2', '4', '6', '8']);
    (below.len() == shortest.len() && is_even).then(|| below.to_owned())
}

/// A number as Go's `FormatFloat(f, 'g', -1, …)` and so its YAML writes it: shortest digits, an
/// exponent below 1e-4 and from 1e6.
#[must_use]
pub fn general<F: Into<f64> + LowerExp + Display + Copy>(value: F) -> String {
    let size: f64 = value.into();
    if size.is_nan() {
        return ".nan".to_owned();
    }
    if size.is_infinite() {
        return if size > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = match even(size) {
        Some(_) => scientific(size),
        None => format!("{value:e}"),
    };
    let (digits, exponent) = scientific.split_once('e').expect("`e` notation has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// What Go's JSON decoder calls a value.
#[must_use]
pub fn go_kind(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

/// Writes JSON as Go's `json.Marshal` does: keys sorted, no spaces, `<`, `>` and `&` escaped.
#[must_use]
pub fn go_string(node: &Node) -> String {
    let mut out = String::new();
    write_go(node, &mut out);
    out
}

/// Writes JSON as Go's `json.MarshalIndent` does with two spaces.
#[must_use]
pub fn go_string_pretty(node: &Node) -> String {
    let compact = go_string(node);
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut chars = compact.chars().peekable();
    while let Some(char) = chars.next() {
        if in_text {
            out.push(char);
            in_text = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        match char {
            '{' | '[' => {
                out.push(char);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                out.push(char);
                in_text = char == '"';
            }
        }
    }
    out
}

fn write_go(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_go_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_go(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            out.push('{');
            for (index, entry) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_go_text(&entry.key, out);
                out.push(':');
                write_go(&entry.value, out);
            }
            out.push('}');
        }
    }
}

fn write_go_text(text: &str, out: &mut String) {
    out.push('"');
    write_escaped(text, true, out);
    out.push('"');
}

/// Writes what stands between the quotes of a text as Go's `encoding/json` does; `html` tells
/// whether `<`, `>` and `&` are escaped too.
pub fn write_escaped(text: &str, html: bool, out: &mut String) {
    let special = |char: char| match char {
        '<' | '>' | '&' => html,
        '"' | '\\' | '\u{2028}' | '\u{2029}' => true,
        char => char < ' ',
    };
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let char = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + char.len_utf8()..];
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            char => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
        }
    }
    out.push_str(rest);
}

/// Reads one JSON text. Spans are not kept.
///
/// # Errors
/// What `serde_json` says of a text that is no JSON, or is nested more than 127 deep.
pub fn parse(text: &[u8]) -> Result<Node, serde_json::Error> {
    serde_json::from_slice(text)
}

/// Writes JSON without spaces.
#[must_use]
pub fn to_string(node: &Node) -> String {
    serde_json::to_string(node).expect("a node has text keys only")
}

/// Writes JSON with two spaces of indentation.
#[must_use]
pub fn to_string_pretty(node: &Node) -> String {
    serde_json::to_string_pretty(node).expect("a node has text keys only")
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (1e-6, "0.000001"),
            (-2.5, "-2.5"),
            (1e15 + 0.25, "1000000000000000.2"),
            (1e15 + 0.75, "1000000000000000.8"),
            (-9e14 - 0.25, "-900000000000000.2"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
