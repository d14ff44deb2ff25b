//! Values as texts: what sprig's `strval` and `%v` make of them.

use crate::template::gotmpl::fmt;
use crate::template::gotmpl::function::Failure;
use crate::template::gotmpl::go_type::Kind;
use crate::template::gotmpl::value::{Text, Value};

/// The text of a value: itself, its bytes, what its own method says, or as `%v` prints it.
pub(super) fn text_of(value: &Value) -> Result<Text, Failure> {
    match value {
        Value::Text(text) | Value::Bytes(text) => Ok(text.clone()),
        Value::Object(object) => object.text().map_or_else(|| printed(value), Ok),
        _ => printed(value),
    }
}

/// The value as `%v` prints it.
pub(super) fn printed(value: &Value) -> Result<Text, Failure> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        _ => fmt::sprint(std::slice::from_ref(value)),
    }
}

/// The texts of a list's items, those that are nil left out; of any other value its own text.
pub(super) fn texts_of(value: &Value) -> Result<Vec<Text>, Failure> {
    match super::lists::items(value) {
        Some(items) => {
            items.iter().filter(|item| !matches!(item, Value::Nil)).map(text_of).collect()
        }
        None if matches!(value, Value::Nil) => Ok(Vec::new()),
        None => Ok(vec![text_of(value)?]),
    }
}

/// The kind of a value; `Invalid` for nil without a type.
pub(super) fn kind_of(value: &Value) -> Kind {
    value.go_type().map_or(Kind::Invalid, |of| of.kind)
}
