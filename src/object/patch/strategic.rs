//! Strategic merge patch: a partial document that says how it merges.
//!
//! Maps merge and null removes, as in a merge patch. Lists merge where the schema has a merge key
//! (items with the same key merge, others are added) or says that they merge without one (missing
//! values are added); all other lists, and all without a schema, are replaced. Directives:
//!
//! ```text
//! $patch: replace | delete | merge     in a map: for the map; as an item of a list: for the list
//! {$patch: delete, name: x}            removes the item `x` of a list
//! $deleteFromPrimitiveList/args: [a]   removes values
//! $setElementOrder/ports: [{…}, …]     gives the order
//! $retainKeys: [type]                  drops all other keys
//! ```

use super::PatchError;
use crate::base::source::Span;
use crate::object::ssa::Scalar;
use crate::schema::{ListType, Type};
use crate::yaml::{Entry, Map, Node, Str, Value};
use std::collections::{HashMap, HashSet};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Whose rules lists merge by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// An API server's: items are told apart by the merge key; items of the patch stand before
    /// those that only the target has, unless the target says otherwise.
    Server,
    /// Kustomize's: items are told apart by all keys of the list, where an absent one fits any;
    /// items of the patch stand first. Lists of custom resources merge by their keys as well.
    Kustomize,
}

/// Applies a patch as an API server does.
///
/// # Errors
/// [`PatchError::Malformed`] when the patch is no map, [`PatchError::Unfit`] for directives and
/// lists that make no sense.
pub fn apply(target: &mut Node, patch: &Node, ty: Option<&Type>) -> Result<(), PatchError> {
    apply_by(target, patch, ty, Rules::Server)
}

/// Applies a patch by somebody's rules.
///
/// # Errors
/// As [`apply`].
pub fn apply_by(
    target: &mut Node,
    patch: &Node,
    ty: Option<&Type>,
    rules: Rules,
) -> Result<(), PatchError> {
    let Value::Map(_) = &patch.value else {
        return Err(PatchError::malformed(
            patch.span,
            format!("a strategic merge patch is a map, this is a {}", patch.kind()),
        ));
    };
    merge_map(target, patch, ty, rules).map(|_| ())
}

/// Merges a map; false when the patch deletes it.
fn merge_map(
    target: &mut Node,
    patch: &Node,
    ty: Option<&Type>,
    rules: Rules,
) -> Result<bool, PatchError> {
    let changes = patch.as_map().expect("callers merge maps only");
    match changes.get(PATCH).map(|directive| (directive, directive.as_str())) {
        None | Some((_, Some("merge"))) => {}
        Some((_, Some("replace"))) => {
            let mut new = changes.clone();
            new.retain(|entry| entry.key != PATCH);
            *target = Node::new(new, patch.span);
            return Ok(true);
        }
        Some((_, Some("delete"))) => {
            *target = Node::new(Map::new(), patch.span);
            return Ok(false);
        }
        Some((directive, _)) => return Err(unknown_directive(directive)),
    }
    if target.as_map().is_none() {
        *target = Node::new(Map::with_capacity(changes.len()), patch.span);
    }
    let map = target.ensure_map();
    let mut removed = HashSet::new();
    if let Some(keys) = changes.get(RETAIN_KEYS) {
        retain_keys(map, changes, keys)?;
    }
    for entry in changes {
        let Entry { key, key_span, value } = entry;
        if key == PATCH || key == RETAIN_KEYS || key.starts_with(SET_ORDER) {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE_FROM) {
            delete_values(map.get_mut(field), value)?;
            continue;
        }
        if value.is_null() {
            removed.insert(key.as_str());
            continue;
        }
        let field_type = ty.and_then(|ty| ty.field(key));
        let Some(old) = map.get_mut(key) else {
            // there is nothing to merge with: directives inside still count
            if let Some(value) = fresh(value, field_type, rules)? {
                map.insert_entry(Entry { key: key.clone(), key_span: *key_span, value });
            }
            continue;
        };
        match (&old.value, &value.value) {
            (Value::Map(_), Value::Map(_)) => {
                if !merge_map(old, value, field_type, rules)? {
                    removed.insert(key.as_str());
                }
            }
            (Value::List(_), Value::List(_)) => {
                merge_list(old, value, field_type, rules)?;
            }
            _ => *old = without_nulls(value),
        }
    }
    for entry in changes.iter().filter(|entry| entry.key.starts_with(SET_ORDER)) {
        let field = &entry.key[SET_ORDER.len()..];
        let merge_key = ty.and_then(|ty| ty.field(field)).and_then(Type::patch_merge_key);
        if let Some(list) = map.get_mut(field) {
            set_order(list, &entry.value, changes.get(field), merge_key)?;
        }
    }
    if removed.iter().any(|key| map.contains_key(key)) {
        map.retain(|entry| !removed.contains(entry.key.as_str()));
    }
    Ok(true)
}

