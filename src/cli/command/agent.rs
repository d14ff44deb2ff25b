//! `wharf agent`: the Kubernetes API and the containers of this host.

use crate::agent::{Agent, AgentConfig};
use crate::cli::exit::{FINE, Failure};
use crate::cli::ui::Ui;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Serve the Kubernetes API on this host.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Run the agent until it is told to stop
    Run(Run),
}

/// Flags of `agent run`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf agent run
  wharf agent run --state-dir ./state --listen 127.0.0.1:7443 --kubeconfig ./kubeconfig")]
struct Run {
    /// Folder of the agent's objects, keys and certificates
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/wharf")]
    state_dir: PathBuf,
    /// Address to serve HTTPS on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
}

/// Runs the subcommand.
///
/// # Errors
/// When the agent cannot be started.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let Command::Run(run) = &args.command;
    let config = AgentConfig {
        state: run.state_dir.clone(),
        listen: run.listen,
        kubeconfig: ui.global.kubeconfig.clone().or_else(kubeconfig),
    };
    ui.block_on(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let agent = Agent::start(config.clone()).await.map_err(Failure::failed)?;
        ui.say(format_args!("serving the Kubernetes API on https://{}", agent.address()));
        if let Some(path) = &config.kubeconfig {
            ui.say(format_args!("target `wharf` is in {}", path.display()));
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ui.say("stopping");
        agent.stop().await;
        Ok(FINE)
    })
}

/// Where kubectl looks: the first file of `KUBECONFIG`, else the one in the home folder.
fn kubeconfig() -> Option<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG");
    let first = listed
        .and_then(|list| std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty()));
    first.or_else(|| std::env::home_dir().map(|home| home.join(".kube/config")))
}
