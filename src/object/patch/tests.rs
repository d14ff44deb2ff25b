//! Strategic merge patches, each a row: kind, target, patch, result.

use super::strategic::{Rules, apply, apply_by};
use crate::schema::Schemas;
use crate::yaml::Node;
use serde_json::{Value, json};

fn patched(kind: &str, target: &Value, patch: &Value, rules: Rules) -> Result<Value, String> {
    let schemas = Schemas::latest();
    let (api_version, kind) = kind.split_once(' ').expect("an apiVersion and a kind");
    let ty = schemas.kind(api_version, kind);
    assert_eq!(ty.is_some(), kind != "Unknown");
    let mut node = Node::from(target.clone());
    apply_by(&mut node, &Node::from(patch.clone()), ty, rules)
        .map_err(|error| error.to_string())?;
    Ok(Value::from(&node))
}

fn pod(containers: &Value) -> Value {
    json!({"spec": {"containers": containers}})
}

#[test]
fn patches_merge_as_an_api_server_merges_them() {
    let pod_kind = "v1 Pod";
    for (kind, target, patch, expected) in [
        // maps
        (
            "v1 ConfigMap",
            json!({"data": {"a": "1", "b": "2"}}),
            json!({"data": {"b": null, "c": "3"}}),
            json!({"data": {"a": "1", "c": "3"}}),
        ),
        (
            "v1 ConfigMap",
            json!({"data": {"a": "1"}}),
            json!({"data": {"$patch": "replace", "only": "this"}}),
            json!({"data": {"only": "this"}}),
        ),
        (
            "v1 ConfigMap",
            json!({"data": {"a": "1"}, "metadata": {}}),
            json!({"data": {"$patch": "delete"}}),
            json!({"metadata": {}}),
        ),
        (
            "v1 ConfigMap",
            json!({}),
            json!({"data": {"a": null, "b": "1"}}),
            json!({"data": {"b": "1"}}),
        ),
        // lists by key
        (
            pod_kind,
            pod(&json!([{"name": "a", "image": "1", "tty": true}])),
            pod(&json!([{"name": "a", "image": "2"}])),
            pod(&json!([{"name": "a", "image": "2", "tty": true}])),
        ),
        (
            pod_kind,
            pod(&json!([{"name": "a"}, {"name": "b"}])),
            pod(&json!([{"name": "c"}])),
            pod(&json!([{"name": "c"}, {"name": "a"}, {"name": "b"}])),
        ),
        (
            pod_kind,
            pod(&json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
            pod(&json!([{"name": "d"}, {"name": "b", "image": "x"}])),
            pod(&json!([{"name": "d"}, {"name": "a"}, {"name": "b", "image": "x"}, {"name": "c"}])),
        ),
        (
            pod_kind,
            pod(&json!([{"name": "a"}, {"name": "b"}])),
            pod(&json!([{"name": "a", "$patch": "delete"}])),
            pod(&json!([{"name": "b"}])),
        ),
        (
            pod_kind,
            pod(&json!([{"name": "a"}, {"name": "b"}])),
            pod(&json!([{"$patch": "replace"}, {"name": "z"}])),
            pod(&json!([{"name": "z"}])),
        ),
        (
            pod_kind,
            pod(&json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
            json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "a", "image": "x"}]}}),
            pod(&json!([{"name": "b"}, {"name": "c"}, {"name": "a", "image": "x"}])),
        ),
        (
            pod_kind,
            pod(
                &json!([{"name": "a", "ports": [{"containerPort": 80, "name": "x"}], "args": ["1", "2"]}]),
            ),
            pod(
                &json!([{"name": "a", "ports": [{"containerPort": 80, "name": "y"}], "args": ["3"]}]),
            ),
            pod(
                &json!([{"name": "a", "ports": [{"containerPort": 80, "name": "y"}], "args": ["3"]}]),
            ),
        ),
        // lists of values
        (
            "v1 ConfigMap",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"finalizers": ["c", "b"]}}),
            json!({"metadata": {"finalizers": ["c", "a", "b"]}}),
        ),
        (
            "v1 ConfigMap",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            json!({"metadata": {"finalizers": ["b"]}}),
        ),
        // retained keys
        (
            "apps/v1 Deployment",
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        ),
        // without a schema lists are replaced
        (
            "x.test/v1 Unknown",
            json!({"a": [{"name": "x"}], "b": {"c": 1}}),
            json!({"a": [{"name": "y"}], "b": {"d": 2}}),
            json!({"a": [{"name": "y"}], "b": {"c": 1, "d": 2}}),
        ),
        (
            "v1 Pod",
            json!({"spec": "odd"}),
            json!({"spec": {"hostNetwork": true}}),
            json!({"spec": {"hostNetwork": true}}),
        ),
    ] {
        assert_eq!(patched(kind, &target, &patch, Rules::Server), Ok(expected), "{patch}");
    }
}

