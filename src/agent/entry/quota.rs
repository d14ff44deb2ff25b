//! Quotas: how much a namespace may hold. Usage is counted from the objects themselves, when
//! something is created (under a lock, so that two creations cannot both take the last place) and,
//! for the status, whenever something changes.

use super::Refusal;
use crate::agent::store::{Resource, Store, Stored};
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::yaml::{Map, Node};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Changes that come together are counted together.
const PAUSE: Duration = Duration::from_millis(20);

/// Core resources that a quota counts by their plain name.
pub const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// The key of what all claims ask for together.
const STORAGE: &str = "requests.storage";

/// The quotas of a namespace, or of all.
pub(super) fn quotas(store: &Store, namespace: Option<&str>) -> Vec<Arc<Stored>> {
    store.list(&"resourcequotas".into(), namespace).0
}

/// One key of a quota, in thousandths: what an object takes, what is in use, what there is.
struct Line<'a> {
    key: &'a str,
    asked: i64,
    used: i64,
    limit: i64,
}

/// How many copies of an object there is room for, at most `wanted`, and why not for more.
pub(super) fn room(
    store: &Store,
    resource: &Resource,
    object: &Node,
    wanted: usize,
) -> (usize, Option<Refusal>) {
    let mut room = (wanted, None);
    for quota in quotas(store, Some(meta::namespace(object))) {
        if in_scope(&quota.object, resource, object) {
            let (count, why) = room_of(store, &quota, resource, object, room.0);
            room = (count, why.or(room.1));
        }
    }
    room
}

/// The room that one quota leaves.
fn room_of(
    store: &Store,
    quota: &Stored,
    resource: &Resource,
    object: &Node,
    wanted: usize,
) -> (usize, Option<Refusal>) {
    let name = quota.key.name.as_str();
    let hard = quota.object.at(&["spec", "hard"]).and_then(Node::as_map);
    let mut lines = Vec::new();
    let mut missing = Vec::new();
    for entry in hard.into_iter().flatten() {
        let key = entry.key.as_str();
        let Some(asked) = charge(resource, object, key) else { continue };
        if let Some((amount, field)) = compute(key) {
            let without = containers_without(object, amount, field);
            if !without.is_empty() {
                missing.push(format!("{key} for: {}", without.join(",")));
            }
        }
        let limit = Quantity::from_node(&entry.value).map_or(0, Quantity::milli);
        let used = usage(store, &quota.key.namespace, &quota.object, key);
        lines.push(Line { key, asked, used, limit });
    }
    if !missing.is_empty() {
        missing.sort();
        let why = format!("failed quota: {name}: must specify {}", missing.join("; "));
        return (0, Some(Refusal(why)));
    }
    let fits = lines.iter().filter(|line| line.asked > 0);
    let fits = fits.map(|line| ((line.limit - line.used) / line.asked).max(0)).min();
    let count = fits.and_then(|fits| usize::try_from(fits).ok()).unwrap_or(wanted).min(wanted);
    if count == wanted {
        return (wanted, None);
    }
    // told is what stops the next one, with those before it in use
    let before = i64::try_from(count).unwrap_or(i64::MAX);
    for line in &mut lines {
        line.used += line.asked * before;
    }
    lines.retain(|line| line.asked > 0 && line.used + line.asked > line.limit);
    lines.sort_unstable_by_key(|line| line.key);
    let show = |column: fn(&Line<'_>) -> i64| {
        let all = lines.iter();
        let one = all.map(|line| format!("{}={}", line.key, Quantity::from_milli(column(line))));
        one.collect::<Vec<_>>().join(",")
    };
    let why = format!(
        "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
        show(|line| line.asked),
        show(|line| line.used),
        show(|line| line.limit)
    );
    (count, Some(Refusal(why)))
}

/// True when a quota is about an object of a resource.
fn in_scope(quota: &Node, resource: &Resource, object: &Node) -> bool {
    let scopes = quota.items_at(&["spec", "scopes"]);
    scopes.is_empty()
        || resource.as_str() == "pods"
            && scopes.iter().filter_map(Node::as_str).all(|scope| {
                let terminating = object.at(&["spec", "activeDeadlineSeconds"]).is_some();
                match scope {
                    "Terminating" => terminating,
                    "NotTerminating" => !terminating,
                    "BestEffort" => is_best_effort(object),
                    "NotBestEffort" => !is_best_effort(object),
                    "PriorityClass" => object.at(&["spec", "priorityClassName"]).is_some(),
                    _ => false,
                }
            })
}

