//! Containers from start to removal, and commands in them.
//!
//! ```text
//! start ──> Created ── shim says "running" ──> Running ── shim ends ──> Exited ── remove ──> gone
//!              └────── shim says why not ────> gone
//! ```
//!
//! One task per container waits for its shim to end: for the child it is, or, after the agent was
//! restarted, on its pidfd. Nothing is polled.

use super::cgroup::{self, Usage};
use super::container::{
    self, AttachSession, ContainerSpec, ContainerState, ExecOptions, ExecOutput, ExecRequest,
    ExecSession, ExitStatus, Folder, Record, Root, STARTED, Surroundings, UNKNOWN_CODE,
};
use super::error::{Faults, RuntimeError, file};
use super::runtime::{Entry, Exit, Inner, Runtime, blocking, check_id, subfolders, to_the_end};
use super::sandbox::{Sandbox, remove_folder};
use super::{mount, sys};
use jiff::Timestamp;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

/// How long the kernel may take to end what was killed.
const KILL_WAIT: Duration = Duration::from_secs(10);
/// How long the start of a container may take that an agent began which is gone.
const START_WAIT: Duration = Duration::from_secs(10);
/// What a shim may say about a failed start.
const REASON_LIMIT: u64 = 16 << 10;

/// A container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The number of its first process on the host.
    pub pid: i32,
}

/// A container as the runtime knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// What it was asked to be.
    pub spec: ContainerSpec,
    /// What it does.
    pub state: ContainerState,
}

impl Runtime {
    /// Starts a container and waits until its program runs.
    ///
    /// # Cancellation
    /// A start that is given up goes on by itself; the container is then found by `list`.
    pub async fn start_container(&self, spec: &ContainerSpec) -> Result<Started, RuntimeError> {
        let (runtime, spec) = (self.clone(), spec.clone());
        to_the_end(async move { runtime.start(spec).await }).await
    }

    async fn start(&self, spec: ContainerSpec) -> Result<Started, RuntimeError> {
        check_id(&spec.id)?;
        let id = spec.id.clone();
        let sandbox =
            self.state().sandboxes.get(&spec.sandbox).cloned().ok_or_else(|| {
                RuntimeError::Unknown { kind: "sandbox", id: spec.sandbox.clone() }
            })?;
        if self.state().containers.contains_key(&id) {
            let reason = "a container of this identifier exists".to_owned();
            return Err(RuntimeError::Start { id, reason });
        }
        drop(tokio::task::spawn_blocking(cgroup::expect_moves));
        let inner = self.0.clone();
        let prepared = blocking(move || {
            let record = prepare(&inner, &sandbox, &spec);
            if record.is_err() {
                let _ = clear(&inner, &spec.id, None);
            }
            record
        });
        let record = Arc::new(prepared.await?);
        let folder = self.0.container_folder(&id);
        let (sender, _) = watch::channel(ContainerState::Created);
        let entry = Entry { folder: folder.clone(), record: record.clone(), state: sender };
        self.state().containers.insert(id.clone(), entry.clone());
        match self.launch(&folder).await {
            Ok((shim, pid, started)) => {
                entry.state.send_replace(ContainerState::Running { pid, started });
                let runtime = self.clone();
                tokio::spawn(async move { runtime.watch_child(entry, shim, started).await });
                Ok(Started { pid })
            }
            Err(reason) => {
                self.state().containers.remove(&id);
                let (inner, gone) = (self.0.clone(), id.clone());
                let _ = blocking(move || clear(&inner, &gone, Some(&record.cgroup))).await;
                Err(RuntimeError::Start { id, reason })
            }
        }
    }

    /// Starts the shim and waits for its word.
    async fn launch(&self, folder: &Folder) -> Result<(Child, i32, Timestamp), String> {
        let log = fs::File::create(folder.path("shim.log")).map_err(|error| error.to_string())?;
        let lock = folder.lock().map_err(|error| error.chain())?;
        let mut shim = container::helper(&self.0.config.program, "__shim", folder)
            .stdin(lock)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start the shim: {error}"))?;
        let mut word = String::new();
        if let Some(stdout) = shim.stdout.take() {
            let _ = stdout.take(REASON_LIMIT).read_to_string(&mut word).await;
        }
        if word == STARTED {
            // a program that is over already may have left no note of having run
            return Ok(match folder.running() {
                Ok(Some(running)) => (shim, running.init.pid, running.started),
                _ => (shim, 0, Timestamp::now()),
            });
        }
        let _ = shim.wait().await;
        // libcontainer says what was attempted; why it failed stands only in what it logs
        let log = fs::read_to_string(folder.path("shim.log")).unwrap_or_default();
        if let Some(first) = log.lines().find(|line| !line.trim().is_empty()) {
            word = if word.is_empty() { first.to_owned() } else { format!("{word} ({first})") };
        }
        let word = word.trim();
        Err(if word.is_empty() { "the shim ended without a word" } else { word }.to_owned())
    }

