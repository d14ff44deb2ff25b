//! One file per command: its flags and a `run` of a few calls.

pub mod completion;
pub mod man;
pub mod render;

use super::exit::Failure;
use super::ui::Ui;

/// Every command. The doc comment of a variant is its line in `wharf --help`.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Write the manual pages to a folder
    Man(man::Args),
    /// Render a source to Kubernetes objects
    Render(Box<render::Args>),
}

impl Command {
    /// Runs the command; the result is the exit code.
    ///
    /// # Errors
    /// Whatever kept the command from doing its work.
    pub fn run(self, ui: &Ui) -> Result<u8, Failure> {
        match self {
            Command::Completion(args) => completion::run(ui, &args),
            Command::Man(args) => man::run(ui, &args),
            Command::Render(args) => render::run(ui, &args),
        }
    }
}
