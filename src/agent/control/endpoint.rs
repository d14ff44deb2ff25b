//! Endpoints and `EndpointSlices`: which pods stand behind each Service, for whoever asks the API.
//!
//! The host's own addresses are made of Services and pods directly; these objects tell the same to
//! clients. Both list the pods that are not ready too, marked as such. A slice holds pods that
//! answer at the same port numbers, at most a hundred of them; its name follows from what it is
//! for, so that it stays the same object while pods come and go.

use super::owner::{controller_reference, is_deleting};
use super::{Action, Seen, View};
use crate::agent::endpoints::{SLICES, is_ready, ports, publishes_unready, selector};
use crate::base::digest::Digest;
use crate::object::meta;
use crate::yaml::{Node, json};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Says whose slices are whose (KEP-752).
const MANAGED_BY: (&str, &str) =
    ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io");
const OF_SERVICE: &str = "kubernetes.io/service-name";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// So many pods fit in a slice.
const SLICE: usize = 100;

/// A pod that a Service selects.
struct Backend<'a> {
    pod: &'a Node,
    ip: Ipv4Addr,
    ready: bool,
    leaves: bool,
}

/// The ports of a set of pods: number by name.
type Ports = Vec<(String, u16)>;

/// Brings the Endpoints and slices of one Service up to date.
pub fn reconcile(view: &dyn View, namespace: &str, name: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    let endpoints = view.get("endpoints", namespace, name);
    let Some(service) = view.get("services", namespace, name) else {
        // slices have an owner and go with it
        actions.extend(endpoints.map(|endpoints| Action::delete("endpoints", &endpoints)));
        return actions;
    };
    let is_name = service.str_at(&["spec", "type"]) == Some("ExternalName");
    let Some(selector) = selector(&service).filter(|_| !is_name && !is_deleting(&service)) else {
        return actions;
    };
    let mut pods = view.all("pods", namespace);
    pods.retain(|pod| selector.matches(meta::labels(pod)));
    let groups = groups(&service, &pods);
    tell(endpoints.as_ref(), endpoints_of(&service, &groups), "subsets", &mut actions);
    let mut former: BTreeMap<String, Seen> = view
        .owned(SLICES, meta::uid(&service))
        .into_iter()
        .map(|slice| (meta::name(&slice).to_owned(), slice))
        .collect();
    for slice in slices_of(&service, &groups) {
        let former = former.remove(meta::name(&slice));
        tell(former.as_ref(), slice, "endpoints", &mut actions);
    }
    actions.extend(former.values().map(|slice| Action::delete(SLICES, slice)));
    actions
}

/// Creates an object, or changes what it lists when that is not what is stored.
fn tell(former: Option<&Seen>, wanted: Node, list: &str, actions: &mut Vec<Action>) {
    let Some(former) = former else { return actions.push(Action::Create(wanted)) };
    if is_deleting(former) {
        return;
    }
    let mut next = (**former).clone();
    for field in [list, "ports"] {
        match wanted.get(field) {
            Some(value) => next.set(field, value.clone()),
            None => drop(next.remove(field)),
        }
    }
    let labels = wanted.at(&["metadata", "labels"]).cloned().unwrap_or_else(Node::map);
    next.set_at(&["metadata", "labels"], labels);
    if next != **former {
        actions.push(Action::Update(next));
    }
}

/// Pods by the ports at which they answer, each group in the order of addresses.
fn groups<'a>(service: &Node, pods: &'a [Seen]) -> BTreeMap<Ports, Vec<Backend<'a>>> {
    let unready_too = publishes_unready(service);
    let mut groups: BTreeMap<Ports, Vec<Backend<'a>>> = BTreeMap::new();
    for pod in pods {
        let ended = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
        let ip = pod.str_at(&["status", "podIP"]).and_then(|ip| ip.parse().ok());
        let Some(ip) = ip.filter(|_| !ended) else { continue };
        let ports = ports(service, pod);
        if ports.is_empty() && !service.items_at(&["spec", "ports"]).is_empty() {
            // it names none of them
            continue;
        }
        let ready = unready_too || is_ready(pod);
        let backend = Backend { pod, ip, ready, leaves: is_deleting(pod) };
        groups.entry(ports).or_default().push(backend);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|backend| backend.ip);
    }
    groups
}

fn endpoints_of(service: &Node, groups: &BTreeMap<Ports, Vec<Backend<'_>>>) -> Node {
    let mut endpoints = Node::from(json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": meta::name(service), "namespace": meta::namespace(service)},
    }));
    endpoints.set_at(&["metadata", "labels"], labels(service));
    let subsets = groups.iter().filter_map(|(ports, backends)| {
        let mut subset = Node::map();
        for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            let those = backends.iter().filter(|it| !it.leaves && it.ready == ready);
            let those: Vec<Node> = those.map(address).collect();
            if !those.is_empty() {
                subset.set(field, those);
            }
        }
        let some = subset.as_map().is_some_and(|subset| !subset.is_empty());
        if !ports.is_empty() {
            subset.set("ports", port_list(service, ports, false));
        }
        some.then_some(subset)
    });
    let subsets: Vec<Node> = subsets.collect();
    if !subsets.is_empty() {
        endpoints.set("subsets", subsets);
    }
    endpoints
}

