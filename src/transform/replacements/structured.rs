//! Values inside texts that hold YAML or JSON: `data.config\.json.server.port`.
//!
//! JSON is written anew, with sorted keys, over several lines when it was. YAML keeps what stands
//! around the value, comments too; where it must be written anew, they are lost.

use super::super::field_path::{self, Missing};
use super::super::field_spec::FieldError;
use super::{Given, put, tag, written};
use crate::base::source::{Sources, Span};
use crate::yaml::{Dialect, Node, Value, emit, json, parse_first};

/// Writes a value into the structure that the text at the start of a path holds. False when there
/// is no such text, or nothing in it to write to.
///
/// # Errors
/// When the value does not fit the type of what it is written over.
pub(super) fn write(
    root: &mut Node,
    steps: &[String],
    value: &Given,
    missing: Missing,
    sources: &Sources,
) -> Result<bool, FieldError> {
    let Some(start) = (1..steps.len()).find(|count| holds_text(root, &steps[..*count])) else {
        return Ok(false);
    };
    let (outside, inside) = steps.split_at(start);
    let Ok(Some(holder)) = field_path::look_up(root, outside) else { return Ok(false) };
    let text = written(holder, sources);
    let Some(changed) = change(&text, inside, value, missing) else { return Ok(false) };
    // looking up and finding agree where no step matches more than one item
    let Ok(places) = field_path::find(root, outside, Missing::Stays) else { return Ok(false) };
    let Some(place) = places.places.first() else { return Ok(false) };
    let node = field_path::at(root, place).expect("a place that was found");
    put(node, &Given { whole: Node::new("", value.whole.span), text: changed })?;
    Ok(true)
}

fn holds_text(root: &Node, steps: &[String]) -> bool {
    let found = field_path::look_up(root, steps).ok().flatten();
    found.is_some_and(|node| {
        !matches!(node.value, Value::Map(_) | Value::List(_) | Value::Null)
            && parse(&field_path::text(node)).is_some()
    })
}

fn parse(text: &str) -> Option<(Node, Sources)> {
    let sources = Sources::new();
    let file = sources.add("", text);
    let node = parse_first(text, file, Dialect::GoYamlV3).ok()?;
    Some((node, sources))
}

/// The text with the value in it.
fn change(text: &str, steps: &[String], value: &Given, missing: Missing) -> Option<String> {
    let (mut node, _own) = parse(text)?;
    if node.is_null() {
        return None;
    }
    let places = field_path::find(&mut node, steps, missing).ok()?.places;
    if places.is_empty() {
        return None;
    }
    let first = text.trim_start().as_bytes().first();
    let is_json = matches!(first, Some(b'{' | b'['));
    let mut changes = Vec::new();
    let mut is_tagged = false;
    for place in &places {
        let target = field_path::at(&mut node, place).expect("a place that was found");
        let (span, tag) = (target.span, tag(target));
        let new = match put(target, value) {
            Ok(()) => New::Node(target.clone()),
            // a value of another type stands with the type that it should have
            Err(_) if !is_json && !tag.is_empty() => {
                is_tagged = true;
                New::Text(format!("{tag} {}", value.text))
            }
            Err(_) => return None,
        };
        changes.push((span, new));
    }
    match first {
        Some(b'{' | b'[') if text.contains('\n') && text.contains("  ") => {
            Some(json::go_string_pretty(&node))
        }
        Some(b'{' | b'[') => Some(json::go_string(&node)),
        _ => Some(edit(text, changes, is_tagged).unwrap_or_else(|| whole(&node))),
    }
}

/// What stands in the place of a scalar.
enum New {
    Node(Node),
    /// As it is written.
    Text(String),
}

/// The document written anew.
fn whole(node: &Node) -> String {
    let style = emit::Style { sort_keys: false, ..emit::Style::kustomize() };
    emit::to_string(node, &style).trim().to_owned()
}

/// Writes scalars over scalars, when the rest of the text has something that writing it anew would
/// lose: comments, quotes, anchors, blocks or collections in one line.
fn edit(text: &str, mut changes: Vec<(Span, New)>, always: bool) -> Option<String> {
    if !always && !text.contains(['#', '\'', '"', '|', '>', '&', '*', '{', '[', '!']) {
        return None;
    }
    changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, new) in changes {
        let range = span.start as usize..span.end as usize;
        let old = text.get(range.clone()).filter(|_| !span.is_none())?;
        let node = match new {
            New::Node(node) => node,
            New::Text(new) => {
                text.replace_range(range, &new);
                continue;
            }
        };
        let new = match (old.as_bytes().first()?, &node.value) {
            (_, Value::Map(_) | Value::List(_)) | (b'|' | b'>' | b'{' | b'[', _) => return None,
            (b'\'', Value::String(new)) if !new.contains('\n') => {
                format!("'{}'", new.replace('\'', "''"))
            }
            (b'"', Value::String(new)) => {
                let mut quoted = String::from("\"");
                json::write_escaped(new, false, &mut quoted);
                quoted + "\""
            }
            _ => whole(&node),
        };
        if new.contains('\n') {
            return None;
        }
        text.replace_range(range, &new);
    }
    Some(text.trim().to_owned())
}
