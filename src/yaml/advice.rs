//! go-yaml's problems of grammar, in words that help: where it began, what was expected, what to
//! do.

use super::fault;
use super::problem::{Problem, Stage};
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Span};

/// What wharf says of a problem that the reader, the scanner or the parser found.
pub(super) fn of(problem: &Problem, text: &str, file: FileId) -> Diagnostic {
    if problem.text.starts_with("exceeded max depth") {
        return fault::depth(problem.mark, file);
    }
    let place = Place { text, file, problem };
    match problem.stage {
        Stage::Reader => place.reader(),
        _ => place.grammar(),
    }
}

struct Place<'a> {
    text: &'a str,
    file: FileId,
    problem: &'a Problem,
}

impl Place<'_> {
    fn reader(&self) -> Diagnostic {
        let found = self.text.get(self.problem.mark.at as usize..).and_then(|at| at.chars().next());
        let message = match found {
            Some(character) => format!("character U+{:04X} is not allowed", u32::from(character)),
            None => format!("not readable as text: {}", self.problem.text),
        };
        Diagnostic::error("wharf::yaml::character", message)
            .at(self.character(), "here")
            .help("save the file as UTF-8 and write control characters as escapes: \"\\u0007\"")
    }

    fn grammar(&self) -> Diagnostic {
        let began = self.problem.context.map(|(_, mark)| {
            let start = mark.at;
            Span { file: self.file, start, end: start + self.width(start) }
        });
        let error = |code, message: &str| Diagnostic::error(code, message);
        let here = self.character();
        match self.problem.text.as_ref() {
            "found unexpected end of stream" | "found unexpected document indicator"
                if self.opens_quote(began) =>
            {
                error("wharf::yaml::unclosed_quote", "a quoted text has no end")
                    .at(began.unwrap_or(here), "the quote opens here")
                    .help("close it, or escape a quote that is part of the text")
            }
            "did not find expected ',' or ']'" => self.unclosed('[', ']', began),
            "did not find expected ',' or '}'" => self.unclosed('{', '}', began),
            "could not find expected ':'" => {
                let key = self.line_from(began.unwrap_or(here));
                error("wharf::yaml::missing_colon", "a key has no `:` after it")
                    .at(key, "expected `key: value`")
                    .maybe_help(self.colon_help(key))
            }
            "mapping values are not allowed in this context" => self.nested_colon(here),
            "found character that cannot start any token" => self.bad_start(here),
            "found a tab character where an indentation space is expected"
            | "found a tab character that violates indentation" => Self::tab(here),
            text => {
                let message = match self.problem.context {
                    Some((context, _)) if !context.is_empty() => format!("{text} {context}"),
                    _ => text.to_owned(),
                };
                let mut diagnostic =
                    Diagnostic::error("wharf::yaml::syntax", message).at(here, self.expectation());
                if let Some(began) = began.filter(|began| began.start != here.start) {
                    diagnostic = diagnostic.at(began, "began here");
                }
                diagnostic.maybe_help(self.syntax_help(here))
            }
        }
    }

    fn nested_colon(&self, here: Span) -> Diagnostic {
        if let Some((line, help)) = self.colon_without_space_above(here) {
            return Diagnostic::error("wharf::yaml::missing_colon", "a key has no `:` after it")
                .at(line, "expected `key: value`")
                .help(help);
        }
        let message = "a second `: ` in one line, or a key at a wrong place";
        Diagnostic::error("wharf::yaml::nested_colon", message)
            .at(here, "this `:` makes a map where none can stand")
            .help("quote the text if the `: ` is part of it; else check the indentation")
    }

    fn unclosed(&self, open: char, close: char, began: Option<Span>) -> Diagnostic {
        Diagnostic::error("wharf::yaml::unclosed_bracket", format!("`{open}` is not closed"))
            .at(self.character(), format!("expected `,` or `{close}`"))
            .at(began.unwrap_or(Span::NONE), "opened here")
    }

    fn bad_start(&self, here: Span) -> Diagnostic {
        let found = self.found(here);
        if found == Some('\t') {
            return Self::tab(here);
        }
        let message = match found {
            Some(character) => format!("a value cannot begin with `{character}`"),
            None => "a value cannot begin like this".to_owned(),
        };
        Diagnostic::error("wharf::yaml::bad_start", message)
            .at(here, "has a meaning of its own in YAML")
            .help("put the value in quotes")
    }

    fn tab(here: Span) -> Diagnostic {
        Diagnostic::error("wharf::yaml::tab", "a tab is used for indentation")
            .at(here, "this is a tab")
            .help("indent with spaces; YAML does not allow tabs there")
    }

    fn expectation(&self) -> &'static str {
        match self.problem.text.as_ref() {
            "did not find expected key" => "expected a key of the map, or less indentation",
            "did not find expected '-' indicator" => {
                "expected `-` of the list, or less indentation"
            }
            "did not find expected node content" => "expected a value",
            "did not find expected <document start>" => "expected `---`",
            _ => "here",
        }
    }

    fn syntax_help(&self, here: Span) -> Option<String> {
        match self.problem.text.as_ref() {
            "did not find expected key" | "did not find expected '-' indicator" => Some(
                "entries of one list or map begin in the same column; a quoted text ends its value"
                    .to_owned(),
            ),
            "did not find expected alphabetic or numeric character" => {
                let mark = self.found(here).filter(|c| matches!(c, '*' | '&'));
                Some(match mark {
                    Some(mark) => format!("quote a text that begins with `{mark}`"),
                    None => "quote a text that begins with `*` or `&`".to_owned(),
                })
            }
            "found unknown escape character" => {
                Some("write `\\\\` for a backslash, or use single quotes".to_owned())
            }
            _ => None,
        }
    }

    fn colon_help(&self, key: Span) -> Option<String> {
        let line = self.text.get(key.start as usize..key.end as usize)?;
        let (name, value) = line.split_once(':')?;
        (!value.is_empty() && !value.starts_with([' ', '/']) && !name.contains(' '))
            .then(|| format!("put a space after the colon: `{name}: {value}`"))
    }

    /// The line before, when it looks like `key:value`: it and this line are one text then.
    fn colon_without_space_above(&self, here: Span) -> Option<(Span, String)> {
        let (before, _) = self.text.get(..here.start as usize)?.rsplit_once('\n')?;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let start = start + (before.len() - start - before[start..].trim_start().len());
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        let end = start + before[start..].trim_end().len();
        let span = Span { file: self.file, start: offset(start), end: offset(end) };
        Some((span, self.colon_help(span)?))
    }

    fn opens_quote(&self, began: Option<Span>) -> bool {
        began.and_then(|began| self.found(began)).is_some_and(|c| matches!(c, '"' | '\''))
    }

    fn found(&self, span: Span) -> Option<char> {
        self.text.get(span.start as usize..)?.chars().next()
    }

    /// The character where the problem is; the last of the text when it is at its end.
    fn character(&self) -> Span {
        let mut start = self.problem.mark.at;
        let length = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        if start >= length {
            start = u32::try_from(self.text.trim_end().len()).unwrap_or(0).saturating_sub(1);
            while start > 0 && !self.text.is_char_boundary(start as usize) {
                start -= 1;
            }
        }
        Span { file: self.file, start, end: start + self.width(start) }
    }

    fn width(&self, at: u32) -> u32 {
        let found = self.text.get(at as usize..).and_then(|rest| rest.chars().next());
        found.map_or(0, |c| if c == '\n' { 0 } else { u32::try_from(c.len_utf8()).unwrap_or(1) })
    }

    fn line_from(&self, span: Span) -> Span {
        let rest = self.text.get(span.start as usize..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default().trim_end();
        Span { end: span.start + u32::try_from(line.len()).unwrap_or(0), ..span }
    }
}
