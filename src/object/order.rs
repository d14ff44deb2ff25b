//! The order in which kinds are installed and removed: Helm's.
//!
//! What others need comes first: namespaces before what lives in them, accounts and configuration
//! before workloads, webhooks last. Kinds that the table does not know come after all others, by
//! name, because they are mostly custom resources whose definitions stand in the table.

use super::object::Object;

/// Kinds in the order of installing.
const INSTALL: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Kinds in the order of removing: nearly the reverse, but services go before the workloads behind
/// them, and validating webhooks first, so that they cannot block the rest.
const UNINSTALL: &[&str] = &[
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// The place of a kind when installing; `u16::MAX` for kinds that are not in the table.
#[must_use]
pub fn install_rank(kind: &str) -> u16 {
    rank(INSTALL, kind)
}

/// The place of a kind when removing; `u16::MAX` for kinds that are not in the table.
#[must_use]
pub fn uninstall_rank(kind: &str) -> u16 {
    rank(UNINSTALL, kind)
}

fn rank(table: &[&str], kind: &str) -> u16 {
    (0..).zip(table).find(|(_, known)| **known == kind).map_or(u16::MAX, |(rank, _)| rank)
}

/// Sorts objects for installing; objects of one kind keep their order.
pub fn sort_install(objects: &mut [Object]) {
    objects.sort_by_cached_key(|object| key(INSTALL, object.kind()));
}

/// Sorts objects for removing; objects of one kind keep their order.
pub fn sort_uninstall(objects: &mut [Object]) {
    objects.sort_by_cached_key(|object| key(UNINSTALL, object.kind()));
}

/// Sorts what a function gives the kind of for installing.
pub fn sort_install_by<T>(items: &mut [T], kind: impl Fn(&T) -> &str) {
    items.sort_by_cached_key(|item| key(INSTALL, kind(item)));
}

fn key(table: &[&str], kind: &str) -> (u16, String) {
    match rank(table, kind) {
        u16::MAX => (u16::MAX, kind.to_owned()),
        known => (known, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Node;
    use serde_json::json;

    fn sorted(kinds: &str, sort: fn(&mut [Object])) -> String {
        let mut objects: Vec<Object> = kinds
            .split(' ')
            .map(|kind| Object {
                root: Node::from(json!({"apiVersion": "v1", "kind": kind})),
                origin: std::sync::Arc::default(),
            })
            .collect();
        sort(&mut objects);
        objects.iter().map(Object::kind).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn kinds_stand_as_helm_puts_them_and_unknown_ones_last_by_name() {
        let kinds = "Zebra Deployment Apple Namespace Service ValidatingWebhookConfiguration";
        assert_eq!(
            sorted(kinds, sort_install),
            "Namespace Service Deployment ValidatingWebhookConfiguration Apple Zebra"
        );
        assert_eq!(
            sorted(kinds, sort_uninstall),
            "ValidatingWebhookConfiguration Service Deployment Namespace Apple Zebra"
        );
    }

    #[test]
    fn both_tables_hold_the_same_kinds() {
        assert!(INSTALL.iter().all(|kind| UNINSTALL.contains(kind)));
        assert_eq!(INSTALL.len(), UNINSTALL.len());
    }
}
