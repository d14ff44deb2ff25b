//! Proves from a live object alone that applying would change nothing.
//!
//! A server-side apply changes nothing when the manager already owns exactly the fields that the
//! desired object sets, and each of them has the desired value. Both stand in the live object: the
//! former in `managedFields`, whose form also tells which lists are keyed. So one list request
//! answers for any number of unchanged objects. The proof errs on one side only: what cannot be
//! proved is asked of the server.

use crate::yaml::{Map, Node, Value};

/// Lists longer than this are not compared item by item.
const LONGEST: usize = 256;

/// True when applying `desired` as `manager` would leave `live` as it is.
#[must_use]
pub fn is_settled(desired: &Node, live: &Node, manager: &str) -> bool {
    let entry = live.items_at(&["metadata", "managedFields"]).iter().find(|entry| {
        entry.str_at(&["manager"]) == Some(manager)
            && entry.str_at(&["operation"]) == Some("Apply")
            && entry.str_at(&["subresource"]).unwrap_or_default().is_empty()
    });
    let Some(fields) = entry.and_then(|entry| {
        let same = entry.str_at(&["apiVersion"]) == desired.str_at(&["apiVersion"]);
        entry.get("fieldsV1").filter(|_| same)
    }) else {
        return false;
    };
    let (Some(desired), Some(fields), Some(live)) =
        (desired.as_map(), fields.as_map(), live.as_map())
    else {
        return false;
    };
    maps(desired, fields, live, Place::Root)
}

/// Identity is no field: it is not owned.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Metadata,
    Below,
}

impl Place {
    fn skips(self, key: &str) -> bool {
        match self {
            Place::Root => matches!(key, "apiVersion" | "kind"),
            Place::Metadata => matches!(key, "name" | "namespace"),
            Place::Below => false,
        }
    }

    fn under(self, key: &str) -> Place {
        if self == Place::Root && key == "metadata" { Place::Metadata } else { Place::Below }
    }
}

fn maps(desired: &Map, fields: &Map, live: &Map, place: Place) -> bool {
    let mut owned = 0;
    for entry in desired {
        if place.skips(&entry.key) {
            continue;
        }
        let (Some(field), Some(value)) =
            (fields.get(&format!("f:{}", entry.key)), live.get(&entry.key))
        else {
            return false;
        };
        if !covered(&entry.value, field, value, place.under(&entry.key)) {
            return false;
        }
        owned += 1;
    }
    owned == fields.keys().filter(|key| *key != ".").count()
}

fn covered(desired: &Node, field: &Node, live: &Node, place: Place) -> bool {
    let Some(field) = field.as_map() else { return false };
    if field.is_empty() {
        return !desired.is_null() && desired == live;
    }
    match (&desired.value, &live.value) {
        (Value::Map(desired), Value::Map(live)) => maps(desired, field, live, place),
        (Value::List(desired), Value::List(live)) => lists(desired, field, live),
        _ => false,
    }
}

fn lists(desired: &[Node], fields: &Map, live: &[Node]) -> bool {
    let keys = fields.keys().filter(|key| *key != ".").count();
    if keys != desired.len() || desired.len().max(live.len()) > LONGEST {
        return false;
    }
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(keys);
    for entry in fields.iter().filter(|entry| entry.key != ".") {
        let Some((kind, text)) = entry.key.split_once(':') else { return false };
        let Ok(key) = serde_json::from_str::<Node>(text) else { return false };
        let found = match kind {
            "v" => (
                desired.iter().position(|item| *item == key),
                live.iter().position(|item| *item == key),
            ),
            "k" => {
                let Some(key) = key.as_map() else { return false };
                // a key that the package leaves to its default is in the live item only
                let mut meant = (0..desired.len()).filter(|at| fits(&desired[*at], key, true));
                let first = meant.next();
                if meant.next().is_some() {
                    return false;
                }
                (first, live.iter().position(|item| fits(item, key, false)))
            }
            _ => return false,
        };
        let (Some(here), Some(there)) = found else { return false };
        if kind == "k" {
            let (Some(item), Some(field), Some(value)) =
                (desired[here].as_map(), entry.value.as_map(), live[there].as_map())
            else {
                return false;
            };
            if !maps(item, field, value, Place::Below) {
                return false;
            }
        }
        places.push((here, there));
    }
    // each item once, and in the same order
    places.sort_unstable();
    places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1)
}