    /// Stops a container: the signal, and after the grace period SIGKILL to all of it. One that has
    /// ended or does not exist is no fault.
    pub async fn stop_container(
        &self,
        id: &str,
        signal: Option<&str>,
        grace: Duration,
    ) -> Result<(), RuntimeError> {
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let mut state = entry.state.subscribe();
        if !grace.is_zero() {
            send_signal(&entry, signal.and_then(sys::signal_named).unwrap_or(Signal::TERM));
            let exited = state.wait_for(|state| matches!(state, ContainerState::Exited(_)));
            if tokio::time::timeout(grace, exited).await.is_ok() {
                return Ok(());
            }
        }
        let group = entry.record.cgroup.clone();
        blocking(move || cgroup::kill(&group)).await?;
        let exited = state.wait_for(|state| matches!(state, ContainerState::Exited(_)));
        let waited = tokio::time::timeout(KILL_WAIT, exited).await.is_ok();
        if waited {
            return Ok(());
        }
        let error = std::io::Error::other("its processes do not end");
        Err(file("stop the container of", &entry.folder.0)(error))
    }

    /// Sends a signal to the first process of a container.
    pub fn signal_container(&self, id: &str, signal: &str) -> Result<(), RuntimeError> {
        let entry = self.running(id)?;
        send_signal(&entry, sys::signal_named(signal).unwrap_or(Signal::TERM));
        Ok(())
    }

    /// Removes a container with its writable layer, killing it first when it runs. Its log stays.
    /// One that does not exist is no fault.
    ///
    /// # Cancellation
    /// What is given up goes on by itself.
    pub async fn remove_container(&self, id: &str) -> Result<(), RuntimeError> {
        let (runtime, id) = (self.clone(), id.to_owned());
        to_the_end(async move { runtime.take_container_away(&id).await }).await
    }

    async fn take_container_away(&self, id: &str) -> Result<(), RuntimeError> {
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let mut faults = Faults::default();
        if !matches!(&*entry.state.borrow(), ContainerState::Exited(_)) {
            faults.note(self.stop_container(id, None, Duration::ZERO).await);
        }
        let (inner, gone, group) = (self.0.clone(), id.to_owned(), entry.record.cgroup.clone());
        faults.note(blocking(move || clear(&inner, &gone, Some(&group))).await);
        let result = faults.into_result(format!("container `{id}`"));
        if result.is_ok() {
            self.state().containers.remove(id);
        }
        result
    }

    /// Every container, those that ended included.
    pub fn list(&self) -> Vec<Container> {
        self.state().containers.values().map(Entry::view).collect()
    }

    /// One container.
    pub fn container(&self, id: &str) -> Option<Container> {
        self.state().containers.get(id).map(Entry::view)
    }

    /// What a container does.
    pub fn status(&self, id: &str) -> Option<ContainerState> {
        self.state().containers.get(id).map(|entry| entry.state.borrow().clone())
    }

    /// Waits for a container to end.
    pub async fn wait(&self, id: &str) -> Result<ExitStatus, RuntimeError> {
        let unknown = || RuntimeError::Unknown { kind: "container", id: id.to_owned() };
        let entry = self.entry(id).ok_or_else(unknown)?;
        let mut receiver = entry.state.subscribe();
        let state = receiver
            .wait_for(|state| matches!(state, ContainerState::Exited(_)))
            .await
            .map_err(|_| unknown())?;
        match &*state {
            ContainerState::Exited(status) => Ok(status.clone()),
            _ => Err(unknown()),
        }
    }

