//! Why a kind has no schema, and what to write instead: removed APIs, other API versions, other
//! Kubernetes versions, misspelt names.

use super::embedded;
use super::registry::Schemas;
use crate::base::diag::Diagnostic;
use crate::base::suggest;

const UNKNOWN_KIND: &str = "wharf::schema::unknown_kind";
const REMOVED_KIND: &str = "wharf::schema::removed_kind";

/// APIs that are gone from every embedded version, or from some: API version, kinds, the release
/// that serves them no more, and what took their place (empty: nothing did).
/// <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>
const REMOVED: &[(&str, &[&str], &str, &str)] = &[
    ("extensions/v1beta1", &["DaemonSet", "Deployment", "ReplicaSet"], "1.16", "apps/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], "1.16", "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["PodSecurityPolicy"], "1.16", ""),
    ("extensions/v1beta1", &["Ingress"], "1.22", "networking.k8s.io/v1"),
    ("apps/v1beta1", &["ControllerRevision", "Deployment", "StatefulSet"], "1.16", "apps/v1"),
    (
        "apps/v1beta2",
        &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
        "1.16",
        "apps/v1",
    ),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], "1.22", "networking.k8s.io/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        "1.22",
        "admissionregistration.k8s.io/v1",
    ),
    (
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        "1.22",
        "apiextensions.k8s.io/v1",
    ),
    ("apiregistration.k8s.io/v1beta1", &["APIService"], "1.22", "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", &["TokenReview"], "1.22", "authentication.k8s.io/v1"),
    (
        "authorization.k8s.io/v1beta1",
        &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SubjectAccessReview"],
        "1.22",
        "authorization.k8s.io/v1",
    ),
    (
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        "1.22",
        "certificates.k8s.io/v1",
    ),
    ("coordination.k8s.io/v1beta1", &["Lease"], "1.22", "coordination.k8s.io/v1"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        "1.22",
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "rbac.authorization.k8s.io/v1alpha1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        "1.22",
        "rbac.authorization.k8s.io/v1",
    ),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], "1.22", "scheduling.k8s.io/v1"),
    (
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        "1.22",
        "storage.k8s.io/v1",
    ),
    ("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], "1.27", "storage.k8s.io/v1"),
    ("batch/v2alpha1", &["CronJob"], "1.21", "batch/v1"),
    ("batch/v1beta1", &["CronJob"], "1.25", "batch/v1"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], "1.25", "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", &["Event"], "1.25", "events.k8s.io/v1"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "1.26", "autoscaling/v2"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "1.25", "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], "1.25", ""),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], "1.25", "node.k8s.io/v1"),
];

impl Schemas {
    /// Says why [`Schemas::kind`] finds nothing. The caller adds where.
    #[must_use]
    pub fn unknown_kind(&self, api_version: &str, kind: &str) -> Diagnostic {
        let version = self.version();
        let removed = REMOVED
            .iter()
            .find(|(api, kinds, ..)| *api == api_version && kinds.contains(&kind))
            .map(|(_, _, release, instead)| (*release, *instead));
        if let Some((release, instead)) = removed {
            let message = format!("{api_version} {kind} was removed in Kubernetes {release}");
            let help = match instead {
                "" => "nothing took its place; take the object out".to_owned(),
                instead => format!("use `apiVersion: {instead}`"),
            };
            return Diagnostic::error(REMOVED_KIND, message).help(help);
        }
        let mut others: Vec<&str> =
            self.kinds().filter(|(_, name)| *name == kind).map(|(api, _)| api).collect();
        others.sort_by_key(|api| std::cmp::Reverse(maturity(api)));
        let known: Vec<&str> = embedded::with_kind(api_version, kind);
        if let (Some(first), Some(last)) = (known.first(), known.last()) {
            let gone = age(last) < age(version);
            let message = if gone {
                format!("Kubernetes {version} no longer has {api_version} {kind}")
            } else {
                format!("Kubernetes {version} does not have {api_version} {kind} yet")
            };
            let code = if gone { REMOVED_KIND } else { UNKNOWN_KIND };
            let help = match others.first() {
                Some(api) => format!("use `apiVersion: {api}`"),
                None if gone => format!("the last version with it is {last}"),
                None => format!("the first version with it is {first}"),
            };
            return Diagnostic::error(code, message).help(help);
        }
        let message = format!("no schema for {api_version} {kind} in Kubernetes {version}");
        let fault = Diagnostic::error(UNKNOWN_KIND, message);
        if !others.is_empty() {
            return fault.help(format!("{kind} is in {}", others.join(", ")));
        }
        let group = |api: &str| api.rsplit_once('/').map_or("", |(group, _)| group).to_owned();
        let same_group = self.kinds().filter(|(api, _)| group(api) == group(api_version));
        let nearest = suggest::nearest(kind, same_group.map(|(_, name)| name))
            .or_else(|| suggest::nearest(kind, self.kinds().map(|(_, name)| name)));
        match nearest.and_then(|name| self.kinds().find(|(_, known)| *known == name)) {
            Some((api, name)) => fault.help(format!("did you mean `{name}` of {api}?")),
            None => fault.help("add its CustomResourceDefinition to the input"),
        }
    }
}

/// How far an API version has come: `v2` over `v1` over `v1beta2` over `v1beta1` over `v1alpha1`.
fn maturity(api_version: &str) -> (u8, u32, u32) {
    let version = api_version.rsplit('/').next().unwrap_or_default().trim_start_matches('v');
    let number = |text: &str| text.parse().unwrap_or(0);
    for (stage, word) in [(1, "beta"), (0, "alpha")] {
        if let Some((major, minor)) = version.split_once(word) {
            return (stage, number(major), number(minor));
        }
    }
    (2, number(version), 0)
}

/// Versions in their order: `1.9` is before `1.10`.
fn age(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
