//! Each rule with an object that breaks it; sound objects break none.

use super::check;
use crate::base::diag::Diagnostics;
use crate::yaml::Node;
use serde_json::{Value, json};

fn findings(object: Value) -> Vec<String> {
    let mut sink = Diagnostics::new();
    check(&Node::from(object), &mut sink);
    sink.iter().map(|finding| finding.message.clone()).collect()
}

fn object(api_version: &str, kind: &str, rest: &Value) -> Value {
    let mut whole = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
    for (key, value) in rest.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    whole
}

/// A pod with one field of its container or of its spec replaced.
fn pod(container: &Value, spec: &Value) -> Value {
    let mut one = json!({"name": "a", "image": "a:1"});
    for (key, value) in container.as_object().into_iter().flatten() {
        one[key] = value.clone();
    }
    let mut whole = json!({"containers": [one]});
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    object("v1", "Pod", &json!({"spec": whole}))
}

#[test]
fn sound_objects_pass() {
    let volumes = json!({"volumes": [{"name": "v"}], "tolerations": [{"operator": "Exists"}]});
    let container = json!({
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "ports": [{"name": "http", "containerPort": 80}],
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": 1}},
        "livenessProbe": {"httpGet": {"port": "http"}},
    });
    assert_eq!(findings(pod(&container, &volumes)), Vec::<String>::new());
}

#[test]
fn pods_are_judged() {
    for (container, spec, expected) in [
        (json!({"name": "A_b"}), json!({}), "`spec.containers[0].name` `A_b` must be lower-case"),
        (json!({"image": null}), json!({}), "`spec.containers[0]` has no image"),
        (
            json!({"ports": [{"containerPort": 0}]}),
            json!({}),
            "`spec.containers[0].ports[0].containerPort` must be from 1 to 65535, not 0",
        ),
        (
            json!({"ports": [{"name": "p", "containerPort": 1}, {"name": "p", "containerPort": 2}]}),
            json!({}),
            "`spec.containers[0].ports[1].name` is `p`, the name of another port",
        ),
        (
            json!({"volumeMounts": [{"name": "w", "mountPath": "/w"}]}),
            json!({"volumes": [{"name": "v"}]}),
            "`spec.containers[0].volumeMounts[0].name` is `w`, but the pod has no volume",
        ),
        (
            json!({"env": [{"name": "A=B"}]}),
            json!({}),
            "`spec.containers[0].env[0].name` must be printable ASCII",
        ),
        (
            json!({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}),
            json!({}),
            "`spec.containers[0].resources.requests.cpu` requests 2, more than the limit of 1",
        ),
        (
            json!({"livenessProbe": {"periodSeconds": 5}}),
            json!({}),
            "`spec.containers[0].livenessProbe` needs one of exec, grpc",
        ),
        (
            json!({}),
            json!({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]}),
            "`spec.volumes[0]` has 2 sources, one is allowed: emptyDir, hostPath",
        ),
        (
            json!({}),
            json!({"initContainers": [{"name": "a", "image": "b"}]}),
            "`spec.initContainers[0].name` is `a`, the name of another container",
        ),
        (json!({}), json!({"containers": []}), "`spec.containers` must have at least one"),
    ] {
        let found = findings(pod(&container, &spec));
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].starts_with(expected), "{expected}: {found:?}");
    }
}

#[test]
fn other_kinds_are_judged() {
    let template = json!({"metadata": {"labels": {"app": "b"}}, "spec": {"containers": []}});
    for (value, expected) in [
        (
            object(
                "apps/v1",
                "Deployment",
                &json!({"spec": {
                    "selector": {"matchLabels": {"app": "a"}},
                    "template": {"metadata": template["metadata"]},
                }}),
            ),
            "`spec.selector` does not match the labels of the template",
        ),
        (
            object("v1", "ConfigMap", &json!({"data": {"a b": "c"}})),
            "`data[\"a b\"]` is no key: it must be",
        ),
        (
            object("v1", "Service", &json!({"spec": {"ports": [{"port": 70000}]}})),
            "`spec.ports[0].port` must be from 1 to 65535, not 70000",
        ),
        (
            object("v1", "Namespace", &json!({"metadata": {"name": "My_App"}})),
            "`metadata.name` `My_App` must be lower-case",
        ),
        (
            object("v1", "ConfigMap", &json!({"metadata": {"labels": {}}})),
            "this ConfigMap has no name",
        ),
        (
            object("batch/v1", "CronJob", &json!({"spec": {"schedule": "99 * * * *"}})),
            "`spec.schedule` `99 * * * *` has the minute `99`",
        ),
        (
            object(
                "v1",
                "Secret",
                &json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}),
            ),
            "`type` `kubernetes.io/tls` needs the key `tls.key`",
        ),
    ] {
        let found = findings(value);
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].starts_with(expected), "{expected}: {found:?}");
    }
}

#[test]
fn what_a_server_would_not_store_is_told() {
    let long = |bytes: usize| "a".repeat(bytes);
    for (object, code, expected) in [
        (
            object("v1", "ConfigMap", &json!({"data": {"a": long(2 << 20)}})),
            "wharf::policy::too_large",
            "the values hold 2097152 bytes, 1048576 are allowed",
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "x", "annotations": {"a": long(300 << 10)}}}),
            "wharf::policy::too_large",
            "`metadata.annotations` hold 307201 bytes, 262144 are allowed",
        ),
    ] {
        let mut sink = Diagnostics::new();
        check(&Node::from(object), &mut sink);
        let found: Vec<_> = sink.iter().map(|one| (one.code, one.message.as_str())).collect();
        assert_eq!(found, [(code, expected)]);
    }
}
