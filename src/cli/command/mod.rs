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
pub mod kustomize;
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
pub mod test;
pub mod uninstall;
pub mod validate;

use super::exit::Failure;
use super::ui::Ui;
use clap::error::{Error, ErrorKind};
use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

/// Makes the type of all commands from their table: a line each, with the text of `wharf --help`, in
/// the order in which they are needed. The flags of a command are put together when it is the one
/// that was typed, for all of them take longer than some commands.
macro_rules! commands {
    ($($(#[cfg($cfg:meta)])? $variant:ident($module:ident): $about:literal,)*) => {
        /// Every command, with its flags.
        #[derive(Debug)]
        pub enum Command {
            $($(#[cfg($cfg)])? #[doc = $about] $variant(Box<$module::Args>),)*
        }

        impl Command {
            /// Runs the command; the result is the exit code.
            ///
            /// # Errors
            /// Whatever kept the command from doing its work.
            pub fn run(self, ui: &Ui) -> Result<u8, Failure> {
                match self {
                    $($(#[cfg($cfg)])? Command::$variant(args) => $module::run(ui, &args),)*
                }
            }
        }

        impl Command {
            /// Adds one command alone, with what it has among all.
            #[must_use]
            pub fn augment_one(command: clap::Command, name: &str) -> clap::Command {
                Command::augment(command, Some(name))
            }

            fn augment(command: clap::Command, only: Option<&str>) -> clap::Command {
                let mut order = 0..;
                $($(#[cfg($cfg)])?
                let command = {
                    let order = order.next();
                    if only.is_none_or(|only| only == stringify!($module)) {
                        let flags = |command| {
                            $module::Args::augment_args(command).about($about).long_about(None)
                        };
                        let inner = clap::Command::new(stringify!($module)).about($about);
                        command.subcommand(inner.display_order(order).defer(flags))
                    } else {
                        command
                    }
                };)*
                command
            }
        }

        impl Subcommand for Command {
            fn augment_subcommands(command: clap::Command) -> clap::Command {
                Command::augment(command, None)
            }

            fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
                Command::augment_subcommands(command)
            }

            fn has_subcommand(name: &str) -> bool {
                [$($(#[cfg($cfg)])? stringify!($module),)*].contains(&name)
            }
        }

        impl FromArgMatches for Command {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Command, Error> {
                Command::from_arg_matches_mut(&mut matches.clone())
            }

            fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Command, Error> {
                let typed = matches.remove_subcommand();
                let mut typed = typed.ok_or_else(|| Error::new(ErrorKind::MissingSubcommand))?;
                match typed.0.as_str() {
                    $($(#[cfg($cfg)])? stringify!($module) => {
                        let args = $module::Args::from_arg_matches_mut(&mut typed.1)?;
                        Ok(Command::$variant(Box::new(args)))
                    })*
                    _ => Err(Error::new(ErrorKind::InvalidSubcommand)),
                }
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Command::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

commands! {
    Init(init): "Make a new package",
    Render(render): "Render a source to Kubernetes objects",
    Template(template): "Render a Helm chart, with Helm's flags and Helm's bytes",
    Kustomize(kustomize): "Build a kustomization, with kustomize's flags and kustomize's bytes",
    Validate(validate): "Check a source's objects against their schemas and the rules of the API",
    Explain(explain): "Show where a value of an object came from",
    Diff(diff): "Show what an apply would change",
    Plan(plan): "Write what an apply would do to a file",
    Apply(apply): "Apply a source or a plan, and wait until it is ready",
    List(list): "List releases",
    Test(test): "Run the tests of a release",
    Status(status): "Show a release and how its objects are",
    History(history): "List the revisions of a release",
    Get(get): "Print the manifest, values or notes of a release",
    Rollback(rollback): "Put an earlier revision of a release back",
    Uninstall(uninstall): "Remove a release and everything that it owns",
    Package(package): "Pack a package or chart into an archive",
    Push(push): "Push a package, chart or image to a registry",
    Pull(pull): "Pull a package or chart from a registry",
    Login(login): "Log in to a registry",
    Logout(logout): "Forget the login to a registry",
    Registry(registry): "Serve packages and images as an OCI registry",
    Target(target): "List targets, or choose one",
    #[cfg(all(feature = "agent", target_os = "linux"))]
    Agent(agent): "Serve the Kubernetes API on this host",
    Quickstart(quickstart): "See all of it work: a package, an image, a registry and an agent, in a minute",
    Completion(completion): "Print a completion script for a shell",
    Man(man): "Write the manual pages to a folder",
}
