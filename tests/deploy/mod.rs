//! Releases from end to end: the binary against an agent in a process of its own.

mod charts;
mod commands;
mod diffs;
mod failures;
mod helm;
mod jobs;
mod live;
mod node;
mod plans;
mod progress;
mod refusals;
mod reset;
mod running;
mod scale;

use crate::prerequisites::has;
pub(crate) use node::{Node, image};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wharf::cluster::{Client, ConnectOptions};

/// A ConfigMap and a Secret.
const PAIR: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red, size: '3'}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2}
";

/// A pod that never becomes ready: nobody has its image.
const STUCK: &str = "apiVersion: v1
kind: Pod
metadata: {name: stuck}
spec:
  containers: [{name: main, image: '127.0.0.1:1/none:1'}]
";

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Run {
    code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Checks exit code, standard output and standard error.
    #[track_caller]
    fn says(&self, code: i32, out: &str, err: &str) -> &Run {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (Some(code), out, err));
        self
    }

    /// Checks the exit code, and that standard error has each of the given texts.
    #[track_caller]
    fn fails(&self, code: i32, texts: &[&str]) -> &Run {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in:\n{}", self.err);
        }
        self
    }

    #[track_caller]
    pub(crate) fn fine(&self) -> &Run {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// An agent, a folder for files, and the means to run commands against it.
pub(crate) struct Host {
    folder: tempfile::TempDir,
    agent: Child,
}

impl Host {
    fn start() -> Host {
        let folder = tempfile::tempdir().expect("a folder");
        let agent = agent(folder.path());
        Host { folder, agent }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder, which is where commands run.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("HOME", self.folder.path())
            .env_remove("HELM_MAX_HISTORY")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command. Times and the agent's port are replaced in what it prints.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(self.command(args))
    }

    /// Runs a command with something on standard input.
    fn pipe(&self, args: &[&str], input: &str) -> Run {
        self.write("stdin", input);
        let mut command = self.command(args);
        command.stdin(std::fs::File::open(self.path("stdin")).expect("a file"));
        run(command)
    }

    /// Starts a command and does not wait for it.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        let mut command = Command::new("kubectl");
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("HOME", self.folder.path());
        run(command)
    }

    pub(crate) async fn client(&self, namespace: &str) -> Client {
        let options = ConnectOptions {
            kubeconfig: Some(self.path("kubeconfig")),
            namespace: Some(namespace.to_owned()),
            ..ConnectOptions::default()
        };
        Client::connect(&options).await.expect("a client")
    }

    /// The status of each revision.
    #[track_caller]
    fn statuses(&self, release: &str) -> Vec<String> {
        let history = self.run(&["history", release, "-o", "json"]);
        let rows = history.fine().json();
        let rows = rows.as_array().expect("a list");
        rows.iter().map(|row| row["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until a command's standard output holds a text.
    #[track_caller]
    fn until(&self, args: &[&str], text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let run = self.run(args);
            if run.out.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "never `{text}`: {run:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // it may have ended by itself, which is what a test looks at
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn run(mut command: Command) -> Run {
    let output = command.output().expect("it runs");
    finished(&output)
}

fn finished(output: &std::process::Output) -> Run {
    let text = |bytes: &[u8]| normal(&String::from_utf8_lossy(bytes));
    Run { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Times and ports are other ones each time.
fn normal(text: &str) -> String {
    let time = regex::Regex::new(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)");
    let port = regex::Regex::new(r"127\.0\.0\.1:\d{2,}");
    let text = time.expect("a pattern").replace_all(text, "TIME").into_owned();
    port.expect("a pattern").replace_all(&text, "127.0.0.1:PORT").into_owned()
}

fn agent(folder: &Path) -> Child {
    agent_at(folder, "0")
}

/// An agent on a port. One that was there before is waited for by its port.
fn agent_at(folder: &Path, port: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(["agent", "run", "--no-node"]);
    agent_of(command, folder, port)
}

/// An agent that a command starts, with its state and kubeconfig in a folder.
fn agent_of(mut command: Command, folder: &Path, port: &str) -> Child {
    let kubeconfig = folder.join("kubeconfig");
    let child = command
        .args(["--listen", &format!("127.0.0.1:{port}"), "--state-dir"])
        .arg(folder.join("state"))
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    let up = || port == "0" || std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
    while !kubeconfig.exists() || !up() {
        assert!(Instant::now() < deadline, "the agent wrote no kubeconfig");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