fn unknown_directive(directive: &Node) -> PatchError {
    let text = directive.as_str().unwrap_or_else(|| directive.kind());
    PatchError::unfit(
        directive.span,
        format!("unknown patch directive `$patch: {text}`, expected replace, delete or merge"),
    )
}

/// A value that the patch adds. Where lists are replaced anyway, nulls go and the rest stays.
fn fresh(value: &Node, ty: Option<&Type>, rules: Rules) -> Result<Option<Node>, PatchError> {
    let has_directive = |map: &Map| map.contains_key(PATCH);
    match &value.value {
        Value::Map(map) if has_directive(map) => {
            let mut new = Node::map();
            let kept = merge_map(&mut new, value, ty, rules)?;
            Ok(kept.then_some(new))
        }
        Value::List(items) if items.iter().any(|item| item.as_map().is_some_and(has_directive)) => {
            let mut new = Node::new(Vec::new(), value.span);
            merge_list(&mut new, value, ty, rules)?;
            Ok(Some(new))
        }
        _ => Ok(Some(without_nulls(value))),
    }
}

fn without_nulls(value: &Node) -> Node {
    match &value.value {
        Value::Map(map) => {
            let mut out = Map::with_capacity(map.len());
            for entry in map.iter().filter(|entry| !entry.value.is_null()) {
                out.insert_entry(Entry { value: without_nulls(&entry.value), ..entry.clone() });
            }
            Node::new(out, value.span)
        }
        Value::List(items) => {
            Node::new(items.iter().map(without_nulls).collect::<Vec<_>>(), value.span)
        }
        _ => value.clone(),
    }
}

fn retain_keys(map: &mut Map, changes: &Map, keys: &Node) -> Result<(), PatchError> {
    let malformed = || {
        PatchError::malformed(
            keys.span,
            "invalid patch format of retainKeys: it must list every key that the patch sets",
        )
    };
    let kept: HashSet<&str> =
        keys.as_list().ok_or_else(malformed)?.iter().filter_map(Node::as_str).collect();
    let is_set = |entry: &&Entry| !entry.key.starts_with('$') && !entry.value.is_null();
    if changes.iter().filter(is_set).any(|entry| !kept.contains(entry.key.as_str())) {
        return Err(malformed());
    }
    map.retain(|entry| kept.contains(entry.key.as_str()));
    Ok(())
}

fn delete_values(list: Option<&mut Node>, values: &Node) -> Result<(), PatchError> {
    let values = values.as_list().ok_or_else(|| {
        PatchError::malformed(values.span, "$deleteFromPrimitiveList needs a list of values")
    })?;
    let gone: HashSet<Scalar> = values.iter().filter_map(Scalar::of).collect();
    if let Some(items) = list.and_then(Node::as_list_mut) {
        items.retain(|item| Scalar::of(item).is_none_or(|value| !gone.contains(&value)));
    }
    Ok(())
}

