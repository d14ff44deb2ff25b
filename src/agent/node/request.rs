//! From what a pod says to what the runtime is asked for: users, capabilities, limits, names.
//!
//! Pure functions; the state machine in `pod` calls them and the runtime does the work.

use super::status::quality;
use crate::agent::runtime::{Resources, Seccomp, Security, User, is_safe_sysctl};
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::yaml::Node;

/// A field of the container's security context, or of the pod's.
fn context<'a>(pod: &'a Node, container: &'a Node, key: &str) -> Option<&'a Node> {
    let set = |node: &'a Node| node.at(&["securityContext", key]).filter(|value| !value.is_null());
    set(container).or_else(|| pod.get("spec").and_then(set))
}

fn id(node: Option<&Node>) -> Option<u32> {
    node.and_then(Node::as_i64).and_then(|id| u32::try_from(id).ok())
}

/// Who the program runs as; `image_user` is what the image says.
#[must_use]
pub fn user(pod: &Node, container: &Node, image_user: &str) -> User {
    let groups = |key: &str| pod.items_at(&["spec", "securityContext", key]).iter();
    let mut all: Vec<u32> = groups("supplementalGroups").filter_map(|g| id(Some(g))).collect();
    all.extend(id(pod.at(&["spec", "securityContext", "fsGroup"])));
    User {
        name: image_user.to_owned(),
        uid: id(context(pod, container, "runAsUser")),
        gid: id(context(pod, container, "runAsGroup")),
        groups: all,
        not_root: context(pod, container, "runAsNonRoot").and_then(Node::as_bool) == Some(true),
    }
}

/// What the program may do.
#[must_use]
pub fn security(pod: &Node, container: &Node) -> Security {
    let flag = |key: &str| container.at(&["securityContext", key]).and_then(Node::as_bool);
    let names = |key: &str| {
        let list = container.items_at(&["securityContext", "capabilities", key]).iter();
        list.filter_map(Node::as_str).map(str::to_owned).collect()
    };
    let profile = context(pod, container, "seccompProfile");
    let profile = profile.and_then(|profile| profile.str_at(&["type"]));
    Security {
        privileged: flag("privileged") == Some(true),
        add_capabilities: names("add"),
        drop_capabilities: names("drop"),
        no_new_privileges: flag("allowPrivilegeEscalation") == Some(false),
        read_only_root: flag("readOnlyRootFilesystem") == Some(true),
        seccomp: if profile == Some("Unconfined") { Seccomp::Unconfined } else { Seccomp::Default },
        unmasked_proc: container.str_at(&["securityContext", "procMount"]) == Some("Unmasked"),
    }
}

/// What the container may use.
#[must_use]
pub fn resources(pod: &Node, container: &Node, capacity: &Node) -> Resources {
    let quantity = |list: &str, name: &str| {
        container.at(&["resources", list, name]).and_then(Quantity::from_node)
    };
    let limit = quantity("limits", "cpu").map(Quantity::milli).filter(|milli| *milli > 0);
    let request = quantity("requests", "cpu").map(Quantity::milli).or(limit).unwrap_or(0);
    let memory = quantity("limits", "memory").map(Quantity::value).filter(|bytes| *bytes > 0);
    let asked = quantity("requests", "memory").map(Quantity::value).or(memory).unwrap_or(0);
    let all = capacity.get("memory").and_then(Quantity::from_node).map_or(1, Quantity::value);
    // weights and scores as the kubelet computes them
    let score = match quality(pod.get("spec")) {
        "Guaranteed" => -997,
        "BestEffort" => 1000,
        _ => (1000 - i128::from(asked) * 1000 / i128::from(all.max(1))).clamp(3, 999),
    };
    Resources {
        cpu_shares: Some((request.unsigned_abs() * 1024 / 1000).max(2)),
        cpu_limit_milli: limit.map(i64::unsigned_abs),
        memory_limit: memory,
        pids_limit: None,
        oom_score_adj: i32::try_from(score).ok(),
    }
}

/// The host name of a pod.
#[must_use]
pub fn hostname(pod: &Node) -> String {
    let own = pod.str_at(&["spec", "hostname"]).filter(|name| !name.is_empty());
    let mut name = own.unwrap_or_else(|| meta::name(pod)).to_owned();
    // Linux takes 64 bytes, the kubelet 63
    name.truncate(63);
    name.trim_end_matches(['-', '.']).to_owned()
}

