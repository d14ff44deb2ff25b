//! Nobody grants more than they have: rules for writing roles and bindings, as k8s.io/kubernetes
//! `pkg/registry/rbac/validation` has them.

use super::authorize::{self, Action};
use crate::agent::api::status::Status;
use crate::agent::api::verb::Request;
use crate::yaml::{Node, json};

/// An error when an object of the RBAC group grants what the caller does not have.
pub(crate) fn check(request: &Request, object: &Node) -> Result<(), Status> {
    let kind = request.kind();
    if kind.group != "rbac.authorization.k8s.io" {
        return Ok(());
    }
    let (api, user) = (&request.api, &request.user);
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    let namespace = request.namespace();
    let (rules, verb, resource, subject) = if kind.kind.ends_with("Binding") {
        let cluster = object.str_at(&["roleRef", "kind"]) == Some("ClusterRole");
        let role = object.str_at(&["roleRef", "name"]).unwrap_or_default();
        let rules = authorize::role_rules(&api.store, object, namespace);
        (rules, "bind", if cluster { "clusterroles" } else { "roles" }, role)
    } else {
        (object.items_at(&["rules"]).to_vec(), "escalate", &*kind.plural, name)
    };
    let explicit = Action::resource(verb, &kind.group, resource, namespace).named(subject.into());
    if authorize::allows(api, user, &explicit) {
        return Ok(());
    }
    let missing: Vec<String> = rules
        .iter()
        .filter(|rule| {
            !atoms(rule, namespace).iter().all(|atom| authorize::allows(api, user, atom))
        })
        .map(json::to_string)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!(
        "user {:?} (groups={:?}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.user,
        user.groups,
        missing.join("\n")
    );
    Err(Status::forbidden(kind, name, &why))
}

/// What a rule grants, one by one. A `*` is granted only by a `*`.
fn atoms(rule: &Node, namespace: &str) -> Vec<Action> {
    let texts = |field: &str| -> Vec<&str> {
        rule.items_at(&[field]).iter().filter_map(Node::as_str).collect()
    };
    let names = match texts("resourceNames") {
        names if names.is_empty() => vec![""],
        names => names,
    };
    let mut atoms = Vec::new();
    for verb in texts("verbs") {
        for path in texts("nonResourceURLs") {
            atoms.push(Action::Path { verb: verb.into(), path: path.into() });
        }
        for group in texts("apiGroups") {
            for resource in texts("resources") {
                atoms.extend(names.iter().map(|name| {
                    Action::resource(verb, group, resource, namespace).named((*name).into())
                }));
            }
        }
    }
    atoms
}
