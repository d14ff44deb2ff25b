//! Quotas: how much a namespace may hold. Usage is counted from the objects themselves, when
//! something is created (under a lock, so that two requests cannot both take the last place) and,
//! for the status, whenever something changes.

use super::Api;
use super::kind::{self, Kind};
use super::status::Status;
use crate::agent::store::{Resource, Stored};
use crate::object::quantity::Quantity;
use crate::yaml::{Map, Node};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;

/// Changes that come together are counted together.
const PAUSE: Duration = Duration::from_millis(20);

/// Core resources that a quota counts by their plain name.
pub(super) const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

fn quotas(api: &Api, namespace: Option<&str>) -> Vec<Arc<Stored>> {
    api.store.list(&kind::built_in("resourcequotas").resource(), namespace).0
}

/// Checks a new object against the quotas of its namespace. Nothing else that they count may be
/// created until the guard is dropped, which is after the object has been stored.
pub(super) async fn admit<'a>(
    api: &'a Api,
    kind: &Kind,
    object: &Node,
) -> Result<Option<MutexGuard<'a, ()>>, Status> {
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or_default();
    if namespace.is_empty() || quotas(api, Some(namespace)).is_empty() {
        return Ok(None);
    }
    let guard = api.quotas.lock().await;
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    for quota in quotas(api, Some(namespace)) {
        if !in_scope(&quota.object, kind, object) {
            continue;
        }
        let quota_name = quota.key.name.as_str();
        let hard = quota.object.at(&["spec", "hard"]).and_then(Node::as_map);
        let mut exceeded = Vec::new();
        let mut missing = Vec::new();
        for entry in hard.into_iter().flatten() {
            let key = entry.key.as_str();
            let Some(asked) = charge(&kind.resource(), object, key) else { continue };
            if let Some((amount, field)) = compute(key) {
                let without = containers_without(object, amount, field);
                if !without.is_empty() {
                    missing.push(format!("{key} for: {}", without.join(",")));
                }
            }
            let limit = Quantity::from_node(&entry.value).map_or(0, Quantity::milli);
            let used = usage(api, namespace, &quota.object, key);
            if asked > 0 && used + asked > limit {
                exceeded.push((key, [asked, used, limit]));
            }
        }
        if !missing.is_empty() {
            missing.sort();
            let why = format!("failed quota: {quota_name}: must specify {}", missing.join("; "));
            return Err(Status::forbidden(kind, name, &why));
        }
        if !exceeded.is_empty() {
            exceeded.sort_unstable();
            let show = |column: usize| {
                let all = exceeded.iter();
                let one = all.map(|(key, amounts)| {
                    format!("{key}={}", Quantity::from_milli(amounts[column]))
                });
                one.collect::<Vec<_>>().join(",")
            };
            let why = format!(
                "exceeded quota: {quota_name}, requested: {}, used: {}, limited: {}",
                show(0),
                show(1),
                show(2)
            );
            return Err(Status::forbidden(kind, name, &why));
        }
    }
    Ok(Some(guard))
}

/// True when a quota is about an object of a kind.
fn in_scope(quota: &Node, kind: &Kind, object: &Node) -> bool {
    let scopes = quota.items_at(&["spec", "scopes"]);
    scopes.is_empty()
        || kind.kind == "Pod"
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
fn usage(api: &Api, namespace: &str, quota: &Node, key: &str) -> i64 {
    let name = match key.strip_prefix("count/") {
        Some(counted) => counted,
        None if key.starts_with("services.") => "services",
        None if compute(key).is_some() => "pods",
        None => key,
    };
    let resource = Resource::new(name);
    let kinds = api.kinds();
    let Some(kind) = kinds.by_resource(&resource) else { return 0 };
    let objects = api.store.list(&resource, Some(namespace)).0;
    let counted = objects.iter().filter(|stored| in_scope(quota, kind, &stored.object));
    counted.filter_map(|stored| charge(&resource, &stored.object, key)).sum()
}

/// Keeps the status of quotas true until the server stops.
pub(super) async fn run(api: Arc<Api>) {
    let mut seen = 0;
    loop {
        tokio::select! {
            () = api.stop.cancelled() => return,
            () = api.store.reached(seen + 1) => {}
        }
        tokio::time::sleep(PAUSE).await;
        seen = api.store.revision();
        for quota in quotas(&api, None) {
            let hard = quota.object.at(&["spec", "hard"]).cloned().unwrap_or_else(Node::map);
            let mut used = Node::map();
            for entry in hard.as_map().into_iter().flatten() {
                let amount = usage(&api, &quota.key.namespace, &quota.object, &entry.key);
                used.set(&entry.key, Quantity::from_milli(amount).to_string());
            }
            let mut status = Node::map();
            status.set("hard", hard);
            status.set("used", used);
            if quota.object.get("status") == Some(&status) {
                continue;
            }
            // a quota that cannot be written now is looked at again with the next change
            let _ = api
                .store
                .modify(&quota.key, |object| {
                    object.set("status", status.clone());
                    true
                })
                .await;
        }
    }
}
