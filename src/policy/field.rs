//! A field of an object under judgement: its value, where it stands, and its path for messages.

use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::yaml::{Entry, FieldPath, Node, Value};

/// A field and the way to it. It lives on the stack; its path is made only for a finding.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) node: &'a Node,
    parent: Option<&'a Field<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a Entry),
    Index(usize),
}

impl<'a> Field<'a> {
    /// The whole object.
    pub(super) fn root(node: &'a Node) -> Field<'a> {
        Field { node, parent: None, step: Step::Root }
    }

    /// A field below that has a value.
    pub(super) fn get(&'a self, key: &str) -> Option<Field<'a>> {
        let entry = self.node.as_map()?.entry(key).filter(|entry| !entry.value.is_null())?;
        Some(self.at(entry))
    }

    fn at(&'a self, entry: &'a Entry) -> Field<'a> {
        Field { node: &entry.value, parent: Some(self), step: Step::Key(entry) }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&'a self) -> impl Iterator<Item = Field<'a>> {
        let items = self.node.as_list().unwrap_or_default();
        items.iter().enumerate().map(move |(index, node)| Field {
            node,
            parent: Some(self),
            step: Step::Index(index),
        })
    }

    /// The fields of a map that have a value; none of anything else.
    pub(super) fn fields(&'a self) -> impl Iterator<Item = Field<'a>> {
        let entries = self.node.as_map().into_iter().flatten();
        entries.filter(|entry| !entry.value.is_null()).map(move |entry| self.at(entry))
    }

    /// The text of the value.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.node.as_str()
    }

    /// The text of a field below.
    pub(super) fn text_at(&self, key: &str) -> Option<&'a str> {
        self.node.get(key)?.as_str()
    }

    /// The integer of a field below.
    pub(super) fn int_at(&self, key: &str) -> Option<i64> {
        self.node.get(key)?.as_i64()
    }

    /// True when a field below is `true`.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.node.get(key).and_then(Node::as_bool) == Some(true)
    }

    /// True when a field below has a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| !node.is_null())
    }

    /// Which of some fields below have a value.
    pub(super) fn present(&self, keys: &[&'static str]) -> Vec<&'static str> {
        keys.iter().copied().filter(|key| self.has(key)).collect()
    }

    /// The key of the field; empty for items and the root.
    pub(super) fn key(&self) -> &'a str {
        match self.step {
            Step::Key(entry) => &entry.key,
            Step::Root | Step::Index(_) => "",
        }
    }

    fn path(&self) -> FieldPath {
        let mut path = self.parent.map(Field::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(entry) => path.push_key(&entry.key),
            Step::Index(index) => path.push_index(index),
        }
        path
    }

    /// Where the field stands: a scalar's value, else its key, else the item.
    pub(super) fn span(&self) -> Span {
        match (&self.node.value, self.step) {
            (Value::Map(_) | Value::List(_), Step::Key(entry)) => entry.key_span,
            _ => self.node.span,
        }
    }

    /// Where the key stands.
    pub(super) fn key_span(&self) -> Span {
        match self.step {
            Step::Key(entry) => entry.key_span,
            Step::Root | Step::Index(_) => self.span(),
        }
    }

    /// A finding about this field: its path, then what is wrong.
    pub(super) fn error(&self, code: &'static str, what: impl std::fmt::Display) -> Diagnostic {
        let path = self.path().to_string();
        let message = if path.is_empty() { what.to_string() } else { format!("`{path}` {what}") };
        Diagnostic::error(code, message).at(self.span(), "")
    }
}
