//! `wharf completion`: completion scripts.

use crate::cli::args::Cli;
use crate::cli::exit::{FINE, Failure};
use crate::cli::ui::Ui;
use std::io::Write;

/// Print a completion script for a shell.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  source <(wharf completion bash)
  wharf completion fish > ~/.config/fish/completions/wharf.fish")]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wharf", &mut script);
    let mut out = ui.out();
    out.write_all(&script)?;
    out.flush()?;
    Ok(FINE)
}
