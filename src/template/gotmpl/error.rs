//! Why a template could not be parsed or failed: Go's text, and the chain of places behind it.

use super::fmt::quote::quote;
use super::function::Failure;
use super::value::Text;
use crate::base::suggest;

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the template file.
    pub template: String,
    /// Byte offset in its text.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 0, as Go counts.
    pub column: usize,
}

impl Place {
    /// The place of an offset in the text of a file.
    #[must_use]
    pub fn of(file: &Text, text: &[u8], offset: usize) -> Place {
        let before = &text[..offset.min(text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Place { template: file.lossy().into_owned(), offset, line, column: before.len() - start }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.template, self.line, self.column)
    }
}

/// A template that failed while it ran.
#[derive(Clone, Debug)]
pub struct ExecError {
    /// What failed, the innermost first; each other is a call of the one before.
    pub frames: Vec<Frame>,
}

/// One template of the chain that failed.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where it failed; nothing when the template has no body.
    pub place: Option<Place>,
    /// The template that ran: the name of a file or of a `define`.
    pub template: Text,
    /// What it did there, as Go writes it.
    pub node: String,
    /// What went wrong, up to the error that a function gave.
    pub message: Text,
    /// The text of that error, up to the frame before.
    pub cause: Option<Text>,
}

impl Frame {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"template: ");
        match &self.place {
            Some(place) => {
                let template = quote(&self.template);
                let text = format!("{place}: executing {template} at <{}>: ", self.node);
                out.extend_from_slice(text.as_bytes());
            }
            None => {
                out.extend_from_slice(&self.template);
                out.extend_from_slice(b": ");
            }
        }
        out.extend_from_slice(&self.message);
    }
}

impl ExecError {
    /// Go's text: the whole chain in one line, the outermost first.
    #[must_use]
    pub fn text(&self) -> Text {
        self.texts().0
    }

    /// Go's text, and where in it each error of the chain starts that Go would unwrap.
    pub(super) fn texts(&self) -> (Text, Vec<usize>) {
        let mut out = Vec::new();
        let mut starts = Vec::new();
        for frame in self.frames.iter().rev() {
            starts.push(out.len());
            frame.write(&mut out);
            if let Some(cause) = &frame.cause {
                if !cause.is_empty() {
                    starts.push(out.len());
                }
                out.extend_from_slice(cause);
            }
        }
        (out.into(), starts)
    }

    /// The frame that failed, inside of all others.
    #[must_use]
    pub fn innermost(&self) -> Option<&Frame> {
        self.frames.first()
    }
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Failure {
        Failure { message: Text::default(), inside: Some(Box::new(error)) }
    }
}

/// A text that is no template.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// Go's text.
    pub message: String,
    /// Where it was noticed.
    pub place: Place,
    /// The function that is not defined, where that is the fault.
    pub unknown: Option<String>,
    /// Where the action or the block begins that does not end, where that is the fault.
    pub opened: Option<Box<Place>>,
}

impl ParseError {
    /// A suggestion, where there is one.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        if let Some(unknown) = &self.unknown {
            return suggest::did_you_mean(unknown, super::funcs::names());
        }
        let help = match (&self.opened, &self.message) {
            (Some(_), message) if message.ends_with("unexpected EOF") => {
                "write `{{ end }}` where it ends"
            }
            (Some(_), message) if message.contains("unclosed action") => "an action ends with `}}`",
            (None, message) if message.ends_with("unexpected {{end}}") => {
                "nothing is open here: there is one `{{ end }}` too many, or a block ends too soon"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }
}
