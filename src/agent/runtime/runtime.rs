//! The runtime as a whole: opening it, finding again what runs, and sandboxes.
//!
//! Opening reads the state folder and asks the kernel which processes still run, so that an agent
//! that was killed goes on where it was. Whatever no record names is taken away: mounts, links,
//! control groups.

use super::cgroup;
use super::container::{ContainerState, ExitStatus, Folder, Record};
use super::error::{Faults, RuntimeError, file, network};
use super::lifecycle;
use super::mount;
use super::network::proxy::{self, ServiceRule};
use super::network::{Bridge, NetworkConfig, Pool};
use super::sandbox::{Sandbox, SandboxSpec, remove_folder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// Where the runtime keeps things and how the network is to be.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Writable layers of containers; survives a reboot, though nothing in it is used after one.
    pub root: PathBuf,
    /// Records, sockets and mount points; best in memory.
    pub run_dir: PathBuf,
    /// The control group above those of all sandboxes, such as `/wharf`.
    pub cgroup_parent: String,
    /// The program that shims and commands run: wharf itself.
    pub program: PathBuf,
    /// The pod network.
    pub network: NetworkConfig,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig {
            root: PathBuf::from("/var/lib/wharf"),
            run_dir: PathBuf::from("/run/wharf"),
            cgroup_parent: "/wharf".to_owned(),
            // the very program that runs now, also after its file was replaced
            program: PathBuf::from("/proc/self/exe"),
            network: NetworkConfig::default(),
        }
    }
}

/// Runs sandboxes and containers. Cheap to clone; all clones are the same runtime.
#[derive(Clone, Debug)]
pub struct Runtime(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: RuntimeConfig,
    bridge: Bridge,
    /// Held only for looking up and changing, never while waiting.
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    addresses: Pool,
    pub(super) sandboxes: BTreeMap<String, Arc<Sandbox>>,
    pub(super) containers: BTreeMap<String, Entry>,
    pub(super) listeners: Vec<mpsc::UnboundedSender<Exit>>,
    /// Held by whoever makes or removes the sandbox of that name.
    turns: BTreeMap<String, Arc<tokio::sync::Mutex<()>>>,
}

/// One container in memory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) folder: Folder,
    pub(super) record: Arc<Record>,
    /// Written by the task that watches the shim, and by the start.
    pub(super) state: watch::Sender<ContainerState>,
}

/// A container that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Which one.
    pub container: String,
    /// How.
    pub status: ExitStatus,
}

impl Runtime {
    /// Opens the runtime, finds containers that run, and takes away what a crash left behind.
    ///
    /// Must be called inside a tokio runtime, which then watches the containers.
    pub async fn open(config: RuntimeConfig) -> Result<Runtime, RuntimeError> {
        let found = tokio::task::spawn_blocking(move || find(config)).await;
        let (inner, running) = found.expect("looking does not panic")?;
        let runtime = Runtime(Arc::new(inner));
        for id in running {
            lifecycle::watch_found(&runtime, &id);
        }
        Ok(runtime)
    }

    /// How it was opened.
    pub fn config(&self) -> &RuntimeConfig {
        &self.0.config
    }

