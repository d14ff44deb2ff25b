//! JSON merge patch (RFC 7386): maps merge, null removes, everything else replaces.

use crate::yaml::{Entry, Map, Node, Value};
use std::collections::HashSet;

/// Applies a merge patch.
pub fn apply(target: &mut Node, patch: &Node) {
    let Value::Map(changes) = &patch.value else {
        *target = patch.clone();
        return;
    };
    if target.as_map().is_none() {
        *target = Node::new(Map::with_capacity(changes.len()), patch.span);
    }
    let map = target.ensure_map();
    let mut removed = HashSet::new();
    for Entry { key, key_span, value } in changes {
        if value.is_null() {
            removed.insert(key.as_str());
        } else if let Some(old) = map.get_mut(key) {
            apply(old, value);
        } else {
            let mut new = Node::NULL;
            apply(&mut new, value);
            map.insert_entry(Entry { key: key.clone(), key_span: *key_span, value: new });
        }
    }
    if removed.iter().any(|key| map.contains_key(key)) {
        map.retain(|entry| !removed.contains(entry.key.as_str()));
    }
}

/// The merge patch that makes `to` of `from`. A null inside a map of `to` cannot be said by a merge
/// patch and comes out as an absent field.
#[must_use]
pub fn diff(from: &Node, to: &Node) -> Node {
    let (Value::Map(before), Value::Map(after)) = (&from.value, &to.value) else {
        return to.clone();
    };
    let mut changes = Map::new();
    for entry in before.iter().filter(|entry| !after.contains_key(&entry.key)) {
        changes.insert(entry.key.clone(), Node::NULL);
    }
    for Entry { key, key_span, value } in after {
        let change = match before.get(key) {
            Some(old) if old == value => continue,
            Some(old) => diff(old, value),
            None => value.clone(),
        };
        changes.insert_entry(Entry { key: key.clone(), key_span: *key_span, value: change });
    }
    Node::new(changes, to.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::{Sources, Span};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_the_rfc() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut node = Node::from(target.clone());
            apply(&mut node, &Node::from(patch.clone()));
            assert_eq!(serde_json::Value::from(&node), expected, "{target} + {patch}");
        }
    }

    #[test]
    fn what_the_patch_sets_leads_to_the_patch() {
        let sources = Sources::new();
        let file = sources.add("patch.yaml", "a: 2\nb: 3\n");
        let mut target = Node::from(json!({"a": 1}));
        let mut patch = Node::from(json!({"a": 2, "b": 3}));
        patch.get_mut("a").unwrap().span = Span::new(file, 3, 4);
        patch.get_mut("b").unwrap().span = Span::new(file, 8, 9);
        apply(&mut target, &patch);
        let place = |key| sources.place(target.get(key).unwrap().span).unwrap().to_string();
        assert_eq!((place("a"), place("b")), ("patch.yaml:1:4".into(), "patch.yaml:2:4".into()));
    }

    fn without_null() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Into::into),
            any::<i8>().prop_map(Into::into),
            "[a-c]{0,2}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-d]", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn applying_a_difference_gives_the_other(from in without_null(), to in without_null()) {
            let (from, to) = (Node::from(from), Node::from(to));
            let mut patched = from.clone();
            apply(&mut patched, &diff(&from, &to));
            prop_assert_eq!(patched, to);
        }
    }
}
