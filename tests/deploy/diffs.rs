//! What `diff` shows: masked, in every form, and with its exit codes.

use super::{Host, PAIR};
use serde_json::json;

#[test]
fn a_difference_is_shown_and_secrets_are_not() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["diff", "shop.yaml"]).says(
        1,
        "--- /dev/null\n\
         +++ v1 Secret default/login (to create)\n\
         @@ -0,0 +1,7 @@\n\
         +apiVersion: v1\n\
         +data:\n\
         +  password: '***'\n\
         +kind: Secret\n\
         +metadata:\n\
         +  name: login\n\
         +  namespace: default\n\
         --- /dev/null\n\
         +++ v1 ConfigMap default/settings (to create)\n\
         @@ -0,0 +1,8 @@\n\
         +apiVersion: v1\n\
         +data:\n\
         +  colour: red\n\
         +  size: \"3\"\n\
         +kind: ConfigMap\n\
         +metadata:\n\
         +  name: settings\n\
         +  namespace: default\n",
        "2 to create\n",
    );
    host.run(&["apply", "shop.yaml"]).fine();
    host.run(&["diff", "shop.yaml"]).says(0, "", "2 unchanged\n");
    host.write("shop.yaml", &PAIR.replace("red", "blue").replace("hunter2", "swordfish"));
    host.run(&["diff", "shop.yaml"]).says(
        1,
        "--- v1 Secret default/login (live)\n\
         +++ v1 Secret default/login (to update)\n\
         @@ -1,6 +1,6 @@\n apiVersion: v1\n data:\n\
         -  password: '*** (before)'\n\
         +  password: '*** (after)'\n kind: Secret\n metadata:\n   name: login\n\
         --- v1 ConfigMap default/settings (live)\n\
         +++ v1 ConfigMap default/settings (to update)\n\
         @@ -1,6 +1,6 @@\n apiVersion: v1\n data:\n\
         -  colour: red\n\
         +  colour: blue\n   size: \"3\"\n kind: ConfigMap\n metadata:\n",
        "2 to update\n",
    );
    let encoded = ["aHVudGVyMg==", "c3dvcmRmaXNo"];
    for format in ["unified", "json", "markdown", "html"] {
        let run = host.run(&["diff", "shop.yaml", "--format", format]);
        assert_eq!(run.code, Some(1), "{run:?}");
        for secret in ["hunter2", "swordfish"].iter().chain(&encoded) {
            assert!(!run.out.contains(secret) && !run.err.contains(secret), "{format}: {run:?}");
        }
        assert!(run.out.contains("blue") && run.out.contains("password"), "{format}: {run:?}");
    }
}

#[test]
fn programs_and_merge_requests_get_forms_of_their_own() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    let (settings, _) = PAIR.split_once("---\n").expect("two documents");
    host.write("shop.yaml", &settings.replace("red", "blue"));
    let diff = host.run(&["diff", "shop.yaml", "--format", "json", "-q"]);
    assert_eq!(
        diff.json(),
        json!({
            "summary": {"create": 0, "update": 1, "recreate": 0, "delete": 1, "keep": 0,
                "unchanged": 0},
            "changes": [
                {"change": "update", "apiVersion": "v1", "kind": "ConfigMap",
                    "namespace": "default", "name": "settings",
                    "fields": [{"path": "data.colour", "before": "red", "after": "blue"}]},
                {"change": "delete", "apiVersion": "v1", "kind": "Secret",
                    "namespace": "default", "name": "login"},
            ],
        })
    );
    let page = host.run(&["diff", "shop.yaml", "--format", "markdown", "-q"]);
    assert!(
        page.out.starts_with(
            "### wharf: 1 to update, 1 to delete\n\n| change | object | fields |\n|---|---|---|\n\
             | update | `v1 ConfigMap default/settings` | 1 |\n\
             | delete | `v1 Secret default/login` |  |\n"
        ),
        "{page:?}"
    );
    let page = host.run(&["diff", "shop.yaml", "--format", "html", "-q"]);
    assert!(page.out.starts_with("<!doctype html>") && page.out.contains("<ins>"), "{page:?}");
}

#[test]
fn trouble_has_a_code_of_its_own() {
    let host = Host::start();
    host.run(&["diff", "nothing.yaml"]).fails(2, &["wharf::source::not_found"]);
    host.write("bad.yaml", "kind: [");
    host.run(&["diff", "bad.yaml"]).fails(2, &["bad.yaml"]);
    host.write("c.yaml", PAIR);
    host.run(&["diff", "c.yaml", "--target", "nope"]).fails(2, &["there is no target `nope`"]);
}

#[test]
fn what_the_server_fills_in_is_no_difference() {
    let host = Host::start();
    host.write(
        "web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: demo, ports: [{containerPort: 80}]}
      - {name: side, image: demo, env: [{name: A, value: '1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
",
    );
    host.run(&["apply", "web.yaml", "--no-wait"]).fine();
    host.run(&["diff", "web.yaml"]).says(0, "", "2 unchanged\n");
    // containers are matched by name, not by place
    let text = std::fs::read_to_string(host.path("web.yaml")).expect("a file");
    host.write("web.yaml", &text.replace("value: '1'", "value: '2'"));
    let diff = host.run(&["diff", "web.yaml", "--format", "json", "-q"]).json();
    assert_eq!(
        diff["changes"][0]["fields"],
        json!([{"path": "spec.template.spec.containers[name=side].env[name=A].value",
            "before": "1", "after": "2"}])
    );
}