fn is_best_effort(pod: &Node) -> bool {
    pod.items_at(&["spec", "containers"]).iter().all(|container| {
        ["requests", "limits"].iter().all(|part| {
            let amounts = container.at(&["resources", part]).and_then(Node::as_map);
            amounts.is_none_or(Map::is_empty)
        })
    })
}

/// The amount and the part of `resources` that a key like `limits.cpu` is about.
fn compute(key: &str) -> Option<(&str, &'static str)> {
    let (part, amount) = match key.split_once('.') {
        Some(("requests", amount)) => ("requests", amount),
        Some(("limits", amount)) => ("limits", amount),
        _ => ("requests", key),
    };
    matches!(amount, "cpu" | "memory" | "ephemeral-storage").then_some((amount, part))
}

fn containers_without<'a>(pod: &'a Node, amount: &str, part: &str) -> Vec<&'a str> {
    let all = pod.items_at(&["spec", "containers"]).iter();
    all.filter(|container| container.at(&["resources", part, amount]).is_none())
        .filter_map(|container| container.str_at(&["name"]))
        .collect()
}

/// What an object takes of a quota's key, in thousandths; nothing when the key is not about it.
fn charge(resource: &Resource, object: &Node, key: &str) -> Option<i64> {
    let resource = resource.as_str();
    if let Some(counted) = key.strip_prefix("count/") {
        return (counted == resource).then_some(1000);
    }
    if resource == "services" {
        let ports = object.items_at(&["spec", "ports"]);
        let kind = object.str_at(&["spec", "type"]).unwrap_or("ClusterIP");
        let count = i64::try_from(ports.len()).unwrap_or(i64::MAX / 1000);
        return match key {
            "services" => Some(1000),
            "services.nodeports" if matches!(kind, "NodePort" | "LoadBalancer") => {
                Some(count * 1000)
            }
            "services.loadbalancers" if kind == "LoadBalancer" => Some(1000),
            _ => None,
        };
    }
    if resource == "persistentvolumeclaims" && key == STORAGE {
        let asked = object.at(&["spec", "resources", "requests", "storage"]);
        return Some(asked.and_then(Quantity::from_node).map_or(0, Quantity::milli));
    }
    if resource != "pods" {
        return (COUNTED.contains(&resource) && key == resource).then_some(1000);
    }
    if matches!(object.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        return None;
    }
    if key == "pods" {
        return Some(1000);
    }
    let (amount, part) = compute(key)?;
    let sum = |field: &str| -> Vec<i64> {
        let all = object.items_at(&["spec", field]).iter();
        all.map(|container| {
            let node = container.at(&["resources", part, amount]);
            node.and_then(Quantity::from_node).map_or(0, Quantity::milli)
        })
        .collect()
    };
    // init containers run one after the other, before the others
    let together: i64 = sum("containers").iter().sum();
    Some(together.max(sum("initContainers").into_iter().max().unwrap_or(0)))
}

/// How much of a key is in use.
fn usage(store: &Store, namespace: &str, quota: &Node, key: &str) -> i64 {
    let name = match key.strip_prefix("count/") {
        Some(counted) => counted,
        None if key.starts_with("services.") => "services",
        None if key == STORAGE => "persistentvolumeclaims",
        None if compute(key).is_some() => "pods",
        None => key,
    };
    let resource = Resource::new(name);
    let objects = store.list(&resource, Some(namespace)).0;
    let counted = objects.iter().filter(|stored| in_scope(quota, &resource, &stored.object));
    counted.filter_map(|stored| charge(&resource, &stored.object, key)).sum()
}

/// Keeps the status of quotas true until `stop` is cancelled.
pub(super) async fn run(store: &Store, stop: CancellationToken) {
    let mut seen = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = store.reached(seen + 1) => {}
        }
        tokio::time::sleep(PAUSE).await;
        seen = store.revision();
        for quota in quotas(store, None) {
            let hard = quota.object.at(&["spec", "hard"]).cloned().unwrap_or_else(Node::map);
            let mut used = Node::map();
            for entry in hard.as_map().into_iter().flatten() {
                let amount = usage(store, &quota.key.namespace, &quota.object, &entry.key);
                used.set(&entry.key, Quantity::from_milli(amount).to_string());
            }
            let mut status = Node::map();
            status.set("hard", hard);
            status.set("used", used);
            if quota.object.get("status") == Some(&status) {
                continue;
            }
            // a quota that cannot be written now is looked at again with the next change
            let _ = store
                .modify(&quota.key, |object| {
                    object.set("status", status.clone());
                    true
                })
                .await;
        }
    }
}
