//! Which fields differ between two states of an object.
//!
//! Items of a list are matched by the keys that the kind's schema names, or by `name` where the
//! schema is not known, so that an item put in front does not show all others as changed.

use crate::schema::{ListType, Type};
use crate::yaml::{Map, Node, Str, Value};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// One field that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldChange {
    /// `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// What it was, if it was there.
    pub before: Option<Node>,
    /// What it will be, if it will be there.
    pub after: Option<Node>,
}

/// All fields that differ, in the order of their paths in the objects.
#[must_use]
pub fn changes(before: &Node, after: &Node, ty: Option<&Type>) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(&mut String::new(), Some(before), Some(after), ty, &mut found);
    found
}

/// `before` with the items of its keyed lists in the order of those of `after`, so that the order
/// alone shows no difference.
#[must_use]
pub(super) fn aligned(before: &Node, after: &Node, ty: Option<&Type>) -> Node {
    match (&before.value, &after.value) {
        (Value::Map(old), Value::Map(new)) => {
            let entries = old.iter().map(|entry| {
                let value = match new.get(&entry.key) {
                    Some(other) => {
                        aligned(&entry.value, other, ty.and_then(|ty| ty.field(&entry.key)))
                    }
                    None => entry.value.clone(),
                };
                (entry.key.clone(), value)
            });
            Node::from(entries.collect::<Map>())
        }
        (Value::List(old), Value::List(new)) => {
            let items = ty.and_then(Type::items);
            let Some((mut left, names)) = keyed(old, ty).zip(keys_of(new, ty)) else {
                return before.clone();
            };
            let mut ordered = Vec::with_capacity(old.len());
            for (name, other) in names.iter().zip(new) {
                if let Some(at) = left.remove(name) {
                    ordered.push(aligned(&old[at], other, items));
                }
            }
            let mut rest: Vec<usize> = left.into_values().collect();
            rest.sort_unstable();
            ordered.extend(rest.into_iter().map(|at| old[at].clone()));
            Node::from(ordered)
        }
        _ => before.clone(),
    }
}

fn compare(
    path: &mut String,
    before: Option<&Node>,
    after: Option<&Node>,
    ty: Option<&Type>,
    found: &mut Vec<FieldChange>,
) {
    if before == after {
        return;
    }
    let length = path.len();
    if let (Some(old), Some(new)) = (before, after) {
        match (&old.value, &new.value) {
            (Value::Map(old), Value::Map(new)) => {
                let gone = old.keys().filter(|key| !new.contains_key(key));
                for key in new.keys().chain(gone) {
                    push_key(path, key);
                    let ty = ty.and_then(|ty| ty.field(key));
                    compare(path, old.get(key), new.get(key), ty, found);
                    path.truncate(length);
                }
                return;
            }
            (Value::List(old), Value::List(new)) => {
                let items = ty.and_then(Type::items);
                if let (Some(olds), Some(names)) = (keyed(old, ty), keys_of(new, ty)) {
                    let mut seen = HashSet::with_capacity(names.len());
                    for (name, item) in names.iter().zip(new) {
                        seen.insert(name);
                        let _ = write!(path, "[{name}]");
                        compare(path, olds.get(name).map(|at| &old[*at]), Some(item), items, found);
                        path.truncate(length);
                    }
                    let mut gone: Vec<(&String, &usize)> =
                        olds.iter().filter(|(name, _)| !seen.contains(name)).collect();
                    gone.sort_unstable_by_key(|(_, at)| **at);
                    for (name, at) in gone {
                        let _ = write!(path, "[{name}]");
                        compare(path, Some(&old[*at]), None, items, found);
                        path.truncate(length);
                    }
                    return;
                }
                let deep = old.iter().chain(new).all(|item| item.as_map().is_some());
                if deep && old.len() == new.len() {
                    for (at, (old, new)) in old.iter().zip(new).enumerate() {
                        let _ = write!(path, "[{at}]");
                        compare(path, Some(old), Some(new), items, found);
                        path.truncate(length);
                    }
                    return;
                }
            }
            _ => {}
        }
    }
    found.push(FieldChange { path: path.clone(), before: before.cloned(), after: after.cloned() });
}

fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"', ' ', '/']);
    let _ = match (plain, path.is_empty()) {
        (true, true) => write!(path, "{key}"),
        (true, false) => write!(path, ".{key}"),
        (false, _) => write!(path, "[{key:?}]"),
    };
}

/// The places of items by what tells them apart; nothing when the list is not keyed.
fn keyed(items: &[Node], ty: Option<&Type>) -> Option<HashMap<String, usize>> {
    let keys = keys_of(items, ty)?;
    let count = keys.len();
    let map: HashMap<String, usize> = keys.into_iter().zip(0..).collect();
    (map.len() == count).then_some(map)
}

/// What tells each item from the others: `name=web`, or the value itself in a set.
fn keys_of(items: &[Node], ty: Option<&Type>) -> Option<Vec<String>> {
    let guessed = [Str::from("name")];
    let keys: &[Str] = match ty.map(Type::list_type) {
        Some(ListType::Map(keys)) => keys,
        Some(ListType::Set) => return items.iter().map(scalar).collect(),
        Some(ListType::Atomic) => return None,
        None => &guessed,
    };
    let name = |item: &Node| {
        let mut name = String::new();
        for key in keys {
            let value = item.get(key).or_else(|| ty?.key_default(key));
            if !name.is_empty() {
                name.push(',');
            }
            match value.map(scalar) {
                Some(value) => {
                    let _ = write!(name, "{key}={}", value?);
                }
                // a key that is absent everywhere tells nothing, but does no harm
                None if keys.len() > 1 => {}
                None => return None,
            }
        }
        Some(name)
    };
    let names: Vec<String> = items.iter().map(name).collect::<Option<_>>()?;
    let distinct: HashSet<&String> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schemas;
    use serde_json::{Value as Json, json};

    fn check(kind: (&str, &str), before: Json, after: Json, expected: &[&str]) {
        let schemas = Schemas::latest();
        let (before, after) = (Node::from(before), Node::from(after));
        let ty = schemas.kind(kind.0, kind.1);
        let found: Vec<String> = changes(&before, &after, ty)
            .iter()
            .map(|change| {
                let shown = |node: &Option<Node>| {
                    node.as_ref().map_or("-".to_owned(), crate::yaml::json::to_string)
                };
                format!("{} {} {}", change.path, shown(&change.before), shown(&change.after))
            })
            .collect();
        assert_eq!(found, expected);
        let moved = aligned(&before, &after, ty);
        assert_eq!(changes(&moved, &after, ty).len(), expected.len());
    }

    #[test]
    fn items_of_keyed_lists_are_matched_by_key() {
        let pod = |containers: Json| json!({"spec": {"containers": containers}});
        check(
            ("v1", "Pod"),
            pod(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])),
            pod(json!([{"name": "new"}, {"name": "b", "image": "2"}, {"name": "a", "image": "1"}])),
            &[
                r#"spec.containers[name=new] - {"name":"new"}"#,
                r#"spec.containers[name=b].image "1" "2""#,
            ],
        );
        let service = |ports: Json| json!({"spec": {"ports": ports}});
        check(
            ("v1", "Service"),
            service(json!([{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}])),
            service(json!([{"port": 81}, {"port": 80, "protocol": "TCP", "nodePort": 1}])),
            &[
                r#"spec.ports[port=81,protocol=TCP].protocol "TCP" -"#,
                "spec.ports[port=80,protocol=TCP].nodePort - 1",
            ],
        );
    }

    #[test]
    fn other_lists_and_odd_keys_are_shown_whole() {
        let map = |args: Json| json!({"data": {"a.b/c": args}});
        check(
            ("x/v1", "Unknown"),
            map(json!(["1", "2"])),
            map(json!(["2"])),
            &[r#"data["a.b/c"] ["1","2"] ["2"]"#],
        );
        check(
            ("x/v1", "Unknown"),
            map(json!([{"x": 1}])),
            map(json!([{"x": 2}])),
            &[r#"data["a.b/c"][0].x 1 2"#],
        );
    }
}
