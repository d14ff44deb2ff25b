//! What a pod's status says, as a function of what its containers do.
//!
//! Times of conditions move only when the condition does, so that an unchanged pod is not written.

use crate::base::clock::rfc3339_seconds;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::json;

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Its exit code; 128 and the signal's number when one killed it.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`, …
    pub reason: String,
    /// A sentence, or empty.
    pub message: String,
    /// When it started; absent when it never did.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
    /// Its id in the runtime.
    pub id: String,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It is not running, for a reason that will pass or that somebody has to mend.
    Waiting {
        /// `ContainerCreating`, `ImagePullBackOff`, …
        reason: String,
        /// A sentence, or empty.
        message: String,
    },
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// It ended and is not started again.
    Terminated(Ended),
}

impl State {
    /// Waiting for a reason.
    #[must_use]
    pub fn waiting(reason: &str) -> State {
        State::Waiting { reason: reason.to_owned(), message: String::new() }
    }
}

/// One container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name in the spec.
    pub name: String,
    /// The image as the spec names it.
    pub image: String,
    /// The image's digest, once it is known.
    pub image_id: String,
    /// Its id in the runtime, once it has one.
    pub id: String,
    /// What it does now.
    pub state: State,
    /// How it ended the last time.
    pub last: Option<Ended>,
    /// How often it was started again.
    pub restarts: u32,
    /// Its startup probe succeeded, or it has none.
    pub started: bool,
    /// Its readiness probe succeeds, or it has none.
    pub ready: bool,
}

impl Container {
    /// A container of the spec that has done nothing yet.
    #[must_use]
    pub fn new(spec: &Node, reason: &str) -> Container {
        Container {
            name: spec.str_at(&["name"]).unwrap_or_default().to_owned(),
            image: spec.str_at(&["image"]).unwrap_or_default().to_owned(),
            image_id: String::new(),
            id: String::new(),
            state: State::waiting(reason),
            last: None,
            restarts: 0,
            started: false,
            ready: false,
        }
    }

    /// True while it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// True when it ended well and stays so.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        matches!(&self.state, State::Terminated(ended) if ended.code == 0)
    }

    /// True when it ended and stays so.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Terminated(_))
    }
}

/// All that a pod's status is made of.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Init containers in order.
    pub init: Vec<Container>,
    /// Names of init containers that run beside the others (`restartPolicy: Always`).
    pub sidecars: Vec<String>,
    /// The others in order.
    pub main: Vec<Container>,
    /// Those that were added to look into the pod; they count for nothing.
    pub ephemeral: Vec<Container>,
    /// The pod's address, once it has one.
    pub ip: Option<String>,
    /// The host's address.
    pub host_ip: String,
    /// When the node took the pod.
    pub start: Timestamp,
    /// The sandbox is there.
    pub sandboxed: bool,
    /// Set when the pod as a whole failed: reason and message.
    pub failed: Option<(String, String)>,
    /// `restartPolicy`.
    pub restart: Restart,
}

/// When containers are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Whenever they end.
    Always,
    /// When they fail.
    OnFailure,
    /// Not at all.
    Never,
}

impl Restart {
    /// Reads `restartPolicy`.
    #[must_use]
    pub fn of(pod: &Node) -> Restart {
        match pod.str_at(&["spec", "restartPolicy"]) {
            Some("Never") => Restart::Never,
            Some("OnFailure") => Restart::OnFailure,
            _ => Restart::Always,
        }
    }

    /// True when a container that ended with this code is started again.
    #[must_use]
    pub fn again(self, code: i32) -> bool {
        match self {
            Restart::Always => true,
            Restart::OnFailure => code != 0,
            Restart::Never => false,
        }
    }
}

