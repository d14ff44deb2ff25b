//! Markers: places in a rendered text where a template put a value.
//!
//! A template engine that writes values as text lets a value change the structure around it, and
//! loses its type. So the native engine writes a marker instead, a private-use character before and
//! after a number, and keeps the value. The composer puts the values in:
//!
//! - a plain scalar that is one marker becomes the value itself: a number stays a number, a map a
//!   map. As a key it becomes the value's text; `<<: marker` merges a map; a document that is one
//!   marker of a list is as many documents.
//! - anywhere else in a scalar a marker becomes the value's text, and the scalar is text, whatever
//!   it looks like then.
//! - in a comment it is nothing.

use super::node::{Node, Value};
use std::borrow::Cow;

/// The character before a marker's number.
pub const OPEN: char = '\u{e000}';
/// The character after a marker's number.
pub const CLOSE: char = '\u{e001}';

/// The values that a rendered text's markers stand for.
pub trait Substitute {
    /// The value of a marker. A span of [`crate::base::source::Span::NONE`] is replaced by the
    /// marker's.
    fn node(&self, index: usize) -> Option<Node>;

    /// The text of a marker inside of a longer text.
    fn text(&self, index: usize) -> Option<Cow<'_, str>>;
}

/// Writes the marker of a number.
#[must_use]
pub fn marker(index: usize) -> String {
    format!("{OPEN}{index}{CLOSE}")
}

pub(super) fn has_marker(text: &str) -> bool {
    text.contains(OPEN)
}

/// The value, when the text is one marker and nothing else.
pub(super) fn whole(text: &str, markers: &dyn Substitute) -> Option<Node> {
    let digits = text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    markers.node(digits.parse().ok()?)
}

/// The text with its markers replaced. Markers that nobody knows stay.
pub(super) fn text(text: &str, markers: &dyn Substitute) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.push_str(&rest[..at]);
        let inside = &rest[at + OPEN.len_utf8()..];
        let known = inside
            .split_once(CLOSE)
            .and_then(|(digits, after)| Some((markers.text(digits.parse().ok()?)?, after)));
        if let Some((value, after)) = known {
            out.push_str(&value);
            rest = after;
        } else {
            out.push(OPEN);
            rest = inside;
        }
    }
    out.push_str(rest);
    out
}

/// How deep collections nest in a value.
pub(super) fn height(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(height).max().unwrap_or(0),
        _ => 0,
    }
}
