//! `wharf validate`: the faults of a source's objects.

use crate::base::diag::{Diagnostics, Severity};
use crate::base::source::Sources;
use crate::cli::exit::{FAILED, FINE, Failure};
use crate::cli::source_args::SourceArgs;
use crate::cli::ui::Ui;
use crate::cli::{findings, report};
use crate::policy::{Options, Review, Reviewer};
use crate::schema::Schemas;
use std::io::Write;

/// So many findings are shown to a person; the rest is counted.
const SHOWN: usize = 50;

/// Check a source's objects against their schemas and the rules of the API
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf validate shop
  wharf validate shop --overlay production --kube-version 1.30
  wharf validate manifests/ --format sarif > findings.sarif
  cat objects.yaml | wharf validate - --ignore-missing-schemas")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Format of the findings: human, json, sarif, github
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    #[arg(value_parser = ["human", "json", "sarif", "github"], hide_possible_values = true)]
    format: String,
    /// Pass over objects of kinds that have no schema
    #[arg(long)]
    ignore_missing_schemas: bool,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

/// Compiles the source and reports what is wrong with its objects.
///
/// # Errors
/// When the source cannot be compiled, or the output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let version = args.source.flags.kube_version.as_deref();
    let schemas = match version {
        None => Schemas::latest(),
        Some(version) => Schemas::kubernetes(version).ok_or_else(|| {
            let known = Schemas::versions();
            let (first, last) = (known.first(), known.last());
            let range = first.zip(last).map(|(first, last)| format!("{first} to {last}"));
            let range = range.unwrap_or_default();
            Failure::Usage(format!("no schemas of Kubernetes {version}; there are {range}"))
        })?,
    };
    let options = Options { ignore_missing_schemas: args.ignore_missing_schemas };
    let mut reviewer = Reviewer::new(&schemas, options);
    let (sources, review) = match args.source.for_each(ui, &mut |object| reviewer.take(object)) {
        Ok(sources) => (sources, reviewer.finish()),
        // who reads findings with a program reads those of the source itself no other way
        Err(Failure::Input { sources, faults }) if args.format != "human" => {
            (sources, Review { findings: faults, ..Review::default() })
        }
        Err(failure) => return Err(failure),
    };
    let failed =
        review.findings.has_errors() || args.strict && review.findings.iter().next().is_some();
    let text = match args.format.as_str() {
        "json" => findings::json(&sources, &review) + "\n",
        "sarif" => findings::sarif(&sources, &review) + "\n",
        "github" => findings::github(&sources, &review),
        _ => {
            human(ui, &sources, &review, schemas.version());
            String::new()
        }
    };
    let mut out = ui.out();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if failed { FAILED } else { FINE })
}

/// The first findings with their excerpts, then the counts.
fn human(ui: &Ui, sources: &Sources, review: &Review, version: &str) {
    let mut shown = Diagnostics::new();
    for (at, finding) in review.findings.iter().enumerate().take(SHOWN) {
        if review.sensitive.binary_search(&at).is_err() {
            shown.push(finding.clone());
            continue;
        }
        // the lines around it may hold what must not be shown
        let place = finding.clone().traced(sources).labels.first().map(|label| label.span);
        let place = place.and_then(|span| sources.place(span));
        let mut finding = finding.clone();
        finding.labels.clear();
        shown.push(match place {
            Some(place) => finding.note(format!("at {place}")),
            None => finding,
        });
    }
    report::show(ui, sources, &shown);
    let rest = review.findings.len().saturating_sub(SHOWN);
    if rest > 0 {
        ui.say(format_args!("… and {rest} more; --format json gives all of them\n"));
    }
    let count = |severity| review.findings.iter().filter(|one| one.severity == severity).count();
    let mut line =
        format!("Kubernetes {version}: {} valid, {} invalid", review.valid, review.invalid);
    if review.skipped > 0 {
        line.push_str(", ");
        line.push_str(&review.skipped.to_string());
        line.push_str(" without a schema");
    }
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings > 0 {
        let some = |count: usize, what: &str| {
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {what}{plural}"))
        };
        let counts: Vec<String> =
            [some(errors, "error"), some(warnings, "warning")].into_iter().flatten().collect();
        return ui.say(format_args!("{line} ({})", counts.join(", ")));
    }
    ui.say(line);
}
