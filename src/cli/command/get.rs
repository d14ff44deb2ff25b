//! `wharf get`: parts of a release's record.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release;
use crate::cli::table::{Output, as_text};
use crate::cli::ui::Ui;
use crate::deploy::{DeployError, parse_documents};
use crate::plan::masked_pair;
use crate::release::{Record, ReleaseError, Store};
use crate::values;
use crate::yaml::Node;
use std::io::Write;

/// Print the manifest, the values or the notes of a release.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf get manifest shop
  wharf get values shop --revision 2
  wharf get values shop --all -o json")]
pub struct Args {
    /// What to print
    #[arg(value_enum)]
    part: Part,
    /// The release
    release: String,
    /// Its revision (default: the last)
    #[arg(long, value_name = "NUMBER")]
    revision: Option<i64>,
    /// Values: those of the package too
    #[arg(long, short = 'a')]
    all: bool,
    /// Manifest: print what Secrets hold
    #[arg(long)]
    show_secrets: bool,
    /// Form of values
    #[arg(long, short = 'o', value_enum, default_value = "yaml")]
    output: Output,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Its objects
    Manifest,
    /// The values that were given for it
    Values,
    /// Its notes
    Notes,
    /// All of these
    All,
}

/// Prints the part.
///
/// # Errors
/// When there is no such release or revision, or the cluster cannot be reached or refuses.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let history = ui.block_on(async {
        let client = release::connect(ui).await?;
        let store = Store::new(client.clone(), client.namespace());
        store.existing(&args.release).await.map_err(release::recorded)
    })?;
    let record = match args.revision {
        None => history.last(),
        Some(version) => history.revision(version),
    };
    let record = record.ok_or_else(|| {
        Failure::failed(ReleaseError::NoRevision {
            release: args.release.clone(),
            version: args.revision.unwrap_or(0),
            help: Some("`wharf history` lists them".to_owned()),
        })
    })?;
    let mut out = ui.raw_out();
    let headings = args.part == Part::All;
    for (part, heading) in
        [(Part::Values, "VALUES"), (Part::Manifest, "MANIFEST"), (Part::Notes, "NOTES")]
    {
        if !headings && args.part != part {
            continue;
        }
        let text = match part {
            Part::Values => as_text(&supplied(record, args.all), args.output),
            Part::Notes => match record.notes() {
                Some(notes) => format!("{}\n", notes.trim_end()),
                None => String::new(),
            },
            _ => manifest(record, args.show_secrets)?,
        };
        if headings {
            writeln!(out, "{heading}:")?;
        }
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(FINE)
}

/// What was given for a revision, or all that it was made of.
fn supplied(record: &Record, all: bool) -> Node {
    if !all {
        return record.config().clone();
    }
    let mut merged = record.defaults().clone();
    values::layer(&mut merged, record.config().clone());
    merged
}

/// The manifest as it is kept, or with the values of Secrets masked.
fn manifest(record: &Record, show_secrets: bool) -> Result<String, Failure> {
    if show_secrets {
        return Ok(record.manifest().to_owned());
    }
    let mut text = String::new();
    for document in documents(record.manifest()) {
        if document.contains("Secret") {
            text += &masked(document).map_err(release::sorted)?;
        } else {
            text += document;
        }
    }
    Ok(text)
}

/// The documents of a manifest, each with the line that begins it: `---` at the beginning of a line
/// is nothing else in YAML.
fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    let mut rest = manifest;
    std::iter::from_fn(move || {
        let end = rest.get(1..)?.find("\n---").map_or(rest.len(), |at| at + 2);
        let (document, more) = rest.split_at(end);
        rest = more;
        (!document.is_empty()).then_some(document)
    })
}

/// A document with its comments at the top, as it is or, if it is a Secret, masked.
fn masked(document: &str) -> Result<String, DeployError> {
    let mut objects = parse_documents(document)?;
    if !objects.iter().any(|object| object.str_at(&["kind"]) == Some("Secret")) {
        return Ok(document.to_owned());
    }
    let top = document.lines().take_while(|line| line.starts_with(['-', '#']));
    let mut text: String = top.flat_map(|line| [line, "\n"]).collect();
    for object in &mut objects {
        if let (Some(shown), _) = masked_pair(Some(object), None) {
            text += &as_text(&shown, Output::Yaml);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secrets_are_masked_and_nothing_else_is_touched() {
        let config = "---\n# Source: a.yaml\nkind: ConfigMap\napiVersion: v1\ndata: {a: Secret}\n";
        let secret = "---\n# Source: b.yaml\napiVersion: v1\nkind: Secret\ndata: {a: eA==}\n";
        let shown: String = documents(&format!("{config}{secret}{config}"))
            .map(|document| masked(document).expect("it is YAML"))
            .collect();
        let hidden = "---\n# Source: b.yaml\napiVersion: v1\nkind: Secret\ndata:\n  a: '***'\n";
        assert_eq!(shown, format!("{config}{hidden}{config}"));
    }
}
