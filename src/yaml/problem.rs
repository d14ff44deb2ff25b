//! What is wrong with a text that should be YAML: go-yaml's words, and ours.
//!
//! A [`Problem`] is what the scanner, the parser and the composer know; a [`YamlError`] is one
//! with its place in a file. It keeps the exact text that go-yaml prints, since Helm's and
//! kustomize's users know it, and turns into a [`Diagnostic`] with a span, an expectation and a
//! suggestion.

use super::resolve::Dialect;
use crate::base::diag::Diagnostic;
use crate::base::source::FileId;
use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A position: offset in bytes, and line counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Mark {
    pub(super) at: u32,
    pub(super) line: u32,
}

impl Mark {
    #[inline]
    pub(super) fn new(at: usize, line: u32) -> Mark {
        Mark { at: u32::try_from(at).unwrap_or(u32::MAX), line }
    }
}

/// Who found a problem. It decides how go-yaml counts the line, and what comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// Bytes that are no text.
    Reader,
    /// Text that is no token.
    Scanner,
    /// Tokens that are no document.
    Parser,
    /// A document that is no value.
    Decode,
    /// A value that JSON's data model cannot hold.
    Convert,
    /// A number that JSON cannot write.
    Json,
}

/// A problem before it knows its file's name.
///
/// It is one pointer, since every step of the scanner may give one and hardly any does.
#[derive(Clone, Debug)]
pub(super) struct Problem(Box<Facts>);

/// What is known of a problem.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) stage: Stage,
    /// go-yaml's words.
    pub(super) text: Cow<'static, str>,
    /// What was being read, and where that began.
    pub(super) context: Option<(&'static str, Mark)>,
    pub(super) mark: Mark,
    /// Our words, where go-yaml's would not help.
    pub(super) advice: Option<Box<Diagnostic>>,
}

impl Deref for Problem {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl Problem {
    pub(super) fn scanner(
        context: &'static str,
        context_mark: Mark,
        text: &'static str,
        mark: Mark,
    ) -> Problem {
        let mut problem = Problem::parser_in(context, context_mark, text, mark);
        problem.stage = Stage::Scanner;
        problem
    }

    pub(super) fn parser(text: &'static str, mark: Mark) -> Problem {
        let (stage, text) = (Stage::Parser, text.into());
        Problem(Box::new(Facts { stage, text, context: None, mark, advice: None }))
    }

    pub(super) fn parser_in(
        context: &'static str,
        context_mark: Mark,
        text: &'static str,
        mark: Mark,
    ) -> Problem {
        let mut problem = Problem::parser(text, mark);
        problem.context = Some((context, context_mark));
        problem
    }

    /// A fault of a value, which has words of ours.
    pub(super) fn value(
        stage: Stage,
        text: impl Into<Cow<'static, str>>,
        advice: Diagnostic,
    ) -> Problem {
        Problem(Box::new(Facts {
            stage,
            text: text.into(),
            context: None,
            mark: Mark::default(),
            advice: Some(Box::new(advice)),
        }))
    }

    /// The whole text that Go prints.
    fn go_text(&self, dialect: Dialect) -> String {
        let line = self.go_line(dialect);
        match self.stage {
            Stage::Convert | Stage::Json => self.text.clone().into_owned(),
            _ if line > 0 => format!("yaml: line {line}: {}", self.text),
            _ => format!("yaml: {}", self.text),
        }
    }

    /// The line as go-yaml counts it, 0 for none. Marks count lines from 0, and only a scanner's
    /// are corrected; version 2 looks at the problem's place first, version 3 at the context's.
    fn go_line(&self, dialect: Dialect) -> u32 {
        let context = self.context.map_or(0, |(_, mark)| mark.line);
        let problem = self.mark.line;
        let step = u32::from(self.stage == Stage::Scanner);
        match (dialect, problem, context) {
            (_, 0, 0) => 0,
            (Dialect::GoYamlV3, problem, 0) | (Dialect::GoYamlV2 | Dialect::Strict, problem, _)
                if problem > 0 =>
            {
                problem + step
            }
            (Dialect::GoYamlV3, _, context) => context + step,
            (_, _, context) => context,
        }
    }

    pub(super) fn into_error(mut self, dialect: Dialect, text: &str, file: FileId) -> YamlError {
        let go_text = self.go_text(dialect);
        let diagnostic = match self.advice.take() {
            Some(told) => told,
            None => Box::new(super::advice::of(&self, text, file)),
        };
        YamlError { go_text, diagnostic }
    }
}

/// Why a text is not the YAML that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The text that Go's libraries print: `yaml: line 3: did not find expected key`.
    pub go_text: String,
    /// What wharf says.
    pub diagnostic: Box<Diagnostic>,
}

impl YamlError {
    /// What is wrong in plain words, and the remedy.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let Diagnostic { message, help, .. } = &*self.diagnostic;
        [Some(message.clone()), help.clone()].into_iter().flatten().collect()
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for YamlError {}

impl From<YamlError> for Diagnostic {
    fn from(error: YamlError) -> Diagnostic {
        *error.diagnostic
    }
}
