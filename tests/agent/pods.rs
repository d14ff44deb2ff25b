//! One pod: it runs and answers, its files follow their source, probes, crashes, its end.

use super::support::{Host, condition, http};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

fn ip(pod: &Value) -> &str {
    pod["status"]["podIP"].as_str().unwrap_or_default()
}

#[test]
fn a_pod_runs_answers_and_goes() {
    let Some(host) = Host::start() else { return };
    host.apply(&pod(
        "web",
        &json!({"containers": [{
            "name": "web", "image": host.image("1"), "args": ["http", "--message-env", "GREETING"],
            "env": [
                {"name": "GREETING", "value": "ahoi from $(NAME)"},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
            "securityContext": {"runAsUser": 1234, "readOnlyRootFilesystem": true},
        }]}),
    ));
    let running = host.ready("web");
    assert_eq!(running["spec"]["nodeName"], "here");
    assert_eq!(running["status"]["phase"], "Running");
    assert_eq!(running["status"]["qosClass"], "Guaranteed");
    // a variable that is defined later is not known yet
    assert_eq!(http(ip(&running), 8080, "/").unwrap(), "ahoi from $(NAME) from web\n");
    assert_eq!(http(ip(&running), 8080, "/env/FROM_IMAGE").unwrap(), "yes\n");
    host.until("its log is there", || host.kubectl(&["logs", "web"]) == "listening on port 8080\n");
    host.until("its events are told", || {
        let told = host.reasons("web");
        ["Scheduled", "Pulling", "Pulled", "Created", "Started"]
            .iter()
            .all(|reason| told.contains(&(*reason).to_owned()))
    });
    host.kubectl(&["delete", "pod", "web"]);
    assert!(http(ip(&running), 8080, "/").is_err(), "it answers though it is gone");
}

#[test]
fn files_follow_their_config_map_all_at_once() {
    let Some(host) = Host::start() else { return };
    let config = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
            "data": {"a": text, "b": text}})
    };
    host.apply(&config("one"));
    host.apply(&pod(
        "reader",
        &json!({
            "containers": [{
                "name": "web", "image": host.image("1"), "args": ["http"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": "config"}}],
        }),
    ));
    let reader = host.ready("reader");
    let read = |name: &str| http(ip(&reader), 8080, &format!("/file?path=/etc/config/{name}"));
    assert_eq!(read("a").unwrap(), "one");
    host.apply(&config("two"));
    host.until("the new text is there", || read("a").unwrap() == "two");
    assert_eq!(read("b").unwrap(), "two");
}

#[test]
fn a_pod_sees_its_own_labels_change() {
    let Some(host) = Host::start() else { return };
    let mut labelled = pod(
        "seer",
        &json!({
            "containers": [{
                "name": "web", "image": host.image("1"), "args": ["http"],
                "volumeMounts": [{"name": "own", "mountPath": "/own"}],
            }],
            "volumes": [{"name": "own", "downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}],
        }),
    );
    labelled["metadata"]["labels"] = json!({"a": "1"});
    host.apply(&labelled);
    let seer = host.ready("seer");
    let read = || http(ip(&seer), 8080, "/file?path=/own/labels").expect("an answer");
    assert_eq!(read(), "a=\"1\"");
    host.kubectl(&["label", "pod", "seer", "b=2"]);
    host.until("the new label is there", || read() == "a=\"1\"\nb=\"2\"");
}

#[test]
fn a_pod_waits_for_what_it_refers_to() {
    let Some(host) = Host::start() else { return };
    host.apply(&pod(
        "waits",
        &json!({"containers": [{
            "name": "web", "image": host.image("1"), "args": ["http"],
            "envFrom": [{"secretRef": {"name": "later"}}],
        }]}),
    ));
    host.until("it says what is missing", || {
        let waiting = &host.get("pod/waits")["status"]["containerStatuses"][0]["state"]["waiting"];
        waiting["reason"] == "CreateContainerConfigError"
            && waiting["message"] == "secret \"later\" not found"
    });
    host.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "later"},
        "stringData": {"WORD": "now"}}));
    let running = host.ready("waits");
    assert_eq!(http(ip(&running), 8080, "/env/WORD").unwrap(), "now\n");
}

#[test]
fn probes_decide_who_serves_and_who_lives() {
    let Some(host) = Host::start() else { return };
    let get = |path: &str| json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1});
    let mut fails = get("/nothing");
    fails["failureThreshold"] = 1.into();
    host.apply(&pod(
        "dies",
        &json!({"terminationGracePeriodSeconds": 1, "containers": [{
        "name": "web", "image": host.image("1"), "args": ["http"], "livenessProbe": fails}]}),
    ));
    host.apply(&pod(
        "serves-not",
        &json!({"containers": [{
        "name": "web", "image": host.image("1"), "args": ["http"],
        "readinessProbe": get("/nothing"), "livenessProbe": get("/healthz")}]}),
    ));
    host.until("the dead one is started again", || {
        let status = host.get("pod/dies");
        status["status"]["containerStatuses"][0]["restartCount"].as_u64() >= Some(1)
    });
    let reasons = host.reasons("dies");
    assert!(reasons.contains(&"Unhealthy".to_owned()), "{reasons:?}");
    assert!(reasons.contains(&"Killing".to_owned()), "{reasons:?}");
    let unready = host.get("pod/serves-not");
    assert_eq!(unready["status"]["phase"], "Running");
    assert_eq!(unready["status"]["containerStatuses"][0]["restartCount"], 0);
    assert!(!condition(&unready, "Ready"));
}

