//! Controllers over a store in memory, with a node on which every image but `bad` gets ready; a
//! container of `ends` succeeds at once, one of `fails` fails with the code 3.

use super::runner::{Facts, Runner};
use crate::agent::entry::Entry;
use crate::agent::store::{Key, Op, Store, Stored, Watch, metadata};
use crate::base::clock::SystemClock;
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const RESOURCES: [&str; 11] = [
    "namespaces",
    "serviceaccounts",
    "pods",
    "replicasets.apps",
    "deployments.apps",
    "jobs.batch",
    "cronjobs.batch",
    "configmaps",
    "services",
    "endpoints",
    "endpointslices.discovery.k8s.io",
];

pub(super) struct World {
    pub(super) store: Store,
}

impl World {
    pub(super) fn new() -> World {
        let store = Store::in_memory().expect("a store in memory");
        let resources = RESOURCES.iter().map(|name| (*name).into()).collect();
        let clock = Arc::new(SystemClock);
        let facts = Facts { authority: "PEM".to_owned(), volumes: None };
        let entry = Entry::new(store.clone());
        let runner = Runner::new(store.clone(), entry, clock, resources, facts);
        // from before there is any pod, so that it sees them all
        let (_, revision) = store.list(&"pods".into(), None);
        let watch = store.watch(&"pods".into(), None, revision).expect("a fresh watch");
        tokio::spawn(runner.run());
        tokio::spawn(node(store.clone(), watch));
        World { store }
    }

    pub(super) async fn create(&self, resource: &str, object: serde_json::Value) {
        let mut object = Node::from(object);
        metadata::prepare_create(&mut object, Timestamp::now(), true);
        let key = Key::new(resource, "n", meta::name(&object));
        self.store.commit(vec![Op::Create { key, object }]).await.expect("a new object");
    }

    pub(super) async fn change(&self, resource: &str, name: &str, change: impl Fn(&mut Node)) {
        let key = Key::new(resource, "n", name);
        let done = self.store.modify(&key, |object| {
            change(object);
            let generation = object.i64_at(&["metadata", "generation"]).unwrap_or(0);
            object.set_at(&["metadata", "generation"], generation + 1);
            true
        });
        assert!(done.await.expect("a writable store").is_some());
    }

    pub(super) fn list(&self, resource: &str) -> Vec<Arc<Stored>> {
        self.store.list(&resource.into(), Some("n")).0
    }

    pub(super) fn get(&self, resource: &str, name: &str) -> Option<Node> {
        Some(self.store.get(&Key::new(resource, "n", name))?.object.clone())
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) {
        for _ in 0..500 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    fn status(&self, key: &str) -> i64 {
        let deployment = self.get("deployments.apps", "d").unwrap_or_default();
        deployment.i64_at(&["status", key]).unwrap_or(0)
    }

    fn complete(&self, replicas: i64) -> bool {
        let deployment = self.get("deployments.apps", "d").unwrap_or_default();
        deployment.i64_at(&["status", "observedGeneration"])
            == deployment.i64_at(&["metadata", "generation"])
            && ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
                .iter()
                .all(|key| self.status(key) == replicas)
    }
}

/// Marks pods ready unless their image is `bad`, and removes those that are being deleted.
async fn node(store: Store, mut watch: Watch) {
    while let Ok(event) = watch.next().await {
        let stored = &event.object;
        let held = !stored.object.items_at(&["metadata", "finalizers"]).is_empty();
        if metadata::is_deleted(&stored.object) && held {
            let change = |pod: &mut Node| {
                let grace = ["metadata", "deletionGracePeriodSeconds"];
                let left = pod.i64_at(&grace) != Some(0);
                pod.set_at(&grace, 0);
                left
            };
            let _ = store.modify(&stored.key, change).await;
        } else if metadata::is_deleted(&stored.object) {
            let _ = store.commit(vec![Op::Delete { key: stored.key.clone(), expect: None }]).await;
        } else if let Some(status) = next(&stored.object) {
            let change = |pod: &mut Node| {
                pod.set_at(&["spec", "nodeName"], "here");
                pod.set("status", status.clone());
                true
            };
            let _ = store.modify(&stored.key, change).await;
        }
    }
}

/// What becomes of a pod next.
fn next(pod: &Node) -> Option<Node> {
    if pod.str_at(&["status", "phase"]) != Some("Pending") {
        return None;
    }
    let ended = |phase: &str, code: i64| {
        let now = crate::base::clock::rfc3339_seconds(Timestamp::now());
        json!({"phase": phase, "containerStatuses": [
            {"name": "c", "state": {"terminated": {"exitCode": code, "finishedAt": now}}}]})
    };
    let running = json!({"phase": "Running", "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}]});
    match image(pod) {
        Some("bad") => None,
        Some("ends") => Some(ended("Succeeded", 0).into()),
        Some("fails") => Some(ended("Failed", 3).into()),
        _ => Some(running.into()),
    }
}

fn image(pod: &Node) -> Option<&str> {
    pod.items_at(&["spec", "containers"]).first()?.str_at(&["image"])
}

fn deployment(replicas: i64, image: &str) -> serde_json::Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "d"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    })
}

