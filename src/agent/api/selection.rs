//! Which objects a list or watch is about: label selector and field selector together.

use super::kind::Kind;
use super::query::ListOptions;
use super::status::Status;
use crate::object::meta;
use crate::object::selector::{FieldSelector, Selector};
use crate::yaml::{Node, Value};
use std::borrow::Cow;

/// Both selectors of a request.
#[derive(Debug)]
pub(crate) struct Selection {
    labels: Option<Selector>,
    fields: FieldSelector,
}

impl Selection {
    /// Reads the selectors of a request for objects of a kind.
    pub(crate) fn new(kind: &Kind, options: &ListOptions) -> Result<Selection, Status> {
        let bad = |error: &dyn std::fmt::Display| Status::bad_request(error.to_string());
        let labels = (!options.labels.is_empty())
            .then(|| Selector::parse(&options.labels))
            .transpose()
            .map_err(|error| bad(&error))?;
        let fields = FieldSelector::parse(&options.fields).map_err(|error| bad(&error))?;
        for term in &fields.terms {
            let field = term.field.as_str();
            let common = field == "metadata.name" || field == "metadata.namespace";
            if common || kind.selectable.iter().any(|known| known == field) {
                continue;
            }
            // kinds with fields of their own word it differently, as in Kubernetes
            let message = if kind.selectable.is_empty() {
                format!(
                    "{field:?} is not a known field selector: only \"metadata.name\", \
                     \"metadata.namespace\""
                )
            } else {
                format!("field label not supported: {field}")
            };
            return Err(Status::bad_request(message));
        }
        Ok(Selection { labels, fields })
    }

    /// A selection by one name, as a watch of a single object has it.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_none() && self.fields.terms.is_empty()
    }

    /// True for an object that is selected.
    pub(crate) fn matches(&self, object: &Node) -> bool {
        self.labels.as_ref().is_none_or(|labels| labels.matches(meta::labels(object)))
            && self
                .fields
                .terms
                .iter()
                .all(|term| (field(object, &term.field) == term.value.as_str()) == term.equal)
    }
}

/// The text of a field; booleans and numbers are written out, an absent bool is `false`.
fn field<'a>(object: &'a Node, path: &str) -> Cow<'a, str> {
    if path == "source" {
        let component = object.str_at(&["source", "component"]).unwrap_or_default();
        let reporting = object.str_at(&["reportingComponent"]).unwrap_or_default();
        return if component.is_empty() { reporting.into() } else { component.into() };
    }
    // a Job's field has another name where it is selected
    let path = if path == "status.successful" { "status.succeeded" } else { path };
    let keys: Vec<&str> = path.split('.').collect();
    match object.at(&keys).map(|node| &node.value) {
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::Bool(value)) => value.to_string().into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ if matches!(path, "spec.hostNetwork" | "spec.unschedulable") => "false".into(),
        _ if matches!(path, "status.replicas" | "status.succeeded") => "0".into(),
        _ => "".into(),
    }
}
