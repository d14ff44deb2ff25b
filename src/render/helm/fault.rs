//! Faults of charts: Helm's texts, with the places that Helm does not show.

use super::Failed;
use super::advice;
use super::data::Templates;
use super::manifest::Unreadable;
use super::origin::{Origins, Written};
use crate::base::diag::Diagnostic;
use crate::base::source::{Sources, Span};
use crate::package::chart::{self, Chart, schema::Rejected};
use crate::template::gotmpl::RenderError;
use crate::template::gotmpl::engine::Cause;
use crate::template::gotmpl::objects::Capabilities;
use std::fmt::Write as _;

/// Something that Helm warns of.
pub(super) fn warning(text: String) -> Diagnostic {
    Diagnostic::warning("wharf::values::chart", text)
}

/// Values that cannot be those of charts.
pub(super) fn of_values(text: String, written: &Written<'_>) -> Diagnostic {
    let name = text.split_once("type mismatch on ").and_then(|(_, rest)| rest.split(':').next());
    let span = name.and_then(|name| written.value(&[], &[name]));
    let help = name.map(|name| format!("`{name}` holds the values of a chart, which are a map"));
    let fault = Diagnostic::error("wharf::values::chart", text).maybe_help(help);
    fault.at(span.unwrap_or(Span::NONE), "found here")
}

/// Values that do not follow the schemas of charts.
pub(super) fn of_schemas(rejected: &[Rejected], written: &Written<'_>) -> Diagnostic {
    let mut text = String::from(
        "values don't meet the specifications of the schema(s) in the following chart(s):",
    );
    for chart in rejected {
        let _ = write!(text, "\n{}:\n{}", chart.chart, chart.text.trim_end());
    }
    let mut diagnostic = Diagnostic::error("wharf::values::chart_schema", text);
    for chart in rejected {
        for violation in &chart.violations {
            let path: Vec<&str> = violation.path.iter().map(String::as_str).collect();
            if let Some(span) = written.value(&chart.path, &path) {
                diagnostic = diagnostic.at(span, violation.message.clone());
            }
        }
    }
    diagnostic
}

/// A chart for other versions of Kubernetes.
pub(super) fn unsupported(chart: &Chart, target: &Capabilities) -> Result<(), Diagnostic> {
    let wanted = &chart.metadata.kube_version;
    let version = &target.kube_version;
    if wanted.is_empty() || chart::is_compatible(wanted, &version.normalized) {
        return Ok(());
    }
    let text = format!(
        "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {}",
        version.version
    );
    Err(Diagnostic::error("wharf::package::kube_version", text)
        .help("choose another version with --kube-version"))
}

/// Templates that could not be parsed, or failed.
pub(super) fn of_templates(
    error: &RenderError,
    templates: &Templates<'_>,
    written: &Written<'_>,
    sources: &Sources,
) -> Failed {
    let origins = Origins::new(templates, written, sources);
    let text = error.message.lossy().into_owned();
    match &error.cause {
        Cause::Parse(parse) => {
            let mut diagnostic = Diagnostic::error("wharf::render::template_syntax", text);
            let (place, label) = match &parse.opened {
                Some(opened) => (&**opened, "begins here, and does not end"),
                None => (&parse.place, ""),
            };
            if let Some((span, _)) = origins.place(place, "") {
                diagnostic = diagnostic.at(span, label);
            }
            diagnostic.maybe_help(parse.help()).into()
        }
        Cause::Exec(exec) => {
            let mut diagnostic = Diagnostic::error("wharf::render::template", text);
            let mut values = Vec::new();
            for (index, frame) in exec.frames.iter().enumerate() {
                let place = frame.place.as_ref();
                let Some((span, named)) = place.and_then(|place| origins.place(place, &frame.node))
                else {
                    continue;
                };
                if index == 0 {
                    values = named;
                }
                let label =
                    if diagnostic.labels.is_empty() { "failed here" } else { "called here" };
                diagnostic = diagnostic.at(span, label);
            }
            for span in values {
                diagnostic = diagnostic.at(span, "value from here");
            }
            let help = exec.innermost().and_then(|frame| {
                let charts = origins.charts(&frame.place.as_ref()?.template)?;
                advice::help(frame, charts, templates, written)
            });
            diagnostic.maybe_help(help).into()
        }
    }
}

/// A rendered file that is no YAML, or holds a document that is no object.
pub(super) fn of_manifest(unreadable: Unreadable, sources: &Sources) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("wharf::render::manifest", unreadable.text)
        .at(unreadable.span, "made here");
    diagnostic.notes.extend(unreadable.notes);
    if let Some((span, text)) = line_before(unreadable.span, sources) {
        diagnostic = diagnostic
            .at(span, "made the line before it")
            .note(format!("the line before it is rendered as:\n{text}"));
    }
    diagnostic
}

/// The line before a place in a rendered file, and the action that made it: often it is that one
/// which is at a wrong place.
fn line_before(span: Span, sources: &Sources) -> Option<(Span, String)> {
    let file = sources.get(span.file)?;
    let text = file.text();
    let (line, _) = file.line_column(span.start);
    let previous = (1..line).rev().find(|at| !file.line(*at).trim().is_empty())?;
    let shown = file.line(previous).trim_end();
    let end = shown.as_ptr() as usize - text.as_ptr() as usize + shown.len();
    let origin = *sources.origins(Span::new(span.file, end - 1, end)).first()?;
    if sources.origins(span).first() == Some(&origin) {
        return None;
    }
    let template = sources.get(origin.file)?;
    let (made_by, _) = template.line_column(origin.start);
    let written = template.line(made_by).trim();
    let quoted = || (origin, file.shown_line(previous).trim_end().to_owned());
    (written != shown.trim() && written.contains("{{")).then(quoted)
}