fn set_image(image: &str) -> impl Fn(&mut Node) {
    move |deployment: &mut Node| {
        let path = ["spec", "template", "spec", "containers"];
        let containers = Node::from(json!([{"name": "c", "image": image}]));
        deployment.set_at(&path, containers);
    }
}

#[tokio::test]
async fn a_deployment_rolls_out_back_and_away() {
    let world = World::new();
    world.create("deployments.apps", deployment(3, "one")).await;
    world.until("three pods", |world| world.complete(3)).await;
    let first = world.list("replicasets.apps")[0].key.name.to_string();
    assert!(first.starts_with("d-"), "{first}");

    world.change("deployments.apps", "d", set_image("two")).await;
    world
        .until("the second image", |world| {
            world.complete(3) && world.list("replicasets.apps").len() == 2
        })
        .await;
    let images = world.list("pods");
    assert!(images.iter().all(|pod| image(&pod.object) == Some("two")));

    world.change("deployments.apps", "d", set_image("one")).await;
    world
        .until("the first image again", |world| {
            let set = world.get("replicasets.apps", &first).unwrap_or_default();
            world.complete(3) && set.i64_at(&["status", "availableReplicas"]) == Some(3)
        })
        .await;
    let set = world.get("replicasets.apps", &first).unwrap();
    assert_eq!(meta::annotation(&set, "deployment.kubernetes.io/revision"), Some("3"));

    world.change("deployments.apps", "d", |d| d.set_at(&["spec", "replicas"], 5)).await;
    world.until("five pods", |world| world.complete(5)).await;
    world.change("deployments.apps", "d", |d| d.set_at(&["spec", "replicas"], 1)).await;
    world.until("one pod", |world| world.complete(1) && world.list("pods").len() == 1).await;

    let key = Key::new("deployments.apps", "n", "d");
    world.store.commit(vec![Op::Delete { key, expect: None }]).await.unwrap();
    world
        .until("nothing left", |world| {
            world.list("pods").is_empty() && world.list("replicasets.apps").is_empty()
        })
        .await;
}

#[tokio::test]
async fn a_rollout_that_gets_no_further_keeps_what_serves() {
    let world = World::new();
    world.create("deployments.apps", deployment(2, "one")).await;
    world.until("two pods", |world| world.complete(2)).await;
    world.change("deployments.apps", "d", set_image("bad")).await;
    world.until("one new pod", |world| world.list("pods").len() == 3).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let serving = world
        .list("pods")
        .iter()
        .filter(|pod| super::pod::is_ready(&pod.object) && image(&pod.object) == Some("one"))
        .count();
    assert_eq!(serving, 2);
}

