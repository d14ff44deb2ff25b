//! Lists that merge, for kustomize's strategic merge.
//!
//! Items are told apart by the texts of one or several keys; plain values by their own text. Almost
//! every list is *plain*: one key, which each item has, no two alike. Then the result is the items
//! of the patch in their order, each merged with what the target has, and after them the rest of the
//! target. All other lists take the long way: kustomize's own steps, whose order and side effects
//! decide what becomes of items that lack a key, that share one, or that are no maps at all. That
//! way is quadratic in the length of such a list.

use super::{Change, Merger, Outcome, take_directive, text, wrong_kind};
use crate::object::patch::PatchError;
use crate::schema::MergePlace;
use crate::yaml::{Map, Node, Str, Value};
use std::collections::{HashMap, HashSet};

/// Merges into the list of a node.
pub(super) fn merge(
    merger: &Merger<'_>,
    list: &mut Node,
    change: Change,
    place: MergePlace<'_>,
) -> Result<(), PatchError> {
    let keys = place.keys().unwrap_or_default();
    let inner = place.items();
    let Value::List(slot) = &mut list.value else { return Ok(()) };
    let target = std::mem::take(slot);
    let (itself, patch) = match change {
        Change::Itself => (true, Vec::new()),
        Change::Part(Node { value: Value::List(items), .. }) => (false, items),
        Change::Nothing | Change::Part(_) => (false, Vec::new()),
    };
    *slot = match keys {
        [] if are_values(&target) && are_values(&patch) => add_values(target, patch),
        [key] if are_plain(&target, key) && are_plain(&patch, key) => {
            merge_plain(merger, target, patch, itself, key, inner)?
        }
        _ => Long::new(merger, target, patch, itself, keys, inner).merge()?,
    };
    Ok(())
}

fn are_values(items: &[Node]) -> bool {
    items.iter().all(|item| !matches!(item.value, Value::Map(_) | Value::List(_) | Value::Null))
}

/// True when every item is a map with a key of its own.
fn are_plain(items: &[Node], key: &str) -> bool {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().all(|item| {
        let value = item.as_map().and_then(|map| map.get(key)).map(text);
        value.is_some_and(|value| !value.is_empty() && seen.insert(value))
    })
}

/// The values of the patch, then those that only the target has.
fn add_values(target: Vec<Node>, patch: Vec<Node>) -> Vec<Node> {
    let mut position: HashMap<Str, usize> = HashMap::new();
    let mut out: Vec<Node> = Vec::with_capacity(target.len() + patch.len());
    for item in patch {
        position.entry(text(&item).into()).or_insert_with(|| {
            out.push(item);
            out.len() - 1
        });
    }
    for item in target {
        let at = *position.entry(text(&item).into()).or_insert(out.len());
        if at == out.len() { out.push(item) } else { out[at] = item }
    }
    out
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || node.as_map().is_some_and(Map::is_empty)
}

fn merge_plain(
    merger: &Merger<'_>,
    target: Vec<Node>,
    patch: Vec<Node>,
    itself: bool,
    key: &str,
    inner: MergePlace<'_>,
) -> Result<Vec<Node>, PatchError> {
    let mut position: HashMap<Str, usize> = HashMap::new();
    if !patch.is_empty() {
        let key_of = |item: &Node| item.get(key).map(|value| Str::from(text(value)));
        position =
            target.iter().enumerate().filter_map(|(at, item)| Some((key_of(item)?, at))).collect();
    }
    let mut out = Vec::with_capacity(target.len() + patch.len());
    let mut target: Vec<Option<Node>> = target.into_iter().map(Some).collect();
    for item in patch {
        let old = item.get(key).and_then(|value| position.get(text(value).as_ref()));
        let mut old = old.and_then(|at| target[*at].take());
        match (merger.walk(old.as_mut(), Change::Part(item), Some(inner))?, old) {
            // a replaced item stays as it was: kustomize puts the old one over the new one
            (Outcome::Kept | Outcome::New(_), Some(kept)) | (Outcome::New(kept), None) => {
                if !is_empty(&kept) {
                    out.push(kept);
                }
            }
            (Outcome::Gone | Outcome::Kept, _) => {}
        }
    }
    for mut item in target.into_iter().flatten() {
        let change = if itself { Change::Itself } else { Change::Nothing };
        let outcome = merger.walk(Some(&mut item), change, Some(inner))?;
        if !matches!(outcome, Outcome::Gone) && !is_empty(&item) {
            out.push(item);
        }
    }
    Ok(out)
}

