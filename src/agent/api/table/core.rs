//! Columns of the core group's kinds but Pods.

use super::cell::{age, count, labels, name, or_none, since};
use super::{AGE, Column, Columns, NAME};
use crate::yaml::Node;
use jiff::Timestamp;

pub(crate) static PLAIN: Columns =
    Columns { columns: &[NAME, AGE], cells: |object, now| vec![name(object), age(object, now)] };

pub(crate) static CONFIG_MAP: Columns = Columns {
    columns: &[NAME, Column::text("Data", "Data contains the configuration data."), AGE],
    cells: |object, now| {
        let keys = entries(object, "data") + entries(object, "binaryData");
        vec![name(object), keys.into(), age(object, now)]
    },
};

pub(crate) static SECRET: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Type", "Used to facilitate programmatic handling of secret data."),
        Column::text("Data", "Data contains the secret data."),
        AGE,
    ],
    cells: |object, now| {
        let kind = object.str_at(&["type"]).unwrap_or_default();
        vec![name(object), kind.into(), entries(object, "data").into(), age(object, now)]
    },
};

fn entries(object: &Node, field: &str) -> i64 {
    let map = object.get(field).and_then(Node::as_map);
    i64::try_from(map.map_or(0, crate::yaml::Map::len)).expect("a body has a limited size")
}

pub(crate) static NAMESPACE: Columns = Columns {
    columns: &[NAME, Column::text("Status", "The status of the namespace"), AGE],
    cells: |object, now| {
        let phase = object.str_at(&["status", "phase"]).unwrap_or_default();
        vec![name(object), phase.into(), age(object, now)]
    },
};

pub(crate) static SERVICE_ACCOUNT: Columns =
    Columns { columns: &[NAME, AGE], cells: |object, now| vec![name(object), age(object, now)] };

pub(crate) static LEASE: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "Holder",
            "holderIdentity contains the identity of the holder of a current lease.",
        ),
        AGE,
    ],
    cells: |object, now| {
        let holder = object.str_at(&["spec", "holderIdentity"]).unwrap_or_default();
        vec![name(object), holder.into(), age(object, now)]
    },
};

pub(crate) static EVENT: Columns = Columns {
    columns: &[
        Column::text("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
        Column::text("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
        Column::text("Reason", "This should be a short, machine understandable string that gives the reason for the transition into the object's current status."),
        Column::text("Object", "The object that this event is about."),
        Column::text("Subobject", "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement.").wide(),
        Column::text("Source", "The component reporting this event.").wide(),
        Column::text("Message", "A human-readable description of the status of this operation."),
        Column::text("First Seen", "The time at which the event was first recorded.").wide(),
        Column::text("Count", "The number of times this event has occurred.").wide(),
        Column { priority: 1, ..NAME },
    ],
    cells: event,
};

fn event(object: &Node, now: Timestamp) -> Vec<Node> {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
    let set = |path: &[&str]| object.at(path).filter(|time| !time.is_null());
    let event_time = set(&["eventTime"]);
    let first = since(set(&["firstTimestamp"]).or(event_time), now);
    let last = set(&["series", "lastObservedTime"]).or_else(|| set(&["lastTimestamp"]));
    let last = last.map_or_else(|| first.clone(), |time| since(Some(time), now));
    let series = object.i64_at(&["series", "count"]);
    let times = series.or_else(|| object.i64_at(&["count"])).unwrap_or(1);
    let about =
        [text(&["involvedObject", "kind"]).to_lowercase(), text(&["involvedObject", "name"])];
    let about = if about[1].is_empty() { about[0].clone() } else { about.join("/") };
    let mut source = text(&["source", "component"]);
    if source.is_empty() {
        source = text(&["reportingComponent"]);
    }
    let host = text(&["source", "host"]);
    if !host.is_empty() {
        source = format!("{source}, {host}");
    }
    vec![
        last.into(),
        text(&["type"]).into(),
        text(&["reason"]).into(),
        about.into(),
        text(&["involvedObject", "fieldPath"]).into(),
        source.into(),
        text(&["message"]).trim().into(),
        first.into(),
        times.into(),
        name(object),
    ]
}

pub(crate) static SERVICE: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Type", "Type determines how the Service is exposed."),
        Column::text(
            "Cluster-IP",
            "clusterIP is the IP address of the service and is usually assigned randomly.",
        ),
        Column::text(
            "External-IP",
            "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.",
        ),
        Column::text("Port(s)", "The list of ports that are exposed by this service."),
        AGE,
        Column::text(
            "Selector",
            "Route service traffic to pods with label keys and values matching this selector.",
        )
        .wide(),
    ],
    cells: service,
};

