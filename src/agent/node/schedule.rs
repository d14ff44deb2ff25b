//! Whether a pod may run on this host, which is the only one there is.
//!
//! What the scheduler of Kubernetes would look at on one node: gates, the node's name, selector and
//! affinity, cordons and taints, and whether CPU, memory and the number of pods suffice. Spreading
//! and affinity between pods have no meaning with one node and are not looked at.

use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::json;

/// What a pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// Thousandths of a CPU.
    cpu: i64,
    /// Bytes.
    memory: i64,
    pods: i64,
    /// Ports of the host, each with its protocol.
    ports: Vec<(i64, String)>,
}

impl Requests {
    /// Containers and sidecars together, or the largest init container if that is more.
    pub(super) fn of(pod: &Node) -> Requests {
        let mut all = Requests { pods: 1, ..Requests::default() };
        let mut most = Requests::default();
        for container in pod.items_at(&["spec", "containers"]) {
            all.add(&of_container(container));
        }
        for init in pod.items_at(&["spec", "initContainers"]) {
            let own = of_container(init);
            if init.str_at(&["restartPolicy"]) == Some("Always") {
                all.add(&own);
            } else {
                most.cpu = most.cpu.max(own.cpu);
                most.memory = most.memory.max(own.memory);
            }
        }
        Requests { cpu: all.cpu.max(most.cpu), memory: all.memory.max(most.memory), ..all }
    }

    /// What several pods ask for together.
    pub(super) fn sum<'a>(requests: impl Iterator<Item = &'a Requests>) -> Requests {
        let mut all = Requests::default();
        requests.for_each(|one| all.add(one));
        all
    }

    fn add(&mut self, other: &Requests) {
        self.cpu = self.cpu.saturating_add(other.cpu);
        self.memory = self.memory.saturating_add(other.memory);
        self.pods += other.pods;
        self.ports.extend_from_slice(&other.ports);
    }
}

fn of_container(container: &Node) -> Requests {
    let quantity = |name: &str| {
        let of = |list| container.at(&["resources", list, name]).and_then(Quantity::from_node);
        of("requests").or_else(|| of("limits"))
    };
    Requests {
        cpu: quantity("cpu").map_or(0, Quantity::milli),
        memory: quantity("memory").map_or(0, Quantity::value),
        pods: 0,
        ports: container
            .items_at(&["ports"])
            .iter()
            .filter_map(|port| {
                let number = port.i64_at(&["hostPort"]).filter(|port| *port > 0)?;
                Some((number, port.str_at(&["protocol"]).unwrap_or("TCP").to_owned()))
            })
            .collect(),
    }
}

/// Why a pod cannot run: reason and message of its `PodScheduled` condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Obstacle {
    /// The condition that says so; its time moves only with the reason.
    pub(super) fn condition(&self, before: &[Node], now: Timestamp) -> Node {
        let same = before.iter().find(|condition| {
            condition.str_at(&["type"]) == Some("PodScheduled")
                && condition.str_at(&["reason"]) == Some(self.reason)
        });
        let since = same.and_then(|condition| condition.str_at(&["lastTransitionTime"]));
        Node::from(json!({
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": null,
            "lastTransitionTime": since.map_or_else(|| rfc3339_seconds(now), str::to_owned),
            "reason": self.reason,
            "message": self.message,
        }))
    }
}

