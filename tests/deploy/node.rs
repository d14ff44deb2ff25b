//! A host whose agent runs containers, beside any other of its kind; and images made without a
//! network.

use super::{Host, agent_of, scale};
use crate::prerequisites;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use wharf::agent::node::NodeConfig;
use wharf::agent::reset::Reset;
use wharf::agent::runtime::NetworkConfig;
use wharf::base::tar::{BLOCK, program_header};
use wharf::oci::layout::Layout;
use wharf::oci::{Descriptor, Platform};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A host whose agent runs containers; everything of it is taken away when it is dropped.
pub(crate) struct Node {
    pub(crate) host: Host,
    network: NetworkConfig,
}

impl Node {
    /// Starts an agent; nothing where that cannot be.
    pub(crate) fn start() -> Option<Node> {
        if !prerequisites::root() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let network = network();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(["agent", "run"]).args(flags(&network));
        command.arg("--run-dir").arg(folder.path().join("run"));
        let agent = agent_of(command, folder.path(), "0");
        Some(Node { host: Host { folder, agent }, network })
    }

    /// Ends the agent without a warning; containers go on.
    pub(super) fn kill(&mut self) {
        self.host.agent.kill().expect("the agent runs");
        self.host.agent.wait().expect("the agent is a child");
    }

    /// Starts the agent again on the same state.
    pub(super) fn restart(&mut self) {
        std::fs::remove_file(self.host.path("kubeconfig")).expect("the agent wrote it");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(["agent", "run"]).args(flags(&self.network));
        command.arg("--run-dir").arg(self.host.path("run"));
        self.host.agent = agent_of(command, self.host.folder.path(), "0");
    }

    /// `wharf agent reset` for this host's agent.
    pub(super) fn reset(&self, more: &[&str]) -> Command {
        let mut command = self.host.command(&["agent", "reset"]);
        command.args(flags(&self.network)).arg("--run-dir").arg(self.host.path("run"));
        command.arg("--state-dir").arg(self.host.path("state")).args(more);
        command
    }

    /// The name of the bridge, of the table of rules and of the control group.
    pub(super) fn bridge(&self) -> &str {
        &self.network.bridge
    }

    /// Serves a registry from this host's folder; gives its address.
    pub(crate) fn registry(&self) -> (scale::Server, String) {
        let registry = ["registry", "serve", "--addr", "127.0.0.1:0", "--root", "registry"];
        scale::serving(self.host.command(&registry))
    }

    /// Waits until nothing of any pod is left on the host.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path().display().to_string()).collect()
        };
        loop {
            let mut left: Vec<String> = Vec::new();
            for folder in ["run/sandboxes", "run/containers", "run/pods", "state/containers"] {
                left.extend(names(&self.host.path(folder)));
            }
            for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"] {
                let groups = names(&Path::new(root).join(&self.network.bridge));
                left.extend(groups.into_iter().filter(|path| Path::new(path).is_dir()));
            }
            left.extend(names(
                &Path::new("/sys/class/net").join(&self.network.bridge).join("brif"),
            ));
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "this is left of pods: {left:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.host.agent.kill();
        let _ = self.host.agent.wait();
        let config = NodeConfig {
            name: None,
            state_dir: self.host.path("state"),
            run_dir: self.host.path("run"),
            network: self.network.clone(),
        };
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                match Reset::find(config).await? {
                    Some(found) => found.carry_out(true).await,
                    None => Ok(()),
                }
            })
        });
        let removed = removed.join();
        if !std::thread::panicking() {
            removed.expect("it does not panic").expect("everything can be removed");
        }
    }
}

/// The flags that tell an agent its network.
fn flags(network: &NetworkConfig) -> [String; 6] {
    let services = network.service_subnet.expect("each of these networks has one");
    [
        "--bridge".to_owned(),
        network.bridge.clone(),
        "--pod-subnet".to_owned(),
        network.pod_subnet.to_string(),
        "--service-subnet".to_owned(),
        services.to_string(),
    ]
}

/// A bridge and subnets of its own for each agent of this host.
fn network() -> NetworkConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() * 41 + NEXT.fetch_add(1, Ordering::Relaxed)) % 250;
    let subnet = |second: u32| format!("10.{second}.{number}.0/24").parse().expect("a subnet");
    let name = format!("whdeploy{number}");
    NetworkConfig {
        bridge: name.clone(),
        table: name,
        pod_subnet: subnet(234),
        service_subnet: Some(subnet(235)),
    }
}

/// Writes an image that holds one static program, as a layout.
pub(crate) fn image(folder: &Path, path: &str, program: &[u8], entry: &[&str], user: &str) {
    let mut layer = program_header(path, program.len() as u64, 0).expect("a header");
    layer.extend_from_slice(program);
    layer.resize(layer.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    let platform = Platform::host();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Entrypoint": entry, "User": user},
        "rootfs": {"type": "layers", "diff_ids": [Descriptor::of(LAYER, &layer).digest]},
    });
    let config = serde_json::to_vec(&config).expect("plain data");
    Layout::create(folder, (CONFIG, &config), &[(LAYER, &layer)]).expect("a layout");
}
