//! Pods as clients of the API: address, certificate and token, and what roles let them do.

use super::support::Host;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where kubectl is, which is a static program.
fn kubectl() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    found.filter(|file| file.is_file()).find_map(|file| file.canonicalize().ok()).expect("kubectl")
}

/// A pod that runs kubectl with what it finds in its container, and nothing else.
fn asker(name: &str, image: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "kubectl", "image": image,
                "command": ["/kubectl", "get", "pods", "-o", "name", "--cache-dir", "/tmp"],
                "volumeMounts": [{"name": "kubectl", "mountPath": "/kubectl", "readOnly": true}],
            }],
            "volumes": [{"name": "kubectl", "hostPath": {"path": kubectl(), "type": "File"}}],
        },
    });
    for (key, value) in spec.as_object().expect("fields of a spec") {
        pod["spec"][key] = value.clone();
    }
    pod
}

impl Host {
    /// Applies a pod, waits for its end, and gives its log.
    fn said_by(&self, pod: &Value) -> String {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        self.apply(pod);
        self.until("the pod has ended", || {
            let phase = self.get(&format!("pod/{name}"))["status"]["phase"].clone();
            phase == "Succeeded" || phase == "Failed"
        });
        self.kubectl(&["logs", name])
    }
}

#[test]
fn a_pod_asks_the_api_with_its_token() {
    let Some(host) = Host::start() else { return };
    let image = host.image("1");
    let refused = host.said_by(&asker("stranger", &image, &json!({})));
    let why = "User \"system:serviceaccount:default:default\" cannot list resource \"pods\"";
    assert!(refused.contains("(Forbidden)") && refused.contains(why), "{refused}");

    host.kubectl(&["create", "serviceaccount", "reader"]);
    host.kubectl(&["create", "role", "reader", "--verb=list", "--resource=pods"]);
    host.kubectl(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        "--serviceaccount=default:reader",
    ]);
    let account = json!({"serviceAccountName": "reader"});
    assert_eq!(host.said_by(&asker("guest", &image, &account)), "pod/guest\npod/stranger\n");
    // the name of the Service, the address of the host, and the network of the host itself
    let mut on_host = account.clone();
    on_host["hostNetwork"] = json!(true);
    let said = host.said_by(&asker("neighbour", &image, &on_host));
    assert_eq!(said, "pod/guest\npod/neighbour\npod/stranger\n");
    let mut by_name = asker("by-name", &image, &account);
    by_name["spec"]["containers"][0]["env"] =
        json!([{"name": "KUBERNETES_SERVICE_HOST", "value": "kubernetes.default.svc"}]);
    assert!(host.said_by(&by_name).contains("pod/by-name"));

    let mut without = account;
    without["automountServiceAccountToken"] = json!(false);
    let said = host.said_by(&asker("mute", &image, &without));
    assert!(!said.contains("pod/"), "{said}");
}

#[test]
fn a_token_ends_with_its_pod() {
    let Some(host) = Host::start() else { return };
    host.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": host.image("1"), "args": ["http"]}]},
    }));
    host.ready("web");
    let bound = ["--bound-object-kind", "Pod", "--bound-object-name", "web"];
    let token = host.kubectl(&[&["create", "token", "default"][..], &bound].concat());
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token.trim()},
    });
    let authenticated = || {
        let (out, error, fine) =
            host.kubectl_with(&["create", "-f", "-", "-o", "json"], &review.to_string());
        assert!(fine, "{error}");
        let review: Value = serde_json::from_str(&out).expect("kubectl prints JSON");
        review["status"]["authenticated"] == true
    };
    assert!(authenticated());
    host.kubectl(&["delete", "pod", "web", "--now"]);
    assert!(!authenticated());
    let (_, error, fine) =
        host.try_kubectl(&[&["create", "token", "default"][..], &bound].concat());
    assert!(!fine && error.contains("pods \"web\" not found"), "{error}");
}
