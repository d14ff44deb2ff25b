//! What a namespace's limit ranges say of its pods and claims (`plugin/pkg/admission/limitranger`).

use super::Refusal;
use crate::agent::store::{Resource, Store};
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::yaml::{Map, Node};
use std::collections::BTreeMap;

/// Tells which amounts of a pod were filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Amounts by the names of resources.
type Amounts = BTreeMap<String, Quantity>;

/// The items of all limit ranges of a namespace that are about one type of objects.
fn items(store: &Store, namespace: &str, kind: &str) -> Vec<Node> {
    let (ranges, _) = store.list(&"limitranges".into(), Some(namespace));
    let items = ranges.iter().flat_map(|range| range.object.items_at(&["spec", "limits"]));
    items.filter(|item| item.str_at(&["type"]) == Some(kind)).cloned().collect()
}

/// Fills in what the containers of a pod leave out.
pub(super) fn fill(store: &Store, pod: &mut Node) {
    let mut told = Vec::new();
    for item in items(store, meta::namespace(pod), "Container") {
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            let containers = pod.at_mut(&["spec", list]).and_then(Node::as_list_mut);
            for container in containers.into_iter().flatten() {
                for (part, default, word) in
                    [("requests", "defaultRequest", "request"), ("limits", "default", "limit")]
                {
                    let filled = fill_in(container, part, item.get(default));
                    if !filled.is_empty() {
                        let name = container.str_at(&["name"]).unwrap_or_default();
                        told.push(format!("{} {word} for {what} {name}", filled.join(", ")));
                    }
                }
            }
        }
    }
    if !told.is_empty() {
        let text = format!("LimitRanger plugin set: {}", told.join("; "));
        pod.set_at(&["metadata", "annotations", ANNOTATION], text);
    }
}

/// Sets the amounts that a container lacks; their names, sorted.
fn fill_in(container: &mut Node, part: &str, defaults: Option<&Node>) -> Vec<String> {
    let mut filled = Vec::new();
    for entry in defaults.and_then(Node::as_map).into_iter().flatten() {
        let path = ["resources", part, entry.key.as_str()];
        if container.at(&path).is_none() {
            container.set_at(&path, entry.value.clone());
            filled.push(entry.key.to_string());
        }
    }
    filled.sort();
    filled
}

/// Checks a new object against the limits of its namespace; all breaches are told.
pub(super) fn check(store: &Store, resource: &Resource, object: &Node) -> Result<(), Refusal> {
    let namespace = meta::namespace(object);
    let mut faults = Vec::new();
    match resource.as_str() {
        "pods" => {
            let containers = object.items_at(&["spec", "containers"]);
            let first = object.items_at(&["spec", "initContainers"]);
            for item in items(store, namespace, "Container") {
                for container in containers.iter().chain(first) {
                    let of = |part| amounts(container.at(&["resources", part]));
                    hold(&item, "Container", &of("requests"), &of("limits"), &mut faults);
                }
            }
            for item in items(store, namespace, "Pod") {
                let of = |part| together(containers, first, part);
                hold(&item, "Pod", &of("requests"), &of("limits"), &mut faults);
            }
        }
        "persistentvolumeclaims" => {
            for item in items(store, namespace, "PersistentVolumeClaim") {
                let asked = amounts(object.at(&["spec", "resources", "requests"]));
                hold_request(&item, "PersistentVolumeClaim", &asked, &mut faults);
            }
        }
        _ => {}
    }
    match faults.as_slice() {
        [] => Ok(()),
        [one] => Err(Refusal(one.clone())),
        all => Err(Refusal(format!("[{}]", all.join(", ")))),
    }
}

fn amounts(node: Option<&Node>) -> Amounts {
    let entries = node.and_then(Node::as_map).into_iter().flat_map(Map::iter);
    let read = |node| Quantity::from_node(node).unwrap_or_default();
    entries.map(|entry| (entry.key.to_string(), read(&entry.value))).collect()
}

/// What a pod's containers take together; those that run first run one after the other.
fn together(containers: &[Node], first: &[Node], part: &str) -> Amounts {
    let of = |container: &Node| amounts(container.at(&["resources", part]));
    let mut sum = Amounts::new();
    for (name, amount) in containers.iter().flat_map(of) {
        let entry = sum.entry(name).or_default();
        *entry = *entry + amount;
    }
    for (name, amount) in first.iter().flat_map(of) {
        let entry = sum.entry(name).or_default();
        *entry = (*entry).max(amount);
    }
    sum
}

