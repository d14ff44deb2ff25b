//! Files of resources: documents to resources, lists taken apart.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::FileId;
use crate::object::Origin;
use crate::transform::set::Resource;
use crate::yaml::{self, Node, Value};
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a file gave no resources.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// The faults; the first one's message is kustomize's.
    pub(super) faults: Diagnostics,
    /// It is no YAML, so it cannot be meant to be a folder.
    pub(super) malformed: bool,
}

/// The resources of a text. `shown` is how kustomize names the file.
pub(super) fn read(
    text: &str,
    file: FileId,
    shown: &str,
    origin: &Arc<Origin>,
) -> Result<Vec<Resource>, Unreadable> {
    let documents = yaml::resources(text, file).map_err(|errors| {
        let named = |error: yaml::YamlError| {
            let message = match error.diagnostic.code {
                "wharf::yaml::separator" => error.go_text.clone(),
                _ => format!("MalformedYAMLError: {} in File: {shown}", error.go_text),
            };
            Diagnostic { message, ..Diagnostic::from(error) }
        };
        Unreadable { faults: errors.into_iter().map(named).collect(), malformed: true }
    })?;
    let mut faults = Diagnostics::new();
    let mut resources = Vec::with_capacity(documents.len());
    let mut waiting = VecDeque::from(documents);
    while let Some(node) = waiting.pop_front() {
        if node.is_null() || node.as_map().is_some_and(yaml::Map::is_empty) {
            continue;
        }
        if let Some(fault) = fault_of(&node) {
            faults.push(fault);
            continue;
        }
        let is_list = node.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
        match node.get("items").map(|items| &items.value) {
            Some(Value::List(items)) if is_list => waiting.extend(items.iter().cloned()),
            Some(Value::Null) if is_list => {}
            Some(other) if is_list => {
                let kind = node.str_at(&["kind"]).unwrap_or_default();
                let found = match other {
                    Value::Map(_) => "map[string]interface {}",
                    Value::Bool(_) => "bool",
                    Value::Number(_) => "int",
                    _ => "string",
                };
                let message = format!("expected array in {kind}/items, but found {found}");
                faults.push(invalid(&node, message));
            }
            _ => resources.push(Resource::new(node, origin.clone())),
        }
    }
    if faults.has_errors() {
        return Err(Unreadable { faults, malformed: false });
    }
    Ok(resources)
}

fn fault_of(node: &Node) -> Option<Diagnostic> {
    let text = |path: &[&str]| match node.at(path).map(|node| &node.value) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Null) | None => false,
        Some(_) => true,
    };
    if !text(&["kind"]) {
        if !text(&["apiVersion"]) && node.get("metadata").is_none_or(Node::is_null) {
            let help = "a resource has `apiVersion`, `kind` and `metadata.name`";
            return Some(invalid(node, "missing Resource metadata".to_owned()).help(help));
        }
        return Some(invalid(node, "missing kind in object".to_owned()));
    }
    let is_list = node.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
    if !is_list && !text(&["metadata", "name"]) {
        return Some(invalid(node, "missing metadata.name in object".to_owned()));
    }
    None
}

fn invalid(node: &Node, message: String) -> Diagnostic {
    Diagnostic::error("wharf::render::kustomize_resource", message).at(node.span, "this document")
}
