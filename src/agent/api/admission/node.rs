//! Nodes: this host.

use super::{PLAIN_RULES, Rules, default, keep};
use crate::yaml::Node;

pub(crate) static NODE: Rules = Rules { default: fill, update, ..PLAIN_RULES };

fn fill(object: &mut Node) {
    default(object, "spec", Node::map());
    default(object, "status", Node::map());
    if object.at(&["status", "allocatable"]).is_none()
        && let Some(capacity) = object.at(&["status", "capacity"]).cloned()
    {
        object.set_at(&["status", "allocatable"], capacity);
    }
}

fn update(new: &mut Node, old: &Node) {
    keep(new, old, "status");
}
