//! Which pods stand behind a Service, and at which ports. The service proxy, the name server and
//! the controller of Endpoints ask the same question.

use super::store::{Key, Store, metadata};
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::{Node, Value};
use std::net::Ipv4Addr;

/// The resource of `EndpointSlice`s.
pub const SLICES: &str = "endpointslices.discovery.k8s.io";

/// What stands behind a Service: a pod, or an address that somebody wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub ip: Ipv4Addr,
    /// `spec.hostname`, when it has one.
    pub hostname: Option<String>,
    /// Port numbers by the Service's port names.
    pub ports: Vec<(String, u16)>,
}

/// The pods of a namespace that a Service sends to: ready ones, or all with
/// `publishNotReadyAddresses`. In the order that the pods come in.
#[must_use]
pub fn endpoints<'a>(service: &Node, pods: impl Iterator<Item = &'a Node>) -> Vec<Endpoint> {
    let Some(selector) = selector(service) else { return Vec::new() };
    let unready_too = publishes_unready(service);
    pods.filter(|pod| selector.matches(meta::labels(pod)) && (unready_too || serves(pod)))
        .filter_map(|pod| {
            Some(Endpoint {
                ip: pod.str_at(&["status", "podIP"])?.parse().ok()?,
                hostname: pod.str_at(&["spec", "hostname"]).map(str::to_owned),
                ports: ports(service, pod),
            })
        })
        .collect()
}

/// What stands behind a Service without a selector: the ready endpoints of the slices that name it,
/// and those of the Endpoints of its name.
#[must_use]
pub fn given(store: &Store, service: &Node) -> Vec<Endpoint> {
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let (slices, _) = store.list(&SLICES.into(), Some(namespace));
    let slices = slices.iter().map(|slice| &slice.object);
    let of_service = slices.filter(|slice| service_of(slice) == name);
    let mut found: Vec<Endpoint> = of_service.flat_map(in_slice).collect();
    if let Some(endpoints) = store.get(&Key::new("endpoints", namespace, name)) {
        let subsets = endpoints.object.items_at(&["subsets"]).iter();
        for endpoint in subsets.flat_map(|subset| in_subset(subset, publishes_unready(service))) {
            if !found.contains(&endpoint) {
                found.push(endpoint);
            }
        }
    }
    found
}

/// The name of the Service that a slice, or Endpoints, belong to.
#[must_use]
pub fn service_of(object: &Node) -> &str {
    let label = object.str_at(&["metadata", "labels", "kubernetes.io/service-name"]);
    label.unwrap_or_else(|| meta::name(object))
}

fn in_slice(slice: &Node) -> Vec<Endpoint> {
    if slice.str_at(&["addressType"]) != Some("IPv4") {
        return Vec::new();
    }
    let ports = numbers(slice);
    let serves =
        |it: &&Node| it.at(&["conditions", "ready"]).and_then(Node::as_bool) != Some(false);
    let endpoints = slice.items_at(&["endpoints"]).iter().filter(serves);
    endpoints
        .filter_map(|endpoint| {
            // the addresses of one endpoint are all the same to a client, so the first is used
            let ip = endpoint.items_at(&["addresses"]).first()?.as_str()?.parse().ok()?;
            let hostname = endpoint.str_at(&["hostname"]).map(str::to_owned);
            Some(Endpoint { ip, hostname, ports: ports.clone() })
        })
        .collect()
}

fn in_subset(subset: &Node, unready_too: bool) -> Vec<Endpoint> {
    let ports = numbers(subset);
    let lists = [("addresses", true), ("notReadyAddresses", unready_too)];
    let addresses = lists.into_iter().filter(|(_, wanted)| *wanted);
    addresses
        .flat_map(|(list, _)| subset.items_at(&[list]))
        .filter_map(|address| {
            let ip = address.str_at(&["ip"])?.parse().ok()?;
            let hostname = address.str_at(&["hostname"]).map(str::to_owned);
            Some(Endpoint { ip, hostname, ports: ports.clone() })
        })
        .collect()
}

/// Port numbers by name, as somebody wrote them down.
fn numbers(list: &Node) -> Vec<(String, u16)> {
    let ports = list.items_at(&["ports"]).iter();
    ports
        .filter_map(|port| {
            let number = u16::try_from(port.i64_at(&["port"])?).ok()?;
            Some((port.str_at(&["name"]).unwrap_or_default().to_owned(), number))
        })
        .collect()
}

/// What pods a Service selects; nothing for one whose addresses somebody else gives.
#[must_use]
pub fn selector(service: &Node) -> Option<Selector> {
    let labels = service.at(&["spec", "selector"]).and_then(Node::as_map)?;
    (!labels.is_empty()).then(|| Selector::from_labels(labels))
}

/// Whether pods are told of that are not ready.
#[must_use]
pub fn publishes_unready(service: &Node) -> bool {
    service.at(&["spec", "publishNotReadyAddresses"]).and_then(Node::as_bool) == Some(true)
}

/// The numbers of a Service's ports on a pod, by name. A port that the pod does not name is left out.
#[must_use]
pub fn ports(service: &Node, pod: &Node) -> Vec<(String, u16)> {
    let ports = service.items_at(&["spec", "ports"]).iter().map(|port| {
        let name = port.str_at(&["name"]).unwrap_or_default().to_owned();
        let target = port.get("targetPort").or(port.get("port"));
        let containers = pod.items_at(&["spec", "containers"]).iter();
        (name, containers.map(|it| container_port(target, it)).find(|port| *port > 0).unwrap_or(0))
    });
    ports.filter(|(_, port)| *port > 0).collect()
}

/// A port given by number, or by the name that a container gives it; 0 when there is none.
#[must_use]
pub fn container_port(port: Option<&Node>, container: &Node) -> u16 {
    let number = match port.map(|port| &port.value) {
        Some(Value::String(name)) => container
            .items_at(&["ports"])
            .iter()
            .find(|port| port.str_at(&["name"]) == Some(name))
            .and_then(|port| port.i64_at(&["containerPort"]))
            .or_else(|| name.parse().ok()),
        Some(_) => port.and_then(Node::as_i64),
        None => None,
    };
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

/// Whether the condition `Ready` of a pod is true.
#[must_use]
pub fn is_ready(pod: &Node) -> bool {
    pod.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some("Ready")
            && condition.str_at(&["status"]) == Some("True")
    })
}

/// True for a pod that is ready and stays.
fn serves(pod: &Node) -> bool {
    is_ready(pod) && !metadata::is_deleted(pod)
}
