//! Reads a node by a shape, as Go reads JSON into its types: keys in any case, unknown ones refused.
//!
//! Every fault is told, in the order in which Go would find them: that of the sorted keys.

use super::shape::{Shape, Struct};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::suggest;
use crate::yaml::{Entry, Map, Node, Number, Value, json};

/// Whose file is read, and so how its faults are told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Voice {
    /// kustomize's: Go's words on JSON.
    Go,
    /// An overlay's, which has these keys besides.
    Plain(&'static [&'static str]),
}

pub(super) struct Checker {
    pub(super) voice: Voice,
    pub(super) faults: Diagnostics,
}

/// Codes of what kustomize refuses.
const UNKNOWN: &str = "wharf::package::kustomization_field";
const INVALID: &str = "wharf::package::kustomization_invalid";

/// Where a value is, as Go says it: the innermost struct, and the fields from the root.
#[derive(Clone)]
struct Place {
    within: &'static str,
    path: String,
}

impl Checker {
    /// The map of a struct, its keys as they are declared, without nulls.
    pub(super) fn root(&mut self, node: &Node, shape: &'static Struct) -> Map {
        let Some(map) = node.as_map() else {
            if !node.is_null() {
                let message = format!(
                    "invalid Kustomization: json: cannot unmarshal {} into Go value of type types.{}",
                    json::go_kind(node),
                    shape.name
                );
                self.faults.push(Diagnostic::error(INVALID, message).at(node.span, ""));
            }
            return Map::new();
        };
        let place = Place { within: shape.name, path: String::new() };
        self.fields(map, shape, &place)
    }

    fn fields(&mut self, map: &Map, shape: &'static Struct, place: &Place) -> Map {
        let fields = shape.fields();
        let mut sorted: Vec<&Entry> = map.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        let mut read = Map::with_capacity(map.len());
        for entry in sorted {
            let exact = fields.iter().find(|(key, ..)| *key == entry.key);
            let field = exact
                .or_else(|| fields.iter().find(|(key, ..)| key.eq_ignore_ascii_case(&entry.key)));
            let Some((key, inside, of)) = field else {
                self.unknown(entry, shape);
                continue;
            };
            let dot = if place.path.is_empty() { "" } else { "." };
            let path = format!("{}{dot}{inside}{key}", place.path);
            let value = self.value(&entry.value, of, &Place { within: shape.name, path });
            if let Some(value) = value {
                read.insert_entry(Entry { key: (*key).into(), key_span: entry.key_span, value });
            }
        }
        read
    }

    /// The value, or nothing for null and for what has another type.
    fn value(&mut self, node: &Node, shape: &'static Shape, place: &Place) -> Option<Node> {
        if node.is_null() {
            return None;
        }
        let fits = match (shape, &node.value) {
            (Shape::Any, _)
            | (Shape::Text | Shape::Named(_), Value::String(_))
            | (Shape::Bool, Value::Bool(_)) => return Some(node.clone()),
            (Shape::Int(_), Value::Number(number)) => {
                return match number {
                    Number::Int(_) => Some(node.clone()),
                    _ => {
                        let found = format!("number {}", json::to_string(node));
                        self.wrong(node, &found, shape, place);
                        None
                    }
                };
            }
            (Shape::List(_), Value::List(_))
            | (Shape::Map(_) | Shape::Struct(_), Value::Map(_)) => true,
            _ => false,
        };
        if !fits {
            self.wrong(node, json::go_kind(node), shape, place);
            return None;
        }
        let value = match (shape, &node.value) {
            (Shape::List(item), Value::List(items)) => {
                let mut read = Vec::with_capacity(items.len());
                for node in items {
                    let empty = || match item {
                        Shape::Text | Shape::Named(_) => Node::new("", node.span),
                        _ => Node::new(Map::new(), node.span),
                    };
                    read.push(self.value(node, item, place).unwrap_or_else(empty));
                }
                Value::List(read)
            }
            (Shape::Map(of), Value::Map(map)) => {
                let mut read = Map::with_capacity(map.len());
                for entry in map {
                    let empty = || match of {
                        Shape::Text => Node::new("", entry.value.span),
                        _ => entry.value.clone(),
                    };
                    let value = self.value(&entry.value, of, place).unwrap_or_else(empty);
                    read.insert_entry(Entry { value, ..entry.clone() });
                }
                Value::Map(read)
            }
            (Shape::Struct(of), Value::Map(map)) => Value::Map(self.fields(
                map,
                of,
                &Place { within: of.name, path: place.path.clone() },
            )),
            _ => unreachable!("the types were compared above"),
        };
        Some(Node::new(value, node.span))
    }

    fn unknown(&mut self, entry: &Entry, shape: &'static Struct) {
        let fields = shape.fields();
        let keys = fields.iter().map(|(key, ..)| *key);
        let key = &entry.key;
        let is_root = shape.name == "Kustomization";
        let (code, message, more): (_, _, &[&str]) = match self.voice {
            Voice::Go => {
                (UNKNOWN, format!("invalid Kustomization: json: unknown field \"{key}\""), &[])
            }
            Voice::Plain(more) => {
                let more = if is_root { more } else { &[] };
                ("wharf::transform::unknown_key", format!("unknown key `{key}`"), more)
            }
        };
        let known = keys.clone().chain(more.iter().copied());
        let mut fault = Diagnostic::error(code, message)
            .at(entry.key_span, "written here")
            .maybe_help(suggest::did_you_mean(key, known));
        if fields.len() < 12 {
            fault = fault.note(format!("known are {}", keys.collect::<Vec<_>>().join(", ")));
        }
        self.faults.push(fault);
    }

    fn wrong(&mut self, node: &Node, found: &str, shape: &Shape, place: &Place) {
        let Place { within, path } = place;
        let expected = match shape {
            Shape::Text | Shape::Named(_) => "a string is expected here",
            Shape::Bool => "true or false is expected here",
            Shape::Int(_) => "an integer is expected here",
            Shape::List(_) => "a list is expected here",
            _ => "a map is expected here",
        };
        let mut fault = match self.voice {
            Voice::Go => {
                let message = format!(
                    "invalid Kustomization: json: cannot unmarshal {found} into Go struct field \
                     {within}.{path} of type {}",
                    shape.go()
                );
                Diagnostic::error(INVALID, message).at(node.span, expected)
            }
            Voice::Plain(_) => {
                let key = path.rsplit('.').next().unwrap_or_default();
                let expected = expected.trim_end_matches(" is expected here");
                let message = format!("`{key}` must be {expected}, found {}", node.kind());
                let code = "wharf::transform::invalid_overlay";
                Diagnostic::error(code, message).at(node.span, "here")
            }
        };
        if matches!(shape, Shape::Text | Shape::Named(_))
            && matches!(node.value, Value::Bool(_) | Value::Number(_))
        {
            fault = fault.help("put it in quotes");
        }
        self.faults.push(fault);
    }
}
