//! The agent of the tour, in this process.

use crate::cli::exit::Failure;
use std::path::Path;

/// A running agent whose containers end with the tour.
#[cfg(all(feature = "agent", target_os = "linux"))]
pub(super) struct Node {
    agent: crate::agent::Agent,
    hindrance: Option<String>,
}

#[cfg(all(feature = "agent", target_os = "linux"))]
impl Node {
    /// Starts an agent with its state and its kubeconfig in the folder, beside any other agent of
    /// this host.
    pub(super) async fn start(folder: &Path) -> Result<Option<Node>, Failure> {
        use crate::agent::node::NodeConfig;
        use crate::agent::runtime::NetworkConfig;
        let hindrance = (!rustix::process::geteuid().is_root())
            .then(|| "running containers needs root".to_owned());
        let (pods, services) = free_subnets();
        let bridge = format!("whq{}", std::process::id());
        let node = NodeConfig {
            name: None,
            state_dir: folder.join("agent"),
            run_dir: folder.join("run"),
            network: NetworkConfig {
                table: bridge.clone(),
                bridge,
                pod_subnet: pods,
                service_subnet: Some(services),
            },
        };
        let config = crate::agent::AgentConfig {
            state: folder.join("agent"),
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
            kubeconfig: Some(folder.join("kubeconfig")),
            services,
            node: hindrance.is_none().then_some(node),
        };
        let agent = crate::agent::Agent::start(config).await.map_err(Failure::failed)?;
        Ok(Some(Node { agent, hindrance }))
    }

    /// Why no containers run here; nothing when they do.
    pub(super) fn hindrance(&self) -> Option<String> {
        self.hindrance.clone()
    }

    /// Address and port of a service.
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<String> {
        let key = crate::agent::store::Key::new("services", namespace, name);
        let service = self.agent.store().get(&key)?;
        let address = service.object.str_at(&["spec", "clusterIP"])?;
        let port = service.object.items_at(&["spec", "ports"]).first()?.i64_at(&["port"])?;
        Some(format!("{address}:{port}"))
    }

    /// Removes the pods and the network, and stops.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        self.agent.remove().await.map_err(Failure::failed)
    }
}

/// Two subnets that this host has no route to yet, for pods and for Services.
#[cfg(all(feature = "agent", target_os = "linux"))]
fn free_subnets() -> (crate::agent::runtime::Subnet, crate::agent::runtime::Subnet) {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    // the second column is the destination, its bytes turned around
    let taken: Vec<[u8; 4]> = routes
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter_map(|text| Some(u32::from_str_radix(text, 16).ok()?.to_le_bytes()))
        .collect();
    let pairs = u8::try_from(std::process::id() % 60).unwrap_or(0);
    let second = (0..60)
        .map(|step| 130 + 2 * ((pairs + step) % 60))
        .find(|second| !taken.iter().any(|[a, b, ..]| *a == 10 && (b & !1) == *second))
        .unwrap_or(130);
    let subnet = |second: u8| format!("10.{second}.0.0/16").parse().expect("a subnet");
    (subnet(second), subnet(second + 1))
}

/// There is no agent for this system.
#[cfg(not(all(feature = "agent", target_os = "linux")))]
pub(super) enum Node {}

#[cfg(not(all(feature = "agent", target_os = "linux")))]
impl Node {
    /// Starts nothing.
    pub(super) async fn start(_folder: &Path) -> Result<Option<Node>, Failure> {
        Ok(None)
    }

    /// Why no containers run here; nothing when they do.
    pub(super) fn hindrance(&self) -> Option<String> {
        match *self {}
    }

    /// Address and port of a service.
    pub(super) fn service(&self, _namespace: &str, _name: &str) -> Option<String> {
        match *self {}
    }

    /// Removes the pods and the network, and stops.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        match self {}
    }
}
