//! Errors in Helm's words: what it makes of the texts that Go's templates give it.

use super::super::error::{ExecError, ParseError};
use super::super::funcs::templates::REFUSAL;
use super::super::value::Text;

/// The text of a parse error: the place, and what follows the last colon.
pub(super) fn of_parsing(file: &Text, error: &ParseError) -> Text {
    let parts: Vec<&str> = error.message.split(": ").collect();
    match parts.as_slice() {
        [_, place, .., last] => format!("parse error at ({place}): {last}").into(),
        [_, place] => format!("parse error at ({place}): {place}").into(),
        _ => format!("parse error in ({file}): {}", error.message).into(),
    }
}

/// The text of a template that failed: a message of the chart by itself; a block for each template
/// of the chain; or Go's text as it is, when a part of the chain is none of a template.
pub(super) fn of(file: &Text, error: &ExecError) -> Text {
    let (text, starts) = error.texts();
    let mut colons = find_all(&text, b": ");
    let (Some(first), Some(second)) = (colons.next(), colons.next()) else {
        return [b"execution error in (", &**file, b"): ", &*text].concat().into();
    };
    let place = &text[first + 2..second];
    if let Some(refusal) = refusal(&text[second + 2..]) {
        return [b"execution error at (", place, b"): ", refusal].concat().into();
    }
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for start in starts {
        let Some(block) = block(&text[start..]) else { return text.clone() };
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
    }
    let mut out = Vec::new();
    for block in &blocks {
        block.write(&mut out);
    }
    out.trim_ascii().into()
}

/// What the chart itself says, with `fail` or `required`.
fn refusal(text: &[u8]) -> Option<&[u8]> {
    let (start, end) = REFUSAL;
    let from = find_all(text, start.as_bytes()).next()? + start.len();
    let to = text.windows(end.len()).rposition(|window| window == end.as_bytes())?;
    text.get(from..to)
}

/// A template in the chain: where, what it did, what went wrong.
#[derive(PartialEq, Eq)]
struct Block<'a> {
    place: &'a [u8],
    doing: Option<(&'a [u8], &'a [u8])>,
    message: &'a [u8],
}

impl Block<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.place.is_empty() {
            out.extend_from_slice(self.place);
            out.extend_from_slice(b"\n  ");
        }
        if let Some((template, node)) = self.doing {
            out.extend_from_slice(b"executing \"");
            out.extend_from_slice(template);
            out.extend_from_slice(b"\" at <");
            out.extend_from_slice(node);
            out.extend_from_slice(b">:\n    ");
        }
        if !self.message.is_empty() {
            out.extend_from_slice(self.message);
            out.push(b'\n');
        }
    }
}

/// Takes the text of an error apart, when it is one of a template.
fn block(text: &[u8]) -> Option<Block<'_>> {
    let rest = text.strip_prefix(b"template: ")?;
    if rest.starts_with(b"no template ") {
        return Some(Block { place: b"", doing: None, message: text });
    }
    if let Some(at) = find_all(rest, b": executing ").next() {
        // Go's and Helm's quotes differ in names that have quotes: then it is a simple error.
        if let Some((template, node, message)) = doing(&rest[at + b": executing ".len()..]) {
            return Some(Block { place: &rest[..at], doing: Some((template, node)), message });
        }
    }
    let at = rest.windows(2).rposition(|window| window == b": ")?;
    Some(Block { place: &rest[..at], doing: None, message: own(&rest[at + 2..]) })
}

fn doing(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let quote = text.iter().position(|byte| *byte == b'"')?;
    let after = text[quote + 1..].strip_prefix(b" at <")?;
    let end = find_all(after, b">: ").next()?;
    Some((&text[..quote], &after[..end], own(&after[end + 3..])))
}

/// A message without those of the templates inside.
fn own(message: &[u8]) -> &[u8] {
    let end = find_all(message, b" template:").next().unwrap_or(message.len());
    &message[..end]
}

fn find_all<'a>(text: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    text.windows(what.len())
        .enumerate()
        .filter(move |(_, window)| *window == what)
        .map(|(at, _)| at)
}
