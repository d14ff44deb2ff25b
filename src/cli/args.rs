//! What can be typed: global flags and the list of commands. Each command's own flags live with it.

use super::command::Command;
use clap::{Args, FromArgMatches, Subcommand};
use std::ffi::OsString;

/// What was typed.
#[derive(Debug)]
pub struct Cli {
    /// Flags of every command.
    pub global: Global,
    /// What to do.
    pub command: Command,
}

impl Cli {
    /// Every flag and command, for help, manuals and completions.
    #[must_use]
    pub fn command() -> clap::Command {
        Command::augment_subcommands(Cli::root())
    }

    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// When they make no sense, or ask for help or the version.
    pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
        let named = args.get(1).and_then(|name| name.to_str());
        let mut root = match named.filter(|name| Command::has_subcommand(name)) {
            // to put all the others together takes as long as a small chart
            Some(name) => Command::augment_one(Cli::root(), name),
            None => Cli::command(),
        };
        let mut matches = root.try_get_matches_from_mut(args)?;
        let global = Global::from_arg_matches_mut(&mut matches);
        let command = Command::from_arg_matches_mut(&mut matches);
        match (global, command) {
            (Ok(global), Ok(command)) => Ok(Cli { global, command }),
            (Err(error), _) | (_, Err(error)) => Err(error.format(&mut root)),
        }
    }

    fn root() -> clap::Command {
        let about = "Renders packages, charts and overlays, diffs them against live state, and \
                     applies them: to a Kubernetes cluster, or to this host through the bundled agent";
        let root = clap::Command::new("wharf").version(env!("CARGO_PKG_VERSION")).about(about);
        let root = root.max_term_width(100).args_override_self(true);
        Global::augment_args(root.subcommand_required(true).arg_required_else_help(true))
    }
}

/// Flags that every command takes.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print nothing but results and errors
    #[arg(long, short = 'q', global = true)]
    pub quiet: bool,
    /// When to use colour: auto, always, never
    #[arg(long, alias = "colour", global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(env = "WHARF_COLOR")]
    #[arg(value_parser = ["auto", "always", "never"], hide_env = true)]
    #[arg(hide_possible_values = true)]
    pub color: String,
    /// Kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Kubeconfig context to work on, or several (default: the current context)
    #[arg(long, visible_alias = "context", visible_alias = "kube-context", global = true)]
    #[arg(value_name = "NAME", env = "WHARF_TARGET", hide_env = true, value_delimiter = ',')]
    pub target: Vec<String>,
    /// Namespace to work in (default: that of the context, else `default`)
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_alone_helps_as_it_does_among_all() {
        let all = Cli::command();
        for name in all.get_subcommands().map(clap::Command::get_name) {
            let help = |mut root: clap::Command| {
                let asked = root.try_get_matches_from_mut(["wharf", name, "--help"]);
                asked.expect_err("help is no match").to_string()
            };
            assert_eq!(help(Command::augment_one(Cli::root(), name)), help(Cli::command()));
        }
    }
}
