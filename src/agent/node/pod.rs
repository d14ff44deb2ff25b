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
//! can be started. The status is a function of the state ([`status`]) and is written only when it
//! differs from what is stored, so a restarted agent that finds all well writes nothing.

use super::backoff::{RECOVERED, Waits, go_text};
use super::dns;
use super::environment::Configs;
use super::host::Host;
use super::probe::{Probes, Verdict};
use super::request;
use super::start::{self, Begun, Fault, Start};
use super::status::{self, Container, Ended, Restart, State};
use super::volume::Volumes;
use crate::agent::events::Event;
use crate::agent::runtime::{ContainerState, ExitStatus, Found, Sandbox, SandboxSpec};
use crate::agent::store::{Key, Op, StoreError, metadata};
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

/// How long a container with a missing reference waits before the next try.
const CONFIG_RETRY: Duration = Duration::from_secs(2);

/// What happens to a pod.
#[derive(Debug)]
pub(super) enum Input {
    /// It, or a ConfigMap or Secret that it uses, was changed.
    Changed,
    /// One of its containers ended.
    Exited { id: String, exit: ExitStatus },
    /// A sandbox was made, or not.
    Sandboxed(Result<Sandbox, String>),
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
}

#[derive(Debug)]
struct Slot {
    role: Role,
    spec: Node,
    activity: Activity,
    attempt: u32,
    waits: Waits,
    image_waits: Waits,
    prober: Option<AbortHandle>,
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

/// The task of one pod.
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
    /// Set when the pod is to go: the seconds it has.
    leaving: Option<u64>,
    stopper: Option<AbortHandle>,
    deadline: Option<Instant>,
}

impl Worker {
    /// Takes a pod on. `found` are containers of it that the runtime has already.
    pub(super) fn new(
        host: Arc<Host>,
        key: Key,
        pod: Node,
        sandbox: Option<Sandbox>,
        found: Vec<Found>,
        tell: UnboundedSender<Input>,
    ) -> Worker {
        let uid = meta::uid(&pod).to_owned();
        let now = host.clock.now();
        let mut slots = Vec::new();
        let mut init = Vec::new();
        let mut main = Vec::new();
        let mut sidecars = Vec::new();
        let first_reason = if pod.items_at(&["spec", "initContainers"]).is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        for (list, statuses) in
            [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")]
        {
            for spec in pod.items_at(&["spec", list]) {
                let role = match (list, spec.str_at(&["restartPolicy"])) {
                    ("containers", _) => Role::Main,
                    (_, Some("Always")) => Role::Sidecar,
                    _ => Role::Init,
                };
                let stored = pod.items_at(&["status", statuses]);
                let mut container = status::read_container(spec, stored);
                if stored.is_empty() {
                    container.state = State::waiting(first_reason);
                }
                if role == Role::Sidecar {
                    sidecars.push(container.name.clone());
                }
                slots.push(Slot {
                    role,
                    spec: spec.clone(),
                    activity: if container.has_ended() { Activity::Done } else { Activity::Idle },
                    attempt: container.restarts,
                    waits: Waits::after(container.restarts),
                    image_waits: Waits::default(),
                    prober: None,
                });
                if role == Role::Main { main.push(container) } else { init.push(container) }
            }
        }
        let start = pod.str_at(&["status", "startTime"]).and_then(|time| time.parse().ok());
        let start: Timestamp = start.unwrap_or(now);
        let deadline = pod.i64_at(&["spec", "activeDeadlineSeconds"]).map(|seconds| {
            let left = seconds - now.duration_since(start).as_secs();
            Instant::now() + Duration::from_secs(u64::try_from(left).unwrap_or(0))
        });
        let facts = status::Pod {
            init,
            sidecars,
            main,
            ip: None,
            host_ip: host.config.host_ip.to_string(),
            start,
            sandboxed: false,
            failed: pod.str_at(&["status", "reason"]).map(|reason| {
                let message = pod.str_at(&["status", "message"]).unwrap_or_default();
                (reason.to_owned(), message.to_owned())
            }),
            restart: Restart::of(&pod),
        };
        let mut worker = Worker {
            host,
            key,
            uid,
            pod,
            facts,
            sandbox: SandboxState::None,
            slots,
            tell,
            cancel: watch::Sender::new(false),
            leaving: None,
            stopper: None,
            deadline,
        };
        if let Some(sandbox) = sandbox {
            worker.sandboxed(&sandbox);
        }
        worker.adopt(found);
        worker
    }

    /// Takes over containers that a former agent started.
    fn adopt(&mut self, found: Vec<Found>) {
        for container in found {
            let at = self.slots.iter().position(|slot| {
                slot.spec.str_at(&["name"]) == Some(&container.name)
                    && slot.attempt <= container.attempt
            });
            let Some(at) = at else { continue };
            self.slots[at].attempt = container.attempt;
            let facts = self.container(at);
            facts.restarts = container.attempt;
            facts.id.clone_from(&container.id);
            if let Some(image) = container.labels.get("image") {
                facts.image_id.clone_from(image);
            }
            match container.state {
                ContainerState::Running { started, .. } => {
                    let (was_started, was_ready) = (facts.started, facts.ready);
                    self.running(at, started);
                    // what the probes had said stands until they say something else
                    let facts = self.container(at);
                    facts.started |= was_started;
                    facts.ready |= was_ready;
                }
                ContainerState::Exited(exit) => {
                    self.slots[at].activity = Activity::Running;
                    self.exited(at, &container.id, &exit);
                }
                ContainerState::Created => {}
            }
        }
        // a container that the status calls running and the runtime does not know was lost
        for at in 0..self.slots.len() {
            if self.slots[at].activity == Activity::Idle && self.container(at).is_running() {
                let id = self.container(at).id.clone();
                let now = self.host.clock.now();
                self.slots[at].activity = Activity::Running;
                self.ended(
                    at,
                    Ended {
                        code: 137,
                        reason: "ContainerStatusUnknown".to_owned(),
                        message: "The container could not be located when the pod was restarted"
                            .to_owned(),
                        started: None,
                        finished: now,
                        id,
                    },
                );
            }
        }
    }

    /// Runs until the pod is gone.
    pub(super) async fn run(mut self, mut inputs: UnboundedReceiver<Input>) {
        loop {
            self.refresh();
            self.step();
            self.report().await;
            let wake = self.next_wake();
            let input = tokio::select! {
                input = inputs.recv() => input,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.wake();
                    continue;
                }
            };
            match input {
                None => return,
                Some(Input::Stopped) => {
                    if self.leaving.is_some() {
                        self.clean_up().await;
                        return;
                    }
                }
                Some(input) => self.take(input),
            }
            // what came meanwhile is taken before anything is written
            while let Ok(input) = inputs.try_recv() {
                if matches!(input, Input::Stopped) && self.leaving.is_some() {
                    self.clean_up().await;
                    return;
                }
                self.take(input);
            }
        }
    }

