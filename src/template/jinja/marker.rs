//! The private characters that stand in rendered text for what is kept aside.
//!
//! ```text
//! U+E000 <index> U+E001              a printed value, kept in the trace under that index
//! U+E002 <template>.<piece> U+E003   here begins a piece of a template's own text
//! ```
//!
//! Values and templates that hold one of these characters are refused, so a marker in rendered text
//! was always written by the formatter.

use super::instrument::Prepared;
use super::trace::Kept;
use crate::base::source::{Segment, Span};
use std::fmt::Write as _;

/// Begins the marker of a printed value.
pub(super) const VALUE: char = '\u{E000}';
/// Ends it.
pub(super) const VALUE_END: char = '\u{E001}';
/// Begins the marker of a piece of template text.
pub(super) const PIECE: char = '\u{E002}';
/// Ends it.
pub(super) const PIECE_END: char = '\u{E003}';

/// The bytes that all four markers begin with.
const LEAD: [u8; 2] = [0xEE, 0x80];

/// Bytes of one marker character.
const WIDTH: usize = 3;

/// True when the text holds a marker character.
pub(super) fn is_in(text: &str) -> bool {
    find(text.as_bytes(), 0).is_some()
}

/// Offset and kind of the next marker character.
fn find(bytes: &[u8], mut from: usize) -> Option<(usize, char)> {
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == LEAD[0]) {
        let at = from + at;
        if bytes.get(at + 1) == Some(&LEAD[1]) {
            match bytes.get(at + 2) {
                Some(0x80) => return Some((at, VALUE)),
                Some(0x81) => return Some((at, VALUE_END)),
                Some(0x82) => return Some((at, PIECE)),
                Some(0x83) => return Some((at, PIECE_END)),
                _ => {}
            }
        }
        from = at + 1;
    }
    None
}

/// The marker of a kept value.
pub(super) fn value(index: usize) -> String {
    format!("{VALUE}{index}{VALUE_END}")
}

/// The marker of a piece of template text.
pub(super) fn piece(template: usize, piece: usize) -> String {
    format!("{PIECE}{template}.{piece}{PIECE_END}")
}

/// Part of a rendered text.
pub(super) enum Part<'a> {
    /// Text that stood in a template, with where that was when it is known.
    Text(&'a str, Option<(usize, usize)>),
    /// A kept value.
    Value(usize),
}

/// The parts of a rendered text in order. What follows a piece's marker belongs to that piece up to
/// the next marker.
pub(super) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut at = 0;
    let mut piece: Option<(usize, usize)> = None;
    std::iter::from_fn(move || {
        loop {
            let rest = find(text.as_bytes(), at);
            let end = rest.map_or(text.len(), |(found, _)| found);
            if end > at {
                let part = Part::Text(&text[at..end], piece);
                at = end;
                return Some(part);
            }
            let (found, kind) = rest?;
            let inner = found + WIDTH;
            let close = find(text.as_bytes(), inner).map_or(text.len(), |(close, _)| close);
            let name = &text[inner..close];
            at = (close + WIDTH).min(text.len());
            if kind == VALUE {
                piece = None;
                return Some(Part::Value(name.parse().unwrap_or(usize::MAX)));
            }
            piece =
                name.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        }
    })
}

/// The value that a text is, when it is one marker and white space.
pub(super) fn alone(text: &str) -> Option<usize> {
    let mut found = None;
    for part in parts(text) {
        match part {
            Part::Value(index) if found.is_none() => found = Some(index),
            Part::Text(own, _) if own.trim().is_empty() => {}
            _ => return None,
        }
    }
    found
}

/// The rendered text with value markers only, and the way back from it.
pub(super) fn settle(
    rendered: &str,
    kept: &[Kept],
    templates: &[Prepared],
) -> (String, Vec<Segment>) {
    let mut text = String::with_capacity(rendered.len());
    let mut segments: Vec<Segment> = Vec::new();
    let offset = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    for part in parts(rendered) {
        let start = text.len();
        let (template, values) = match part {
            Part::Text(own, origin) => {
                text.push_str(own);
                let template = origin.and_then(|(template, piece)| {
                    let template = templates.get(template)?;
                    let from = *template.pieces.get(piece)? as usize;
                    Some(Span::new(template.file, from, from + own.len()))
                });
                (template, Vec::new())
            }
            Part::Value(index) => {
                let _ = write!(text, "{VALUE}{index}{VALUE_END}");
                let kept = kept.get(index);
                let values = kept.map(|kept| kept.reads.clone()).unwrap_or_default();
                (kept.map(|kept| kept.place), values)
            }
        };
        if let Some(template) = template {
            let (start, end) = (offset(start), offset(text.len()));
            segments.push(Segment { start, end, template, values });
        }
    }
    (text, segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_apart_at_their_markers() {
        let text = format!("{}a: {}{}\nb", piece(1, 2), value(7), piece(1, 3));
        let parts: Vec<String> = parts(&text)
            .map(|part| match part {
                Part::Text(text, origin) => format!("{text:?} {origin:?}"),
                Part::Value(index) => format!("<{index}>"),
            })
            .collect();
        assert_eq!(parts, [r#""a: " Some((1, 2))"#, "<7>", r#""\nb" Some((1, 3))"#]);
        assert!(is_in(&text) && !is_in("plain \u{E004} \u{F000} text"));
    }
}
