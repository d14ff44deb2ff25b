//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.
//!
//! A strategic merge patch without a target changes the object that it names; a target chooses by
//! regular expressions and selectors. Objects are found by every id that they had.
//!
//! In a kustomization everything is as kustomize does it: a target that fits nothing is no fault,
//! and lists merge by kustomize's table. Under [`Rules::Overlay`] a patch that finds nothing is a
//! fault, one without a namespace may be for an object in any, lists of custom resources merge by
//! the keys of their definitions, and every fault is told.

mod read;
#[cfg(test)]
mod tests;

pub use read::{Load, Reader, invalid};

use super::set::{Id, Resource, ResourceSet, Select};
use super::{Context, Rules, Transformer, field_path};
use crate::base::diag::Diagnostic;
use crate::base::source::{Sources, Span};
use crate::base::suggest;
use crate::object::patch::kustomize::{self, Merger};
use crate::object::patch::{PatchError, json6902, strategic};
use crate::schema::MergeTable;
use crate::yaml::{Entry, Form, Map, Node, Value, json, refolded};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Annotations that kustomize keeps to itself; a JSON patch cannot take them away.
const INTERNAL: &str = "internal.config.kubernetes.io/";

/// What a JSON patch can do.
const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

const ANNOTATIONS: [&str; 2] = ["metadata", "annotations"];

/// Which field asks for a patch: they differ in small things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `patches`
    Patches,
    /// `patchesStrategicMerge`
    StrategicMerge,
    /// `patchesJson6902`
    Json6902,
}

/// The document of a patch.
#[derive(Clone, Debug)]
pub enum Change {
    /// Partial objects; none is no patch at all.
    Merge(Vec<Node>),
    /// A list of operations.
    Operations(Node),
}

/// What is wrong with a target.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// What is said of it.
    pub fault: Box<Diagnostic>,
    /// Whether it matters only when there is an object that is asked about it: labels are looked at
    /// last.
    pub only_if_asked: bool,
}

/// A patch, or all patches of a `patchesStrategicMerge`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// Which field asked for it.
    pub field: Field,
    /// What changes.
    pub change: Change,
    /// Which objects; nothing for those that the documents name.
    pub target: Option<Select>,
    /// What is wrong with the target, which kustomize finds when the patch is applied.
    pub doubt: Option<Doubt>,
    /// The patch may rename objects.
    pub renames: bool,
    /// The patch may change kinds.
    pub changes_kind: bool,
    /// How lists merge; nothing for what kustomize knows by itself.
    pub table: Option<Arc<MergeTable>>,
    /// Where it was asked for.
    pub span: Span,
    /// Where its text came from, in kustomize's words.
    pub shown: String,
}

impl Transformer for Patch {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let mut changed = Vec::new();
        let result = match (&self.change, &self.target) {
            (Change::Merge(documents), None) => {
                self.merge_named(documents, set, context, &mut changed)
            }
            (Change::Merge(documents), Some(target)) => {
                self.merge_selected(documents, target, set, context, &mut changed)
            }
            (Change::Operations(operations), target) => {
                self.operate(operations, target.as_ref(), set, context, &mut changed)
            }
        };
        // what was deleted stays in the set as an empty object for a moment
        if changed.iter().any(|at| is_gone(set.get(*at))) {
            set.retain(|resource| !is_gone(resource));
        }
        if let Err(fault) = result {
            context.sink.push(*fault);
        }
    }
}

type Fallible<T> = Result<T, Box<Diagnostic>>;

impl Patch {
    fn merge_named(
        &self,
        documents: &[Node],
        set: &mut ResourceSet,
        context: &mut Context<'_>,
        changed: &mut Vec<usize>,
    ) -> Fallible<()> {
        for document in documents {
            let result = self.named(document, set, context.rules).and_then(|at| {
                let part = match self.field {
                    Field::StrategicMerge => for_target(document, set.get(at), context.sources),
                    Field::Patches | Field::Json6902 => document.clone(),
                };
                changed.push(at);
                self.merge(part, at, set, context)
            });
            told(result, context)?;
        }
        Ok(())
    }

