//! Labels and annotations on all objects, and where wanted on templates and selectors.

use super::Transformer;
use super::field_spec::FieldSpec;
use crate::base::diag::Diagnostics;
use crate::object::Object;
use crate::yaml::{Entry, Map, Node};

/// Key-value pairs to set, and where.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The pairs; all values are strings.
    pub pairs: Map,
    /// The maps that they go into.
    pub specs: Vec<FieldSpec>,
}

impl Transformer for Labels {
    fn transform(&self, objects: &mut Vec<Object>, _sink: &mut Diagnostics) {
        for object in objects {
            let gvk = object.gvk();
            for spec in self.specs.iter().filter(|spec| spec.fits(&gvk)) {
                spec.visit(&mut object.root, &mut |node| self.put(node));
            }
        }
    }
}

impl Labels {
    fn put(&self, node: &mut Node) {
        if !(node.is_null() || node.as_map().is_some()) {
            return;
        }
        let map = node.ensure_map();
        for pair in &self.pairs {
            map.insert_entry(Entry { ..pair.clone() });
        }
    }
}

/// The map of labels of the object itself.
#[must_use]
pub fn metadata() -> Vec<FieldSpec> {
    vec![FieldSpec::row("", "", "metadata/labels", true)]
}

/// The object itself and the templates in it.
#[must_use]
pub fn templates() -> Vec<FieldSpec> {
    let template = "spec/template/metadata/labels";
    let mut specs = metadata();
    specs.push(FieldSpec {
        version: "v1".into(),
        ..FieldSpec::row("", "ReplicationController", template, true)
    });
    for (group, kind, path) in [
        ("", "Deployment", template),
        ("", "ReplicaSet", template),
        ("", "DaemonSet", template),
        ("apps", "StatefulSet", template),
        ("batch", "Job", template),
        ("batch", "CronJob", "spec/jobTemplate/metadata/labels"),
        ("batch", "CronJob", "spec/jobTemplate/spec/template/metadata/labels"),
    ] {
        specs.push(FieldSpec::row(group, kind, path, true));
    }
    specs
}

/// The object itself, the templates in it, and the selectors that find their objects.
#[must_use]
pub fn selectors() -> Vec<FieldSpec> {
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
        ("apps", "StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", true),
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
    specs.extend(templates());
    specs
}

/// The annotations of the object itself and of the templates in it.
#[must_use]
pub fn annotations() -> Vec<FieldSpec> {
    templates()
        .into_iter()
        .map(|spec| FieldSpec {
            path: spec.path.replace("/labels", "/annotations").into(),
            group: if spec.kind == "StatefulSet" { "".into() } else { spec.group },
            ..spec
        })
        .collect()
}
