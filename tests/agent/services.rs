//! Services: who stands behind an address, names, and updates without a lost request.

use super::support::{Host, http};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn deployment(host: &Host, tag: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "web", "image": host.image(tag), "args": ["http"],
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
                }]},
            },
        },
    })
}

fn service(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

/// A Deployment of two pods behind a Service; its address and node port.
fn serve(host: &Host) -> (String, u16) {
    host.apply(&deployment(host, "1"));
    host.apply(&service(
        "web",
        &json!({
        "type": "NodePort", "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}),
    ));
    host.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let service = host.get("service/web");
    let address = service["spec"]["clusterIP"].as_str().expect("an address").to_owned();
    let port = service["spec"]["ports"][0]["nodePort"].as_u64().expect("a node port");
    (address, u16::try_from(port).expect("a port"))
}

#[test]
fn an_address_leads_to_all_ready_pods() {
    let Some(host) = Host::start() else { return };
    let (address, port) = serve(&host);
    let mut answers = BTreeSet::new();
    host.until("both pods have answered", || {
        answers.insert(http(&address, 80, "/").expect("an answer"));
        answers.len() == 2
    });
    http("127.0.0.1", port, "/").expect("an answer at the node port");
    by_hand(&host);
    host.kubectl(&["scale", "deployment/web", "--replicas=0"]);
    host.until("nobody answers", || http(&address, 80, "/").is_err());
}

/// Services without a selector lead where a slice, or Endpoints, say.
fn by_hand(host: &Host) {
    let pod = &host.pods("app=web")[0];
    let ip = pod["status"]["podIP"].as_str().expect("it runs");
    let greeting = format!("hello from {}", pod["metadata"]["name"].as_str().expect("a name"));
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "sliced"}},
        "ports": [{"name": "", "port": 8080}], "endpoints": [{"addresses": [ip]}],
    });
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "listed"},
        "subsets": [{"addresses": [{"ip": ip}], "ports": [{"port": 8080}]}],
    });
    for (name, written) in [("sliced", slice), ("listed", endpoints)] {
        host.apply(&service(name, &json!({"ports": [{"port": 80}]})));
        host.apply(&written);
        let service = host.get(&format!("service/{name}"));
        let address = service["spec"]["clusterIP"].as_str().expect("an address");
        host.until(&format!("{name} answers"), || {
            http(address, 80, "/").is_ok_and(|page| page.starts_with(&greeting))
        });
        host.kubectl(&["delete", "endpointslices,endpoints", "x", "listed", "--ignore-not-found"]);
        host.until(&format!("nobody answers for {name}"), || http(address, 80, "/").is_err());
    }
}

#[test]
fn a_rolling_update_loses_no_request() {
    let Some(host) = Host::start() else { return };
    let (address, _) = serve(&host);
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (address, stop, count) = (address.clone(), Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = http(&address, 80, "/") {
                        failed.push(error);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                failed
            })
        })
        .collect();
    let before: BTreeSet<String> = names(&host);
    host.apply(&deployment(&host, "2"));
    host.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    host.until("the former pods are gone", || {
        let now = names(&host);
        now.len() == 2 && now.is_disjoint(&before)
    });
    stop.store(true, Ordering::Relaxed);
    let failed: Vec<String> =
        clients.into_iter().flat_map(|client| client.join().expect("it ends")).collect();
    let asked = count.load(Ordering::Relaxed);
    assert!(failed.is_empty(), "{} of {asked} requests failed: {:?}", failed.len(), failed.first());
    assert!(asked > 50, "only {asked} requests were made");
}

fn names(host: &Host) -> BTreeSet<String> {
    let pods = host.pods("app=web");
    pods.iter().map(|pod| pod["metadata"]["name"].to_string()).collect()
}

#[test]
fn pods_find_each_other_by_name() {
    let Some(host) = Host::start() else { return };
    serve(&host);
    host.apply(&service(
        "all",
        &json!({
        "clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 8080}]}),
    ));
    host.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"},
        "spec": {"containers": [{
            "name": "web", "image": host.image("1"),
            "args": ["http", "--upstream", "http://web/", "--upstream", "http://web.default.svc.cluster.local/",
                "--upstream", "http://all:8080/", "--upstream", "http://absent.default.svc.cluster.local/"],
        }]},
    }));
    let client = host.ready("client");
    let address = client["status"]["podIP"].as_str().expect("an address");
    let page = http(address, 8080, "/").expect("an answer");
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(lines[0], "hello from client");
    for line in &lines[1..4] {
        assert!(line.contains(": hello from web-"), "{page}");
    }
    assert!(lines[4].contains("local/: error"), "{page}");
}