impl Pod {
    /// True when every init container has done its part.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.init.iter().all(|container| {
            if self.sidecars.contains(&container.name) {
                container.started && container.is_running()
            } else {
                container.has_succeeded()
            }
        })
    }

    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        if self.failed.is_some() {
            return "Failed";
        }
        let init_failed = self.restart == Restart::Never
            && self.init.iter().any(|c| c.has_ended() && !c.has_succeeded());
        if init_failed {
            return "Failed";
        }
        if !self.main.is_empty() && self.main.iter().all(Container::has_ended) {
            let all_well = self.main.iter().all(Container::has_succeeded);
            return if all_well { "Succeeded" } else { "Failed" };
        }
        let began = |container: &Container| {
            container.is_running() || container.has_ended() || container.last.is_some()
        };
        if self.main.iter().all(began) && self.is_initialized_or_began() {
            return "Running";
        }
        "Pending"
    }

    fn is_initialized_or_began(&self) -> bool {
        self.is_initialized() || self.main.iter().any(|c| c.is_running() || c.last.is_some())
    }

    /// The status of the pod, given the one that is stored.
    #[must_use]
    pub fn status(&self, stored: &Node, now: Timestamp) -> Node {
        let spec = stored.get("spec");
        let before = stored.get("status");
        let phase = self.phase();
        let mut status = Node::map();
        if let Some(generation) = before.and_then(|status| status.get("observedGeneration")) {
            status.set("observedGeneration", generation.clone());
        }
        status.set("phase", phase);
        status.set("conditions", self.conditions(spec, before, phase, now));
        if let Some((reason, message)) = &self.failed {
            status.set("reason", reason.as_str());
            status.set("message", message.as_str());
        }
        status.set("hostIP", self.host_ip.as_str());
        status.set("hostIPs", Node::from(json!([{"ip": self.host_ip}])));
        if let Some(ip) = &self.ip {
            status.set("podIP", ip.as_str());
            status.set("podIPs", Node::from(json!([{"ip": ip}])));
        }
        status.set("startTime", rfc3339_seconds(self.start));
        for (key, containers) in [
            ("initContainerStatuses", &self.init),
            ("containerStatuses", &self.main),
            ("ephemeralContainerStatuses", &self.ephemeral),
        ] {
            if !containers.is_empty() {
                let list: Vec<Node> = containers.iter().map(container_status).collect();
                status.set(key, list);
            }
        }
        status.set("qosClass", quality(spec));
        status
    }

    fn conditions(
        &self,
        spec: Option<&Node>,
        before: Option<&Node>,
        phase: &str,
        now: Timestamp,
    ) -> Vec<Node> {
        let last = before.map(|status| status.items_at(&["conditions"])).unwrap_or_default();
        let finished = phase == "Succeeded" || phase == "Failed";
        let unready: Vec<&str> =
            self.main.iter().filter(|c| !c.ready).map(|c| c.name.as_str()).collect();
        let incomplete: Vec<&str> = self
            .init
            .iter()
            .filter(|c| !c.has_succeeded() && !self.sidecars.contains(&c.name))
            .map(|c| c.name.as_str())
            .collect();
        let initialized = self.is_initialized() || phase == "Succeeded";
        let gates = spec.map(|spec| spec.items_at(&["readinessGates"])).unwrap_or_default();
        let open = |gate: &Node| {
            let kind = gate.str_at(&["conditionType"]);
            last.iter()
                .any(|c| c.str_at(&["type"]) == kind && c.str_at(&["status"]) == Some("True"))
        };
        let ready = unready.is_empty() && initialized && !finished;
        let why_unready = match phase {
            "Succeeded" => Some(("PodCompleted", String::new())),
            "Failed" => Some(("PodFailed", String::new())),
            _ if !ready => Some((
                "ContainersNotReady",
                format!("containers with unready status: [{}]", unready.join(" ")),
            )),
            _ => None,
        };
        let why_gated = gates.iter().find(|gate| !open(gate)).map(|gate| {
            let kind = gate.str_at(&["conditionType"]).unwrap_or_default();
            (
                "ReadinessGatesNotReady",
                format!("the status of pod readiness gate \"{kind}\" is not \"True\", but False"),
            )
        });
        let why_uninitialized = (!initialized).then(|| {
            let list = incomplete.join(" ");
            ("ContainersNotInitialized", format!("containers with incomplete status: [{list}]"))
        });
        let wanted = [
            ("PodReadyToStartContainers", self.sandboxed, None),
            ("Initialized", initialized, why_uninitialized),
            ("Ready", ready && why_gated.is_none(), why_unready.clone().or(why_gated)),
            ("ContainersReady", ready, why_unready),
            ("PodScheduled", true, None),
        ];
        let mut conditions: Vec<Node> = wanted
            .into_iter()
            .map(|(kind, holds, why)| condition(last, kind, holds, why, now))
            .collect();
        // conditions that others set are theirs
        let own = |kind: &str| conditions.iter().any(|c| c.str_at(&["type"]) == Some(kind));
        let others: Vec<Node> = last
            .iter()
            .filter(|c| !own(c.str_at(&["type"]).unwrap_or_default()))
            .cloned()
            .collect();
        conditions.extend(others);
        conditions
    }
}

