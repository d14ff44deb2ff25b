//! Services: addresses from the subnet of Services, node ports from 30000 to 32767.

use super::{PLAIN_RULES, Rules, default, keep, name};
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::Kind;
use crate::agent::api::status::Status;
use crate::agent::runtime::Subnet;
use crate::agent::store::Store;
use crate::object::meta;
use crate::yaml::Node;
use std::collections::HashSet;
use std::net::Ipv4Addr;

const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

pub(crate) static SERVICE: Rules = Rules {
    name: name::label_1035,
    default: fill,
    update,
    validate,
    validate_update,
    ..PLAIN_RULES
};

fn kind_of(object: &Node) -> &str {
    object.str_at(&["spec", "type"]).unwrap_or("ClusterIP")
}

fn fill(object: &mut Node) {
    default(object, "spec", Node::map());
    default(object, "status", Node::from(serde_json::json!({"loadBalancer": {}})));
    let spec = object.get_mut("spec").expect("it was set just above");
    default(spec, "sessionAffinity", "None");
    default(spec, "type", "ClusterIP");
    let kind = spec.str_at(&["type"]).unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if spec.str_at(&["sessionAffinity"]) == Some("ClientIP") {
        let timeout = ["sessionAffinityConfig", "clientIP", "timeoutSeconds"];
        if spec.at(&timeout).is_none() {
            spec.set_at(&timeout, 10800);
        }
    }
    for port in spec.get_mut("ports").and_then(Node::as_list_mut).into_iter().flatten() {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    }
}

fn update(new: &mut Node, old: &Node) {
    keep(new, old, "status");
    // what was chosen for a Service stays with it
    if kind_of(new) != "ExternalName" && kind_of(old) != "ExternalName" {
        let said = new.str_at(&["spec", "clusterIP"]).unwrap_or_default();
        if said.is_empty() {
            for field in ["clusterIP", "clusterIPs"] {
                if let Some(value) = old.at(&["spec", field]).cloned() {
                    new.set_at(&["spec", field], value);
                }
            }
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if new.at(&["spec", field]).is_none()
                && let Some(value) = old.at(&["spec", field]).cloned()
            {
                new.set_at(&["spec", field], value);
            }
        }
    }
    if !has_node_ports(new) {
        if has_node_ports(old) {
            // those that were chosen before go; one that this request asks for is a fault to tell
            let before = node_port_numbers(old);
            let ports = new.at_mut(&["spec", "ports"]).and_then(Node::as_list_mut);
            for port in ports.into_iter().flatten() {
                if port.i64_at(&["nodePort"]).is_none_or(|number| before.contains(&number)) {
                    port.remove("nodePort");
                }
            }
        }
        return;
    }
    let before: Vec<Node> = old.items_at(&["spec", "ports"]).to_vec();
    if let Some(ports) = new.at_mut(&["spec", "ports"]).and_then(Node::as_list_mut) {
        for port in ports.iter_mut().filter(|port| port.get("nodePort").is_none()) {
            let same = before.iter().find(|old| {
                old.get("port") == port.get("port") && old.get("protocol") == port.get("protocol")
            });
            if let Some(number) = same.and_then(|old| old.get("nodePort")).cloned() {
                port.set("nodePort", number);
            }
        }
    }
}

/// Whether a Service has ports on the node.
fn has_node_ports(service: &Node) -> bool {
    matches!(kind_of(service), "NodePort" | "LoadBalancer")
}

fn node_port_numbers(service: &Node) -> Vec<i64> {
    let ports = service.items_at(&["spec", "ports"]).iter();
    ports.filter_map(|port| port.i64_at(&["nodePort"])).collect()
}

