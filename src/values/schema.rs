//! The values schema as far as merging and secrecy ask it: JSON Schema with wharf's annotations.
//!
//! `x-wharf-merge` says how lists merge, `x-wharf-secret` and `writeOnly` what must not be shown.
//! References are followed inside the document only.

use crate::yaml::{Map, Node};

/// How far references may lead, so that one that leads to itself ends.
const MAX_REFERENCES: usize = 16;

/// One place of a schema document; a place that the document says nothing about is empty.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    root: &'a Node,
    here: Option<&'a Node>,
}

/// What happens when a list is put over a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListMerge<'a> {
    /// The upper list takes the place of the lower.
    Replace,
    /// The upper list comes after the lower.
    Append,
    /// Items with the same value under this key merge, others are appended.
    By(&'a str),
}

impl<'a> Schema<'a> {
    /// The top of a schema document.
    #[must_use]
    pub fn new(root: &'a Node) -> Schema<'a> {
        Schema { root, here: Some(root) }.resolved()
    }

    /// A schema that says nothing.
    #[must_use]
    pub fn none() -> Schema<'static> {
        Schema { root: &Node::NULL, here: None }
    }

    fn resolved(mut self) -> Schema<'a> {
        for _ in 0..MAX_REFERENCES {
            let Some(pointer) = self.here.and_then(|here| here.str_at(&["$ref"])) else { break };
            let Some(pointer) = pointer.strip_prefix("#/") else { break };
            self.here = pointer.split('/').try_fold(self.root, |node, key| {
                node.get(&key.replace("~1", "/").replace("~0", "~"))
            });
        }
        self
    }

    fn down(self, keys: &[&str]) -> Schema<'a> {
        Schema { root: self.root, here: self.here.and_then(|here| here.at(keys)) }.resolved()
    }

    /// The schema of a key.
    #[must_use]
    pub fn property(self, key: &str) -> Schema<'a> {
        let named = self.down(&["properties", key]);
        if named.here.is_some() { named } else { self.down(&["additionalProperties"]) }
    }

    /// The schema of a list's items.
    #[must_use]
    pub fn items(self) -> Schema<'a> {
        self.down(&["items"])
    }

    /// The names of the keys that it knows.
    pub fn property_names(self) -> impl Iterator<Item = &'a str> {
        let properties = self.here.and_then(|here| here.get("properties")).and_then(Node::as_map);
        properties.into_iter().flat_map(Map::keys)
    }

    /// How lists of this place merge.
    #[must_use]
    pub fn list_merge(self) -> ListMerge<'a> {
        let annotation = self.here.and_then(|here| here.get("x-wharf-merge"));
        match annotation {
            Some(node) if node.as_str() == Some("append") => ListMerge::Append,
            Some(node) => node.str_at(&["by"]).map_or(ListMerge::Replace, ListMerge::By),
            None => ListMerge::Replace,
        }
    }

    /// True when the value of this place must not be shown.
    #[must_use]
    pub fn is_secret(self) -> bool {
        let says =
            |key| self.here.and_then(|here| here.get(key)).and_then(Node::as_bool) == Some(true);
        says("x-wharf-secret") || says("writeOnly")
    }
}
