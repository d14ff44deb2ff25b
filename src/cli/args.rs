//! What can be typed: global flags and the list of commands. Each command's own flags live with it.

use super::command::Command;
use clap::Parser;

/// Renders packages, charts and overlays, diffs them against live state, and applies them: to a
/// Kubernetes cluster, or to this host through the bundled agent.
#[derive(Parser, Debug)]
#[command(name = "wharf", version, propagate_version = false, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(args_override_self = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
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