#[tokio::test]
async fn a_lost_pod_is_made_again_and_a_fitting_stranger_adopted() {
    let world = World::new();
    world.create("deployments.apps", deployment(2, "one")).await;
    world.until("two pods", |world| world.complete(2)).await;
    let lost = world.list("pods")[0].key.clone();
    world.store.commit(vec![Op::Delete { key: lost.clone(), expect: None }]).await.unwrap();
    world
        .until("two pods again", |world| {
            world.complete(2) && world.list("pods").len() == 2 && world.store.get(&lost).is_none()
        })
        .await;
    let hash = world.list("pods")[0].object.at(&["metadata", "labels"]).cloned().unwrap();
    let stranger = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "stranger", "namespace": "n", "labels": serde_json::Value::from(&hash)},
        "spec": {"containers": [{"name": "c", "image": "one"}]}, "status": {"phase": "Pending"}});
    world.create("pods", stranger).await;
    world
        .until("one pod too many gone", |world| world.list("pods").len() == 2 && world.complete(2))
        .await;
}

#[tokio::test]
async fn a_pod_that_fits_no_longer_is_let_go_and_replaced() {
    let world = World::new();
    world.create("deployments.apps", deployment(1, "one")).await;
    world.until("a pod", |world| world.complete(1)).await;
    let name = world.list("pods")[0].key.name.to_string();
    let freed = |pod: &mut Node| pod.set_at(&["metadata", "labels", "app"], "free");
    world.change("pods", &name, freed).await;
    world.until("another", |world| world.complete(1) && world.list("pods").len() == 2).await;
    let freed = world.get("pods", &name).expect("it stays");
    assert!(freed.at(&["metadata", "ownerReferences"]).is_none());
}

#[tokio::test]
async fn a_paused_deployment_says_so_and_waits() {
    let world = World::new();
    world.create("deployments.apps", deployment(1, "one")).await;
    world.until("a pod", |world| world.complete(1)).await;
    let reason = |world: &World| {
        let deployment = world.get("deployments.apps", "d").unwrap_or_default();
        let conditions = deployment.items_at(&["status", "conditions"]).to_vec();
        let found = conditions.iter().find(|it| it.str_at(&["type"]) == Some("Progressing"));
        found.and_then(|it| it.str_at(&["reason"])).unwrap_or_default().to_owned()
    };
    world.change("deployments.apps", "d", |d| d.set_at(&["spec", "paused"], true)).await;
    world.change("deployments.apps", "d", set_image("two")).await;
    world.until("it says so", |world| reason(world) == "DeploymentPaused").await;
    assert_eq!(world.list("replicasets.apps").len(), 1);
    world.change("deployments.apps", "d", |d| d.set_at(&["spec", "paused"], false)).await;
    world
        .until("it goes on", |world| world.complete(1) && reason(world) == "NewReplicaSetAvailable")
        .await;
    assert_eq!(image(&world.list("pods")[0].object), Some("two"));
}

#[tokio::test]
async fn a_deployment_in_the_foreground_goes_last() {
    let world = World::new();
    world.create("deployments.apps", deployment(2, "one")).await;
    world.until("two pods", |world| world.complete(2)).await;
    let going = |deployment: &mut Node| {
        metadata::mark_deleted(deployment, Timestamp::now(), 0);
        deployment.set_at(&["metadata", "finalizers"], vec![Node::from("foregroundDeletion")]);
    };
    world.change("deployments.apps", "d", going).await;
    world
        .until("it is gone", |world| {
            let (pods, sets) = (world.list("pods"), world.list("replicasets.apps"));
            let gone = world.get("deployments.apps", "d").is_none();
            assert!(!gone || pods.is_empty() && sets.is_empty(), "it went before its dependents");
            gone
        })
        .await;
}

