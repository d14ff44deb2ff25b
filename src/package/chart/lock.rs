//! `Chart.lock`: the versions that were chosen for a chart's dependencies.
//!
//! Its digest is over what the chart asks for and what was chosen, as JSON that Go writes, so that
//! Helm takes a lock of wharf's and the other way.

use super::metadata::{Dependency, Import};
use crate::base::digest::Digest;
use crate::base::source::FileId;
use crate::yaml::emit::{Style, to_string};
use crate::yaml::{self, Dialect, Node};
use serde_json::{Value, json};

/// A dependency with its version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Locked {
    /// Name of the chart.
    pub name: String,
    /// Where it is from.
    pub repository: String,
    /// Its version.
    pub version: String,
}

/// Reads a lock. Nothing when it is none, or was made for other dependencies than these.
#[must_use]
pub fn read(text: &str, asked: &[Dependency]) -> Option<Vec<Locked>> {
    let root = yaml::parse_first(text, FileId::NONE, Dialect::GoYamlV2).ok()?;
    let entry = |node: &Node| {
        let text = |key| node.str_at(&[key]).unwrap_or_default().to_owned();
        Locked { name: text("name"), repository: text("repository"), version: text("version") }
    };
    let chosen: Vec<Locked> = root.items_at(&["dependencies"]).iter().map(entry).collect();
    (root.str_at(&["digest"]) == Some(&digest(asked, &chosen))).then_some(chosen)
}

/// The text of a lock.
#[must_use]
pub fn write(asked: &[Dependency], chosen: &[Locked], time: &str) -> String {
    let entry = |locked: &Locked| {
        Node::from(json!({
            "name": locked.name, "repository": locked.repository, "version": locked.version,
        }))
    };
    let mut root = Node::map();
    root.set("dependencies", chosen.iter().map(entry).collect::<Vec<_>>());
    root.set("digest", digest(asked, chosen));
    root.set("generated", time);
    to_string(&root, &Style::kubernetes())
}

fn digest(asked: &[Dependency], chosen: &[Locked]) -> String {
    let asked: Vec<String> = asked.iter().map(asked_json).collect();
    let chosen: Vec<String> = chosen
        .iter()
        .map(|locked| {
            object(&[
                ("name", json!(locked.name)),
                ("version", absent_if_empty(&locked.version)),
                ("repository", json!(locked.repository)),
            ])
        })
        .collect();
    let text = format!("[[{}],[{}]]", asked.join(","), chosen.join(","));
    Digest::of(text.as_bytes()).to_string()
}

fn asked_json(dependency: &Dependency) -> String {
    let imports: Vec<Value> = dependency.imports.iter().filter_map(import_json).collect();
    let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { items.into() };
    object(&[
        ("name", json!(dependency.name)),
        ("version", absent_if_empty(&dependency.version)),
        ("repository", json!(dependency.repository)),
        ("condition", absent_if_empty(&dependency.condition)),
        ("tags", list(dependency.tags.iter().map(|tag| json!(tag)).collect())),
        ("import-values", list(imports)),
        ("alias", absent_if_empty(&dependency.alias)),
    ])
}

fn import_json(import: &Import) -> Option<Value> {
    match import {
        Import::Export(name) => Some(json!(name)),
        Import::Path { child, parent } => Some(json!({"child": child, "parent": parent})),
        Import::Other => None,
    }
}

fn absent_if_empty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// An object with its fields in this order, as Go writes it; those that are null are left out.
fn object(fields: &[(&str, Value)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| {
            let mut text = String::new();
            for char in value.to_string().chars() {
                match char {
                    '<' => text.push_str("\\u003c"),
                    '>' => text.push_str("\\u003e"),
                    '&' => text.push_str("\\u0026"),
                    '\u{2028}' => text.push_str("\\u2028"),
                    '\u{2029}' => text.push_str("\\u2029"),
                    char => text.push(char),
                }
            }
            format!("\"{key}\":{text}")
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}
