//! Endpoints and `EndpointSlices`. Most are written by the controller; for a Service without a
//! selector somebody else does.

use super::{PLAIN_RULES, Rules, default};
use crate::agent::api::fault::Faults;
use crate::yaml::Node;
use std::net::IpAddr;

pub(crate) static ENDPOINTS: Rules =
    Rules { default: fill_endpoints, validate: validate_endpoints, ..PLAIN_RULES };

pub(crate) static ENDPOINT_SLICE: Rules = Rules {
    default: fill_slice,
    validate: validate_slice,
    validate_update: |new, old, faults| {
        let (now, before) = (new.get("addressType"), old.get("addressType"));
        if now != before {
            let shown = now.cloned().unwrap_or_default();
            faults.invalid("addressType", shown, "field is immutable");
        }
    },
    ..PLAIN_RULES
};

fn fill_endpoints(object: &mut Node) {
    for subset in object.get_mut("subsets").and_then(Node::as_list_mut).into_iter().flatten() {
        for port in subset.get_mut("ports").and_then(Node::as_list_mut).into_iter().flatten() {
            default(port, "protocol", "TCP");
        }
    }
}

fn fill_slice(object: &mut Node) {
    for port in object.get_mut("ports").and_then(Node::as_list_mut).into_iter().flatten() {
        default(port, "name", "");
        default(port, "protocol", "TCP");
    }
}

fn validate_endpoints(object: &Node, faults: &mut Faults) {
    for (index, subset) in object.items_at(&["subsets"]).iter().enumerate() {
        let path = format!("subsets[{index}]");
        for list in ["addresses", "notReadyAddresses"] {
            for (index, address) in subset.items_at(&[list]).iter().enumerate() {
                let said = address.str_at(&["ip"]).unwrap_or_default();
                ip(said, format!("{path}.{list}[{index}].ip"), faults);
            }
        }
        let named = subset.items_at(&["ports"]).len() > 1;
        for (index, port) in subset.items_at(&["ports"]).iter().enumerate() {
            let path = format!("{path}.ports[{index}]");
            if named && port.str_at(&["name"]).unwrap_or_default().is_empty() {
                faults.required(format!("{path}.name"), "");
            }
            number(port, &path, faults);
        }
    }
}

fn validate_slice(object: &Node, faults: &mut Faults) {
    const TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
    match object.str_at(&["addressType"]).unwrap_or_default() {
        "" => faults.required("addressType", ""),
        said if !TYPES.contains(&said) => faults.unsupported("addressType", said, &TYPES),
        said => {
            for (index, endpoint) in object.items_at(&["endpoints"]).iter().enumerate() {
                let path = format!("endpoints[{index}].addresses");
                let addresses = endpoint.items_at(&["addresses"]);
                if addresses.is_empty() {
                    faults.required(path.as_str(), "must contain at least 1 address");
                }
                for (index, address) in addresses.iter().enumerate().filter(|_| said != "FQDN") {
                    let text = address.as_str().unwrap_or_default();
                    ip(text, format!("{path}[{index}]"), faults);
                }
            }
        }
    }
    for (index, port) in object.items_at(&["ports"]).iter().enumerate() {
        if port.get("port").is_some() {
            number(port, &format!("ports[{index}]"), faults);
        }
    }
}

fn ip(said: &str, field: String, faults: &mut Faults) {
    if said.parse::<IpAddr>().is_err() {
        let rule = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        faults.invalid(field, said, rule);
    }
}

fn number(port: &Node, path: &str, faults: &mut Faults) {
    let number = port.i64_at(&["port"]).unwrap_or(0);
    for fault in super::name::port(number) {
        faults.invalid(format!("{path}.port"), number, fault);
    }
    let protocols = ["SCTP", "TCP", "UDP"];
    if let Some(said) = port.str_at(&["protocol"])
        && !protocols.contains(&said)
    {
        faults.unsupported(format!("{path}.protocol"), said, &protocols);
    }
}
