//! The agent's API without a node: real HTTPS, kubectl, restarts, recorded scenarios.

mod conformance;
mod custom;
mod hostile;
mod objects;
mod wire;

use crate::prerequisites::has;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An agent in a process of its own, killed when it is dropped.
struct Agent {
    folder: tempfile::TempDir,
    child: Child,
}

impl Agent {
    fn start() -> Agent {
        let folder = tempfile::tempdir().expect("a folder");
        let child = spawn(folder.path());
        Agent { folder, child }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Kills the agent without a warning and starts it again on the same state.
    fn kill_and_restart(&mut self) {
        self.child.kill().expect("the agent runs");
        self.child.wait().expect("the agent is a child");
        std::fs::remove_file(self.kubeconfig()).expect("the agent wrote it");
        self.child = spawn(self.folder.path());
    }

    fn kubectl(&self, args: &[&str]) -> (String, String, bool) {
        let output = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args)
            .env("HOME", self.folder.path())
            .output()
            .expect("kubectl is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.success())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // it may have ended by itself, which is what a test looks at
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let kubeconfig = folder.join("kubeconfig");
    let child = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["agent", "run", "--no-node", "--listen", "127.0.0.1:0", "--state-dir"])
        .arg(folder.join("state"))
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !kubeconfig.exists() {
        assert!(Instant::now() < deadline, "the agent wrote no kubeconfig");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
