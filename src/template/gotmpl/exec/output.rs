//! What templates write, and which part of which template wrote what.

use super::super::function::Failure;
use super::super::syntax::ast::Template;
use super::super::value::Text;
use std::sync::Arc;

/// The text that a template has written so far.
#[derive(Debug, Default)]
pub(in super::super) struct Output {
    text: Vec<u8>,
    /// How much it may become.
    limit: usize,
    /// Where the parts come from; nothing for texts that functions get.
    marks: Option<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    /// The templates, and which of them are running.
    templates: Vec<Arc<Template>>,
    running: Vec<usize>,
    parts: Vec<Part>,
}

/// The start of a part of the text that comes from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Part {
    /// Where it starts in the text that was written.
    pub(in super::super) start: usize,
    /// The template, by its number.
    pub(in super::super) template: usize,
    /// Where in its file.
    pub(in super::super) offset: usize,
    /// True for an action; what it wrote comes from it as a whole. Else it is text, which stands in
    /// the file as it was written.
    pub(in super::super) action: bool,
}

impl Output {
    /// An output that knows where its parts come from.
    pub(in super::super) fn marked(limit: usize) -> Output {
        Output { limit, marks: Some(Marks::default()), ..Output::default() }
    }

    /// An output for a text that a function gets.
    pub(in super::super) fn plain(limit: usize) -> Output {
        Output { limit, ..Output::default() }
    }

    /// The text, its parts and the templates that they are of.
    pub(in super::super) fn finish(self) -> (Vec<u8>, Vec<Part>, Vec<Arc<Template>>) {
        let marks = self.marks.unwrap_or_default();
        (self.text, marks.parts, marks.templates)
    }

    pub(super) fn enter(&mut self, template: &Arc<Template>) {
        let Some(marks) = &mut self.marks else { return };
        let known = marks.templates.iter().position(|known| Arc::ptr_eq(known, template));
        let number = known.unwrap_or_else(|| {
            marks.templates.push(Arc::clone(template));
            marks.templates.len() - 1
        });
        marks.running.push(number);
    }

    pub(super) fn leave(&mut self) {
        if let Some(marks) = &mut self.marks {
            marks.running.pop();
        }
    }

    pub(super) fn text(&mut self, offset: usize, text: &Text) -> Result<(), Failure> {
        self.mark(offset, false);
        self.text.extend_from_slice(text);
        self.check()
    }

    /// Lets an action write.
    pub(super) fn action(
        &mut self,
        offset: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        self.mark(offset, true);
        let written = write(&mut self.text)?;
        self.check()?;
        Ok(written)
    }

    fn mark(&mut self, offset: usize, action: bool) {
        let Some(marks) = &mut self.marks else { return };
        let Some(template) = marks.running.last() else { return };
        let part = Part { start: self.text.len(), template: *template, offset, action };
        match marks.parts.last_mut() {
            // What wrote nothing has no part.
            Some(last) if last.start == part.start => *last = part,
            _ => marks.parts.push(part),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.text.len() > self.limit {
            let limit = self.limit / (1024 * 1024);
            return Err(Failure::new(format!("rendered text is larger than {limit} MiB")));
        }
        Ok(())
    }
}
