//! ReplicaSets: as many pods as asked for.
//!
//! Counts the pods it controls that are neither finished nor being deleted, creates what is
//! missing, deletes what is too much (the least useful first), and reports in its status. Pods
//! without a controller that fit the selector are adopted.

use super::owner::{adopted, controller_reference, is_deleting, released};
use super::{Action, Seen, View};
use crate::agent::events::Event;
use crate::object::meta;
use crate::object::selector::Selector;
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
        claim(view, &set, namespace, &mut pods, &mut actions);
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

/// Adopts pods that fit the selector, and lets go of those that do not.
fn claim(
    view: &dyn View,
    set: &Node,
    namespace: &str,
    pods: &mut Vec<Seen>,
    actions: &mut Vec<Action>,
) {
    let Some(selector) = set.at(&["spec", "selector"]) else { return };
    let Ok(selector) = Selector::from_label_selector(selector) else { return };
    pods.retain(|pod| {
        let fits = selector.matches(meta::labels(pod));
        if !fits && !is_deleting(pod) {
            actions.push(Action::Update(released(pod, meta::uid(set))));
        }
        fits
    });
    for pod in view.orphans("pods", namespace) {
        if is_active(&pod) && selector.matches(meta::labels(&pod)) {
            actions.push(Action::Update(adopted(&pod, set)));
            pods.push(pod);
        }
    }
}

/// True for pods that count: not finished, not being deleted.
pub(super) fn is_active(pod: &Node) -> bool {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or_default();
    phase != "Succeeded" && phase != "Failed" && !is_deleting(pod)
}

fn create(set: &Node, count: usize, actions: &mut Vec<Action>) {
    let template = set.at(&["spec", "template"]).cloned().unwrap_or_default();
    for _ in 0..count {
        let mut pod = Node::from(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": format!("{}-", meta::name(set)),
                "namespace": meta::namespace(set),
            },
        }));
        for key in ["labels", "annotations", "finalizers"] {
            if let Some(value) = template.at(&["metadata", key]) {
                pod.set_at(&["metadata", key], value.clone());
            }
        }
        pod.set_at(&["metadata", "ownerReferences"], vec![controller_reference(set)]);
        let mut spec = template.at(&["spec"]).cloned().unwrap_or_else(Node::map);
        for field in ["serviceAccountName", "serviceAccount"] {
            if spec.get(field).is_none() {
                spec.set(field, "default");
            }
        }
        // the one default that a Pod has and a template has not
        if spec.get("enableServiceLinks").is_none() {
            spec.set("enableServiceLinks", true);
        }
        pod.set("spec", spec);
        actions.push(Action::Create(pod));
    }
}

fn delete(set: &Node, active: &[&Seen], count: usize, now: Timestamp, actions: &mut Vec<Action>) {
    let mut ranked: Vec<&Seen> = active.to_vec();
    ranked.sort_by_key(|pod| usefulness(pod, now));
    for pod in ranked.into_iter().take(count) {
        actions.push(Action::delete("pods", pod));
        let message = format!("Deleted pod: {}", meta::name(pod));
        actions.push(Action::Event(Event::normal(set, "SuccessfulDelete", message)));
    }
}

/// Sorts pods so that the first is missed least: unassigned, then pending, then not ready, then
/// ready for the shortest time, then with most restarts, then youngest.
fn usefulness(pod: &Node, now: Timestamp) -> (bool, u8, bool, i64, i64, i64) {
    let phase = match pod.str_at(&["status", "phase"]) {
        Some("Pending") | None => 0,
        Some("Running") => 2,
        Some(_) => 1,
    };
    let ready = is_ready(pod);
    let ready_for = ready_since(pod).map_or(0, |since| now.duration_since(since).as_secs());
    let restarts = pod
        .items_at(&["status", "containerStatuses"])
        .iter()
        .filter_map(|status| status.i64_at(&["restartCount"]))
        .max()
        .unwrap_or(0);
    let age = time(pod, &["metadata", "creationTimestamp"])
        .map_or(0, |created| now.duration_since(created).as_secs());
    (pod.str_at(&["spec", "nodeName"]).is_some(), phase, ready, ready_for, -restarts, age)
}

/// The condition `Ready` of a pod.
pub(super) fn is_ready(pod: &Node) -> bool {
    ready_condition(pod).is_some_and(|ready| ready.str_at(&["status"]) == Some("True"))
}

fn ready_condition(pod: &Node) -> Option<&Node> {
    pod.items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some("Ready"))
}

fn ready_since(pod: &Node) -> Option<Timestamp> {
    time(ready_condition(pod)?, &["lastTransitionTime"])
}

pub(super) fn time(node: &Node, path: &[&str]) -> Option<Timestamp> {
    node.str_at(path)?.parse().ok()
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
