//! Services: which pods stand behind which address.
//!
//! One task watches services, pods, and what is written down for services without a selector, and
//! hands the whole set of rules to the runtime, which swaps
//! it in one step. A pod that is to stop asks [`Proxy::settled`] to be taken out before it gets its
//! signal, so that no new connection reaches a program that is going away.

use crate::agent::endpoints::{Endpoint, SLICES, endpoints, given, selector, service_of};
use crate::agent::runtime::{Protocol, Runtime, ServiceRule};
use crate::agent::store::{Key, Store, Stored, Watch};
use crate::object::meta;
use crate::yaml::Node;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The rules for all services; `given` tells what stands behind one without a selector.
#[must_use]
pub fn rules(
    services: &[Arc<Stored>],
    pods: &[Arc<Stored>],
    given: impl Fn(&Node) -> Vec<Endpoint>,
) -> Vec<ServiceRule> {
    let mut by_namespace: HashMap<&str, Vec<Arc<Stored>>> = HashMap::new();
    for pod in pods {
        by_namespace.entry(&pod.key.namespace).or_default().push(Arc::clone(pod));
    }
    let mut rules = Vec::new();
    for service in services.iter().map(|service| &service.object) {
        let Some(ip) = service.str_at(&["spec", "clusterIP"]).and_then(|ip| ip.parse().ok()) else {
            continue;
        };
        let pods = by_namespace.get(meta::namespace(service)).map_or(&[][..], Vec::as_slice);
        let endpoints = match selector(service) {
            Some(_) => endpoints(service, pods.iter().map(|pod| &pod.object)),
            None => given(service),
        };
        let session_affinity = service.str_at(&["spec", "sessionAffinity"]) == Some("ClientIP");
        let outside = service.items_at(&["spec", "externalIPs"]).iter();
        let external_ips: Vec<Ipv4Addr> =
            outside.filter_map(|ip| ip.as_str()?.parse().ok()).collect();
        for service_port in service.items_at(&["spec", "ports"]) {
            let name = service_port.str_at(&["name"]).unwrap_or_default();
            let number =
                |key: &str| service_port.i64_at(&[key]).and_then(|port| u16::try_from(port).ok());
            let protocol = match service_port.str_at(&["protocol"]) {
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => continue,
                _ => Protocol::Tcp,
            };
            let Some(port) = number("port") else { continue };
            let backends = endpoints.iter().filter_map(|endpoint| {
                let (_, port) = endpoint.ports.iter().find(|(known, _)| known == name)?;
                Some((endpoint.ip, *port))
            });
            rules.push(ServiceRule {
                cluster_ip: ip,
                port,
                protocol,
                node_port: number("nodePort").filter(|port| *port > 0),
                backends: backends.collect(),
                external_ips: external_ips.clone(),
                session_affinity,
            });
        }
    }
    rules.extend(pods.iter().flat_map(|pod| host_ports(&pod.object)));
    rules
}

/// Ports of the host that lead to one pod, ready or not.
fn host_ports(pod: &Node) -> Vec<ServiceRule> {
    let own_network = pod.at(&["spec", "hostNetwork"]).and_then(Node::as_bool) != Some(true);
    let runs = pod.str_at(&["status", "phase"]) == Some("Running");
    let ip = pod.str_at(&["status", "podIP"]).and_then(|ip| ip.parse::<Ipv4Addr>().ok());
    let Some(ip) = ip.filter(|_| own_network && runs) else { return Vec::new() };
    let containers = pod.items_at(&["spec", "containers"]).iter();
    let ports = containers.flat_map(|container| container.items_at(&["ports"]));
    let number = |port: &Node, key: &str| {
        port.i64_at(&[key]).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
    };
    ports
        .filter_map(|port| {
            let protocol = match port.str_at(&["protocol"]) {
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => return None,
                _ => Protocol::Tcp,
            };
            let inside = number(port, "containerPort")?;
            Some(ServiceRule {
                // what goes to the pod itself stays as it is
                cluster_ip: ip,
                port: inside,
                protocol,
                node_port: Some(number(port, "hostPort")?),
                external_ips: Vec::new(),
                session_affinity: false,
                backends: vec![(ip, inside)],
            })
        })
        .collect()
}

/// Keeps the host's rules as the store says.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The revision of the store that the rules in force were made of.
    applied: watch::Receiver<u64>,
}

