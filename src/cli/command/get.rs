//! `wharf get`: parts of a release's record.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, Output};
use crate::cli::ui::Ui;
use crate::release::{ReleaseError, Store};
use std::io::Write;

/// Print the manifest, the values or the notes of a release.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  wharf get manifest shop\n  wharf get values shop --revision 2"
)]
pub struct Args {
    /// What to print
    #[arg(value_enum)]
    part: Part,
    /// The release
    release: String,
    /// Its revision (default: the last)
    #[arg(long, value_name = "NUMBER")]
    revision: Option<i64>,
    /// Form of values
    #[arg(long, short = 'o', value_enum, default_value = "yaml")]
    output: Output,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum Part {
    Manifest,
    Values,
    Notes,
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
    let mut out = ui.out();
    match args.part {
        Part::Manifest => out.write_all(record.manifest().as_bytes())?,
        Part::Values => {
            out.write_all(release::as_text(record.config(), args.output).as_bytes())?;
        }
        Part::Notes => writeln!(out, "{}", record.notes().unwrap_or_default().trim_end())?,
    }
    out.flush()?;
    Ok(FINE)
}
