//! `wharf agent`: the Kubernetes API and the containers of this host.

use crate::agent::node::NodeConfig;
use crate::agent::runtime::{NetworkConfig, Subnet};
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
    /// Keep objects only: run no containers, change nothing on this host
    #[arg(long)]
    no_node: bool,
    /// Name of this host's Node [default: the host name]
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
    /// Folder of what a reboot takes away: namespaces, sockets, Secrets of pods
    #[arg(long = "run-dir", value_name = "FOLDER", default_value = "/run/wharf")]
    volatile_dir: PathBuf,
    /// Addresses of pods
    #[arg(long, value_name = "SUBNET", default_value = "10.42.0.0/16")]
    pod_subnet: Subnet,
    /// Addresses of Services
    #[arg(long, value_name = "SUBNET", default_value = "10.96.0.0/16")]
    service_subnet: Subnet,
    /// Name of the bridge that pods are joined to, and of the control group and packet filter
    /// table that go with it; each agent of a host needs its own
    #[arg(long, value_name = "NAME", default_value = "wharf0")]
    bridge: String,
}

impl Run {
    /// How pods are run, or why they are not.
    fn node(&self) -> Result<NodeConfig, &'static str> {
        if self.no_node {
            return Err("as `--no-node` says");
        }
        if !rustix::process::geteuid().is_root() {
            return Err("running containers needs root");
        }
        Ok(NodeConfig {
            name: self.node_name.clone(),
            // containers outlive this process and its working folder
            state_dir: std::path::absolute(&self.state_dir).unwrap_or(self.state_dir.clone()),
            run_dir: std::path::absolute(&self.volatile_dir).unwrap_or(self.volatile_dir.clone()),
            network: NetworkConfig {
                bridge: self.bridge.clone(),
                table: self.bridge.clone(),
                pod_subnet: self.pod_subnet,
                service_subnet: Some(self.service_subnet),
            },
        })
    }
}

/// Runs the subcommand.
///
/// # Errors
/// When the agent cannot be started.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let Command::Run(run) = &args.command;
    // who serves for months is better small than fast: what it holds would fill half of each
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let node = run.node();
    let without = node.as_ref().err().copied();
    let config = AgentConfig {
        state: run.state_dir.clone(),
        listen: run.listen,
        kubeconfig: ui.global.kubeconfig.clone().or_else(kubeconfig),
        services: run.service_subnet,
        node: node.ok(),
    };
    ui.block_on(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let agent = Agent::start(config.clone()).await.map_err(Failure::failed)?;
        ui.say(format_args!("serving the Kubernetes API on https://{}", agent.address()));
        if let Some(path) = &config.kubeconfig {
            ui.say(format_args!("target `wharf` is in {}", path.display()));
        }
        match (agent.node(), without) {
            (Some(node), _) => ui.say(format_args!("running pods as node {node}")),
            (None, why) => {
                ui.say(format_args!("keeping objects only, no containers: {}", why.unwrap_or("")));
            }
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
