//! ReplicaSets: as many pods as asked for.
//!
//! Counts the pods it controls that are neither finished nor being deleted, creates what is
//! missing, deletes what is too much (the least useful first), and reports in its status. Pods
//! without a controller that fit the selector are adopted.

use super::owner::is_deleting;
use super::pod::{self, is_active, is_ready, ready_since};
use super::{Action, Seen, View};
use crate::agent::events::Event;
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
    if !is_deleting(&set) {
        if active.len() < wanted {
            create(&set, (wanted - active.len()).min(BURST), &mut actions);
        } else if active.len() > wanted {
            delete(&set, &active, (active.len() - wanted).min(BURST), view.now(), &mut actions);
        }
    }
    report(&set, &active, view.now(), &mut actions);
    actions
}

fn create(set: &Node, count: usize, actions: &mut Vec<Action>) {
    let template = set.at(&["spec", "template"]).cloned().unwrap_or_default();
    let prefix = format!("{}-", meta::name(set));
    actions.extend((0..count).map(|_| Action::Create(pod::make(set, &template, &prefix))));
}

fn delete(set: &Node, active: &[&Seen], count: usize, now: Timestamp, actions: &mut Vec<Action>) {
    for pod in pod::least_useful(active, now).into_iter().take(count) {
        actions.push(Action::delete("pods", pod));
        let message = format!("Deleted pod: {}", meta::name(pod));
        actions.push(Action::Event(Event::normal(set, "SuccessfulDelete", message)));
    }
}

fn report(set: &Node, active: &[&Seen], now: Timestamp, actions: &mut Vec<Action>) {
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
    if let Some(conditions) = set.at(&["status", "conditions"]) {
        status.set("conditions", conditions.clone());
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
