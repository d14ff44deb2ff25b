//! Values as templates see them: maps and lists that know where each part was written, and say so
//! to the trace when it is read.
//!
//! The whole tree is converted once and shared by all templates; what is printed is converted back,
//! spans and all.

use super::marker;
use super::trace::{self, Miss};
use crate::base::source::Span;
use crate::yaml::{Entry, FieldPath, Map, Node, Number, Str, Value as Plain};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Up to so many keys are looked through one by one.
const SMALL: usize = 12;

/// How deep a value may be nested; deeper ones would use up the stack of a thread.
pub(super) const MAX_DEPTH: usize = 128;

/// About how many bytes a value takes beside its text.
const PIECE: usize = 16;

/// A map of the values.
pub(super) struct MapValue {
    pub(super) path: FieldPath,
    pub(super) span: Span,
    entries: Vec<Item>,
    index: Option<HashMap<Str, usize, foldhash::fast::FixedState>>,
    weight: usize,
}

/// A list of the values.
pub(super) struct ListValue {
    span: Span,
    secret: bool,
    items: Vec<(Value, Span)>,
    weight: usize,
}

struct Item {
    key: Str,
    key_span: Span,
    value: Value,
    span: Span,
    secret: bool,
}

/// Why a value cannot be printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// Nothing was there.
    Undefined,
    /// A function, macro or module.
    Function,
    /// Bytes that are no text.
    Bytes,
    /// An integer that YAML's readers cannot hold.
    Integer,
    /// Private characters.
    Marker,
    /// Nested too deep.
    Deep,
    /// More than a template may print.
    Large,
    /// The engine's own complaint.
    Invalid(String),
}

/// Converts a node, `secret` telling by path which parts must not be shown.
pub(super) fn from_node(
    node: &Node,
    path: &FieldPath,
    secret: &dyn Fn(&FieldPath) -> bool,
) -> Value {
    convert(node, path, false, secret)
}

fn convert(
    node: &Node,
    path: &FieldPath,
    hidden: bool,
    secret: &dyn Fn(&FieldPath) -> bool,
) -> Value {
    match &node.value {
        Plain::Null => Value::from(()),
        Plain::Bool(value) => Value::from(*value),
        Plain::Number(Number::Int(int)) => Value::from(*int),
        Plain::Number(Number::UInt(int)) => Value::from(*int),
        Plain::Number(Number::Float(float)) => Value::from(*float),
        Plain::String(text) => Value::from(text.as_str()),
        Plain::List(items) => {
            let item = |(at, item): (usize, &Node)| {
                (convert(item, &path.index(at), hidden, secret), item.span)
            };
            let items: Vec<(Value, Span)> = items.iter().enumerate().map(item).collect();
            let weight = items.iter().map(|(item, _)| known_weight(item)).sum::<usize>() + PIECE;
            Value::from_object(ListValue { span: node.span, secret: hidden, items, weight })
        }
        Plain::Map(map) => {
            let entries: Vec<Item> = map
                .iter()
                .map(|entry| {
                    let path = path.key(&entry.key);
                    let hidden = hidden || secret(&path);
                    Item {
                        key: entry.key.clone(),
                        key_span: entry.key_span,
                        value: convert(&entry.value, &path, hidden, secret),
                        span: entry.value.span,
                        secret: hidden,
                    }
                })
                .collect();
            let index = (entries.len() > SMALL).then(|| {
                entries.iter().enumerate().map(|(at, item)| (item.key.clone(), at)).collect()
            });
            let weights = entries.iter().map(|item| item.key.len() + known_weight(&item.value));
            let weight = weights.sum::<usize>() + PIECE;
            let (path, span) = (path.clone(), node.span);
            Value::from_object(MapValue { path, span, entries, index, weight })
        }
    }
}

/// The weight of a scalar, or of what was converted from a node.
fn known_weight(value: &Value) -> usize {
    let inner = if let Some(map) = value.downcast_object_ref::<MapValue>() {
        map.weight
    } else if let Some(list) = value.downcast_object_ref::<ListValue>() {
        list.weight
    } else {
        value.as_bytes().map_or(0, <[u8]>::len)
    };
    inner + PIECE
}

/// Takes off `left` about how many bytes a value would have when written out; false when there
/// are more, or it is nested too deep. The cost is bounded by `left`, not by the value.
pub(super) fn weigh(value: &Value, left: &mut usize) -> bool {
    weigh_at(value, 0, left)
}

fn weigh_at(value: &Value, depth: usize, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(known_weight(value)) else { return false };
    *left = rest;
    let known = value.downcast_object_ref::<MapValue>().is_some()
        || value.downcast_object_ref::<ListValue>().is_some();
    let is_map = match value.kind() {
        _ if known => return true,
        ValueKind::Map => true,
        ValueKind::Seq | ValueKind::Iterable => false,
        _ => return true,
    };
    // lists that were added up are put together only when they are walked
    let Some(count) = value.len() else { return true };
    if count.saturating_mul(PIECE) > *left {
        return false;
    }
    if depth > MAX_DEPTH {
        return false;
    }
    let Ok(items) = value.try_iter() else { return true };
    for item in items {
        if !weigh_at(&item, depth + 1, left) {
            return false;
        }
        if is_map
            && let Ok(inner) = value.get_item(&item)
            && !weigh_at(&inner, depth + 1, left)
        {
            return false;
        }
    }
    true
}

/// Converts back, with the spans that are known.
pub(super) fn to_node(value: &Value) -> Result<Node, Refusal> {
    let mut left = super::OUTPUT;
    back(value, 0, &mut left)
}

