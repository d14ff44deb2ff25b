//! Why a template could not be parsed or failed: Go's text, and the chain of places behind it.

use super::value::Text;

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

/// A template that failed while it ran.
#[derive(Clone, Debug)]
pub struct ExecError {
    /// Go's text, the whole chain.
    pub message: Text,
    /// Where it failed, in the template that failed.
    pub place: Place,
    /// The failure inside of the `include`, `template` or `tpl` at the place.
    pub inside: Option<Box<ExecError>>,
}

/// A text that is no template.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// Go's text.
    pub message: String,
    /// Where it was noticed.
    pub place: Place,
}
