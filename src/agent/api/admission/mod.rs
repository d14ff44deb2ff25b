//! What an object must be before it is stored: defaults, what the system sets, rules.
//!
//! ```text
//! body ─> decode ─> default ─> prepare (status, generation, allocation) ─> validate ─> store
//! ```
//!
//! One file per kind. Defaults follow `pkg/apis/*/v1/defaults.go` of Kubernetes, what an update may
//! change its `strategy.go`, rules and their texts its `validation.go`.

mod config_map;
mod cron_job;
pub(crate) mod definition;
mod endpoints;
mod event;
mod job;
mod lease;
mod limit_range;
pub(crate) mod meta;
pub(crate) mod name;
mod namespace;
mod node;
pub(crate) mod pod;
pub(crate) mod priority_class;
mod rbac;
mod resource_quota;
pub(crate) mod service;
mod service_account;
pub(crate) mod storage;
pub(crate) mod unused;
mod workload;

use super::fault::Faults;
use crate::yaml::Node;

pub(crate) use config_map::{CONFIG_MAP, SECRET};
pub(crate) use cron_job::CRON_JOB;
pub(crate) use definition::DEFINITION;
pub(crate) use endpoints::{ENDPOINT_SLICE, ENDPOINTS};
pub(crate) use event::EVENT;
pub(crate) use job::JOB;
pub(crate) use lease::LEASE;
pub(crate) use limit_range::LIMIT_RANGE;
pub(crate) use namespace::NAMESPACE;
pub(crate) use node::NODE;
pub(crate) use pod::POD;
pub(crate) use priority_class::PRIORITY_CLASS;
pub(crate) use rbac::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING};
pub(crate) use resource_quota::RESOURCE_QUOTA;
pub(crate) use service::SERVICE;
pub(crate) use service_account::SERVICE_ACCOUNT;
pub(crate) use storage::{CLAIM, STORAGE_CLASS, VOLUME};
pub(crate) use workload::{DEPLOYMENT, REPLICA_SET};

/// What a kind asks of its objects.
#[derive(Debug)]
pub(crate) struct Rules {
    /// What names may be.
    pub(crate) name: fn(&str) -> Vec<String>,
    /// Fills in what was left out.
    pub(crate) default: fn(&mut Node),
    /// Sets what the system decides about a new object.
    pub(crate) create: fn(&mut Node),
    /// Takes over what an update (new, old) may not touch.
    pub(crate) update: fn(&mut Node, &Node),
    /// Rules for every state.
    pub(crate) validate: fn(&Node, &mut Faults),
    /// Rules for the way from the old state: (new, old).
    pub(crate) validate_update: fn(&Node, &Node, &mut Faults),
    /// Rules for the way of the status: (new, old).
    pub(crate) validate_status: fn(&Node, &Node, &mut Faults),
}

/// A kind without rules of its own.
pub(crate) static PLAIN: Rules = PLAIN_RULES;

const PLAIN_RULES: Rules = Rules {
    name: name::subdomain,
    default: |_| {},
    create: |_| {},
    update: |_, _| {},
    validate: |_, _| {},
    validate_update: |_, _, _| {},
    validate_status: |_, _, _| {},
};

/// Sets a field that is absent.
fn default(object: &mut Node, field: &str, value: impl Into<Node>) {
    if let Some(map) = object.as_map_mut()
        && !map.contains_key(field)
    {
        map.insert(field, value);
    }
}

/// Takes a field over from the old object, or removes it.
fn keep(new: &mut Node, old: &Node, field: &str) {
    match old.get(field) {
        Some(value) => new.set(field, value.clone()),
        None => {
            new.remove(field);
        }
    }
}
