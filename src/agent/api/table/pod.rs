//! Columns of Pods. The status is computed as `printPod` computes it.

use super::cell::{age, name, or_none, since};
use super::{AGE, Column, Columns, NAME};
use crate::agent::store::metadata::is_deleted;
use crate::yaml::Node;
use jiff::Timestamp;

pub(crate) static POD: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        Column::text("Status", "The aggregate status of the containers in this pod."),
        Column::text("Restarts", "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."),
        AGE,
        Column::text("IP", "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.").wide(),
        Column::text("Node", "NodeName indicates in which node this pod is scheduled.").wide(),
        Column::text("Nominated Node", "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods.").wide(),
        Column::text("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness.").wide(),
    ],
    cells,
};

/// What is known of the containers, gathered as the printer goes along.
#[derive(Default)]
struct Seen {
    restarts: i64,
    last_restart: Option<String>,
    ready: usize,
}

impl Seen {
    fn add(&mut self, status: &Node) {
        self.restarts += status.i64_at(&["restartCount"]).unwrap_or(0);
        let finished = status.str_at(&["lastState", "terminated", "finishedAt"]);
        // times in one form are in the order of their texts
        self.last_restart = self.last_restart.take().max(finished.map(str::to_owned));
    }
}

fn cells(pod: &Node, now: Timestamp) -> Vec<Node> {
    let mut total = pod.items_at(&["spec", "containers"]).len();
    let (mut seen, mut reason) = (Seen::default(), reason(pod));
    let sidecar = |name: Option<&str>| {
        pod.items_at(&["spec", "initContainers"]).iter().any(|container| {
            container.str_at(&["name"]) == name
                && container.str_at(&["restartPolicy"]) == Some("Always")
        })
    };
    total += pod
        .items_at(&["spec", "initContainers"])
        .iter()
        .filter(|container| sidecar(container.str_at(&["name"])))
        .count();
    let mut initializing = false;
    let inits = pod.items_at(&["spec", "initContainers"]).len();
    for (index, status) in pod.items_at(&["status", "initContainerStatuses"]).iter().enumerate() {
        seen.add(status);
        let is_sidecar = sidecar(status.str_at(&["name"]));
        let is_ready = status.get("ready").and_then(Node::as_bool) == Some(true);
        let started = status.get("started").and_then(Node::as_bool) == Some(true);
        let terminated = status.at(&["state", "terminated"]);
        if let Some(terminated) = terminated
            && terminated.i64_at(&["exitCode"]) == Some(0)
        {
            continue;
        }
        if is_sidecar && started {
            seen.ready += usize::from(is_ready);
            continue;
        }
        let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
        reason = if let Some(terminated) = terminated {
            format!("Init:{}", ended(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{inits}")
        };
        initializing = true;
        break;
    }
    if !initializing || condition(pod, "Initialized") {
        let mut running = false;
        let mut main = Seen { ready: seen.ready, ..Seen::default() };
        for status in pod.items_at(&["status", "containerStatuses"]).iter().rev() {
            main.add(status);
            let waiting = status.str_at(&["state", "waiting", "reason"]).unwrap_or_default();
            let terminated = status.at(&["state", "terminated"]);
            if !waiting.is_empty() {
                reason = waiting.into();
            } else if let Some(terminated) = terminated {
                reason = ended(terminated);
            } else if status.get("ready").and_then(Node::as_bool) == Some(true)
                && status.at(&["state", "running"]).is_some()
            {
                running = true;
                main.ready += 1;
            }
        }
        if reason == "Completed" && running {
            reason = if condition(pod, "Ready") { "Running" } else { "NotReady" }.into();
        }
        seen = main;
    }
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    if is_deleted(pod) {
        if pod.str_at(&["status", "reason"]) == Some("NodeLost") {
            reason = "Unknown".into();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            reason = "Terminating".into();
        }
    }
    let restarts = match &seen.last_restart {
        Some(time) if seen.restarts > 0 => {
            let ago = since(Some(&Node::from(time.as_str())), now);
            format!("{} ({ago} ago)", seen.restarts)
        }
        _ => seen.restarts.to_string(),
    };
    let text = |path: &[&str]| or_none(pod.str_at(path).unwrap_or_default()).to_owned();
    let ip = pod.items_at(&["status", "podIPs"]).first().and_then(|ip| ip.str_at(&["ip"]));
    vec![
        name(pod),
        format!("{}/{total}", seen.ready).into(),
        reason.into(),
        restarts.into(),
        age(pod, now),
        ip.map_or_else(|| text(&["status", "podIP"]), str::to_owned).into(),
        text(&["spec", "nodeName"]).into(),
        text(&["status", "nominatedNodeName"]).into(),
        gates(pod).into(),
    ]
}

/// What is known before the containers are looked at.
fn reason(pod: &Node) -> String {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    let given = pod.str_at(&["status", "reason"]).unwrap_or_default();
    let gated = pod.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some("PodScheduled")
            && condition.str_at(&["reason"]) == Some("SchedulingGated")
    });
    match (gated, given) {
        (true, _) => "SchedulingGated".into(),
        (false, "") => phase.to_owned(),
        (false, given) => given.to_owned(),
    }
}

/// How a container ended.
fn ended(terminated: &Node) -> String {
    let reason = terminated.str_at(&["reason"]).unwrap_or_default();
    match terminated.i64_at(&["signal"]).unwrap_or(0) {
        _ if !reason.is_empty() => reason.to_owned(),
        0 => format!("ExitCode:{}", terminated.i64_at(&["exitCode"]).unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

fn condition(pod: &Node, kind: &str) -> bool {
    pod.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some(kind) && condition.str_at(&["status"]) == Some("True")
    })
}

fn gates(pod: &Node) -> String {
    let gates = pod.items_at(&["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = gates
        .iter()
        .filter_map(|gate| gate.str_at(&["conditionType"]))
        .filter(|kind| condition(pod, kind))
        .count();
    format!("{met}/{}", gates.len())
}
