//! Roles and bindings.

use super::{PLAIN_RULES, Rules, name};
use crate::agent::api::fault::Faults;
use crate::yaml::Node;
use serde_json::json;

const GROUP: &str = "rbac.authorization.k8s.io";

const ROLE_RULES: Rules = Rules { name: name::path_segment, default: default_role, ..PLAIN_RULES };

pub(crate) static ROLE: Rules =
    Rules { validate: |role, faults| validate_role(role, true, faults), ..ROLE_RULES };

pub(crate) static CLUSTER_ROLE: Rules =
    Rules { validate: |role, faults| validate_role(role, false, faults), ..ROLE_RULES };

const BINDING_RULES: Rules = Rules {
    name: name::path_segment,
    default: default_binding,
    validate_update: update_binding,
    ..PLAIN_RULES
};

pub(crate) static ROLE_BINDING: Rules =
    Rules { validate: |binding, faults| validate_binding(binding, true, faults), ..BINDING_RULES };

pub(crate) static CLUSTER_ROLE_BINDING: Rules =
    Rules { validate: |binding, faults| validate_binding(binding, false, faults), ..BINDING_RULES };

fn default_role(role: &mut Node) {
    super::default(role, "rules", Node::NULL);
}

fn validate_role(role: &Node, namespaced: bool, faults: &mut Faults) {
    for (index, rule) in role.items_at(&["rules"]).iter().enumerate() {
        let path = format!("rules[{index}]");
        let empty = |field: &str| rule.items_at(&[field]).is_empty();
        if empty("verbs") {
            faults.required(format!("{path}.verbs"), "verbs must contain at least one value");
        }
        if let Some(paths) = rule.get("nonResourceURLs").filter(|_| !empty("nonResourceURLs")) {
            let path = format!("{path}.nonResourceURLs");
            if namespaced {
                let text = "namespaced rules cannot apply to non-resource URLs";
                faults.invalid(path.clone(), paths.clone(), text);
            }
            if !empty("apiGroups") || !empty("resources") || !empty("resourceNames") {
                let text = "rules cannot apply to both regular resources and non-resource URLs";
                faults.invalid(path, paths.clone(), text);
            }
            continue;
        }
        if empty("apiGroups") {
            let text = "resource rules must supply at least one api group";
            faults.required(format!("{path}.apiGroups"), text);
        }
        if empty("resources") {
            let text = "resource rules must supply at least one resource";
            faults.required(format!("{path}.resources"), text);
        }
    }
}

fn default_binding(binding: &mut Node) {
    if let Some(role) = binding.get_mut("roleRef") {
        super::default(role, "apiGroup", GROUP);
    }
    for subject in binding.get_mut("subjects").and_then(Node::as_list_mut).into_iter().flatten() {
        if matches!(subject.str_at(&["kind"]), Some("User" | "Group")) {
            super::default(subject, "apiGroup", GROUP);
        }
    }
}

fn validate_binding(binding: &Node, namespaced: bool, faults: &mut Faults) {
    let text = |field| binding.str_at(&["roleRef", field]).unwrap_or_default();
    if text("apiGroup") != GROUP {
        faults.unsupported("roleRef.apiGroup", text("apiGroup"), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
    if !kinds.contains(&text("kind")) {
        faults.unsupported("roleRef.kind", text("kind"), kinds);
    }
    if text("name").is_empty() {
        faults.required("roleRef.name", "");
    } else {
        for fault in name::path_segment(text("name")) {
            faults.invalid("roleRef.name", text("name"), fault);
        }
    }
    for (index, subject) in binding.items_at(&["subjects"]).iter().enumerate() {
        validate_subject(subject, &format!("subjects[{index}]"), namespaced, faults);
    }
}

fn validate_subject(subject: &Node, path: &str, namespaced: bool, faults: &mut Faults) {
    let text = |field| subject.str_at(&[field]).unwrap_or_default();
    if text("name").is_empty() {
        faults.required(format!("{path}.name"), "");
    }
    match text("kind") {
        "ServiceAccount" => {
            if !text("name").is_empty() {
                for fault in name::subdomain(text("name")) {
                    faults.invalid(format!("{path}.name"), text("name"), fault);
                }
            }
            if !text("apiGroup").is_empty() {
                faults.unsupported(format!("{path}.apiGroup"), text("apiGroup"), &[""]);
            }
            if !namespaced && text("namespace").is_empty() {
                faults.required(format!("{path}.namespace"), "");
            }
        }
        "User" | "Group" => {
            if text("apiGroup") != GROUP {
                faults.unsupported(format!("{path}.apiGroup"), text("apiGroup"), &[GROUP]);
            }
        }
        other => {
            let known = ["Group", "ServiceAccount", "User"];
            faults.unsupported(format!("{path}.kind"), other, &known);
        }
    }
}

fn update_binding(new: &Node, old: &Node, faults: &mut Faults) {
    if new.get("roleRef") != old.get("roleRef") {
        // shown as the API server's own type writes itself
        let text = |field| new.str_at(&["roleRef", field]).unwrap_or_default();
        let shown =
            json!({"APIGroup": text("apiGroup"), "Kind": text("kind"), "Name": text("name")});
        faults.invalid("roleRef", shown, "cannot change roleRef");
    }
}
