//! What roles grant: RBAC as k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac` evaluates it.

use super::{Identity, MASTERS};
use crate::agent::api::Api;
use crate::agent::api::kind;
use crate::agent::api::status::Status;
use crate::agent::store::Store;
use crate::object::selector::Selector;
use crate::yaml::Node;

/// What somebody wants to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Something with objects.
    Resource {
        verb: String,
        group: String,
        /// `pods`, or `pods/log`.
        resource: String,
        /// Empty for all namespaces, and for kinds of the whole cluster.
        namespace: String,
        /// Empty for all.
        name: String,
    },
    /// Something with another path.
    Path { verb: String, path: String },
}

impl Action {
    pub(crate) fn resource(verb: &str, group: &str, resource: &str, namespace: &str) -> Action {
        Action::Resource {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: String::new(),
        }
    }

    /// The same with one object.
    pub(crate) fn named(mut self, wanted: String) -> Action {
        if let Action::Resource { name, .. } = &mut self {
            *name = wanted;
        }
        self
    }

    fn namespace(&self) -> &str {
        match self {
            Action::Resource { namespace, .. } => namespace,
            Action::Path { .. } => "",
        }
    }
}

/// True when a caller may do something.
pub(crate) fn allows(api: &Api, user: &Identity, action: &Action) -> bool {
    if user.groups.iter().any(|group| group == MASTERS) {
        return true;
    }
    rules(&api.store, user, action.namespace()).iter().any(|rule| grants(rule, action))
}

/// An error unless a caller may do something.
pub(crate) fn require(api: &Api, user: &Identity, action: &Action) -> Result<(), Status> {
    if allows(api, user, action) {
        return Ok(());
    }
    let user = &user.user;
    Err(match action {
        Action::Path { verb, path } => {
            Status::forbidden_path(&format!("User {user:?} cannot {verb} path {path:?}"))
        }
        Action::Resource { verb, group, resource, namespace, name } => {
            let place = if namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {namespace:?}")
            };
            let why = format!(
                "User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
            );
            let plural = resource.split('/').next().unwrap_or_default();
            Status::forbidden_resource(group, plural, name, &why)
        }
    })
}

/// Every rule that holds for a caller in a namespace, or in the whole cluster when it is empty.
pub(crate) fn rules(store: &Store, user: &Identity, namespace: &str) -> Vec<Node> {
    let mut found = Vec::new();
    let mut collect = |resource: &str, within: Option<&str>| {
        let bindings = kind::built_in(resource).resource();
        for binding in store.list(&bindings, within).0 {
            let binding = &binding.object;
            let holds = |subject: &Node| is_subject(subject, user, within.unwrap_or_default());
            if binding.items_at(&["subjects"]).iter().any(holds) {
                found.extend(role_rules(store, binding, within.unwrap_or_default()));
            }
        }
    };
    collect("clusterrolebindings.rbac.authorization.k8s.io", None);
    if !namespace.is_empty() {
        collect("rolebindings.rbac.authorization.k8s.io", Some(namespace));
    }
    found
}

fn is_subject(subject: &Node, user: &Identity, namespace: &str) -> bool {
    let text = |field| subject.str_at(&[field]).unwrap_or_default();
    let name = text("name");
    match text("kind") {
        "User" => name == user.user,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let own = text("namespace");
            let namespace = if own.is_empty() { namespace } else { own };
            let account = user.user.strip_prefix("system:serviceaccount:");
            account.and_then(|rest| rest.split_once(':')) == Some((namespace, name))
        }
        _ => false,
    }
}

/// The rules of the role that a binding refers to.
pub(super) fn role_rules(store: &Store, binding: &Node, namespace: &str) -> Vec<Node> {
    let name = binding.str_at(&["roleRef", "name"]).unwrap_or_default();
    let cluster = kind::built_in("clusterroles.rbac.authorization.k8s.io");
    let (kind, namespace) = if binding.str_at(&["roleRef", "kind"]) == Some("ClusterRole") {
        (cluster, "")
    } else {
        (kind::built_in("roles.rbac.authorization.k8s.io"), namespace)
    };
    let Some(role) = store.get(&kind.key(namespace, name)) else { return Vec::new() };
    let mut rules = role.object.items_at(&["rules"]).to_vec();
    let selectors = role.object.items_at(&["aggregationRule", "clusterRoleSelectors"]);
    let selectors: Vec<Selector> =
        selectors.iter().filter_map(|node| Selector::from_label_selector(node).ok()).collect();
    if !selectors.is_empty() {
        for other in store.list(&cluster.resource(), None).0 {
            let labels = crate::object::meta::labels(&other.object);
            if other.key != role.key && selectors.iter().any(|selector| selector.matches(labels)) {
                rules.extend(other.object.items_at(&["rules"]).iter().cloned());
            }
        }
    }
    rules
}

/// True when a rule grants an action.
pub(super) fn grants(rule: &Node, action: &Action) -> bool {
    let any = |field: &str, fits: &dyn Fn(&str) -> bool| {
        rule.items_at(&[field]).iter().filter_map(Node::as_str).any(fits)
    };
    match action {
        Action::Path { verb, path } => {
            any("verbs", &|known| known == "*" || known == verb)
                && any("nonResourceURLs", &|known| match known.strip_suffix('*') {
                    Some(start) => path.starts_with(start),
                    None => known == path,
                })
        }
        Action::Resource { verb, group, resource, name, .. } => {
            let below = resource.split_once('/').map(|(_, below)| below);
            any("verbs", &|known| known == "*" || known == verb)
                && any("apiGroups", &|known| known == "*" || known == group)
                && any("resources", &|known| {
                    known == "*"
                        || known == resource
                        || below.is_some() && known.strip_prefix("*/") == below
                })
                && (rule.items_at(&["resourceNames"]).is_empty()
                    || any("resourceNames", &|known| known == name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_grant_what_they_name() {
        let pods = |verb: &str, resource: &str, name: &str| {
            Action::resource(verb, "", resource, "n").named(name.into())
        };
        let path = |path: &str| Action::Path { verb: "get".into(), path: path.into() };
        for (rule, action, expected) in [
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}),
                pods("get", "pods", ""),
                true,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}),
                pods("get", "pods/log", ""),
                false,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}),
                pods("get", "pods/log", ""),
                true,
            ),
            (
                json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
                pods("get", "pods/log", "x"),
                true,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["*"]}),
                pods("get", "pods", ""),
                false,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}),
                pods("get", "pods", "a"),
                true,
            ),
            (
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}),
                pods("get", "pods", ""),
                false,
            ),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/api/*"]}), path("/api/v1"), true),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/api"]}), path("/api/v1"), false),
            (json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}), path("/api"), false),
        ] {
            assert_eq!(grants(&Node::from(rule.clone()), &action), expected, "{rule} {action:?}");
        }
    }
}
