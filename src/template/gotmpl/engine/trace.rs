//! Where rendered text comes from.

use super::super::error::Place;
use super::super::exec::output::{Output, Part};
use super::super::stack;
use super::super::syntax::ast::Template;
use super::super::value::Text;
use super::reads::{Path, reads};
use memchr::arch::all::memchr::One;
use std::sync::Arc;

/// For each part of a rendered text, the part of a template that wrote it.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    templates: Vec<Arc<Template>>,
    parts: Vec<Part>,
}

/// What wrote a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where it stands in its template.
    pub place: Place,
    /// True when an action wrote it, false when it stands in the template as it is.
    pub action: bool,
    /// The values that it reads, as far as its template tells.
    pub reads: Vec<Path>,
}

/// The start of a stretch of rendered text, which ends where the next one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// Where it starts in the rendered text.
    pub start: usize,
    /// Name of the template file that wrote it.
    pub template: &'a Text,
    /// Where in that file.
    pub offset: usize,
    /// True when an action wrote it, false when it stands in the template as it is.
    pub action: bool,
}

impl Trace {
    /// What wrote the text, from its beginning to its end.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        self.parts.iter().map(|part| Stretch {
            start: part.start,
            template: &self.templates[part.template].source.name,
            offset: part.offset,
            action: part.action,
        })
    }

    /// What wrote the byte at an offset.
    #[must_use]
    pub fn at(&self, offset: usize) -> Option<Origin> {
        let index = self.parts.partition_point(|part| part.start <= offset).checked_sub(1)?;
        let part = &self.parts[index];
        let template = &self.templates[part.template];
        let source = &template.source;
        let inside = if part.action { 0 } else { offset - part.start };
        let place = Place::of(&source.name, &source.text, part.offset + inside);
        let find = || reads(template, part.offset);
        let reads = if !part.action {
            Vec::new()
        } else if template.deep {
            stack::with_room(find)
        } else {
            find()
        };
        Some(Origin { place, action: part.action, reads })
    }
}

/// What Go prints for a value that is not there, which Helm takes out.
const NO_VALUE: &[u8] = b"<no value>";

/// The text of an output without what Go prints for no value.
pub(super) fn finish(output: Output) -> (Vec<u8>, Trace) {
    let (text, mut parts, templates) = output.finish();
    let found = occurrences(&text);
    if found.is_empty() {
        return (text, Trace { templates, parts });
    }
    let mut removed = found.iter().peekable();
    let mut shift = 0;
    for part in &mut parts {
        while let Some(at) = removed.next_if(|at| **at + NO_VALUE.len() <= part.start) {
            let _ = at;
            shift += NO_VALUE.len();
        }
        // A part that starts inside of what is taken out starts where that was.
        let start = removed.peek().map_or(part.start, |at| part.start.min(**at));
        part.start = start - shift;
    }
    (without(text, &found), Trace { templates, parts })
}

/// A text without what Go prints for no value.
pub(super) fn without_no_value(text: Vec<u8>) -> Vec<u8> {
    let found = occurrences(&text);
    without(text, &found)
}

fn without(text: Vec<u8>, found: &[usize]) -> Vec<u8> {
    if found.is_empty() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in found {
        out.extend_from_slice(&text[from..*at]);
        from = at + NO_VALUE.len();
    }
    out.extend_from_slice(&text[from..]);
    out
}

fn occurrences(text: &[u8]) -> Vec<usize> {
    let starts = One::new(NO_VALUE[0]);
    starts.iter(text).filter(|at| text[*at..].starts_with(NO_VALUE)).collect()
}
