//! Which pods stand behind a Service, and at which ports. The service proxy, the name server and
//! the controller of Endpoints ask the same question.

use super::store::metadata;
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::{Node, Value};
use std::net::Ipv4Addr;

/// A pod behind a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod's address.
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
