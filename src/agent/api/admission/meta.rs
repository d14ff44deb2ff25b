//! Metadata of every kind: `pkg/api/validation/objectmeta.go` of k8s.io/apimachinery.

use super::name;
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::Kind;
use crate::object::meta;
use crate::yaml::Node;

/// All annotations of an object together may have so many bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Finalizers that need no prefix.
const STANDARD_FINALIZERS: &[&str] = &["orphan", "foregroundDeletion", "kubernetes"];

/// The fields of metadata as Kubernetes writes them.
const ORDER: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Puts the fields of metadata in their order. The version, which the store gives, has its place.
pub(crate) fn order(object: &mut Node) {
    let Some(metadata) = object.get_mut("metadata").and_then(Node::as_map_mut) else { return };
    if !metadata.contains_key("resourceVersion") {
        metadata.insert("resourceVersion", "");
    }
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let mut entries: Vec<_> = std::mem::take(metadata).into_iter().collect();
    entries.sort_by_key(|entry| place(&entry.key));
    for entry in entries {
        metadata.insert_entry(entry);
    }
}

/// Rules for metadata of a new object.
pub(crate) fn validate(kind: &Kind, object: &Node, faults: &mut Faults) {
    let text = |field| object.str_at(&["metadata", field]).unwrap_or_default();
    let prefix = text("generateName");
    if !prefix.is_empty() {
        // a dash at the end is followed by more
        let whole = prefix.strip_suffix('-').map(|start| format!("{start}a"));
        for fault in (kind.rules.name)(whole.as_deref().unwrap_or(prefix)) {
            faults.invalid("metadata.generateName", prefix, fault);
        }
    }
    let name = text("name");
    if name.is_empty() {
        faults.required("metadata.name", "name or generateName is required");
    } else {
        for fault in (kind.rules.name)(name) {
            faults.invalid("metadata.name", name, fault);
        }
    }
    let namespace = text("namespace");
    if kind.namespaced {
        if namespace.is_empty() {
            faults.required("metadata.namespace", "");
        } else {
            for fault in name::label(namespace) {
                faults.invalid("metadata.namespace", namespace, fault);
            }
        }
    } else if !namespace.is_empty() {
        faults.forbidden("metadata.namespace", "not allowed on this type");
    }
    shared(kind, object, faults);
}

/// Rules for metadata of the new state of an object.
pub(crate) fn validate_update(kind: &Kind, new: &Node, old: &Node, faults: &mut Faults) {
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        immutable(new, old, field, faults);
    }
    let deleted = old.at(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null());
    if deleted {
        let before = old.items_at(&["metadata", "finalizers"]);
        let added: Vec<&Node> = new
            .items_at(&["metadata", "finalizers"])
            .iter()
            .filter(|finalizer| !before.contains(finalizer))
            .collect();
        if !added.is_empty() {
            let shown: Vec<&str> = added.iter().filter_map(|node| node.as_str()).collect();
            faults.forbidden(
                "metadata.finalizers",
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new \
                     finalizers []string{{{}}}",
                    shown.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
                ),
            );
        }
    }
    shared(kind, new, faults);
}

fn immutable(new: &Node, old: &Node, field: &str, faults: &mut Faults) {
    let (now, before) = (new.at(&["metadata", field]), old.at(&["metadata", field]));
    if now != before {
        let shown = now.cloned().unwrap_or_default();
        faults.invalid(format!("metadata.{field}"), shown, "field is immutable");
    }
}

fn shared(kind: &Kind, object: &Node, faults: &mut Faults) {
    labels(meta::labels(object), "metadata.labels", faults);
    let annotations = object.at(&["metadata", "annotations"]).and_then(Node::as_map);
    let mut size = 0;
    for entry in annotations.into_iter().flatten() {
        // the prefix of an annotation may have capital letters
        for fault in name::qualified_name(&entry.key.to_lowercase()) {
            faults.invalid("metadata.annotations", entry.key.clone(), fault);
        }
        size += entry.key.len() + entry.value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_LIMIT {
        faults.too_long("metadata.annotations", ANNOTATIONS_LIMIT);
    }
    owners(object, faults);
    finalizers(kind, object, faults);
}

/// Rules for a map of labels.
pub(crate) fn labels(map: Option<&crate::yaml::Map>, path: &str, faults: &mut Faults) {
    for entry in map.into_iter().flatten() {
        for fault in name::label_key(&entry.key) {
            faults.invalid(path, entry.key.clone(), fault);
        }
        let value = entry.value.as_str().unwrap_or_default();
        for fault in name::label_value(value) {
            faults.invalid(path, value, fault);
        }
    }
}

fn owners(object: &Node, faults: &mut Faults) {
    let path = "metadata.ownerReferences";
    let mut controller: Option<&str> = None;
    for owner in object.items_at(&["metadata", "ownerReferences"]) {
        let text = |field| owner.str_at(&[field]).unwrap_or_default();
        for field in ["apiVersion", "kind", "name", "uid"] {
            if text(field).is_empty() {
                let rule = if field == "apiVersion" {
                    "version must not be empty"
                } else {
                    "must not be empty"
                };
                faults.invalid(format!("{path}.{field}"), text(field), rule);
            }
        }
        if owner.get("controller").and_then(Node::as_bool) == Some(true) {
            if let Some(first) = controller {
                let rule = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {}",
                    text("name")
                );
                faults.invalid(path, owner.clone(), rule);
            }
            controller = Some(text("name"));
        }
    }
}

fn finalizers(kind: &Kind, object: &Node, faults: &mut Faults) {
    // definitions, and what is defined, are not under the stricter rule of the other kinds
    let is_free = kind.definition.is_some() || kind.group == "apiextensions.k8s.io";
    let mut orphans_and_waits = [false, false];
    for (index, finalizer) in object.items_at(&["metadata", "finalizers"]).iter().enumerate() {
        let text = finalizer.as_str().unwrap_or_default();
        for fault in name::qualified_name(text) {
            faults.invalid("metadata.finalizers", text, fault);
        }
        if !is_free && !text.contains('/') && !STANDARD_FINALIZERS.contains(&text) {
            let rule = "name is neither a standard finalizer name nor is it fully qualified";
            faults.invalid(format!("metadata.finalizers[{index}]"), text, rule);
        }
        orphans_and_waits[0] |= text == "orphan";
        orphans_and_waits[1] |= text == "foregroundDeletion";
    }
    if orphans_and_waits == [true, true] {
        let all = object.at(&["metadata", "finalizers"]).cloned().unwrap_or_default();
        let rule = "finalizer foregroundDeletion and orphan cannot be both set";
        faults.invalid("metadata.finalizers", all, rule);
    }
}
