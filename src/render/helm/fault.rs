//! Faults of charts: Helm's texts, with the places that Helm does not show.

use super::Failed;
use super::data::Templates;
use super::manifest::Unreadable;
use super::origin::{Origins, Written};
use crate::base::diag::Diagnostic;
use crate::base::source::Sources;
use crate::base::suggest;
use crate::package::chart::{self, Chart, schema::Rejected};
use crate::template::gotmpl::engine::Cause;
use crate::template::gotmpl::objects::Capabilities;
use crate::template::gotmpl::{RenderError, funcs};
use std::fmt::Write as _;

/// Something that Helm warns of.
pub(super) fn warning(text: String) -> Diagnostic {
    Diagnostic::warning("wharf::values::chart", text)
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
            if let Some((span, _)) = origins.place(&parse.place, "") {
                diagnostic = diagnostic.at(span, "");
            }
            let unknown = parse.unknown.as_deref();
            let help = unknown.and_then(|name| suggest::did_you_mean(name, funcs::names()));
            diagnostic.maybe_help(help).into()
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
            diagnostic.into()
        }
    }
}

/// A rendered file that is no YAML, or holds a document that is no object.
pub(super) fn of_manifest(unreadable: Unreadable) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("wharf::render::manifest", unreadable.text)
        .at(unreadable.span, "made here");
    diagnostic.notes.extend(unreadable.note);
    diagnostic
}
