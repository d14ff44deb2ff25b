//! Patches on chosen objects: strategic merge patches and JSON patches.
//!
//! A strategic merge patch without a target changes the object of its own kind and name; a target
//! chooses by regular expressions, which match whole texts, and by selectors. Definitions of custom
//! resources in the set say how lists of their objects merge. A patch that changes nothing because
//! it finds nothing is an error.

use super::set::{Resource, ResourceSet};
use super::{Context, Transformer};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::base::suggest;
use crate::object::meta;
use crate::object::patch::{PatchError, json6902, strategic};
use crate::object::selector::Selector;
use crate::schema::Schemas;
use crate::yaml::Node;
use regex::Regex;
use std::collections::{BTreeSet, HashMap};

/// Patches in the order in which they are applied.
#[derive(Debug)]
pub struct Patches {
    /// The patches.
    pub list: Vec<Patch>,
}

/// One patch.
#[derive(Clone, Debug)]
pub struct Patch {
    /// What changes.
    pub change: Change,
    /// Which objects; nothing for the object that the patch names.
    pub target: Option<Target>,
    /// Where the patch was asked for.
    pub span: Span,
    /// The patch may rename objects.
    pub renames: bool,
    /// The patch may change kinds.
    pub changes_kind: bool,
}

/// The document of a patch.
#[derive(Clone, Debug)]
pub enum Change {
    /// Partial objects.
    Strategic(Vec<Node>),
    /// A list of operations.
    Json(Node),
}

/// Which objects a patch is for. Everything that is given must fit.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Expressions for group, version, kind, name and namespace.
    pub expressions: Vec<(TargetField, Regex)>,
    /// A selector of labels.
    pub labels: Option<Selector>,
    /// A selector of annotations.
    pub annotations: Option<Selector>,
}

/// What an expression of a target looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetField {
    /// The API group; empty for the core group.
    Group,
    /// The API version.
    Version,
    /// The kind.
    Kind,
    /// The name.
    Name,
    /// The namespace; empty where it is not set.
    Namespace,
}

impl Target {
    /// True when the object is meant.
    #[must_use]
    pub fn matches(&self, object: &Resource) -> bool {
        let gvk = object.gvk();
        let text = |field| match field {
            TargetField::Group => gvk.group.as_str(),
            TargetField::Version => gvk.version.as_str(),
            TargetField::Kind => gvk.kind.as_str(),
            TargetField::Name => object.name(),
            TargetField::Namespace => object.namespace(),
        };
        let annotations = object.root.at(&["metadata", "annotations"]).and_then(Node::as_map);
        self.expressions.iter().all(|(field, expression)| expression.is_match(text(*field)))
            && self.labels.as_ref().is_none_or(|it| it.matches(meta::labels(&object.root)))
            && self.annotations.as_ref().is_none_or(|it| it.matches(annotations))
    }
}

/// Objects by kind and name.
type Index = HashMap<(String, String), Vec<usize>>;

fn index(objects: &[Resource]) -> Index {
    let mut index = Index::new();
    for (at, object) in objects.iter().enumerate() {
        index.entry((object.kind().into(), object.name().into())).or_default().push(at);
    }
    index
}

impl Transformer for Patches {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let scopes = set.scopes().clone();
        let objects = &mut std::mem::take(set).into_vec();
        let sink = &mut *context.sink;
        let mut schemas = context.schemas.clone();
        for object in objects.iter().filter(|it| it.kind() == "CustomResourceDefinition") {
            // a definition with faults is named where objects are validated
            let _ = schemas.add_crd(&object.root);
        }
        let mut known = index(objects);
        for patch in &self.list {
            let count = objects.len();
            match (&patch.change, &patch.target) {
                (Change::Strategic(documents), None) => {
                    let mut gone = Vec::new();
                    for document in documents {
                        let Some(at) = find(document, objects, &known, patch, sink) else {
                            continue;
                        };
                        if !merge(&mut objects[at], document, patch, &schemas, sink) {
                            gone.push(at);
                        }
                    }
                    remove(objects, &gone);
                }
                (change, target) => {
                    let target = target.clone().unwrap_or_default();
                    let chosen: Vec<usize> =
                        (0..count).filter(|at| target.matches(&objects[*at])).collect();
                    if chosen.is_empty() {
                        sink.push(
                            no_match(patch.span, "no object fits the patch's target")
                                .help(nearest(&target, objects)),
                        );
                    }
                    let mut gone = Vec::new();
                    for at in chosen {
                        let kept = match change {
                            Change::Strategic(documents) => documents.iter().all(|document| {
                                merge(&mut objects[at], document, patch, &schemas, sink)
                            }),
                            Change::Json(operations) => {
                                operate(&mut objects[at], operations, patch, sink);
                                true
                            }
                        };
                        if !kept {
                            gone.push(at);
                        }
                    }
                    remove(objects, &gone);
                }
            }
            if patch.renames || patch.changes_kind || objects.len() != count {
                known = index(objects);
            }
        }
        *set = ResourceSet::unchecked(std::mem::take(objects), scopes);
    }
}

