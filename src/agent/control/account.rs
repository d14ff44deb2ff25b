//! What each namespace has from the start: the ServiceAccount `default`, which pods run as that name
//! no other, and the ConfigMap with the certificate of the API's authority.

use super::{Action, View, owner};
use crate::yaml::Node;
use serde_json::json;

/// The ConfigMap with the authority's certificate.
pub const ROOT_CA: &str = "kube-root-ca.crt";

/// What Kubernetes says of it.
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when \
    using internal endpoints such as the internal service IP or kubernetes.default.svc. No other \
    usage is guaranteed across distributions of Kubernetes clusters.";

/// Makes what a namespace that stays lacks. `authority` is a certificate as PEM.
pub fn reconcile(view: &impl View, namespace: &str, authority: &str) -> Vec<Action> {
    let Some(space) = view.get("namespaces", "", namespace) else { return Vec::new() };
    let mut actions = Vec::new();
    if owner::is_deleting(&space) {
        return actions;
    }
    if view.get("serviceaccounts", namespace, "default").is_none() {
        actions.push(Action::Create(Node::from(json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }))));
    }
    let data = Node::from(json!({"ca.crt": authority}));
    match view.get("configmaps", namespace, ROOT_CA) {
        None => actions.push(Action::Create(Node::from(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": ROOT_CA,
                "namespace": namespace,
                "annotations": {"kubernetes.io/description": DESCRIPTION},
            },
            "data": {"ca.crt": authority},
        })))),
        Some(map) if map.get("data") != Some(&data) => {
            let mut map = (*map).clone();
            map.set("data", data);
            actions.push(Action::Update(map));
        }
        Some(_) => {}
    }
    actions
}
