//! Merging an applied configuration into a live value, and removing fields from a value.

use super::field_set::{FieldSet, PathElement};
use super::typed::{Form, Known, element, field, form, is_named, items, part};
use crate::schema::{Kind, Type};
use crate::yaml::{Entry, Map, Node, Value};
use std::collections::HashSet;

/// The live value with the configuration laid over it. Nulls of the configuration are dropped
/// where the type knows no null.
pub(super) fn merge(live: Option<&Node>, config: &Node, ty: Known<'_>) -> Option<Node> {
    // what is empty on both sides is a leaf, so that an empty map stays one
    if is_empty(config) && live.is_none_or(is_empty) {
        return keep(config, ty);
    }
    let shape = if config.is_null() { live.unwrap_or(config) } else { config };
    match form(ty, shape) {
        Form::Leaf => keep(config, ty),
        Form::Map => Some(merge_maps(live, config, ty)),
        form @ (Form::Set | Form::Keyed(_)) => Some(merge_lists(live, config, ty, form)),
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

fn keep(node: &Node, ty: Known<'_>) -> Option<Node> {
    let dropped =
        node.is_null() && ty.is_some_and(|ty| ty.kind() != Kind::Any && !ty.is_nullable());
    (!dropped).then(|| node.clone())
}

fn merge_maps(live: Option<&Node>, config: &Node, ty: Known<'_>) -> Node {
    let none = Map::new();
    let before = live.and_then(Node::as_map).unwrap_or(&none);
    let after = config.as_map().unwrap_or(&none);
    let mut out = Map::with_capacity(before.len() + after.len());
    for entry in before {
        match after.get(&entry.key) {
            None => {
                out.insert_entry(entry.clone());
            }
            Some(value) => {
                if let Some(value) = merge(Some(&entry.value), value, field(ty, &entry.key)) {
                    out.insert_entry(Entry { value, ..entry.clone() });
                }
            }
        }
    }
    for entry in after.iter().filter(|entry| !before.contains_key(&entry.key)) {
        if let Some(value) = merge(None, &entry.value, field(ty, &entry.key)) {
            out.insert_entry(Entry { value, ..entry.clone() });
        }
    }
    Node::new(out, config.span)
}

/// Merges lists by element. Items of the configuration stand in its order; those that only the
/// live list has keep their place between the items that both have.
fn merge_lists(live: Option<&Node>, config: &Node, ty: Known<'_>, form: Form<'_>) -> Node {
    let before = live.and_then(Node::as_list).unwrap_or_default();
    let after = config.as_list().unwrap_or_default();
    let inner = ty.and_then(Type::items);
    let (left, old) = items(ty, form, before);
    let (right, new) = items(ty, form, after);
    let mut out = Vec::with_capacity(left.len() + right.len());
    let mut shared = right.iter().filter(|element| old.contains_key(*element)).peekable();
    let (mut l, mut r) = (0, 0);
    let mut take = |element: &PathElement| {
        let old = old.get(element).copied();
        out.extend(match new.get(element) {
            Some(item) => merge(old, item, inner),
            None => old.cloned(),
        });
    };
    while l < left.len() || r < right.len() {
        if let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
            if a == b {
                take(a);
                l += 1;
                r += 1;
                shared.next();
                continue;
            }
            // an item of both lists, but not the one whose turn it is
            if new.contains_key(a) && shared.peek().is_some_and(|next| *next != a) {
                l += 1;
                continue;
            }
        }
        if let Some(a) = left.get(l).filter(|a| !new.contains_key(*a)) {
            take(a);
            l += 1;
        } else if let Some(b) = right.get(r) {
            take(b);
            r += 1;
            shared.next_if(|next| *next == b);
        } else {
            // what is left on the live side was taken with the configuration's items
            l += 1;
        }
    }
    Node::new(out, config.span)
}

/// The value without the fields of a set; nothing when no part is left. Maps and lists that become
/// empty go as well, but for those that are in `kept`.
pub(super) fn remove(
    node: &Node,
    set: &FieldSet,
    kept: Option<&FieldSet>,
    ty: Known<'_>,
) -> Option<Node> {
    if set.is_empty() {
        return Some(node.clone());
    }
    match (form(ty, node), &node.value) {
        (Form::Map, Value::Map(map)) => {
            let mut out = Map::with_capacity(map.len());
            for entry in map {
                let at = PathElement::Field(entry.key.clone());
                if let Some(value) = remove_part(&entry.value, &at, set, kept, ty) {
                    out.insert_entry(Entry { value, ..entry.clone() });
                }
            }
            (!out.is_empty()).then(|| Node::new(out, node.span))
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::List(list)) => {
            let out: Vec<Node> = list
                .iter()
                .filter_map(|item| match element(ty, form, item) {
                    Ok(at) => remove_part(item, &at, set, kept, ty),
                    Err(_) => Some(item.clone()),
                })
                .collect();
            (!out.is_empty()).then(|| Node::new(out, node.span))
        }
        _ => Some(node.clone()),
    }
}

fn remove_part(
    node: &Node,
    at: &PathElement,
    set: &FieldSet,
    kept: Option<&FieldSet>,
    ty: Known<'_>,
) -> Option<Node> {
    if set.has(at) {
        return None;
    }
    let Some(below) = set.below(at) else { return Some(node.clone()) };
    let stays = kept.is_some_and(|kept| kept.has(at));
    let kept = kept.and_then(|kept| kept.below(at));
    remove(node, below, kept, part(ty, at)).or_else(|| {
        let empty = match &node.value {
            Value::List(_) => Value::List(Vec::new()),
            _ => Value::Map(Map::new()),
        };
        stays.then(|| Node::new(empty, node.span))
    })
}

/// The set in which fields that the schema names are members when something below them is: they go
/// when all that is in them goes.
pub(super) fn with_named(set: &FieldSet, ty: Known<'_>) -> FieldSet {
    set.with_parents(ty, &|ty: Known<'_>, at: &PathElement| {
        let named = matches!(at, PathElement::Field(name) if is_named(ty, name));
        (named, part(ty, at))
    })
}

/// The paths that are in a list of paths but not in a set.
pub(super) fn outside<'a>(paths: &'a [String], set: &FieldSet) -> Vec<&'a String> {
    let known: HashSet<String> = set.paths().into_iter().collect();
    paths.iter().filter(|path| !known.contains(*path)).collect()
}
