//! YAML into typed fields as `sigs.k8s.io/yaml` does it for Helm: through JSON into a Go struct.
//!
//! Keys match in any case, a number or a bool where a text belongs becomes that text, null leaves a
//! field as it is, and keys that no field has are passed over. The texts of errors are Go's.

use crate::yaml::{Node, Number, Value, json};
use std::collections::BTreeMap;

/// A field that holds something else than its type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// What Go says: `json: cannot unmarshal string into Go value of type bool`.
    pub text: String,
    /// Where it is.
    pub span: crate::base::source::Span,
}

/// A map that is read into a Go struct.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    node: &'a Node,
    /// `Metadata`, `SimpleHead`.
    of: &'static str,
    /// Path of the struct inside of the outer one, with dots behind each part.
    path: &'static str,
}

impl<'a> Fields<'a> {
    /// Takes the root of a document. Null is an empty struct.
    ///
    /// # Errors
    /// When it is no map; `go_type` is what Go calls the struct then.
    pub fn root(
        node: &'a Node,
        of: &'static str,
        go_type: &'static str,
    ) -> Result<Fields<'a>, Mismatch> {
        match &node.value {
            Value::Map(_) | Value::Null => Ok(Fields { node, of, path: "" }),
            _ => Err(Mismatch {
                text: format!(
                    "json: cannot unmarshal {} into Go value of type {go_type}",
                    json::go_kind(node)
                ),
                span: node.span,
            }),
        }
    }

    /// The value of a key, in whatever case it is written; nothing for null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let map = self.node.as_map()?;
        let node = map.get(key).or_else(|| {
            map.iter().find(|entry| entry.key.eq_ignore_ascii_case(key)).map(|entry| &entry.value)
        });
        node.filter(|node| !node.is_null())
    }

    fn mismatch(&self, node: &Node, key: &str, wanted: &str) -> Mismatch {
        Mismatch {
            text: format!(
                "json: cannot unmarshal {} into Go struct field {}.{}{key} of type {wanted}",
                json::go_kind(node),
                self.of,
                self.path,
            ),
            span: node.span,
        }
    }

    /// A field of type `string`.
    ///
    /// # Errors
    /// When it holds a list or a map.
    pub fn text(&self, key: &str) -> Result<String, Mismatch> {
        self.get(key).map_or(Ok(String::new()), |node| {
            scalar_text(node).ok_or_else(|| self.mismatch(node, key, "string"))
        })
    }

    /// A field of type `bool`.
    ///
    /// # Errors
    /// When it holds anything else.
    pub fn bool(&self, key: &str) -> Result<bool, Mismatch> {
        self.get(key).map_or(Ok(false), |node| {
            node.as_bool().ok_or_else(|| self.mismatch(node, key, "bool"))
        })
    }

    /// A field of type `[]string`.
    ///
    /// # Errors
    /// When it is no list, or holds a list or a map.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Mismatch> {
        let Some(items) = self.items(key, "[]string")? else { return Ok(Vec::new()) };
        items
            .iter()
            .map(|item| match scalar_text(item) {
                Some(text) => Ok(text),
                None if item.is_null() => Ok(String::new()),
                None => Err(self.mismatch(item, key, "string")),
            })
            .collect()
    }

    /// A field of type `map[string]string`.
    ///
    /// # Errors
    /// When it is no map, or holds a list or a map.
    pub fn text_map(&self, key: &str) -> Result<Option<BTreeMap<String, String>>, Mismatch> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let map = node.as_map().ok_or_else(|| self.mismatch(node, key, "map[string]string"))?;
        let text = |node: &Node| match scalar_text(node) {
            Some(text) => Ok(text),
            None if node.is_null() => Ok(String::new()),
            None => Err(self.mismatch(node, key, "string")),
        };
        let entries = map.iter().map(|entry| Ok((entry.key.to_string(), text(&entry.value)?)));
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// The items of a field that is a list; `wanted` is what Go calls its type.
    ///
    /// # Errors
    /// When it is no list.
    pub fn items(&self, key: &str, wanted: &str) -> Result<Option<&'a [Node]>, Mismatch> {
        match self.get(key) {
            None => Ok(None),
            Some(node) => node.as_list().map(Some).ok_or_else(|| self.mismatch(node, key, wanted)),
        }
    }

    /// A field, or the item of a field, that is a struct of its own: `path` leads to its fields,
    /// the last argument is its name, and what Go calls its type.
    ///
    /// # Errors
    /// When it is no map.
    pub fn inner(
        &self,
        node: &'a Node,
        key: &str,
        path: &'static str,
        (of, wanted): (&'static str, &str),
    ) -> Result<Fields<'a>, Mismatch> {
        if node.as_map().is_none() {
            return Err(self.mismatch(node, key, wanted));
        }
        Ok(Fields { node, of, path })
    }
}

/// The text of a scalar where a text is wanted.
fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Number(Number::Int(int)) => Some(int.to_string()),
        Value::Number(Number::UInt(int)) => Some(int.to_string()),
        Value::Number(Number::Float(float)) => Some(json::general(*float)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}
