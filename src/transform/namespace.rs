//! Puts all objects into one namespace.
//!
//! Objects of cluster-wide kinds stay where they are. Where the namespace stands in other places it
//! follows: the name of a Namespace, the service of an `APIService` or of a conversion webhook, and
//! subjects and webhooks that name a service account or service of the set.

use super::Transformer;
use super::field_spec::FieldSpec;
use crate::base::diag::Diagnostics;
use crate::object::{Gvk, Object};
use crate::yaml::{Node, Str};
use std::collections::HashSet;

/// The namespace to set.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its name, with where it was written.
    pub name: Node,
}

/// Kinds of Kubernetes that live in no namespace.
const CLUSTER_WIDE: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PodSecurityPolicy",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "SelfSubjectAccessReview",
    "SelfSubjectReview",
    "SelfSubjectRulesReview",
    "ServiceCIDR",
    "StorageClass",
    "StorageVersionMigration",
    "SubjectAccessReview",
    "TokenReview",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Kinds of custom resources that live in no namespace, as definitions in the set say.
fn custom_cluster_wide(objects: &[Object]) -> HashSet<(Str, Str)> {
    let text = |object: &Object, path: &[&str]| Str::from(object.root.str_at(path).unwrap_or(""));
    objects
        .iter()
        .filter(|object| object.kind() == "CustomResourceDefinition")
        .filter(|object| object.root.str_at(&["spec", "scope"]) == Some("Cluster"))
        .map(|object| (text(object, &["spec", "group"]), text(object, &["spec", "names", "kind"])))
        .collect()
}

impl Transformer for Namespace {
    fn transform(&self, objects: &mut Vec<Object>, _sink: &mut Diagnostics) {
        let custom = custom_cluster_wide(objects);
        let named = |kind: &str, objects: &[Object]| -> HashSet<(String, String)> {
            let of_kind = objects.iter().filter(|object| object.kind() == kind);
            of_kind.map(|object| (object.namespace().into(), object.name().into())).collect()
        };
        let accounts = named("ServiceAccount", objects);
        let services = named("Service", objects);
        let known = |set: &HashSet<(String, String)>, node: &Node| {
            let text = |key| node.str_at(&[key]).unwrap_or_default().to_owned();
            set.contains(&(text("namespace"), text("name")))
                || set.contains(&(String::new(), text("name")))
        };
        let specs = [
            FieldSpec::row("apiregistration.k8s.io", "APIService", "spec/service/namespace", true),
            FieldSpec::row(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
                false,
            ),
        ];
        for object in objects {
            let gvk = object.gvk();
            let Gvk { group, version, kind } = &gvk;
            let is_core = group.is_empty() || CLUSTER_WIDE.contains(&kind.as_str());
            if kind == "Namespace" && group.is_empty() && version == "v1" {
                object.root.set_at(&["metadata", "name"], self.name.clone());
            }
            let wide = is_core && CLUSTER_WIDE.contains(&kind.as_str())
                || custom.contains(&(group.clone(), kind.clone()));
            if !wide {
                object.root.set_at(&["metadata", "namespace"], self.name.clone());
            }
            for spec in specs.iter().filter(|spec| spec.fits(&gvk)) {
                spec.visit(&mut object.root, &mut |node| *node = self.name.clone());
            }
            match kind.as_str() {
                "RoleBinding" | "ClusterRoleBinding" => {
                    let subjects = object.root.get_mut("subjects").and_then(Node::as_list_mut);
                    for subject in subjects.into_iter().flatten() {
                        let is_account = subject.str_at(&["kind"]) == Some("ServiceAccount")
                            && known(&accounts, subject);
                        if is_account || subject.str_at(&["name"]) == Some("default") {
                            subject.set("namespace", self.name.clone());
                        }
                    }
                }
                "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                    FieldSpec::row("", "", "webhooks/clientConfig/service", false).visit(
                        &mut object.root,
                        &mut |service| {
                            if known(&services, service) {
                                service.set("namespace", self.name.clone());
                            }
                        },
                    );
                }
                _ => {}
            }
        }
    }
}