fn back(value: &Value, depth: usize, left: &mut usize) -> Result<Node, Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::Deep);
    }
    let own = value.as_bytes().map_or(PIECE, |text| text.len() + PIECE);
    *left = left.checked_sub(own).ok_or(Refusal::Large)?;
    if let Some(map) = value.downcast_object_ref::<MapValue>() {
        let mut out = Map::with_capacity(map.entries.len());
        for item in &map.entries {
            let mut value = back(&item.value, depth + 1, left)?;
            value.span = item.span;
            out.insert_entry(Entry { key: item.key.clone(), key_span: item.key_span, value });
        }
        return Ok(Node::new(out, map.span));
    }
    if let Some(list) = value.downcast_object_ref::<ListValue>() {
        let mut out = Vec::with_capacity(list.items.len());
        for (item, span) in &list.items {
            let mut item = back(item, depth + 1, left)?;
            item.span = *span;
            out.push(item);
        }
        return Ok(Node::new(out, list.span));
    }
    if is_macro(value) {
        return Err(Refusal::Function);
    }
    let invalid = |error: minijinja::Error| Refusal::Invalid(error.to_string());
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Refusal::Undefined),
        ValueKind::None => Node::NULL,
        ValueKind::Bool => Node::from(value.is_true()),
        ValueKind::Number => number(value)?,
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if marker::is_in(text) {
                return Err(Refusal::Marker);
            }
            Node::from(text)
        }
        ValueKind::Bytes => match value.as_bytes().and_then(|b| std::str::from_utf8(b).ok()) {
            Some(text) if marker::is_in(text) => return Err(Refusal::Marker),
            Some(text) => Node::from(text),
            None => return Err(Refusal::Bytes),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            let mut out = Vec::new();
            for item in value.try_iter().map_err(invalid)? {
                out.push(back(&item, depth + 1, left)?);
            }
            Node::from(out)
        }
        ValueKind::Map => {
            let mut out = Map::new();
            for key in value.try_iter().map_err(invalid)? {
                let item = value.get_item(&key).map_err(invalid)?;
                let text = key.to_string();
                if marker::is_in(&text) {
                    return Err(Refusal::Marker);
                }
                out.insert(text.as_str(), back(&item, depth + 1, left)?);
            }
            Node::from(out)
        }
        _ => return Err(Refusal::Function),
    })
}

/// The engine shows macros as maps of what they are.
fn is_macro(value: &Value) -> bool {
    value.kind() == ValueKind::Map
        && value.as_object().is_some_and(|object| object.type_name().ends_with("::Macro"))
}

fn number(value: &Value) -> Result<Node, Refusal> {
    if let Some(int) = value.as_i64().filter(|_| value.is_integer()) {
        return Ok(Node::from(int));
    }
    if value.is_integer() {
        return u64::try_from(value.clone()).map(Node::from).map_err(|_| Refusal::Integer);
    }
    f64::try_from(value.clone()).map(Node::from).map_err(|_| Refusal::Integer)
}

/// The text that a value is inside of a longer text: strings as they are, everything else as JSON.
pub(super) fn to_text(node: &Node) -> std::borrow::Cow<'_, str> {
    match &node.value {
        Plain::String(text) => text.as_str().into(),
        _ => crate::yaml::json::to_string(node).into(),
    }
}

/// Where in a tree of nodes private characters are.
pub(super) fn marked(node: &Node, found: &mut Vec<Span>) {
    match &node.value {
        Plain::String(text) if marker::is_in(text) => found.push(node.span),
        Plain::List(items) => items.iter().for_each(|item| marked(item, found)),
        Plain::Map(map) => {
            for entry in map {
                if marker::is_in(&entry.key) {
                    found.push(entry.key_span);
                }
                marked(&entry.value, found);
            }
        }
        _ => {}
    }
}

/// True when a tree is nested deeper than `limit`.
pub(super) fn deeper_than(node: &Node, limit: usize) -> bool {
    let Some(limit) = limit.checked_sub(1) else { return true };
    match &node.value {
        Plain::List(items) => items.iter().any(|item| deeper_than(item, limit)),
        Plain::Map(map) => map.values().any(|value| deeper_than(value, limit)),
        _ => false,
    }
}

impl MapValue {
    fn find(&self, key: &str) -> Option<&Item> {
        match &self.index {
            Some(index) => index.get(key).map(|at| &self.entries[*at]),
            None => self.entries.iter().find(|item| item.key == key),
        }
    }

    /// The names of its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|item| item.key.as_str())
    }

    fn taken(&self, at: usize) -> (Value, Value) {
        let item = &self.entries[at];
        trace::read(item.span, item.secret);
        (Value::from(item.key.as_str()), item.value.clone())
    }
}

impl Object for MapValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let Some(item) = self.find(key) else {
            trace::miss(Miss { map: self.clone(), key: key.to_owned() });
            return None;
        };
        trace::read(item.span, item.secret);
        Some(item.value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let map = self.clone();
        Enumerator::RevKeyValueIter(Box::new((0..self.entries.len()).map(move |at| map.taken(at))))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries.len())
    }
}

impl Object for ListValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (value, span) = self.items.get(key.as_usize()?)?;
        trace::read(*span, self.secret);
        Some(value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }
}

impl fmt::Debug for MapValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|item| (&item.key, &item.value))).finish()
    }
}

impl fmt::Debug for ListValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items.iter().map(|(value, _)| value)).finish()
    }
}
