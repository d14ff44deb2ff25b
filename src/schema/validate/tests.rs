//! What validation says of faulty values, and that it is silent about sound ones.

use super::super::Schemas;
use super::validate;
use crate::base::diag::Diagnostics;
use crate::yaml::Node;
use serde_json::{Value, json};

fn findings(schemas: &Schemas, object: &Node) -> Vec<String> {
    let text = |key| object.str_at(&[key]).unwrap_or_default();
    let ty = schemas.kind(text("apiVersion"), text("kind")).expect("a kind of the test");
    let mut sink = Diagnostics::new();
    validate(object, ty, &mut sink);
    sink.iter()
        .map(|fault| match &fault.help {
            Some(help) => format!("{}; {help}", fault.message),
            None => fault.message.clone(),
        })
        .collect()
}

fn check(object: &Value, expected: &[&str]) {
    let schemas = Schemas::kubernetes("1.33").expect("1.33 is embedded");
    assert_eq!(findings(&schemas, &Node::from(object.clone())), expected, "{object}");
}

fn deployment(change: impl FnOnce(&mut Node)) -> Value {
    let mut object = Node::from(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "creationTimestamp": null, "labels": {"app": "web"}},
        "spec": {
            "replicas": 2.0,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "securityContext": {},
                    "containers": [{
                        "name": "web",
                        "image": "web:1",
                        "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}],
                        "resources": {"limits": {"cpu": 1, "memory": "64Mi"}, "requests": null},
                        "livenessProbe": {"httpGet": {"port": "http"}},
                        "env": [{"name": "A", "value": "1"}],
                    }],
                },
            },
        },
    }));
    change(&mut object);
    Value::from(&object)
}

fn container(node: &mut Node) -> &mut Node {
    let list = node.at_mut(&["spec", "template", "spec", "containers"]);
    &mut list.and_then(Node::as_list_mut).expect("it has containers")[0]
}

#[test]
fn sound_objects_have_no_findings() {
    check(&deployment(|_| ()), &[]);
    check(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b", "c": null}}), &[]);
    check(
        &json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "", "ports": [
            {"port": 53, "protocol": "TCP", "name": "a"}, {"port": 53, "protocol": "UDP"},
        ]}}),
        &[],
    );
}

#[test]
fn unknown_fields_lead_to_the_right_one() {
    for (path, value, expected) in [
        (&["spec", "replcas"][..], json!(1), "did you mean"),
        (
            &["spec", "containers"],
            json!([]),
            "unknown field `spec.containers`; `containers` belongs under `spec.template.spec`",
        ),
        (
            &["spec", "template", "spec", "replicas"],
            json!(1),
            "unknown field `spec.template.spec.replicas`; `replicas` belongs under `spec`",
        ),
        (
            &["spec", "template", "spec", "image"],
            json!("web"),
            "unknown field `spec.template.spec.image`; \
             `image` belongs under `spec.template.spec.containers[]`",
        ),
        (&["replicas"], json!(1), "unknown field `replicas`; `replicas` belongs under `spec`"),
        (
            &["spec", "template", "spec", "hostnetwork"],
            json!(true),
            "unknown field `spec.template.spec.hostnetwork`; did you mean `hostNetwork`?",
        ),
        (
            &["spec", "strategy", "surge"],
            json!(1),
            "unknown field `spec.strategy.surge`; known here: rollingUpdate, type",
        ),
    ] {
        let object = deployment(|node| node.set_at(path, Node::from(value)));
        if expected == "did you mean" {
            // `replicas` is there already and not suggested
            let help = "known here: minReadySeconds, paused, progressDeadlineSeconds, replicas, \
                        revisionHistoryLimit, selector, strategy, template";
            check(&object, &[&format!("unknown field `spec.replcas`; {help}")]);
        } else {
            check(&object, &[expected]);
        }
    }
    check(
        &deployment(|node| {
            let selector = node.remove_at(&["spec", "selector"]).expect("it has one");
            node.set_at(&["spec", "selectr"], selector);
        }),
        &["unknown field `spec.selectr`; did you mean `selector`?"],
    );
}

