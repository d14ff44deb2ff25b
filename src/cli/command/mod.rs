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
pub mod uninstall;
pub mod validate;

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
    /// Log in to a registry
    Login(login::Args),
    /// Forget the login to a registry
    Logout(logout::Args),
    /// Show where a value of an object came from
    Explain(Box<explain::Args>),
    /// Make a new package
    Init(init::Args),
    /// Write the manual pages to a folder
    Man(man::Args),
    /// Pack a package or chart into an archive
    Package(package::Args),
    /// Pull a package or chart from a registry
    Pull(pull::Args),
    /// Push a package, chart or image to a registry
    Push(push::Args),
    /// See all of it work: a package, an image, a registry and an agent, in a minute
    Quickstart(quickstart::Args),
    /// Serve packages and images as an OCI registry
    Registry(registry::Args),
    /// Render a source to Kubernetes objects
    Render(Box<render::Args>),
    /// Check a source's objects against their schemas and the rules of the API
    Validate(Box<validate::Args>),
    /// Apply a source or a plan, and wait until it is ready
    Apply(apply::Args),
    /// Show what an apply would change
    Diff(diff::Args),
    /// Print the manifest, values or notes of a release
    Get(get::Args),
    /// List the revisions of a release
    History(history::Args),
    /// List releases
    List(list::Args),
    /// Write what an apply would do to a file
    Plan(plan::Args),
    /// Put an earlier revision of a release back
    Rollback(rollback::Args),
    /// Show a release and how its objects are
    Status(status::Args),
    /// List targets, or choose one
    Target(target::Args),
    /// Remove a release and everything that it owns
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
            Command::Uninstall(args) => uninstall::run(ui, &args),
        }
    }
}
