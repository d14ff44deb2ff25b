//! What is wrong with the input, as data.
//!
//! A [`Diagnostic`] is one fault that the user can mend: a stable code, a message, labelled spans,
//! notes and a suggestion. Passes push into a [`Diagnostics`] and go on, so that every fault is
//! reported at once. Printing is the command line's business; a diagnostic knows no terminal.
//!
//! Messages are lower case, have no full stop, and say what failed with which thing. Every code
//! has an entry in `docs/errors.md`.

use super::secret;
use super::source::{Sources, Span};
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing; nothing stops.
    Warning,
    /// The command cannot give a right result.
    Error,
}

/// A span with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, in a few words; may be empty.
    pub text: String,
}

/// One fault in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code: `wharf::<module>::<what>`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What failed, with which thing.
    pub message: String,
    /// The first label is where the fault is; others lead to what it collides with.
    pub labels: Vec<Label>,
    /// Facts that help to understand.
    pub notes: Vec<String>,
    /// What to do, when that is known.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Makes an error.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Makes a warning.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// Adds a labelled span; [`Span::NONE`] is left out.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        if !span.is_none() {
            self.labels.push(Label { span, text: label.into() });
        }
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// Sets the suggestion.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Sets the suggestion when there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.or(self.help);
        self
    }

    /// Replaces labels on rendered text by labels on the template and the values behind it.
    /// The rendered line itself stays as a note, since the user never wrote it. What is secret at
    /// a label is taken out of all texts.
    #[must_use]
    pub fn traced(mut self, sources: &Sources) -> Diagnostic {
        for label in &self.labels {
            let Some(file) = sources.get(label.span.file) else { continue };
            let (line, _) = file.line_column(label.span.start);
            let hidden = file.hidden_from(line).and_then(|from| file.line(line).get(from..));
            let Some(hidden) = hidden else { continue };
            let texts = std::iter::once(&mut self.message).chain(&mut self.notes);
            texts.chain(&mut self.help).for_each(|text| secret::cut(text, hidden));
        }
        let mut labels = Vec::with_capacity(self.labels.len());
        for label in self.labels {
            let rendered = sources.get(label.span.file).filter(|file| file.render_map().is_some());
            let Some(file) = rendered else {
                labels.push(label);
                continue;
            };
            let (line, _) = file.line_column(label.span.start);
            let text = file.line(line).trim();
            // printed values stand as private characters, of which a reader would learn nothing
            let marked = text.contains(|c| matches!(c, '\u{E000}'..='\u{E003}'));
            let origins = sources.origins(label.span);
            let written = origins.first().and_then(|origin| {
                let file = sources.get(origin.file)?;
                Some(file.line(file.line_column(origin.start).0).trim() == text)
            });
            if !text.is_empty() && !marked && written != Some(true) {
                self.notes.push(format!("rendered as: {}", file.shown_line(line).trim()));
            }
            for (index, span) in origins.into_iter().enumerate() {
                if index > 0 && file.hidden_from(line).is_some() {
                    // its excerpt would show the secret
                    let place = sources.place(span).map(|place| format!("value from {place}"));
                    self.notes.extend(place);
                    continue;
                }
                let text = if index == 0 { label.text.clone() } else { "value from here".into() };
                labels.push(Label { span, text });
            }
        }
        self.labels = labels;
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// The faults of one command, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Makes an empty list.
    #[must_use]
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// True when nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True when at least one is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// `value` with the warnings, or the whole list when it holds an error.
    ///
    /// # Errors
    /// The list itself, when one of its entries is an error.
    pub fn finish<T>(self, value: T) -> Result<(T, Diagnostics), Diagnostics> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics { list: vec![diagnostic] }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.list.extend(iter);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Diagnostics {
        Diagnostics { list: iter.into_iter().collect() }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