fn validate(object: &Node, faults: &mut Faults) {
    const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = kind_of(object);
    if !TYPES.contains(&kind) {
        faults.unsupported("spec.type", kind, &TYPES);
    }
    let ports = object.items_at(&["spec", "ports"]);
    let headless = object.str_at(&["spec", "clusterIP"]) == Some("None");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        faults.required("spec.ports", "");
    }
    if kind == "ExternalName"
        && object.str_at(&["spec", "externalName"]).unwrap_or_default().is_empty()
    {
        faults.required("spec.externalName", "");
    }
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{index}].{field}");
        let said = port.str_at(&["name"]).unwrap_or_default();
        if said.is_empty() {
            if ports.len() > 1 {
                faults.required(at("name"), "");
            }
        } else {
            for fault in name::label(said) {
                faults.invalid(at("name"), said, fault);
            }
            if !names.insert(said) {
                faults.duplicate(at("name"), said);
            }
        }
        let number = port.i64_at(&["port"]).unwrap_or(0);
        for fault in name::port(number) {
            faults.invalid(at("port"), number, fault);
        }
        let protocol = port.str_at(&["protocol"]).unwrap_or_default();
        if !["SCTP", "TCP", "UDP"].contains(&protocol) {
            faults.unsupported(at("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        }
        if !numbers.insert((number, protocol)) {
            faults.duplicate(
                format!("spec.ports[{index}]"),
                Node::from(serde_json::json!({"protocol": protocol, "port": number})),
            );
        }
        match port.get("targetPort") {
            Some(node) if node.as_i64().is_some() => {
                let number = node.as_i64().unwrap_or_default();
                for fault in name::port(number) {
                    faults.invalid(at("targetPort"), number, fault);
                }
            }
            Some(node) => {
                let text = node.as_str().unwrap_or_default();
                for fault in name::port_name(text) {
                    faults.invalid(at("targetPort"), text, fault);
                }
            }
            None => {}
        }
    }
    let selector = object.at(&["spec", "selector"]).and_then(Node::as_map);
    super::meta::labels(selector, "spec.selector", faults);
}

fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    if kind_of(new) == "ExternalName" || kind_of(old) == "ExternalName" {
        return;
    }
    let before = old.str_at(&["spec", "clusterIP"]).unwrap_or_default();
    let now = new.str_at(&["spec", "clusterIP"]).unwrap_or_default();
    if !before.is_empty() && now != before {
        let shown = new.at(&["spec", "clusterIPs"]).cloned().unwrap_or_default();
        faults.invalid("spec.clusterIPs[0]", shown, "may not change once set");
    }
}

/// Chooses addresses and ports for a new or changed Service, and checks those it asks for. The
/// caller holds the lock under which Services are stored.
pub(crate) fn allocate(
    store: &Store,
    subnet: Subnet,
    kind: &Kind,
    object: &mut Node,
    old: Option<&Node>,
) -> Result<(), Status> {
    let own = old.map(meta::uid).unwrap_or_default();
    let (all, _) = store.list(&kind.resource(), None);
    let others = || {
        all.iter()
            .map(|stored| &stored.object)
            .filter(|other| meta::uid(other) != own || own.is_empty())
    };
    let name = meta::name(object).to_owned();
    let mut faults = Faults::new();
    if kind_of(object) == "ExternalName" {
        for field in ["clusterIP", "clusterIPs"] {
            object.remove_at(&["spec", field]);
        }
        return Ok(());
    }
    let taken: HashSet<Ipv4Addr> =
        others().filter_map(|other| other.str_at(&["spec", "clusterIP"])?.parse().ok()).collect();
    address(object, old, subnet, &taken, &mut faults);
    if matches!(kind_of(object), "NodePort" | "LoadBalancer") {
        let taken: HashSet<i64> = others()
            .flat_map(|other| other.items_at(&["spec", "ports"]))
            .filter_map(|port| port.i64_at(&["nodePort"]))
            .collect();
        node_ports(object, old, taken, &mut faults);
    }
    if faults.is_empty() { Ok(()) } else { Err(Status::invalid(kind, &name, &faults)) }
}

