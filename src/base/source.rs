//! Where every byte of input came from.
//!
//! A [`Sources`] table owns the text of every file of one command: files that the user wrote and
//! texts that templates rendered. A [`Span`] names a range of one of them in twelve bytes, so each
//! YAML node can carry one. A rendered text keeps a [`RenderMap`] back to the template and to the
//! values that were read for it, so that a fault in the output can be shown in the input:
//!
//! ```text
//! rendered text  --RenderMap-->  template expression  +  values lines
//! ```
//!
//! Spans are byte offsets; lines and columns are computed only when somebody looks.

use super::secret;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, RwLock};

/// Names one file of a [`Sources`] table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(u32);

impl FileId {
    /// The file of values that came from no file: a flag's default, a live object, a computed value.
    pub const NONE: FileId = FileId(u32::MAX);
}

/// A range of bytes in one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file that the offsets count in.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span of values that came from no file.
    pub const NONE: Span = Span { file: FileId::NONE, start: 0, end: 0 };

    /// Makes a span of `file` from `start` to `end`, in bytes.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file, start: clamp(start), end: clamp(end) }
    }

    /// True when the span names no file.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.file == FileId::NONE
    }

    /// The span so many bytes further on.
    #[must_use]
    pub fn shifted(self, by: u32) -> Span {
        if self.is_none() {
            return self;
        }
        let (start, end) = (self.start.saturating_add(by), self.end.saturating_add(by));
        Span { file: self.file, start, end }
    }

    /// The smallest span that holds both; `self` when they are of different files.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("-");
        }
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

/// One stretch of rendered text and what made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First byte in the rendered text.
    pub start: u32,
    /// Byte after the last in the rendered text.
    pub end: u32,
    /// The template text that made it: literal text or one expression.
    pub template: Span,
    /// The values that were read for it, each where the user wrote it.
    pub values: Vec<Span>,
}

impl Segment {
    /// The template text behind a span that begins in this segment. Text that was copied as it
    /// stands leads to the very bytes; what an expression made leads to the expression.
    fn origin_of(&self, span: Span) -> Span {
        let copied = self.values.is_empty()
            && self.template.end - self.template.start == self.end - self.start;
        if !copied {
            return self.template;
        }
        let at = |offset: u32| {
            self.template
                .start
                .saturating_add(offset.saturating_sub(self.start))
                .min(self.template.end)
        };
        Span { file: self.template.file, start: at(span.start), end: at(span.end) }
    }
}

/// Leads from rendered text back to templates and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderMap {
    segments: Vec<Segment>,
}

impl RenderMap {
    /// Makes a map of segments that are in the order of the rendered text and do not overlap.
    #[must_use]
    pub fn new(segments: Vec<Segment>) -> RenderMap {
        debug_assert!(segments.windows(2).all(|pair| pair[0].end <= pair[1].start));
        RenderMap { segments }
    }

    /// The segment that holds the byte at `offset`, or the last one before it.
    #[must_use]
    pub fn segment_at(&self, offset: u32) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= offset);
        self.segments[..after].last()
    }

    /// All segments that touch the bytes from `start` to `end`.
    #[must_use]
    pub fn segments_in(&self, start: u32, end: u32) -> &[Segment] {
        let first = self.segments.partition_point(|segment| segment.end <= start);
        let last = self.segments.partition_point(|segment| segment.start < end.max(start + 1));
        &self.segments[first..last.max(first)]
    }
}

/// One file: its name as the user would type it, and its text.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    text: Arc<str>,
    map: Option<RenderMap>,
    line_starts: OnceLock<Vec<u32>>,
    hidden: OnceLock<HashMap<usize, usize>>,
}

impl SourceFile {
    /// The name as the user would type it, or a description such as `--set`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The map back to templates, when the text was rendered.
    #[must_use]
    pub fn render_map(&self) -> Option<&RenderMap> {
        self.map.as_ref()
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(breaks.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)))
                .collect()
        })
    }

    /// Line and column of a byte offset, both counted from 1; the column counts characters.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> (usize, usize) {
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts[line - 1] as usize;
        let end = (offset as usize).clamp(start, self.text.len());
        let column = self.text.get(start..end).map_or(end - start, |head| head.chars().count());
        (line, column + 1)
    }

    /// The text of a line counted from 1, without its line break.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        let starts = self.line_starts();
        let Some(start) = line.checked_sub(1).and_then(|index| starts.get(index)) else {
            return "";
        };
        let end = starts.get(line).map_or(self.text.len(), |next| *next as usize);
        self.text.get(*start as usize..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// The byte of a line that the first secret in it begins at.
    #[must_use]
    pub fn hidden_from(&self, line: usize) -> Option<usize> {
        self.hidden.get_or_init(|| secret::hidden(&self.text)).get(&line).copied()
    }

    /// A line as it may be shown: without secrets.
    #[must_use]
    pub fn shown_line(&self, line: usize) -> Cow<'_, str> {
        let text = self.line(line);
        match self.hidden_from(line) {
            Some(from) => {
                Cow::Owned(format!("{}{}", text.get(..from).unwrap_or(text), secret::HIDDEN))
            }
            None => Cow::Borrowed(text),
        }
    }

    /// How many lines there are; a line break at the end starts none.
    #[must_use]
    pub fn lines(&self) -> usize {
        let starts = self.line_starts();
        let open = starts.last().is_some_and(|start| (*start as usize) < self.text.len());
        starts.len() - usize::from(!open && starts.len() > 1)
    }
}

