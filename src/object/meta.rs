//! Reading metadata of a node that holds an object.

use super::gvk::Gvk;
use crate::yaml::{Map, Node};

/// `apiVersion` and `kind`, when both are there.
#[must_use]
pub fn gvk(node: &Node) -> Option<Gvk> {
    Some(Gvk::new(node.str_at(&["apiVersion"])?, node.str_at(&["kind"])?))
}

/// `metadata.name`, or empty.
#[must_use]
pub fn name(node: &Node) -> &str {
    node.str_at(&["metadata", "name"]).unwrap_or_default()
}

/// `metadata.namespace`, or empty.
#[must_use]
pub fn namespace(node: &Node) -> &str {
    node.str_at(&["metadata", "namespace"]).unwrap_or_default()
}

/// `metadata.uid`, or empty.
#[must_use]
pub fn uid(node: &Node) -> &str {
    node.str_at(&["metadata", "uid"]).unwrap_or_default()
}

/// `metadata.labels`, when there are any.
#[must_use]
pub fn labels(node: &Node) -> Option<&Map> {
    node.at(&["metadata", "labels"])?.as_map()
}

/// One annotation.
#[must_use]
pub fn annotation<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.at(&["metadata", "annotations"])?.get(key)?.as_str()
}
