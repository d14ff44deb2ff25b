//! Objects as they may be shown: without what servers add, and without secrets.

use crate::yaml::{Map, Node, Value};

/// Annotations that repeat the whole object, secrets too.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Metadata that servers keep for themselves.
const NOISE: [&str; 7] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionGracePeriodSeconds",
];

/// The object without status and without what servers add to its metadata.
#[must_use]
pub fn clean(object: &Node) -> Node {
    let mut root = object.clone();
    root.remove("status");
    if let Some(metadata) = root.get_mut("metadata").and_then(Node::as_map_mut) {
        metadata.retain(|entry| !NOISE.contains(&entry.key.as_str()));
    }
    drop_annotations(&mut root, &[LAST_APPLIED]);
    root
}

/// Removes annotations, and the map of them when it becomes empty.
pub(super) fn drop_annotations(root: &mut Node, names: &[&str]) {
    drop_entries(root, "annotations", names);
}

/// Removes labels, and the map of them when it becomes empty.
pub(super) fn drop_labels(root: &mut Node, names: &[&str]) {
    drop_entries(root, "labels", names);
}

fn drop_entries(root: &mut Node, part: &str, names: &[&str]) {
    let Some(map) = root.at_mut(&["metadata", part]).and_then(Node::as_map_mut) else { return };
    map.retain(|entry| !names.contains(&entry.key.as_str()));
    if map.is_empty() {
        root.remove_at(&["metadata", part]);
    }
}

/// Two states of an object as they may be shown. Values of Secrets become `***`; where they differ
/// the two sides differ too, so that a change is seen and its value is not.
#[must_use]
pub fn masked_pair(before: Option<&Node>, after: Option<&Node>) -> (Option<Node>, Option<Node>) {
    let is_secret = [before, after].into_iter().flatten().any(|object| {
        object.str_at(&["kind"]) == Some("Secret") && object.str_at(&["apiVersion"]) == Some("v1")
    });
    let (mut old, mut new) = (before.cloned(), after.cloned());
    if is_secret {
        for part in ["data", "stringData"] {
            let values = |side: Option<&Node>| side.and_then(|node| node.get(part)).cloned();
            let (was, will) = (values(before), values(after));
            mask(&mut old, part, will.as_ref(), "*** (before)");
            mask(&mut new, part, was.as_ref(), "*** (after)");
        }
    }
    (old, new)
}

/// Masks one part of one side. What the other side has too with another value gets `differs`.
fn mask(side: &mut Option<Node>, part: &str, other: Option<&Node>, differs: &str) {
    let Some(value) = side.as_mut().and_then(|node| node.get_mut(part)) else { return };
    let Value::Map(map) = &value.value else {
        // not what a Secret should hold: nothing of it is shown
        *value = Node::from("***");
        return;
    };
    let masked: Map = map
        .iter()
        .map(|entry| {
            let same = other
                .and_then(|other| other.get(&entry.key))
                .is_none_or(|theirs| *theirs == entry.value);
            (entry.key.clone(), if same { "***" } else { differs })
        })
        .collect();
    *value = Node::from(masked);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_show_that_they_changed_and_nothing_else() {
        let secret = |data: serde_json::Value| {
            Node::from(json!({"apiVersion": "v1", "kind": "Secret", "data": data,
                "metadata": {"uid": "1", "name": "s", "annotations": {LAST_APPLIED: "c2VjcmV0"}}}))
        };
        let old =
            clean(&secret(json!({"same": "c2VjcmV0", "other": "c2VjcmV0", "gone": "c2VjcmV0"})));
        let new =
            clean(&secret(json!({"same": "c2VjcmV0", "other": "c2VjcmV0Mg==", "new": "c2VjcmV0"})));
        let (old, new) = masked_pair(Some(&old), Some(&new));
        let (old, new) = (old.expect("a side"), new.expect("a side"));
        assert_eq!(
            old,
            Node::from(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                "data": {"same": "***", "other": "*** (before)", "gone": "***"}}))
        );
        assert_eq!(new.str_at(&["data", "other"]), Some("*** (after)"));
        assert_eq!(new.str_at(&["data", "new"]), Some("***"));
        assert!(!format!("{old:?}{new:?}").contains("c2Vj"));
    }

    #[test]
    fn strange_secrets_show_nothing() {
        let strange = Node::from(json!({"apiVersion": "v1", "kind": "Secret", "data": "c2Vj"}));
        let (_, shown) = masked_pair(None, Some(&strange));
        assert_eq!(
            shown.and_then(|node| node.str_at(&["data"]).map(str::to_owned)).as_deref(),
            Some("***")
        );
    }
}