fn merge_list(
    target: &mut Node,
    patch: &Node,
    ty: Option<&Type>,
    rules: Rules,
) -> Result<(), PatchError> {
    let changes = patch.as_list().unwrap_or_default();
    let directive = |item: &Node| item.get(PATCH).cloned();
    let replaces = changes
        .iter()
        .any(|item| directive(item).is_some_and(|directive| directive.as_str() == Some("replace")));
    let keys = match ty.map(Type::list_type) {
        Some(ListType::Map(keys)) if rules == Rules::Kustomize => Some(keys),
        _ => None,
    };
    let merges = keys.is_some() || ty.is_some_and(Type::patch_merges);
    if replaces || !merges {
        let kept = changes.iter().filter(|item| item.get(PATCH).is_none());
        *target = Node::new(kept.map(without_nulls).collect::<Vec<_>>(), patch.span);
        return Ok(());
    }
    let items = std::mem::take(target.as_list_mut().expect("callers merge lists only"));
    let inner = ty.and_then(Type::items);
    let merged = match (keys, ty.and_then(Type::patch_merge_key)) {
        (Some(keys), _) => merge_keyed(items, changes, keys, inner)?,
        (None, Some(key)) => merge_items(items, changes, key, inner, rules)?,
        (None, None) => add_values(items, changes, rules),
    };
    *target = Node::new(merged, target.span);
    Ok(())
}

/// Values of both lists, each once.
fn add_values(items: Vec<Node>, changes: &[Node], rules: Rules) -> Vec<Node> {
    let position: HashMap<Option<Scalar>, usize> = items.iter().map(Scalar::of).zip(0..).collect();
    let mut seen = HashSet::new();
    let mut mine = Vec::new();
    for value in changes {
        if seen.insert(Scalar::of(value)) {
            let at = position.get(&Scalar::of(value)).copied();
            mine.push((at.filter(|_| rules == Rules::Server), value.clone()));
        }
    }
    let other = |item: &Node| !seen.contains(&Scalar::of(item));
    let theirs = items.into_iter().enumerate().filter(|(_, item)| other(item)).collect();
    interleave(mine, theirs)
}

/// Merges items that are told apart by several keys, of which any but the first may be absent.
fn merge_keyed(
    items: Vec<Node>,
    changes: &[Node],
    keys: &[Str],
    ty: Option<&Type>,
) -> Result<Vec<Node>, PatchError> {
    let value = |item: &Node, key: &str| item.get(key).and_then(Scalar::of);
    let first = keys.first().map_or("", Str::as_str);
    let mut position: HashMap<Scalar, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        if let Some(value) = value(item, first) {
            position.entry(value).or_default().push(at);
        }
    }
    let fits = |item: &Node, change: &Node| {
        keys.iter().skip(1).all(|key| match (value(item, key), value(change, key)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        })
    };
    let mut slots: Vec<Option<Node>> = items.into_iter().map(Some).collect();
    let mut mine: Vec<Node> = Vec::new();
    for change in changes {
        let Value::Map(fields) = &change.value else { return Err(not_a_map(change, first)) };
        let places: Vec<usize> = value(change, first)
            .and_then(|value| position.get(&value))
            .into_iter()
            .flatten()
            .copied()
            .filter(|at| slots[*at].as_ref().is_some_and(|item| fits(item, change)))
            .collect();
        match fields.get(PATCH).map(|directive| (directive, directive.as_str())) {
            Some((_, Some("delete"))) => {
                for at in places {
                    slots[at] = None;
                }
                continue;
            }
            None | Some((_, Some("merge" | "replace"))) => {}
            Some((directive, _)) => return Err(unknown_directive(directive)),
        }
        let mut item = match places.first() {
            Some(at) => slots[*at].take().unwrap_or_default(),
            None => Node::new(Map::new(), change.span),
        };
        merge_map(&mut item, change, ty, Rules::Kustomize)?;
        // with several keys merged items keep their place, with one they stand where the patch says
        match places.first() {
            Some(at) if keys.len() > 1 => slots[*at] = Some(item),
            _ => mine.push(item),
        }
    }
    mine.extend(slots.into_iter().flatten());
    Ok(mine)
}

fn not_a_map(item: &Node, key: &str) -> PatchError {
    PatchError::unfit(
        item.span,
        format!("a list that merges by `{key}` has maps as items, this is a {}", item.kind()),
    )
}