    /// Every end of a container from now on.
    pub fn exits(&self) -> mpsc::UnboundedReceiver<Exit> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().listeners.push(sender);
        receiver
    }

    /// Runs a command in a container to its end.
    pub async fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        options: ExecOptions,
    ) -> Result<ExecOutput, RuntimeError> {
        let entry = self.running(id)?;
        container::exec(&self.0.config.program, &entry.folder, id, request, options).await
    }

    /// Starts a command in a container, with streams for the caller.
    pub async fn exec_stream(
        &self,
        id: &str,
        request: &ExecRequest,
    ) -> Result<ExecSession, RuntimeError> {
        let entry = self.running(id)?;
        container::exec_stream(&self.0.config.program, &entry.folder, id, request).await
    }

    /// Joins a running container's output and input. More than one may.
    pub async fn attach(&self, id: &str) -> Result<AttachSession, RuntimeError> {
        let entry = self.running(id)?;
        let socket = entry.folder.path("shim.sock");
        AttachSession::open(&socket).await.map_err(file("attach to", socket))
    }

    /// Tells a container's terminal its size in characters.
    pub async fn resize(&self, id: &str, columns: u16, rows: u16) -> Result<(), RuntimeError> {
        let entry = self.running(id)?;
        let socket = entry.folder.path("shim.sock");
        container::resize(&socket, columns, rows).await.map_err(file("resize", socket))
    }

    /// What a container uses now.
    pub fn stats(&self, id: &str) -> Result<Usage, RuntimeError> {
        Ok(cgroup::usage(&self.running(id)?.record.cgroup))
    }

    fn entry(&self, id: &str) -> Option<Entry> {
        self.state().containers.get(id).cloned()
    }

    fn running(&self, id: &str) -> Result<Entry, RuntimeError> {
        let entry = self
            .entry(id)
            .ok_or_else(|| RuntimeError::Unknown { kind: "container", id: id.to_owned() })?;
        if matches!(&*entry.state.borrow(), ContainerState::Running { .. }) {
            return Ok(entry);
        }
        Err(RuntimeError::NotRunning(id.to_owned()))
    }

    async fn watch_child(self, entry: Entry, mut shim: Child, started: Timestamp) {
        let _ = shim.wait().await;
        self.ended(&entry, started).await;
    }

    /// Notes the end of a container whose shim is gone, and tells everyone.
    async fn ended(&self, entry: &Entry, started: Timestamp) {
        let (folder, group) = (entry.folder.clone(), entry.record.cgroup.clone());
        let status = blocking(move || Ok(exit_of(&folder, &group, started)))
            .await
            .expect("reading an exit status does not fail");
        entry.state.send_replace(ContainerState::Exited(status.clone()));
        let exit = Exit { container: entry.record.spec.id.clone(), status };
        self.state().listeners.retain(|listener| listener.send(exit.clone()).is_ok());
    }
}

impl Entry {
    fn view(&self) -> Container {
        Container { spec: self.record.spec.clone(), state: self.state.borrow().clone() }
    }
}

/// Makes the files and mounts of a container.
fn prepare(inner: &Inner, sandbox: &Sandbox, spec: &ContainerSpec) -> Result<Record, RuntimeError> {
    let folder = inner.container_folder(&spec.id);
    let make =
        |path: PathBuf| fs::create_dir_all(&path).map_err(file("make", &path)).map(|()| path);
    make(folder.0.clone())?;
    if let Some(parent) = spec.log_path.as_ref().and_then(|path| path.parent()) {
        make(parent.to_owned())?;
    }
    let rootfs = match &spec.root {
        Root::Folder(path) => path.clone(),
        Root::Layers(layers) => {
            let target = make(folder.path("rootfs"))?;
            let layer = inner.layer_folder(&spec.id);
            let upper = make(layer.join("upper"))?;
            open_to_all(&upper)?;
            let work = make(layer.join("work"))?;
            mount::overlay(layers, &upper, &work, &target, spec.security.privileged)?;
            target
        }
    };
    let group = format!("{}/{}", inner.group(&spec.sandbox), spec.id);
    let around = Surroundings {
        namespaces: &sandbox.namespaces(),
        files: sandbox.folder(),
        hostname: &sandbox.spec.hostname,
        shm: &sandbox.shm(),
        cgroup: &group,
    };
    Record::prepare(&folder, spec, &rootfs, &around)
}

/// The upper folder is the container's `/`, which every user may look into.
fn open_to_all(folder: &std::path::Path) -> Result<(), RuntimeError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(file("open", folder))
}

