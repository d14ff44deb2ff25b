//! Real containers: what becomes ready, and why something does not. Needs root and a static busybox.

use super::{Host, scale};
use crate::prerequisites::skip;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use wharf::agent::node::NodeConfig;
use wharf::agent::runtime::{NetworkConfig, Subnet};
use wharf::agent::{Agent, AgentConfig};
use wharf::base::tar::{BLOCK, program_header};
use wharf::oci::layout::Layout;
use wharf::oci::{Descriptor, Platform};

const BUSYBOX: &str = "/bin/busybox";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const BRIDGE: &str = "whdeploy0";
const PODS: &str = "10.247.0.0/17";
const SERVICES: &str = "10.247.128.0/17";

/// A host whose agent runs containers; everything of it is taken away when it is dropped.
struct Node {
    host: Host,
}

impl Node {
    fn start() -> Option<Node> {
        if !rustix::process::geteuid().is_root() {
            skip("containers need root");
            return None;
        }
        if !Path::new(BUSYBOX).exists() {
            skip("/bin/busybox is not there");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(["agent", "run", "--bridge", BRIDGE, "--pod-subnet", PODS]);
        command.args(["--service-subnet", SERVICES, "--run-dir"]).arg(folder.path().join("run"));
        let agent = super::agent_of(command, folder.path(), "0");
        Some(Node { host: Host { folder, agent } })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.host.agent.kill();
        let _ = self.host.agent.wait();
        let subnet = |text: &str| -> Subnet { text.parse().expect("a subnet") };
        let node = NodeConfig {
            name: None,
            state_dir: self.host.path("state"),
            run_dir: self.host.path("run"),
            network: NetworkConfig {
                table: BRIDGE.to_owned(),
                bridge: BRIDGE.to_owned(),
                pod_subnet: subnet(PODS),
                service_subnet: Some(subnet(SERVICES)),
            },
        };
        let config = AgentConfig {
            state: self.host.path("state"),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            kubeconfig: None,
            services: subnet(SERVICES),
            node: Some(node),
        };
        // what the killed agent left is taken off the host by one that knows it
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async { Agent::start(config).await?.remove().await })
        });
        let removed = removed.join();
        if !std::thread::panicking() {
            removed.expect("it does not panic").expect("everything can be removed");
        }
    }
}

/// An image with busybox and nothing else.
fn image(folder: &Path) {
    let program = std::fs::read(BUSYBOX).expect("busybox");
    let mut layer = program_header("bin/busybox", program.len() as u64, 0).expect("a header");
    layer.extend_from_slice(&program);
    layer.resize(layer.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    let platform = Platform::host();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Entrypoint": ["/bin/busybox", "sh", "-c"]},
        "rootfs": {"type": "layers", "diff_ids": [Descriptor::of(LAYER, &layer).digest]},
    });
    let config = serde_json::to_vec(&config).expect("plain data");
    Layout::create(folder, (CONFIG, &config), &[(LAYER, &layer)]).expect("a layout");
}

fn deployment(image: &str, script: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {image}
        args: ['{script}']
        readinessProbe: {{exec: {{command: [/bin/busybox, 'true']}}, periodSeconds: 1}}
"
    )
}

#[test]
fn a_deployment_becomes_ready_or_the_cause_is_told() {
    let Some(node) = Node::start() else { return };
    let host = &node.host;
    let registry = ["registry", "serve", "--addr", "127.0.0.1:0", "--root", "registry"];
    let (_registry, address) = scale::serving(host.command(&registry));
    image(&host.path("image"));
    host.run(&["push", "image", &format!("oci://{address}/demo:1")]).fine();
    let good = format!("{address}/demo:1");
    host.write("web.yaml", &deployment(&good, "exec /bin/busybox sleep 1000"));
    let started = Instant::now();
    let applied = host.run(&["apply", "web.yaml", "--timeout", "60s"]);
    let took = started.elapsed();
    for line in
        ["waiting   Deployment default/web: ", "ready     Deployment default/web: 2 of 2 ready"]
    {
        assert!(applied.fine().err.contains(line), "{applied:#?}");
    }
    eprintln!("two replicas were ready after {} ms", took.as_millis());
    host.run(&["status", "web"]).fine();

    let script = "echo cannot open the database; exit 3";
    host.write("web.yaml", &deployment(&good, script));
    host.run(&["apply", "web.yaml", "--timeout", "8s", "--atomic"]).fails(
        1,
        &[
            "trouble   Deployment default/web: container `main` ended with code 3 (Error)",
            "undo      it failed; rolling back to revision 1",
            "rolled back to revision 1 as revision 3, since it failed: not ready after 8 s",
            "container `main` ended with code 3 (Error)",
            "the last lines of container `main`:",
            "cannot open the database",
        ],
    );
    assert_eq!(host.statuses("web"), ["superseded", "failed", "deployed"]);

    host.write("web.yaml", &deployment(&format!("{address}/nothing:1"), script));
    let missing = host.run(&["apply", "web.yaml", "--timeout", "5s"]);
    missing.fails(1, &["wharf::deploy::not_ready", "container `main` waits: ", "nothing:1"]);
    assert_eq!(missing.err.matches("does not exist in registry").count(), 2, "{missing:#?}");
    // the replicas of before go on, and the state tells what is wrong
    let status = host.run(&["status", "web"]);
    assert!(status.out.contains("container `main` waits: "), "{status:#?}");

    host.run(&["rollback", "web", "1", "--timeout", "60s"]).fine();
    host.run(&["uninstall", "web"]).fine();
    let deadline = Instant::now() + Duration::from_secs(20);
    let left = || std::fs::read_dir(host.path("run/sandboxes")).map_or(0, Iterator::count);
    while left() > 0 {
        assert!(Instant::now() < deadline, "{} pods are left", left());
        std::thread::sleep(Duration::from_millis(50));
    }
}