impl Proxy {
    /// Starts the task that keeps the rules.
    #[must_use]
    pub fn start(store: Store, runtime: Runtime) -> Proxy {
        let (tell, applied) = watch::channel(0);
        tokio::spawn(keep(store, runtime, tell));
        Proxy { applied }
    }

    /// Waits until the rules take in everything up to a revision; at most two seconds, since a pod
    /// must stop even when the rules cannot be changed.
    pub async fn settled(&self, revision: u64) {
        let mut applied = self.applied.clone();
        let wait = applied.wait_for(|applied| *applied >= revision);
        let _ = tokio::time::timeout(Duration::from_secs(2), wait).await;
    }
}

async fn keep(store: Store, runtime: Runtime, tell: watch::Sender<u64>) {
    let mut current: Option<Vec<ServiceRule>> = None;
    loop {
        let (services, revision) = store.list(&"services".into(), None);
        let (pods, pods_revision) = store.list(&"pods".into(), None);
        let (Ok(mut service_watch), Ok(mut pod_watch), Ok(mut slices), Ok(mut others)) = (
            store.watch(&"services".into(), None, revision),
            store.watch(&"pods".into(), None, pods_revision),
            store.watch(&SLICES.into(), None, pods_revision),
            store.watch(&"endpoints".into(), None, pods_revision),
        ) else {
            continue;
        };
        let wanted = rules(&services, &pods, |service| given(&store, service));
        if current.as_ref() != Some(&wanted) {
            match runtime.apply_services(wanted.clone()).await {
                Ok(()) => current = Some(wanted),
                Err(error) => {
                    tracing::error!(error = %error.chain(), "service addresses could not be set");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            }
        }
        let _ = tell.send(revision);
        tokio::select! {
            () = service_watch.changed() => {}
            () = pod_watch.changed() => {}
            () = changed_by_hand(&store, &mut slices) => {}
            () = changed_by_hand(&store, &mut others) => {}
        }
    }
}

/// Waits until something changes in what stands behind a service without a selector. The rest is
/// written by the controller after pods have changed, and need not be looked at again.
async fn changed_by_hand(store: &Store, watch: &mut Watch) {
    while let Ok(event) = watch.next().await {
        let object = &event.object;
        let name = service_of(&object.object);
        let service = store.get(&Key::new("services", &object.key.namespace, name));
        if service.is_some_and(|service| selector(&service.object).is_none()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::Key;
    use serde_json::json;

    fn stored(object: serde_json::Value) -> Arc<Stored> {
        let object = Node::from(object);
        let key = Key::new("x", meta::namespace(&object), meta::name(&object));
        Arc::new(Stored { key, object, revision: 1 })
    }

    fn pod(name: &str, ip: &str, ready: &str, deleted: bool) -> Arc<Stored> {
        let mut pod = json!({
            "metadata": {"name": name, "namespace": "n", "labels": {"app": "a"}},
            "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
        });
        if deleted {
            pod["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z".into();
        }
        stored(pod)
    }

    #[test]
    fn ready_pods_that_stay_stand_behind_a_service() {
        let service = stored(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "spec": {"clusterIP": "10.96.0.9", "selector": {"app": "a"}, "ports": [
                {"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
                {"name": "other", "port": 81, "protocol": "UDP"}]},
        }));
        let pods = [
            pod("a", "10.0.0.1", "True", false),
            pod("b", "10.0.0.2", "False", false),
            pod("c", "10.0.0.3", "True", true),
        ];
        let written = Endpoint {
            ip: Ipv4Addr::new(192, 0, 2, 1),
            hostname: None,
            ports: vec![("http".into(), 9), ("x".into(), 1)],
        };
        let by_hand = stored(json!({
            "metadata": {"name": "t", "namespace": "n"},
            "spec": {"clusterIP": "10.96.0.8", "ports": [{"name": "http", "port": 80}]},
        }));
        let rules = rules(&[service, by_hand], &pods, |_| vec![written.clone()]);
        let backends: Vec<Vec<(Ipv4Addr, u16)>> =
            rules.iter().map(|rule| rule.backends.clone()).collect();
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(backends, [[(ip, 8080)], [(ip, 81)], [(Ipv4Addr::new(192, 0, 2, 1), 9)]]);
        assert_eq!((rules[0].node_port, rules[1].protocol), (Some(30080), Protocol::Udp));
        assert_eq!(rules[0].cluster_ip.to_string(), "10.96.0.9");
    }
}
