//! Objects through kubectl: created, applied, listed, kept when the agent is killed.

use super::{Agent, has};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: example.com/web:1
        ports:
        - containerPort: 80
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
  selector: {app: web}
  ports:
  - port: 80
";

#[test]
fn a_deployment_and_a_service_are_applied_without_a_second_change() {
    if !has("kubectl") {
        return;
    }
    let agent = Agent::start();
    let path = agent.folder.path().join("web.yaml");
    std::fs::write(&path, DEPLOYMENT).expect("writes");
    let file = path.to_str().expect("a plain path");
    let apply = ["apply", "--server-side", "-f", file];
    let (out, err, ok) = agent.kubectl(&apply);
    assert!(ok, "{err}");
    assert_eq!(out, "deployment.apps/web serverside-applied\nservice/web serverside-applied\n");
    let (version, ..) =
        agent.kubectl(&["get", "svc", "web", "-o", "jsonpath={.metadata.resourceVersion}"]);
    agent.kubectl(&apply);
    let (again, ..) =
        agent.kubectl(&["get", "svc", "web", "-o", "jsonpath={.metadata.resourceVersion}"]);
    assert_eq!(version, again, "applying the same again changes nothing");
    let (diff, _, same) = agent.kubectl(&["diff", "--server-side", "-f", file]);
    assert!(same, "{diff}");
    let (ip, ..) = agent.kubectl(&["get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    assert!(ip.starts_with("10.96."), "{ip}");
    let (scaled, err, ok) = agent.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    assert!(ok, "{err}");
    assert_eq!(scaled, "deployment.apps/web scaled\n");
}

#[test]
fn what_was_answered_survives_a_kill() {
    if !has("kubectl") {
        return;
    }
    let mut agent = Agent::start();
    let text: Vec<String> = (0..50)
        .map(|n| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{n}}}\ndata: {{k: v{n}}}\n"
            )
        })
        .collect();
    let path = agent.folder.path().join("maps.yaml");
    std::fs::write(&path, text.join("---\n")).expect("writes");
    let (_, err, ok) = agent.kubectl(&["create", "-f", path.to_str().expect("a plain path")]);
    assert!(ok, "{err}");
    agent.kill_and_restart();
    let (names, err, ok) = agent.kubectl(&["get", "cm", "-o", "name"]);
    assert!(ok, "{err}");
    let own = names.lines().filter(|name| name.starts_with("configmap/m"));
    assert_eq!(own.count(), 50);
}

#[test]
fn strangers_are_not_let_in() {
    if !has("kubectl") {
        return;
    }
    let agent = Agent::start();
    let (_, err, ok) = agent.kubectl(&["get", "ns", "--token", "wrong"]);
    assert!(!ok && err.contains("You must be logged in to the server"), "{err}");
}
