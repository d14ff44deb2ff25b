//! Who controls whom: owner references with `controller: true`.

use crate::yaml::Node;
use serde_json::json;

/// Holds a pod until the Job that owns it has counted it.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The uid of the controller of an object.
pub(super) fn controller_uid(object: &Node) -> Option<&str> {
    object
        .items_at(&["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner.get("controller").and_then(Node::as_bool) == Some(true))
        .and_then(|owner| owner.str_at(&["uid"]))
}

/// An owner reference that makes `owner` the controller.
pub(super) fn controller_reference(owner: &Node) -> Node {
    Node::from(json!({
        "apiVersion": owner.str_at(&["apiVersion"]),
        "kind": owner.str_at(&["kind"]),
        "name": owner.str_at(&["metadata", "name"]),
        "uid": owner.str_at(&["metadata", "uid"]),
        "controller": true,
        "blockOwnerDeletion": true,
    }))
}

/// True when the object is being deleted.
pub(super) fn is_deleting(object: &Node) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some()
}

/// A copy of `object` with `owner` as its controller.
pub(super) fn adopted(object: &Node, owner: &Node) -> Node {
    let mut object = object.clone();
    let mut owners = object.items_at(&["metadata", "ownerReferences"]).to_vec();
    owners.push(controller_reference(owner));
    object.set_at(&["metadata", "ownerReferences"], owners);
    object
}

/// A copy of `object` that an owner has let go of.
pub(super) fn released(object: &Node, uid: &str) -> Node {
    let mut object = without_finalizer(object, TRACKING);
    let mut owners = object.items_at(&["metadata", "ownerReferences"]).to_vec();
    owners.retain(|owner| owner.str_at(&["uid"]) != Some(uid));
    set_list(&mut object, "ownerReferences", owners);
    object
}

/// A copy of `object` that a finalizer no longer holds.
pub(super) fn without_finalizer(object: &Node, finalizer: &str) -> Node {
    let mut object = object.clone();
    let mut finalizers = object.items_at(&["metadata", "finalizers"]).to_vec();
    finalizers.retain(|it| it.as_str() != Some(finalizer));
    set_list(&mut object, "finalizers", finalizers);
    object
}

/// Sets a list of an object's metadata; an empty one is left out.
pub(super) fn set_list(object: &mut Node, field: &str, list: Vec<Node>) {
    if list.is_empty() {
        object.remove_at(&["metadata", field]);
    } else {
        object.set_at(&["metadata", field], list);
    }
}
