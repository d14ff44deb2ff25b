//! Taking a pod on: a new one, or one that a former agent has begun.

use super::{Activity, Input, Role, SandboxState, Slot, Worker};
use crate::agent::node::backoff::Waits;
use crate::agent::node::host::Host;
use crate::agent::node::probe::Known;
use crate::agent::node::status::{self, Ended, Restart, State};
use crate::agent::runtime::{Container, ContainerState, Sandbox};
use crate::agent::store::Key;
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

impl Worker {
    /// Takes a pod on. `found` are containers of it that the runtime has already.
    pub(in super::super) fn new(
        host: Arc<Host>,
        key: Key,
        pod: Node,
        sandbox: Option<Sandbox>,
        found: Vec<Container>,
        tell: UnboundedSender<Input>,
    ) -> Worker {
        let now = host.clock.now();
        let start = pod.str_at(&["status", "startTime"]).and_then(|time| time.parse().ok());
        let start: Timestamp = start.unwrap_or(now);
        let (slots, facts) = read(&pod, &host, start);
        let mut worker = Worker {
            host,
            key,
            uid: meta::uid(&pod).to_owned(),
            pod,
            facts,
            sandbox: SandboxState::None,
            slots,
            tell,
            cancel: watch::Sender::new(false),
            leaving: None,
            stopper: None,
            deadline: None,
            renewal: None,
            spent: Vec::new(),
        };
        if let Some(sandbox) = sandbox {
            worker.sandboxed(&sandbox);
            // they may have changed while no agent ran
            worker.update_volumes();
        }
        worker.adopt(found);
        worker
    }

    /// Takes on containers that were added to the pod while it ran.
    pub(super) fn take_on_added(&mut self) {
        for spec in self.pod.items_at(&["spec", Role::Ephemeral.list()]).to_vec() {
            let name = spec.str_at(&["name"]).unwrap_or_default();
            if !self.slots.iter().any(|slot| slot.name() == name) {
                let container = status::Container::new(&spec, "ContainerCreating");
                self.slots.push(Slot::new(Role::Ephemeral, &spec, &container));
                self.facts.ephemeral.push(container);
            }
        }
    }

    /// Takes over containers that a former agent started.
    fn adopt(&mut self, mut found: Vec<Container>) {
        // of several attempts the last one counts
        found.sort_by_key(|container| std::cmp::Reverse(container.spec.attempt));
        for container in found {
            let id = container.spec.id;
            let at = self.slots.iter().position(|slot| {
                slot.name() == container.spec.name
                    && slot.attempt <= container.spec.attempt
                    && slot.activity == Activity::Idle
            });
            let Some(at) = at else {
                self.spent.push(id);
                continue;
            };
            self.slots[at].attempt = container.spec.attempt;
            let facts = self.container(at);
            facts.restarts = container.spec.attempt;
            facts.id.clone_from(&id);
            if let Some(image) = container.spec.labels.get("image") {
                facts.image_id.clone_from(image);
            }
            match container.state {
                ContainerState::Running { started, .. } => {
                    // what the probes had said stands until they say something else
                    let known = Known { started: facts.started, ready: facts.ready };
                    self.running(at, started, known);
                }
                ContainerState::Exited(exit) => {
                    self.slots[at].activity = Activity::Running;
                    self.exited(at, &id, &exit);
                }
                ContainerState::Created => {}
            }
        }
        // a container that the status calls running and the runtime does not know was lost
        for at in 0..self.slots.len() {
            if self.slots[at].activity == Activity::Idle && self.container(at).is_running() {
                let id = self.container(at).id.clone();
                let ended = Ended {
                    code: 137,
                    reason: "ContainerStatusUnknown".to_owned(),
                    message: "The container could not be located when the pod was restarted"
                        .to_owned(),
                    started: None,
                    finished: self.host.clock.now(),
                    id,
                };
                self.ended(at, ended);
            }
        }
    }
}

impl Slot {
    /// What is to be done about a container that a status tells of.
    fn new(role: Role, spec: &Node, container: &status::Container) -> Slot {
        Slot {
            role,
            spec: spec.clone(),
            activity: if container.has_ended() { Activity::Done } else { Activity::Idle },
            attempt: container.restarts,
            waits: Waits::after(container.restarts),
            image_waits: Waits::default(),
            backs_off: None,
            prober: None,
            killer: None,
        }
    }
}

/// What the stored pod says about its containers.
fn read(pod: &Node, host: &Host, start: Timestamp) -> (Vec<Slot>, status::Pod) {
    let mut slots = Vec::new();
    let (mut init, mut main, mut ephemeral) = (Vec::new(), Vec::new(), Vec::new());
    let mut sidecars = Vec::new();
    let has_init = !pod.items_at(&["spec", "initContainers"]).is_empty();
    let first_reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
    for (list, statuses) in [
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        for spec in pod.items_at(&["spec", list]) {
            let role = match (list, spec.str_at(&["restartPolicy"])) {
                ("containers", _) => Role::Main,
                ("ephemeralContainers", _) => Role::Ephemeral,
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
            slots.push(Slot::new(role, spec, &container));
            match role {
                Role::Main => main.push(container),
                Role::Ephemeral => ephemeral.push(container),
                Role::Init | Role::Sidecar => init.push(container),
            }
        }
    }
    let failed = pod.str_at(&["status", "reason"]).map(|reason| {
        let message = pod.str_at(&["status", "message"]).unwrap_or_default();
        (reason.to_owned(), message.to_owned())
    });
    let facts = status::Pod {
        init,
        sidecars,
        main,
        ephemeral,
        ip: pod.str_at(&["status", "podIP"]).map(str::to_owned),
        host_ip: host.config.host_ip.to_string(),
        start,
        sandboxed: false,
        failed,
        restart: Restart::of(pod),
    };
    (slots, facts)
}
