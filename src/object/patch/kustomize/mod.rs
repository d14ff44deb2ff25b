//! Strategic merge as kustomize does it, down to what nobody would ask for.
//!
//! The document looks like that of [`super::strategic`], and means less: `$patch` on maps (but a
//! whole object cannot be replaced), on items of lists that merge, and as an item of its own for the
//! whole list. `$retainKeys`,
//! `$setElementOrder` and `$deleteFromPrimitiveList` have no meaning and stay as fields. Lists merge
//! where the [`MergeTable`] says so; items of the patch stand first. Where no list merges, what the
//! patch has is taken as it is.
//!
//! Merging goes over all of the target, not only over what the patch names, and so it changes what
//! the patch never mentions: a field for which nothing was written (`emptyDir:`) goes, and so do
//! empty items of lists that merge. A scalar is put into the quotes of the old one, which makes the
//! number of the patch a text where the target had quotes.

mod list;
mod operations;
#[cfg(test)]
mod tests;

pub use operations::operate;

use super::PatchError;
use crate::base::source::{Sources, Span};
use crate::schema::{MergePlace, MergeTable};
use crate::yaml::{Entry, Form, Map, Node, Str, Value, emit};
use std::borrow::Cow;

const PATCH: &str = "$patch";

/// How a patch is applied.
#[derive(Clone, Copy, Debug)]
pub struct Merger<'a> {
    /// Which lists merge.
    pub table: &'a MergeTable,
    /// The files that patches were read from. A number that gets quotes has the digits that stand
    /// there.
    pub sources: Option<&'a Sources>,
}

/// What is put onto a node.
enum Change {
    /// Nothing; but what is there is tidied.
    Nothing,
    /// The node itself: the patch put it there a moment ago, and its directives are still in it.
    Itself,
    /// A part of the patch.
    Part(Node),
}

/// What became of a node.
enum Outcome {
    /// It goes.
    Gone,
    /// It was changed in place, or stays.
    Kept,
    /// Another takes its place.
    New(Node),
}

