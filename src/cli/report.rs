//! Shows failures: message, code, excerpt with labels, notes, help. The only user of miette's
//! terminal renderer.
//!
//! A fault's excerpt is cut from its file before it is drawn, so the cost does not grow with the
//! file.

use super::exit::Failure;
use super::ui::Ui;
use crate::base::diag::{Diagnostic, Diagnostics, Severity};
use crate::base::source::{Sources, Span};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use std::fmt;
use std::io::Write;

/// Lines shown before and after a label.
const CONTEXT: usize = 2;

/// Prints a failure to standard error and gives its exit code.
pub fn report(ui: &Ui, failure: &Failure) -> u8 {
    let mut err = ui.err();
    let handler = handler(ui);
    let _ = match failure {
        Failure::Usage(message) => writeln!(err, "error: {message}"),
        Failure::Input { sources, faults } => {
            err.write_all(render(&handler, sources, faults).as_bytes())
        }
        Failure::Failed(cause) | Failure::Refused(cause) | Failure::Remote(cause) => {
            let mut text = String::new();
            let _ = handler.render_report(&mut text, cause.as_ref());
            err.write_all(text.as_bytes())
        }
        Failure::Quiet(_) => Ok(()),
    };
    failure.code()
}

/// Prints findings of any severity to standard error.
pub fn show(ui: &Ui, sources: &Sources, findings: &Diagnostics) {
    let _ = ui.err().write_all(render(&handler(ui), sources, findings).as_bytes());
}

/// Prints warnings to standard error.
pub fn warn(ui: &Ui, sources: &Sources, warnings: &Diagnostics) {
    if !ui.global.quiet && !warnings.is_empty() {
        let _ = ui.err().write_all(render(&handler(ui), sources, warnings).as_bytes());
    }
}

fn handler(ui: &Ui) -> GraphicalReportHandler {
    let theme = if ui.err_colored() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_context_lines(CONTEXT)
        .with_cause_chain()
        // lines are what logs are searched by, so they are broken for people only
        .with_wrap_lines(ui.live())
        .with_width(100)
}

fn render(handler: &GraphicalReportHandler, sources: &Sources, faults: &Diagnostics) -> String {
    let mut text = String::new();
    for fault in faults {
        let fault = fault.clone().traced(sources);
        let shown = Shown::new(sources, &fault, Part::Whole);
        if handler.render_report(&mut text, &shown).is_err() {
            text.push_str(&fault.message);
        }
        text.push('\n');
    }
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    Related,
}

/// A diagnostic with the excerpts that its labels need; one file each, the others as related.
struct Shown {
    fault: Diagnostic,
    part: Part,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Shown>,
}

impl Shown {
    fn new(sources: &Sources, fault: &Diagnostic, part: Part) -> Shown {
        let Some(first) = fault.labels.first() else {
            return Shown {
                fault: fault.clone(),
                part,
                source: None,
                labels: Vec::new(),
                related: Vec::new(),
            };
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            fault.labels.iter().cloned().partition(|label| label.span.file == first.span.file);
        let (source, labels) = excerpt(sources, &here).unzip();
        let related = if elsewhere.is_empty() {
            Vec::new()
        } else {
            let rest = Diagnostic { labels: elsewhere, notes: vec![], help: None, ..fault.clone() };
            vec![Shown::new(sources, &rest, Part::Related)]
        };
        Shown { fault: fault.clone(), part, source, labels: labels.unwrap_or_default(), related }
    }
}

/// Cuts the lines around labels of one file. Lines before the window are kept as a count only.
fn excerpt(
    sources: &Sources,
    labels: &[crate::base::diag::Label],
) -> Option<(NamedSource<String>, Vec<LabeledSpan>)> {
    let file = sources.get(labels.first()?.span.file)?;
    let line_of = |span: &Span| file.line_column(span.start).0;
    let first = labels.iter().map(|label| line_of(&label.span)).min()?;
    // labels far from the first would make the window the whole file
    let near = |span: &Span| line_of(span) < first + 200;
    let last = labels.iter().filter(|l| near(&l.span)).map(|l| line_of(&l.span)).max()?;
    let from = first.saturating_sub(CONTEXT).max(1);
    let mut text = "\n".repeat(from - 1);
    let mut starts = Vec::new();
    for line in from..=(last + CONTEXT).min(file.lines().max(last)) {
        starts.push(text.len());
        let whole = file.shown_line(line);
        // long lines are cut, but not before what is shown of them
        let columns = labels.iter().map(|label| file.line_column(label.span.start));
        let shown = columns.filter(|(at, _)| *at == line).map(|(_, column)| column + 40);
        let cut: String = whole.chars().take(shown.max().unwrap_or(0).clamp(400, 4000)).collect();
        text.push_str(&cut);
        text.push('\n');
    }
    let spans = labels
        .iter()
        .filter(|label| near(&label.span))
        .map(|label| {
            let (line, column) = file.line_column(label.span.start);
            let whole = file.shown_line(line);
            let before: usize = whole.chars().take(column - 1).map(char::len_utf8).sum();
            let before = before.min(file.hidden_from(line).unwrap_or(before));
            let length = (label.span.end.saturating_sub(label.span.start) as usize)
                .min(whole.len().saturating_sub(before));
            let start = (starts[line - from] + before).min(text.len());
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            LabeledSpan::new(text, start, length)
        })
        .collect();
    Some((NamedSource::new(file.name(), text), spans))
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fault, f)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Whole => f.write_str(&self.fault.message),
            Part::Related => f.write_str("this has to do with it"),
        }
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (self.part == Part::Whole).then(|| Box::new(self.fault.code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match (self.part, self.fault.severity) {
            (Part::Related, _) => miette::Severity::Advice,
            (Part::Whole, Severity::Warning) => miette::Severity::Warning,
            (Part::Whole, Severity::Error) => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let mut lines: Vec<&str> = self.fault.notes.iter().map(String::as_str).collect();
        lines.extend(self.fault.help.as_deref());
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.related.iter().map(|part| part as &dyn miette::Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<_>)
    }
}