/// The long way. Nodes are kept apart, and lists hold their numbers, because one node stands in
/// several lists.
struct Long<'a> {
    merger: &'a Merger<'a>,
    nodes: Vec<Node>,
    target: Vec<usize>,
    patch: Vec<usize>,
    itself: bool,
    keys: Vec<&'a str>,
    inner: MergePlace<'a>,
}

type Values = Vec<Str>;

impl<'a> Long<'a> {
    fn new(
        merger: &'a Merger<'a>,
        target: Vec<Node>,
        patch: Vec<Node>,
        itself: bool,
        keys: &'a [Str],
        inner: MergePlace<'a>,
    ) -> Long<'a> {
        let (count, added) = (target.len(), patch.len());
        let mut nodes = target;
        nodes.extend(patch);
        let target: Vec<usize> = (0..count).collect();
        let patch = if itself { target.clone() } else { (count..count + added).collect() };
        let keys = if keys.is_empty() { vec![""] } else { keys.iter().map(Str::as_str).collect() };
        Long { merger, nodes, target, patch, itself, keys, inner }
    }

    fn merge(mut self) -> Result<Vec<Node>, PatchError> {
        let all = self.values();
        let given = |at: &usize| all.iter().any(|values| !values[*at].is_empty());
        let mut columns: Vec<usize> = (0..self.keys.len()).filter(given).collect();
        if columns.is_empty() {
            columns = (0..self.keys.len()).collect();
        }
        let keys: Vec<&str> = columns.iter().map(|at| self.keys[*at]).collect();
        let mut merged: Vec<usize> = Vec::new();
        for values in &all {
            let values: Values = columns.iter().map(|at| values[*at].clone()).collect();
            let Some(node) = self.merge_one(&keys, &values)? else {
                let mut target = std::mem::take(&mut self.target);
                self.set(&mut target, None, &keys, &values)?;
                self.target = target;
                continue;
            };
            for (key, value) in keys.iter().zip(&values).filter(|(key, _)| !key.is_empty()) {
                if let Value::Map(map) = &mut self.nodes[node].value
                    && !map.contains_key(key)
                    && !value.is_empty()
                {
                    map.insert(*key, crate::yaml::plain_scalar(value));
                }
            }
            self.set(&mut merged, Some(node), &keys, &values)?;
        }
        if all.is_empty() {
            return Ok(self.take(&self.target.clone()));
        }
        self.append(&mut merged, &keys)?;
        Ok(self.take(&merged))
    }

    /// The values of the keys of all items, those of the patch first, each once.
    fn values(&self) -> Vec<Values> {
        let mut seen = HashSet::new();
        let mut all: Vec<Values> = Vec::new();
        let plain = self.keys == [""];
        for node in self.patch.iter().chain(&self.target) {
            let node = &self.nodes[*node];
            let values: Values = if plain {
                vec![text(node).into()]
            } else {
                let value =
                    |key: &&str| node.as_map().and_then(|map| map.get(key)).map_or("".into(), text);
                self.keys.iter().map(|key| Str::from(value(key))).collect()
            };
            if seen.insert(values.clone()) {
                all.push(values);
            }
        }
        if self.keys.len() > 1 && all.iter().flatten().any(Str::is_empty) {
            complete(&mut all);
        }
        all
    }

    /// Merges the items that have these values; nothing when none is left.
    fn merge_one(&mut self, keys: &[&str], values: &Values) -> Result<Option<usize>, PatchError> {
        let old = self.find(&self.target, keys, values);
        let new = self.find(&self.patch, keys, values);
        let change = match new {
            Some(_) if self.itself => Change::Itself,
            Some(at) => {
                let part = self.nodes[at].clone();
                // an item that is met again has lost its directive
                let _ = take_directive(&mut self.nodes[at]);
                Change::Part(part)
            }
            None => Change::Nothing,
        };
        let outcome = match old {
            Some(at) => self.merger.walk(Some(&mut self.nodes[at]), change, Some(self.inner))?,
            None => self.merger.walk(None, change, Some(self.inner))?,
        };
        let node = match (outcome, old) {
            (Outcome::Gone, _) | (Outcome::Kept, None) => return Ok(None),
            (Outcome::Kept, Some(at)) => at,
            (Outcome::New(node), _) => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        Ok((!is_empty(&self.nodes[node])).then_some(node))
    }

    /// The first item of a list that has these values; those that are empty are not asked for.
    fn find(&self, list: &[usize], keys: &[&str], values: &Values) -> Option<usize> {
        let asked = values.iter().any(|value| !value.is_empty());
        list.iter().copied().find(|at| {
            let node = &self.nodes[*at];
            if keys.first().is_none_or(|key| key.is_empty()) {
                return values.first().is_some_and(|value| text(node) == value.as_str());
            }
            let Value::Map(map) = &node.value else { return false };
            keys.iter()
                .zip(values)
                .filter(|(_, value)| !asked || !value.is_empty())
                .all(|(key, value)| map.get(key).is_some_and(|found| text(found) == value.as_str()))
        })
    }

    /// Puts a node in the place of all items that have these values, or at the end; without a node
    /// removes those items. Empty items go in any case.
    fn set(
        &self,
        list: &mut Vec<usize>,
        node: Option<usize>,
        keys: &[&str],
        values: &[Str],
    ) -> Result<(), PatchError> {
        let wants_maps = keys.first().is_some_and(|key| !key.is_empty())
            && values.first().is_some_and(|value| !value.is_empty());
        let mut found = false;
        let mut kept = Vec::with_capacity(list.len() + 1);
        for at in list.iter().copied() {
            let item = &self.nodes[at];
            if is_empty(item) {
                continue;
            }
            if wants_maps && item.as_map().is_none() {
                kept.push(at);
                continue;
            }
            if !has(item, keys, values)? {
                if !values.is_empty() {
                    kept.push(at);
                }
                continue;
            }
            found = true;
            kept.extend(node);
        }
        if !found {
            kept.extend(node.filter(|at| !self.nodes[*at].is_null()));
        }
        *list = kept;
        Ok(())
    }

    /// Puts the items of the target into the merged list.
    fn append(&self, merged: &mut Vec<usize>, keys: &[&str]) -> Result<(), PatchError> {
        for at in self.target.iter().copied() {
            let item = &self.nodes[at];
            if keys.first().is_none_or(|key| key.is_empty()) {
                self.set(merged, Some(at), &[""], &[text(item).into()])?;
                continue;
            }
            let mut values = Values::new();
            for key in keys {
                match &item.value {
                    Value::Null => merged.push(at),
                    Value::Map(map) => match map.get(key) {
                        Some(value) => values.push(text(value).into()),
                        None => merged.push(at),
                    },
                    _ => return Err(wrong_kind("MappingNode", item)),
                }
            }
            if keys.len() > 1 {
                self.set(merged, None, keys, &values)?;
            }
            self.set(merged, Some(at), keys, &values)?;
        }
        Ok(())
    }

    fn take(&self, list: &[usize]) -> Vec<Node> {
        list.iter().map(|at| self.nodes[*at].clone()).collect()
    }
}