/// Holds requests and limits against the bounds of one item.
fn hold(item: &Node, kind: &str, asked: &Amounts, limits: &Amounts, faults: &mut Vec<String>) {
    for (name, bound) in amounts(item.get("min")) {
        let rule = format!("minimum {name} usage per {kind} is {bound}");
        match asked.get(&name) {
            None => faults.push(format!("{rule}.  No request is specified")),
            Some(own) if *own < bound => faults.push(format!("{rule}, but request is {own}")),
            Some(_) => {
                if let Some(own) = limits.get(&name).filter(|own| **own < bound) {
                    faults.push(format!("{rule}, but limit is {own}"));
                }
            }
        }
    }
    for (name, bound) in amounts(item.get("max")) {
        let rule = format!("maximum {name} usage per {kind} is {bound}");
        match limits.get(&name) {
            None => faults.push(format!("{rule}.  No limit is specified")),
            Some(own) if *own > bound => faults.push(format!("{rule}, but limit is {own}")),
            Some(_) => {
                if let Some(own) = asked.get(&name).filter(|own| **own > bound) {
                    faults.push(format!("{rule}, but request is {own}"));
                }
            }
        }
    }
    for (name, bound) in amounts(item.get("maxLimitRequestRatio")) {
        let rule = format!("{name} max limit to request ratio per {kind} is {bound}, but");
        let set = |amounts: &Amounts| amounts.get(&name).copied().filter(|own| !own.is_zero());
        match (set(asked), set(limits)) {
            (None, _) => faults.push(format!("{rule} no request is specified or request is 0")),
            (_, None) => faults.push(format!("{rule} no limit is specified or limit is 0")),
            (Some(own), Some(limit)) => {
                let ratio = limit.as_f64() / own.as_f64();
                if ratio > bound.as_f64() {
                    faults.push(format!("{rule} provided ratio is {ratio:.6}"));
                }
            }
        }
    }
}

/// Holds what a claim asks for against the bounds of one item.
fn hold_request(item: &Node, kind: &str, asked: &Amounts, faults: &mut Vec<String>) {
    for (bounds, word) in [("min", "minimum"), ("max", "maximum")] {
        for (name, bound) in amounts(item.get(bounds)) {
            let rule = format!("{word} {name} usage per {kind} is {bound}");
            match asked.get(&name) {
                None => faults.push(format!("{rule}.  No request is specified")),
                Some(own)
                    if (bounds == "min" && *own < bound) || (bounds == "max" && *own > bound) =>
                {
                    faults.push(format!("{rule}, but request is {own}"));
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;
    use crate::agent::store::{Key, Op};
    use serde_json::{Value, json};

    async fn refusal(limits: Value, resource: &str, spec: Value) -> Option<String> {
        let store = Store::in_memory().expect("a store in memory");
        let object = Node::from(json!({"spec": {"limits": [limits]}}));
        let key = Key::new("limitranges", "n", "r");
        store.commit(vec![Op::Create { key, object }]).await.expect("a new object");
        let mut object = Node::from(json!({"metadata": {"namespace": "n"}, "spec": spec}));
        let done = Entry::new(store).complete(&resource.into(), &mut object);
        done.err().map(|refusal| refusal.0)
    }

    #[tokio::test]
    async fn bounds_are_held() {
        let container = |requests: Value, limits: Value| json!({"name": "c", "resources": {"requests": requests, "limits": limits}});
        let ratio = json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}});
        let spec =
            json!({"containers": [container(json!({"cpu": "100m"}), json!({"cpu": "300m"}))]});
        assert_eq!(
            refusal(ratio, "pods", spec).await.expect("too much"),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"
        );
        let pod = json!({"type": "Pod", "max": {"cpu": "500m"}, "min": {"memory": "1Gi"}});
        let spec = json!({"containers": [
            container(json!({"cpu": "300m"}), json!({"cpu": "300m"})),
            container(json!({"cpu": "300m"}), json!({"cpu": "300m"})),
        ]});
        assert_eq!(
            refusal(pod.clone(), "pods", spec).await.expect("too much, and too little"),
            "[minimum memory usage per Pod is 1Gi.  No request is specified, maximum cpu usage per \
             Pod is 500m, but limit is 600m]"
        );
        let enough = json!({"cpu": "300m", "memory": "2Gi"});
        let spec = json!({"containers": [container(enough.clone(), enough)]});
        assert_eq!(refusal(pod, "pods", spec).await, None);
        let claim = json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}});
        let spec = json!({"resources": {"requests": {"storage": "2Gi"}}});
        assert_eq!(
            refusal(claim, "persistentvolumeclaims", spec).await.expect("too much"),
            "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"
        );
    }
}
