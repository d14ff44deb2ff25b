//! Reads what configures transformers from documents, collecting every fault.
//!
//! Fields of overlays are read strictly; files that Kustomize reads leniently are read so too: a
//! key that is not known is then passed over.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::base::suggest;
use crate::object::Gvk;
use crate::yaml::{self, Entry, Map, Node, Value};
use std::borrow::Cow;

/// Reads parts of documents and collects their faults.
#[derive(Debug, Default)]
pub struct Reader {
    /// What was found wrong.
    pub faults: Diagnostics,
    /// Keys that nothing reads are passed over.
    pub lenient: bool,
}

impl Reader {
    /// A reader to which a key that is not known is a fault.
    #[must_use]
    pub fn strict() -> Reader {
        Reader::default()
    }

    /// A reader that passes over keys that are not known.
    #[must_use]
    pub fn lenient() -> Reader {
        Reader { lenient: true, ..Reader::default() }
    }

    /// Reads a document to the end.
    ///
    /// # Errors
    /// Every fault that `read` pushed; nothing read is a fault of its own.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Diagnostics> {
        match read {
            Some(value) if !self.faults.has_errors() => Ok(value),
            _ => Err(self.faults),
        }
    }

    /// The entries of a map that has no keys but these, which may be written in any case.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<Cow<'n, Map>> {
        let map = self.entries(node, what)?;
        let other_case = |entry: &Entry| {
            let key = entry.key.as_str();
            let same = |known: &&&str| known.eq_ignore_ascii_case(key);
            keys.iter().find(same).filter(|_| !keys.contains(&key))
        };
        if map.iter().all(|entry| other_case(entry).is_none()) {
            self.known(map, keys);
            return Some(Cow::Borrowed(map));
        }
        let mut renamed = Map::new();
        for entry in map {
            let key = other_case(entry).map_or(entry.key.clone(), |key| (**key).into());
            renamed.insert_entry(Entry { key, ..entry.clone() });
        }
        self.known(&renamed, keys);
        Some(Cow::Owned(renamed))
    }

    /// The entries of a map of any keys.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Map> {
        if node.as_map().is_none() {
            self.wrong(node, what, "a map");
        }
        node.as_map()
    }

    /// Names the keys that are not among these.
    pub fn known(&mut self, map: &Map, keys: &[&str]) {
        if self.lenient {
            return;
        }
        for entry in map.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let key = entry.key.as_str();
            let message = format!("unknown field \"{key}\"");
            let fault = Diagnostic::error("wharf::transform::unknown_key", message)
                .maybe_help(suggest::did_you_mean(key, keys.iter().copied()))
                .note(format!("known are {}", keys.join(", ")));
            self.faults.push(fault.at(entry.key_span, "written here"));
        }
    }

    /// The value of a key that must be there.
    pub fn required<'n>(&mut self, map: &'n Map, item: &Node, key: &str) -> Option<&'n Node> {
        let value = map.get(key).filter(|value| !value.is_null());
        if value.is_none() {
            self.fault(item.span, &format!("`{key}` is missing"));
        }
        value
    }

    /// The items of a list; null has none.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if node.as_list().is_none() && !node.is_null() {
            self.wrong(node, what, "a list");
        }
        node.as_list().unwrap_or_default()
    }

    /// The items of the list at a key; none when it is absent.
    pub fn list_at<'n>(&mut self, map: &'n Map, key: &str) -> &'n [Node] {
        map.get(key).map(|node| self.list(node, &format!("`{key}`"))).unwrap_or_default()
    }

    /// The text of a string.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if node.as_str().is_none() {
            self.wrong(node, what, "a string");
        }
        node.as_str()
    }

    /// The text at a key; nothing when it is absent, null or empty. What is read leniently may be
    /// a number or a bool as well.
    pub fn string_at(&mut self, map: &Map, key: &str) -> Option<String> {
        let node = map.get(key).filter(|node| !node.is_null())?;
        self.string(node, &format!("`{key}`")).filter(|text| !text.is_empty())
    }

    /// The texts of the list at a key.
    pub fn strings_at(&mut self, map: &Map, key: &str) -> Vec<String> {
        let items = self.list_at(map, key);
        let what = format!("an item of `{key}`");
        items.iter().filter_map(|item| self.string(item, &what)).collect()
    }

    fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Bool(_) | Value::Number(_) if self.lenient => Some(yaml::json::to_string(node)),
            _ => self.text(node, what).map(str::to_owned),
        }
    }

    /// The `group`, `version` and `kind` of a map.
    pub fn gvk(&mut self, map: &Map) -> Gvk {
        let [group, version, kind] = ["group", "version", "kind"]
            .map(|key| self.string_at(map, key).unwrap_or_default().into());
        Gvk { group, version, kind }
    }

    /// The bool at a key; false when it is absent.
    pub fn flag_at(&mut self, map: &Map, key: &str) -> bool {
        let Some(node) = map.get(key).filter(|node| !node.is_null()) else { return false };
        if node.as_bool().is_none() {
            self.wrong(node, &format!("`{key}`"), "true or false");
        }
        node.as_bool().unwrap_or(false)
    }

    /// The integer at a key.
    pub fn integer_at(&mut self, map: &Map, key: &str) -> Option<i64> {
        let node = map.get(key).filter(|node| !node.is_null())?;
        if node.as_i64().is_none() {
            self.wrong(node, &format!("`{key}`"), "an integer");
        }
        node.as_i64()
    }

    /// A map of texts; numbers and bools are taken as they are written.
    pub fn pairs(&mut self, node: &Node, what: &str) -> Option<Map> {
        let mut pairs = self.entries(node, what)?.clone();
        for (key, value) in pairs.iter_mut() {
            match &value.value {
                Value::String(_) => {}
                Value::Bool(_) | Value::Number(_) => {
                    let text = yaml::json::to_string(value);
                    *value = Node::new(text, value.span);
                }
                _ => self.wrong(value, &format!("`{key}`"), "a string"),
            }
        }
        Some(pairs)
    }

    /// Says that a value is of another kind than expected.
    pub fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        self.fault(node.span, &format!("{what} must be {expected}, found {}", node.kind()));
    }

    /// Says what is wrong at a place.
    pub fn fault(&mut self, span: Span, message: &str) {
        let fault = Diagnostic::error("wharf::transform::configuration", message);
        self.faults.push(fault.at(span, "here"));
    }
}
