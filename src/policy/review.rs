//! Judging a set of objects: each against its schema and the built-in rules, then among each other.

use super::builtin;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
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
pub fn review(objects: Vec<Object>, schemas: &Schemas, options: Options) -> Review {
    let mut reviewer = Reviewer::new(schemas, options);
    for object in objects {
        reviewer.take(object);
    }
    reviewer.finish()
}

/// Judges objects as they come and keeps only what it needs of them: an object of a kind without a
/// schema waits until the end, as its definition may still come.
#[derive(Debug)]
pub struct Reviewer {
    schemas: Schemas,
    options: Options,
    review: Review,
    /// Findings of one object, its position, and whether they are about a Secret.
    found: Vec<(usize, Diagnostics, bool)>,
    waiting: Vec<(usize, Object, Diagnostics)>,
    /// Where each object has its name.
    seen: HashMap<ObjectId, Span>,
    taken: usize,
}

impl Reviewer {
    /// Makes a reviewer that has seen no object.
    #[must_use]
    pub fn new(schemas: &Schemas, options: Options) -> Reviewer {
        Reviewer {
            schemas: schemas.clone(),
            options,
            review: Review::default(),
            found: Vec::new(),
            waiting: Vec::new(),
            seen: HashMap::new(),
            taken: 0,
        }
    }

    /// Takes the next object.
    pub fn take(&mut self, object: Object) {
        let at = self.taken;
        self.taken += 1;
        let mut found = Diagnostics::new();
        if object.kind() == "CustomResourceDefinition"
            && let Err(faults) = self.schemas.add_crd(&object.root)
        {
            found.extend(faults);
        }
        let name = name_of(&object.root).span;
        if !object.name().is_empty()
            && let Some(first) = self.seen.insert(object.id(), name)
        {
            let message = format!("{} is there twice, and the later one wins", object.id());
            found.push(
                Diagnostic::warning(DUPLICATE_OBJECT, message)
                    .at(name, "again here")
                    .at(first, "first here"),
            );
        }
        let api_version = object.root.str_at(&["apiVersion"]).unwrap_or_default();
        if self.schemas.kind(api_version, object.kind()).is_none() {
            self.waiting.push((at, object, found));
        } else {
            self.judge(at, &object, found);
        }
    }

    /// What was found in all objects.
    #[must_use]
    pub fn finish(mut self) -> Review {
        for (at, object, found) in std::mem::take(&mut self.waiting) {
            self.judge(at, &object, found);
        }
        self.found.sort_by_key(|(at, ..)| *at);
        for (_, found, sensitive) in self.found {
            if sensitive {
                let first = self.review.findings.len();
                self.review.sensitive.extend(first..first + found.len());
            }
            self.review.findings.extend(found);
        }
        self.review
    }

    fn judge(&mut self, at: usize, object: &Object, mut found: Diagnostics) {
        let judged = judge(&object.root, &self.schemas, self.options, &mut found);
        match (judged, found.has_errors()) {
            (_, true) => self.review.invalid += 1,
            (true, false) => self.review.valid += 1,
            (false, false) => self.review.skipped += 1,
        }
        if !found.is_empty() {
            let found = found.into_iter().map(|finding| placed(finding, object)).collect();
            self.found.push((at, found, object.kind() == "Secret"));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(objects: &[serde_json::Value]) -> (Vec<String>, [usize; 3]) {
        let objects = objects.iter().map(|object| Object {
            root: Node::from(object.clone()),
            origin: std::sync::Arc::default(),
        });
        let review = review(objects.collect(), &Schemas::latest(), Options::default());
        let said = review.findings.iter().map(|found| format!("{}: {found}", found.code)).collect();
        (said, [review.valid, review.invalid, review.skipped])
    }

    #[test]
    fn what_is_no_object_is_told() {
        assert_eq!(
            check(&[json!({"kind": "Pod"}), json!({"apiVersion": "v1", "kind": "ConfigMap"})]).0,
            [
                "wharf::policy::no_kind: this is no Kubernetes object: it has no apiVersion",
                "wharf::policy::no_name: this ConfigMap has no name",
            ]
        );
    }

    #[test]
    fn a_definition_may_come_after_what_it_defines() {
        let shop = |replicas| {
            json!({"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "a"},
                "spec": {"replicas": replicas}})
        };
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "shops.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Shop", "plural": "shops"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": {
                        "type": "object", "properties": {"replicas": {"type": "integer"}}}}}
                }}],
            },
        });
        assert_eq!(check(&[shop(json!(1)), definition.clone()]), (Vec::new(), [2, 0, 0]));
        let (said, counts) = check(&[shop(json!("two")), json!({"kind": "Pod"}), definition]);
        // in the order of the objects, not in that of the judgement
        assert_eq!(
            said,
            [
                "wharf::schema::wrong_type: `spec.replicas` must be an integer, not a string",
                "wharf::policy::no_kind: this is no Kubernetes object: it has no apiVersion",
            ]
        );
        assert_eq!(counts, [1, 2, 0]);
    }
}
