//! The plain value: null, bool, number, string, list or map, with the span it was written at.
//!
//! Equality and hashing look at values only, never at spans; maps are equal in any order of keys.

use super::map::Map;
use crate::base::source::Span;
use compact_str::CompactString;
use std::fmt;

/// Text of keys and strings: up to 24 bytes are kept in place.
pub type Str = CompactString;

/// A value and where it was written. Values that were computed have [`Span::NONE`].
#[derive(Clone, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub span: Span,
    /// How it was written.
    pub form: Form,
}

/// How a scalar was written, as far as it matters to who changes it: kustomize puts a new value into
/// the quotes of the old one, and drops a null that nothing was written for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Form {
    /// Without quotes, or computed.
    #[default]
    Plain,
    /// In quotes, or as a block of text.
    Quoted,
    /// As a block of text whose lines are folded, where kustomize may take that or leave it.
    Folded,
    /// Not at all: `key:` is null.
    Nothing,
    /// Not at all, in brackets: `{key: }` is null to kustomize as long as nobody writes it, and
    /// then an empty text.
    Blank,
}

impl Form {
    /// True for a null for which nothing was written.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        matches!(self, Form::Nothing | Form::Blank)
    }
}

/// A value of YAML's or JSON's data model, with text keys.
#[derive(Clone, Default, PartialEq)]
pub enum Value {
    /// `null`, `~`, or nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a double.
    Number(Number),
    /// Text.
    String(Str),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, its keys in the order in which they were written.
    Map(Map),
}

/// A number as Go's YAML and JSON libraries tell them apart.
#[derive(Clone, Copy)]
pub enum Number {
    /// An integer that fits 64 bits with sign.
    Int(i64),
    /// An integer that fits only without sign.
    UInt(u64),
    /// Everything else.
    Float(f64),
}

impl Number {
    /// The value as an integer, when it is one and fits; integral doubles count.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::UInt(_) => None,
            Number::Float(float) => exact_i64(float),
        }
    }

    /// The value as a double, rounded where needed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rounding is what is asked for")]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::UInt(int) => int as f64,
            Number::Float(float) => float,
        }
    }

    /// True for integers and integral doubles.
    #[must_use]
    pub fn is_integral(self) -> bool {
        match self {
            Number::Int(_) | Number::UInt(_) => true,
            Number::Float(float) => float.is_finite() && float.fract() == 0.0,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn exact_i64(float: f64) -> Option<i64> {
    let fits = float.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    fits.then_some(float as i64)
}

impl PartialEq for Number {
    /// Numbers are equal when they denote the same number: `1` and `1.0` are.
    fn eq(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a == b,
            (Number::UInt(a), Number::UInt(b)) => a == b,
            (Number::Int(_), Number::UInt(_)) | (Number::UInt(_), Number::Int(_)) => false,
            (a, b) => a.as_f64() == b.as_f64(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(int) => write!(f, "{int}"),
            Number::UInt(int) => write!(f, "{int}"),
            Number::Float(float) => f.write_str(&super::json::float(*float)),
        }
    }
}

impl Node {
    /// Null, from nowhere.
    pub const NULL: Node = Node { value: Value::Null, span: Span::NONE, form: Form::Plain };

    /// Makes a node.
    pub fn new(value: impl Into<Value>, span: Span) -> Node {
        Node { value: value.into(), span, form: Form::Plain }
    }

    /// An empty map, from nowhere.
    #[must_use]
    pub fn map() -> Node {
        Node::new(Map::new(), Span::NONE)
    }

    /// An empty list, from nowhere.
    #[must_use]
    pub fn list() -> Node {
        Node::new(Vec::new(), Span::NONE)
    }

    /// True for null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a bool.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of an integer or an integral double.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The value of a number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Number(number) => Some(number.as_f64()),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a list, to change.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The entries of a map, to change.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a key, when this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut()?.get_mut(key)
    }

    /// The value at a path of keys: `node.at(&["metadata", "name"])`.
    #[must_use]
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The value at a path of keys, to change.
    pub fn at_mut(&mut self, keys: &[&str]) -> Option<&mut Node> {
        keys.iter().try_fold(self, |node, key| node.get_mut(key))
    }

    /// The text at a path of keys.
    #[must_use]
    pub fn str_at(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys)?.as_str()
    }

    /// The integer at a path of keys.
    #[must_use]
    pub fn i64_at(&self, keys: &[&str]) -> Option<i64> {
        self.at(keys)?.as_i64()
    }

    /// The items at a path of keys; none when it is absent or no list.
    #[must_use]
    pub fn items_at(&self, keys: &[&str]) -> &[Node] {
        self.at(keys).and_then(Node::as_list).unwrap_or_default()
    }

    /// Sets the value of a key; a node that is no map becomes one.
    pub fn set(&mut self, key: &str, value: impl Into<Node>) {
        self.ensure_map().insert(key, value);
    }

    /// Sets the value at a path of keys; what stands in the way becomes a map. An empty path sets
    /// the node itself.
    pub fn set_at(&mut self, keys: &[&str], value: impl Into<Node>) {
        match keys {
            [] => *self = value.into(),
            [key, rest @ ..] => {
                self.ensure_map().get_or_insert(key, Node::map).set_at(rest, value);
            }
        }
    }

    /// Removes a key and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.as_map_mut()?.remove(key)
    }

    /// Removes the value at a path of keys.
    pub fn remove_at(&mut self, keys: &[&str]) -> Option<Node> {
        let (last, parents) = keys.split_last()?;
        self.at_mut(parents)?.remove(last)
    }

    /// This node as a map; what it was before is lost when it was something else.
    pub fn ensure_map(&mut self) -> &mut Map {
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Map::new());
        }
        match &mut self.value {
            Value::Map(map) => map,
            _ => unreachable!("it was made a map just above"),
        }
    }

    /// What kind of value it is, as messages say it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_integral() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }

    /// Moves every span by as many bytes.
    pub(super) fn shift(&mut self, by: u32) {
        self.span = self.span.shifted(by);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Value::Map(map) => {
                for entry in map.entries_mut() {
                    entry.key_span = entry.key_span.shifted(by);
                    entry.value.shift(by);
                }
            }
            _ => {}
        }
    }

    /// Forgets how scalars were written: they stand as kustomize's encoder would write them.
    pub fn reform(&mut self) {
        self.form = Form::Plain;
        match &mut self.value {
            Value::String(text) if !super::quote::is_plain(text) => self.form = Form::Quoted,
            Value::List(items) => items.iter_mut().for_each(Node::reform),
            Value::Map(map) => map.values_mut().for_each(Node::reform),
            _ => {}
        }
    }

    /// Gives every part of the value the same span.
    pub fn respan(&mut self, span: Span) {
        self.span = span;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.respan(span)),
            Value::Map(map) => map.values_mut().for_each(|value| value.respan(span)),
            _ => {}
        }
    }
}

