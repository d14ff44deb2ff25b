//! Quotas: what may be limited, and by how much.

use super::{PLAIN_RULES, Rules, name};
use crate::agent::api::fault::Faults;
use crate::agent::entry::COUNTED;
use crate::object::quantity::Quantity;
use crate::yaml::Node;

pub(crate) static RESOURCE_QUOTA: Rules = Rules { default, create, validate, ..PLAIN_RULES };

/// Amounts that need not be whole.
const AMOUNTS: &[&str] = &[
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
];

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
];

fn default(quota: &mut Node) {
    super::default(quota, "spec", Node::map());
    super::default(quota, "status", Node::map());
}

fn create(quota: &mut Node) {
    quota.set("status", Node::map());
}

fn validate(quota: &Node, faults: &mut Faults) {
    let hard = quota.at(&["spec", "hard"]).and_then(Node::as_map);
    for entry in hard.into_iter().flatten() {
        let key = entry.key.as_str();
        let path = format!("spec.hard[{key}]");
        let wrong = name::qualified_name(key);
        let qualified = key.contains('/');
        for fault in wrong {
            faults.invalid(path.clone(), key, fault);
        }
        if !qualified && !AMOUNTS.contains(&key) && !counts(key) {
            if key != "storage" {
                let rule = "must be a standard resource type or fully qualified";
                faults.invalid(path.clone(), key, rule);
            }
            faults.invalid(path.clone(), key, "must be a standard resource for quota");
        }
        let Some(amount) = Quantity::from_node(&entry.value) else { continue };
        let shown = amount.to_string();
        if amount.milli() < 0 {
            faults.invalid(path.clone(), shown.clone(), "must be greater than or equal to 0");
        }
        if (counts(key) || key.starts_with("count/")) && amount.milli() % 1000 != 0 {
            faults.invalid(path, shown, "must be an integer");
        }
    }
    let scopes = quota.items_at(&["spec", "scopes"]);
    let known = |scope: &Node| scope.as_str().is_some_and(|scope| SCOPES.contains(&scope));
    if !scopes.iter().all(known) {
        faults.invalid("spec.scopes", scopes.to_vec(), "unsupported scope");
    }
}

/// True when a quota counts whole objects under the key.
fn counts(key: &str) -> bool {
    COUNTED.contains(&key) || matches!(key, "services.loadbalancers" | "services.nodeports")
}
