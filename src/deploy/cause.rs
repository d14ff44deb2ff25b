//! Why an object is not ready: waiting reasons of its pods, events, the last lines of a log.
//!
//! Everything here is best effort: what cannot be looked up is left out, since there is a failure
//! to report already.

use super::error::NotReady;
use crate::cluster::{Client, ListOptions, LogOptions};
use crate::object::status::{Readiness, waiting_reason};
use crate::object::{Gvk, ObjectId, meta};
use crate::yaml::{Map, Node};
use futures::AsyncReadExt;
use std::time::Duration;

/// Pods that are looked at for one object.
const PODS: usize = 3;

/// Events that are shown for one object.
const EVENTS: usize = 4;

/// Log lines that are shown of one container.
const LINES: u64 = 10;

/// Longest log text that is read.
const LOG_BYTES: u64 = 64 << 10;

/// Longest time for all that is looked up for one object.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks up why an object is not ready.
pub async fn explain(client: &Client, id: &ObjectId, state: &Readiness) -> NotReady {
    let looked = tokio::time::timeout(PATIENCE, look(client, id)).await;
    NotReady {
        object: id.to_string(),
        message: format!("{} ({})", state.state, said(&state.message)),
        cause: looked.unwrap_or_default(),
    }
}

fn said(message: &str) -> &str {
    if message.is_empty() { "no reason given" } else { message }
}

/// The first thing that stands in the way, in one line.
pub(super) async fn briefly(client: &Client, id: &ObjectId) -> Option<String> {
    let live = client.get(id).await.ok()??;
    for pod in pods(client, id, &live).await {
        if let Some((reason, message)) = waiting_reason(&pod) {
            return Some(joined(reason, message));
        }
    }
    None
}

fn joined(reason: &str, message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    if first.is_empty() { reason.to_owned() } else { format!("{reason}: {first}") }
}

async fn look(client: &Client, id: &ObjectId) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(Some(live)) = client.get(id).await else { return lines };
    let pods = pods(client, id, &live).await;
    for set in owned_sets(client, id, &live).await {
        events(client, &set, &mut lines).await;
    }
    if id.gvk.kind != "Pod" {
        events(client, id, &mut lines).await;
    }
    for pod in pods.iter().filter(|pod| !is_ready(pod)).take(PODS) {
        let pod_id = pod_id(pod);
        for container in containers(pod) {
            lines.push(format!("{pod_id}: {container}"));
        }
        events(client, &pod_id, &mut lines).await;
        log(client, pod, &mut lines).await;
    }
    lines
}

fn is_ready(pod: &Node) -> bool {
    pod.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some("Ready")
            && condition.str_at(&["status"]) == Some("True")
    })
}

fn pod_id(pod: &Node) -> ObjectId {
    ObjectId {
        gvk: Gvk::new("v1", "Pod"),
        namespace: meta::namespace(pod).into(),
        name: meta::name(pod).into(),
    }
}

/// The pods that an object stands for: itself, or those that its selector picks. Pods that are not
/// ready come first, newest first.
async fn pods(client: &Client, id: &ObjectId, live: &Node) -> Vec<Node> {
    if id.gvk.kind == "Pod" {
        return vec![live.clone()];
    }
    let Some(labels) = live.at(&["spec", "selector", "matchLabels"]).and_then(Node::as_map) else {
        return Vec::new();
    };
    let mut pods = select(client, "v1", "Pod", &id.namespace, labels).await;
    pods.sort_by_key(|pod| {
        let created = pod.str_at(&["metadata", "creationTimestamp"]).unwrap_or_default();
        (is_ready(pod), std::cmp::Reverse(created.to_owned()))
    });
    pods
}

async fn select(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: &str,
    labels: &Map,
) -> Vec<Node> {
    let pairs: Vec<String> = labels
        .iter()
        .map(|entry| format!("{}={}", entry.key, entry.value.as_str().unwrap_or_default()))
        .collect();
    let options = ListOptions { labels: Some(pairs.join(",")), fields: None };
    let Ok(resource) = client.resource(&Gvk::new(api_version, kind)).await else {
        return Vec::new();
    };
    client
        .list(&resource, Some(namespace), &options)
        .await
        .map(|list| list.items)
        .unwrap_or_default()
}

