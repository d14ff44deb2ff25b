//! A day with an unmodified kubectl: what a person types, and what they expect to read.

use super::support::Host;
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs kubectl, which must succeed and say all of this.
fn says(host: &Host, command: &str, expected: &[&str]) -> String {
    let args: Vec<&str> = command.split(' ').collect();
    let (out, error, fine) = host.try_kubectl(&args);
    assert!(fine, "kubectl {command}: {error}");
    for part in expected {
        assert!(out.contains(part), "kubectl {command} does not say {part:?}:\n{out}{error}");
    }
    out
}

/// Runs kubectl, which must fail and say this.
fn refuses(host: &Host, command: &str, expected: &str) {
    let args: Vec<&str> = command.split(' ').collect();
    let (out, error, fine) = host.try_kubectl(&args);
    assert!(!fine && error.contains(expected), "kubectl {command}: {out}{error}");
}

fn shop(host: &Host) -> serde_json::Value {
    let file = |path: &str, name: &str| json!({"name": name, "mountPath": path});
    let tool = json!({"name": "tool", "hostPath": {"path": "/bin/busybox", "type": "File"}});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "terminationGracePeriodSeconds": 1,
                "volumes": [tool],
                "containers": [{
                    "name": "web", "image": host.image("1"), "args": ["http"],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
                    "volumeMounts": [file("/busybox", "tool"), file("/bin/tar", "tool")],
                }],
            }},
        }},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
            "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"colour": "red"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
            "stringData": {"token": "hunter2"}},
    ]})
}

#[test]
fn a_day_with_kubectl() {
    let Some(host) = Host::start() else { return };
    let shop = shop(&host).to_string();
    let apply = ["apply", "--server-side", "-f", "-"];
    let (out, error, fine) = host.kubectl_with(&apply, &shop);
    assert!(fine, "{error}");
    assert_eq!(
        out,
        "deployment.apps/web serverside-applied\nservice/web serverside-applied\n\
         configmap/settings serverside-applied\nsecret/key serverside-applied\n"
    );
    says(&host, "rollout status deploy/web --timeout=60s", &["successfully rolled out"]);

    look(&host);
    roll(&host);
    mark(&host);
    reach_in(&host);
    refuse(&host);

    let gone = "delete deploy,svc,cm,secret --all --cascade=foreground --timeout=60s";
    says(&host, gone, &["deployment.apps \"web\" deleted", "secret \"key\" deleted"]);
    says(&host, "wait --for=delete pod -l app=web --timeout=30s", &[]);
}

/// Reading: tables, fields, descriptions, the schema.
fn look(host: &Host) {
    says(host, "get deploy web", &["NAME   READY   UP-TO-DATE   AVAILABLE", "web    2/2     2"]);
    says(host, "get deploy web -o wide", &["CONTAINERS", "IMAGES", "SELECTOR", "app=web"]);
    says(host, "get pods -l app=web -o wide", &["IP", "NODE", "Running", "here"]);
    says(host, "get all", &["pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/"]);
    says(host, "get svc web -o yaml", &["kind: Service", "targetPort: http", "clusterIP: 10."]);
    let path = "get cm settings -o jsonpath={.data.colour}";
    assert_eq!(says(host, path, &[]), "red");
    says(host, "get cm settings -o custom-columns=N:.metadata.name", &["N\nsettings"]);
    says(host, "get ns,node", &["namespace/default", "Active", "node/here", "Ready"]);
    for (what, expected) in [
        (
            "deploy web",
            &["2 desired | 2 updated | 2 total | 2 available", "NewReplicaSet:", "Scaled up"][..],
        ),
        ("rs", &["Controlled By:  Deployment/web", "2 Running"]),
        (
            "pod -l app=web",
            &[
                "Controlled By:  ReplicaSet/web-",
                "Readiness:",
                "Burstable",
                "Started container web",
            ],
        ),
        ("svc web", &["TargetPort:", "http/TCP", "10."]),
        ("cm settings", &["colour:\n----\nred"]),
        ("secret key", &["token:  7 bytes"]),
        ("ns default", &["Status:       Active"]),
        (
            "node here",
            &[
                "KubeletReady",
                "Non-terminated Pods:",
                "web-",
                "HolderIdentity:  here",
                "RenewTime:",
            ],
        ),
        ("sa default", &["Name:                default"]),
    ] {
        says(host, &format!("describe {what}"), expected);
    }
    assert!(!says(host, "describe secret key", &[]).contains("hunter2"), "a secret is not shown");
    says(
        host,
        "explain pod.spec.containers.image",
        &["FIELD: image <string>", "Container image name"],
    );
    says(host, "api-resources", &["deployments", "apps/v1", "customresourcedefinitions"]);
    says(host, "api-versions", &["apps/v1", "v1"]);
    says(host, "version", &["Server Version: v1."]);
    assert_eq!(says(host, "auth can-i create pods", &[]), "yes\n");
    says(host, "auth whoami", &["Username", "wharf-admin"]);
}