fn address(
    object: &mut Node,
    old: Option<&Node>,
    subnet: Subnet,
    taken: &HashSet<Ipv4Addr>,
    faults: &mut Faults,
) {
    let said = object.str_at(&["spec", "clusterIP"]).unwrap_or_default().to_owned();
    let before = old.and_then(|old| old.str_at(&["spec", "clusterIP"])).unwrap_or_default();
    let chosen = match said.as_str() {
        "None" => said,
        "" => {
            let size = 1_u32 << (32 - subnet.prefix());
            // the first addresses are left to those who ask for one (KEP-3070)
            let reserved = if size <= 16 { 1 } else { (size / 16).clamp(16, 256) };
            let count = size - reserved - 1;
            let start = u32::from_be_bytes(random());
            let free = (0..count)
                .map(|step| reserved + start.wrapping_add(step) % count)
                .map(|offset| Ipv4Addr::from(u32::from(subnet.network()) + offset))
                .find(|address| !taken.contains(address));
            let Some(free) = free else {
                faults.invalid("spec.clusterIPs[0]", "", "range is full");
                return;
            };
            free.to_string()
        }
        said => {
            let valid = said.parse::<Ipv4Addr>().ok();
            let inside = valid.is_some_and(|ip| subnet.contains(ip));
            let shown = Node::from(vec![Node::from(said)]);
            if said != before && !inside {
                let rule = format!(
                    "failed to allocate IP: the provided IP is not in the valid range. The range \
                     of valid IPs is {}/{}",
                    subnet.network(),
                    subnet.prefix()
                );
                faults.invalid("spec.clusterIPs", shown, rule);
            } else if valid.is_some_and(|ip| taken.contains(&ip)) {
                let rule =
                    format!("failed to allocate IP {said}: provided IP is already allocated");
                faults.invalid("spec.clusterIPs", shown, rule);
            }
            said.to_owned()
        }
    };
    object.set_at(&["spec", "clusterIPs"], vec![Node::from(chosen.as_str())]);
    object.set_at(&["spec", "clusterIP"], chosen);
    let spec = object.get_mut("spec").expect("an address was set in it just above");
    default(spec, "ipFamilies", vec![Node::from("IPv4")]);
    default(spec, "ipFamilyPolicy", "SingleStack");
}

fn node_ports(object: &mut Node, old: Option<&Node>, mut taken: HashSet<i64>, faults: &mut Faults) {
    let before = old.map(node_port_numbers).unwrap_or_default();
    let ports = object.at_mut(&["spec", "ports"]).and_then(Node::as_list_mut);
    let mut ports: Vec<&mut Node> = ports.into_iter().flatten().collect();
    for (index, port) in ports.iter().enumerate() {
        let Some(number) = port.i64_at(&["nodePort"]) else { continue };
        let field = format!("spec.ports[{index}].nodePort");
        if !before.contains(&number) && !NODE_PORTS.contains(&number) {
            let rule = "provided port is not in the valid range. The range of valid ports is \
                        30000-32767";
            faults.invalid(field, number, rule);
        } else if !taken.insert(number) {
            faults.invalid(field, number, "provided port is already allocated");
        }
    }
    let size = NODE_PORTS.end() - NODE_PORTS.start() + 1;
    for (index, port) in ports.iter_mut().enumerate().filter(|(_, p)| p.get("nodePort").is_none()) {
        let start = i64::from(u32::from_be_bytes(random()));
        let free = (0..size)
            .map(|step| NODE_PORTS.start() + (start + step) % size)
            .find(|number| !taken.contains(number));
        match free {
            Some(number) => {
                taken.insert(number);
                port.set("nodePort", number);
            }
            None => {
                let field = format!("spec.ports[{index}].nodePort");
                faults.invalid(field, 0, "failed to allocate a nodePort: range is full");
            }
        }
    }
}

fn random() -> [u8; 4] {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