#[tokio::test]
async fn endpoints_follow_the_pods_of_a_service() {
    let world = World::new();
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "s", "namespace": "n", "labels": {"team": "a"}},
        "spec": {"clusterIP": "10.0.0.1", "selector": {"app": "d"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}});
    world.create("services", service).await;
    let slices = "endpointslices.discovery.k8s.io";
    world
        .until("empty ones", |world| {
            let endpoints = world.get("endpoints", "s");
            endpoints.is_some_and(|it| it.get("subsets").is_none()) && world.list(slices).len() == 1
        })
        .await;
    let pod = |name: &str, ip: &str, ready: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "n", "labels": {"app": "d"}},
            "spec": {"containers": [{"name": "c", "image": "bad"}]},
            "status": {"phase": "Running", "podIP": ip,
                "conditions": [{"type": "Ready", "status": ready}]}})
    };
    world.create("pods", pod("a", "10.1.0.2", "True")).await;
    world.create("pods", pod("b", "10.1.0.1", "False")).await;
    let expected = Node::from(json!([{
        "addresses": [{"ip": "10.1.0.2"}],
        "notReadyAddresses": [{"ip": "10.1.0.1"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }]));
    world
        .until("both pods", |world| {
            let mut endpoints = world.get("endpoints", "s").unwrap_or_default();
            let subsets = endpoints.get_mut("subsets").and_then(Node::as_list_mut);
            for subset in subsets.into_iter().flatten() {
                for list in ["addresses", "notReadyAddresses"] {
                    let addresses = subset.get_mut(list).and_then(Node::as_list_mut);
                    for address in addresses.into_iter().flatten() {
                        assert_eq!(address.str_at(&["targetRef", "kind"]), Some("Pod"));
                        address.remove("targetRef");
                    }
                }
            }
            endpoints.get("subsets") == Some(&expected)
        })
        .await;
    let slice = |world: &World| -> Vec<(String, bool)> {
        let all = world.list(slices);
        let slice = all.iter().find(|it| !it.object.items_at(&["endpoints"]).is_empty());
        let endpoints = slice.map(|it| it.object.items_at(&["endpoints"]).to_vec());
        let told = endpoints.unwrap_or_default().into_iter().map(|it| {
            let ready = it.at(&["conditions", "ready"]).and_then(Node::as_bool) == Some(true);
            let address = it.items_at(&["addresses"])[0].as_str().unwrap_or_default().to_owned();
            (address, ready)
        });
        told.collect()
    };
    let both = [("10.1.0.1".to_owned(), false), ("10.1.0.2".to_owned(), true)];
    world.until("one slice", |world| world.list(slices).len() == 1 && slice(world) == both).await;
    let labels = world.list(slices)[0].object.at(&["metadata", "labels"]).cloned();
    let labels = serde_json::Value::from(&labels.expect("it has labels"));
    assert_eq!(
        (&labels["team"], &labels["kubernetes.io/service-name"]),
        (&json!("a"), &json!("s"))
    );

    let key = Key::new("services", "n", "s");
    world.store.commit(vec![Op::Delete { key, expect: None }]).await.unwrap();
    world
        .until("nothing left", |world| {
            world.get("endpoints", "s").is_none() && world.list(slices).is_empty()
        })
        .await;
}

#[tokio::test]
async fn every_namespace_gets_an_account_and_the_certificate_and_keeps_them() {
    let world = World::new();
    let mut space = Node::from(json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "n"}}));
    metadata::prepare_create(&mut space, Timestamp::now(), false);
    let key = Key::new("namespaces", "", "n");
    world.store.commit(vec![Op::Create { key, object: space }]).await.unwrap();
    let data = |world: &World| {
        let map = world.get("configmaps", "kube-root-ca.crt")?;
        map.str_at(&["data", "ca.crt"]).map(str::to_owned)
    };
    world
        .until("both", |world| {
            world.get("serviceaccounts", "default").is_some()
                && data(world).as_deref() == Some("PEM")
        })
        .await;
    world
        .change("configmaps", "kube-root-ca.crt", |map| map.set_at(&["data", "ca.crt"], "other"))
        .await;
    world.until("it is put right", |world| data(world).as_deref() == Some("PEM")).await;
    let key = Key::new("configmaps", "n", "kube-root-ca.crt");
    world.store.commit(vec![Op::Delete { key, expect: None }]).await.unwrap();
    world.until("it is made again", |world| data(world).as_deref() == Some("PEM")).await;
}