#[test]
fn wrong_types_say_what_to_write() {
    for (key, value, expected) in [
        (
            "ports",
            json!([{"containerPort": "8080"}]),
            "`…ports[0].containerPort` must be an integer, not a string; remove the quotes: 8080",
        ),
        (
            "stdin",
            json!("yes"),
            "`…stdin` must be true or false, not a string; remove the quotes: true",
        ),
        (
            "env",
            json!([{"name": "A", "value": 1}]),
            "`…env[0].value` must be a string, not an integer; put it in quotes",
        ),
        (
            "env",
            json!({"name": "A"}),
            "`…env` must be a list, not a map; \
             to make it a list of one, put `- ` before its first key",
        ),
        (
            "args",
            json!("run"),
            "`…args` must be a list, not a string; to make it a list of one, put `- ` before it",
        ),
        (
            "resources",
            json!({"limits": {"memory": "1GB", "cpu": true}}),
            "`…resources.limits.memory` must be a quantity such as `500m`, `2` or `1Gi`, \
             not `1GB`; did you mean `1G`?|\
             `…resources.limits.cpu` must be a quantity such as `500m`, `2` or `1Gi`, \
             not a boolean",
        ),
        (
            "imagePullPolicy",
            json!("Allways"),
            "`…imagePullPolicy` must be one of `Always`, `IfNotPresent`, `Never`, \
             not `Allways`; did you mean `Always`?",
        ),
        ("name", Value::Null, "field `…name` is missing; add `name`, a string"),
        (
            "ports",
            json!([{"containerPort": 5_000_000_000_i64}]),
            "`…ports[0].containerPort` must be an integer of 32 bits, not `5000000000`",
        ),
        (
            "ports",
            json!([{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]),
            "`…ports[1]` has the containerPort and protocol of another item: 80, TCP",
        ),
        (
            "livenessProbe",
            json!({"httpGet": {"port": [80]}}),
            "`…livenessProbe.httpGet.port` must be an integer or a string, not a list",
        ),
    ] {
        let object = deployment(|node| container(node).set(key, Node::from(value)));
        let whole = expected.replace('…', "spec.template.spec.containers[0].");
        check(&object, &whole.split('|').collect::<Vec<_>>());
    }
}

#[test]
fn secrets_are_not_shown() {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "data": {"password": "hunter2!", "b": 12345},
        "stringData": {"c": ["hunter3"]},
    });
    check(
        &object,
        &[
            "`data.password` must be base64 with padding; \
             write plain text under `stringData`, or encode it with base64",
            "`data.b` must be a string, not an integer; put it in quotes",
            "`stringData.c` must be a string, not a list",
        ],
    );
}

fn crd(schema: &Value) -> Node {
    Node::from(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [
                {"name": "v1", "served": true, "schema": {"openAPIV3Schema": schema}},
                {"name": "v0", "served": false},
            ],
        },
    }))
}

