//! A runtime of its own for each test, and the check that nothing of it stays on the host.

use crate::prerequisites::skip;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wharf::agent::runtime::{
    ContainerSpec, ExitStatus, NetworkConfig, Root, Runtime, RuntimeConfig, Sandbox, SandboxSpec,
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
const BUSYBOX: &str = "/bin/busybox";

/// A runtime below a temporary folder, with a bridge, table and subnet that no other test has.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) folder: PathBuf,
    pub(crate) number: u8,
}

/// The reason why no container can run here.
fn hindrance() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("containers need root");
    }
    if !Path::new(BUSYBOX).exists() {
        return Some("/bin/busybox is not there");
    }
    None
}

/// Runs a test on a host of its own, and checks that it leaves nothing.
pub(crate) fn on_a_host<F: Future<Output = ()>>(test: impl FnOnce(Host) -> F) {
    if let Some(reason) = hindrance() {
        return skip(reason);
    }
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    threads.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        make_root(folder.path());
        let taken = Number::take();
        let number = taken.number;
        let runtime = runtime_at(folder.path(), number).await;
        let kept = runtime.clone();
        let path = folder.path().to_owned();
        let host = Host { runtime, folder: path.clone(), number };
        let guard = Guard(path.clone(), number);
        test(host).await;
        drop(guard);
        kept.shut_down().await.unwrap_or_else(|error| panic!("{}", error.chain()));
        nothing_stays(&path, number);
    });
}

/// Cleans up when a test fails, so that its containers do not run on.
struct Guard(PathBuf, u8);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // looks again, since the test may have let another process start some
            let config = config(&self.0, self.1);
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    if let Ok(runtime) = Runtime::open(config).await {
                        let _ = runtime.shut_down().await;
                    }
                });
            });
        }
    }
}

impl Host {
    /// What an agent finds that begins now.
    pub(crate) async fn reopen(&self) -> Runtime {
        runtime_at(&self.folder, self.number).await
    }

    /// The links of pods on the bridge.
    pub(crate) fn links(&self) -> Vec<String> {
        let ports = format!("/sys/class/net/wharft{}/brif", self.number);
        let entries = fs::read_dir(ports).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The process beside a container.
    pub(crate) fn shim(&self, id: &str) -> Pid {
        let folder = self.folder.join("run/containers").join(id);
        let text = fs::read_to_string(folder.join("running.json")).expect("it runs");
        let noted: serde_json::Value = serde_json::from_str(&text).expect("a record");
        let pid = noted["shim"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(Pid::from_raw).expect("a number")
    }

    pub(crate) fn gateway(&self) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::new(10, 230, self.number, 1)
    }

    /// A plain sandbox to make.
    pub(crate) fn pod(&self, id: &str) -> SandboxSpec {
        SandboxSpec {
            id: id.to_owned(),
            namespace: "default".to_owned(),
            name: id.to_owned(),
            uid: format!("{}-{id}", self.number),
            hostname: id.to_owned(),
            resolv_conf: "nameserver 10.0.0.10\n".to_owned(),
            ..SandboxSpec::default()
        }
    }

    pub(crate) async fn sandbox(&self, id: &str) -> Sandbox {
        let spec = self.pod(id);
        self.runtime.create_sandbox(&spec).await.unwrap_or_else(|error| panic!("{}", error.chain()))
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, sandbox: &str, id: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            id: id.to_owned(),
            sandbox: sandbox.to_owned(),
            name: id.to_owned(),
            root: Root::Layers(vec![self.folder.join("layer")]),
            args: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            log_path: Some(self.log(id)),
            ..ContainerSpec::default()
        }
    }

    pub(crate) fn log(&self, id: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{id}.log"))
    }

    /// What a container has put out, without the log's own columns.
    pub(crate) fn output(&self, id: &str) -> String {
        let text = fs::read_to_string(self.log(id)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.splitn(4, ' ').nth(3))
            .fold(String::new(), |all, line| all + line + "\n")
    }

    pub(crate) async fn start(&self, spec: &ContainerSpec) {
        self.runtime
            .start_container(spec)
            .await
            .unwrap_or_else(|error| panic!("{}", error.chain()));
    }

    /// Waits until a container has put out a text.
    pub(crate) async fn says(&self, id: &str, text: &str) {
        self.eventually(text, || self.output(id).contains(text)).await;
    }

    /// Waits until something holds.
    pub(crate) async fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < PATIENCE, "it does not happen: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Tries until something succeeds.
    pub(crate) async fn retry<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E> {
        let begin = Instant::now();
        loop {
            match attempt().await {
                Err(_) if begin.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                result => return result,
            }
        }
    }

