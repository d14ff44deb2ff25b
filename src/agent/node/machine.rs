//! The host as an object: the Node, kept up to date.
//!
//! The status is written when it changes and every five minutes, as the kubelet does it. Its Lease is
//! renewed with it and says so: a host that is a cluster of its own has nobody who would
//! have to learn within seconds that it is gone, so nothing is written to the disk meanwhile.

use super::host::Host;
use crate::agent::store::{Key, Op, StoreError, metadata};
use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::yaml::Node;
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the status is written though nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(300);

/// The Lease of a host that is well is younger than this, in seconds.
const LEASE: u64 = 2 * HEARTBEAT.as_secs();

/// As many pods as the kubelet takes.
const PODS: u32 = 110;

/// Condition, whether it holds on a host that is well, reason, message.
const CONDITIONS: [(&str, &str, &str, &str); 4] = [
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];

/// Makes the host's Node, or brings it up to date.
pub(super) async fn register(host: &Host) {
    if let Err(error) = write(host).await {
        tracing::warn!(%error, "the host's Node could not be stored");
    }
}

/// Keeps the status of the Node fresh until it is dropped.
pub(super) async fn keep(host: Arc<Host>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        register(&host).await;
    }
}

/// CPU, memory, disk and number of pods as quantities.
pub(super) fn capacity(state_dir: &Path) -> Node {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let disk = rustix::fs::statvfs(state_dir).map_or(0, |disk| disk.f_blocks * disk.f_frsize);
    Node::from(json!({
        "cpu": cpus.to_string(),
        "ephemeral-storage": format!("{}Ki", disk >> 10),
        "memory": format!("{}Ki", memory.unwrap_or(0)),
        "pods": PODS.to_string(),
    }))
}

/// The host's name as objects can have it.
pub(super) fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .take(63)
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// The address under which others reach this host: the one that its way out begins at.
pub(super) fn host_ip() -> Ipv4Addr {
    let find = || {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        // a documentation address (RFC 5737): connecting sends nothing, it only chooses a route
        socket.connect("192.0.2.1:9").or_else(|_| socket.connect("198.51.100.1:9")).ok()?;
        match socket.local_addr().ok()?.ip() {
            std::net::IpAddr::V4(ip) if !ip.is_unspecified() => Some(ip),
            _ => None,
        }
    };
    find().unwrap_or(Ipv4Addr::LOCALHOST)
}

async fn write(host: &Host) -> Result<(), StoreError> {
    let now = host.clock.now();
    let key = Key::new("nodes", "", &host.config.node_name);
    let update = |object: &mut Node| {
        for (label, value) in labels(&host.config.node_name) {
            object.set_at(&["metadata", "labels", label], value);
        }
        let status = status(host, object, &rfc3339_seconds(now));
        object.set("status", status);
        true
    };
    if let Some(node) = host.store.modify(&key, update).await? {
        return renew(host, &node.object).await;
    }
    let mut object = Node::from(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": host.config.node_name},
        "spec": {},
    }));
    metadata::prepare_create(&mut object, now, false);
    update(&mut object);
    match host.store.commit(vec![Op::Create { key, object }]).await {
        Ok(made) => {
            renew(host, &made.first().expect("one operation gives one object").object).await
        }
        Err(StoreError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Renews the Lease of the Node, which clients take for a sign of life.
async fn renew(host: &Host, node: &Node) -> Result<(), StoreError> {
    let now = host.clock.now();
    let name = &host.config.node_name;
    let key = Key::new("leases.coordination.k8s.io", "kube-node-lease", name);
    let renewed = Node::from(json!({
        "holderIdentity": name,
        "leaseDurationSeconds": LEASE,
        "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    }));
    let update = |object: &mut Node| {
        object.set("spec", renewed.clone());
        true
    };
    if host.store.modify(&key, update).await?.is_some() {
        return Ok(());
    }
    let mut object = Node::from(json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": "kube-node-lease",
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": name, "uid": meta::uid(node),
            }],
        },
        "spec": renewed,
    }));
    metadata::prepare_create(&mut object, now, false);
    match host.store.commit(vec![Op::Create { key, object }]).await {
        Ok(_) | Err(StoreError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn labels(name: &str) -> [(&'static str, &str); 5] {
    [
        ("beta.kubernetes.io/arch", architecture()),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture()),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
    ]
}

/// The processor's name as Go has it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn status(host: &Host, stored: &Node, now: &str) -> Node {
    let before = stored.items_at(&["status", "conditions"]);
    let conditions: Vec<Value> = CONDITIONS
        .iter()
        .map(|(kind, holds, reason, message)| {
            let same = before.iter().find(|condition| {
                condition.str_at(&["type"]) == Some(kind)
                    && condition.str_at(&["status"]) == Some(holds)
            });
            let since = same.and_then(|condition| condition.str_at(&["lastTransitionTime"]));
            json!({
                "type": kind,
                "status": holds,
                "lastHeartbeatTime": now,
                "lastTransitionTime": since.unwrap_or(now),
                "reason": reason,
                "message": message,
            })
        })
        .collect();
    let capacity = Value::from(&host.capacity);
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let release = file("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    Node::from(json!({
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": host.config.host_ip},
            {"type": "Hostname", "address": host.config.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": file("/etc/machine-id"),
            "systemUUID": file("/sys/class/dmi/id/product_uuid"),
            "bootID": file("/proc/sys/kernel/random/boot_id"),
            "kernelVersion": rustix::system::uname().release().to_string_lossy(),
            "osImage": system.unwrap_or("Linux").trim_matches('"'),
            "containerRuntimeVersion": concat!("wharf://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": concat!("v1.36.0+wharf-", env!("CARGO_PKG_VERSION")),
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": architecture(),
        },
        "images": host.images.list().iter().map(|image| json!({
            "names": [image.name], "sizeBytes": image.size,
        })).collect::<Vec<_>>(),
    }))
}
