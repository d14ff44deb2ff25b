//! `wharf agent`: the Kubernetes API and the containers of this host.

use crate::agent::node::NodeConfig;
use crate::agent::reset::{Remnant, Reset};
use crate::agent::runtime::{NetworkConfig, Subnet};
use crate::agent::{Agent, AgentConfig};
use crate::cli::exit::{FAILED, FINE, Failure};
use crate::cli::ui::Ui;
use miette::MietteDiagnostic;
use std::io::{BufRead, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// Serve the Kubernetes API on this host, or take the agent off it.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Run the agent until it is told to stop
    Run(Run),
    /// Remove all containers, rules and mounts of an agent that does not run any more
    Reset(ResetArgs),
}

/// Where an agent keeps things on its host, and the network that its pods have.
#[derive(clap::Args, Debug)]
struct Place {
    /// Folder of the agent's objects, keys and certificates
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/wharf")]
    state_dir: PathBuf,
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

impl Place {
    fn node(&self, name: Option<String>) -> NodeConfig {
        // containers outlive this process and its working folder
        let absolute =
            |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        NodeConfig {
            name,
            state_dir: absolute(&self.state_dir),
            run_dir: absolute(&self.volatile_dir),
            network: NetworkConfig {
                bridge: self.bridge.clone(),
                table: self.bridge.clone(),
                pod_subnet: self.pod_subnet,
                service_subnet: Some(self.service_subnet),
            },
        }
    }
}

/// Flags of `agent run`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf agent run
  wharf agent run --state-dir ./state --listen 127.0.0.1:7443 --kubeconfig ./kubeconfig")]
struct Run {
    #[command(flatten)]
    place: Place,
    /// Address to serve HTTPS on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
    /// Keep objects only: run no containers, change nothing on this host
    #[arg(long)]
    no_node: bool,
    /// Name of this host's Node [default: the host name]
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
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
        Ok(self.place.node(self.node_name.clone()))
    }
}

/// Flags of `agent reset`.
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Containers outlive their agent, so that it can be restarted and upgraded. This \
ends them at once.\nObjects stay, and the next `wharf agent run` starts their pods again, unless \
--data is given.\nAn agent that was run with other folders, subnets or another bridge needs the \
same flags here.",
    after_help = "Examples:
  wharf agent reset
  wharf agent reset --data --yes"
)]
struct ResetArgs {
    #[command(flatten)]
    place: Place,
    /// Remove objects, keys, images, logs and volumes too
    #[arg(long)]
    data: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// When the agent cannot be started, or not be removed.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    match &args.command {
        Command::Run(args) => serve(ui, args),
        Command::Reset(args) => reset(ui, args),
    }
}

fn serve(ui: &Ui, run: &Run) -> Result<u8, Failure> {
    // who serves for months is better small than fast: what it holds would fill half of each
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let node = run.node();
    let without = node.as_ref().err().copied();
    let config = AgentConfig {
        state: run.place.state_dir.clone(),
        listen: run.listen,
        kubeconfig: ui.global.kubeconfig.clone().or_else(kubeconfig),
        services: run.place.service_subnet,
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

fn reset(ui: &Ui, args: &ResetArgs) -> Result<u8, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Usage("removing containers needs root".to_owned()));
    }
    let asks = !args.yes;
    if asks && !std::io::stdin().is_terminal() {
        let message = "nobody can be asked here whether to go on: say `--yes`";
        return Err(Failure::Usage(message.to_owned()));
    }
    ui.block_on(async {
        let node = args.place.node(None);
        let (state, bridge) = (node.state_dir.clone(), node.network.bridge.clone());
        let Some(found) = Reset::find(node).await.map_err(Failure::remote)? else {
            ui.say(format_args!("there is nothing of an agent on bridge {bridge}"));
            return Ok(FINE);
        };
        let pods = found.pods();
        if asks && !agreed(ui, &pods, args.data.then_some(state.as_path()))? {
            ui.say("nothing was removed");
            return Ok(FAILED);
        }
        found.carry_out(args.data).await.map_err(Failure::remote)?;
        for Remnant { namespace, name, containers } in &pods {
            ui.say(format_args!("removed   pod {namespace}/{name}: {}", containers.join(", ")));
        }
        ui.say(format_args!("removed   bridge {bridge}, its rules, control groups and mounts"));
        if args.data {
            ui.say(format_args!("removed   data in {}", state.display()));
        }
        Ok(FINE)
    })
}

/// Shows what is to go, and asks.
fn agreed(ui: &Ui, pods: &[Remnant], data: Option<&Path>) -> Result<bool, Failure> {
    for Remnant { namespace, name, containers } in pods {
        ui.say(format_args!("pod {namespace}/{name}: {}", containers.join(", ")));
    }
    if let Some(state) = data {
        ui.say(format_args!("all objects, keys, images, logs and volumes in {}", state.display()));
    }
    ui.say("Remove this and the pod network from this host? [y/N]");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::failed(MietteDiagnostic::new(format!("cannot read the answer: {error}")))
    })?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Where kubectl looks: the first file of `KUBECONFIG`, else the one in the home folder.
fn kubeconfig() -> Option<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG");
    let first = listed
        .and_then(|list| std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty()));
    first.or_else(|| std::env::home_dir().map(|home| home.join(".kube/config")))
}
