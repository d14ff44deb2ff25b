//! Garbage collection: what has lost all its owners is deleted, and an owner that is to go last or
//! alone is held until its dependents are gone or free.
//!
//! An owner counts as lost when no object with its uid is stored. The runner asks for the
//! dependents of an object that was deleted, for objects whose owner it does not know, and for
//! owners that are being deleted. A pod that waits to be counted by a Job is let go with it.

use super::owner::{TRACKING, is_deleting, released, set_list, without_finalizer};
use super::{Action, Seen};
use crate::object::meta;
use crate::yaml::Node;

/// Holds an owner until the dependents that block it are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// Holds an owner until its dependents are free of it.
const ORPHAN: &str = "orphan";

/// Deletes `object` when none of its owners is left; while one is, lost ones are taken off.
pub fn reconcile(
    object: &Node,
    resource: &str,
    mut is_stored: impl FnMut(&str) -> bool,
) -> Vec<Action> {
    let owners = object.items_at(&["metadata", "ownerReferences"]);
    let left: Vec<Node> = owners
        .iter()
        .filter(|owner| owner.str_at(&["uid"]).is_some_and(&mut is_stored))
        .cloned()
        .collect();
    if left.len() == owners.len() {
        return Vec::new();
    }
    let is_controller = |it: &Node| it.get("controller").and_then(Node::as_bool) == Some(true);
    let mut next = object.clone();
    if !left.iter().any(is_controller) {
        // nobody will count it any more
        next = without_finalizer(object, TRACKING);
    }
    let is_free = !holds(&next, TRACKING) && holds(object, TRACKING);
    let goes = left.is_empty() && !is_deleting(object);
    let mut actions = Vec::new();
    if !left.is_empty() && !is_deleting(object) {
        next.set_at(&["metadata", "ownerReferences"], left);
        actions.push(Action::Update(next));
    } else if is_free {
        actions.push(Action::Update(next));
    }
    actions.extend(goes.then(|| Action::delete(resource, object)));
    actions
}

/// A dependent of an owner.
#[derive(Debug)]
pub struct Dependent {
    /// Its resource.
    pub resource: String,
    /// The object.
    pub object: Seen,
    /// True when it has dependents itself.
    pub owns: bool,
}

/// Whether the deletion of an object waits for its dependents.
pub fn waits(owner: &Node) -> bool {
    is_deleting(owner) && (holds(owner, FOREGROUND) || holds(owner, ORPHAN))
}

/// Brings the deletion of an owner that waits for its dependents further.
pub fn release(owner: &Node, dependents: &[Dependent]) -> Vec<Action> {
    let uid = meta::uid(owner);
    let mut actions = Vec::new();
    if holds(owner, ORPHAN) {
        let free = dependents.iter().map(|it| Action::Update(released(&it.object, uid)));
        actions.extend(free);
        actions.push(without(owner, ORPHAN));
        return actions;
    }
    let mut blocked = false;
    for Dependent { resource, object, owns } in dependents {
        let owners = object.items_at(&["metadata", "ownerReferences"]);
        let blocks = |it: &Node| {
            it.str_at(&["uid"]) == Some(uid)
                && it.get("blockOwnerDeletion").and_then(Node::as_bool) == Some(true)
        };
        blocked |= owners.iter().any(blocks);
        if is_deleting(object) {
            continue;
        }
        if owners.iter().any(|it| it.str_at(&["uid"]) != Some(uid)) {
            actions.push(Action::Update(released(object, uid)));
            continue;
        }
        if *owns {
            let mut held = (**object).clone();
            let mut finalizers = held.items_at(&["metadata", "finalizers"]).to_vec();
            finalizers.push(FOREGROUND.into());
            set_list(&mut held, "finalizers", finalizers);
            actions.push(Action::Update(held));
        }
        actions.push(Action::delete(resource, object));
    }
    if !blocked {
        actions.push(without(owner, FOREGROUND));
    }
    actions
}

fn holds(object: &Node, finalizer: &str) -> bool {
    object.items_at(&["metadata", "finalizers"]).iter().any(|it| it.as_str() == Some(finalizer))
}

fn without(owner: &Node, finalizer: &str) -> Action {
    Action::Update(without_finalizer(owner, finalizer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_goes_with_its_last_owner() {
        let object = Node::from(json!({"metadata": {"name": "a", "namespace": "n", "uid": "u",
            "ownerReferences": [{"uid": "1"}, {"uid": "2"}]}}));
        assert_eq!(reconcile(&object, "pods", |_| true), []);
        assert_eq!(reconcile(&object, "pods", |_| false), [Action::delete("pods", &object)]);
        let mut one = object.clone();
        let left = vec![Node::from(json!({"uid": "2"}))];
        one.set_at(&["metadata", "ownerReferences"], left);
        assert_eq!(reconcile(&object, "pods", |uid| uid == "2"), [Action::Update(one)]);
    }

    fn dependent(name: &str, owners: &serde_json::Value, owns: bool) -> Dependent {
        let object = Node::from(json!({"metadata": {"name": name, "namespace": "n", "uid": name,
            "ownerReferences": owners}}));
        let key = crate::agent::store::Key::new("pods", "n", name);
        let stored = crate::agent::store::Stored { key, object, revision: 1 };
        Dependent { resource: "pods".into(), object: std::sync::Arc::new(stored).into(), owns }
    }

    fn owner(finalizer: &str) -> Node {
        Node::from(json!({"metadata": {"name": "o", "uid": "o", "finalizers": [finalizer, "x"],
            "deletionTimestamp": "2024-01-01T00:00:00Z"}}))
    }

    #[test]
    fn an_owner_in_the_foreground_goes_after_those_that_block_it() {
        let owner = owner("foregroundDeletion");
        assert!(waits(&owner));
        let only = dependent("a", &json!([{"uid": "o", "blockOwnerDeletion": true}]), false);
        let shared = dependent("b", &json!([{"uid": "o"}, {"uid": "p"}]), false);
        let above = dependent("c", &json!([{"uid": "o"}]), true);
        let actions = release(&owner, &[only, shared, above]);
        assert_eq!(actions.len(), 4);
        assert!(matches!(&actions[0], Action::Delete { name, .. } if name == "a"));
        assert!(matches!(&actions[1], Action::Update(it)
            if it.items_at(&["metadata", "ownerReferences"]).len() == 1));
        assert!(matches!(&actions[2], Action::Update(it) if holds(it, FOREGROUND)));
        assert!(matches!(&actions[3], Action::Delete { name, .. } if name == "c"));
        assert_eq!(release(&owner, &[]), [without(&owner, FOREGROUND)]);
    }

    #[test]
    fn dependents_are_left_free_of_an_owner_that_goes_alone() {
        let owner = owner("orphan");
        let only = dependent("a", &json!([{"uid": "o", "blockOwnerDeletion": true}]), false);
        let free = released(&only.object, "o");
        assert!(free.at(&["metadata", "ownerReferences"]).is_none());
        let expected = [Action::Update(free), without(&owner, ORPHAN)];
        assert_eq!(release(&owner, &[only]), expected);
    }
}