fn service(object: &Node, now: Timestamp) -> Vec<Node> {
    let kind = object.str_at(&["spec", "type"]).unwrap_or_default();
    let cluster_ip = match object.items_at(&["spec", "clusterIPs"]).first() {
        Some(ip) => ip.as_str().unwrap_or_default(),
        None => "<none>",
    };
    let cluster_ip = if kind == "ExternalName" { "<none>" } else { cluster_ip };
    vec![
        name(object),
        kind.into(),
        cluster_ip.into(),
        external_ip(object, kind).into(),
        ports(object).into(),
        age(object, now),
        labels(object.at(&["spec", "selector"]).and_then(Node::as_map)).into(),
    ]
}

fn external_ip(object: &Node, kind: &str) -> String {
    let texts = |items: &[Node]| -> Vec<String> {
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let given = texts(object.items_at(&["spec", "externalIPs"])).join(",");
    match kind {
        "ExternalName" => object.str_at(&["spec", "externalName"]).unwrap_or_default().to_owned(),
        "LoadBalancer" => {
            let ingress = object.items_at(&["status", "loadBalancer", "ingress"]);
            let mut found: Vec<String> = ingress
                .iter()
                .filter_map(|item| item.str_at(&["ip"]).or_else(|| item.str_at(&["hostname"])))
                .map(str::to_owned)
                .collect();
            if !given.is_empty() {
                found.push(given);
            }
            if found.is_empty() { "<pending>".into() } else { found.join(",") }
        }
        _ => or_none(&given).to_owned(),
    }
}

fn ports(object: &Node) -> String {
    let parts: Vec<String> = object
        .items_at(&["spec", "ports"])
        .iter()
        .map(|port| {
            let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
            let number = count(port, &["port"]);
            match count(port, &["nodePort"]) {
                0 => format!("{number}/{protocol}"),
                node => format!("{number}:{node}/{protocol}"),
            }
        })
        .collect();
    or_none(&parts.join(",")).to_owned()
}

pub(crate) static NODE: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Status", "The status of the node"),
        Column::text("Roles", "The roles of the node"),
        AGE,
        Column::text("Version", "Kubelet Version reported by the node."),
        Column::text("Internal-IP", "List of addresses reachable to the node.").wide(),
        Column::text("External-IP", "List of addresses reachable to the node.").wide(),
        Column::text("OS-Image", "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).").wide(),
        Column::text("Kernel-Version", "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).").wide(),
        Column::text("Container-Runtime", "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).").wide(),
    ],
    cells: node,
};

fn node(object: &Node, now: Timestamp) -> Vec<Node> {
    let ready = object
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some("Ready"));
    let mut status = match ready.and_then(|condition| condition.str_at(&["status"])) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object.at(&["spec", "unschedulable"]).and_then(Node::as_bool) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let mut roles: Vec<&str> = object
        .at(&["metadata", "labels"])
        .and_then(Node::as_map)
        .into_iter()
        .flatten()
        .filter_map(|entry| match entry.key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role),
            _ if entry.key == "kubernetes.io/role" => entry.value.as_str(),
            _ => None,
        })
        .collect();
    roles.sort_unstable();
    let address = |kind: &str| {
        let found = object
            .items_at(&["status", "addresses"])
            .iter()
            .find(|address| address.str_at(&["type"]) == Some(kind))
            .and_then(|address| address.str_at(&["address"]));
        found.unwrap_or("<none>").to_owned()
    };
    let system = |field: &str| {
        let text = object.str_at(&["status", "nodeInfo", field]).unwrap_or_default();
        if text.is_empty() { "<unknown>".to_owned() } else { text.to_owned() }
    };
    vec![
        name(object),
        status.into(),
        or_none(&roles.join(",")).into(),
        age(object, now),
        object.str_at(&["status", "nodeInfo", "kubeletVersion"]).unwrap_or_default().into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        system("osImage").into(),
        system("kernelVersion").into(),
        system("containerRuntimeVersion").into(),
    ]
}
