//! `patches`, `patchesStrategicMerge` and `patchesJson6902` of a kustomization.
//!
//! They do what kustomize does, in every case: a target that fits nothing is no fault, a name that
//! is not there is one, and objects are found by every id that they had. The patches of overlays
//! ([`super::patches`]) are stricter and have rules of their own.

mod read;
#[cfg(test)]
mod tests;

pub use read::{Load, Reader};

use super::set::{Resource, ResourceSet, Scopes, Select};
use super::{Context, Transformer};
use crate::base::diag::Diagnostic;
use crate::base::source::{Sources, Span};
use crate::object::patch::PatchError;
use crate::object::patch::kustomize::{self, Merger};
use crate::schema::MergeTable;
use crate::yaml::{Entry, Form, Map, Node, Value, refolded};
use std::sync::Arc;

/// Annotations that kustomize keeps to itself; a JSON patch cannot take them away.
const INTERNAL: &str = "internal.config.kubernetes.io/";

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
pub struct KustomizePatch {
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

impl Transformer for KustomizePatch {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let result = match (&self.change, &self.target) {
            (Change::Merge(documents), None) => self.merge_named(documents, set, context.sources),
            (Change::Merge(documents), Some(target)) => {
                self.merge_selected(documents, target, set, context.sources)
            }
            (Change::Operations(operations), target) => {
                self.operate(operations, target.as_ref(), set)
            }
        };
        if matches!(result, Ok(Left::Fewer)) {
            set.retain(|resource| !is_gone(resource));
        }
        if let Err(fault) = result {
            context.sink.push(*fault);
        }
    }
}

/// Whether resources were deleted, which stay in the set as empty ones for a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    All,
    Fewer,
}

impl Left {
    fn after(set: &ResourceSet, positions: &[usize]) -> Left {
        let gone = positions.iter().any(|at| is_gone(set.get(*at)));
        if gone { Left::Fewer } else { Left::All }
    }
}

type Fallible<T> = Result<T, Box<Diagnostic>>;

impl KustomizePatch {
    fn merge_named(
        &self,
        documents: &[Node],
        set: &mut ResourceSet,
        sources: &Sources,
    ) -> Fallible<Left> {
        let scopes = set.scopes().clone();
        let mut changed = Vec::new();
        for document in documents {
            let id = scopes.id(document);
            let mut found = set.any(&id);
            found.retain(|at| !is_gone(set.get(*at)));
            let at = match found.as_slice() {
                [at] => *at,
                [] => {
                    let cause = format!("no matches for Id {id}");
                    return Err(self.not_found(document, &cause, set).into());
                }
                _ => {
                    let cause = format!("multiple matches for Id {id}");
                    return Err(self.not_found(document, &cause, set).into());
                }
            };
            let part = match self.field {
                Field::StrategicMerge => for_target(document, set.get(at), sources),
                Field::Patches | Field::Json6902 => document.clone(),
            };
            self.merge(part, at, set, &scopes, sources)?;
            changed.push(at);
        }
        Ok(Left::after(set, &changed))
    }

    fn merge_selected(
        &self,
        documents: &[Node],
        target: &Select,
        set: &mut ResourceSet,
        sources: &Sources,
    ) -> Fallible<Left> {
        let document = match documents {
            [] => return Ok(Left::All),
            [document] => document,
            [_, second, ..] => {
                return Err(Box::new(
                    Diagnostic::error(
                        "wharf::transform::patch_invalid",
                        format!(
                            "Multiple Strategic-Merge Patches in one `patches` entry is not \
                             allowed to set `patches.target` field: {}",
                            self.shown
                        ),
                    )
                    .at(second.span, "the second patch")
                    .help("make an entry for each of them"),
                ));
            }
        };
        let scopes = set.scopes().clone();
        let chosen = self.chosen(target, set)?;
        for at in &chosen {
            let part = for_target(document, set.get(*at), sources);
            self.merge(part, *at, set, &scopes, sources)?;
        }
        let left = Left::after(set, &chosen);
        if !self.renames && !self.changes_kind {
            return Ok(left);
        }
        for at in chosen {
            let id = set.get(at).id(&scopes);
            if !is_gone(set.get(at)) && set.current(&id).len() > 1 {
                return Err(Box::new(self.fault(
                    set.get(at),
                    self.span,
                    &format!("may not add resource with an already registered id: {id}"),
                )));
            }
        }
        Ok(left)
    }

