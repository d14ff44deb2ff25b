//! One pod: a state machine that brings what runs in line with what is stored.
//!
//! ```text
//! stored ─> sandbox ─> init containers, one after the other ─> containers
//!              │ fails: again, later        │ end: again by policy, with growing waits
//!   deleted ───┴────────────────────────────┴─> out of services ─> hooks, signals, grace
//!                                                    ─> containers, sandbox, volumes gone
//!                                                    ─> object gone
//! ```
//!
//! One task owns all state. Whatever takes time (images, starts, stops) runs beside it and sends an
//! [`Input`] when it is done; after each input [`Worker::step`] looks at everything and starts what
//! can be started. The status is a function of the state (`status`) and is written only when it
//! differs from what is stored, so a restarted agent that finds all well writes nothing. What a
//! container leaves behind is removed only after its end was written.

mod adopt;
mod container;
mod leave;

pub(super) use leave::remove_volumes;

use super::backoff::Waits;
use super::dns;
use super::environment::Configs;
use super::host::Host;
use super::probe::Verdict;
use super::request;
use super::start::{Begun, Fault};
use super::status::{self, Container, State};
use super::volume::{Facts, Volumes};
use crate::agent::events::Event;
use crate::agent::runtime::{ExitStatus, Sandbox, SandboxSpec};
use crate::agent::store::{Key, StoreError, metadata};
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// How long a sandbox that could not be made waits before the next try.
const SANDBOX_RETRY: Duration = Duration::from_secs(2);

/// How long a token that could not be made anew waits before the next try.
const RENEWAL_RETRY: Duration = Duration::from_secs(30);

/// What happens to a pod.
#[derive(Debug)]
pub(super) enum Input {
    /// It was changed by somebody.
    Changed,
    /// A ConfigMap or Secret that it uses was changed.
    Configured,
    /// One of its containers ended.
    Exited { id: String, exit: ExitStatus },
    /// A sandbox was made; `due` is when volumes are to be looked at again.
    Sandboxed { sandbox: Box<Sandbox>, due: Option<Timestamp> },
    /// No sandbox could be made: reason and message of the event.
    Unsandboxed { reason: &'static str, message: String },
    /// A start came to its end.
    Begun { slot: usize, attempt: u32, result: Box<Result<Begun, Fault>> },
    /// A probe has something to say.
    Verdict { slot: usize, attempt: u32, verdict: Verdict },
    /// All containers have been told to stop, and have.
    Stopped,
}

/// What is being done about a container.
#[derive(Debug, PartialEq)]
enum Activity {
    /// Nothing: it can be started when its turn comes.
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It waits for its next try.
    Until(Instant),
    /// It has ended for good.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Init,
    Sidecar,
    Main,
    /// Added to a pod that runs, to look into it.
    Ephemeral,
}

impl Role {
    /// The list of the pod's spec.
    fn list(self) -> &'static str {
        match self {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Main => "containers",
            Role::Ephemeral => "ephemeralContainers",
        }
    }
}

/// One container of the spec and what is being done about it.
#[derive(Debug)]
struct Slot {
    role: Role,
    spec: Node,
    activity: Activity,
    attempt: u32,
    waits: Waits,
    image_waits: Waits,
    /// When a failed pull turns into waiting for the next.
    backs_off: Option<Instant>,
    prober: Option<AbortHandle>,
    killer: Option<AbortHandle>,
}

impl Slot {
    fn name(&self) -> &str {
        self.spec.str_at(&["name"]).unwrap_or_default()
    }
}

#[derive(Debug, PartialEq)]
enum SandboxState {
    None,
    Making,
    Ready,
    /// The pod has finished, and its sandbox is gone.
    Gone,
    Until(Instant),
}

/// The end of a pod: how long it has, and which revision says so.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leaving {
    grace: u64,
    revision: u64,
}

/// The task of one pod.
#[derive(Debug)]
pub(super) struct Worker {
    host: Arc<Host>,
    key: Key,
    uid: String,
    /// The object as it was last seen.
    pod: Node,
    facts: status::Pod,
    sandbox: SandboxState,
    slots: Vec<Slot>,
    tell: UnboundedSender<Input>,
    cancel: watch::Sender<bool>,
    leaving: Option<Leaving>,
    stopper: Option<AbortHandle>,
    deadline: Option<Instant>,
    /// When a token in a volume is to be made anew.
    renewal: Option<Instant>,
    /// Containers to remove once the status says that they ended.
    spent: Vec<String>,
}