/// What keeps a pod from this node, when `used` is what the others ask for.
pub(super) fn obstacle(pod: &Node, node: &Node, used: &Requests) -> Option<Obstacle> {
    if !pod.items_at(&["spec", "schedulingGates"]).is_empty() {
        let message = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
        return Some(Obstacle { reason: "SchedulingGated", message });
    }
    let mut faults = Vec::new();
    if !selected(pod, node) || !has_affinity(pod, node) {
        faults.push("1 node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let unschedulable = node.at(&["spec", "unschedulable"]).and_then(Node::as_bool) == Some(true);
    if unschedulable && !tolerates(pod, "node.kubernetes.io/unschedulable", "", "NoSchedule") {
        faults.push("1 node(s) were unschedulable".to_owned());
    }
    for taint in node.items_at(&["spec", "taints"]) {
        let text = |key: &str| taint.str_at(&[key]).unwrap_or_default();
        let (key, value, effect) = (text("key"), text("value"), text("effect"));
        if effect != "PreferNoSchedule" && !tolerates(pod, key, value, effect) {
            faults.push(format!("1 node(s) had untolerated taint {{{key}: {value}}}"));
        }
    }
    let asked = Requests::of(pod);
    let allocatable =
        |name: &str| node.at(&["status", "allocatable", name]).and_then(Quantity::from_node);
    let exceeds = |asked: i64, used: i64, most: Option<i64>| {
        asked > 0 && most.is_some_and(|most| used.saturating_add(asked) > most)
    };
    if asked.ports.iter().any(|port| used.ports.contains(port)) {
        faults.push("1 node(s) didn't have free ports for the requested pod ports".to_owned());
    }
    if exceeds(asked.cpu, used.cpu, allocatable("cpu").map(Quantity::milli)) {
        faults.push("1 Insufficient cpu".to_owned());
    }
    if exceeds(asked.memory, used.memory, allocatable("memory").map(Quantity::value)) {
        faults.push("1 Insufficient memory".to_owned());
    }
    if exceeds(asked.pods, used.pods, allocatable("pods").map(Quantity::value)) {
        faults.push("1 Too many pods".to_owned());
    }
    if faults.is_empty() {
        return None;
    }
    let message = format!("0/1 nodes are available: {}.", faults.join(", "));
    Some(Obstacle { reason: "Unschedulable", message })
}

fn selected(pod: &Node, node: &Node) -> bool {
    let wanted = pod.at(&["spec", "nodeSelector"]).and_then(Node::as_map);
    wanted.into_iter().flatten().all(|entry| {
        node.str_at(&["metadata", "labels", &entry.key]) == Some(entry.value.as_str().unwrap_or(""))
    })
}

/// One of the required terms must fit in all its parts.
fn has_affinity(pod: &Node, node: &Node) -> bool {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let Some(required) = pod.at(&["spec", "affinity", "nodeAffinity", REQUIRED]) else {
        return true;
    };
    required.items_at(&["nodeSelectorTerms"]).iter().any(|term| {
        let labels = term.items_at(&["matchExpressions"]);
        let fields = term.items_at(&["matchFields"]);
        let label = |key: &str| node.str_at(&["metadata", "labels", key]);
        let field = |key: &str| (key == "metadata.name").then(|| meta::name(node));
        !(labels.is_empty() && fields.is_empty())
            && labels.iter().all(|expression| holds(expression, label))
            && fields.iter().all(|expression| holds(expression, field))
    })
}

fn holds<'a>(expression: &Node, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let found = value(expression.str_at(&["key"]).unwrap_or_default());
    let values = expression.items_at(&["values"]);
    let listed = || values.iter().any(|value| value.as_str() == found);
    let compared = |holds: fn(i64, i64) -> bool| {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        match (number(found), number(values.first().and_then(Node::as_str))) {
            (Some(found), Some(bound)) => holds(found, bound),
            _ => false,
        }
    };
    match expression.str_at(&["operator"]).unwrap_or_default() {
        "In" => found.is_some() && listed(),
        "NotIn" => found.is_none() || !listed(),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => compared(|found, bound| found > bound),
        "Lt" => compared(|found, bound| found < bound),
        _ => false,
    }
}

fn tolerates(pod: &Node, key: &str, value: &str, effect: &str) -> bool {
    pod.items_at(&["spec", "tolerations"]).iter().any(|toleration| {
        let text = |key: &str| toleration.str_at(&[key]).unwrap_or_default();
        let fits_key = text("key").is_empty() || text("key") == key;
        let fits_effect = text("effect").is_empty() || text("effect") == effect;
        let fits_value = text("operator") == "Exists" || text("value") == value;
        fits_key && fits_effect && fits_value
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn node() -> Node {
        Node::from(json!({
            "metadata": {"name": "here", "labels": {"disk": "ssd", "size": "5"}},
            "spec": {"taints": [{"key": "only", "value": "x", "effect": "NoSchedule"}]},
            "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"}},
        }))
    }

    fn check(mut spec: Value, expected: Option<&str>) {
        if spec.get("tolerations").is_none() {
            spec["tolerations"] = json!([{"key": "only", "operator": "Exists"}]);
        }
        let pod = Node::from(json!({"spec": spec}));
        let ports = vec![(80, "TCP".to_owned())];
        let used = Requests { cpu: 1500, memory: 0, pods: 2, ports };
        let message = obstacle(&pod, &node(), &used).map(|obstacle| obstacle.message);
        let expected = expected.map(|text| format!("0/1 nodes are available: {text}."));
        assert_eq!(message, expected, "{spec}");
    }

    fn affinity(expression: &Value) -> Value {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}})
    }

    #[test]
    fn pods_run_where_nothing_speaks_against_it() {
        let mismatch = Some("1 node(s) didn't match Pod's node affinity/selector");
        check(json!({}), None);
        check(json!({"nodeSelector": {"disk": "ssd"}}), None);
        check(json!({"nodeSelector": {"disk": "hdd"}}), mismatch);
        check(affinity(&json!({"key": "disk", "operator": "In", "values": ["ssd"]})), None);
        check(affinity(&json!({"key": "disk", "operator": "NotIn", "values": ["ssd"]})), mismatch);
        check(affinity(&json!({"key": "size", "operator": "Gt", "values": ["4"]})), None);
        check(affinity(&json!({"key": "gone", "operator": "Exists"})), mismatch);
        check(json!({"tolerations": []}), Some("1 node(s) had untolerated taint {only: x}"));
        let asks = |cpu: &str, memory: &str| json!({"containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}]});
        let taken = Some("1 node(s) didn't have free ports for the requested pod ports");
        check(json!({"containers": [{"ports": [{"hostPort": 80}]}]}), taken);
        check(json!({"containers": [{"ports": [{"hostPort": 80, "protocol": "UDP"}]}]}), None);
        check(asks("500m", "1Gi"), None);
        check(asks("501m", "2Gi"), Some("1 Insufficient cpu, 1 Insufficient memory"));
    }

    #[test]
    fn gates_hold_a_pod_back() {
        let pod = Node::from(json!({"spec": {"schedulingGates": [{"name": "later"}]}}));
        let found = obstacle(&pod, &node(), &Requests::default()).expect("an obstacle");
        assert_eq!(found.reason, "SchedulingGated");
    }
}