impl Default for Span {
    fn default() -> Span {
        Span::NONE
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => write!(f, "{text:?}"),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(map) => {
                f.debug_map().entries(map.iter().map(|entry| (&entry.key, &entry.value))).finish()
            }
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Into<Value>> From<T> for Node {
    fn from(value: T) -> Node {
        Node::new(value, Span::NONE)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Number(Number::Int(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::from(i64::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::from(i64::from(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::Number(i64::try_from(value).map_or(Number::UInt(value), Number::Int))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Number(Number::Float(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.into())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Value {
        Value::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(value.into())
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Value {
        Value::String(value)
    }
}

impl From<Vec<Node>> for Value {
    fn from(items: Vec<Node>) -> Value {
        Value::List(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Value {
        Value::Map(map)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(
                number
                    .as_i64()
                    .map(Number::Int)
                    .or_else(|| number.as_u64().map(Number::UInt))
                    .unwrap_or_else(|| Number::Float(number.as_f64().unwrap_or(f64::NAN))),
            ),
            serde_json::Value::String(text) => Value::String(text.into()),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Node::from).collect())
            }
            serde_json::Value::Object(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (key, Node::from(value))).collect(),
            ),
        }
    }
}

impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(Number::Int(int)) => (*int).into(),
            Value::Number(Number::UInt(int)) => (*int).into(),
            Value::Number(Number::Float(float)) => (*float).into(),
            Value::String(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(serde_json::Value::from).collect(),
            Value::Map(map) => serde_json::Value::Object(
                map.iter().map(|entry| (entry.key.to_string(), (&entry.value).into())).collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_read_write_and_remove() {
        let mut node = Node::from(json!({"metadata": {"name": "a"}}));
        assert_eq!(node.str_at(&["metadata", "name"]), Some("a"));
        node.set_at(&["spec", "replicas"], 3);
        assert_eq!(node.i64_at(&["spec", "replicas"]), Some(3));
        assert!(node.remove_at(&["metadata", "name"]).is_some());
        assert_eq!(node, Node::from(json!({"spec": {"replicas": 3.0}, "metadata": {}})));
    }
}
