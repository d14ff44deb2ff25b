//! One file per command: its flags and a `run` of a few calls.

#[cfg(all(feature = "agent", target_os = "linux"))]
pub mod agent;
pub mod completion;
pub mod man;
pub mod render;

use super::exit::Failure;
use super::ui::Ui;

/// Every command. The doc comment of a variant is its line in `wharf --help`.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Serve the Kubernetes API on this host
    #[cfg(all(feature = "agent", target_os = "linux"))]
    Agent(agent::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Write the manual pages to a folder
    Man(man::Args),
    /// Render a source to Kubernetes objects
    Render(render::Args),
}

impl Command {
    /// Runs the command; the result is the exit code.
    ///
    /// # Errors
    /// Whatever kept the command from doing its work.
    pub fn run(self, ui: &Ui) -> Result<u8, Failure> {
        match self {
            #[cfg(all(feature = "agent", target_os = "linux"))]
            Command::Agent(args) => agent::run(ui, &args),
            Command::Completion(args) => completion::run(ui, &args),
            Command::Man(args) => man::run(ui, &args),
            Command::Render(args) => render::run(ui, &args),
        }
    }
}