fn condition(
    last: &[Node],
    kind: &str,
    holds: bool,
    why: Option<(&str, String)>,
    now: Timestamp,
) -> Node {
    let status = if holds { "True" } else { "False" };
    let same = last
        .iter()
        .find(|c| c.str_at(&["type"]) == Some(kind) && c.str_at(&["status"]) == Some(status));
    let since = same.and_then(|c| c.str_at(&["lastTransitionTime"]));
    let since = since.map_or_else(|| rfc3339_seconds(now), str::to_owned);
    let mut condition = Node::from(json!({
        "type": kind,
        "status": status,
        "lastProbeTime": null,
        "lastTransitionTime": since,
    }));
    if let Some((reason, message)) = why {
        condition.set("reason", reason);
        if !message.is_empty() {
            condition.set("message", message);
        }
    }
    condition
}

fn container_status(container: &Container) -> Node {
    let mut status = Node::from(json!({
        "name": container.name,
        "state": state(&container.state),
        "lastState": {},
        "ready": container.ready,
        "restartCount": container.restarts,
        "image": container.image,
        "imageID": container.image_id,
        "started": container.started,
    }));
    if let Some(last) = &container.last {
        status.set_at(&["lastState", "terminated"], Node::from(ended(last)));
    }
    if !container.id.is_empty() {
        status.set("containerID", format!("wharf://{}", container.id));
    }
    status
}

fn state(state: &State) -> serde_json::Value {
    match state {
        State::Waiting { reason, message } if message.is_empty() => {
            json!({"waiting": {"reason": reason}})
        }
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": rfc3339_seconds(*since)}}),
        State::Terminated(how) => json!({"terminated": ended(how)}),
    }
}

