//! Events: they lie in the namespace of what they are about.

use super::{PLAIN_RULES, Rules};
use crate::agent::api::fault::Faults;
use crate::object::meta;
use crate::yaml::Node;

pub(crate) static EVENT: Rules = Rules { default, validate, ..PLAIN_RULES };

fn default(object: &mut Node) {
    super::default(object, "eventTime", Node::NULL);
    super::default(object, "firstTimestamp", Node::NULL);
    super::default(object, "lastTimestamp", Node::NULL);
    super::default(object, "source", Node::map());
    super::default(object, "reportingComponent", "");
    super::default(object, "reportingInstance", "");
}

fn validate(object: &Node, faults: &mut Faults) {
    let about = object.str_at(&["involvedObject", "namespace"]).unwrap_or_default();
    let namespace = meta::namespace(object);
    if about.is_empty() {
        // events about objects of the whole cluster lie in the default namespace
        if namespace != "default" {
            faults.invalid("involvedObject.namespace", about, "does not match event.namespace");
        }
    } else if about != namespace {
        faults.invalid("involvedObject.namespace", about, "does not match event.namespace");
    }
}
