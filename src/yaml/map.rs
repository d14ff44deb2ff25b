//! A map with text keys that keeps the order in which they were written.
//!
//! Most maps of manifests have fewer than ten keys, where looking through them is fastest; beyond
//! [`SMALL`] entries an index by hash is kept.

use super::node::{Node, Str};
use crate::base::source::Span;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Up to so many entries are looked through one by one.
const SMALL: usize = 16;

/// One key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Str,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Entries in the order in which they were written; each key once.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<Entry>,
    index: Option<Box<HashTable<u32>>>,
}

fn hash(key: &str) -> u64 {
    foldhash::quality::FixedState::default().hash_one(key)
}

impl Map {
    /// Makes an empty map.
    #[must_use]
    pub fn new() -> Map {
        Map::default()
    }

    /// Makes an empty map with room for some entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Map {
        Map { entries: Vec::with_capacity(capacity), index: None }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index
                .find(hash(key), |at| self.entries[*at as usize].key == key)
                .map(|at| *at as usize),
            None => self.entries.iter().position(|entry| entry.key == key),
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Key and value of a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.position(key).map(|at| &self.entries[at])
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.position(key).map(|at| &mut self.entries[at].value)
    }

    /// True when the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets the value of a key; a new one comes last. Gives the value that it replaced.
    pub fn insert(&mut self, key: impl Into<Str>, value: impl Into<Node>) -> Option<Node> {
        self.insert_entry(Entry { key: key.into(), key_span: Span::NONE, value: value.into() })
            .map(|entry| entry.value)
    }

    /// Sets an entry with the span of its key; a new one comes last. Gives the entry it replaced.
    pub fn insert_entry(&mut self, entry: Entry) -> Option<Entry> {
        if let Some(at) = self.position(&entry.key) {
            return Some(std::mem::replace(&mut self.entries[at], entry));
        }
        self.push_unchecked(entry);
        None
    }

    /// Appends an entry whose key is known to be new.
    pub(super) fn push_unchecked(&mut self, entry: Entry) {
        let at = u32::try_from(self.entries.len()).expect("a map has fewer than 2^32 entries");
        let hashed = self.index.is_some().then(|| hash(&entry.key));
        self.entries.push(entry);
        let entries = &self.entries;
        if let (Some(index), Some(hashed)) = (&mut self.index, hashed) {
            index.insert_unique(hashed, at, |at| hash(&entries[*at as usize].key));
        } else if self.entries.len() > SMALL {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        self.index = None;
        if self.entries.len() <= SMALL {
            return;
        }
        let entries = &self.entries;
        let mut index = HashTable::with_capacity(entries.len() * 2);
        for (at, entry) in (0..).zip(entries) {
            index.insert_unique(hash(&entry.key), at, |at: &u32| hash(&entries[*at as usize].key));
        }
        self.index = Some(Box::new(index));
    }

    /// The value of a key, which is put in when it is absent.
    pub fn get_or_insert(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        let at = self.position(key).unwrap_or_else(|| {
            let entry = Entry { key: key.into(), key_span: Span::NONE, value: make() };
            self.push_unchecked(entry);
            self.entries.len() - 1
        });
        &mut self.entries[at].value
    }

    /// Moves the entries into a map that takes no more room than they need; this one is empty
    /// afterwards and keeps its room.
    pub(super) fn take_exact(&mut self) -> Map {
        let mut entries = Vec::with_capacity(self.entries.len());
        entries.append(&mut self.entries);
        Map { entries, index: self.index.take() }
    }

    /// Removes a key and gives its value; the order of the others stays. Linear in the entries:
    /// to remove many use [`Map::retain`].
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.remove_entry(key).map(|entry| entry.value)
    }

    /// Removes a key and gives its entry; the order of the others stays.
    pub fn remove_entry(&mut self, key: &str) -> Option<Entry> {
        let at = self.position(key)?;
        let entry = self.entries.remove(at);
        self.rebuild();
        Some(entry)
    }

    /// Keeps the entries that a test lets through.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
        self.rebuild();
    }

    /// Sorts the entries by an order of their keys.
    pub fn sort_by(&mut self, mut order: impl FnMut(&str, &str) -> std::cmp::Ordering) {
        self.entries.sort_by(|a, b| order(&a.key, &b.key));
        self.rebuild();
    }

    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Node> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// The values in order, to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// Keys and values in order, the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.entries.iter_mut().map(|entry| (entry.key.as_str(), &mut entry.value))
    }

    /// All entries, to change all but their keys.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|entry| (&entry.key, &entry.value))).finish()
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Map) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|(a, b)| a.key == b.key && a.value == b.value)
            || self.len() == other.len()
                && self.iter().all(|entry| other.get(&entry.key) == Some(&entry.value))
    }
}

impl<K: Into<Str>, V: Into<Node>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Map {
        let iter = iter.into_iter();
        let mut map = Map::with_capacity(iter.size_hint().0);
        for (key, value) in iter {
            map.insert(key, value);
        }
        map
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_maps_stay_true_through_inserts_and_removals() {
        let mut map: Map = (0..100).map(|n| (format!("k{n}"), n)).collect();
        assert_eq!(map.get("k57").and_then(Node::as_i64), Some(57));
        assert_eq!(map.insert("k57", 1).and_then(|old| old.as_i64()), Some(57));
        assert!(map.remove("k3").is_some());
        map.retain(|entry| entry.key != "k4");
        map.insert("new", 5);
        assert_eq!((map.len(), map.get("k3").is_some()), (99, false));
        assert_eq!(map.get("k99").and_then(Node::as_i64), Some(99));
        assert_eq!(map.keys().last(), Some("new"));
    }
}
