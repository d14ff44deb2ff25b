//! An agent of its own for a measurement, in a process of its own, and what it takes of the host.

use super::process::{Tool, ticks, wharf};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wharf::agent::node::NodeConfig;
use wharf::agent::reset::Reset;
use wharf::agent::runtime::NetworkConfig;

/// No other agent of this host has these.
const BRIDGE: &str = "wharfbench0";
const PODS: &str = "10.251.0.0/16";
const SERVICES: &str = "10.252.0.0/16";

/// A running agent. Dropping it leaves nothing on the host.
pub(crate) struct Agent {
    folder: tempfile::TempDir,
    child: Child,
    node: bool,
}

impl Agent {
    /// Starts an agent that only keeps objects.
    pub(crate) fn of_objects() -> Agent {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = spawn(folder.path(), &["--no-node"]);
        Agent { folder, child, node: false }
    }

    /// Starts an agent that runs pods, which only root may.
    pub(crate) fn of_pods() -> Result<Agent, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("needs root".to_owned());
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let run = run.to_str().expect("a temporary folder has a plain name");
        let subnets = ["--pod-subnet", PODS, "--service-subnet", SERVICES];
        let args = [&["--bridge", BRIDGE, "--run-dir", run][..], &subnets].concat();
        let child = spawn(folder.path(), &args);
        Ok(Agent { folder, child, node: true })
    }

    /// A folder that goes away with the agent.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `wharf` with this agent as its target.
    pub(crate) fn wharf(&self) -> Command {
        let mut command = Command::new(wharf());
        command.env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        command
    }

    /// kubectl with this agent as its context.
    pub(crate) fn kubectl(&self, tool: &Tool) -> Command {
        let mut command = tool.command();
        command.env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        // its cache of what the server offers
        command.env("HOME", self.folder.path());
        command
    }

    /// Memory that is resident, in megabytes.
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52")]
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        kilobytes(&status.expect("the agent runs"), "VmRSS:") as f64 / 1024.0
    }

    /// Seconds of processor time used so far.
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^52")]
    pub(crate) fn used(&self) -> f64 {
        let ticks = ticks(&format!("/proc/{}/stat", self.child.id()), 11);
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Memory of the processes that keep containers, each page counted once, in megabytes.
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52")]
    pub(crate) fn keepers(&self) -> f64 {
        let own = self.child.id().to_string();
        let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
        let sizes = processes.filter_map(|entry| {
            let path = entry.path();
            let ours = fs::read_link(path.join("exe")).ok()? == wharf()
                && path.file_name()?.to_str()? != own;
            let rollup = fs::read_to_string(path.join("smaps_rollup")).ok()?;
            ours.then(|| kilobytes(&rollup, "Pss:"))
        });
        sizes.sum::<u64>() as f64 / 1024.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        if self.node {
            clean(self.folder.path());
        }
    }
}

/// Containers outlive an agent; here they end with it.
fn clean(folder: &Path) {
    let config = NodeConfig {
        name: None,
        state_dir: folder.join("state"),
        run_dir: folder.join("run"),
        network: NetworkConfig {
            bridge: BRIDGE.to_owned(),
            table: BRIDGE.to_owned(),
            pod_subnet: PODS.parse().expect("a subnet"),
            service_subnet: Some(SERVICES.parse().expect("a subnet")),
        },
    };
    let threads = tokio::runtime::Runtime::new().expect("threads");
    let done = threads.block_on(async {
        match Reset::find(config).await? {
            Some(found) => found.carry_out(true).await,
            None => Ok(()),
        }
    });
    done.expect("everything of the agent can be removed");
}

fn spawn(folder: &Path, args: &[&str]) -> Child {
    let kubeconfig: PathBuf = folder.join("kubeconfig");
    let log = fs::File::create(folder.join("log")).expect("a log file");
    let mut child = Command::new(wharf())
        .args(["agent", "run", "--listen", "127.0.0.1:0", "--state-dir"])
        .arg(folder.join("state"))
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the agent starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        if log.contains("serving the Kubernetes API") {
            return child;
        }
        let ended = child.try_wait().expect("the agent is a child").is_some();
        assert!(!ended && Instant::now() < deadline, "the agent does not start: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The number after a name, in the form of the files below `/proc`.
fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse().expect("proc(5)")
}