fn merge_items(
    items: Vec<Node>,
    changes: &[Node],
    key: &str,
    ty: Option<&Type>,
    rules: Rules,
) -> Result<Vec<Node>, PatchError> {
    let mut position: HashMap<Scalar, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        if let Some(value) = item.get(key).and_then(Scalar::of) {
            position.entry(value).or_default().push(at);
        }
    }
    let mut slots: Vec<Option<Node>> = items.into_iter().map(Some).collect();
    // items of the patch in its order, each with its place in the target
    let mut mine: Vec<(Option<usize>, Node)> = Vec::new();
    let mut added: HashMap<Scalar, usize> = HashMap::new();
    for change in changes {
        let Value::Map(fields) = &change.value else { return Err(not_a_map(change, key)) };
        let Some(value) = fields.get(key).and_then(Scalar::of) else {
            return Err(PatchError::unfit(
                change.span,
                format!("map does not contain declared merge key: {key}"),
            ));
        };
        let places = position.get(&value);
        match fields.get(PATCH).map(|directive| (directive, directive.as_str())) {
            Some((_, Some("delete"))) => {
                for at in places.into_iter().flatten() {
                    slots[*at] = None;
                }
                continue;
            }
            None | Some((_, Some("merge"))) => {}
            Some((directive, _)) => return Err(unknown_directive(directive)),
        }
        if let Some(at) = added.get(&value) {
            let mut item = std::mem::take(&mut mine[*at].1);
            merge_map(&mut item, change, ty, rules)?;
            mine[*at].1 = item;
            continue;
        }
        let at = places.and_then(|places| places.iter().find(|at| slots[**at].is_some())).copied();
        let mut item = match at {
            Some(at) => slots[at].take().unwrap_or_default(),
            None => Node::new(Map::new(), change.span),
        };
        merge_map(&mut item, change, ty, rules)?;
        added.insert(value, mine.len());
        mine.push((at.filter(|_| rules == Rules::Server), item));
    }
    let theirs = slots.into_iter().enumerate().filter_map(|(at, slot)| Some((at, slot?))).collect();
    Ok(interleave(mine, theirs))
}

/// Puts what only the target has between what the patch has: an item goes first when both stand in
/// the target, and it stands before the other there.
fn interleave(mine: Vec<(Option<usize>, Node)>, theirs: Vec<(usize, Node)>) -> Vec<Node> {
    let mut out = Vec::with_capacity(mine.len() + theirs.len());
    let mut theirs = theirs.into_iter().peekable();
    for (at, item) in mine {
        if let Some(at) = at {
            while let Some((_, other)) = theirs.next_if(|(place, _)| *place < at) {
                out.push(other);
            }
        }
        out.push(item);
    }
    out.extend(theirs.map(|(_, item)| item));
    out
}

/// Sorts a merged list as `$setElementOrder` says; what it does not name keeps its place.
fn set_order(
    list: &mut Node,
    order: &Node,
    patch: Option<&Node>,
    merge_key: Option<&str>,
) -> Result<(), PatchError> {
    let names = order.as_list().ok_or_else(|| {
        PatchError::malformed(order.span, "invalid patch format of setElementOrder list")
    })?;
    let name = |item: &Node| match merge_key {
        Some(key) => item.get(key).and_then(Scalar::of),
        None => Scalar::of(item),
    };
    let rank: HashMap<Scalar, usize> = names.iter().filter_map(name).zip(0..).collect();
    check_order(patch, &rank, name, order.span)?;
    let Some(items) = list.as_list_mut() else { return Ok(()) };
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for (at, item) in std::mem::take(items).into_iter().enumerate() {
        match name(&item).and_then(|name| rank.get(&name).copied()) {
            Some(rank) => mine.push((rank, at, item)),
            None => theirs.push((at, item)),
        }
    }
    mine.sort_by_key(|(rank, _, _)| *rank);
    *items = interleave(mine.into_iter().map(|(_, at, item)| (Some(at), item)).collect(), theirs);
    Ok(())
}

/// The items of the patch must be among those that the order names, and in that order.
fn check_order(
    patch: Option<&Node>,
    rank: &HashMap<Scalar, usize>,
    name: impl Fn(&Node) -> Option<Scalar>,
    at: Span,
) -> Result<(), PatchError> {
    let mut last = None;
    if rank.is_empty() {
        return Ok(());
    }
    for item in patch.and_then(Node::as_list).unwrap_or_default() {
        if item.get(PATCH).is_some() {
            continue;
        }
        let place = name(item).and_then(|name| rank.get(&name).copied());
        if place.is_none() || place < last {
            return Err(PatchError::unfit(
                at,
                "the order in the patch's list does not match its $setElementOrder list",
            ));
        }
        last = place;
    }
    Ok(())
}
