//! The fields that kustomize 5.8 writes without any configuration.

use super::{Config, NameReference};
use crate::transform::field_spec::FieldSpec;

/// Kinds that hold a pod, with the path of its spec; an empty version stands for any.
const PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// The same as far as other references are concerned.
const WORKLOADS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
];

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// All of it.
pub(super) fn config() -> Config {
    let name = vec![FieldSpec::row("", "", "metadata/name", false)];
    Config {
        name_prefix: name.clone(),
        name_suffix: name,
        namespace: vec![
            FieldSpec::row("", "Namespace", "metadata/name", true),
            FieldSpec::row("apiregistration.k8s.io", "APIService", "spec/service/namespace", true),
            FieldSpec::row(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
                false,
            ),
        ],
        common_labels: selectors(),
        labels: Vec::new(),
        template_labels: templates("labels"),
        common_annotations: annotations(),
        name_references: name_references(),
        var_references: var_references(),
        images: ["spec", "spec/template/spec"]
            .iter()
            .flat_map(|pod| {
                ["containers[]/image", "initContainers[]/image", "volumes[]/image/reference"]
                    .map(|path| FieldSpec::row("", "", &format!("{pod}/{path}"), true))
            })
            .collect(),
        replicas: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .map(|kind| FieldSpec::row("", kind, "spec/replicas", true))
            .into(),
    }
}

/// The metadata of the object itself and of the templates in it.
fn templates(field: &str) -> Vec<FieldSpec> {
    let mut specs = annotations();
    for spec in &mut specs {
        spec.path = spec.path.replace("annotations", field).into();
        if spec.kind == "StatefulSet" {
            spec.group = "apps".into();
        }
    }
    specs.push(FieldSpec::row(
        "apps",
        "StatefulSet",
        "spec/volumeClaimTemplates[]/metadata/labels",
        true,
    ));
    specs
}

fn annotations() -> Vec<FieldSpec> {
    let template = "spec/template/metadata/annotations";
    let mut specs = vec![
        FieldSpec::row("", "", "metadata/annotations", true),
        FieldSpec {
            version: "v1".into(),
            ..FieldSpec::row("", "ReplicationController", template, true)
        },
    ];
    for (group, kind, path) in [
        ("", "Deployment", template),
        ("", "ReplicaSet", template),
        ("", "DaemonSet", template),
        ("", "StatefulSet", template),
        ("batch", "Job", template),
        ("batch", "CronJob", "spec/jobTemplate/metadata/annotations"),
        ("batch", "CronJob", "spec/jobTemplate/spec/template/metadata/annotations"),
    ] {
        specs.push(FieldSpec::row(group, kind, path, true));
    }
    specs
}