fn ended(ended: &Ended) -> serde_json::Value {
    let mut status = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": ended.started.map(rfc3339_seconds),
        "finishedAt": rfc3339_seconds(ended.finished),
        "containerID": format!("wharf://{}", ended.id),
    });
    if !ended.message.is_empty() {
        status["message"] = ended.message.clone().into();
    }
    status
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by the requests and limits of all containers.
#[must_use]
pub fn quality(spec: Option<&Node>) -> &'static str {
    let Some(spec) = spec else { return "BestEffort" };
    let mut any = false;
    let mut guaranteed = true;
    for container in spec.items_at(&["containers"]).iter().chain(spec.items_at(&["initContainers"]))
    {
        for resource in ["cpu", "memory"] {
            let limit = container.at(&["resources", "limits", resource]);
            let request = container.at(&["resources", "requests", resource]);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Reads the containers' part of a stored status back, to go on after the agent was restarted.
#[must_use]
pub fn read_container(spec: &Node, statuses: &[Node]) -> Container {
    let mut container = Container::new(spec, "ContainerCreating");
    let stored = statuses.iter().find(|s| s.str_at(&["name"]) == spec.str_at(&["name"]));
    let Some(stored) = stored else { return container };
    let restarts = stored.i64_at(&["restartCount"]).unwrap_or(0);
    container.restarts = u32::try_from(restarts).unwrap_or(0);
    container.image_id = stored.str_at(&["imageID"]).unwrap_or_default().into();
    container.id = read_id(stored);
    container.last = stored.at(&["lastState", "terminated"]).and_then(read_ended);
    container.started = stored.get("started").and_then(Node::as_bool) == Some(true);
    container.ready = stored.get("ready").and_then(Node::as_bool) == Some(true);
    if let Some(since) = stored.str_at(&["state", "running", "startedAt"]) {
        if let Ok(since) = since.parse() {
            container.state = State::Running { since };
        }
    } else if let Some(how) = stored.at(&["state", "terminated"]).and_then(read_ended) {
        container.state = State::Terminated(how);
    } else if let Some(reason) = stored.str_at(&["state", "waiting", "reason"]) {
        let message = stored.str_at(&["state", "waiting", "message"]).unwrap_or_default();
        container.state = State::Waiting { reason: reason.into(), message: message.into() };
    }
    container
}

fn read_id(status: &Node) -> String {
    let id = status.str_at(&["containerID"]).unwrap_or_default();
    id.strip_prefix("wharf://").unwrap_or_default().to_owned()
}

fn read_ended(node: &Node) -> Option<Ended> {
    Some(Ended {
        code: i32::try_from(node.i64_at(&["exitCode"])?).ok()?,
        reason: node.str_at(&["reason"]).unwrap_or_default().to_owned(),
        message: node.str_at(&["message"]).unwrap_or_default().to_owned(),
        started: node.str_at(&["startedAt"]).and_then(|time| time.parse().ok()),
        finished: node.str_at(&["finishedAt"])?.parse().ok()?,
        id: read_id(node),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: State, ready: bool) -> Container {
        let spec = Node::from(json!({"name": "c", "image": "i"}));
        Container { state, ready, started: true, ..Container::new(&spec, "x") }
    }

    fn ended(code: i32) -> State {
        State::Terminated(Ended {
            code,
            reason: "Completed".into(),
            message: String::new(),
            started: None,
            finished: Timestamp::UNIX_EPOCH,
            id: "x".into(),
        })
    }

    fn pod(restart: Restart, init: Vec<Container>, main: Vec<Container>) -> Pod {
        Pod {
            init,
            sidecars: vec![],
            main,
            ephemeral: vec![],
            ip: Some("10.0.0.1".into()),
            host_ip: "192.0.2.1".into(),
            start: Timestamp::UNIX_EPOCH,
            sandboxed: true,
            failed: None,
            restart,
        }
    }

    #[test]
    fn phases_follow_the_containers() {
        let running = || container(State::Running { since: Timestamp::UNIX_EPOCH }, true);
        let waiting = || container(State::waiting("ContainerCreating"), false);
        let done = |code| container(ended(code), false);
        for (restart, init, main, phase) in [
            (Restart::Always, vec![], vec![waiting()], "Pending"),
            (Restart::Always, vec![], vec![running(), waiting()], "Pending"),
            (Restart::Always, vec![], vec![running()], "Running"),
            (Restart::Always, vec![waiting()], vec![waiting()], "Pending"),
            (Restart::Always, vec![done(0)], vec![running()], "Running"),
            (Restart::Never, vec![], vec![done(0), done(0)], "Succeeded"),
            (Restart::Never, vec![], vec![done(0), done(1)], "Failed"),
            (Restart::Never, vec![], vec![done(0), running()], "Running"),
            (Restart::Never, vec![done(1)], vec![waiting()], "Failed"),
        ] {
            assert_eq!(pod(restart, init, main).phase(), phase);
        }
    }

    #[test]
    fn an_unchanged_pod_has_an_unchanged_status_and_reads_back() {
        let running = State::Running { since: Timestamp::UNIX_EPOCH };
        let pod = pod(Restart::Always, vec![], vec![container(running, true)]);
        let mut stored = Node::from(json!({"spec": {"containers": [{"name": "c", "image": "i"}]}}));
        let first = pod.status(&stored, Timestamp::UNIX_EPOCH);
        stored.set("status", first.clone());
        let later = Timestamp::from_second(1000).unwrap();
        assert_eq!(pod.status(&stored, later), first);
        let spec = &stored.items_at(&["spec", "containers"])[0];
        let read = read_container(spec, stored.items_at(&["status", "containerStatuses"]));
        assert_eq!(read, pod.main[0]);
    }

    #[test]
    fn quality_follows_requests_and_limits() {
        for (resources, class) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"cpu": "1"}}), "Burstable"),
            (json!({"limits": {"cpu": "1", "memory": "1Gi"}}), "Guaranteed"),
            (
                json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}),
                "Burstable",
            ),
        ] {
            let spec = Node::from(json!({"containers": [{"resources": resources}]}));
            assert_eq!(quality(Some(&spec)), class, "{resources}");
        }
    }
}
