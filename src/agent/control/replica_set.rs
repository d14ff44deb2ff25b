//! ReplicaSets: as many pods as asked for.
//!
//! Counts the pods it controls that are neither finished nor being deleted, creates what is
//! missing, deletes what is too much (the least useful first), and reports in its status. Pods
//! without a controller that fit the selector are adopted.

use super::owner::is_deleting;
use super::pod::{self, is_active, is_ready, ready_since};
use super::{Action, Seen, View};
use crate::agent::events::Event;
use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Most pods created or deleted in one step, as Kubernetes' burst.
const BURST: usize = 500;

/// Brings one ReplicaSet nearer to its spec.
pub fn reconcile(view: &dyn View, namespace: &str, name: &str) -> Vec<Action> {
    let Some(set) = view.get("replicasets.apps", namespace, name) else { return Vec::new() };
    let mut actions = Vec::new();
    let mut pods = view.owned("pods", meta::uid(&set));
    if !is_deleting(&set) {
        pod::claim(view, &set, &mut pods, is_active, None, &mut actions);
    }
    let active: Vec<&Seen> = pods.iter().filter(|pod| is_active(pod)).collect();
    let wanted = usize::try_from(set.i64_at(&["spec", "replicas"]).unwrap_or(1)).unwrap_or(0);
    let mut refusal = None;
    if !is_deleting(&set) {
        if active.len() < wanted {
            let missing = (wanted - active.len()).min(BURST);
            refusal = create(view, &set, missing, &mut actions);
        } else if active.len() > wanted {
            delete(&set, &active, (active.len() - wanted).min(BURST), view.now(), &mut actions);
        }
    }
    report(&set, &active, refusal, view.now(), &mut actions);
    actions
}

/// Creates pods; gives what stops it when not all of them may be.
fn create(view: &dyn View, set: &Node, count: usize, actions: &mut Vec<Action>) -> Option<String> {
    let template = set.at(&["spec", "template"]).cloned().unwrap_or_default();
    let pod = pod::make(set, &template, &format!("{}-", meta::name(set)));
    let (room, refusal) = view.room(&pod, count);
    // the first that is refused is told as an event
    let tried = count.min(room + 1);
    actions.extend(std::iter::repeat_n(Action::Create(pod), tried));
    refusal
}

fn delete(set: &Node, active: &[&Seen], count: usize, now: Timestamp, actions: &mut Vec<Action>) {
    for pod in pod::least_useful(active, now).into_iter().take(count) {
        actions.push(Action::delete("pods", pod));
        let message = format!("Deleted pod: {}", meta::name(pod));
        actions.push(Action::Event(Event::normal(set, "SuccessfulDelete", message)));
    }
}

fn report(
    set: &Node,
    active: &[&Seen],
    refusal: Option<String>,
    now: Timestamp,
    actions: &mut Vec<Action>,
) {
    let min_ready = set.i64_at(&["spec", "minReadySeconds"]).unwrap_or(0);
    let labels = set.at(&["spec", "template", "metadata", "labels"]).and_then(Node::as_map);
    let labeled = active
        .iter()
        .filter(|pod| {
            labels.is_none_or(|labels| {
                let own = meta::labels(pod);
                labels
                    .iter()
                    .all(|label| own.and_then(|own| own.get(&label.key)) == Some(&label.value))
            })
        })
        .count();
    let ready: Vec<&&Seen> = active.iter().filter(|pod| is_ready(pod)).collect();
    let mut available = 0;
    let mut next = None;
    for pod in &ready {
        let age = ready_since(pod).map_or(0, |since| now.duration_since(since).as_secs());
        if age >= min_ready {
            available += 1;
        } else {
            let wait = min_ready - age;
            next = Some(next.map_or(wait, |soonest: i64| soonest.min(wait)));
        }
    }
    let mut status = Node::from(json!({
        "replicas": active.len(),
        "observedGeneration": set.i64_at(&["metadata", "generation"]),
    }));
    for (key, count) in [
        ("fullyLabeledReplicas", labeled),
        ("readyReplicas", ready.len()),
        ("availableReplicas", available),
    ] {
        if count > 0 {
            status.set(key, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    let mut conditions = set.items_at(&["status", "conditions"]).to_vec();
    let is_failure = |it: &Node| it.str_at(&["type"]) == Some("ReplicaFailure");
    match (refusal, conditions.iter().position(is_failure)) {
        // since when is told only once
        (Some(message), Some(at)) => conditions[at].set("message", message),
        (Some(message), None) => conditions.push(Node::from(json!({
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": rfc3339_seconds(now),
            "reason": "FailedCreate",
            "message": message,
        }))),
        (None, Some(at)) => drop(conditions.remove(at)),
        (None, None) => {}
    }
    if !conditions.is_empty() {
        status.set("conditions", conditions);
    }
    if set.get("status") != Some(&status) {
        let mut set = set.clone();
        set.set("status", status);
        actions.push(Action::UpdateStatus(set));
    }
    if let Some(seconds) = next.and_then(|seconds| u64::try_from(seconds).ok()) {
        actions.push(Action::Again(Duration::from_secs(seconds.max(1))));
    }
}
