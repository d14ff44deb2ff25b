//! Server-side apply against what an API server answered: the recorded cases that need no more
//! than owners, merges and patches are replayed on functions. And laws that hold for any object.

use super::*;
use crate::object::patch::{json6902, merge};
use crate::schema::Schemas;
use crate::yaml::Node;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Cases that are about requests rather than objects.
const NOT_HERE: &[&str] = &[
    "field-manager-needed",
    "force-only-for-apply",
    "wrong-names",
    "yaml-body",
    "version-precondition",
    "invalid-result",
    "json-patch-bad-document",
    "merge-patch-bad",
    "patch-type-unsupported",
    "patch-missing",
    "patch-version",
    "patch-invalid-result",
    "strategic-merge-bad",
];

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// As much of a server as the cases need.
struct Server {
    schemas: Schemas,
    objects: BTreeMap<String, Node>,
    clock: i64,
}

impl Server {
    fn answer(&mut self, step: &Value) -> (u16, Value) {
        self.clock += 1;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (method, full) = (text(&step["method"]), text(&step["path"]));
        let query = |name: &str| text(&step["query"][name]);
        let body = Node::from(step["body"].clone());
        let (path, subresource) = match full.strip_suffix("/status") {
            Some(path) => (path.to_owned(), "status"),
            None => (full, ""),
        };
        let manager = match query("fieldManager").as_str() {
            "" => "unknown".to_owned(),
            name => name.to_owned(),
        };
        let custom = path.contains("/things");
        let reset: &[&[&str]] = match (custom, subresource) {
            (true, "status") => &[&["spec"]],
            (true, _) if !path.contains("nostatus") => &[&["status"]],
            _ => &[],
        };
        if method == "POST" {
            let path = format!("{path}/{}", body.str_at(&["metadata", "name"]).unwrap_or_default());
            if body.str_at(&["kind"]) == Some("CustomResourceDefinition") {
                self.schemas.add_crd(&body).expect("a definition");
                return (201, json!({}));
            }
            let ty = self.schemas.kind(
                body.str_at(&["apiVersion"]).unwrap_or_default(),
                body.str_at(&["kind"]).unwrap_or_default(),
            );
            let options =
                UpdateOptions { manager: &manager, subresource, time: time(self.clock), reset };
            let object = update(None, body, options, ty);
            self.objects.insert(path, object.clone());
            return (201, Value::from(&object));
        }
        let live = self.objects.get(&path).cloned();
        if method == "GET" {
            return live.map_or((404, json!({})), |live| (200, Value::from(&live)));
        }
        let kind = |node: &Node| {
            let text = |key| node.str_at(&[key]).unwrap_or_default();
            self.schemas.kind(text("apiVersion"), text("kind"))
        };
        let content = text(&step["headers"]["Content-Type"]);
        let result = if content.ends_with("apply-patch+yaml") {
            let options = ApplyOptions {
                manager: &manager,
                force: query("force") == "true",
                subresource,
                time: time(self.clock),
                reset,
            };
            apply(live.as_ref(), &body, options, kind(&body)).map_err(|error| match &error {
                ApplyError::ManagedFields => (400, json!({"message": error.to_string()})),
                ApplyError::Untyped { .. } => (500, json!({"message": error.to_string()})),
                ApplyError::Conflicts(conflicts) => {
                    let causes: Vec<Value> = conflicts
                        .iter()
                        .map(|conflict| {
                            json!({
                                "reason": "FieldManagerConflict",
                                "message": format!("conflict with {}", conflict.manager),
                                "field": conflict.field,
                            })
                        })
                        .collect();
                    let details = json!({"causes": causes});
                    (409, json!({"message": error.to_string(), "details": details}))
                }
            })
        } else {
            let Some(before) = &live else { return (404, json!({})) };
            let mut after = before.clone();
            let patched = match content.as_str() {
                "application/json-patch+json" => json6902::apply(&mut after, &body),
                "application/merge-patch+json" => {
                    merge::apply(&mut after, &body);
                    Ok(())
                }
                _ => crate::object::patch::strategic::apply(&mut after, &body, kind(before)),
            };
            let options =
                UpdateOptions { manager: &manager, subresource, time: time(self.clock), reset };
            patched.map(|()| update(Some(before), after, options, kind(before))).map_err(|error| {
                let message = "the server rejected our request due to an error in our request";
                assert!(!error.to_string().is_empty());
                (422, json!({"message": message, "details": {}}))
            })
        };
        match result {
            Err((status, body)) => (status, body),
            Ok(mut object) => {
                Self::default_protocol(&mut object);
                if query("dryRun").is_empty() {
                    self.objects.insert(path, object.clone());
                }
                (if live.is_some() { 200 } else { 201 }, Value::from(&object))
            }
        }
    }

    /// What the one default in the cases' schemas fills in.
    fn default_protocol(object: &mut Node) {
        let ports = object.at_mut(&["spec", "ports"]).and_then(Node::as_list_mut);
        for port in ports.into_iter().flatten() {
            if port.get("protocol").is_none() {
                port.set("protocol", "TCP");
            }
        }
    }
}

