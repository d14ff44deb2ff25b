//! `wharf plan`: a plan in a file, for `wharf apply` to carry out as it is.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, ReleaseArgs};
use crate::cli::ui::Ui;
use crate::plan::{Saved, summary};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write what an apply would do to a file, for `wharf apply FILE` to do exactly that.
#[derive(clap::Args, Debug)]
#[command(after_help = "The file holds the values of Secrets; only its owner can read it.

Example:
  wharf plan shop.yaml --out shop.plan && wharf apply shop.plan")]
pub struct Args {
    /// The release.
    #[command(flatten)]
    release: ReleaseArgs,
    /// The file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the plan.
///
/// # Errors
/// When the source has faults, something stands against the plan, or the file cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(async {
        let client = release::connect(ui).await?;
        let prepared = args.release.prepare(ui, &client, &args.release.settings()).await?;
        release::say_warnings(ui, &client);
        release::say_hooks(ui, &prepared);
        let shown = summary(&prepared.plan);
        let saved = Saved {
            intent: prepared.intent,
            server: client.server().to_owned(),
            plan: prepared.plan,
        };
        write(&args.out, &saved.to_text())?;
        ui.say(format_args!("{shown}; written to {}", args.out.display()));
        Ok(FINE)
    })
}

/// Writes a file in one step, readable for its owner only from the first byte on.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let wrong = |error: &std::io::Error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Failure::failed(miette::MietteDiagnostic::new(message))
    };
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(|error| wrong(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| wrong(&error))?;
    file.persist(path).map_err(|error| wrong(&error.error))?;
    Ok(())
}