    /// Where the object is that a document names.
    fn named(&self, document: &Node, set: &mut ResourceSet, rules: Rules) -> Fallible<usize> {
        let id = set.scopes().id(document);
        let mut found = match rules {
            Rules::Kustomize => set.any(&id),
            Rules::Overlay if id.gvk.kind.is_empty() || id.name.is_empty() => {
                return Err(Box::new(
                    self.no_match("a strategic merge patch needs `apiVersion`, `kind` and a name")
                        .help("give the patch a `target`, or name the object in it"),
                ));
            }
            Rules::Overlay => {
                let mut found = set.named(&id.name);
                found.retain(|at| {
                    let resource = set.get(*at);
                    let namespace = &id.namespace;
                    resource.gvk() == id.gvk
                        && (namespace.is_empty() || resource.namespace() == namespace.as_str())
                });
                found
            }
        };
        found.retain(|at| !is_gone(set.get(*at)));
        match (found.as_slice(), rules) {
            ([at], _) => Ok(*at),
            (several, Rules::Kustomize) => {
                let matches = if several.is_empty() { "no" } else { "multiple" };
                let cause = format!(
                    "{matches} matches for Id {id}; failed to find unique target for patch {id}"
                );
                let text = match self.field {
                    Field::Patches => {
                        format!("no resource matches strategic merge patch \"{id}\": {cause}")
                    }
                    Field::StrategicMerge | Field::Json6902 => cause,
                };
                Err(Box::new(self.not_found(document, &id, text, set)))
            }
            ([], Rules::Overlay) => {
                let text = format!("there is no {} `{}` to patch", id.gvk, shown(&id));
                Err(Box::new(self.not_found(document, &id, text, set)))
            }
            (several, Rules::Overlay) => Err(Box::new(
                Diagnostic::error(
                    "wharf::transform::patch_ambiguous",
                    format!("{} objects are {} `{}`", several.len(), id.gvk, shown(&id)),
                )
                .at(self.span, "this patch")
                .help("name the namespace in the patch"),
            )),
        }
    }

    fn merge_selected(
        &self,
        documents: &[Node],
        target: &Select,
        set: &mut ResourceSet,
        context: &mut Context<'_>,
        changed: &mut Vec<usize>,
    ) -> Fallible<()> {
        match documents {
            [] => return Ok(()),
            [_, second, ..] if context.rules == Rules::Kustomize => {
                return Err(Box::new(
                    invalid(
                        format!(
                            "Multiple Strategic-Merge Patches in one `patches` entry is not \
                             allowed to set `patches.target` field: {}",
                            self.shown
                        ),
                        second.span,
                        "the second patch",
                    )
                    .help("make an entry for each of them"),
                ));
            }
            _ => {}
        }
        *changed = self.chosen(target, set, context.rules)?;
        for at in changed.iter() {
            for document in documents {
                if is_gone(set.get(*at)) {
                    break;
                }
                let part = for_target(document, set.get(*at), context.sources);
                told(self.merge(part, *at, set, context), context)?;
            }
        }
        if !self.renames && !self.changes_kind {
            return Ok(());
        }
        let scopes = set.scopes().clone();
        for at in changed.iter() {
            let id = set.get(*at).id(&scopes);
            if !is_gone(set.get(*at)) && set.current(&id).len() > 1 {
                let cause = format!("may not add resource with an already registered id: {id}");
                return Err(self.fault(set.get(*at), self.span, &cause).into());
            }
        }
        Ok(())
    }

    fn merge(
        &self,
        mut part: Node,
        at: usize,
        set: &mut ResourceSet,
        context: &Context<'_>,
    ) -> Fallible<()> {
        let scopes = set.scopes().clone();
        if self.renames || self.changes_kind {
            // kustomize notes what is allowed among the annotations, which makes all of them texts
            set_texts(&mut part, &ANNOTATIONS, Some(context.sources));
        }
        set.edit(at, |resource| {
            if self.renames || self.changes_kind {
                resource.remember(&scopes);
            }
            let path = |field| {
                [["kind"].as_slice(), &["metadata", "name"], &["metadata", "namespace"]][field]
            };
            let before = [0, 1, 2].map(|field| resource.root.at(path(field)).cloned());
            let kept = match context.rules {
                Rules::Kustomize => resource.reshape(|root| {
                    let table = self.table.as_deref().unwrap_or_else(|| MergeTable::kustomize());
                    Merger { table, sources: Some(context.sources) }.apply(root, part)
                }),
                Rules::Overlay => {
                    let text = |key| resource.root.str_at(&[key]).unwrap_or_default();
                    let ty = context.schemas.kind(text("apiVersion"), text("kind"));
                    let rules = strategic::Rules::Kustomize;
                    strategic::apply_by(&mut resource.root, &part, ty, rules)
                        .map(|()| !is_gone(resource))
                }
            };
            if !kept.map_err(|error| self.failed(resource, &error))? {
                resource.root = Node::NULL;
                return Ok(());
            }
            let free = [self.changes_kind, self.renames, false];
            for (field, before) in before.into_iter().enumerate().filter(|(at, _)| !free[*at]) {
                match before {
                    Some(value) => resource.root.set_at(path(field), value),
                    None => drop(resource.root.remove_at(path(field))),
                }
            }
            Ok(())
        })
    }

