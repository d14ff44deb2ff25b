//! `wharf target`: where releases go.

use crate::cli::exit::{FINE, Failure};
use crate::cli::table::{Output, listed};
use crate::cli::ui::Ui;
use crate::cluster::kubeconfig;
use crate::yaml::Node;
use std::io::Write;

/// List targets, or choose one.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  wharf target list\n  wharf target use production")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// List the contexts of the kubeconfig
    List {
        /// Form of the output
        #[arg(long, short = 'o', value_enum, default_value_t)]
        output: Output,
    },
    /// Print the name of the current one
    Current,
    /// Make one the current one
    Use {
        /// Its name
        name: String,
    },
}

/// Lists or chooses.
///
/// # Errors
/// When there is no kubeconfig, or no such target.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let file = ui.global.kubeconfig.as_deref();
    let mut out = ui.out();
    match &args.action {
        Action::Use { name } => {
            let path = kubeconfig::choose(file, name).map_err(Failure::failed)?;
            ui.say(format_args!("{name} is the current target, as written to {}", path.display()));
        }
        Action::Current => {
            let targets = targets(ui)?;
            let current = targets.into_iter().find(|target| target.current).ok_or_else(|| {
                let path = kubeconfig::files(file).into_iter().next().unwrap_or_default();
                Failure::failed(crate::cluster::ClusterError::NoTarget { path })
            })?;
            writeln!(out, "{}", current.name)?;
        }
        Action::List { output } => {
            let rows = targets(ui)?.into_iter().map(|target| {
                let current = match output {
                    Output::Table => Node::from(if target.current { "*" } else { "" }),
                    _ => Node::from(target.current),
                };
                vec![
                    current,
                    Node::from(target.name),
                    Node::from(target.server),
                    Node::from(target.namespace),
                ]
            });
            let keys = ["current", "name", "server", "namespace"];
            out.write_all(listed(&keys, &rows.collect::<Vec<_>>(), *output).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(FINE)
}

fn targets(ui: &Ui) -> Result<Vec<kubeconfig::Target>, Failure> {
    let chosen = ui.global.target.first().map(String::as_str);
    kubeconfig::targets(ui.global.kubeconfig.as_deref(), chosen).map_err(Failure::failed)
}
