//! Leases.

use super::{PLAIN_RULES, Rules};
use crate::agent::api::fault::Faults;
use crate::yaml::Node;

pub(crate) static LEASE: Rules = Rules { default, validate, ..PLAIN_RULES };

fn default(object: &mut Node) {
    super::default(object, "spec", Node::map());
}

fn validate(object: &Node, faults: &mut Faults) {
    if let Some(seconds) = object.i64_at(&["spec", "leaseDurationSeconds"])
        && seconds <= 0
    {
        faults.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    if let Some(count) = object.i64_at(&["spec", "leaseTransitions"])
        && count < 0
    {
        faults.invalid("spec.leaseTransitions", count, "must be greater than or equal to 0");
    }
}