/// The object itself, the templates in it, and the selectors that find their objects.
fn selectors() -> Vec<FieldSpec> {
    let mut specs = Vec::new();
    for kind in ["Service", "ReplicationController"] {
        specs.push(FieldSpec {
            version: "v1".into(),
            ..FieldSpec::row("", kind, "spec/selector", true)
        });
    }
    let selector = "spec/selector/matchLabels";
    for (group, kind, path, create) in [
        ("", "Deployment", selector, true),
        ("", "ReplicaSet", selector, true),
        ("", "DaemonSet", selector, true),
        ("apps", "StatefulSet", selector, true),
        ("batch", "Job", selector, false),
        ("batch", "CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
        ("policy", "PodDisruptionBudget", selector, false),
        ("networking.k8s.io", "NetworkPolicy", "spec/podSelector/matchLabels", false),
        ("networking.k8s.io", "NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", false),
        ("networking.k8s.io", "NetworkPolicy", "spec/egress/to/podSelector/matchLabels", false),
    ] {
        specs.push(FieldSpec::row(group, kind, path, create));
    }
    for kind in ["Deployment", "StatefulSet"] {
        let constraint = "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels";
        specs.push(FieldSpec::row("apps", kind, constraint, false));
        for affinity in ["podAffinity", "podAntiAffinity"] {
            for when in [
                "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
                "requiredDuringSchedulingIgnoredDuringExecution",
            ] {
                let path = format!(
                    "spec/template/spec/affinity/{affinity}/{when}/labelSelector/matchLabels"
                );
                specs.push(FieldSpec::row("apps", kind, &path, false));
            }
        }
    }
    specs.extend(templates("labels"));
    specs
}

fn name_references() -> Vec<NameReference> {
    let row = |group: &str, version: &str, kind: &str, referrers| NameReference {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        referrers,
    };
    let field = |group: &str, kind: &str, path: &str| FieldSpec::row(group, kind, path, false);
    let scaled = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"].map(|kind| {
        let scaler = field("", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name");
        row("", "", kind, vec![scaler])
    });
    let mut rows = Vec::from(scaled);
    rows.push(row("", "v1", "ConfigMap", config_map_referrers()));
    rows.push(row("", "v1", "Secret", secret_referrers()));
    let service = "webhooks/clientConfig/service";
    rows.push(row(
        "",
        "v1",
        "Service",
        vec![
            field("apps", "StatefulSet", "spec/serviceName"),
            field("", "Ingress", "spec/rules/http/paths/backend/serviceName"),
            field("", "Ingress", "spec/backend/serviceName"),
            field("", "Ingress", "spec/rules/http/paths/backend/service/name"),
            field("", "Ingress", "spec/defaultBackend/service/name"),
            field("apiregistration.k8s.io", "APIService", "spec/service/name"),
            field(ADMISSION, "ValidatingWebhookConfiguration", service),
            field(ADMISSION, "MutatingWebhookConfiguration", service),
        ],
    ));
    let role = |kind: &str| field(RBAC, kind, "roleRef/name");
    rows.push(row(RBAC, "", "Role", vec![role("RoleBinding")]));
    rows.push(row(RBAC, "", "ClusterRole", vec![role("RoleBinding"), role("ClusterRoleBinding")]));
    let mut accounts =
        Vec::from(["RoleBinding", "ClusterRoleBinding"].map(|kind| field(RBAC, kind, "subjects")));
    accounts.extend(in_pods(WORKLOADS, "serviceAccountName"));
    rows.push(row("", "v1", "ServiceAccount", accounts));
    let claims = in_pods(WORKLOADS, "volumes/persistentVolumeClaim/claimName");
    rows.push(row("", "v1", "PersistentVolumeClaim", claims.collect()));
    rows.push(row(
        "",
        "v1",
        "PersistentVolume",
        vec![
            field("", "PersistentVolumeClaim", "spec/volumeName"),
            field("", "ClusterRole", "rules/resourceNames"),
        ],
    ));
    rows.push(row(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        vec![
            field("", "PersistentVolume", "spec/storageClassName"),
            field("", "PersistentVolumeClaim", "spec/storageClassName"),
            field("", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
        ],
    ));
    let priority = in_pods(WORKLOADS, "priorityClassName").collect();
    rows.push(row("scheduling.k8s.io", "v1", "PriorityClass", priority));
    // the group is kustomize's own slip, and so finds nothing
    let class = vec![field("", "Ingress", "spec/ingressClassName")];
    rows.push(row("networking.k8s.io/v1", "v1", "IngressClass", class));
    let binding = field(ADMISSION, "ValidatingAdmissionPolicyBinding", "spec/policyName");
    rows.push(row(ADMISSION, "", "ValidatingAdmissionPolicy", vec![binding]));
    rows
}

/// A path below the spec of pods.
fn in_pods(kinds: &'static [(&str, &str)], path: &str) -> impl Iterator<Item = FieldSpec> {
    kinds.iter().map(move |(kind, pod)| FieldSpec::row("", kind, &format!("{pod}/{path}"), false))
}

/// The same, where a Pod must be of the first version.
fn in_pods_v1(path: &str) -> impl Iterator<Item = FieldSpec> {
    in_pods(PODS, path).map(|spec| {
        let version = if spec.kind == "Pod" { "v1".into() } else { spec.version };
        FieldSpec { version, ..spec }
    })
}

fn config_map_referrers() -> Vec<FieldSpec> {
    let mut referrers: Vec<FieldSpec> = [
        "volumes/configMap/name",
        "containers/env/valueFrom/configMapKeyRef/name",
        "initContainers/env/valueFrom/configMapKeyRef/name",
        "containers/envFrom/configMapRef/name",
        "initContainers/envFrom/configMapRef/name",
        "volumes/projected/sources/configMap/name",
    ]
    .iter()
    .flat_map(|path| in_pods_v1(path))
    .collect();
    for (kind, path) in [
        ("Node", "spec/configSource/configMap"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap"),
    ] {
        referrers.push(FieldSpec::row("", kind, path, false));
    }
    referrers
}

fn secret_referrers() -> Vec<FieldSpec> {
    let mut referrers: Vec<FieldSpec> = [
        "volumes/secret/secretName",
        "containers/env/valueFrom/secretKeyRef/name",
        "initContainers/env/valueFrom/secretKeyRef/name",
        "containers/envFrom/secretRef/name",
        "initContainers/envFrom/secretRef/name",
        "imagePullSecrets/name",
        "volumes/projected/sources/secret/name",
    ]
    .iter()
    .flat_map(|path| in_pods_v1(path))
    .collect();
    for (kind, path) in [
        ("Ingress", "spec/tls/secretName"),
        ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
        ("ServiceAccount", "imagePullSecrets/name"),
        ("StorageClass", "parameters/secretName"),
        ("StorageClass", "parameters/adminSecretName"),
        ("StorageClass", "parameters/userSecretName"),
        ("StorageClass", "parameters/secretRef"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        ("PersistentVolume", "spec/azureFile/secretName"),
    ] {
        referrers.push(FieldSpec::row("", kind, path, false));
    }
    let container = "spec/template/spec/containers/env/valueFrom/secretKeyRef/name";
    let service = FieldSpec::row("serving.knative.dev", "Service", container, false);
    referrers.push(FieldSpec { version: "v1".into(), ..service });
    referrers
}

fn var_references() -> Vec<FieldSpec> {
    let mut specs = Vec::new();
    for (kind, pod) in [
        ("CronJob", "spec/jobTemplate/spec/template/spec"),
        ("DaemonSet", "spec/template/spec"),
        ("Deployment", "spec/template/spec"),
        ("Job", "spec/template/spec"),
        ("Pod", "spec"),
        ("ReplicaSet", "spec/template/spec"),
        ("StatefulSet", "spec/template/spec"),
    ] {
        for containers in ["containers", "initContainers"] {
            for field in ["args", "command", "env/value", "volumeMounts/mountPath"] {
                let path = format!("{pod}/{containers}/{field}");
                specs.push(FieldSpec::row("", kind, &path, false));
            }
        }
    }
    for (kind, path) in [
        ("CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server"),
        ("DaemonSet", "spec/template/spec/volumes/nfs/server"),
        ("Deployment", "spec/template/spec/volumes/nfs/server"),
        ("Deployment", "spec/template/metadata/annotations"),
        ("Ingress", "spec/rules/host"),
        ("Ingress", "spec/tls/hosts"),
        ("Ingress", "spec/tls/secretName"),
        ("Job", "spec/template/spec/volumes/nfs/server"),
        ("Pod", "spec/volumes/nfs/server"),
        ("ReplicaSet", "spec/template/spec/volumes/nfs/server"),
        ("Service", "spec/ports/port"),
        ("Service", "spec/ports/targetPort"),
        ("StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server"),
        ("PersistentVolume", "spec/nfs/server"),
        ("", "metadata/labels"),
        ("", "metadata/annotations"),
    ] {
        specs.push(FieldSpec::row("", kind, path, false));
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_merged_with_itself_stays() {
        let mut config = Config::defaults().as_ref().clone();
        let references: usize = config.name_references.iter().map(|it| it.referrers.len()).sum();
        assert_eq!((config.name_references.len(), references), (16, 166));
        assert_eq!((config.common_labels.len(), config.var_references.len()), (32, 72));
        let again = config.clone();
        config.merge(&again).expect("the same specs");
        assert_eq!(config, again);
    }
}