/// What a `$patch` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Merger<'_> {
    /// Applies a patch; false when it deletes the object.
    ///
    /// # Errors
    /// [`PatchError::Unfit`] where the patch has another kind of node than the target, and for
    /// directives that nobody knows. The texts are kustomize's.
    pub fn apply(&self, target: &mut Node, patch: Node) -> Result<bool, PatchError> {
        match self.walk(Some(target), Change::Part(patch), None)? {
            Outcome::Gone => Ok(false),
            // kustomize changes objects in place and loses one that would take another's place
            Outcome::Kept | Outcome::New(_) => Ok(true),
        }
    }

    fn walk(
        &self,
        target: Option<&mut Node>,
        change: Change,
        place: Option<MergePlace<'_>>,
    ) -> Result<Outcome, PatchError> {
        let Some(target) = target.filter(|node| !node.is_null() || !node.form.is_nothing()) else {
            return self.add(change, place);
        };
        if target.is_null() {
            return match change {
                Change::Nothing => Ok(Outcome::Kept),
                Change::Itself => Ok(Outcome::Gone),
                Change::Part(_) => self.add(change, place),
            };
        }
        if let Change::Part(part) = &change {
            if part.is_null() {
                return Ok(Outcome::Gone);
            }
            same_kind(target, part)?;
        }
        let place = place.or_else(|| self.embedded(target)).or_else(|| match &change {
            Change::Part(part) => self.embedded(part),
            _ => None,
        });
        match &mut target.value {
            Value::Map(_) => self.walk_map(target, change, place),
            Value::List(_) => match place.filter(|place| place.keys().is_some()) {
                Some(place) => self.walk_list(target, change, place),
                None => Ok(replaced(change)),
            },
            _ => Ok(replaced(change)),
        }
    }

    /// Puts in what was not there. What has no meaning in its place stays as it is.
    fn add(&self, change: Change, place: Option<MergePlace<'_>>) -> Result<Outcome, PatchError> {
        let Change::Part(mut part) = change else { return Ok(Outcome::Gone) };
        if part.is_null() {
            return Ok(Outcome::Gone);
        }
        let place = place.or_else(|| self.embedded(&part));
        match &part.value {
            Value::Map(_) => {
                if let Ok(Directive::Delete) = take_directive(&mut part) {
                    return Ok(Outcome::Gone);
                }
                self.entries(&mut part, Change::Itself, place)?;
            }
            Value::List(_) => {
                if let Some(place) = place.filter(|place| place.keys().is_some()) {
                    list::merge(self, &mut part, Change::Itself, place)?;
                }
            }
            _ => {}
        }
        Ok(Outcome::New(part))
    }

    fn walk_map(
        &self,
        target: &mut Node,
        change: Change,
        place: Option<MergePlace<'_>>,
    ) -> Result<Outcome, PatchError> {
        let change = match change {
            Change::Nothing => Change::Nothing,
            Change::Itself => match take_directive(target)? {
                Directive::Delete => return Ok(Outcome::Gone),
                Directive::Replace | Directive::Merge => Change::Itself,
            },
            Change::Part(mut part) => match take_directive(&mut part)? {
                Directive::Delete => return Ok(Outcome::Gone),
                Directive::Replace => {
                    self.entries(&mut part, Change::Itself, place)?;
                    return Ok(Outcome::New(part));
                }
                Directive::Merge => Change::Part(part),
            },
        };
        self.entries(target, change, place)?;
        Ok(Outcome::Kept)
    }

    fn walk_list(
        &self,
        target: &mut Node,
        change: Change,
        place: MergePlace<'_>,
    ) -> Result<Outcome, PatchError> {
        let change = match change {
            Change::Nothing => Change::Nothing,
            Change::Itself => match take_list_directive(target)? {
                Directive::Delete => return Ok(Outcome::Gone),
                Directive::Replace | Directive::Merge => Change::Itself,
            },
            Change::Part(mut part) => match take_list_directive(&mut part)? {
                Directive::Delete => return Ok(Outcome::Gone),
                Directive::Replace => {
                    list::merge(self, &mut part, Change::Itself, place)?;
                    return Ok(Outcome::New(part));
                }
                Directive::Merge => Change::Part(part),
            },
        };
        list::merge(self, target, change, place)?;
        Ok(Outcome::Kept)
    }

    /// Goes over the entries of a map, and over those that the patch adds.
    fn entries(
        &self,
        target: &mut Node,
        change: Change,
        place: Option<MergePlace<'_>>,
    ) -> Result<(), PatchError> {
        let inner = |key: &str| place.and_then(|place| place.field(key));
        let Value::Map(map) = &mut target.value else { return Ok(()) };
        let (itself, part) = match change {
            Change::Nothing => (false, Map::new()),
            Change::Itself => (true, Map::new()),
            Change::Part(Node { value: Value::Map(part), .. }) => (false, part),
            Change::Part(_) => return Ok(()),
        };
        let mut gone: Vec<Str> = Vec::new();
        let mut failed = Failed(None);
        let keys: Vec<bool> = map.iter().map(|entry| part.contains_key(&entry.key)).collect();
        for ((key, value), _) in map.iter_mut().zip(keys).filter(|(_, changed)| !changed) {
            let change = if itself { Change::Itself } else { Change::Nothing };
            match failed.or(key, self.walk(Some(value), change, inner(key))) {
                Outcome::Gone => gone.push(key.into()),
                Outcome::Kept => {}
                Outcome::New(node) => *value = node,
            }
        }
        for Entry { key, key_span, value } in part {
            let place = inner(&key);
            let Some(old) = map.get_mut(&key) else {
                let outcome = failed.or(&key, self.walk(None, Change::Part(value), place));
                if let Outcome::New(value) = outcome {
                    map.insert_entry(Entry { key, key_span, value });
                }
                continue;
            };
            match failed.or(&key, self.walk(Some(old), Change::Part(value), place)) {
                Outcome::Gone => gone.push(key),
                Outcome::Kept => {}
                Outcome::New(mut node) => {
                    self.requote(old, &mut node);
                    *old = node;
                }
            }
        }
        if let Some((_, error)) = failed.0 {
            return Err(error);
        }
        match gone.as_slice() {
            [] => {}
            [key] => drop(map.remove(key)),
            _ => {
                let gone: std::collections::HashSet<Str> = gone.into_iter().collect();
                map.retain(|entry| !gone.contains(&entry.key));
            }
        }
        Ok(())
    }

    /// Writes a new scalar as the old one was written.
    fn requote(&self, old: &Node, new: &mut Node) {
        let scalar = |node: &Node| !matches!(node.value, Value::Map(_) | Value::List(_));
        if !scalar(old) || !scalar(new) {
            return;
        }
        if !matches!(old.form, Form::Quoted | Form::Folded) {
            new.form = Form::Plain;
            return;
        }
        // a time was made a text of another form when it was read
        let is_time =
            |text: &str| new.form == Form::Plain && text.starts_with(|c: char| c.is_ascii_digit());
        if new.as_str().is_none_or(is_time) {
            let written = self.sources.and_then(|sources| sources.slice(new.span));
            let text = written.unwrap_or_else(|| text(new).into_owned());
            new.value = Value::from(text);
        }
        new.form = Form::Quoted;
    }

    /// A node that holds an object of its own brings the schema of its kind.
    fn embedded(&self, node: &Node) -> Option<MergePlace<'_>> {
        let map = node.as_map()?;
        let kind = map.get("kind")?.as_str()?;
        self.table.kind(map.get("apiVersion")?.as_str()?, kind)
    }
}