/// Changing a Deployment, and going back.
fn roll(host: &Host) {
    let done = "rollout status deploy/web --timeout=60s";
    says(host, "annotate deploy web kubernetes.io/change-cause=first", &["annotated"]);
    says(host, &format!("set image deploy/web web={}", host.image("2")), &["image updated"]);
    says(host, done, &["successfully rolled out"]);
    says(host, "annotate --overwrite deploy web kubernetes.io/change-cause=second", &["annotated"]);
    host.until("each revision has its cause", || {
        let history = says(host, "rollout history deploy/web", &["REVISION  CHANGE-CAUSE"]);
        history.contains("1         first") && history.contains("2         second")
    });
    says(host, "rollout history deploy/web --revision=1", &[&host.image("1")]);
    says(host, "rollout undo deploy/web", &["rolled back"]);
    says(host, done, &["successfully rolled out"]);
    let image = "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}";
    assert_eq!(says(host, image, &[]), host.image("1"));
    says(host, "rollout restart deploy/web", &["restarted"]);
    says(host, done, &["successfully rolled out"]);
    says(host, "scale deploy web --replicas=3", &["scaled"]);
    says(host, "wait --for=jsonpath={.status.readyReplicas}=3 deploy/web --timeout=60s", &["met"]);
    says(host, "scale deploy web --current-replicas=3 --replicas=1", &["scaled"]);
    says(host, "wait --for=condition=Available deploy/web --timeout=60s", &["condition met"]);
    host.until("one pod is left", || host.pods("app=web").len() == 1);
}

/// Labels, annotations, an editor.
fn mark(host: &Host) {
    says(host, "label pod -l app=web tier=front", &["labeled"]);
    says(host, "get pods -L tier", &["TIER", "front"]);
    says(host, "label pod -l app=web tier-", &["unlabeled"]);
    says(host, "annotate svc web note=x", &["annotated"]);
    let edited = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(host.kubeconfig())
        .args(["edit", "cm", "settings"])
        .env("KUBE_EDITOR", "sed -i s/red/blue/")
        .env("HOME", host.folder())
        .output()
        .expect("kubectl starts");
    assert_eq!(String::from_utf8_lossy(&edited.stdout), "configmap/settings edited\n");
    assert_eq!(says(host, "get cm settings -o jsonpath={.data.colour}", &[]), "blue");
    let (out, ..) = host.try_kubectl(&["cordon", "here"]);
    assert_eq!(out, "node/here cordoned\n");
    says(host, "get node here", &["SchedulingDisabled"]);
    says(host, "uncordon here", &["uncordoned"]);
}

/// Logs, commands, files.
fn reach_in(host: &Host) {
    let pod = host.pods("app=web")[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    says(host, "exec deploy/web -- /busybox echo ahoi", &["ahoi"]);
    says(host, "logs deploy/web --tail=5 --timestamps", &[]);
    let local = host.folder().join("local.txt");
    std::fs::write(&local, "some data\n").expect("the folder is there");
    let (local, back) = (local.display().to_string(), host.folder().join("back.txt"));
    says(host, &format!("cp {local} {pod}:/there.txt"), &[]);
    says(host, &format!("exec {pod} -- /busybox cat /there.txt"), &["some data"]);
    says(host, &format!("cp {pod}:/there.txt {}", back.display()), &[]);
    assert_eq!(std::fs::read_to_string(&back).expect("it was copied"), "some data\n");

    let mut following = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(host.kubeconfig())
        .args(["logs", "-f", &pod])
        .stdout(Stdio::null())
        .spawn()
        .expect("kubectl starts");
    std::thread::sleep(Duration::from_millis(500));
    assert!(following.try_wait().expect("it is a child").is_none(), "it follows");
    following.kill().expect("it runs");
    following.wait().expect("it is a child");
}

/// What is not there is refused in words that help.
fn refuse(host: &Host) {
    refuses(host, "top pods", "Metrics API not available");
    refuses(host, "get pod none", "pods \"none\" not found");
    refuses(host, "logs none", "pods \"none\" not found");
    refuses(host, "get nonsense", "the server doesn't have a resource type \"nonsense\"");
    refuses(host, "get pods --field-selector=spec.nonsense=1", "field label not supported");
    refuses(host, "label pod -l app=web bad/key/x=1", "");
    refuses(host, "delete ns default", "this namespace may not be deleted");
    refuses(host, "rollout undo deploy/web --to-revision=99", "unable to find specified revision");
}