    fn operate(
        &self,
        operations: &Node,
        target: Option<&Select>,
        set: &mut ResourceSet,
        context: &mut Context<'_>,
        changed: &mut Vec<usize>,
    ) -> Fallible<()> {
        let Some(target) = target else {
            let text = format!("must specify a target for JSON patch {}", self.shown);
            return Err(Box::new(
                invalid(text, self.span, "without a `target`")
                    .help("name the `kind` and `name` of what it changes under `target`"),
            ));
        };
        let scopes = set.scopes().clone();
        *changed = self.chosen(target, set, context.rules)?;
        for at in changed.iter() {
            let result = set.edit(*at, |resource| {
                if self.field == Field::Patches {
                    resource.remember(&scopes);
                }
                let result = match context.rules {
                    Rules::Kustomize => resource.reshape(|root| operate(root, operations)),
                    Rules::Overlay => json6902::apply(&mut resource.root, operations),
                };
                result.map_err(|error| self.failed(resource, &error).into())
            });
            told(result, context)?;
        }
        Ok(())
    }

    fn chosen(&self, target: &Select, set: &mut ResourceSet, rules: Rules) -> Fallible<Vec<usize>> {
        let chosen = set.select(target);
        match &self.doubt {
            Some(doubt) if !(doubt.only_if_asked && chosen.is_empty()) => Err(doubt.fault.clone()),
            _ if chosen.is_empty() && rules == Rules::Overlay => Err(Box::new(
                self.no_match("no object fits the patch's target").help(nearest(target, set)),
            )),
            _ => Ok(chosen),
        }
    }

    fn failed(&self, resource: &Resource, error: &PatchError) -> Diagnostic {
        let at = if error.span().is_none() { self.span } else { error.span() };
        self.fault(resource, at, &error.to_string()).maybe_help(self.advice(resource, at))
    }

    /// What an operation may have meant, where it leads to nothing.
    fn advice(&self, resource: &Resource, at: Span) -> Option<String> {
        let Change::Operations(operations) = &self.change else { return None };
        let is_meant = |operation: &&Node| {
            [operation.get("path"), operation.get("op")].iter().flatten().any(|it| it.span == at)
        };
        let operation = operations.as_list()?.iter().find(is_meant)?;
        let op = operation.str_at(&["op"]).unwrap_or_default();
        if !OPERATIONS.contains(&op) {
            let known = || format!("known are {}", OPERATIONS.join(", "));
            return Some(suggest::did_you_mean(op, OPERATIONS).unwrap_or_else(known));
        }
        let path = operation.str_at(&["path"])?.strip_prefix('/')?;
        let steps: Vec<String> =
            path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        field_path::nearest(&resource.root, &steps)
    }

    fn fault(&self, resource: &Resource, at: Span, cause: &str) -> Diagnostic {
        Diagnostic::error(
            "wharf::transform::patch_failed",
            format!("the patch does not fit {}: {cause}", resource.shown()),
        )
        .at(at, if at == self.span { "this patch" } else { "this part of the patch" })
    }

    fn no_match(&self, text: &str) -> Diagnostic {
        Diagnostic::error("wharf::transform::patch_matches_nothing", text)
            .at(self.span, "this patch")
    }

    fn not_found(&self, document: &Node, id: &Id, text: String, set: &ResourceSet) -> Diagnostic {
        let of_kind = set.iter().filter(|resource| resource.kind() == id.gvk.kind.as_str());
        let names: Vec<&str> = of_kind.map(|it| it.name()).take(10).collect();
        let name = document.at(&["metadata", "name"]).map_or(Span::NONE, |node| node.span);
        let at = if name.is_none() { self.span } else { name };
        let fault = Diagnostic::error("wharf::transform::patch_matches_nothing", text)
            .at(at, "this patch")
            .maybe_help(suggest::did_you_mean(&id.name, names.iter().copied()));
        match names.as_slice() {
            [] => fault.note(kinds(set)),
            names => fault.note(format!("there is {} {}", id.gvk.kind, names.join(", "))),
        }
    }
}

