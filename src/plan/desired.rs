//! The objects of a package, made ready for one release.
//!
//! Stamps are Helm's, so that either tool knows the other's objects: the label
//! `app.kubernetes.io/managed-by: Helm` and the annotations `meta.helm.sh/release-name` and
//! `meta.helm.sh/release-namespace`. They are on the objects that are applied, not in the manifest
//! that the release record keeps.

use super::refusal::Refusal;
use crate::object::Hook;
use crate::object::inventory::Key;
use crate::object::{Object, ObjectId, meta};
use crate::yaml::{Node, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(super) const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub(super) const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Which package is to be released.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PackageFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs, or empty.
    pub app_version: String,
    /// One sentence, or empty.
    pub description: String,
}

/// What a release is to become.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Intent {
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The last revision that was seen when this was planned; 0 when there was none.
    pub base_revision: i64,
    /// The package.
    pub package: PackageFacts,
    /// The package's own values.
    pub defaults: Node,
    /// What the user supplied; null when nothing was.
    pub config: Node,
    /// All objects as text, for the record.
    pub manifest: String,
    /// Objects that run at times of their own.
    pub hooks: Vec<Hook>,
    /// They are kept with the release, but do not run.
    pub without_hooks: bool,
    /// Notes for the user.
    pub notes: Option<String>,
}

/// One object that is to be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// What it is; its namespace is filled in.
    pub id: ObjectId,
    /// The object as it is to be applied.
    pub object: Node,
    /// The file it came from, or empty.
    pub origin: String,
}

/// Makes an object ready: fills in the namespace (empty for cluster-wide kinds), stamps it with its
/// release, and turns a Secret's `stringData` into `data`. The latter because a server keeps data
/// that was once applied as `stringData` when it is no longer wanted, and because what was applied
/// can then be compared with what is live.
#[must_use]
pub fn prepare(object: &Object, namespaced: bool, release: (&str, &str)) -> Desired {
    let (name, namespace) = release;
    let mut root = object.root.clone();
    if !namespaced {
        root.remove_at(&["metadata", "namespace"]);
    } else if object.namespace().is_empty() {
        root.set_at(&["metadata", "namespace"], namespace);
    }
    // a null in a manifest says nothing; in an apply it would be an error or a deletion
    for key in ["labels", "annotations"] {
        if root.at(&["metadata", key]).is_some_and(Node::is_null) {
            root.remove_at(&["metadata", key]);
        }
    }
    root.set_at(&["metadata", "labels", MANAGED_BY], "Helm");
    root.set_at(&["metadata", "annotations", RELEASE_NAME], name);
    root.set_at(&["metadata", "annotations", RELEASE_NAMESPACE], namespace);
    // Server-side apply takes no status and no server-made fields.
    root.remove("status");
    for key in ["managedFields", "creationTimestamp", "resourceVersion", "uid", "generation"] {
        root.remove_at(&["metadata", key]);
    }
    if object.kind() == "Secret" {
        encode_string_data(&mut root);
    }
    let id = ObjectId {
        gvk: object.gvk(),
        namespace: meta::namespace(&root).into(),
        name: object.name().into(),
    };
    Desired { id, object: root, origin: origin(object) }
}

fn origin(object: &Object) -> String {
    match (object.origin.package.as_str(), object.origin.file.as_str()) {
        ("", file) => file.to_owned(),
        (package, "") => package.to_owned(),
        (package, file) if file.starts_with(package) => file.to_owned(),
        (package, file) => format!("{package}/{file}"),
    }
}

fn encode_string_data(root: &mut Node) {
    let plain = root.get("stringData").and_then(Node::as_map);
    let all_text =
        plain.is_some_and(|map| map.values().all(|v| matches!(v.value, Value::String(_))));
    if !all_text {
        return;
    }
    let Some(Value::Map(map)) = root.remove("stringData").map(|node| node.value) else { return };
    for entry in map {
        let text = entry.value.as_str().unwrap_or_default();
        root.set_at(&["data", &entry.key], STANDARD.encode(text));
    }
}

/// True when a live object carries the stamps of a release.
#[must_use]
pub fn is_owned(live: &Node, release: (&str, &str)) -> bool {
    meta::annotation(live, RELEASE_NAME) == Some(release.0)
        && meta::annotation(live, RELEASE_NAMESPACE) == Some(release.1)
}

/// The objects that are there twice.
#[must_use]
pub fn duplicates(desired: &[Desired]) -> Vec<Refusal> {
    let mut first: HashMap<Key, &Desired> = HashMap::with_capacity(desired.len());
    let mut twice = Vec::new();
    for object in desired {
        if let Some(other) = first.insert(Key::from(&object.id), object) {
            twice.push(Refusal::Duplicate {
                object: object.id.to_string(),
                first: other.origin.clone(),
                second: object.origin.clone(),
            });
        }
    }
    twice
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn object(root: serde_json::Value) -> Object {
        Object { root: Node::from(root), origin: Arc::default() }
    }

    #[test]
    fn objects_are_placed_and_stamped() {
        let secret = object(json!({"apiVersion": "v1", "kind": "Secret", "status": {},
            "metadata": {"name": "a", "labels": null}, "data": {"x": "eA=="},
            "stringData": {"y": "why", "x": "new"}}));
        let ready = prepare(&secret, true, ("shop", "prod"));
        assert_eq!(ready.id.to_string(), "Secret prod/a");
        assert_eq!(
            ready.object,
            Node::from(json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "a", "namespace": "prod",
                    "labels": {"app.kubernetes.io/managed-by": "Helm"},
                    "annotations": {"meta.helm.sh/release-name": "shop",
                        "meta.helm.sh/release-namespace": "prod"}},
                "data": {"x": "bmV3", "y": "d2h5"}}))
        );
        assert!(is_owned(&ready.object, ("shop", "prod")));
        assert!(!is_owned(&ready.object, ("shop", "test")));
        let role = object(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "a", "namespace": "x"}}));
        assert_eq!(prepare(&role, false, ("shop", "prod")).id.to_string(), "Namespace a");
    }

    #[test]
    fn the_same_object_twice_is_found() {
        let one = object(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a"}}));
        let twice = [prepare(&one, true, ("r", "n")), prepare(&one, true, ("r", "n"))];
        assert_eq!(duplicates(&twice).len(), 1);
        assert_eq!(duplicates(&twice[..1]).len(), 0);
    }
}
