//! What tells one resource from another, as kustomize sees it.
//!
//! An id is kind, name and *effective* namespace: an absent namespace and `default` are the same,
//! and a kind that is known to be cluster-wide has none whatever its object says. [`Scopes`] knows
//! those kinds: the table of the API that kustomize knows, or what another schema says. A kind that
//! nobody knows lives in a namespace.

use super::resource::Resource;
use crate::object::Gvk;
use crate::yaml::{Node, Str};
use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;

/// The effective namespace of cluster-wide objects.
pub const CLUSTER_WIDE: &str = "_non_namespaceable_";

/// The effective namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Kind, name and namespace of a resource.
#[derive(Clone, Debug)]
pub struct Id {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The name.
    pub name: Str,
    /// The namespace as it is written, or empty.
    pub namespace: Str,
    /// The kind is known to live in no namespace.
    pub cluster_wide: bool,
}

impl Id {
    /// The namespace that counts: never empty.
    #[must_use]
    pub fn effective_namespace(&self) -> &str {
        if self.cluster_wide {
            CLUSTER_WIDE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    /// The hash by which an index finds it.
    #[must_use]
    pub fn key(&self) -> u64 {
        key(&self.gvk, &self.gvk.kind, &self.name, self.effective_namespace())
    }
}

/// The hash of an id's parts.
pub(super) fn key(gvk: &Gvk, kind: &str, name: &str, effective_namespace: &str) -> u64 {
    let parts = (gvk.group.as_str(), gvk.version.as_str(), kind, name, effective_namespace);
    foldhash::fast::FixedState::default().hash_one(parts)
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.name == other.name
            && self.gvk == other.gvk
            && self.effective_namespace() == other.effective_namespace()
    }
}

impl Eq for Id {}

impl fmt::Display for Id {
    /// `Deployment.v1.apps/web.shop`, with kustomize's words for what is absent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &Str, absent: &'static str| match text.as_str() {
            "" => absent.to_owned(),
            text => text.to_owned(),
        };
        write!(
            f,
            "{}.{}.{}/{}.{}",
            or(&self.gvk.kind, "[noKind]"),
            or(&self.gvk.version, "[noVer]"),
            or(&self.gvk.group, "[noGrp]"),
            or(&self.name, "[noName]"),
            or(&self.namespace, "[noNs]"),
        )
    }
}

/// An id that a resource had before a transformer changed it. Group and version are those that the
/// resource has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastId {
    /// The kind.
    pub kind: Str,
    /// The name.
    pub name: Str,
    /// The effective namespace.
    pub namespace: Str,
}

/// Which kinds live in no namespace.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    /// By `apiVersion` and kind: true for kinds that live in a namespace. Without a table, what
    /// kustomize's own schema says.
    table: Option<HashMap<(Str, Str), bool>>,
    /// Cluster-wide kinds of custom resources, by group and kind.
    custom: Vec<(Str, Str)>,
}

impl Scopes {
    /// What kustomize knows by itself.
    #[must_use]
    pub fn kustomize() -> Scopes {
        Scopes::default()
    }

    /// What Kubernetes has by now, whatever the version.
    #[must_use]
    pub fn kubernetes() -> Scopes {
        let newer = NEWER.iter().map(|(group, kind)| (Str::from(*group), Str::from(*kind)));
        Scopes { table: None, custom: newer.collect() }
    }

    /// Another table: `apiVersion`, kind, and true for kinds that live in a namespace.
    pub fn of(rows: impl IntoIterator<Item = (Str, Str, bool)>) -> Scopes {
        let table = rows.into_iter().map(|(version, kind, scoped)| ((version, kind), scoped));
        Scopes { table: Some(table.collect()), custom: Vec::new() }
    }

