//! Judging a set of objects: each against its schema and the built-in rules, then among each other.

use super::builtin;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::object::{Object, ObjectId};
use crate::schema::{self, Schemas};
use crate::yaml::Node;
use std::collections::HashMap;

const NO_KIND: &str = "wharf::policy::no_kind";
const DUPLICATE_OBJECT: &str = "wharf::policy::duplicate_object";

/// How strict to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Objects of kinds that have no schema are passed over instead of refused.
    pub ignore_missing_schemas: bool,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// All findings, in the order of the objects.
    pub findings: Diagnostics,
    /// Positions of the findings about Secrets, in order: the text around them must not be shown.
    pub sensitive: Vec<usize>,
    /// How many objects have no error.
    pub valid: usize,
    /// How many have one.
    pub invalid: usize,
    /// How many were passed over, because their kind has no schema.
    pub skipped: usize,
}

/// Judges objects. The `CustomResourceDefinition`s among them count as schemas.
#[must_use]
pub fn review(objects: &[Object], schemas: &Schemas, options: Options) -> Review {
    let mut schemas = schemas.clone();
    let mut review = Review::default();
    for object in objects.iter().filter(|object| object.kind() == "CustomResourceDefinition") {
        if let Err(faults) = schemas.add_crd(&object.root) {
            review.findings.extend(faults);
        }
    }
    let mut seen: HashMap<ObjectId, &Object> = HashMap::with_capacity(objects.len());
    for object in objects {
        let mut found = Diagnostics::new();
        let judged = judge(&object.root, &schemas, options, &mut found);
        match (judged, found.has_errors()) {
            (_, true) => review.invalid += 1,
            (true, false) => review.valid += 1,
            (false, false) => review.skipped += 1,
        }
        if object.kind() == "Secret" {
            let first = review.findings.len();
            review.sensitive.extend(first..first + found.len());
        }
        if !found.is_empty() {
            review.findings.extend(found.into_iter().map(|finding| placed(finding, object)));
        }
        if object.name().is_empty() {
            continue;
        }
        if let Some(first) = seen.insert(object.id(), object) {
            let message = format!("{} is there twice, and the later one wins", object.id());
            let finding = Diagnostic::warning(DUPLICATE_OBJECT, message)
                .at(name_of(&object.root).span, "again here")
                .at(name_of(&first.root).span, "first here");
            review.findings.push(placed(finding, object));
        }
    }
    review
}

fn name_of(root: &Node) -> &Node {
    root.at(&["metadata", "name"]).unwrap_or(root)
}

/// Judges one object; says whether there was a schema for it.
fn judge(root: &Node, schemas: &Schemas, options: Options, found: &mut Diagnostics) -> bool {
    let text = |key| root.str_at(&[key]).filter(|text| !text.is_empty());
    let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
        let lacking: Vec<&str> =
            ["apiVersion", "kind"].into_iter().filter(|key| text(key).is_none()).collect();
        let message =
            format!("this is no Kubernetes object: it has no {}", lacking.join(" and no "));
        found.push(Diagnostic::error(NO_KIND, message).at(root.span, "in this document"));
        return true;
    };
    let Some(ty) = schemas.kind(api_version, kind) else {
        if !options.ignore_missing_schemas {
            let at = root.get("kind").map_or(root.span, |node| node.span);
            found.push(schemas.unknown_kind(api_version, kind).at(at, ""));
        }
        return false;
    };
    schema::validate(root, ty, found);
    builtin::check(root, found);
    true
}

/// A finding that points nowhere says at least which object it is about.
fn placed(finding: Diagnostic, object: &Object) -> Diagnostic {
    if finding.labels.is_empty() { finding.note(format!("in {}", object.id())) } else { finding }
}