/// The error of the first key in alphabetical order, which is the order of kustomize's walk.
struct Failed(Option<(Str, PatchError)>);

impl Failed {
    fn or(&mut self, key: &str, result: Result<Outcome, PatchError>) -> Outcome {
        let error = match result {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        if self.0.as_ref().is_none_or(|(first, _)| key < first.as_str()) {
            self.0 = Some((key.into(), error));
        }
        Outcome::Kept
    }
}

fn replaced(change: Change) -> Outcome {
    match change {
        Change::Nothing | Change::Itself => Outcome::Kept,
        Change::Part(part) => Outcome::New(part),
    }
}

/// The text of a scalar, as far as keys are told apart by it; collections have none.
fn text(node: &Node) -> Cow<'_, str> {
    match &node.value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Null if !node.form.is_nothing() => Cow::Borrowed("null"),
        Value::Null | Value::List(_) | Value::Map(_) => Cow::Borrowed(""),
    }
}

fn kind_name(node: &Node) -> &'static str {
    match node.value {
        Value::Map(_) => "MappingNode",
        Value::List(_) => "SequenceNode",
        _ => "ScalarNode",
    }
}

/// The error of a node that has another kind than is needed.
fn wrong_kind(expected: &str, node: &Node) -> PatchError {
    let shown = emit::to_string(node, &emit::Style::kustomize());
    let found = kind_name(node);
    PatchError::unfit(
        node.span,
        format!("wrong node kind: expected {expected} but got {found}: node contents:\n{shown}"),
    )
}

fn same_kind(target: &Node, part: &Node) -> Result<(), PatchError> {
    let expected = kind_name(target);
    if expected == kind_name(part) { Ok(()) } else { Err(wrong_kind(expected, part)) }
}

fn directive(node: &Node) -> Result<Directive, PatchError> {
    match text(node).as_ref() {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(unknown(other, node.span)),
    }
}

fn unknown(text: &str, at: Span) -> PatchError {
    PatchError::unfit(at, format!("unknown patch strategy '{text}'"))
}

/// Takes the directive out of a map.
fn take_directive(node: &mut Node) -> Result<Directive, PatchError> {
    let Value::Map(map) = &mut node.value else { return Ok(Directive::Merge) };
    let Some(value) = map.get(PATCH) else { return Ok(Directive::Merge) };
    let found = directive(value)?;
    map.remove(PATCH);
    Ok(found)
}

/// Takes the directive out of a list: an item that holds nothing else.
fn take_list_directive(node: &mut Node) -> Result<Directive, PatchError> {
    let Value::List(items) = &mut node.value else { return Ok(Directive::Merge) };
    let first = items.iter().find_map(|item| {
        let map = item.as_map()?;
        Some((map.len(), map.get(PATCH)?))
    });
    let Some((1, value)) = first else { return Ok(Directive::Merge) };
    let found = directive(value)?;
    let word = text(value).into_owned();
    items.retain(|item| match &item.value {
        Value::Map(map) => {
            !map.is_empty() && map.get(PATCH).is_none_or(|value| text(value) != word)
        }
        value => *value != Value::Null,
    });
    Ok(found)
}