    fn container(&mut self, at: usize) -> &mut Container {
        let init = self.facts.init.len();
        if at < init { &mut self.facts.init[at] } else { &mut self.facts.main[at - init] }
    }

    /// Looks at the stored pod: is it to go, and how fast?
    fn refresh(&mut self) {
        let stored = self.host.store.get(&self.key);
        let stored = stored.filter(|stored| meta::uid(&stored.object) == self.uid);
        let grace = match stored {
            None => Some(0),
            Some(stored) => {
                self.pod = stored.object.clone();
                metadata::is_deleted(&self.pod).then(|| {
                    let grace = self.pod.i64_at(&["metadata", "deletionGracePeriodSeconds"]);
                    grace.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(30)
                })
            }
        };
        let Some(grace) = grace else { return };
        if self.leaving.is_none_or(|former| grace < former) {
            if let Some(stopper) = self.stopper.take() {
                stopper.abort();
            }
            self.leaving = Some(grace);
            let _ = self.cancel.send(true);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Changed => {
                if self.sandbox == SandboxState::Ready {
                    let _ = self.volumes();
                }
                // what was missing may be there now
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
            Input::Exited { id, exit } => {
                let at = (0..self.slots.len()).find(|at| self.container(*at).id == id);
                if let Some(at) = at {
                    self.exited(at, &id, &exit);
                }
            }
            Input::Sandboxed(Ok(sandbox)) => self.sandboxed(&sandbox),
            Input::Sandboxed(Err(message)) => {
                self.sandbox = SandboxState::Until(Instant::now() + SANDBOX_RETRY);
                let message = format!("Failed to create pod sandbox: {message}");
                self.host.tell(Event::warning(&self.pod, "FailedCreatePodSandBox", message));
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
            self.host.tell(Event::normal(&self.pod, "DeadlineExceeded", message));
            self.facts.failed = Some(("DeadlineExceeded".to_owned(), message.to_owned()));
            let _ = self.cancel.send(true);
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

    fn volumes(&self) -> Result<(), String> {
        let config = &self.host.config;
        let volumes = Volumes::new(&config.state_dir, &config.run_dir, &self.uid);
        let configs = Configs::new(&self.host.store, &self.key.namespace);
        volumes
            .prepare(&self.pod, &self.host.capacity, &configs)
            .map_err(|error| error.to_string())
    }

    fn make_sandbox(&mut self) {
        if let Err(message) = self.volumes() {
            self.sandbox = SandboxState::Until(Instant::now() + SANDBOX_RETRY);
            self.host.tell(Event::warning(&self.pod, "FailedMount", message));
            return;
        }
        self.sandbox = SandboxState::Making;
        let flag = |key: &str| self.pod.at(&["spec", key]).and_then(Node::as_bool) == Some(true);
        let sysctls = self.pod.items_at(&["spec", "securityContext", "sysctls"]).iter();
        let sysctls = sysctls.filter_map(|sysctl| {
            Some((sysctl.str_at(&["name"])?.to_owned(), sysctl.str_at(&["value"])?.to_owned()))
        });
        let (host, pod) = (Arc::clone(&self.host), self.pod.clone());
        let spec = SandboxSpec {
            id: self.uid.clone(),
            namespace: self.key.namespace.to_string(),
            name: self.key.name.to_string(),
            hostname: request::hostname(&self.pod),
            host_network: flag("hostNetwork"),
            host_ipc: flag("hostIPC"),
            sysctls: sysctls.collect(),
            resolv_conf: dns::resolv_conf(&self.pod, host.config.dns_ip, &host.resolv_conf),
            ..SandboxSpec::default()
        };
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let hosts = |ip: Option<IpAddr>| {
                let ip = ip.map(|ip| ip.to_string());
                request::hosts(&pod, ip.as_deref(), dns::DOMAIN)
            };
            let made = host.runtime.create_sandbox(&spec, hosts).await;
            let _ = tell.send(Input::Sandboxed(made.map_err(|error| error.chain())));
        });
    }

    fn start_containers(&mut self) {
        let inits = self.facts.init.len();
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
            if !past {
                return;
            }
        }
        for at in inits..self.slots.len() {
            self.start(at);
        }
    }

    fn start(&mut self, at: usize) {
        if self.slots[at].activity != Activity::Idle {
            return;
        }
        self.slots[at].activity = Activity::Starting;
        if let State::Waiting { reason, .. } = &self.container(at).state
            && reason == "PodInitializing"
        {
            self.container(at).state = State::waiting("ContainerCreating");
        }
        let mut pod = self.pod.clone();
        if let Some(ip) = &self.facts.ip {
            pod.set_at(&["status", "podIP"], ip.as_str());
        }
        pod.set_at(&["status", "hostIP"], self.facts.host_ip.as_str());
        pod.set_at(&["spec", "nodeName"], self.host.config.node_name.as_str());
        let attempt = self.slots[at].attempt;
        let start = Start {
            host: Arc::clone(&self.host),
            pod,
            container: self.slots[at].spec.clone(),
            attempt,
            ip: self.ip(),
            cancelled: self.cancel.subscribe(),
        };
        // known before it runs, so that an exit that comes first finds its container
        self.container(at).id = start::container_id(&start.pod, &start.container, attempt);
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let result = Box::new(start.run().await);
            let _ = tell.send(Input::Begun { slot: at, attempt, result });
        });
    }

    fn begun(&mut self, at: usize, result: Result<Begun, Fault>) {
        if self.slots[at].activity != Activity::Starting {
            // it has ended already
            return;
        }
        match result {
            Ok(begun) => {
                self.slots[at].image_waits.reset();
                let container = self.container(at);
                container.image_id = begun.image_id;
                container.id = begun.id;
                self.running(at, begun.since);
            }
            Err(Fault::Cancelled) => {
                self.slots[at].activity = Activity::Idle;
                self.container(at).id.clear();
            }
            Err(Fault::Image { reason, message }) => {
                let wait = self.slots[at].image_waits.of_image();
                self.slots[at].activity = Activity::Until(Instant::now() + wait);
                let container = self.container(at);
                container.id.clear();
                container.state = State::Waiting { reason: reason.to_owned(), message };
            }
            Err(Fault::Config(message)) => {
                self.slots[at].activity = Activity::Until(Instant::now() + CONFIG_RETRY);
                let container = self.container(at);
                container.id.clear();
                let reason = "CreateContainerConfigError".to_owned();
                container.state = State::Waiting { reason, message };
            }
            Err(Fault::Start(message)) => {
                let event = Event::warning(&self.pod, "Failed", format!("Error: {message}"));
                self.host.tell(event.of_field(start::field_path(&self.slots[at].spec)));
                let id = self.container(at).id.clone();
                let now = self.host.clock.now();
                let reason = "StartError".to_owned();
                let ended = Ended { code: 128, reason, message, started: None, finished: now, id };
                self.ended(at, ended);
            }
            Err(Fault::Hook { id, message }) => {
                let event = Event::warning(&self.pod, "FailedPostStartHook", message);
                self.host.tell(event.of_field(start::field_path(&self.slots[at].spec)));
                self.container(at).id = id;
                self.slots[at].activity = Activity::Running;
                self.kill(at, "FailedPostStartHook");
            }
        }
    }

    fn running(&mut self, at: usize, since: Timestamp) {
        self.slots[at].activity = Activity::Running;
        let probes = Probes::of(&self.slots[at].spec);
        let container = self.container(at);
        container.state = State::Running { since };
        container.started = probes.startup.is_none();
        container.ready = container.started && probes.readiness.is_none();
        if probes.is_empty() {
            return;
        }
        let id = container.id.clone();
        let (attempt, tell) = (self.slots[at].attempt, self.tell.clone());
        let exec = start::exec(&self.host, &id);
        let ip = self.ip();
        let prober = tokio::spawn(async move {
            let (verdicts, mut said) = tokio::sync::mpsc::unbounded_channel();
            let forward = async {
                while let Some(verdict) = said.recv().await {
                    if tell.send(Input::Verdict { slot: at, attempt, verdict }).is_err() {
                        return;
                    }
                }
            };
            tokio::join!(probes.run(ip, exec, verdicts), forward);
        });
        self.slots[at].prober = Some(prober.abort_handle());
    }

    fn verdict(&mut self, at: usize, verdict: Verdict) {
        match verdict {
            Verdict::Started => {
                let is_ready = self.slots[at].spec.get("readinessProbe").is_none_or(Node::is_null);
                let container = self.container(at);
                container.started = true;
                container.ready |= is_ready;
            }
            Verdict::Ready(ready) => self.container(at).ready = ready,
            Verdict::Unhealthy(message) => {
                let event = Event::warning(&self.pod, "Unhealthy", message);
                self.host.tell(event.of_field(start::field_path(&self.slots[at].spec)));
            }
            Verdict::Kill(why) => self.kill(at, &why),
        }
    }

    /// Stops one container, which then starts again by the pod's policy.
    fn kill(&mut self, at: usize, why: &str) {
        let slot = &self.slots[at];
        let name = slot.spec.str_at(&["name"]).unwrap_or_default();
        let message = format!("Container {name} {why}, will be restarted");
        let event = Event::normal(&self.pod, "Killing", message);
        self.host.tell(event.of_field(start::field_path(&slot.spec)));
        let own = slot.spec.i64_at(&["livenessProbe", "terminationGracePeriodSeconds"]);
        let of_pod = self.pod.i64_at(&["spec", "terminationGracePeriodSeconds"]);
        let grace = Duration::from_secs(own.or(of_pod).unwrap_or(30).unsigned_abs());
        let (host, pod, spec) = (Arc::clone(&self.host), self.pod.clone(), slot.spec.clone());
        let (id, ip) = (self.container(at).id.clone(), self.ip());
        tokio::spawn(start::stop(host, pod, spec, id, ip, grace));
    }

    fn exited(&mut self, at: usize, id: &str, exit: &ExitStatus) {
        if !matches!(self.slots[at].activity, Activity::Running | Activity::Starting) {
            return;
        }
        let (spec, attempt) = (&self.slots[at].spec, self.slots[at].attempt);
        let message = start::message(&self.host, &self.pod, spec, attempt, exit.code);
        let ran = exit.finished.duration_since(exit.started);
        if Duration::try_from(ran).is_ok_and(|ran| ran >= RECOVERED) {
            self.slots[at].waits.reset();
        }
        self.ended(at, start::ended(id, exit, message));
    }

    /// Decides what becomes of a container that has ended.
    fn ended(&mut self, at: usize, ended: Ended) {
        if let Some(prober) = self.slots[at].prober.take() {
            prober.abort();
        }
        let (host, id) = (Arc::clone(&self.host), ended.id.clone());
        tokio::spawn(async move {
            if let Err(error) = host.runtime.remove_container(&id).await {
                tracing::warn!(%id, error = %error.chain(), "a container could not be removed");
            }
        });
        let role = self.slots[at].role;
        let again = match role {
            Role::Sidecar => true,
            Role::Init => ended.code != 0 && self.facts.restart != Restart::Never,
            Role::Main => self.facts.restart.again(ended.code),
        };
        let staying = self.leaving.is_none() && self.facts.failed.is_none();
        let container = self.container(at);
        container.ready = false;
        container.started = false;
        if !(again && staying) {
            container.state = State::Terminated(ended);
            self.slots[at].activity = Activity::Done;
            return;
        }
        container.last = Some(ended);
        container.restarts += 1;
        self.slots[at].attempt += 1;
        let wait = self.slots[at].waits.of_container();
        if wait.is_zero() {
            self.container(at).state = State::waiting("ContainerCreating");
            self.slots[at].activity = Activity::Idle;
            return;
        }
        let container = self.container(at);
        let (name, place) = (container.name.clone(), self.place());
        let message =
            format!("back-off {} restarting failed container={name} pod={place}", go_text(wait));
        self.container(at).state =
            State::Waiting { reason: "CrashLoopBackOff".to_owned(), message };
        self.slots[at].activity = Activity::Until(Instant::now() + wait);
        let message = format!("Back-off restarting failed container {name} in pod {place}");
        let event = Event::warning(&self.pod, "BackOff", message);
        self.host.tell(event.of_field(start::field_path(&self.slots[at].spec)));
    }

    /// `name_namespace(uid)`, as the kubelet's messages have it.
    fn place(&self) -> String {
        format!("{}_{}({})", self.key.name, self.key.namespace, self.uid)
    }

    /// When a timer is due.
    fn next_wake(&self) -> Option<Instant> {
        let slots = self.slots.iter().filter_map(|slot| match slot.activity {
            Activity::Until(at) => Some(at),
            _ => None,
        });
        let sandbox = match self.sandbox {
            SandboxState::Until(at) => Some(at),
            _ => None,
        };
        let deadline = self.deadline.filter(|_| self.facts.failed.is_none());
        slots.chain(sandbox).chain(deadline).min()
    }

    /// Lets everything whose time has come be tried again.
    fn wake(&mut self) {
        let now = Instant::now();
        if matches!(self.sandbox, SandboxState::Until(at) if at <= now) {
            self.sandbox = SandboxState::None;
        }
        for at in 0..self.slots.len() {
            if matches!(self.slots[at].activity, Activity::Until(due) if due <= now) {
                self.slots[at].activity = Activity::Idle;
            }
        }
    }

    /// The pod has done its work: what still runs is stopped, its network is given back.
    fn finish(&mut self) {
        if self.sandbox == SandboxState::Gone || self.stopper.is_some() {
            return;
        }
        let starting = self.slots.iter().any(|slot| slot.activity == Activity::Starting);
        if starting || self.sandbox == SandboxState::Making {
            return;
        }
        let running = self.running_containers();
        if !running.is_empty() {
            let grace = self.pod.i64_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
            self.stop_all(running, Duration::from_secs(grace.unsigned_abs()), false);
            return;
        }
        self.sandbox = SandboxState::Gone;
        self.facts.sandboxed = false;
        let (host, uid) = (Arc::clone(&self.host), self.uid.clone());
        tokio::spawn(async move {
            if let Err(error) = host.runtime.remove_sandbox(&uid).await {
                tracing::warn!(%uid, error = %error.chain(), "a sandbox could not be removed");
            }
        });
    }

    fn running_containers(&mut self) -> Vec<(Node, String, Role)> {
        let running: Vec<usize> = (0..self.slots.len())
            .filter(|at| self.slots[*at].activity == Activity::Running)
            .collect();
        running
            .into_iter()
            .map(|at| {
                (self.slots[at].spec.clone(), self.container(at).id.clone(), self.slots[at].role)
            })
            .collect()
    }

    /// Stops everything, once nothing is half started.
    fn leave(&mut self) {
        if self.stopper.is_some() {
            return;
        }
        let starting = self.slots.iter().any(|slot| slot.activity == Activity::Starting);
        if starting || self.sandbox == SandboxState::Making {
            return;
        }
        let grace = Duration::from_secs(self.leaving.unwrap_or(0));
        for slot in &mut self.slots {
            if let Some(prober) = slot.prober.take() {
                prober.abort();
            }
        }
        let running = self.running_containers();
        for (spec, _, _) in &running {
            let name = spec.str_at(&["name"]).unwrap_or_default();
            let event = Event::normal(&self.pod, "Killing", format!("Stopping container {name}"));
            self.host.tell(event.of_field(start::field_path(spec)));
        }
        self.stop_all(running, grace, true);
    }

    /// Stops containers beside each other, sidecars after the others, and says when all have ended.
    fn stop_all(&mut self, running: Vec<(Node, String, Role)>, grace: Duration, leaving: bool) {
        let (host, pod, ip, tell) =
            (Arc::clone(&self.host), self.pod.clone(), self.ip(), self.tell.clone());
        let stopper = tokio::spawn(async move {
            if leaving && !running.is_empty() {
                // no new connection comes once the rules are without this pod
                host.proxy.settled(host.store.revision()).await;
            }
            let began = Instant::now();
            let (sidecars, others): (Vec<_>, Vec<_>) =
                running.into_iter().partition(|(_, _, role)| *role == Role::Sidecar);
            for group in [others, sidecars] {
                let left = grace.saturating_sub(began.elapsed());
                let stops = group.into_iter().map(|(spec, id, _)| {
                    start::stop(Arc::clone(&host), pod.clone(), spec, id, ip, left)
                });
                futures::future::join_all(stops).await;
            }
            let _ = tell.send(Input::Stopped);
        });
        self.stopper = Some(stopper.abort_handle());
    }

    /// Removes all that the pod had on this host, then the object.
    async fn clean_up(&mut self) {
        let host = Arc::clone(&self.host);
        for at in 0..self.slots.len() {
            let id = self.container(at).id.clone();
            if !id.is_empty() {
                log_fault("container", &id, host.runtime.remove_container(&id).await);
            }
        }
        log_fault("sandbox", &self.uid, host.runtime.remove_sandbox(&self.uid).await);
        let volumes = Volumes::new(&host.config.state_dir, &host.config.run_dir, &self.uid);
        if let Err(error) = volumes.remove() {
            tracing::warn!(pod = %self.key, %error, "volumes could not be removed");
        }
        host.forget(&self.key, &self.uid).await;
    }

    /// Writes the status when it is not what is stored.
    async fn report(&mut self) {
        if self.host.store.get(&self.key).is_none() {
            return;
        }
        let (uid, node, now) = (&self.uid, &self.host.config.node_name, self.host.clock.now());
        let bound = std::cell::Cell::new(false);
        let written = self
            .host
            .store
            .modify(&self.key, |pod| {
                if meta::uid(pod) != uid {
                    return false;
                }
                let status = self.facts.status(pod, now);
                let is_bound = pod.str_at(&["spec", "nodeName"]) == Some(node);
                bound.set(!is_bound);
                if is_bound && pod.get("status") == Some(&status) {
                    return false;
                }
                pod.set_at(&["spec", "nodeName"], node.as_str());
                pod.set("status", status);
                true
            })
            .await;
        match written {
            Ok(Some(stored)) => {
                if bound.get() {
                    let message = format!("Successfully assigned {} to {node}", self.full_name());
                    self.host.tell(Event::normal(&stored.object, "Scheduled", message));
                }
                self.pod = stored.object.clone();
            }
            Ok(None) | Err(StoreError::Closed) => {}
            Err(error) => tracing::warn!(pod = %self.key, %error, "a status could not be stored"),
        }
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.key.namespace, self.key.name)
    }
}

fn log_fault(what: &str, id: &str, result: Result<(), crate::agent::runtime::RuntimeError>) {
    if let Err(error) = result {
        tracing::warn!(%id, error = %error.chain(), "a {what} could not be removed");
    }
}

impl Host {
    /// Deletes a pod's object, unless a finalizer holds it: then it is left without grace.
    async fn forget(&self, key: &Key, uid: &str) {
        loop {
            let Some(stored) = self.store.get(key) else { return };
            if meta::uid(&stored.object) != uid {
                return;
            }
            let expect = Some(stored.revision);
            let op = if stored.object.items_at(&["metadata", "finalizers"]).is_empty() {
                Op::Delete { key: key.clone(), expect }
            } else {
                let mut object = stored.object.clone();
                object.set_at(&["metadata", "deletionGracePeriodSeconds"], 0);
                Op::Update { key: key.clone(), object, expect }
            };
            match self.store.commit(vec![op]).await {
                Err(StoreError::Changed { .. }) => {}
                Err(StoreError::Write(error)) => {
                    tracing::warn!(pod = %key, %error, "a pod could not be removed from the store");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                _ => return,
            }
        }
    }
}