/// The ReplicaSets of a Deployment: what keeps pods from being made is told about them.
async fn owned_sets(client: &Client, id: &ObjectId, live: &Node) -> Vec<ObjectId> {
    let labels = live.at(&["spec", "selector", "matchLabels"]).and_then(Node::as_map);
    let (Some(labels), "Deployment") = (labels, id.gvk.kind.as_str()) else { return Vec::new() };
    let uid = meta::uid(live);
    let owned = |set: &Node| {
        let owners = set.items_at(&["metadata", "ownerReferences"]);
        owners.iter().any(|owner| owner.str_at(&["uid"]) == Some(uid))
    };
    let sets = select(client, "apps/v1", "ReplicaSet", &id.namespace, labels).await;
    sets.iter()
        .filter(|set| owned(set) && set.i64_at(&["spec", "replicas"]) != Some(0))
        .map(|set| ObjectId {
            gvk: Gvk::new("apps/v1", "ReplicaSet"),
            namespace: id.namespace.clone(),
            name: meta::name(set).into(),
        })
        .collect()
}

/// What each container of a pod that does not run well has to say.
fn containers(pod: &Node) -> Vec<String> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod.items_at(&["status", list]));
    let mut lines = Vec::new();
    for status in statuses {
        let name = status.str_at(&["name"]).unwrap_or_default();
        let text = |path: &[&str]| status.str_at(path).unwrap_or_default();
        if status.at(&["state", "waiting"]).is_some() {
            let reason = text(&["state", "waiting", "reason"]);
            let message = text(&["state", "waiting", "message"]);
            lines.push(format!("container `{name}` waits: {}", joined(reason, message)));
        }
        for state in ["state", "lastState"] {
            let Some(ended) = status.at(&[state, "terminated"]) else { continue };
            let code = ended.i64_at(&["exitCode"]).unwrap_or(0);
            if code != 0 {
                let reason = ended.str_at(&["reason"]).unwrap_or("Error");
                lines.push(format!("container `{name}` ended with code {code} ({reason})"));
            }
        }
    }
    lines
}

/// The last warnings about an object.
async fn events(client: &Client, id: &ObjectId, lines: &mut Vec<String>) {
    let Ok(events) = client.events(id).await else { return };
    let warnings: Vec<&Node> =
        events.iter().filter(|event| event.str_at(&["type"]) == Some("Warning")).collect();
    for event in &warnings[warnings.len().saturating_sub(EVENTS)..] {
        let text = |key| event.str_at(&[key]).unwrap_or_default();
        let line = format!("{id}: {}", joined(text("reason"), text("message")));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
}

/// The last log lines of the first container that ended badly or is not ready.
async fn log(client: &Client, pod: &Node, lines: &mut Vec<String>) {
    let statuses: Vec<&Node> = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod.items_at(&["status", list]))
        .collect();
    let ended_badly = |status: &&&Node| {
        ["state", "lastState"].iter().any(|state| {
            status.i64_at(&[state, "terminated", "exitCode"]).is_some_and(|code| code != 0)
        })
    };
    let unready = |status: &&&Node| {
        status.get("ready").and_then(Node::as_bool) == Some(false)
            && status.at(&["state", "running"]).is_some()
    };
    let Some(status) = statuses.iter().find(ended_badly).or_else(|| statuses.iter().find(unready))
    else {
        return;
    };
    let container = status.str_at(&["name"]).unwrap_or_default().to_owned();
    let restarted = status.i64_at(&["restartCount"]).unwrap_or(0) > 0
        && status.at(&["state", "running"]).is_none()
        && status.at(&["state", "terminated"]).is_none();
    let options = LogOptions {
        container: Some(container.clone()),
        previous: restarted,
        tail: Some(LINES),
        ..LogOptions::default()
    };
    let Ok(stream) = client.logs(meta::namespace(pod), meta::name(pod), &options).await else {
        return;
    };
    let mut text = Vec::new();
    if stream.take(LOG_BYTES).read_to_end(&mut text).await.is_err() || text.is_empty() {
        return;
    }
    lines.push(format!("the last lines of container `{container}`:"));
    for line in String::from_utf8_lossy(&text).lines() {
        // control characters of a program are none of this terminal's
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        lines.push(format!("  {line}"));
    }
}