impl Worker {
    /// Runs until the pod is gone.
    pub(super) async fn run(mut self, mut inputs: UnboundedReceiver<Input>) {
        loop {
            self.refresh();
            self.step();
            self.report().await;
            self.discard();
            let wake = self.next_wake();
            let input = tokio::select! {
                input = inputs.recv() => input,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.wake();
                    continue;
                }
            };
            // the worker holds a sender itself
            let Some(mut input) = input else { return };
            // what came meanwhile is taken before anything is written
            loop {
                if matches!(input, Input::Stopped) && self.leaving.is_some() {
                    self.report().await;
                    self.clean_up().await;
                    return;
                }
                self.take(input);
                match inputs.try_recv() {
                    Ok(next) => input = next,
                    Err(_) => break,
                }
            }
        }
    }

    fn container(&mut self, at: usize) -> &mut Container {
        let (init, main) = (self.facts.init.len(), self.facts.main.len());
        match at {
            at if at < init => &mut self.facts.init[at],
            at if at < init + main => &mut self.facts.main[at - init],
            at => &mut self.facts.ephemeral[at - init - main],
        }
    }

    /// Looks at the stored pod: is it to go, and how fast?
    fn refresh(&mut self) {
        let stored = self.host.store.get(&self.key);
        let stored = stored.filter(|stored| meta::uid(&stored.object) == self.uid);
        let leaving = match stored {
            None => Some(Leaving { grace: 0, revision: 0 }),
            Some(stored) => {
                self.pod = stored.object.clone();
                self.deadline = deadline(&self.pod, self.facts.start, self.host.clock.now());
                metadata::is_deleted(&self.pod).then(|| {
                    let grace = self.pod.i64_at(&["metadata", "deletionGracePeriodSeconds"]);
                    let grace = grace.and_then(|seconds| u64::try_from(seconds).ok());
                    Leaving { grace: grace.unwrap_or(30), revision: stored.revision }
                })
            }
        };
        let Some(leaving) = leaving else { return };
        if self.leaving.is_none_or(|former| leaving.grace < former.grace) {
            if let Some(stopper) = self.stopper.take() {
                stopper.abort();
            }
            self.leaving = Some(leaving);
            self.cancel.send_replace(true);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Changed => {
                // volumes are made of what is stored now
                self.refresh();
                if self.sandbox == SandboxState::Ready {
                    self.update_volumes();
                }
                self.replace_changed();
                self.take_on_added();
            }
            Input::Configured => self.configured(),
            Input::Exited { id, exit } => {
                let at = (0..self.slots.len()).find(|at| self.container(*at).id == id);
                if let Some(at) = at {
                    self.exited(at, &id, &exit);
                }
            }
            Input::Sandboxed { sandbox, due } => {
                self.sandboxed(&sandbox);
                self.renew_at(due);
            }
            Input::Unsandboxed { reason, message } => {
                self.sandbox = SandboxState::Until(Instant::now() + SANDBOX_RETRY);
                self.host.tell(Event::warning(&self.pod, reason, message));
            }
            Input::Begun { slot, attempt, result } => {
                if self.slots[slot].attempt == attempt {
                    self.begun(slot, *result);
                }
            }
            Input::Verdict { slot, attempt, verdict } => {
                if self.slots[slot].attempt == attempt
                    && self.slots[slot].activity == Activity::Running
                {
                    self.verdict(slot, verdict);
                }
            }
            Input::Stopped => self.stopper = None,
        }
    }

    /// Something that the pod refers to is new or different.
    fn configured(&mut self) {
        if self.sandbox == SandboxState::Ready {
            self.update_volumes();
        }
        for at in 0..self.slots.len() {
            let missing = matches!(&self.container(at).state, State::Waiting { reason, .. }
                if reason == "CreateContainerConfigError");
            if missing && matches!(self.slots[at].activity, Activity::Until(_)) {
                self.slots[at].activity = Activity::Idle;
            }
        }
        if matches!(self.sandbox, SandboxState::Until(_)) {
            self.sandbox = SandboxState::None;
        }
    }

    fn sandboxed(&mut self, sandbox: &Sandbox) {
        self.sandbox = SandboxState::Ready;
        self.facts.sandboxed = true;
        let ip = sandbox.ip.unwrap_or(self.host.config.host_ip);
        self.facts.ip = Some(ip.to_string());
    }

    fn ip(&self) -> Option<IpAddr> {
        self.facts.ip.as_ref().and_then(|ip| ip.parse().ok())
    }

    /// Starts whatever can be started now.
    fn step(&mut self) {
        if self.leaving.is_some() {
            self.leave();
            return;
        }
        if self.deadline.is_some_and(|at| at <= Instant::now()) && self.facts.failed.is_none() {
            let message = "Pod was active on the node longer than the specified deadline";
            self.fail("DeadlineExceeded", message.to_owned());
        }
        if let Some(name) = request::forbidden_sysctl(&self.pod).filter(|_| !self.facts.sandboxed) {
            let message = format!("forbidden sysctl: {name:?} not allowlisted");
            self.fail("SysctlForbidden", message);
        }
        if matches!(self.facts.phase(), "Succeeded" | "Failed") {
            self.finish();
            return;
        }
        match self.sandbox {
            SandboxState::None => self.make_sandbox(),
            SandboxState::Ready => self.start_containers(),
            _ => {}
        }
    }

    /// The pod as a whole has failed.
    fn fail(&mut self, reason: &str, message: String) {
        if self.facts.failed.is_none() {
            self.host.tell(Event::warning(&self.pod, reason, message.clone()));
            self.facts.failed = Some((reason.to_owned(), message));
            self.cancel.send_replace(true);
        }
    }

    /// Brings files of ConfigMaps, Secrets and the pod's own fields up to date. What cannot be had
    /// any more stays as it was.
    fn update_volumes(&mut self) {
        match prepare_volumes(&self.host, &self.key, &self.pod) {
            Ok(due) => self.renew_at(due),
            Err(error) => {
                tracing::debug!(pod = %self.key, %error, "volumes stay as they are");
                self.renewal = self.renewal.map(|_| Instant::now() + RENEWAL_RETRY);
            }
        }
    }

    /// Sets the time at which volumes are looked at again.
    fn renew_at(&mut self, due: Option<Timestamp>) {
        let now = self.host.clock.now();
        self.renewal = due.map(|due| {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Instant::now() + left.max(Duration::from_secs(1))
        });
    }

    fn make_sandbox(&mut self) {
        self.sandbox = SandboxState::Making;
        let flag = |key: &str| self.pod.at(&["spec", key]).and_then(Node::as_bool) == Some(true);
        let sysctls = self.pod.items_at(&["spec", "securityContext", "sysctls"]).iter();
        let sysctls = sysctls.filter_map(|sysctl| {
            Some((sysctl.str_at(&["name"])?.to_owned(), sysctl.str_at(&["value"])?.to_owned()))
        });
        let host = Arc::clone(&self.host);
        let domain_name = request::domain_name(&self.pod, dns::DOMAIN);
        let as_full_name = self.pod.at(&["spec", "setHostnameAsFQDN"]).and_then(Node::as_bool);
        let spec = SandboxSpec {
            id: self.uid.clone(),
            namespace: self.key.namespace.to_string(),
            name: self.key.name.to_string(),
            uid: self.uid.clone(),
            hostname: match (&domain_name, as_full_name) {
                (Some(full), Some(true)) => full.clone(),
                _ => request::hostname(&self.pod),
            },
            host_network: flag("hostNetwork"),
            host_ipc: flag("hostIPC"),
            sysctls: sysctls.collect(),
            resolv_conf: dns::resolv_conf(&self.pod, host.config.dns_ip, &host.resolv_conf),
            host_aliases: request::host_aliases(&self.pod),
            domain_name,
        };
        let (key, pod, tell) = (self.key.clone(), self.pod.clone(), self.tell.clone());
        tokio::spawn(async move {
            let made = async {
                let on = Arc::clone(&host);
                let volumes = move || prepare_volumes(&on, &key, &pod);
                let prepared = tokio::task::spawn_blocking(volumes).await;
                let prepared = prepared.unwrap_or_else(|error| Err(error.to_string()));
                let due = prepared.map_err(|message| ("FailedMount", message))?;
                let sandbox = host.runtime.create_sandbox(&spec).await.map_err(|error| {
                    let message = format!("Failed to create pod sandbox: {}", error.chain());
                    ("FailedCreatePodSandBox", message)
                })?;
                Ok(Input::Sandboxed { sandbox: Box::new(sandbox), due })
            };
            let made = made.await;
            let _ = tell.send(
                made.unwrap_or_else(|(reason, message)| Input::Unsandboxed { reason, message }),
            );
        });
    }

    fn start_containers(&mut self) {
        let inits = self.facts.init.len();
        let ephemeral = inits + self.facts.main.len();
        for at in ephemeral..self.slots.len() {
            self.start(at);
        }
        for at in 0..inits {
            let role = self.slots[at].role;
            let container = &self.facts.init[at];
            let past = match role {
                Role::Sidecar => container.is_running() && container.started,
                _ => container.has_succeeded(),
            };
            if role == Role::Sidecar || !past {
                self.start(at);
            }
            if !past && !self.main_began() {
                return;
            }
        }
        for at in inits..ephemeral {
            self.start(at);
        }
    }

    /// True once the main containers had their turn: a sidecar that is started again later does not
    /// hold them back.
    fn main_began(&self) -> bool {
        self.facts.main.iter().any(|main| !main.id.is_empty() || main.last.is_some())
    }

    /// When a timer is due.
    fn next_wake(&self) -> Option<Instant> {
        let slots = self.slots.iter().flat_map(|slot| {
            let next = match slot.activity {
                Activity::Until(at) => Some(at),
                _ => None,
            };
            next.into_iter().chain(slot.backs_off)
        });
        let sandbox = match self.sandbox {
            SandboxState::Until(at) => Some(at),
            _ => None,
        };
        let deadline = self.deadline.filter(|_| self.facts.failed.is_none());
        slots.chain(sandbox).chain(deadline).chain(self.renewal).min()
    }

    /// Lets everything whose time has come be tried again.
    fn wake(&mut self) {
        let now = Instant::now();
        if matches!(self.sandbox, SandboxState::Until(at) if at <= now) {
            self.sandbox = SandboxState::None;
        }
        if self.renewal.is_some_and(|due| due <= now) {
            match self.sandbox {
                SandboxState::Ready => self.update_volumes(),
                _ => self.renewal = None,
            }
        }
        for at in 0..self.slots.len() {
            if self.slots[at].backs_off.is_some_and(|due| due <= now) {
                self.back_off_image(at);
            }
            if matches!(self.slots[at].activity, Activity::Until(due) if due <= now) {
                self.slots[at].activity = Activity::Idle;
            }
        }
    }

    /// Writes the status when it is not what is stored.
    async fn report(&mut self) {
        let (uid, node, now) = (&self.uid, &self.host.config.node_name, self.host.clock.now());
        let was_bound = self.pod.str_at(&["spec", "nodeName"]) == Some(node);
        let written = self
            .host
            .store
            .modify(&self.key, |pod| {
                if meta::uid(pod) != uid {
                    return false;
                }
                let status = self.facts.status(pod, now);
                let is_bound = pod.str_at(&["spec", "nodeName"]) == Some(node);
                if is_bound && pod.get("status") == Some(&status) {
                    return false;
                }
                pod.set_at(&["spec", "nodeName"], node.as_str());
                pod.set("status", status);
                true
            })
            .await;
        match written {
            Ok(Some(stored)) if meta::uid(&stored.object) == *uid => {
                if !was_bound {
                    let place = format!("{}/{}", self.key.namespace, self.key.name);
                    let message = format!("Successfully assigned {place} to {node}");
                    let event = Event::normal(&stored.object, "Scheduled", message);
                    self.host.tell_as("default-scheduler", event);
                }
                self.pod = stored.object.clone();
            }
            Ok(_) | Err(StoreError::Closed) => {}
            Err(error) => tracing::warn!(pod = %self.key, %error, "a status could not be stored"),
        }
    }

    /// Removes containers whose end is stored.
    fn discard(&mut self) {
        for id in self.spent.drain(..) {
            let host = Arc::clone(&self.host);
            tokio::spawn(async move {
                log_fault("container", &id, host.runtime.remove_container(&id).await);
            });
        }
    }
}

/// When a pod has run for as long as it may.
fn deadline(pod: &Node, start: Timestamp, now: Timestamp) -> Option<Instant> {
    let seconds = pod.i64_at(&["spec", "activeDeadlineSeconds"])?;
    let left = seconds - now.duration_since(start).as_secs();
    Some(Instant::now() + Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// Makes the volumes of a pod, or brings them up to date; gives the time of the next look.
fn prepare_volumes(host: &Host, key: &Key, pod: &Node) -> Result<Option<Timestamp>, String> {
    let volumes = Volumes::new(&host.config.state_dir, &host.config.run_dir, meta::uid(pod));
    let facts = Facts {
        pod,
        capacity: &host.capacity,
        configs: Configs::new(&host.store, &key.namespace),
        store: &host.store,
        tokens: &host.tokens,
        node: &host.config.node_name,
        now: host.clock.now(),
    };
    volumes.prepare(&facts).map_err(|error| error.to_string())
}

fn log_fault(what: &str, id: &str, result: Result<(), crate::agent::runtime::RuntimeError>) {
    if let Err(error) = result {
        tracing::warn!(%id, error = %error.chain(), "a {what} could not be removed");
    }
}