/// Whether an item has these values; of keys beyond the values nothing is asked.
fn has(item: &Node, keys: &[&str], values: &[Str]) -> Result<bool, PatchError> {
    if values.is_empty() {
        return Ok(false);
    }
    for (key, value) in keys.iter().zip(values) {
        let fits = match (&item.value, key.is_empty()) {
            (Value::Null, _) => false,
            (Value::Map(map), false) => {
                map.get(key).is_some_and(|found| value.is_empty() || text(found) == value.as_str())
            }
            (_, false) => return Err(wrong_kind("MappingNode", item)),
            (Value::Map(_) | Value::List(_), true) => return Err(wrong_kind("ScalarNode", item)),
            (_, true) => text(item) == value.as_str(),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Items that agree in a key, and of which one lacks another key, are the same item. An item is
/// compared with all others as it was before the first of them completed it.
fn complete(all: &mut [Values]) {
    for first in 0..all.len() {
        let before = all[first].clone();
        for second in 0..all.len() {
            if let Some(values) = union(&before, &all[second]) {
                all[first].clone_from(&values);
                all[second] = values;
            }
        }
    }
}

fn union(a: &Values, b: &Values) -> Option<Values> {
    let mut common = false;
    let mut values = Values::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        common |= a == b;
        if a != b && !a.is_empty() && !b.is_empty() {
            return None;
        }
        values.push(if a.is_empty() { b.clone() } else { a.clone() });
    }
    common.then_some(values)
}
