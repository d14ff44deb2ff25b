//! Pods as the controllers that own them see them: made from a template, claimed by a selector,
//! counted, and ranked by how much each would be missed.

use super::owner::{adopted, controller_reference, is_deleting, released, set_list};
use super::{Action, Seen, View};
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::json;

/// A new pod of a template, with a name that begins with `prefix`.
pub(super) fn make(owner: &Node, template: &Node, prefix: &str) -> Node {
    let mut pod = Node::from(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": prefix, "namespace": meta::namespace(owner)},
    }));
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.at(&["metadata", key]) {
            pod.set_at(&["metadata", key], value.clone());
        }
    }
    pod.set_at(&["metadata", "ownerReferences"], vec![controller_reference(owner)]);
    let mut spec = template.at(&["spec"]).cloned().unwrap_or_else(Node::map);
    // the one default that a Pod has and a template has not
    if spec.get("enableServiceLinks").is_none() {
        spec.set("enableServiceLinks", true);
    }
    pod.set("spec", spec);
    pod
}

/// Adopts pods that fit the owner's selector and that it `wants`, and lets go of those that do not
/// fit. Those adopted get `finalizer`.
pub(super) fn claim(
    view: &dyn View,
    owner: &Node,
    pods: &mut Vec<Seen>,
    wants: fn(&Node) -> bool,
    finalizer: Option<&str>,
    actions: &mut Vec<Action>,
) {
    let Some(selector) = owner.at(&["spec", "selector"]) else { return };
    let Ok(selector) = Selector::from_label_selector(selector) else { return };
    pods.retain(|pod| {
        let fits = selector.matches(meta::labels(pod));
        if !fits && !is_deleting(pod) {
            actions.push(Action::Update(released(pod, meta::uid(owner))));
        }
        fits
    });
    for pod in view.orphans("pods", meta::namespace(owner)) {
        if wants(&pod) && selector.matches(meta::labels(&pod)) {
            let mut taken = adopted(&pod, owner);
            if let Some(finalizer) = finalizer {
                let mut finalizers = pod.items_at(&["metadata", "finalizers"]).to_vec();
                finalizers.push(finalizer.into());
                set_list(&mut taken, "finalizers", finalizers);
            }
            actions.push(Action::Update(taken));
            pods.push(pod);
        }
    }
}

/// True for pods that count: not finished, not being deleted.
pub(super) fn is_active(pod: &Node) -> bool {
    !is_finished(pod) && !is_deleting(pod)
}

/// True for a pod whose containers have all ended for good.
pub(super) fn is_finished(pod: &Node) -> bool {
    matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"))
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

/// When a pod became ready, or ceased to be.
pub(super) fn ready_since(pod: &Node) -> Option<Timestamp> {
    time(ready_condition(pod)?, &["lastTransitionTime"])
}

/// A time that an object names.
pub(super) fn time(node: &Node, path: &[&str]) -> Option<Timestamp> {
    node.str_at(path)?.parse().ok()
}

/// Pods in the order in which they go: the one that is missed least first.
pub(super) fn least_useful<'a>(pods: &[&'a Seen], now: Timestamp) -> Vec<&'a Seen> {
    let mut ranked = pods.to_vec();
    ranked.sort_by_key(|pod| usefulness(pod, now));
    ranked
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