fn address(backend: &Backend<'_>) -> Node {
    let mut address = Node::map();
    address.set("ip", backend.ip.to_string());
    describe(&mut address, backend.pod);
    address
}

fn slices_of(service: &Node, groups: &BTreeMap<Ports, Vec<Backend<'_>>>) -> Vec<Node> {
    // a Service without pods has one slice that says so
    let none = BTreeMap::from([(Ports::new(), Vec::new())]);
    let groups = if groups.is_empty() { &none } else { groups };
    let mut slices = Vec::new();
    for (ports, backends) in groups {
        let parts = backends.chunks(SLICE).map(<[_]>::iter);
        let parts: Vec<_> = if backends.is_empty() { vec![[].iter()] } else { parts.collect() };
        for (number, part) in parts.into_iter().enumerate() {
            let mut slice = Node::from(json!({
                "addressType": "IPv4",
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": slice_name(service, ports, number),
                    "generateName": format!("{}-", meta::name(service)),
                    "namespace": meta::namespace(service),
                },
            }));
            let mut labels = labels(service);
            labels.set(MANAGED_BY.0, MANAGED_BY.1);
            labels.set(OF_SERVICE, meta::name(service));
            slice.set_at(&["metadata", "labels"], labels);
            slice.set_at(&["metadata", "ownerReferences"], vec![controller_reference(service)]);
            slice.set("endpoints", part.map(endpoint).collect::<Vec<Node>>());
            slice.set("ports", port_list(service, ports, true));
            slices.push(slice);
        }
    }
    slices
}

fn endpoint(backend: &Backend<'_>) -> Node {
    let serving = backend.ready;
    let mut endpoint = Node::from(json!({
        "addresses": [backend.ip.to_string()],
        "conditions": {
            "ready": serving && !backend.leaves,
            "serving": serving,
            "terminating": backend.leaves,
        },
    }));
    describe(&mut endpoint, backend.pod);
    endpoint
}

/// What both kinds say of a pod.
fn describe(address: &mut Node, pod: &Node) {
    for (field, path) in [("hostname", ["spec", "hostname"]), ("nodeName", ["spec", "nodeName"])] {
        if let Some(text) = pod.str_at(&path) {
            address.set(field, text);
        }
    }
    address.set(
        "targetRef",
        Node::from(json!({
            "kind": "Pod",
            "namespace": meta::namespace(pod),
            "name": meta::name(pod),
            "uid": meta::uid(pod),
        })),
    );
}

/// The ports of a group; Endpoints leave out a name that is empty, slices write it.
fn port_list(service: &Node, ports: &Ports, names_all: bool) -> Vec<Node> {
    let of_service = service.items_at(&["spec", "ports"]);
    let port = |(name, number): &(String, u16)| {
        let known =
            of_service.iter().find(|port| port.str_at(&["name"]).unwrap_or_default() == name);
        let mut port = Node::map();
        if names_all || !name.is_empty() {
            port.set("name", name.as_str());
        }
        port.set("port", i64::from(*number));
        let protocol = known.and_then(|known| known.str_at(&["protocol"]));
        port.set("protocol", protocol.unwrap_or("TCP"));
        if let Some(protocol) = known.and_then(|known| known.str_at(&["appProtocol"])) {
            port.set("appProtocol", protocol);
        }
        port
    };
    ports.iter().map(port).collect()
}

/// The labels of the Service, and whether it has no address of its own.
fn labels(service: &Node) -> Node {
    let mut labels = service.at(&["metadata", "labels"]).cloned().unwrap_or_else(Node::map);
    if service.str_at(&["spec", "clusterIP"]) == Some("None") {
        labels.set(HEADLESS, "");
    }
    labels
}

/// The Service's name and five characters that stand for the ports and the number of the slice.
fn slice_name(service: &Node, ports: &Ports, number: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = json::to_string(&Node::from(json!([meta::uid(service), ports, number])));
    let hex = Digest::of(text.as_bytes()).hex();
    let pairs = hex.as_bytes().chunks(4).take(5);
    let letters = pairs.map(|digits| {
        let value = digits.iter().fold(0, |value, digit| value * 16 + usize::from(*digit));
        char::from(LETTERS[value % LETTERS.len()])
    });
    format!("{}-{}", meta::name(service), letters.collect::<String>())
}