fn remove(objects: &mut Vec<Resource>, gone: &[usize]) {
    let mut at = 0;
    objects.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
}

/// What a target that fits nothing may have meant.
fn nearest(target: &Target, objects: &[Resource]) -> String {
    let kinds: BTreeSet<&str> = objects.iter().map(Resource::kind).collect();
    let of_kind = |object: &&Resource| {
        let mut kinds = target.expressions.iter().filter(|(field, _)| *field == TargetField::Kind);
        kinds.all(|(_, expression)| expression.is_match(object.kind()))
    };
    let names: BTreeSet<String> =
        objects.iter().filter(of_kind).map(|object| object.shown().to_string()).collect();
    if names.is_empty() {
        return format!("kinds are: {}", Vec::from_iter(kinds).join(", "));
    }
    let some: Vec<String> = names.into_iter().take(10).collect();
    format!("of that kind there is: {}", some.join(", "))
}

fn no_match(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("wharf::transform::patch_matches_nothing", message).at(span, "this patch")
}

/// The object that a strategic merge patch names.
fn find(
    document: &Node,
    objects: &[Resource],
    known: &Index,
    patch: &Patch,
    sink: &mut Diagnostics,
) -> Option<usize> {
    let (Some(gvk), name) = (meta::gvk(document), meta::name(document)) else {
        sink.push(
            no_match(patch.span, "a strategic merge patch needs `apiVersion`, `kind` and a name")
                .help("give the patch a `target`, or name the object in it"),
        );
        return None;
    };
    let namespace = meta::namespace(document);
    let fits = |at: &&usize| {
        let object = &objects[**at];
        object.gvk() == gvk && (namespace.is_empty() || object.namespace() == namespace)
    };
    let key = (gvk.kind.to_string(), name.to_owned());
    let found: Vec<usize> = known.get(&key).into_iter().flatten().filter(fits).copied().collect();
    let shown = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    match found.as_slice() {
        [at] => return Some(*at),
        [] => {
            let same = objects.iter().filter(|object| object.kind() == gvk.kind);
            let names: Vec<&str> = same.map(Resource::name).collect();
            let at = document.at(&["metadata", "name"]).map_or(patch.span, |node| node.span);
            let mut fault = no_match(
                if at.is_none() { patch.span } else { at },
                format!("there is no {gvk} `{shown}` to patch"),
            )
            .maybe_help(suggest::did_you_mean(name, names.iter().copied()));
            if !names.is_empty() {
                fault = fault.note(format!("there is {} {}", gvk.kind, names.join(", ")));
            }
            sink.push(fault);
        }
        several => sink.push(
            Diagnostic::error(
                "wharf::transform::patch_ambiguous",
                format!("{} objects are {gvk} `{shown}`", several.len()),
            )
            .at(patch.span, "this patch")
            .help("name the namespace in the patch"),
        ),
    }
    None
}

/// Merges a patch into an object; false when the patch deletes it.
fn merge(
    object: &mut Resource,
    document: &Node,
    patch: &Patch,
    schemas: &Schemas,
    sink: &mut Diagnostics,
) -> bool {
    if document.str_at(&["$patch"]) == Some("delete") {
        return false;
    }
    let text = |key| object.root.str_at(&[key]).unwrap_or_default();
    let ty = schemas.kind(text("apiVersion"), text("kind"));
    let identity: [&[&str]; 3] = [&["kind"], &["metadata", "name"], &["metadata", "namespace"]];
    let before = identity.map(|path| object.root.at(path).cloned());
    if let Err(error) =
        strategic::apply_by(&mut object.root, document, ty, strategic::Rules::Kustomize)
    {
        sink.push(failed(&error, object, patch));
    }
    let allowed = [patch.changes_kind, patch.renames, false];
    for ((path, value), allowed) in identity.iter().zip(before).zip(allowed) {
        match value {
            _ if allowed => {}
            Some(value) => object.root.set_at(path, value),
            None => {
                object.root.remove_at(path);
            }
        }
    }
    true
}

fn operate(object: &mut Resource, operations: &Node, patch: &Patch, sink: &mut Diagnostics) {
    if let Err(error) = json6902::apply(&mut object.root, operations) {
        sink.push(failed(&error, object, patch));
    }
}

fn failed(error: &PatchError, object: &Resource, patch: &Patch) -> Diagnostic {
    let at = if error.span().is_none() { patch.span } else { error.span() };
    Diagnostic::error(
        "wharf::transform::patch_failed",
        format!("the patch does not fit {}: {error}", object.shown()),
    )
    .at(at, "this part of the patch")
}
