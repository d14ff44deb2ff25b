//! Each namespace has a ServiceAccount `default`, which pods run as that name no other.

use super::{Action, View, owner};
use crate::yaml::Node;
use serde_json::json;

/// Makes the account of a namespace that stays and has none.
pub fn reconcile(view: &impl View, namespace: &str) -> Vec<Action> {
    let Some(space) = view.get("namespaces", "", namespace) else { return Vec::new() };
    if owner::is_deleting(&space) || view.get("serviceaccounts", namespace, "default").is_some() {
        return Vec::new();
    }
    vec![Action::Create(Node::from(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
    })))]
}