/// Without what only a server sets, and without times.
fn comparable(body: &Value, with_owners: bool) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "namespace"] {
            metadata.remove(key);
        }
        if !with_owners {
            metadata.remove("managedFields");
        }
    }
    if let Some(list) = body.pointer_mut("/metadata/managedFields") {
        *list = owners(list);
    }
    body
}

fn owners(list: &Value) -> Value {
    let mut list = list.as_array().cloned().unwrap_or_default();
    for entry in &mut list {
        entry.as_object_mut().unwrap().remove("time");
    }
    list.sort_by_key(|entry| Node::from(entry.clone()).str_at(&["manager"]).map(str::to_owned));
    list.into()
}

fn step_fault(step: &Value, status: u16, body: &Value, with_owners: bool) -> Option<String> {
    let expect = &step["expect"];
    if expect["status"] != status {
        return Some(format!("status {status} for {}: {body}", expect["status"]));
    }
    if status >= 400 {
        let wanted =
            expect["body"]["message"].as_str().or(expect["bodySubset"]["/message"].as_str());
        if let Some(wanted) = wanted.filter(|_| status != 404)
            && body["message"] != wanted
        {
            return Some(format!("message {} for {wanted}", body["message"]));
        }
        let causes = &expect["body"]["details"]["causes"];
        if !causes.is_null() && body["details"]["causes"] != *causes {
            return Some(format!("causes {} for {causes}", body["details"]["causes"]));
        }
        return None;
    }
    if expect["body"].is_object() {
        let (found, wanted) =
            (comparable(body, with_owners), comparable(&expect["body"], with_owners));
        return (found != wanted && body["kind"] != "Namespace")
            .then(|| format!("\n   found {found}\n  wanted {wanted}"));
    }
    for (pointer, wanted) in expect["bodySubset"].as_object().into_iter().flatten() {
        let found = body.pointer(pointer).cloned().unwrap_or(json!("$absent"));
        let is_owners = pointer == "/metadata/managedFields" && wanted.is_array();
        let same = if is_owners { owners(&found) == owners(wanted) } else { found == *wanted };
        if !same {
            return Some(format!("{pointer}\n   found {found}\n  wanted {wanted}"));
        }
    }
    None
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn recorded_cases_are_answered_as_an_api_server_does() {
    let Some(shared) = std::env::var_os("WHARF_SHARED") else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_SHARED is not set");
        eprintln!("skipped: WHARF_SHARED does not name the recorded cases");
        return;
    };
    let mut faults = Vec::new();
    let mut steps = 0;
    for area in ["apply", "patch"] {
        let path = std::path::Path::new(&shared).join(format!("conformance/api/cases/{area}.json"));
        let text = std::fs::read_to_string(path).expect("the recorded cases");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("cases in JSON");
        for case in cases {
            let name = case["name"].as_str().unwrap_or_default();
            if NOT_HERE.contains(&name) {
                continue;
            }
            let mut server =
                Server { schemas: Schemas::latest(), objects: BTreeMap::new(), clock: 0 };
            let with_owners = case["managedFields"] == true;
            for (at, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
                let discovery = step["method"] == "GET"
                    && !step["path"].as_str().unwrap_or_default().ends_with(['a', 't', 'r']);
                if discovery || !step["until"].is_null() {
                    continue;
                }
                steps += 1;
                let (status, body) = server.answer(step);
                if let Some(fault) = step_fault(step, status, &body, with_owners) {
                    faults.push(format!("{area}/{name} step {at}: {fault}"));
                }
            }
        }
    }
    assert!(steps > 50, "only {steps} steps were replayed");
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}

fn options(manager: &str, seconds: i64) -> ApplyOptions<'_> {
    ApplyOptions { manager, force: false, subresource: "", time: time(seconds), reset: &[] }
}

fn deployment(image: &str, ports: &[i64]) -> Node {
    let ports: Vec<Value> = ports.iter().map(|port| json!({"containerPort": port})).collect();
    Node::from(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "app", "image": image, "ports": ports, "args": ["a", "b"]},
        ]}}},
    }))
}

#[test]
fn conflicts_name_every_owner_and_field() {
    let schemas = Schemas::latest();
    let ty = schemas.kind("apps/v1", "Deployment");
    let live = apply(None, &deployment("one", &[80]), options("one", 1), ty).unwrap();
    let writer = UpdateOptions { manager: "writer", subresource: "", time: time(2), reset: &[] };
    let mut after = live.clone();
    after.set_at(&["spec", "replicas"], 3);
    let live = update(Some(&live), after, writer, ty);
    let mut config = deployment("two", &[80]);
    config.set_at(&["spec", "replicas"], 4);
    let error = apply(Some(&live), &config, options("two", 3), ty).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"one\":\n\
         - .spec.template.spec.containers[name=\"app\"].image\n\
         conflicts with \"writer\" using apps/v1:\n- .spec.replicas"
    );
}