/// Takes away everything of a container that does not run.
fn clear(inner: &Inner, id: &str, group: Option<&str>) -> Result<(), RuntimeError> {
    let folder = inner.container_folder(id);
    let mut faults = Faults::default();
    if let Some(group) = group {
        faults.note(cgroup::kill(group));
        faults.note(cgroup::remove(group));
    }
    let rootfs = folder.path("rootfs");
    if rootfs.exists() {
        faults.note(mount::unmount(&rootfs));
    }
    faults.note(remove_folder(&inner.layer_folder(id)));
    faults.note(remove_folder(&folder.0));
    faults.into_result(format!("container `{id}`"))
}

fn send_signal(entry: &Entry, signal: Signal) {
    let Ok(Some(running)) = entry.folder.running() else { return };
    let Some(pid) = Pid::from_raw(running.init.pid) else { return };
    // the descriptor names one process for good, so that its number is checked only once
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    if running.init.is_alive() {
        // gone in between is what a signal is meant to achieve
        let _ = rustix::process::pidfd_send_signal(&pidfd, signal);
    }
}

/// How a container ended, as its shim noted it or as far as can be told.
fn exit_of(folder: &Folder, group: &str, started: Timestamp) -> ExitStatus {
    if let Ok(Some(status)) = folder.exit() {
        return status;
    }
    let oom = cgroup::oom_kills(group) > 0;
    let _ = cgroup::kill(group);
    let _ = cgroup::remove(group);
    let status = ExitStatus {
        code: UNKNOWN_CODE,
        signal: None,
        oom,
        started,
        finished: Timestamp::now(),
        unknown: true,
    };
    let _ = folder.write_exit(&status);
    status
}

/// Reads the containers on disk; gives those that run.
pub(super) fn find_containers(
    inner: &Inner,
) -> Result<(BTreeMap<String, Entry>, Vec<String>), RuntimeError> {
    let mut found = BTreeMap::new();
    let mut running = Vec::new();
    for path in subfolders(&inner.config.run_dir.join("containers"))? {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = Folder(path);
        let record = match folder.record() {
            Ok(record) if inner_has_sandbox(inner, &record) => record,
            record => {
                // never started, damaged, or of a sandbox that is gone
                let group = record.ok().map(|record| record.cgroup);
                let _ = clear(inner, &id, group.as_deref());
                continue;
            }
        };
        wait_for_start(&folder);
        let state = match (folder.exit(), folder.running()) {
            (Ok(Some(status)), _) => ContainerState::Exited(status),
            (_, Ok(None)) => {
                // its start was interrupted, and whoever wanted it will ask again
                let _ = clear(inner, &id, Some(&record.cgroup));
                continue;
            }
            (_, Ok(Some(noted))) if noted.shim.is_alive() => {
                running.push(id.clone());
                ContainerState::Running { pid: noted.init.pid, started: noted.started }
            }
            (_, noted) => {
                let started =
                    noted.ok().flatten().map_or_else(Timestamp::now, |noted| noted.started);
                ContainerState::Exited(exit_of(&folder, &record.cgroup, started))
            }
        };
        let (sender, _) = watch::channel(state);
        found.insert(id, Entry { folder, record: Arc::new(record), state: sender });
    }
    Ok((found, running))
}

/// A shim may be on its way, started by an agent that was killed since: it goes on by itself.
fn wait_for_start(folder: &Folder) {
    let decided =
        |folder: &Folder| folder.path("running.json").exists() || folder.path("exit.json").exists();
    let begin = std::time::Instant::now();
    while !decided(folder) && folder.has_shim() && begin.elapsed() < START_WAIT {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn inner_has_sandbox(inner: &Inner, record: &Record) -> bool {
    inner.state().sandboxes.contains_key(&record.spec.sandbox)
}

/// Watches a shim that an earlier agent started.
pub(super) fn watch_found(runtime: &Runtime, id: &str) {
    let Some(entry) = runtime.entry(id) else { return };
    let runtime = runtime.clone();
    tokio::spawn(async move {
        let noted = entry.folder.running().ok().flatten();
        if let Some(noted) = &noted
            && let Some(pid) = Pid::from_raw(noted.shim.pid)
            && let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)
            && noted.shim.is_alive()
            && let Ok(pidfd) = sys::readable(pidfd)
        {
            let _ = pidfd.readable().await;
        }
        let started = noted.map_or_else(Timestamp::now, |noted| noted.started);
        runtime.ended(&entry, started).await;
    });
}
