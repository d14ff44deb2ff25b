//! The command line: the only layer that prints, reads arguments or exits.

pub mod args;
pub mod chart_source;
pub mod chart_values;
pub mod command;
mod dependencies;
pub(crate) mod examples;
pub mod exit;
mod findings;
mod guard;
pub mod helm_flags;
pub mod helm_home;
pub mod live;
pub mod post_renderer;
pub mod progress;
pub mod quickstart;
pub mod registry_args;
pub mod release;
pub mod report;
pub mod source_args;
pub mod table;
pub mod ui;

use crate::template::gotmpl::stack;
use clap::Parser;
use std::process::ExitCode;

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    #[cfg(all(feature = "agent", target_os = "linux"))]
    if let Some(code) = crate::agent::runtime::helper_process() {
        return code;
    }
    // templates need a large stack; all of a command on one thread is faster than a part on another
    stack::with_room(command)
}

fn command() -> ExitCode {
    let args = match args::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::FINE };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let ui = ui::Ui::new(&args.global);
    match args.command.run(&ui) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(report::report(&ui, &failure)),
    }
}
