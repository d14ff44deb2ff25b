//! Field specs: which fields of which kinds a transformer writes, as Kustomize names them.

use crate::object::Gvk;
use crate::yaml::{Node, Str, Value};

/// One field of some kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// API group; empty for any.
    pub group: Str,
    /// API version; empty for any.
    pub version: Str,
    /// Kind; empty for any.
    pub kind: Str,
    /// Keys from the root, with `/` between them. Lists stand for all of their items.
    pub path: Str,
    /// Make the field, and the maps above it, where it is absent.
    pub create: bool,
}

impl FieldSpec {
    /// The spec of a row: group, kind, path, create.
    #[must_use]
    pub fn row(group: &str, kind: &str, path: &str, create: bool) -> FieldSpec {
        FieldSpec {
            group: group.into(),
            version: Str::default(),
            kind: kind.into(),
            path: path.into(),
            create,
        }
    }

    /// True when the spec is about this kind.
    #[must_use]
    pub fn fits(&self, gvk: &Gvk) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&self.group, &gvk.group)
            && fits(&self.version, &gvk.version)
            && fits(&self.kind, &gvk.kind)
    }

    /// Calls `change` for every field that the path leads to. A field that is made holds null when
    /// `change` sees it.
    pub fn visit(&self, root: &mut Node, change: &mut dyn FnMut(&mut Node)) {
        let keys: Vec<&str> = self.path.split('/').collect();
        walk(root, &keys, self.create, change);
    }
}

fn walk(node: &mut Node, keys: &[&str], create: bool, change: &mut dyn FnMut(&mut Node)) {
    let Some((key, rest)) = keys.split_first() else { return change(node) };
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| walk(item, keys, create, change)),
        Value::Map(map) => {
            let name = key.trim_end_matches("[]");
            // a list is never made: there is no item to put into it
            let make = create && name == *key;
            let empty = map.get(name).is_none_or(Node::is_null);
            if empty && !make {
                return;
            }
            if empty {
                map.insert(name, if rest.is_empty() { Node::NULL } else { Node::map() });
            }
            if let Some(value) = map.get_mut(name) {
                walk(value, rest, create, change);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_lists_and_make_maps() {
        for (path, create, before, after) in [
            ("a/b", true, json!({}), json!({"a": {"b": 1}})),
            ("a/b", false, json!({}), json!({})),
            ("a/b", true, json!({"a": null}), json!({"a": {"b": 1}})),
            ("a[]/b", true, json!({}), json!({})),
            ("a[]/b", true, json!({"a": [{}, {"b": 0}]}), json!({"a": [{"b": 1}, {"b": 1}]})),
            ("a/b", false, json!({"a": [{"c": 0}, {"b": 0}]}), json!({"a": [{"c": 0}, {"b": 1}]})),
        ] {
            let mut node = Node::from(before);
            FieldSpec::row("", "", path, create).visit(&mut node, &mut |node| *node = 1.into());
            assert_eq!(node, Node::from(after), "{path}");
        }
    }
}