    fn merge(
        &self,
        mut part: Node,
        at: usize,
        set: &mut ResourceSet,
        scopes: &Scopes,
        sources: &Sources,
    ) -> Fallible<()> {
        let table = self.table.as_deref().unwrap_or_else(|| MergeTable::kustomize());
        let merger = Merger { table, sources: Some(sources) };
        if self.renames || self.changes_kind {
            // kustomize notes what is allowed among the annotations, which makes all of them texts
            set_texts(&mut part, &ANNOTATIONS, Some(sources));
        }
        set.edit(at, |resource| {
            if self.renames || self.changes_kind {
                resource.remember(scopes);
            }
            let path = |field| {
                [["kind"].as_slice(), &["metadata", "name"], &["metadata", "namespace"]][field]
            };
            let before = [0, 1, 2].map(|field| resource.root.at(path(field)).cloned());
            let kept = resource.reshape(|root| {
                let kept = merger.apply(root, part)?;
                if !kept {
                    *root = Node::NULL;
                }
                Ok(kept)
            });
            if !kept.map_err(|error| self.failed(resource, &error))? {
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
    ) -> Fallible<Left> {
        let Some(target) = target else {
            let text = format!("must specify a target for JSON patch {}", self.shown);
            return Err(Box::new(
                Diagnostic::error("wharf::transform::patch_invalid", text)
                    .at(self.span, "without a `target`")
                    .help("name the `kind` and `name` of what it changes under `target`"),
            ));
        };
        let scopes = set.scopes().clone();
        let chosen = self.chosen(target, set)?;
        for at in &chosen {
            set.edit(*at, |resource| {
                if self.field == Field::Patches {
                    resource.remember(&scopes);
                }
                let result = resource.reshape(|root| operate(root, operations));
                result.map_err(|error| self.failed(resource, &error))
            })?;
        }
        Ok(Left::after(set, &chosen))
    }

    fn chosen(&self, target: &Select, set: &mut ResourceSet) -> Fallible<Vec<usize>> {
        let chosen = set.select(target);
        match &self.doubt {
            Some(doubt) if !(doubt.only_if_asked && chosen.is_empty()) => Err(doubt.fault.clone()),
            _ => Ok(chosen),
        }
    }

    fn failed(&self, resource: &Resource, error: &PatchError) -> Diagnostic {
        let at = if error.span().is_none() { self.span } else { error.span() };
        self.fault(resource, at, &error.to_string())
    }

    fn fault(&self, resource: &Resource, at: Span, cause: &str) -> Diagnostic {
        Diagnostic::error(
            "wharf::transform::patch_failed",
            format!("the patch does not fit {}: {cause}", resource.shown()),
        )
        .at(at, if at == self.span { "this patch" } else { "this part of the patch" })
    }

    fn not_found(&self, document: &Node, cause: &str, set: &ResourceSet) -> Diagnostic {
        let id = set.scopes().id(document);
        let cause = format!("{cause}; failed to find unique target for patch {id}");
        let text = match self.field {
            Field::Patches => {
                format!("no resource matches strategic merge patch \"{id}\": {cause}")
            }
            Field::StrategicMerge | Field::Json6902 => cause,
        };
        let of_kind = set.iter().filter(|resource| resource.kind() == id.gvk.kind.as_str());
        let names: Vec<&str> = of_kind.map(Resource::name).take(10).collect();
        let name = document.at(&["metadata", "name"]).map_or(Span::NONE, |node| node.span);
        let at = if name.is_none() { self.span } else { name };
        let mut fault = Diagnostic::error("wharf::transform::patch_matches_nothing", text)
            .at(at, "this patch")
            .maybe_help(crate::base::suggest::did_you_mean(&id.name, names.iter().copied()));
        if !names.is_empty() {
            fault = fault.note(format!("there is {} {}", id.gvk.kind, names.join(", ")));
        }
        fault
    }
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
            .unwrap_or_else(|| crate::yaml::json::to_string(node)),
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
        let kind = match &root.value {
            Value::List(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
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