/// Tells a fault and goes on, or ends with it: kustomize ends at the first one.
fn told(result: Fallible<()>, context: &mut Context<'_>) -> Fallible<()> {
    match result {
        Err(fault) if context.rules == Rules::Overlay => {
            context.sink.push(*fault);
            Ok(())
        }
        other => other,
    }
}

fn shown(id: &Id) -> String {
    match id.namespace.as_str() {
        "" => id.name.to_string(),
        namespace => format!("{namespace}/{}", id.name),
    }
}

fn kinds(set: &ResourceSet) -> String {
    let kinds: BTreeSet<&str> = set.iter().map(|it| it.kind()).collect();
    format!("kinds are: {}", Vec::from_iter(kinds).join(", "))
}

/// What a target that fits nothing may have meant.
fn nearest(target: &Select, set: &ResourceSet) -> String {
    let of_kind =
        |resource: &&Resource| target.kind.as_ref().is_none_or(|it| it.matches(resource.kind()));
    let names: BTreeSet<String> =
        set.iter().filter(of_kind).map(|resource| resource.shown().to_string()).collect();
    if names.is_empty() {
        return kinds(set);
    }
    let some: Vec<String> = names.into_iter().take(10).collect();
    format!("of that kind there is: {}", some.join(", "))
}

fn is_gone(resource: &Resource) -> bool {
    resource.root.is_null() || resource.root.as_map().is_some_and(Map::is_empty)
}

/// The patch as it is put onto one of several objects: with its group and version, and with labels
/// and annotations made text.
fn for_target(document: &Node, resource: &Resource, sources: &Sources) -> Node {
    let mut part = document.clone();
    for field in ["labels", "annotations"] {
        set_texts(&mut part, &["metadata", field], Some(sources));
    }
    if let Some(version) = resource.root.at(&["apiVersion"]) {
        part.set_at(&["apiVersion"], version.clone());
    }
    part
}

/// Makes the values of a map texts, as they were written in their files. An empty map goes.
fn set_texts(root: &mut Node, path: &[&str], sources: Option<&Sources>) {
    let Some(node) = root.at_mut(path) else { return };
    let Value::Map(map) = &mut node.value else { return };
    if map.is_empty() {
        root.remove_at(path);
        return;
    }
    for value in map.values_mut() {
        if !matches!(value.value, Value::String(_)) {
            value.value = Value::from(written(value, sources));
        }
    }
}

/// A scalar as it was written; collections have no text.
fn written(node: &Node, sources: Option<&Sources>) -> String {
    match &node.value {
        Value::List(_) | Value::Map(_) => String::new(),
        Value::Null if node.form.is_nothing() => String::new(),
        Value::String(text) => text.to_string(),
        _ => sources
            .and_then(|sources| sources.slice(node.span))
            .unwrap_or_else(|| json::to_string(node)),
    }
}

/// Carries out a JSON patch. The object goes through JSON on the way, so that it loses how it was
/// written.
fn operate(root: &mut Node, operations: &Node) -> Result<(), PatchError> {
    for (_, note) in
        root.at_mut(&ANNOTATIONS).and_then(Node::as_map_mut).into_iter().flat_map(Map::iter_mut)
    {
        if let (Form::Folded, Value::String(text)) = (note.form, &note.value) {
            note.value = refolded(text).as_ref().into();
        }
    }
    let annotations = |root: &Node| root.at(&ANNOTATIONS).and_then(Node::as_map).cloned();
    let before = annotations(root).unwrap_or_default();
    let internal = before.into_iter().filter(|entry| entry.key.starts_with(INTERNAL));
    let internal: Vec<Entry> = internal.collect();
    kustomize::operate(root, operations)?;
    if root.as_map().is_none() {
        let kind = json::go_kind(root);
        let text = format!(
            "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        );
        if !root.is_null() {
            return Err(PatchError::Unfit { message: text, at: operations.span });
        }
        *root = Node::map();
    }
    root.reform();
    set_texts(root, &ANNOTATIONS, None);
    for entry in internal {
        root.set_at(&[ANNOTATIONS[0], ANNOTATIONS[1], &entry.key], entry.value);
    }
    Ok(())
}
