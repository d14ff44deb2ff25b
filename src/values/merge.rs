//! Puts one layer of values over another. Each node keeps the span of the layer it came from.

use super::schema::{ListMerge, Schema};
use crate::yaml::{Entry, Map, Node, Value};

/// Puts `over` on `base`: maps merge, `null` deletes what was set below, and lists are replaced
/// unless the schema of that place says `x-wharf-merge`.
pub fn merge(base: &mut Node, over: Node, schema: Schema<'_>) {
    match (&mut base.value, over.value) {
        (Value::Map(below), Value::Map(above)) => {
            let mut deleted = Vec::new();
            for entry in above {
                // a null that was null before stays: the package declares the key without a value
                if entry.value.is_null() && below.get(&entry.key).is_none_or(|n| !n.is_null()) {
                    deleted.push(entry.key);
                    continue;
                }
                merge_entry(below, entry, schema);
            }
            if !deleted.is_empty() {
                below.retain(|entry| !deleted.contains(&entry.key));
            }
        }
        (Value::List(below), Value::List(above)) => match schema.list_merge() {
            ListMerge::Replace => *base = Node::new(above, over.span),
            ListMerge::Append => below.extend(above),
            ListMerge::By(key) => merge_by(below, above, key, schema),
        },
        (_, value) => *base = without_nulls(Node::new(value, over.span)),
    }
}

/// Puts one of the user's layers on another: maps merge, everything else is replaced, and a null
/// stays, for it is the package's value that it will delete.
pub fn layer(below: &mut Node, above: Node) {
    match (&mut below.value, above.value) {
        (Value::Map(lower), Value::Map(upper)) => {
            for entry in upper {
                match lower.get_mut(&entry.key) {
                    Some(node) => layer(node, entry.value),
                    None => {
                        lower.insert_entry(entry);
                    }
                }
            }
        }
        (_, value) => *below = Node::new(value, above.span),
    }
}

fn merge_entry(below: &mut Map, entry: Entry, schema: Schema<'_>) {
    let inner = schema.property(&entry.key);
    if let Some(node) = below.get_mut(&entry.key) {
        merge(node, entry.value, inner);
    } else {
        below.insert_entry(Entry { value: without_nulls(entry.value), ..entry });
    }
}

/// Items with the same value under `key` merge; others are appended.
fn merge_by(below: &mut Vec<Node>, above: Vec<Node>, key: &str, schema: Schema<'_>) {
    let inner = schema.items();
    for item in above {
        let same = |other: &&mut Node| {
            item.get(key).is_some()
                && other.get(key).map(|n| &n.value) == item.get(key).map(|n| &n.value)
        };
        match below.iter_mut().find(same) {
            Some(node) => merge(node, item, inner),
            None => below.push(item),
        }
    }
}

/// A new map holds nothing for a null to delete, so the null is dropped.
fn without_nulls(mut node: Node) -> Node {
    if let Value::Map(map) = &mut node.value {
        if map.values().any(Node::is_null) {
            map.retain(|entry| !entry.value.is_null());
        }
        for value in map.values_mut() {
            *value = without_nulls(std::mem::take(value));
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn check(schema: Json, base: Json, over: Json, expected: &Json) {
        let document = Node::from(schema);
        let mut merged = Node::from(base);
        merge(&mut merged, Node::from(over), Schema::new(&document));
        assert_eq!(&Json::from(&merged), expected, "{document:?}");
    }

    #[test]
    fn maps_merge_nulls_delete_lists_follow_the_schema() {
        let base = json!({"a": {"x": 1, "y": 2}, "l": [1, 2], "n": null});
        check(
            json!({}),
            base.clone(),
            json!({"a": {"x": 3}}),
            &json!({"a": {"x": 3, "y": 2}, "l": [1, 2], "n": null}),
        );
        check(
            json!({}),
            base.clone(),
            json!({"a": {"y": null}, "n": null, "q": {"z": null}}),
            &json!({"a": {"x": 1}, "l": [1, 2], "n": null, "q": {}}),
        );
        check(
            json!({}),
            base.clone(),
            json!({"l": [3]}),
            &json!({"a": {"x": 1, "y": 2}, "l": [3], "n": null}),
        );
        check(
            json!({"properties": {"l": {"x-wharf-merge": "append"}}}),
            base,
            json!({"l": [3]}),
            &json!({"a": {"x": 1, "y": 2}, "l": [1, 2, 3], "n": null}),
        );
        check(
            json!({"properties": {"l": {"x-wharf-merge": {"by": "name"}}}}),
            json!({"l": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]}),
            json!({"l": [{"name": "b", "v": 3}, {"name": "c"}]}),
            &json!({"l": [{"name": "a", "v": 1}, {"name": "b", "v": 3}, {"name": "c"}]}),
        );
    }
}