#[test]
fn what_does_not_fit_the_schema_is_named_with_its_path() {
    let schemas = Schemas::latest();
    let ty = schemas.kind("apps/v1", "Deployment");
    let mut config = deployment("one", &[80, 80]);
    config.set_at(&["spec", "replica"], 3);
    let error = apply(None, &config, options("one", 1), ty).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.replica: \
         field not declared in schema"
    );
    config.remove_at(&["spec", "replica"]);
    let error = apply(None, &config, options("one", 1), ty).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): \
         .spec.template.spec.containers[name=\"app\"].ports: duplicate entries for key \
         [containerPort=80,protocol=\"TCP\"]"
    );
}

#[test]
fn keys_take_their_defaults_and_dropped_items_go() {
    let schemas = Schemas::latest();
    let ty = schemas.kind("apps/v1", "Deployment");
    let live = apply(None, &deployment("one", &[80, 81]), options("one", 1), ty).unwrap();
    let owned = live.items_at(&["metadata", "managedFields"])[0]
        .at(&["fieldsV1", "f:spec", "f:template", "f:spec", "f:containers"])
        .and_then(|node| node.get("k:{\"name\":\"app\"}")?.get("f:ports"))
        .map(Value::from);
    assert_eq!(
        owned,
        Some(json!({
            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
            "k:{\"containerPort\":81,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
        }))
    );
    let live = apply(Some(&live), &deployment("one", &[81]), options("one", 2), ty).unwrap();
    let container = &live.items_at(&["spec", "template", "spec", "containers"])[0];
    assert_eq!(Value::from(container.get("ports").unwrap()), json!([{"containerPort": 81}]));
}

#[test]
fn created_objects_own_what_go_does_not_always_write() {
    let schemas = Schemas::latest();
    let ty = schemas.kind("apps/v1", "Deployment");
    let writer = UpdateOptions { manager: "w", subresource: "", time: time(1), reset: &[] };
    let live = update(None, deployment("one", &[80]), writer, ty);
    let fields = live.items_at(&["metadata", "managedFields"])[0].get("fieldsV1").map(Value::from);
    assert_eq!(
        fields,
        Some(json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"app\"}": {
                ".": {},
                "f:args": {},
                "f:image": {},
                "f:name": {},
                "f:ports": {
                    ".": {},
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                },
            },
        }}}}}))
    );
}

#[test]
fn old_updaters_are_put_together() {
    let mut live = Node::from(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {}}));
    live.set_at(&["metadata", "name"], "a");
    let schemas = Schemas::latest();
    let ty = schemas.kind("v1", "ConfigMap");
    for n in 0..14 {
        let manager = format!("m{n}");
        let options =
            UpdateOptions { manager: &manager, subresource: "", time: time(n), reset: &[] };
        let mut after = live.clone();
        after.set_at(&["data", &format!("k{n}")], "v");
        live = update((n > 0).then_some(&live), after, options, ty);
    }
    let names: Vec<&str> = live
        .items_at(&["metadata", "managedFields"])
        .iter()
        .filter_map(|entry| entry.str_at(&["manager"]))
        .collect();
    assert_eq!(
        names,
        ["ancient-changes", "m5", "m6", "m7", "m8", "m9", "m10", "m11", "m12", "m13"]
    );
}

/// Configurations of a custom kind without a schema.
fn any_config() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    value.prop_map(|spec| {
        json!({"apiVersion": "x.test/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec})
    })
}

proptest! {
    #[test]
    fn applying_the_same_again_changes_nothing(a in any_config(), b in any_config()) {
        let (a, b) = (Node::from(a), Node::from(b));
        let first = apply(None, &a, options("one", 1), None).unwrap();
        prop_assert_eq!(&apply(Some(&first), &a, options("one", 9), None).unwrap(), &first);
        let forced = ApplyOptions { force: true, ..options("two", 2) };
        let second = apply(Some(&first), &b, forced, None).unwrap();
        let again = ApplyOptions { force: true, ..options("two", 9) };
        prop_assert_eq!(&apply(Some(&second), &b, again, None).unwrap(), &second);
    }

    #[test]
    fn the_only_owner_leaves_nothing_behind(a in any_config(), b in any_config()) {
        let (a, b) = (Node::from(a), Node::from(b));
        let first = apply(None, &a, options("one", 1), None).unwrap();
        let mut second = apply(Some(&first), &b, options("one", 2), None).unwrap();
        let mut fresh = apply(None, &b, options("one", 2), None).unwrap();
        second.remove_at(&["metadata", "managedFields"]);
        fresh.remove_at(&["metadata", "managedFields"]);
        prop_assert_eq!(second, fresh);
    }

    #[test]
    fn owners_stay_readable_through_updates(a in any_config(), b in any_config()) {
        let (a, b) = (Node::from(a), Node::from(b));
        let writer = UpdateOptions { manager: "w", subresource: "", time: time(1), reset: &[] };
        let first = update(None, a, writer, None);
        let second = update(Some(&first), b, writer, None);
        for entry in second.items_at(&["metadata", "managedFields"]) {
            prop_assert!(FieldSet::from_fields_v1(entry.get("fieldsV1").unwrap()).is_some());
        }
    }
}