#[test]
fn what_crashes_is_started_again_with_growing_waits() {
    let Some(host) = Host::start() else { return };
    host.apply(&pod(
        "crashes",
        &json!({"containers": [{
        "name": "main", "image": host.image("1"), "args": ["exit", "--code", "3"]}]}),
    ));
    host.until("it backs off", || {
        let status = &host.get("pod/crashes")["status"]["containerStatuses"][0];
        status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            && status["lastState"]["terminated"]["exitCode"] == 3
            && status["restartCount"].as_u64() >= Some(1)
    });
    host.until("the event tells it", || host.reasons("crashes").contains(&"BackOff".to_owned()));
    host.apply(&pod(
        "once",
        &json!({"restartPolicy": "Never", "containers": [{
        "name": "main", "image": host.image("1"), "args": ["exit", "--code", "3"]}]}),
    ));
    host.until("the other has failed for good", || {
        host.get("pod/once")["status"]["phase"] == "Failed"
    });
    assert_eq!(host.get("pod/once")["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[test]
fn init_containers_come_first_and_sidecars_stay() {
    let Some(host) = Host::start() else { return };
    let main = |args: Value| json!({"name": "main", "image": host.image("1"), "args": args});
    let mut first = main(json!(["exit", "--code", "0", "--after", "300ms"]));
    first["name"] = "first".into();
    let mut side = main(json!(["http", "--port", "9090"]));
    side["name"] = "side".into();
    side["restartPolicy"] = "Always".into();
    host.apply(&pod(
        "ordered",
        &json!({
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 2,
            "initContainers": [first, side],
            "containers": [main(json!(["exit", "--code", "0", "--after", "1s"]))],
        }),
    ));
    host.until("it has done its work", || {
        host.get("pod/ordered")["status"]["phase"] == "Succeeded"
    });
    let time = |node: &Value, key: &str| node["state"]["terminated"][key].to_string();
    host.until("the sidecar has ended too", || {
        let done = host.get("pod/ordered");
        let inits = &done["status"]["initContainerStatuses"];
        let main = &done["status"]["containerStatuses"][0];
        time(&inits[0], "finishedAt") <= time(main, "startedAt")
            && inits[1]["state"]["terminated"].is_object()
    });
}

#[test]
fn a_pod_that_stops_gets_its_hook_its_signal_and_its_time() {
    let Some(host) = Host::start() else { return };
    host.apply(&pod(
        "graceful",
        &json!({"terminationGracePeriodSeconds": 20, "containers": [{
        "name": "web", "image": host.image("1"), "args": ["http"],
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}]}),
    ));
    let running = host.ready("graceful");
    let began = Instant::now();
    host.kubectl(&["delete", "pod", "graceful", "--wait=false"]);
    // the program is told only after the hook
    assert!(http(ip(&running), 8080, "/readyz").is_ok());
    host.kubectl(&["wait", "--for=delete", "pod/graceful", "--timeout=30s"]);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn an_image_that_is_not_there_is_told() {
    let Some(host) = Host::start() else { return };
    let image = host.image("absent");
    host.apply(&pod("nothing", &json!({"containers": [{"name": "main", "image": image}]})));
    host.until("it waits for the image", || {
        let status = &host.get("pod/nothing")["status"]["containerStatuses"][0];
        status["state"]["waiting"]["reason"] == "ImagePullBackOff"
    });
    let (_, error, fine) = host.try_kubectl(&["logs", "nothing"]);
    assert!(!fine && error.contains("trying and failing to pull image"), "{error}");
}

#[test]
fn a_container_is_added_to_a_pod_that_runs_and_counts_for_nothing() {
    let Some(mut host) = Host::start() else { return };
    host.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "main", "image": host.image("1"), "args": ["http"]}]}}));
    host.ready("web");
    let image = format!("--image={}", host.image("2"));
    host.kubectl(&["debug", "web", &image, "--container=look", "--", "/demo", "sleep"]);
    let added = |host: &Host| host.get("pod/web")["status"]["ephemeralContainerStatuses"].clone();
    host.until("it runs", || added(&host)[0]["state"]["running"].is_object());
    let pod = host.get("pod/web");
    assert!(condition(&pod, "Ready"));
    assert_eq!(pod["spec"]["containers"].as_array().map(Vec::len), Some(1));
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(host.kubectl(&["logs", "web", "-c", "look"]), "");

    let path = "/api/v1/namespaces/default/pods/web/ephemeralcontainers";
    let mut without = pod.clone();
    without["spec"]["ephemeralContainers"] = json!([]);
    let file = host.folder().join("without.json");
    std::fs::write(&file, without.to_string()).expect("a file");
    let file = file.to_str().expect("a path of text");
    let (_, error, fine) = host.try_kubectl(&["replace", "--raw", path, "-f", file]);
    assert!(!fine && error.contains("may not be removed"), "{error}");

    let before = added(&host);
    host.kill();
    host.restart();
    host.ready("web");
    assert_eq!(added(&host), before, "it was started again");
    host.kubectl(&["delete", "pod", "web"]);
}
