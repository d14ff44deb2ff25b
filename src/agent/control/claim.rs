//! Claims and volumes: each claim gets a volume that fits, one that is there or a new folder of the
//! host; a volume whose claim is gone is kept or goes, as it says.
//!
//! ```text
//! claim:   Pending ─> Bound ─> deleted, once no pod uses it
//! volume:  Available ─> Bound ─> Released ─> deleted, folder and all (Delete), or kept (Retain)
//! ```
//!
//! The folder is made by the node when a pod first uses it, and removed by it.

use super::owner::is_deleting;
use super::pod::is_finished;
use super::{Action, Seen, View};
use crate::agent::claims::{
    CLAIM_PROTECTION, CLAIMS, CLASSES, FOLDER, PROVISIONER, VOLUME_PROTECTION, VOLUMES, of_pod,
};
use crate::agent::control::owner::without_finalizer;
use crate::agent::events::Event;
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::object::selector::Selector;
use crate::yaml::Node;
use serde_json::json;
use std::path::Path;

/// Marks volumes that were made for a claim, with who made them.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// Mark claims and volumes that were bound here.
const BOUND: [&str; 2] =
    ["pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"];

/// Brings one claim nearer to its volume, or to its end. `folder` is where new volumes are made, if
/// there are pods that could use them.
pub fn reconcile(
    view: &dyn View,
    namespace: &str,
    name: &str,
    folder: Option<&Path>,
) -> Vec<Action> {
    let Some(claim) = view.get(CLAIMS, namespace, name) else { return Vec::new() };
    let pods = view.all("pods", namespace);
    let mut users = pods.iter().filter(|pod| of_pod(pod).any(|used| used == name));
    if is_deleting(&claim) {
        let in_use = users.any(|pod| {
            let placed = pod.str_at(&["spec", "nodeName"]).is_some_and(|node| !node.is_empty());
            placed && !is_finished(pod)
        });
        let held = claim.items_at(&["metadata", "finalizers"]);
        let held = held.iter().any(|finalizer| finalizer.as_str() == Some(CLAIM_PROTECTION));
        if in_use || !held {
            return Vec::new();
        }
        return vec![Action::Update(without_finalizer(&claim, CLAIM_PROTECTION))];
    }
    let chosen = claim.str_at(&["spec", "volumeName"]).unwrap_or_default();
    if !chosen.is_empty() {
        return match view.get(VOLUMES, "", chosen) {
            Some(volume) if is_of(&volume, &claim) || is_free(&volume, &claim) => {
                bind(&claim, &volume)
            }
            None if claim.str_at(&["status", "phase"]) == Some("Bound") => {
                let message =
                    "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
                let mut lost = (*claim).clone();
                lost.set_at(&["status", "phase"], "Lost");
                let event = Event::warning(&claim, "ClaimLost", message);
                vec![Action::UpdateStatus(lost), Action::Event(event)]
            }
            // it may still come, or become free
            _ => Vec::new(),
        };
    }
    if let Some(volume) = fitting(view, &claim) {
        return bind(&claim, &volume);
    }
    let class_name = claim.str_at(&["spec", "storageClassName"]).unwrap_or_default();
    let Some(class) = view.get(CLASSES, "", class_name) else {
        let message = if class_name.is_empty() {
            "no persistent volumes available for this claim and no storage class is set".to_owned()
        } else {
            format!("storageclass.storage.k8s.io \"{class_name}\" not found")
        };
        let reason = if class_name.is_empty() { "FailedBinding" } else { "ProvisioningFailed" };
        return vec![Action::Event(Event::warning(&claim, reason, message))];
    };
    let waits = class.str_at(&["volumeBindingMode"]) == Some("WaitForFirstConsumer");
    if waits && !users.any(|pod| !is_finished(pod) && !is_deleting(pod)) {
        let message = "waiting for first consumer to be created before binding";
        return vec![Action::Event(Event::normal(&claim, "WaitForFirstConsumer", message))];
    }
    let provisioner = class.str_at(&["provisioner"]).unwrap_or_default();
    match folder.filter(|_| provisioner == PROVISIONER) {
        Some(_) if claim.str_at(&["spec", "volumeMode"]) == Some("Block") => {
            let message = format!("{PROVISIONER} makes folders, no block devices");
            vec![Action::Event(Event::warning(&claim, "ProvisioningFailed", message))]
        }
        Some(folder) => provision(&claim, &class, folder),
        None => {
            let message = format!(
                "Waiting for a volume to be created either by the external provisioner \
                 '{provisioner}' or manually by the system administrator"
            );
            vec![Action::Event(Event::normal(&claim, "ExternalProvisioning", message))]
        }
    }
}

/// Makes a volume for a claim; the next run binds them.
fn provision(claim: &Node, class: &Node, folder: &Path) -> Vec<Action> {
    let name = format!("pvc-{}", meta::uid(claim));
    let path = folder.join(&name);
    let policy = class.str_at(&["reclaimPolicy"]).unwrap_or("Delete");
    let volume = Node::from(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {PROVISIONED_BY: PROVISIONER},
            "finalizers": [VOLUME_PROTECTION, FOLDER],
        },
        "spec": {
            "capacity": {"storage": claim.at(&["spec", "resources", "requests", "storage"])},
            "hostPath": {"path": path.display().to_string(), "type": "DirectoryOrCreate"},
            "accessModes": claim.at(&["spec", "accessModes"]),
            "claimRef": reference(claim),
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": meta::name(class),
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }));
    let message = format!("Successfully provisioned volume {name}");
    let event = Event::normal(claim, "ProvisioningSucceeded", message);
    let mut claim = claim.clone();
    claim.set_at(&["spec", "volumeName"], name);
    vec![Action::Create(volume), Action::Update(claim), Action::Event(event)]
}