    /// Learns from the definitions of custom resources in a set, as kustomize never does.
    pub fn learn<'a>(&mut self, resources: impl IntoIterator<Item = &'a Resource>) {
        for resource in resources.into_iter().filter(|it| it.kind() == "CustomResourceDefinition") {
            let text = |path: &[&str]| resource.root.str_at(path).unwrap_or_default();
            if text(&["spec", "scope"]) == "Cluster" {
                let kind = text(&["spec", "names", "kind"]).into();
                self.custom.push((text(&["spec", "group"]).into(), kind));
            }
        }
    }

    /// True when the kind is known to live in no namespace.
    #[must_use]
    pub fn is_cluster_wide(&self, gvk: &Gvk) -> bool {
        if self.custom.iter().any(|(group, kind)| *group == gvk.group && *kind == gvk.kind) {
            return true;
        }
        match &self.table {
            None => is_cluster_wide(gvk),
            Some(table) => {
                let key = (Str::from(gvk.api_version()), gvk.kind.clone());
                table.get(&key) == Some(&false)
            }
        }
    }

    /// The id of a node that holds an object, or a part of one.
    #[must_use]
    pub fn id(&self, root: &Node) -> Id {
        let text = |path: &[&str]| root.str_at(path).unwrap_or_default();
        let gvk = Gvk::new(text(&["apiVersion"]), text(&["kind"]));
        let cluster_wide = self.is_cluster_wide(&gvk);
        Id {
            cluster_wide,
            gvk,
            name: text(&["metadata", "name"]).into(),
            namespace: text(&["metadata", "namespace"]).into(),
        }
    }
}

/// Cluster-wide kinds that came after Kubernetes 1.21, or that nobody keeps in files.
const NEWER: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("policy", "PodSecurityPolicy"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("storagemigration.k8s.io", "StorageVersionMigration"),
];

/// Cluster-wide kinds of Kubernetes 1.21, which is what kustomize knows.
fn is_cluster_wide(gvk: &Gvk) -> bool {
    let v1 = gvk.version == "v1";
    let stable = v1 || gvk.version == "v1beta1";
    match gvk.group.as_str() {
        "" => {
            let kinds = ["ComponentStatus", "Namespace", "Node", "PersistentVolume"];
            v1 && (kinds.contains(&gvk.kind.as_str()) || gvk.kind == "NodeProxyOptions")
        }
        "admissionregistration.k8s.io" => {
            let kinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
            stable && kinds.contains(&gvk.kind.as_str())
        }
        "apiextensions.k8s.io" => stable && gvk.kind == "CustomResourceDefinition",
        "apiregistration.k8s.io" => stable && gvk.kind == "APIService",
        "certificates.k8s.io" => stable && gvk.kind == "CertificateSigningRequest",
        "flowcontrol.apiserver.k8s.io" => {
            let kinds = ["FlowSchema", "PriorityLevelConfiguration"];
            gvk.version == "v1beta1" && kinds.contains(&gvk.kind.as_str())
        }
        "networking.k8s.io" => stable && gvk.kind == "IngressClass",
        "node.k8s.io" => stable && gvk.kind == "RuntimeClass",
        "policy" => gvk.version == "v1beta1" && gvk.kind == "PodSecurityPolicy",
        "rbac.authorization.k8s.io" => {
            stable && ["ClusterRole", "ClusterRoleBinding"].contains(&gvk.kind.as_str())
        }
        "scheduling.k8s.io" => stable && gvk.kind == "PriorityClass",
        "storage.k8s.io" => match gvk.kind.as_str() {
            "CSIDriver" | "StorageClass" | "VolumeAttachment" => stable,
            "CSINode" => v1,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_absent_namespace_is_the_default_one() {
        let id = |json| Scopes::kustomize().id(&Node::from(json));
        let bare = id(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}));
        let default = id(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "a", "namespace": "default"}}));
        assert_eq!(bare, default);
        assert_eq!(bare.key(), default.key());
        assert_eq!(bare.to_string(), "Service.v1.[noGrp]/a.[noNs]");
        let wide = id(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "a", "namespace": "b"}}));
        assert_eq!(wide.effective_namespace(), CLUSTER_WIDE);
    }
}