    /// The command lines of a container's processes, with a NUL after each argument.
    pub(crate) fn processes(&self, id: &str) -> Vec<String> {
        let suffix = format!("/{id}");
        let group = format!("/wharf-test-{}/", self.number);
        fs::read_dir("/proc")
            .expect("processes")
            .flatten()
            .filter(|entry| {
                let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
                groups.lines().any(|line| line.contains(&group) && line.ends_with(&suffix))
            })
            .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
            .filter(|command| !command.is_empty())
            .collect()
    }

    /// Runs a container to its end and gives the exit status and output.
    pub(crate) async fn run(&self, spec: &ContainerSpec) -> (ExitStatus, String) {
        self.start(spec).await;
        let wait = tokio::time::timeout(Duration::from_secs(20), self.runtime.wait(&spec.id));
        let status = wait.await.expect("it ends").expect("an exit status");
        (status, self.output(&spec.id))
    }

    /// The pod network.
    pub(crate) fn network(&self) -> NetworkConfig {
        network(self.number)
    }

    pub(crate) fn service_ip(&self, last: u8) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::new(10, 231, self.number, last)
    }

    pub(crate) fn node_port(&self) -> u16 {
        30_000 + u16::from(self.number)
    }
}

/// A number that no other test has now, neither in this process nor in another one.
#[derive(Debug)]
struct Number {
    number: u8,
    /// Locked as long as the number is in use; the kernel lets go of it however the test ends.
    _lock: fs::File,
}

impl Number {
    fn take() -> Number {
        let folder = std::env::temp_dir().join("wharf-test-hosts");
        fs::create_dir_all(&folder).expect("a folder");
        for number in 0..250 {
            let lock = fs::File::create(folder.join(number.to_string())).expect("a file");
            if lock.try_lock().is_ok() {
                return Number { number, _lock: lock };
            }
        }
        panic!("every host is in use");
    }
}

/// Opens the runtime of a test.
pub(crate) async fn runtime_at(folder: &Path, number: u8) -> Runtime {
    let config = config(folder, number);
    Runtime::open(config).await.unwrap_or_else(|error| panic!("{}", error.chain()))
}

fn config(folder: &Path, number: u8) -> RuntimeConfig {
    RuntimeConfig {
        root: folder.join("root"),
        run_dir: folder.join("run"),
        cgroup_parent: format!("/wharf-test-{number}"),
        program: std::env::var_os("WHARF_PROGRAM")
            .map_or_else(|| env!("CARGO_BIN_EXE_wharf").into(), PathBuf::from),
        network: network(number),
    }
}

fn network(number: u8) -> NetworkConfig {
    NetworkConfig {
        bridge: format!("wharft{number}"),
        table: format!("wharf-test-{number}"),
        pod_subnet: format!("10.230.{number}.0/24").parse().expect("a subnet"),
        service_subnet: Some(format!("10.231.{number}.0/24").parse().expect("a subnet")),
    }
}

/// A layer with busybox and a few accounts.
fn make_root(folder: &Path) {
    let layer = folder.join("layer");
    for name in ["bin", "etc", "tmp", "home", "proc", "sys", "dev"] {
        fs::create_dir_all(layer.join(name)).expect("a folder");
    }
    fs::copy(BUSYBOX, layer.join("bin/busybox")).expect("busybox");
    for name in [
        "sh", "echo", "cat", "id", "ls", "sleep", "env", "hostname", "mount", "unshare", "touch",
        "grep", "nc", "httpd", "wget", "kill", "true", "false", "chroot", "head", "seq", "dd",
        "stat", "pwd", "readlink", "mkdir", "ip", "tty", "stty", "printf", "wc", "yes", "mknod",
        "date", "su",
    ] {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(name)).expect("a link");
    }
    fs::write(
        layer.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home:/bin/sh\n",
    )
    .expect("accounts");
    fs::write(layer.join("etc/group"), "root:x:0:\napp:x:1001:\nextra:x:1002:app\n")
        .expect("groups");
}

/// Whether this host has one tree of control groups (version 2).
pub(crate) fn one_tree() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

fn nothing_stays(folder: &Path, number: u8) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let stays: Vec<&str> =
        mounts.lines().filter(|line| line.contains(&folder.display().to_string())).collect();
    assert!(stays.is_empty(), "mounts stay: {stays:#?}");
    assert!(
        !Path::new("/sys/class/net").join(format!("wharft{number}")).exists(),
        "the bridge stays"
    );
    for tree in fs::read_dir("/sys/fs/cgroup").expect("control groups").flatten() {
        let group = tree.path().join(format!("wharf-test-{number}"));
        assert!(!group.exists(), "{} stays", group.display());
    }
    let left: BTreeMap<_, _> = ["run/containers", "run/sandboxes", "root/containers"]
        .map(|name| (name, fs::read_dir(folder.join(name)).map_or(0, Iterator::count)))
        .into();
    assert!(left.values().all(|count| *count == 0), "files stay: {left:?}");
}
