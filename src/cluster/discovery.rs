//! Which kinds a server has, under which path, and whether they live in namespaces.
//!
//! The kinds that nearly every release is made of are known beforehand, so that no discovery is
//! needed for them; the server is asked once, and only when another kind comes up. Aggregated
//! discovery (v2) is preferred; servers without it are asked group by group, and only for the group
//! in question.

use crate::object::Gvk;
use crate::yaml::Node;
use compact_str::CompactString;
use std::collections::HashMap;

/// A kind as the API serves it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: CompactString,
    /// API version.
    pub version: CompactString,
    /// Kind.
    pub kind: CompactString,
    /// The name in paths, such as `deployments`.
    pub plural: CompactString,
    /// True when its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() }
    }
}

/// Group, version, kind, plural, namespaced.
const WELL_KNOWN: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Event", "events", true),
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", "Node", "nodes", false),
    ("", "v1", "PersistentVolume", "persistentvolumes", false),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", true),
    ("apps", "v1", "DaemonSet", "daemonsets", true),
    ("apps", "v1", "Deployment", "deployments", true),
    ("apps", "v1", "ReplicaSet", "replicasets", true),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("batch", "v1", "CronJob", "cronjobs", true),
    ("batch", "v1", "Job", "jobs", true),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", true),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
];

/// A kind that every Kubernetes server of today has, and the agent if it serves it at all.
pub(super) fn well_known(gvk: &Gvk) -> Option<Resource> {
    WELL_KNOWN
        .iter()
        .find(|row| row.0 == gvk.group && row.1 == gvk.version && row.2 == gvk.kind)
        .map(|&(group, version, kind, plural, namespaced)| Resource {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
        })
}

/// The kinds that a server was found to have.
pub(super) type Found = HashMap<Gvk, Resource>;

/// Takes the kinds of an aggregated discovery document; false when it is no such document.
pub(super) fn read_aggregated(document: &Node, found: &mut Found) -> bool {
    if document.str_at(&["kind"]) != Some("APIGroupDiscoveryList") {
        return false;
    }
    for group in document.items_at(&["items"]) {
        let name = group.str_at(&["metadata", "name"]).unwrap_or_default();
        for version in group.items_at(&["versions"]) {
            let version_name = version.str_at(&["version"]).unwrap_or_default();
            for resource in version.items_at(&["resources"]) {
                let Some(kind) = resource.str_at(&["responseKind", "kind"]) else { continue };
                add(
                    found,
                    name,
                    version_name,
                    kind,
                    resource.str_at(&["resource"]).unwrap_or_default(),
                    resource.str_at(&["scope"]) == Some("Namespaced"),
                );
            }
        }
    }
    true
}

/// Takes the kinds of an `APIResourceList`.
pub(super) fn read_plain(group: &str, version: &str, document: &Node, found: &mut Found) {
    for resource in document.items_at(&["resources"]) {
        let name = resource.str_at(&["name"]).unwrap_or_default();
        // `deployments/status` is no resource of its own
        if name.contains('/') {
            continue;
        }
        let namespaced = resource.at(&["namespaced"]).and_then(Node::as_bool).unwrap_or(false);
        let kind = resource.str_at(&["kind"]).unwrap_or_default();
        add(found, group, version, kind, name, namespaced);
    }
}

fn add(found: &mut Found, group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) {
    let resource = Resource {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced,
    };
    found.entry(resource.gvk()).or_insert(resource);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_discovery_tell_the_same() {
        let aggregated = Node::from(json!({"kind": "APIGroupDiscoveryList", "items": [
        {"metadata": {"name": "a.b"}, "versions": [{"version": "v2", "resources": [
            {"resource": "gadgets", "scope": "Namespaced", "responseKind": {"kind": "Gadget"}}
        ]}]}]}));
        let plain = Node::from(json!({"resources": [
            {"name": "gadgets", "kind": "Gadget", "namespaced": true},
            {"name": "gadgets/status", "kind": "Gadget", "namespaced": true}]}));
        let (mut one, mut two) = (Found::new(), Found::new());
        assert!(read_aggregated(&aggregated, &mut one));
        assert!(!read_aggregated(&plain, &mut one));
        read_plain("a.b", "v2", &plain, &mut two);
        assert_eq!(one, two);
        assert_eq!(one[&Gvk::new("a.b/v2", "Gadget")].plural, "gadgets");
        assert!(well_known(&Gvk::new("apps/v1", "Deployment")).is_some());
        assert!(well_known(&Gvk::new("apps/v1beta1", "Deployment")).is_none());
    }
}