/// The pod's full name in the cluster's domain, when it has one.
#[must_use]
pub fn domain_name(pod: &Node, domain: &str) -> Option<String> {
    let subdomain = pod.str_at(&["spec", "subdomain"]).filter(|name| !name.is_empty())?;
    Some(format!("{}.{subdomain}.{}.svc.{domain}", hostname(pod), meta::namespace(pod)))
}

/// Additional lines of a pod's `/etc/hosts`.
#[must_use]
pub fn host_aliases(pod: &Node) -> Vec<(String, Vec<String>)> {
    let aliases = pod.items_at(&["spec", "hostAliases"]).iter();
    aliases
        .map(|alias| {
            let names = alias.items_at(&["hostnames"]).iter().filter_map(Node::as_str);
            let ip = alias.str_at(&["ip"]).unwrap_or_default();
            (ip.to_owned(), names.map(str::to_owned).collect())
        })
        .collect()
}

/// The first kernel setting that the pod asks for and no pod may have.
#[must_use]
pub fn forbidden_sysctl(pod: &Node) -> Option<&str> {
    let sysctls = pod.items_at(&["spec", "securityContext", "sysctls"]).iter();
    sysctls.filter_map(|sysctl| sysctl.str_at(&["name"])).find(|name| !is_safe_sysctl(name))
}

/// Why a container that must not run as root cannot be started, when that is so.
///
/// # Errors
/// The kubelet's sentence.
pub fn check_not_root(user: &User) -> Result<(), String> {
    if !user.not_root {
        return Ok(());
    }
    let of_image = user.name.split(':').next().unwrap_or_default();
    match (user.uid, of_image.parse::<u32>()) {
        (Some(0), _) => {
            Err("container's runAsUser breaks non-root policy (runAsUser: 0)".to_owned())
        }
        (None, Ok(0)) => Err("container has runAsNonRoot and image will run as root".to_owned()),
        (Some(_), _) | (None, Ok(_)) => Ok(()),
        (None, Err(_)) if of_image.is_empty() => {
            Err("container has runAsNonRoot and image will run as root".to_owned())
        }
        (None, Err(_)) => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({of_image}), cannot verify \
             user is non-root"
        )),
    }
}

/// When the image is asked for: `Always`, `IfNotPresent`, `Never`.
#[must_use]
pub fn pull_policy(container: &Node) -> &str {
    container.str_at(&["imagePullPolicy"]).unwrap_or_else(|| {
        let image = container.str_at(&["image"]).unwrap_or_default();
        let name = image.rsplit('/').next().unwrap_or(image);
        let tagged = name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
        if tagged || name.contains('@') { "IfNotPresent" } else { "Always" }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_wins_over_the_pod() {
        let pod = Node::from(json!({"spec": {"securityContext": {
            "runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]}}}));
        let container =
            Node::from(json!({"securityContext": {"runAsUser": 7, "runAsNonRoot": true}}));
        let user = user(&pod, &container, "app");
        assert_eq!((user.uid, user.gid, user.not_root), (Some(7), Some(3000), true));
        assert_eq!(user.groups, [4000, 2000]);
    }

    #[test]
    fn what_must_not_be_root_is_not() {
        for (uid, image, fine) in [
            (None, "", false),
            (None, "0:5", false),
            (None, "7", true),
            (None, "app", false),
            (Some(0), "7", false),
            (Some(9), "app", true),
        ] {
            let user = User { name: image.into(), uid, not_root: true, ..User::default() };
            assert_eq!(check_not_root(&user).is_ok(), fine, "{uid:?} {image}");
        }
    }

    #[test]
    fn limits_and_scores_are_the_kubelets() {
        let capacity = Node::from(json!({"memory": "8Gi"}));
        let container = Node::from(json!({"resources": {
            "requests": {"cpu": "250m", "memory": "2Gi"}, "limits": {"cpu": "500m"}}}));
        let pod =
            Node::from(json!({"spec": {"containers": [serde_json::Value::from(&container)]}}));
        let resources = resources(&pod, &container, &capacity);
        assert_eq!((resources.cpu_shares, resources.cpu_limit_milli), (Some(256), Some(500)));
        assert_eq!((resources.memory_limit, resources.oom_score_adj), (None, Some(750)));
    }

    #[test]
    fn images_without_a_fixed_tag_are_asked_for_always() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("localhost:5000/nginx", "Always"),
            ("nginx@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(&Node::from(json!({"image": image}))), policy, "{image}");
        }
    }
}
