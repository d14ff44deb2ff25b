//! Into a running pod with an unmodified kubectl: commands, their input and exit code, ports,
//! eviction.

use super::support::{Host, http};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn commands_and_ports_reach_into_a_pod() {
    let Some(host) = Host::start() else { return };
    host.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {
        "containers": [{
            "name": "web", "image": host.image("1"), "args": ["http"],
            "volumeMounts": [{"name": "busybox", "mountPath": "/busybox"}],
        }],
        "volumes": [{"name": "busybox", "hostPath": {"path": "/bin/busybox", "type": "File"}}],
    }}));
    host.ready("web");
    let out = host.kubectl(&["exec", "web", "--", "/busybox", "echo", "ahoi"]);
    assert_eq!(out, "ahoi\n");
    let script = "echo out; echo err >&2; exit 7";
    let (out, err, ok) = host.try_kubectl(&["exec", "web", "--", "/busybox", "sh", "-c", script]);
    assert_eq!((out.as_str(), ok), ("out\n", false));
    assert_eq!(err, "err\ncommand terminated with exit code 7\n");
    let text = "line\n".repeat(50_000);
    let (out, err, ok) =
        host.kubectl_with(&["exec", "-i", "web", "--", "/busybox", "wc", "-c"], &text);
    assert!(ok, "{err}");
    assert_eq!(out.trim(), "250000");
    let (_, err, ok) = host.try_kubectl(&["exec", "web", "--", "/nothing"]);
    assert!(!ok && err.contains("/nothing"), "{err}");

    let mut forward = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(host.kubeconfig())
        .args(["port-forward", "pod/web", ":8080"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl starts");
    let mut line = String::new();
    let mut said = BufReader::new(forward.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("kubectl says where it listens");
    let port =
        line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next());
    let port: u16 = port.and_then(|port| port.parse().ok()).expect("a port");
    for _ in 0..3 {
        assert!(http("127.0.0.1", port, "/").is_ok(), "{line}");
    }
    forward.kill().expect("it runs");
    forward.wait().expect("it is a child");

    let eviction = r#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}"#;
    let path = "/api/v1/namespaces/default/pods/web/eviction";
    let (_, err, ok) = host.kubectl_with(&["create", "--raw", path, "-f", "-"], eviction);
    assert!(ok, "{err}");
    host.until("the evicted pod has gone", || !host.try_kubectl(&["get", "pod", "web"]).2);
}
