//! Garbage collection: what has lost all its owners is deleted in the background.
//!
//! An owner counts as lost when no object with its uid is stored. The runner asks for the
//! dependents of an object that was deleted, and for objects whose owner it does not know.

use super::Action;
use crate::yaml::Node;

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
    if left.len() == owners.len() || super::owner::is_deleting(object) {
        return Vec::new();
    }
    if left.is_empty() {
        return vec![Action::delete(resource, object)];
    }
    let mut object = object.clone();
    object.set_at(&["metadata", "ownerReferences"], left);
    vec![Action::Update(object)]
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
}
