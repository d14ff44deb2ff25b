//! One file per command: its flags and a `run` of a few calls.

#[cfg(all(feature = "agent", target_os = "linux"))]
pub mod agent;
pub mod apply;
pub mod completion;
pub mod diff;
pub mod explain;
pub mod get;
pub mod history;
pub mod init;
pub mod list;
pub mod login;
pub mod logout;
pub mod man;
pub mod package;
pub mod plan;
pub mod pull;
pub mod push;
pub mod quickstart;
pub mod registry;
pub mod render;
pub mod rollback;
pub mod status;
pub mod target;
pub mod template;
pub mod uninstall;
pub mod validate;

use super::exit::Failure;
use super::ui::Ui;

/// Every command. The doc comment of a variant is its line in `wharf --help`, where they stand in
/// the order in which they are needed.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Serve the Kubernetes API on this host
    #[command(display_order = 21)]
    #[cfg(all(feature = "agent", target_os = "linux"))]
    Agent(agent::Args),
    /// Print a completion script for a shell
    #[command(display_order = 23)]
    Completion(completion::Args),
    /// Log in to a registry
    #[command(display_order = 17)]
    Login(login::Args),
    /// Forget the login to a registry
    #[command(display_order = 18)]
    Logout(logout::Args),
    /// Show where a value of an object came from
    #[command(display_order = 4)]
    Explain(Box<explain::Args>),
    /// Make a new package
    #[command(display_order = 1)]
    Init(init::Args),
    /// Write the manual pages to a folder
    #[command(display_order = 24)]
    Man(man::Args),
    /// Pack a package or chart into an archive
    #[command(display_order = 14)]
    Package(package::Args),
    /// Pull a package or chart from a registry
    #[command(display_order = 16)]
    Pull(pull::Args),
    /// Push a package, chart or image to a registry
    #[command(display_order = 15)]
    Push(push::Args),
    /// See all of it work: a package, an image, a registry and an agent, in a minute
    #[command(display_order = 22)]
    Quickstart(quickstart::Args),
    /// Serve packages and images as an OCI registry
    #[command(display_order = 19)]
    Registry(registry::Args),
    /// Render a source to Kubernetes objects
    #[command(display_order = 2)]
    Render(Box<render::Args>),
    /// Check a source's objects against their schemas and the rules of the API
    #[command(display_order = 3)]
    Validate(Box<validate::Args>),
    /// Apply a source or a plan, and wait until it is ready
    #[command(display_order = 7)]
    Apply(apply::Args),
    /// Show what an apply would change
    #[command(display_order = 5)]
    Diff(diff::Args),
    /// Print the manifest, values or notes of a release
    #[command(display_order = 11)]
    Get(get::Args),
    /// List the revisions of a release
    #[command(display_order = 10)]
    History(history::Args),
    /// List releases
    #[command(display_order = 8)]
    List(list::Args),
    /// Write what an apply would do to a file
    #[command(display_order = 6)]
    Plan(plan::Args),
    /// Put an earlier revision of a release back
    #[command(display_order = 12)]
    Rollback(rollback::Args),
    /// Show a release and how its objects are
    #[command(display_order = 9)]
    Status(status::Args),
    /// List targets, or choose one
    #[command(display_order = 20)]
    Target(target::Args),
    /// Render a Helm chart, with Helm's flags and Helm's bytes
    #[command(display_order = 2)]
    Template(Box<template::Args>),
    /// Remove a release and everything that it owns
    #[command(display_order = 13)]
    Uninstall(uninstall::Args),
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
            Command::Login(args) => login::run(ui, &args),
            Command::Logout(args) => logout::run(ui, &args),
            Command::Explain(args) => explain::run(ui, &args),
            Command::Init(args) => init::run(ui, &args),
            Command::Man(args) => man::run(ui, &args),
            Command::Package(args) => package::run(ui, &args),
            Command::Pull(args) => pull::run(ui, &args),
            Command::Push(args) => push::run(ui, &args),
            Command::Quickstart(args) => quickstart::run(ui, &args),
            Command::Registry(args) => registry::run(ui, &args),
            Command::Render(args) => render::run(ui, &args),
            Command::Validate(args) => validate::run(ui, &args),
            Command::Apply(args) => apply::run(ui, &args),
            Command::Diff(args) => diff::run(ui, &args),
            Command::Get(args) => get::run(ui, &args),
            Command::History(args) => history::run(ui, &args),
            Command::List(args) => list::run(ui, &args),
            Command::Plan(args) => plan::run(ui, &args),
            Command::Rollback(args) => rollback::run(ui, &args),
            Command::Status(args) => status::run(ui, &args),
            Command::Target(args) => target::run(ui, &args),
            Command::Template(args) => template::run(ui, &args),
            Command::Uninstall(args) => uninstall::run(ui, &args),
        }
    }
}
