//! Kustomize's strategic merge, each a row: target, patch, result.

use super::{Merger, operate};
use crate::base::source::Sources;
use crate::schema::MergeTable;
use crate::yaml::{Dialect, Node, emit, parse_one};
use proptest::prelude::*;
use serde_json::json;

const POD: &str = "apiVersion: v1\nkind: Pod\n";

fn kustomized(target: &str, patch: &str) -> String {
    let sources = Sources::default();
    let read = |name: &str, text: &str| {
        let file = sources.add(name, format!("{POD}{text}"));
        parse_one(&sources, file, Dialect::GoYamlV3).expect("yaml")
    };
    let (mut target, patch) = (read("target", target), read("patch", patch));
    let merger = Merger { table: MergeTable::kustomize(), sources: Some(&sources) };
    match merger.apply(&mut target, patch) {
        Ok(true) => emit::to_string(&target, &emit::Style::kubernetes())
            .replace("apiVersion: v1\n", "")
            .replace("kind: Pod\n", ""),
        Ok(false) => "deleted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn kustomize_merges_in_its_own_way() {
    for (target, patch, expected) in [
        ("a: \"1\"\nb: 1\n", "a: 2.50\nb: \"2\"\n", "a: \"2.50\"\nb: \"2\"\n"),
        ("a: {b: , c: null, d: 1}\n", "x: 1\n", "a:\n  c: null\n  d: 1\nx: 1\n"),
        ("a: 1\n", "$patch: delete\n", "deleted"),
        ("a: 1\n", "$patch: replace\nb: 2\n", "a: 1\n"),
        ("a: {d: 1}\n", "a: {$patch: replace, b: {c: null}}\n", "a:\n  b: {}\n"),
        ("a: 1\n", "$patch: other\n", "unknown patch strategy 'other'"),
        (
            "a: {b: 1}\n",
            "a: 1\n",
            "wrong node kind: expected MappingNode but got ScalarNode: node contents:\n1\n",
        ),
        (
            "l: [1]\n",
            "l: [{$patch: delete}]\n$retainKeys: [l]\n",
            "$retainKeys:\n- l\nl:\n- $patch: delete\n",
        ),
        (
            "spec: {containers: [{name: a, image: x}, {name: b}]}\n",
            "spec: {containers: [{name: c}, {name: b, image: y}, {name: a, $patch: delete}]}\n",
            "spec:\n  containers:\n  - name: c\n  - image: \"y\"\n    name: b\n",
        ),
        (
            "spec: {containers: [{name: a, image: x}]}\n",
            "spec: {containers: [{$patch: replace}, {name: b}]}\n",
            "spec:\n  containers:\n  - name: b\n",
        ),
        (
            "spec: {containers: [{name: a, ports: [{containerPort: 1, protocol: TCP}, {containerPort: 2}]}]}\n",
            // the port of the patch lacks the protocol by which its merged values look for it
            "spec: {containers: [{name: a, ports: [{containerPort: 1, name: x}]}]}\n",
            "spec:\n  containers:\n  - name: a\n    ports:\n    - containerPort: 1\n      protocol: TCP\n    - containerPort: 2\n",
        ),
        (
            "metadata: {finalizers: [a, b]}\n",
            "metadata: {finalizers: [c, b]}\n",
            "metadata:\n  finalizers:\n  - c\n  - b\n  - a\n",
        ),
    ] {
        assert_eq!(kustomized(target, patch), expected, "{target}{patch}");
    }
}

#[test]
fn operations_are_those_of_kustomizes_library() {
    let doc = json!({"a": {"k": "v", "n": null, "x/y": 1}, "l": [1, 2]});
    for (operations, expected) in [
        (
            json!([{"op": "replace", "path": "/a/new", "value": 1}]),
            Ok(json!({"k": "v", "n": null, "x/y": 1, "new": 1})),
        ),
        (
            json!([{"op": "test", "path": "/a/none"}, {"op": "remove", "path": "/a/x~1y"}]),
            Ok(json!({"k": "v", "n": null})),
        ),
        (
            json!([{"op": "remove", "path": "/a/none"}]),
            Err(
                "error in remove for path: '/a/none': Unable to remove nonexistent key: none: missing value",
            ),
        ),
        (
            json!([{"op": "add", "path": "/l/x", "value": 1}]),
            Err(
                "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
        ),
        (
            json!([{"op": "move", "path": "/b", "from": "/l/7"}]),
            Err(
                "error in move for path: '7': Unable to access invalid index: 7: invalid index referenced",
            ),
        ),
        (
            json!([{"op": "copy", "path": "/a/n/x", "from": "/l"}]),
            Err(
                "copy operation does not apply: doc is missing destination path: /a/n/x: missing value",
            ),
        ),
        (
            json!([{"op": "test", "path": "/a/k/x", "value": 1}]),
            Err("test operation does not apply: is missing path: /a/k/x: missing value"),
        ),
        (
            json!([{"op": "add", "value": 1}]),
            Err("add operation failed to decode path: missing value"),
        ),
        (json!([{"path": "/a"}]), Err("Unexpected kind: unknown")),
        (
            json!([{"op": "replace", "path": "", "value": 1}]),
            Err("replace operation value must be object or array"),
        ),
    ] {
        let mut found = Node::from(doc.clone());
        let result = operate(&mut found, &Node::from(operations.clone()));
        let result = result.map(|()| serde_json::Value::from(found.at(&["a"]).expect("a")));
        assert_eq!(
            result.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{operations}"
        );
    }
}

fn odd_object() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Into::into),
        any::<i8>().prop_map(Into::into),
        "(delete|replace|merge|[ab]?)".prop_map(Into::into),
    ];
    let key =
        "(name|ports|containerPort|protocol|containers|env|finalizers|spec|metadata|\\$patch)";
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_operation_panics(
        doc in odd_object(),
        list in prop::collection::vec((0..7_usize, "(/[a-c0-2-]{0,2}){0,4}", "(/(name|spec|[0-2-])?){0,3}", odd_object()), 0..6),
    ) {
        let names = ["add", "remove", "replace", "move", "copy", "test", "none"];
        let operation = |(op, path, from, value): (usize, String, String, _)| {
            json!({"op": names[op], "path": path, "from": from, "value": value})
        };
        let list: Vec<_> = list.into_iter().map(operation).collect();
        let _ = operate(&mut Node::from(doc), &Node::from(json!(list)));
    }

    #[test]
    fn no_kustomize_patch_panics(target in odd_object(), patch in odd_object()) {
        let object = |mut value: serde_json::Value| {
            if let Some(map) = value.as_object_mut() {
                map.insert("apiVersion".into(), "v1".into());
                map.insert("kind".into(), "Pod".into());
            }
            Node::from(value)
        };
        let merger = Merger { table: MergeTable::kustomize(), sources: None };
        let _ = merger.apply(&mut object(target), object(patch));
    }
}