fn reference(claim: &Node) -> Node {
    Node::from(json!({
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": meta::namespace(claim),
        "name": meta::name(claim),
        "uid": meta::uid(claim),
    }))
}

/// Writes into claim and volume that they belong together, as far as they do not say so already.
fn bind(claim: &Node, volume: &Node) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut bound = volume.clone();
    if !is_of(volume, claim) {
        bound.set_at(&["spec", "claimRef"], reference(claim));
        bound.set_at(&["metadata", "annotations", BOUND[1]], "yes");
        actions.push(Action::Update(bound.clone()));
    }
    if volume.str_at(&["status", "phase"]) != Some("Bound") {
        bound.set_at(&["status", "phase"], "Bound");
        actions.push(Action::UpdateStatus(bound));
    }
    let mut bound = claim.clone();
    bound.set_at(&["spec", "volumeName"], meta::name(volume));
    for annotation in BOUND {
        bound.set_at(&["metadata", "annotations", annotation], "yes");
    }
    if bound != *claim {
        actions.push(Action::Update(bound.clone()));
    }
    bound.set(
        "status",
        Node::from(json!({
            "phase": "Bound",
            "accessModes": volume.at(&["spec", "accessModes"]),
            "capacity": volume.at(&["spec", "capacity"]),
        })),
    );
    if bound.get("status") != claim.get("status") {
        actions.push(Action::UpdateStatus(bound));
    }
    actions
}

/// The smallest volume that nobody has and that is as the claim wants it.
fn fitting(view: &dyn View, claim: &Node) -> Option<Seen> {
    let asked = size(claim.at(&["spec", "resources", "requests", "storage"]));
    let selector = claim.at(&["spec", "selector"]).filter(|selector| !selector.is_null());
    let selector = selector.map(Selector::from_label_selector);
    let text = |node: &Node, field: &str| {
        node.str_at(&["spec", field]).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let mode = |node: &Node| text(node, "volumeMode").unwrap_or_else(|| "Filesystem".to_owned());
    let fits = |volume: &Seen| {
        let modes = volume.items_at(&["spec", "accessModes"]);
        let labels = meta::labels(volume);
        is_free(volume, claim)
            && !is_deleting(volume)
            && text(volume, "storageClassName") == text(claim, "storageClassName")
            && mode(volume) == mode(claim)
            && claim.items_at(&["spec", "accessModes"]).iter().all(|mode| modes.contains(mode))
            && size(volume.at(&["spec", "capacity", "storage"])) >= asked
            && selector.as_ref().is_none_or(|it| it.as_ref().is_ok_and(|it| it.matches(labels)))
    };
    let volumes = view.all(VOLUMES, "").into_iter().filter(fits);
    volumes.min_by_key(|volume| size(volume.at(&["spec", "capacity", "storage"])))
}

fn size(node: Option<&Node>) -> Quantity {
    node.and_then(Quantity::from_node).unwrap_or_default()
}

/// True for a volume that nobody has, or that waits for this claim by its name.
fn is_free(volume: &Node, claim: &Node) -> bool {
    let Some(holder) = volume.at(&["spec", "claimRef"]).filter(|it| !it.is_null()) else {
        return true;
    };
    holder.str_at(&["uid"]).is_none_or(str::is_empty)
        && holder.str_at(&["name"]) == Some(meta::name(claim))
        && holder.str_at(&["namespace"]) == Some(meta::namespace(claim))
}

/// True for a volume that is bound to this very claim.
fn is_of(volume: &Node, claim: &Node) -> bool {
    volume.str_at(&["spec", "claimRef", "uid"]) == Some(meta::uid(claim))
}

/// Brings the phase of one volume up to date, or lets it go.
pub fn reconcile_volume(view: &dyn View, name: &str) -> Vec<Action> {
    let Some(volume) = view.get(VOLUMES, "", name) else { return Vec::new() };
    let text = |field| volume.str_at(&["spec", "claimRef", field]).unwrap_or_default();
    let claim = view.get(CLAIMS, text("namespace"), text("name"));
    let uid = text("uid");
    let phase = match claim {
        Some(claim) if !uid.is_empty() && meta::uid(&claim) == uid => "Bound",
        _ if uid.is_empty() => "Available",
        _ => "Released",
    };
    let mut actions = Vec::new();
    if phase != "Bound" && is_deleting(&volume) {
        let free = without_finalizer(&volume, VOLUME_PROTECTION);
        if free != *volume {
            actions.push(Action::Update(free));
        }
        return actions;
    }
    let provisioned = meta::annotation(&volume, PROVISIONED_BY) == Some(PROVISIONER);
    let policy = volume.str_at(&["spec", "persistentVolumeReclaimPolicy"]);
    if phase == "Released" && provisioned && policy == Some("Delete") {
        actions.push(Action::delete(VOLUMES, &volume));
    } else if volume.str_at(&["status", "phase"]) != Some(phase) {
        let mut volume = (*volume).clone();
        volume.set_at(&["status", "phase"], phase);
        actions.push(Action::UpdateStatus(volume));
    }
    actions
}