    /// Makes the surroundings of a pod, or gives those that there are.
    ///
    /// # Cancellation
    /// What is given up goes on by itself; asking again waits for it.
    pub async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        check_id(&spec.id)?;
        let (runtime, spec) = (self.clone(), spec.clone());
        to_the_end(async move { runtime.make_sandbox(&spec).await }).await
    }

    async fn make_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let turn = self.turn(&spec.id);
        let _turn = turn.lock().await;
        let folder = self.0.config.run_dir.join("sandboxes").join(&spec.id);
        let sandbox = {
            let mut state = self.state();
            if let Some(sandbox) = state.sandboxes.get(&spec.id) {
                // an agent that was interrupted asks again
                return Ok(Sandbox::clone(sandbox));
            }
            let ip = if spec.host_network { None } else { Some(state.addresses.allocate()?) };
            let sandbox = Arc::new(Sandbox::new(spec.clone(), ip, folder));
            state.sandboxes.insert(spec.id.clone(), sandbox.clone());
            sandbox
        };
        // its containers follow
        drop(tokio::task::spawn_blocking(cgroup::expect_moves));
        let (inner, made) = (self.0.clone(), sandbox.clone());
        let result = blocking(move || {
            made.create(&inner.bridge).inspect_err(|_| {
                // the first fault is the one to tell
                let _ = made.remove(&inner.bridge);
            })
        })
        .await;
        if let Err(error) = result {
            self.forget_sandbox(&sandbox);
            return Err(error);
        }
        Ok(Sandbox::clone(&sandbox))
    }

    /// Removes a sandbox with all containers in it, and says everything that could not be removed.
    /// One that does not exist is no fault.
    ///
    /// # Cancellation
    /// What is given up goes on by itself; asking again waits for it.
    pub async fn remove_sandbox(&self, id: &str) -> Result<(), RuntimeError> {
        let (runtime, id) = (self.clone(), id.to_owned());
        to_the_end(async move { runtime.take_sandbox_away(&id).await }).await
    }

    async fn take_sandbox_away(&self, id: &str) -> Result<(), RuntimeError> {
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        let Some(sandbox) = self.state().sandboxes.get(id).cloned() else { return Ok(()) };
        let containers: Vec<String> = self
            .state()
            .containers
            .iter()
            .filter(|(_, entry)| entry.record.spec.sandbox == id)
            .map(|(id, _)| id.clone())
            .collect();
        let mut faults = Faults::default();
        for container in containers {
            faults.note(self.remove_container(&container).await);
        }
        let (inner, gone) = (self.0.clone(), sandbox.clone());
        let removed = blocking(move || {
            let mut faults = Faults::default();
            faults.note(gone.remove(&inner.bridge));
            faults.note(cgroup::remove(&inner.group(gone.id())));
            faults.into_result(format!("sandbox `{}`", gone.id()))
        });
        faults.note(removed.await);
        let result = faults.into_result(format!("sandbox `{id}`"));
        if result.is_ok() {
            self.forget_sandbox(&sandbox);
        }
        result
    }

    /// Connects to a port of a pod's loopback address, for `kubectl port-forward`.
    pub async fn connect(&self, id: &str, port: u16) -> Result<TcpStream, RuntimeError> {
        let sandbox = self
            .sandbox(id)
            .ok_or_else(|| RuntimeError::Unknown { kind: "sandbox", id: id.to_owned() })?;
        let name = &sandbox.spec.name;
        sandbox
            .connect(port)
            .await
            .map_err(network(format!("connect to port {port} in pod {name}")))
    }

    /// Every sandbox.
    pub fn sandboxes(&self) -> Vec<Sandbox> {
        self.state().sandboxes.values().map(|sandbox| Sandbox::clone(sandbox)).collect()
    }

    /// One sandbox.
    pub fn sandbox(&self, id: &str) -> Option<Sandbox> {
        self.state().sandboxes.get(id).map(|sandbox| Sandbox::clone(sandbox))
    }

    /// Replaces the rules of all Services in one step.
    pub async fn apply_services(&self, rules: Vec<ServiceRule>) -> Result<(), RuntimeError> {
        let inner = self.0.clone();
        blocking(move || proxy::apply(inner.bridge.config(), &rules)).await
    }

    /// Removes every sandbox and container, the bridge and the rules: nothing stays on the host.
    pub async fn shut_down(&self) -> Result<(), RuntimeError> {
        let mut faults = Faults::default();
        let ids: Vec<String> = self.state().sandboxes.keys().cloned().collect();
        for id in ids {
            faults.note(self.remove_sandbox(&id).await);
        }
        let inner = self.0.clone();
        let rest = blocking(move || {
            let mut faults = Faults::default();
            faults.note(inner.bridge.remove());
            faults.note(cgroup::remove(&inner.config.cgroup_parent));
            faults.into_result("the pod network")
        });
        faults.note(rest.await);
        faults.into_result("the runtime")
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn turn(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let turns = &mut self.state().turns;
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(id.to_owned()).or_default().clone()
    }

    fn forget_sandbox(&self, sandbox: &Sandbox) {
        let mut state = self.state();
        state.sandboxes.remove(sandbox.id());
        if let Some(ip) = sandbox.ip {
            state.addresses.release(ip);
        }
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    /// The control group of a sandbox.
    pub(super) fn group(&self, sandbox: &str) -> String {
        format!("{}/{sandbox}", self.config.cgroup_parent)
    }

    /// The records of a container.
    pub(super) fn container_folder(&self, id: &str) -> Folder {
        Folder(self.config.run_dir.join("containers").join(id))
    }

    /// The writable layer of a container.
    pub(super) fn layer_folder(&self, id: &str) -> PathBuf {
        self.config.root.join("containers").join(id)
    }
}

/// Does something to its end, also when the caller gives up waiting.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Does something that blocks, on a thread where that is no harm.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Identifiers are file names and parts of control groups.
pub(super) fn check_id(id: &str) -> Result<(), RuntimeError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fine = (1..=128).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('.');
    if fine { Ok(()) } else { Err(RuntimeError::InvalidId(id.to_owned())) }
}

