//! `PriorityClasses`: names for numbers.

use super::{PLAIN_RULES, Rules, default};
use crate::agent::api::fault::Faults;
use crate::agent::api::{Api, kind};
use crate::agent::store::StoreError;
use crate::yaml::Node;
use serde_json::json;

pub(crate) static PRIORITY_CLASS: Rules = Rules {
    default: |class| default(class, "preemptionPolicy", "PreemptLowerPriority"),
    validate,
    validate_update,
    ..PLAIN_RULES
};

/// The largest number of a class that is not the system's own.
const HIGHEST: i64 = 1_000_000_000;

/// The system's own classes, what they are for, and their numbers.
const SYSTEM: [(&str, &str, i64); 2] = [
    (
        "system-cluster-critical",
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
        2 * HIGHEST,
    ),
    (
        "system-node-critical",
        "Used for system critical pods that must not be moved from their current node.",
        2 * HIGHEST + 1000,
    ),
];

/// Makes the system's own classes when they are not there.
pub(crate) async fn ensure(api: &Api) -> Result<(), StoreError> {
    let kind = kind::built_in("priorityclasses.scheduling.k8s.io");
    for (name, description, value) in SYSTEM {
        api.ensure(kind, name, json!({"value": value, "description": description})).await?;
    }
    Ok(())
}

fn validate(class: &Node, faults: &mut Faults) {
    let name = class.str_at(&["metadata", "name"]).unwrap_or_default();
    let value = class.i64_at(&["value"]).unwrap_or(0);
    if name.starts_with("system-") {
        if !SYSTEM.iter().any(|(known, _, number)| (*known, *number) == (name, value)) {
            let rule =
                "priority class names with 'system-' prefix are reserved for system use only";
            faults.forbidden("metadata.name", rule);
        }
    } else if value > HIGHEST {
        let rule = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        faults.forbidden("value", &rule);
    }
    let policies = ["Never", "PreemptLowerPriority"];
    let policy = class.str_at(&["preemptionPolicy"]).unwrap_or(policies[1]);
    if !policies.contains(&policy) {
        faults.unsupported("preemptionPolicy", policy, &policies);
    }
}

fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    let value = |class: &Node| class.i64_at(&["value"]).unwrap_or(0);
    if value(new) != value(old) {
        faults.forbidden("value", "may not be changed in an update.");
    }
    if new.get("preemptionPolicy") != old.get("preemptionPolicy") {
        let shown = new.get("preemptionPolicy").cloned().unwrap_or_default();
        faults.invalid("preemptionPolicy", shown, "field is immutable");
    }
}
