//! Namespaces: they carry their name as a label, and a finalizer until they are empty.

use super::{PLAIN_RULES, Rules, keep, name};
use crate::object::meta;
use crate::yaml::Node;

/// The label with the name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(crate) static NAMESPACE: Rules =
    Rules { name: name::label, default, create, update, ..PLAIN_RULES };

fn default(object: &mut Node) {
    let name = meta::name(object).to_owned();
    if !name.is_empty() {
        object.set_at(&["metadata", "labels", NAME_LABEL], name);
    }
    let conditions = object.at_mut(&["status", "conditions"]).and_then(Node::as_list_mut);
    for condition in conditions.into_iter().flatten() {
        super::default(condition, "lastTransitionTime", Node::NULL);
    }
}

fn create(object: &mut Node) {
    default(object);
    object.set("spec", spec());
    let mut status = Node::map();
    status.set("phase", "Active");
    object.set("status", status);
}

fn spec() -> Node {
    let mut spec = Node::map();
    spec.set("finalizers", vec![Node::from("kubernetes")]);
    spec
}

fn update(new: &mut Node, old: &Node) {
    keep(new, old, "spec");
    keep(new, old, "status");
}