#[test]
fn custom_resources_obey_their_definition() {
    let mut schemas = Schemas::latest();
    let definition = crd(&json!({
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {
            "type": "object",
            "required": ["size"],
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "a": {"type": "string", "nullable": true},
                "b": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}]},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "map": {"type": "object", "additionalProperties": {"type": "boolean"}},
                "pod": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": true,
                    "x-kubernetes-preserve-unknown-fields": true,
                },
                "items": {
                    "type": "array",
                    "maxItems": 2,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {"id": {"type": "string"}},
                    },
                },
            },
        }},
    }));
    schemas.add_crd(&definition).expect("a sound definition");
    assert!(schemas.kind("example.com/v0", "Thing").is_none());
    let check = |spec: Value, expected: &[&str]| {
        let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": spec});
        assert_eq!(findings(&schemas, &Node::from(thing)), expected, "{spec}");
    };
    check(json!({"size": 3, "a": "x", "free": {"any": [1]}, "map": {"k": true}}), &[]);
    check(json!({"size": 3, "b": "x", "pod": {"apiVersion": "v1", "kind": "Pod", "spec": 1}}), &[]);
    check(json!(null), &["field `spec` is missing; add `spec`, a map"]);
    check(
        json!({"size": 10, "name": "A-long", "nam": 1, "a": "x", "b": 2}),
        &[
            "`spec.size` must be at most 9, not `10`",
            "`spec.name` must be 5 characters or fewer, not `A-long`",
            "`spec.name` must be a match of `^[a-z]+$`, not `A-long`",
            "unknown field `spec.nam`; known here: a, b, free, items, map, name, pod, size",
            "`spec` must have only one of: `a`; `b`",
        ],
    );
    check(
        json!({"size": 1, "map": {"k": 1}, "items": [{"id": "x"}, {"id": "x"}, {}], "pod": {}}),
        &[
            "`spec.map.k` must be true or false, not an integer",
            "field `spec.items[2].id` is missing; add `id`, a string",
            "`spec.items[1]` has the id of another item: x",
            "`spec.items` must be 2 items or fewer",
            "field `spec.pod.apiVersion` is missing; add `apiVersion`, a string",
            "field `spec.pod.kind` is missing; add `kind`, a string",
            "`spec` must have one of: `a`; `b`",
        ],
    );
}

#[test]
fn faulty_definitions_are_named() {
    for (schema, expected) in [
        (json!({"properties": {}}), "has no `type`, which an API server refuses"),
        (json!({"type": "map"}), "has the unknown type `map`"),
        (
            json!({"type": "object", "pattern": "("}),
            "has a `pattern` that is no regular expression",
        ),
    ] {
        let faults = Schemas::latest().add_crd(&crd(&schema)).expect_err(expected);
        let path = "spec.versions[0].schema.openAPIV3Schema";
        assert_eq!(faults.to_string(), format!("the schema at `{path}` {expected}"));
    }
    let faults = Schemas::latest().add_crd(&Node::map()).expect_err("nothing in it");
    assert!(faults.to_string().contains("needs `spec.group`"), "{faults}");
}

#[test]
fn unknown_kinds_lead_to_known_ones() {
    let schemas = Schemas::kubernetes("1.33").expect("1.33 is embedded");
    for (api_version, kind, expected) in [
        (
            "extensions/v1beta1",
            "Deployment",
            "extensions/v1beta1 Deployment was removed in Kubernetes 1.16; \
             use `apiVersion: apps/v1`",
        ),
        (
            "policy/v1beta1",
            "PodSecurityPolicy",
            "policy/v1beta1 PodSecurityPolicy was removed in Kubernetes 1.25; \
             nothing took its place; take the object out",
        ),
        (
            "flowcontrol.apiserver.k8s.io/v1beta3",
            "FlowSchema",
            "Kubernetes 1.33 no longer has flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema; \
             use `apiVersion: flowcontrol.apiserver.k8s.io/v1`",
        ),
        (
            "resource.k8s.io/v1",
            "ResourceClaim",
            "Kubernetes 1.33 does not have resource.k8s.io/v1 ResourceClaim yet; \
             use `apiVersion: resource.k8s.io/v1beta2`",
        ),
        (
            "v1",
            "Deployment",
            "no schema for v1 Deployment in Kubernetes 1.33; Deployment is in apps/v1",
        ),
        (
            "apps/v1",
            "Deploymnet",
            "no schema for apps/v1 Deploymnet in Kubernetes 1.33; \
             did you mean `Deployment` of apps/v1?",
        ),
        (
            "example.com/v1",
            "Shovel",
            "no schema for example.com/v1 Shovel in Kubernetes 1.33; \
             add its CustomResourceDefinition to the input",
        ),
    ] {
        let fault = schemas.unknown_kind(api_version, kind);
        let text = format!("{}; {}", fault.message, fault.help.unwrap_or_default());
        assert_eq!(text, expected);
    }
}
