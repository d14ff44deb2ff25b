//! `wharf quickstart`: the tour.

use crate::cli::exit::Failure;
use crate::cli::quickstart;
use crate::cli::ui::Ui;

/// See all of it work: a package, an image, a registry and an agent, in a minute
///
/// Starts a registry and an agent, pushes an image and a package, renders, validates, diffs and
/// applies it, calls the service, upgrades, rolls back and uninstalls. Each step shows the command
/// that does it by hand. Needs no network; containers need root on Linux. Leaves nothing behind.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  sudo wharf quickstart")]
pub struct Args {
    /// Leave the folder of the tour, to look at its files
    #[arg(long)]
    keep: bool,
}

/// Runs the tour.
///
/// # Errors
/// When a step does not do what it should.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    quickstart::run(ui, args.keep)
}
