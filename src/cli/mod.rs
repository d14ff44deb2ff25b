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
use std::process::ExitCode;

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    #[cfg(all(feature = "agent", target_os = "linux"))]
    if let Some(code) = crate::agent::runtime::helper_process() {
        return code;
    }
    // templates need a large stack; all of a command on one thread is faster than a part on another,
    // and where it ends, the process does: its memory need not be given back first
    stack::with_room(|| std::process::exit(i32::from(command())))
}

fn command() -> u8 {
    let args: Vec<_> = std::env::args_os().collect();
    let args = match args::Cli::parse(&args) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::FINE };
            let _ = error.print();
            return code;
        }
    };
    let ui = ui::Ui::new(&args.global);
    match args.command.run(&ui) {
        Ok(code) => code,
        Err(failure) => report::report(&ui, &failure),
    }
}