/// Reads what is on disk; gives the containers that run.
fn find(config: RuntimeConfig) -> Result<(Inner, Vec<String>), RuntimeError> {
    for folder in [
        config.run_dir.join("sandboxes"),
        config.run_dir.join("containers"),
        config.root.join("containers"),
    ] {
        fs::create_dir_all(&folder).map_err(file("make", &folder))?;
        private(&folder)?;
    }
    let bridge = Bridge::open(&config.network)?;
    let mut inner = Inner {
        bridge,
        state: Mutex::new(State {
            addresses: Pool::new(config.network.pod_subnet),
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            listeners: Vec::new(),
            turns: BTreeMap::new(),
        }),
        config,
    };
    let sandboxes = find_sandboxes(&inner)?;
    let state = inner.state.get_mut().expect("it is new");
    for sandbox in sandboxes {
        if let Some(ip) = sandbox.ip {
            state.addresses.take(ip);
        }
        state.sandboxes.insert(sandbox.id().to_owned(), Arc::new(sandbox));
    }
    let (containers, running) = lifecycle::find_containers(&inner)?;
    inner.state.get_mut().expect("it is new").containers = containers;
    sweep(&inner);
    Ok((inner, running))
}

/// Only root looks at other programs' files and environment.
fn private(folder: &Path) -> Result<(), RuntimeError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).map_err(file("protect", folder))
}

fn find_sandboxes(inner: &Inner) -> Result<Vec<Sandbox>, RuntimeError> {
    let mut found = Vec::new();
    for folder in subfolders(&inner.config.run_dir.join("sandboxes"))? {
        match Sandbox::load(&folder) {
            Ok(Some(sandbox)) if sandbox.is_whole() && sandbox.folder() == folder => {
                found.push(sandbox);
            }
            Ok(Some(sandbox)) if sandbox.folder() == folder => {
                // half made, or from before a reboot
                let _ = sandbox.remove(&inner.bridge);
            }
            _ => {
                let _ = mount::unmount_below(&folder);
                let _ = remove_folder(&folder);
            }
        }
    }
    Ok(found)
}

/// The folders in a folder, sorted.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let entries = fs::read_dir(folder).map_err(file("read", folder))?;
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    Ok(found)
}

/// Takes away what no record names. It is tried again at the next start, so faults are no reason
/// not to begin.
fn sweep(inner: &Inner) {
    let (known, sandboxes, containers) = {
        let state = inner.state();
        let known: BTreeSet<_> =
            state.sandboxes.values().filter_map(|sandbox| sandbox.ip).collect();
        let sandboxes: BTreeSet<String> = state.sandboxes.keys().cloned().collect();
        let containers: BTreeSet<String> = state.containers.keys().cloned().collect();
        (known, sandboxes, containers)
    };
    if let Err(error) = inner.bridge.sweep(&known) {
        tracing::warn!(error = error.chain(), "links of former pods remain");
    }
    for sandbox in cgroup::children(&inner.config.cgroup_parent) {
        if !sandboxes.contains(&sandbox) {
            let group = inner.group(&sandbox);
            let _ = cgroup::kill(&group);
            if let Err(error) = cgroup::remove(&group) {
                tracing::warn!(error = error.chain(), "a control group of a former pod remains");
            }
        }
    }
    for layer in subfolders(&inner.config.root.join("containers")).unwrap_or_default() {
        let name = layer.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !containers.contains(&name)
            && let Err(error) = remove_folder(&layer)
        {
            tracing::warn!(error = error.chain(), "files of a former container remain");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for good in ["a", "web-0_1.2", &"x".repeat(128)] {
            check_id(good).expect(good);
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", &"x".repeat(129)] {
            let fault = check_id(bad).expect_err(bad);
            assert_eq!(
                fault.to_string(),
                format!(
                    "`{bad}` is no identifier: use letters, digits, `-`, `_` and `.`, at most 128 of them"
                )
            );
        }
    }
}
