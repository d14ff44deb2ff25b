//! One container of a pod: started, watched by probes, ended, started again.

use super::{Activity, Input, Role, Worker};
use crate::agent::events::Event;
use crate::agent::node::backoff::{RECOVERED, go_text};
use crate::agent::node::hook;
use crate::agent::node::message;
use crate::agent::node::probe::{Known, Probes, Verdict};
use crate::agent::node::start::{self, Begun, Fault, Start, field_path};
use crate::agent::node::status::{Container, Ended, Restart, State};
use crate::agent::runtime::ExitStatus;
use crate::yaml::Node;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

/// How long a container with a missing reference waits before the next try.
const CONFIG_RETRY: Duration = Duration::from_secs(2);

/// How long a failed pull is shown as such before it counts as waiting for the next.
const PULL_SHOWN: Duration = Duration::from_secs(2);

impl Worker {
    pub(super) fn start(&mut self, at: usize) {
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
            list: self.slots[at].role.list(),
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

    pub(super) fn begun(&mut self, at: usize, result: Result<Begun, Fault>) {
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
                self.running(at, begun.since, Known::default());
            }
            Err(Fault::Cancelled) => {
                self.slots[at].activity = Activity::Idle;
                self.container(at).id.clear();
            }
            Err(Fault::Image { reason, message }) => {
                let wait = self.slots[at].image_waits.of_image();
                let now = Instant::now();
                self.slots[at].backs_off = (reason == "ErrImagePull").then(|| now + PULL_SHOWN);
                self.wait(at, now + wait, reason, message);
            }
            Err(Fault::Config(message)) => {
                let again = Instant::now() + CONFIG_RETRY;
                self.wait(at, again, "CreateContainerConfigError", message);
            }
            Err(Fault::Start(message)) => {
                let event = Event::warning(&self.pod, "Failed", format!("Error: {message}"));
                self.host.tell(event.of_field(self.field_path(at)));
                let id = self.container(at).id.clone();
                let now = self.host.clock.now();
                let reason = "StartError".to_owned();
                let ended = Ended { code: 128, reason, message, started: None, finished: now, id };
                self.ended(at, ended);
            }
            Err(Fault::Hook { id, message }) => {
                let event = Event::warning(&self.pod, "FailedPostStartHook", message);
                self.host.tell(event.of_field(self.field_path(at)));
                self.container(at).id = id;
                self.slots[at].activity = Activity::Running;
                self.kill(at, "FailedPostStartHook");
            }
        }
    }

    /// Lets a container that could not be started wait.
    fn wait(&mut self, at: usize, until: Instant, reason: &str, message: String) {
        self.slots[at].activity = Activity::Until(until);
        let container = self.container(at);
        container.id.clear();
        container.state = State::Waiting { reason: reason.to_owned(), message };
    }

    /// Says that the next pull takes its time.
    pub(super) fn back_off_image(&mut self, at: usize) {
        self.slots[at].backs_off = None;
        let field = self.field_path(at);
        let container = self.container(at);
        let State::Waiting { reason, message } = &mut container.state else { return };
        let text = format!("Back-off pulling image \"{}\"", container.image);
        "ImagePullBackOff".clone_into(reason);
        *message = format!("{text}: ErrImagePull: {message}");
        let event = Event::normal(&self.pod, "BackOff", text);
        self.host.tell(event.of_field(field.clone()));
        let event = Event::warning(&self.pod, "Failed", "Error: ImagePullBackOff");
        self.host.tell(event.of_field(field));
    }

    pub(super) fn running(&mut self, at: usize, since: Timestamp, known: Known) {
        self.slots[at].activity = Activity::Running;
        let probes = Probes::of(&self.slots[at].spec);
        let counts = self.slots[at].role != Role::Ephemeral;
        let container = self.container(at);
        container.state = State::Running { since };
        container.started = known.started || probes.startup.is_none();
        container.ready =
            counts && container.started && (known.ready || probes.readiness.is_none());
        if probes.is_empty() {
            return;
        }
        let id = container.id.clone();
        let (attempt, tell) = (self.slots[at].attempt, self.tell.clone());
        let exec = hook::exec(&self.host, &id);
        let ip = self.ip();
        let prober = tokio::spawn(async move {
            let (verdicts, mut said) = unbounded_channel();
            let forward = async {
                while let Some(verdict) = said.recv().await {
                    if tell.send(Input::Verdict { slot: at, attempt, verdict }).is_err() {
                        return;
                    }
                }
            };
            tokio::join!(probes.run(known, ip, exec, verdicts), forward);
        });
        self.slots[at].prober = Some(prober.abort_handle());
    }

    pub(super) fn verdict(&mut self, at: usize, verdict: Verdict) {
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
                self.host.tell(event.of_field(self.field_path(at)));
            }
            Verdict::Kill { why, grace } => {
                let name = self.slots[at].name();
                let message = format!("Container {name} {why}, will be restarted");
                let event = Event::normal(&self.pod, "Killing", message);
                self.host.tell(event.of_field(self.field_path(at)));
                self.stop_one(at, grace);
            }
        }
    }

    /// Stops one container, which then starts again by the pod's policy.
    fn kill(&mut self, at: usize, why: &str) {
        let event = Event::normal(&self.pod, "Killing", why);
        self.host.tell(event.of_field(self.field_path(at)));
        self.stop_one(at, None);
    }

    fn stop_one(&mut self, at: usize, grace: Option<Duration>) {
        let of_pod = self.pod.i64_at(&["spec", "terminationGracePeriodSeconds"]);
        let grace = grace.unwrap_or(Duration::from_secs(of_pod.unwrap_or(30).unsigned_abs()));
        let stop = self.stop_of(at);
        self.slots[at].killer = Some(tokio::spawn(stop.run(grace)).abort_handle());
    }

    /// What it takes to stop a container.
    pub(super) fn stop_of(&mut self, at: usize) -> hook::Stop {
        hook::Stop {
            host: Arc::clone(&self.host),
            pod: self.pod.clone(),
            container: self.slots[at].spec.clone(),
            id: self.container(at).id.clone(),
            ip: self.ip(),
        }
    }

    /// A container whose definition was changed is stopped and started anew.
    pub(super) fn replace_changed(&mut self) {
        for list in ["initContainers", "containers"] {
            for spec in self.pod.items_at(&["spec", list]).to_vec() {
                let name = spec.str_at(&["name"]);
                let at = self.slots.iter().position(|slot| slot.spec.str_at(&["name"]) == name);
                let Some(at) = at.filter(|at| self.slots[*at].spec != spec) else { continue };
                // nothing but the image of a container can be changed
                let image = spec.str_at(&["image"]).unwrap_or_default().to_owned();
                self.slots[at].spec = spec;
                self.container(at).image = image;
                if self.slots[at].activity == Activity::Running && self.leaving.is_none() {
                    let name = self.slots[at].name();
                    let why = format!("Container {name} definition changed, will be restarted");
                    self.kill(at, &why);
                }
            }
        }
    }

    pub(super) fn exited(&mut self, at: usize, id: &str, exit: &ExitStatus) {
        if !matches!(self.slots[at].activity, Activity::Running | Activity::Starting) {
            return;
        }
        let (spec, attempt) = (&self.slots[at].spec, self.slots[at].attempt);
        let message = message::read(&self.host, &self.pod, spec, attempt, exit.code);
        let ran = exit.finished.duration_since(exit.started);
        if Duration::try_from(ran).is_ok_and(|ran| ran >= RECOVERED) {
            self.slots[at].waits.reset();
        }
        self.ended(at, ended(id, exit, message));
    }

    /// Decides what becomes of a container that has ended.
    pub(super) fn ended(&mut self, at: usize, ended: Ended) {
        let tasks = [self.slots[at].prober.take(), self.slots[at].killer.take()];
        for task in tasks.into_iter().flatten() {
            task.abort();
        }
        self.spent.push(ended.id.clone());
        let again = match self.slots[at].role {
            Role::Sidecar => !self.facts.main.iter().all(Container::has_ended),
            Role::Init => ended.code != 0 && self.facts.restart != Restart::Never,
            Role::Main => self.facts.restart.again(ended.code),
            Role::Ephemeral => false,
        };
        let is_init = self.slots[at].role == Role::Init;
        let staying = self.leaving.is_none() && self.facts.failed.is_none();
        let container = self.container(at);
        container.ready = false;
        container.started = false;
        if !(again && staying) {
            // an init container is ready when it has done its part
            container.ready = ended.code == 0 && is_init;
            container.state = State::Terminated(ended);
            self.slots[at].activity = Activity::Done;
            return;
        }
        container.last = Some(ended);
        container.restarts += 1;
        self.slots[at].attempt += 1;
        self.forget_log(at);
        let wait = self.slots[at].waits.of_container();
        if wait.is_zero() {
            self.container(at).state = State::waiting("ContainerCreating");
            self.slots[at].activity = Activity::Idle;
            return;
        }
        let name = self.slots[at].name().to_owned();
        let place = format!("{}_{}({})", self.key.name, self.key.namespace, self.uid);
        let message =
            format!("back-off {} restarting failed container={name} pod={place}", go_text(wait));
        let reason = "CrashLoopBackOff".to_owned();
        self.container(at).state = State::Waiting { reason, message };
        self.slots[at].activity = Activity::Until(Instant::now() + wait);
        let message = format!("Back-off restarting failed container {name} in pod {place}");
        let event = Event::warning(&self.pod, "BackOff", message);
        self.host.tell(event.of_field(self.field_path(at)));
    }

    /// Only the log of the attempt before is kept.
    fn forget_log(&self, at: usize) {
        let slot = &self.slots[at];
        if let Some(old) = slot.attempt.checked_sub(2) {
            let path = message::log_path(&self.host, &self.uid, slot.name(), old);
            // rotated parts are named after it and go with the pod
            let _ = std::fs::remove_file(path);
        }
    }

    pub(super) fn field_path(&self, at: usize) -> String {
        let slot = &self.slots[at];
        field_path(&slot.spec, slot.role.list())
    }
}

/// How a container ended, as the status says it.
fn ended(id: &str, exit: &ExitStatus, message: String) -> Ended {
    let reason = match exit {
        exit if exit.oom => "OOMKilled",
        exit if exit.unknown => "ContainerStatusUnknown",
        exit if exit.code == 0 => "Completed",
        _ => "Error",
    };
    Ended {
        code: exit.code,
        reason: reason.to_owned(),
        message,
        started: Some(exit.started),
        finished: exit.finished,
        id: id.to_owned(),
    }
}
