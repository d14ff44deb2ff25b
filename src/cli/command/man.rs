//! `wharf man`: manual pages.

use crate::cli::args::Cli;
use crate::cli::exit::{FINE, Failure};
use crate::cli::ui::Ui;
use std::path::PathBuf;

/// Write the manual pages to a folder.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf man /usr/local/share/man/man1")]
pub struct Args {
    /// The folder; it must exist
    folder: PathBuf,
}

/// Writes one page for wharf and one for each command.
///
/// # Errors
/// When the folder cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    clap_mangen::generate_to(Cli::command(), &args.folder)?;
    ui.say(format_args!("wrote the manual pages to {}", args.folder.display()));
    Ok(FINE)
}