fn fits(item: &Node, key: &Map, absent_fits: bool) -> bool {
    key.iter().all(|entry| match item.get(&entry.key) {
        Some(value) => *value == entry.value,
        None => absent_fits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn check(desired: Json, fields: Json, live: Json, expected: bool) {
        let mut want = Node::from(desired);
        want.set("apiVersion", "v1");
        want.set_at(&["metadata", "name"], "a");
        let mut have = Node::from(live);
        let mut entry = Node::from(json!({"manager": "wharf", "operation": "Apply",
            "apiVersion": "v1"}));
        entry.set("fieldsV1", Node::from(fields));
        have.set_at(&["metadata", "managedFields"], vec![entry]);
        assert_eq!(is_settled(&want, &have, "wharf"), expected, "{want:?}\n{have:?}");
        assert!(!is_settled(&want, &have, "other"));
    }

    #[test]
    fn only_what_is_owned_and_equal_is_settled() {
        let fields = || json!({"f:metadata": {}, "f:data": {"f:a": {}, "f:b": {}}});
        let live = || json!({"metadata": {}, "data": {"a": "1", "b": "2", "other": "3"}});
        check(json!({"data": {"a": "1", "b": "2"}}), fields(), live(), false);
        let fields = || json!({"f:data": {"f:a": {}, "f:b": {}}});
        // `metadata` has nothing but the name, which no one owns
        check(json!({"data": {"a": "1", "b": "2"}}), json!({"f:data": {"f:a": {}}}), live(), false);
        let meta = || json!({"labels": {"x": "y"}});
        let with_labels = |mut fields: Json| {
            fields["f:metadata"] = json!({"f:labels": {"f:x": {}}});
            fields
        };
        let live = || json!({"metadata": {"labels": {"x": "y"}}, "data": {"a": "1", "b": "2"}});
        let want = |data: Json| json!({"metadata": meta(), "data": data});
        check(want(json!({"a": "1", "b": "2"})), with_labels(fields()), live(), true);
        check(want(json!({"a": "1", "b": "3"})), with_labels(fields()), live(), false);
        check(want(json!({"a": "1"})), with_labels(fields()), live(), false);
        check(want(json!({"a": "1", "b": "2", "c": "3"})), with_labels(fields()), live(), false);
    }

    #[test]
    fn keyed_lists_are_compared_by_key_and_atomic_ones_whole() {
        let fields = || {
            json!({"f:metadata": {"f:labels": {"f:x": {}}}, "f:spec": {
                "f:args": {},
                "f:finalizers": {"v:\"one\"": {}},
                "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}})
        };
        let live = |args: Json| {
            json!({"metadata": {"labels": {"x": "y"}}, "spec": {
                "args": args, "finalizers": ["zero", "one"],
                "ports": [{"port": 79, "protocol": "TCP"},
                    {"port": 80, "protocol": "TCP", "nodePort": 30000}]}})
        };
        let want = |ports: Json| {
            json!({"metadata": {"labels": {"x": "y"}}, "spec": {
                "args": ["a"], "finalizers": ["one"], "ports": ports}})
        };
        check(want(json!([{"port": 80}])), fields(), live(json!(["a"])), true);
        check(want(json!([{"port": 80}])), fields(), live(json!(["a", "b"])), false);
        check(want(json!([{"port": 81}])), fields(), live(json!(["a"])), false);
        check(want(json!([{"port": 80, "name": "n"}])), fields(), live(json!(["a"])), false);
    }
}
