//! Why an object is not ready: waiting reasons of its pods, events, the last lines of a log.
//!
//! A workload is explained by the pods of its newest version, as far as they are not ready. Pods
//! with the same trouble are told of once. Everything here is best effort: what cannot be looked up
//! is left out, since there is a failure to report already.

mod pod;

use super::error::NotReady;
use crate::cluster::{Client, ListOptions};
use crate::object::status::Readiness;
use crate::object::{Gvk, ObjectId, meta};
use crate::yaml::{Map, Node};
use std::time::Duration;

/// Different troubles that are shown for one object.
const TROUBLES: usize = 3;

/// Events that are shown for one object.
const EVENTS: usize = 4;

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

/// A line that a program wrote, without control characters, which are none of this terminal's.
pub(super) fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

fn said(message: &str) -> &str {
    if message.is_empty() { "no reason given" } else { message }
}

/// The first thing that stands in the way, in one line.
pub(super) async fn briefly(client: &Client, id: &ObjectId) -> Option<String> {
    let live = client.get(id).await.ok()??;
    let set = newest_set(client, id, &live).await;
    let pods = pods(client, id, &live, set.as_ref()).await;
    pods.iter().find_map(pod::first_trouble)
}

async fn look(client: &Client, id: &ObjectId) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(Some(live)) = client.get(id).await else { return lines };
    let set = newest_set(client, id, &live).await;
    let owner = set.as_ref().map(|set| id_of("apps/v1", "ReplicaSet", set));
    if id.gvk.kind != "Pod" {
        for id in std::iter::once(id).chain(&owner) {
            for event in warnings(client, id).await {
                let line = told(&event);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    let pods = pods(client, id, &live, set.as_ref()).await;
    let mut groups: Vec<(Vec<String>, &Node, usize)> = Vec::new();
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        let trouble = pod::kinds_of_trouble(pod);
        match groups.iter_mut().find(|(known, ..)| *known == trouble) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((trouble, pod, 1)),
        }
    }
    for (_, pod, count) in groups.iter().take(TROUBLES) {
        let more = if *count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
        let events = warnings(client, &id_of("v1", "Pod", pod)).await;
        let said = pod::troubles(client, pod, &events).await;
        // of a pod that stands for itself, the heading says its name already
        let indent = if id.gvk.kind == "Pod" || said.is_empty() {
            ""
        } else {
            lines.push(format!("Pod {}{more}:", meta::name(pod)));
            "  "
        };
        lines.extend(said.into_iter().map(|line| format!("{indent}{line}")));
    }
    lines
}

fn is_ready(pod: &Node) -> bool {
    pod.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some("Ready")
            && condition.str_at(&["status"]) == Some("True")
    })
}

fn id_of(api_version: &str, kind: &str, object: &Node) -> ObjectId {
    ObjectId {
        gvk: Gvk::new(api_version, kind),
        namespace: meta::namespace(object).into(),
        name: meta::name(object).into(),
    }
}

/// The pods that an object stands for: itself, or those that its selector picks, and of a
/// Deployment those of its newest set. Pods that are not ready come first, newest first.
async fn pods(client: &Client, id: &ObjectId, live: &Node, set: Option<&Node>) -> Vec<Node> {
    if id.gvk.kind == "Pod" {
        return vec![live.clone()];
    }
    let Some(labels) = live.at(&["spec", "selector", "matchLabels"]).and_then(Node::as_map) else {
        return Vec::new();
    };
    let mut pods = select(client, "v1", "Pod", &id.namespace, labels).await;
    if let Some(set) = set {
        pods.retain(|pod| is_owned_by(pod, set));
    }
    pods.sort_by_key(|pod| {
        let created = pod.str_at(&["metadata", "creationTimestamp"]).unwrap_or_default();
        (is_ready(pod), std::cmp::Reverse(created.to_owned()), meta::name(pod).to_owned())
    });
    pods
}

fn is_owned_by(object: &Node, owner: &Node) -> bool {
    let owners = object.items_at(&["metadata", "ownerReferences"]);
    owners.iter().any(|reference| reference.str_at(&["uid"]) == Some(meta::uid(owner)))
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

/// The ReplicaSet of a Deployment's newest version.
async fn newest_set(client: &Client, id: &ObjectId, live: &Node) -> Option<Node> {
    if id.gvk.kind != "Deployment" {
        return None;
    }
    let labels = live.at(&["spec", "selector", "matchLabels"])?.as_map()?;
    let sets = select(client, "apps/v1", "ReplicaSet", &id.namespace, labels).await;
    let revision = |set: &Node| {
        let text = meta::annotation(set, "deployment.kubernetes.io/revision").unwrap_or_default();
        text.parse::<u64>().unwrap_or(0)
    };
    sets.into_iter().filter(|set| is_owned_by(set, live)).max_by_key(revision)
}

/// The last warnings about an object, oldest first.
async fn warnings(client: &Client, id: &ObjectId) -> Vec<Node> {
    let mut events = client.events(id).await.unwrap_or_default();
    events.retain(|event| event.str_at(&["type"]) == Some("Warning"));
    events.drain(..events.len().saturating_sub(EVENTS));
    events
}

/// Reason and message of an event.
fn told(event: &Node) -> String {
    let text = |key| event.str_at(&[key]).unwrap_or_default();
    joined(text("reason"), text("message"))
}

fn joined(reason: &str, message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    if first.is_empty() { reason.to_owned() } else { format!("{reason}: {first}") }
}