/// A place that a person can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File name as the user would type it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Every file that one command has read or rendered. Files are added, never changed or removed, so
/// a span stays true; adding is safe from several threads.
#[derive(Debug, Default)]
pub struct Sources {
    files: RwLock<Vec<Arc<SourceFile>>>,
}

impl Sources {
    /// Makes an empty table.
    #[must_use]
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a file that the user wrote.
    pub fn add(&self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.push(name.into(), text.into(), None)
    }

    /// Adds a text that a template rendered.
    pub fn add_rendered(
        &self,
        name: impl Into<String>,
        text: impl Into<Arc<str>>,
        map: RenderMap,
    ) -> FileId {
        self.push(name.into(), text.into(), Some(map))
    }

    fn push(&self, name: String, text: Arc<str>, map: Option<RenderMap>) -> FileId {
        let file =
            SourceFile { name, text, map, line_starts: OnceLock::new(), hidden: OnceLock::new() };
        let mut files = self.files.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let id = FileId(u32::try_from(files.len()).unwrap_or(u32::MAX - 1));
        files.push(Arc::new(file));
        id
    }

    /// The file of an id that this table gave out.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<Arc<SourceFile>> {
        let files = self.files.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        files.get(id.0 as usize).cloned()
    }

    /// Where a span begins, or nothing for [`Span::NONE`].
    #[must_use]
    pub fn place(&self, span: Span) -> Option<Place> {
        let file = self.get(span.file)?;
        let (line, column) = file.line_column(span.start);
        Some(Place { file: file.name.clone(), line, column })
    }

    /// Adds the text of a scalar that stands at a span, such as a patch in its kustomization, so
    /// that places in it lead to the lines of the file where it stands.
    pub fn add_scalar(&self, span: Span, text: &str) -> FileId {
        let raw = self.slice(span).unwrap_or_default();
        let (mut at, mut from) = (0, 0);
        let mut segments = Vec::new();
        for line in text.split_inclusive('\n') {
            let shown = line.trim();
            let place = raw.get(from..).and_then(|rest| rest.find(shown)).map(|found| from + found);
            let template = match place.filter(|_| !shown.is_empty()) {
                Some(place) => {
                    from = place + shown.len();
                    let start = span.start as usize + place;
                    Span::new(span.file, start, start + shown.len())
                }
                None => span,
            };
            let Span { start, end, .. } = Span::new(span.file, at, at + line.len());
            segments.push(Segment { start, end, template, values: Vec::new() });
            at += line.len();
        }
        let name = self.place(span).map_or_else(|| "patch".to_owned(), |place| place.file);
        self.add_rendered(name, text, RenderMap::new(segments))
    }

    /// The text of a span.
    #[must_use]
    pub fn slice(&self, span: Span) -> Option<String> {
        let file = self.get(span.file)?;
        file.text.get(span.start as usize..span.end as usize).map(str::to_owned)
    }

    /// Leads a span of rendered text to what the user can edit: the template, then the values that
    /// were read there. A span of a written file comes back alone.
    #[must_use]
    pub fn origins(&self, span: Span) -> Vec<Span> {
        let Some(file) = self.get(span.file) else { return Vec::new() };
        let Some(map) = file.render_map() else { return vec![span] };
        let Some(segment) = map.segment_at(span.start) else { return Vec::new() };
        let mut origins = vec![segment.origin_of(span)];
        for value in &segment.values {
            if !origins.contains(value) {
                origins.push(*value);
            }
        }
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let sources = Sources::new();
        let file = sources.add("a.yaml", "one\ntwé three\n");
        let place = |start| sources.place(Span::new(file, start, start)).map(|p| p.to_string());
        assert_eq!(place(0).as_deref(), Some("a.yaml:1:1"));
        assert_eq!(place(4).as_deref(), Some("a.yaml:2:1"));
        assert_eq!(place(9).as_deref(), Some("a.yaml:2:5"));
        assert_eq!(sources.place(Span::NONE), None);
    }

    #[test]
    fn rendered_text_leads_to_the_template_and_the_values() {
        let sources = Sources::new();
        let values = sources.add("values.yaml", "a: 1\n");
        let template = sources.add("t.yaml", "x: {{ values.a }}\n");
        let segments = vec![
            Segment { start: 0, end: 3, template: Span::new(template, 0, 3), values: vec![] },
            Segment {
                start: 3,
                end: 4,
                template: Span::new(template, 3, 17),
                values: vec![Span::new(values, 3, 4)],
            },
        ];
        let rendered = sources.add_rendered("t.yaml", "x: 1\n", RenderMap::new(segments));
        let origins = sources.origins(Span::new(rendered, 3, 4));
        assert_eq!(origins, [Span::new(template, 3, 17), Span::new(values, 3, 4)]);
        assert_eq!(sources.origins(Span::new(values, 3, 4)), [Span::new(values, 3, 4)]);
    }
}
