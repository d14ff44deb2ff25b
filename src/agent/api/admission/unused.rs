//! Fields that are accepted, since Kubernetes' schemas have them, but that a single host does not
//! act on: whoever sets one is told by a warning, so that nothing is silently ignored.
//!
//! What makes no difference on one host (spreading, traffic distribution), and preemption, which
//! a pod can only hope for, is not told.
//! `docs/agent.md` lists the same fields.

use crate::yaml::Node;

/// What a field must be for a warning.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Set to anything but an empty value.
    Set,
    /// This value.
    Is(&'static str),
    /// True.
    True,
    /// False.
    False,
    /// Set, and not one of these.
    Other(&'static [&'static str]),
}

/// Fields of a pod's spec; `[]` stands for every item.
const POD: &[(&str, When, &str)] = &[
    ("hostUsers", When::False, "the pod runs in the host's user namespace"),
    ("hostnameOverride", When::Set, "the pod keeps its own host name"),
    ("overhead", When::Set, "it is not counted"),
    ("resourceClaims", When::Set, "there are no claims"),
    ("runtimeClassName", When::Set, "there is one runtime"),
    ("schedulerName", When::Other(&["default-scheduler"]), "the agent binds every pod itself"),
    ("shareProcessNamespace", When::True, "each container has a process namespace of its own"),
    ("securityContext.appArmorProfile", When::Set, "no profile is applied"),
    ("securityContext.seLinuxOptions", When::Set, "no label is applied"),
    ("securityContext.supplementalGroupsPolicy", When::Is("Strict"), "groups are merged"),
    ("volumes[].csi", When::Set, "the volume cannot be mounted"),
    ("volumes[].ephemeral", When::Set, "the volume cannot be mounted"),
    ("volumes[].nfs", When::Set, "the volume cannot be mounted"),
    ("containers[].resizePolicy", When::Set, "containers are not resized in place"),
    ("containers[].restartPolicyRules", When::Set, "the restart policy alone decides"),
    ("containers[].securityContext.appArmorProfile", When::Set, "no profile is applied"),
    ("containers[].securityContext.seLinuxOptions", When::Set, "no label is applied"),
    ("containers[].volumeDevices", When::Set, "there are no block devices"),
    (
        "ephemeralContainers[].targetContainerName",
        When::Set,
        "the container sees processes of its own only",
    ),
];

/// Fields of a Service's spec.
const SERVICE: &[(&str, When, &str)] = &[
    ("loadBalancerIP", When::Set, "there is no load balancer"),
    (
        "type",
        When::Is("LoadBalancer"),
        "there is no load balancer; the Service answers on its node ports",
    ),
];

/// Fields of a definition's spec.
const DEFINITION: &[(&str, When, &str)] = &[(
    "conversion.strategy",
    When::Is("Webhook"),
    "no webhook is called; versions differ in their apiVersion alone",
)];

/// The warnings that an object of a kind gives.
pub(crate) fn warnings(kind: &str, object: &Node) -> Vec<String> {
    let (fields, path): (_, &[&str]) = match kind {
        "Pod" => (POD, &["spec"]),
        "Deployment" | "ReplicaSet" | "Job" => (POD, &["spec", "template", "spec"]),
        "CronJob" => (POD, &["spec", "jobTemplate", "spec", "template", "spec"]),
        "Service" => (SERVICE, &["spec"]),
        "CustomResourceDefinition" => (DEFINITION, &["spec"]),
        _ => return Vec::new(),
    };
    let Some(spec) = object.at(path) else { return Vec::new() };
    let mut found = Vec::new();
    for (field, when, effect) in fields {
        look(spec, field, &path.join("."), &mut |at, value| {
            if when.holds(value) {
                found.push(format!("{at}: the agent does not act on it: {effect}"));
            }
        });
    }
    found
}

impl When {
    fn holds(self, value: &Node) -> bool {
        let empty = || {
            value.is_null()
                || value.as_str() == Some("")
                || value.as_list().is_some_and(<[Node]>::is_empty)
        };
        match self {
            When::Set => !empty(),
            When::Is(text) => value.as_str() == Some(text),
            When::True => value.as_bool() == Some(true),
            When::False => value.as_bool() == Some(false),
            When::Other(known) => {
                !empty() && value.as_str().is_none_or(|text| !known.contains(&text))
            }
        }
    }
}

/// Shows every value at a path, with the path as Kubernetes' messages write it.
fn look(node: &Node, field: &str, at: &str, show: &mut dyn FnMut(&str, &Node)) {
    let (step, rest) = field.split_once('.').unwrap_or((field, ""));
    let mut go = |node: &Node, at: &str| {
        if rest.is_empty() { show(at, node) } else { look(node, rest, at, show) }
    };
    if let Some(list) = step.strip_suffix("[]") {
        for (index, item) in node.items_at(&[list]).iter().enumerate() {
            go(item, &format!("{at}.{list}[{index}]"));
        }
    } else if let Some(value) = node.get(step) {
        go(value, &format!("{at}.{step}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_acted_on_is_told_with_its_place() {
        let pod = json!({
            "hostUsers": false,
            "schedulerName": "default-scheduler",
            "shareProcessNamespace": false,
            "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "nfs": {"server": "s"}}],
            "containers": [{"name": "c", "resizePolicy": [], "volumeDevices": [{"name": "d"}]}],
        });
        let deployment = Node::from(json!({"spec": {"template": {"spec": pod}}}));
        assert_eq!(
            warnings("Deployment", &deployment),
            [
                "spec.template.spec.hostUsers: the agent does not act on it: the pod runs in the \
                 host's user namespace",
                "spec.template.spec.volumes[1].nfs: the agent does not act on it: the volume \
                 cannot be mounted",
                "spec.template.spec.containers[0].volumeDevices: the agent does not act on it: \
                 there are no block devices",
            ]
        );
        let service = Node::from(json!({"spec": {"type": "LoadBalancer"}}));
        assert_eq!(warnings("Service", &service).len(), 1);
        assert!(warnings("ConfigMap", &service).is_empty());
    }

    #[test]
    fn the_docs_list_every_field() {
        let docs = include_str!("../../../../docs/agent.md");
        for (field, _, _) in POD.iter().chain(SERVICE) {
            assert!(docs.contains(&format!("`{field}`")), "docs/agent.md lacks `{field}`");
        }
    }
}
