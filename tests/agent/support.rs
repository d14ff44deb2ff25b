//! An agent of its own for each test: state, bridge, addresses, port; and nothing stays behind.

use super::image;
use crate::prerequisites::{has, root, skip};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use wharf::agent::node::NodeConfig;
use wharf::agent::reset::Reset;
use wharf::agent::runtime::NetworkConfig;
use wharf::oci::registry::Registry;

/// How long something that should happen soon may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host with an agent and a registry that holds `demo:1` and `demo:2`.
pub(super) struct Host {
    folder: tempfile::TempDir,
    number: u32,
    agent: Child,
    registry: String,
    threads: tokio::runtime::Runtime,
}

impl Host {
    /// Starts a registry and an agent; nothing where that cannot be.
    pub(super) fn start() -> Option<Host> {
        if !root() || !has("kubectl") {
            return None;
        }
        if !image::can_be_made() {
            skip("no static C library was there when the example program was built");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let threads = tokio::runtime::Runtime::new().expect("threads");
        let root = folder.path().join("registry");
        let registry = threads.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address").to_string();
            tokio::spawn(Registry::open(root).expect("a folder").serve(listener));
            for tag in ["1", "2"] {
                image::push(&format!("{address}/demo:{tag}")).await;
            }
            address
        });
        let number = number();
        let agent = spawn(folder.path(), number);
        let host = Host { folder, number, agent, registry, threads };
        host.until("the API answers", || host.try_kubectl(&["get", "namespace"]).2);
        Some(host)
    }

    /// The address of the registry.
    pub(super) fn registry(&self) -> &str {
        &self.registry
    }

    /// The reference of the example image.
    pub(super) fn image(&self, tag: &str) -> String {
        format!("{}/demo:{tag}", self.registry)
    }

    /// Kills the agent without a warning.
    pub(super) fn kill(&mut self) {
        self.agent.kill().expect("the agent runs");
        self.agent.wait().expect("the agent is a child");
    }

    /// Starts the agent again on the same state.
    pub(super) fn restart(&mut self) {
        std::fs::remove_file(self.kubeconfig()).expect("the agent wrote it");
        self.agent = spawn(self.folder.path(), self.number);
        self.until("the API answers", || self.try_kubectl(&["get", "namespace"]).2);
    }

    /// The agent's process.
    pub(super) fn agent(&self) -> u32 {
        self.agent.id()
    }

    /// The processes of this host's pods, as the text that the kernel shows of their command lines.
    pub(super) fn processes(&self) -> Vec<String> {
        let group = format!("/{}/", network(self.number).bridge);
        std::fs::read_dir("/proc")
            .expect("processes")
            .flatten()
            .filter(|entry| {
                let groups = std::fs::read_to_string(entry.path().join("cgroup"));
                groups.is_ok_and(|groups| groups.contains(&group))
            })
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
            .filter(|command| !command.is_empty())
            .collect()
    }

    /// Where a test may keep things; gone with the host.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file that leads kubectl to the agent.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Runs kubectl: output, error output, success.
    pub(super) fn try_kubectl(&self, args: &[&str]) -> (String, String, bool) {
        self.kubectl_with(args, "")
    }

    pub(super) fn kubectl_with(&self, args: &[&str], input: &str) -> (String, String, bool) {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args)
            .env("HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("kubectl reads");
        drop(stdin);
        let output = child.wait_with_output().expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.success())
    }

    /// Runs kubectl, which must succeed.
    pub(super) fn kubectl(&self, args: &[&str]) -> String {
        let (out, error, fine) = self.try_kubectl(args);
        assert!(fine, "kubectl {}: {error}", args.join(" "));
        out
    }

    pub(super) fn apply(&self, object: &Value) {
        let (_, error, fine) =
            self.kubectl_with(&["apply", "--server-side", "-f", "-"], &object.to_string());
        assert!(fine, "apply: {error}");
    }

    /// One object, or null.
    pub(super) fn get(&self, what: &str) -> Value {
        let (out, _, fine) = self.try_kubectl(&["get", what, "-o", "json"]);
        if fine { serde_json::from_str(&out).expect("kubectl prints JSON") } else { Value::Null }
    }

    /// All pods with a label.
    pub(super) fn pods(&self, label: &str) -> Vec<Value> {
        let out = self.kubectl(&["get", "pods", "-l", label, "-o", "json"]);
        let list: Value = serde_json::from_str(&out).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until something holds.
    pub(super) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            if Instant::now() > deadline {
                let pods = self.try_kubectl(&["get", "pods", "-A", "-o", "wide"]).0;
                let events = self.try_kubectl(&["get", "events", "-A"]).0;
                panic!("it never came true that {what}\n{pods}\n{events}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a pod is ready and gives it.
    pub(super) fn ready(&self, pod: &str) -> Value {
        let name = format!("pod/{pod}");
        let mut found = Value::Null;
        self.until(&format!("{name} is ready"), || {
            found = self.get(&name);
            condition(&found, "Ready")
        });
        found
    }

    /// The reasons of the events about an object.
    pub(super) fn reasons(&self, name: &str) -> Vec<String> {
        let field = format!("involvedObject.name={name}");
        let format = "jsonpath={.items[*].reason}";
        let out = self.kubectl(&["get", "events", "--field-selector", &field, "-o", format]);
        out.split_whitespace().map(str::to_owned).collect()
    }
}

/// Whether a condition of an object is true.
pub(super) fn condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

/// GETs a path and gives the body; an error when there is no whole answer of status 200.
pub(crate) fn http(address: &str, port: u16, path: &str) -> Result<String, String> {
    let address: SocketAddr = format!("{address}:{port}").parse().map_err(|e| format!("{e}"))?;
    let patience = Duration::from_secs(5);
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = exchange().map_err(|error| error.to_string())?;
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(format!("answer: {text}")),
    }
}

impl Drop for Host {
    /// Takes everything off the machine again.
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        let config = NodeConfig {
            name: None,
            state_dir: self.folder.path().join("state"),
            run_dir: self.folder.path().join("run"),
            network: network(self.number),
        };
        let cleaned = self.threads.block_on(async {
            match Reset::find(config).await? {
                Some(found) => found.carry_out(true).await,
                None => Ok(()),
            }
        });
        if !std::thread::panicking() {
            cleaned.expect("everything of the agent can be removed");
        }
    }
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (std::process::id() * 41 + NEXT.fetch_add(1, Ordering::Relaxed)) % 250
}

fn network(number: u32) -> NetworkConfig {
    NetworkConfig {
        bridge: format!("whagent{number}"),
        table: format!("whagent{number}"),
        pod_subnet: format!("10.232.{number}.0/24").parse().expect("a subnet"),
        service_subnet: Some(format!("10.233.{number}.0/24").parse().expect("a subnet")),
    }
}

fn spawn(folder: &Path, number: u32) -> Child {
    let network = network(number);
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("agent.log"))
        .expect("a log");
    let child = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["agent", "run", "--listen", "127.0.0.1:0", "--node-name", "here"])
        .args(["--bridge", &network.bridge])
        .args(["--pod-subnet", &network.pod_subnet.to_string()])
        .args(["--service-subnet", &format!("10.233.{number}.0/24")])
        .arg("--state-dir")
        .arg(folder.join("state"))
        .arg("--run-dir")
        .arg(folder.join("run"))
        .arg("--kubeconfig")
        .arg(folder.join("kubeconfig"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the agent starts");
    let deadline = Instant::now() + PATIENCE;
    while !folder.join("kubeconfig").exists() {
        assert!(Instant::now() < deadline, "the agent wrote no kubeconfig");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
