//! Columns of custom kinds, which their definitions name, and of the definitions themselves.

use super::{Column, Columns, NAME, cell};
use crate::agent::api::kind::{CustomColumn, Definition};
use crate::yaml::{Map, Node, Value, json};
use jiff::Timestamp;

/// Columns of a `CustomResourceDefinition`.
pub(crate) static DEFINITION: Columns = Columns {
    columns: &[NAME, Column { kind: "date", ..Column::text("Created At", super::AGE_DESCRIPTION) }],
    cells: |object, _| {
        let created = object.at(&["metadata", "creationTimestamp"]).cloned().unwrap_or_default();
        vec![cell::name(object), created]
    },
};

/// The heads of the columns.
pub(super) fn heads(definition: &Definition) -> Vec<Node> {
    let head = |column: &CustomColumn| {
        let mut map = Map::new();
        map.insert("name", column.name.as_str());
        map.insert("type", column.kind.as_str());
        map.insert("format", column.format.as_str());
        map.insert("description", column.description.as_str());
        map.insert("priority", column.priority);
        map.into()
    };
    let name = std::iter::once(super::column(&NAME));
    name.chain(definition.columns.iter().map(head)).collect()
}

/// The cells of an object.
pub(super) fn cells(definition: &Definition, object: &Node, now: Timestamp) -> Vec<Node> {
    let value = |column: &CustomColumn| {
        let found = column.path.first(object)?;
        match (column.kind.as_str(), &found.value) {
            ("integer", Value::Number(number)) => {
                #[expect(clippy::cast_possible_truncation, reason = "as Go cuts it off")]
                let whole = number.as_i64().unwrap_or(number.as_f64() as i64);
                Some(whole.into())
            }
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => Some(found.clone()),
            ("string", _) => Some(super::text_of(found).into()),
            ("date", Value::String(_)) => Some(cell::since(Some(found), now).into()),
            _ => None,
        }
    };
    let name = std::iter::once(cell::name(object));
    name.chain(definition.columns.iter().map(|column| value(column).unwrap_or_default())).collect()
}

/// A value as a text.
pub(crate) fn text_of(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.to_string(),
        Value::Null => String::new(),
        _ => json::go_string(node),
    }
}