#[test]
fn patches_merge_as_kustomize_merges_them() {
    let ports = |ports: Value| pod(&json!([{"name": "a", "ports": ports}]));
    for (target, patch, expected) in [
        // items of the patch stand first, in its order
        (
            pod(&json!([{"name": "a"}, {"name": "b"}, {"name": "d"}])),
            pod(&json!([{"name": "b", "image": "x"}, {"name": "c"}])),
            pod(&json!([{"name": "b", "image": "x"}, {"name": "c"}, {"name": "a"}, {"name": "d"}])),
        ),
        // with several keys an absent one fits any, and merged items keep their place
        (
            ports(
                json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]),
            ),
            ports(
                json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 80, "name": "x"}]),
            ),
            ports(
                json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP", "name": "x"}, {"containerPort": 53, "protocol": "UDP"}]),
            ),
        ),
        (
            ports(json!([{"containerPort": 80}, {"containerPort": 81}])),
            ports(json!([{"containerPort": 80, "$patch": "delete"}])),
            ports(json!([{"containerPort": 81}])),
        ),
        (
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"finalizers": ["c", "b"]}}),
            json!({"metadata": {"finalizers": ["c", "b", "a"]}}),
        ),
    ] {
        assert_eq!(patched("v1 Pod", &target, &patch, Rules::Kustomize), Ok(expected), "{patch}");
    }
}

#[test]
fn patches_that_make_no_sense_are_refused() {
    for (target, patch, expected) in [
        (pod(&json!([])), json!([]), "a strategic merge patch is a map, this is a list"),
        (
            pod(&json!([{"name": "a"}])),
            pod(&json!([{"image": "x"}])),
            "map does not contain declared merge key: name",
        ),
        (
            pod(&json!([{"name": "a"}])),
            pod(&json!(["x"])),
            "a list that merges by `name` has maps as items, this is a string",
        ),
        (
            json!({"spec": {"a": 1}}),
            json!({"spec": {"$patch": "drop"}}),
            "unknown patch directive `$patch: drop`, expected replace, delete or merge",
        ),
        (
            json!({"spec": {}}),
            json!({"spec": {"$retainKeys": ["x"], "k": "v"}}),
            "invalid patch format of retainKeys: it must list every key that the patch sets",
        ),
        (
            pod(&json!([{"name": "a"}, {"name": "b"}])),
            json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}}),
            "the order in the patch's list does not match its $setElementOrder list",
        ),
    ] {
        assert_eq!(
            patched("v1 Pod", &target, &patch, Rules::Server),
            Err(expected.to_owned()),
            "{patch}"
        );
    }
}

#[test]
fn long_lists_merge_in_linear_time() {
    let items = |image: &str| -> Value {
        (0..20_000).map(|n| json!({"name": format!("c{n}"), "image": image})).collect()
    };
    let mut node = Node::from(pod(&items("a")));
    let schemas = Schemas::latest();
    apply(&mut node, &Node::from(pod(&items("b"))), schemas.kind("v1", "Pod")).unwrap();
    assert_eq!(node, Node::from(pod(&items("b"))));
}
