//! The set of resources that transformers change.
//!
//! Resources stay in the order in which they were put in. Two indexes find them, by whole id and by
//! name, over the ids of now and of before; they are made when first asked for and kept up while
//! single resources change through [`ResourceSet::edit`]. Whoever goes over all resources with
//! [`ResourceSet::iter_mut`] may change any id, so the indexes are made anew afterwards: a
//! transformer that does so costs time in proportion to the set, never more.

mod id;
mod resource;
mod select;
#[cfg(test)]
mod tests;

pub use id::{CLUSTER_WIDE, DEFAULT_NAMESPACE, Id, PastId, Scopes};
pub use resource::{Behavior, ORIGIN, Resource};
pub use select::{Pattern, Select, SelectError};

use crate::yaml::Node;
use foldhash::fast::FixedState;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Why a resource could not be put into a set. The texts are kustomize's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is one with that id.
    #[error("may not add resource with an already registered id: {0}")]
    Registered(String),
    /// A generator wants to change what is not there.
    #[error("id {0} does not exist; cannot merge or replace")]
    Missing(String),
    /// A generator makes what is there.
    #[error("id {0} exists; can not use behavior: '{1}', behavior must be merge or replace")]
    Exists(String, &'static str),
    /// A generator wants to change what is there more than once.
    #[error("found multiple objects {0} that could accept merge of {1}")]
    Several(String, String),
}

type Positions = HashMap<u64, Vec<u32>, FixedState>;

/// Resources in order, each id once.
#[derive(Clone, Debug, Default)]
pub struct ResourceSet {
    list: Vec<Resource>,
    scopes: Arc<Scopes>,
    /// By id, of now and of before.
    ids: Option<Positions>,
    /// By name, of now and of before.
    names: Option<Positions>,
}

impl ResourceSet {
    /// An empty set.
    #[must_use]
    pub fn new(scopes: Arc<Scopes>) -> ResourceSet {
        ResourceSet { scopes, ..ResourceSet::default() }
    }

    /// A set of resources whose ids nobody has compared.
    #[must_use]
    pub fn unchecked(list: Vec<Resource>, scopes: Arc<Scopes>) -> ResourceSet {
        ResourceSet { list, ..ResourceSet::new(scopes) }
    }

    /// Which kinds live in no namespace.
    #[must_use]
    pub fn scopes(&self) -> &Arc<Scopes> {
        &self.scopes
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.list.iter()
    }

    /// All in order, to change in any way.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.stale();
        self.list.iter_mut()
    }

    /// All in order, to change without changing ids.
    pub fn contents_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.list.iter_mut()
    }

    /// The resource at a position, which must be there.
    #[must_use]
    pub fn get(&self, at: usize) -> &Resource {
        &self.list[at]
    }

    /// The fields of the resource at a position, to change without changing its id.
    pub fn content_mut(&mut self, at: usize) -> &mut Node {
        &mut self.list[at].root
    }

    /// Changes the resource at a position in any way.
    pub fn edit<T>(&mut self, at: usize, change: impl FnOnce(&mut Resource) -> T) -> T {
        let known = self.ids.is_some() || self.names.is_some();
        let resource = &mut self.list[at];
        if !known {
            return change(resource);
        }
        let before = (resource.id(&self.scopes), resource.past.len());
        let result = change(resource);
        if before != (resource.id(&self.scopes), resource.past.len()) {
            // the entries of its former ids stay: whoever asks compares what is found
            self.enter(at);
        }
        result
    }

    /// Takes all out, in order.
    #[must_use]
    pub fn into_vec(self) -> Vec<Resource> {
        self.list
    }

    /// Keeps what a test lets through.
    pub fn retain(&mut self, keep: impl FnMut(&Resource) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() != before {
            self.stale();
        }
    }

    /// Puts them into another order; the sort must be told by a key that each has.
    pub fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.list.sort_by_cached_key(key);
        self.stale();
    }

    /// Puts one at the end.
    pub fn append(&mut self, resource: Resource) -> Result<(), SetError> {
        let id = resource.id(&self.scopes);
        if !self.current(&id).is_empty() {
            return Err(SetError::Registered(id.to_string()));
        }
        self.push(resource);
        Ok(())
    }

    /// Puts one at the end, whatever its id.
    pub fn push(&mut self, resource: Resource) {
        self.list.push(resource);
        if self.ids.is_some() || self.names.is_some() {
            self.enter(self.list.len() - 1);
        }
    }

    /// Puts all of another set at the end.
    pub fn append_all(&mut self, other: ResourceSet) -> Result<(), SetError> {
        if self.list.is_empty() && self.scopes_are(&other) {
            *self = other;
            return self.check_ids();
        }
        other.list.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Looks for resources that transformers gave one id.
    pub fn check_ids(&mut self) -> Result<(), SetError> {
        let mut seen = HashSet::with_capacity_and_hasher(self.list.len(), FixedState::default());
        let alike: Vec<Id> = self
            .list
            .iter()
            .map(|resource| resource.id(&self.scopes))
            .filter(|id| !seen.insert(id.key()))
            .collect();
        match alike.into_iter().find(|id| self.current(id).len() > 1) {
            Some(id) => Err(SetError::Registered(id.to_string())),
            None => Ok(()),
        }
    }

    fn scopes_are(&self, other: &ResourceSet) -> bool {
        Arc::ptr_eq(&self.scopes, &other.scopes)
    }

    /// Puts a generated one at the end, or where its behaviour says over one that is there.
    pub fn absorb(&mut self, mut resource: Resource) -> Result<(), SetError> {
        let id = resource.id(&self.scopes);
        let found = self.any(&id);
        let replaces = matches!(resource.behavior, Behavior::Merge | Behavior::Replace);
        match found.as_slice() {
            [] if replaces => Err(SetError::Missing(id.to_string())),
            [] => self.append(resource),
            [_] if !replaces => Err(SetError::Exists(id.to_string(), resource.behavior.name())),
            [at] => {
                let merges = resource.behavior == Behavior::Merge;
                self.edit(*at, |old| {
                    resource.take_over(old, merges);
                    *old = resource;
                });
                Ok(())
            }
            several => {
                let ids = several.iter().map(|at| self.list[*at].id(&self.scopes).to_string());
                let ids = ids.collect::<Vec<_>>().join(" ");
                Err(SetError::Several(format!("[{ids}]"), id.to_string()))
            }
        }
    }

    /// Where those are whose id is this now.
    pub fn current(&mut self, id: &Id) -> Vec<usize> {
        self.find(id.key(), |resource, scopes| resource.id(scopes) == *id)
    }

    /// Where those are whose id is this, or was before.
    pub fn any(&mut self, id: &Id) -> Vec<usize> {
        self.find(id.key(), |resource, scopes| {
            resource.id(scopes) == *id || resource.past_ids().any(|past| past == *id)
        })
    }

    /// Where those are whose name is this, or was before.
    pub fn named(&mut self, name: &str) -> Vec<usize> {
        let key = name_key(name);
        if self.names.is_none() {
            let mut names = Positions::default();
            for (at, resource) in self.list.iter().enumerate() {
                enter_names(&mut names, resource, at);
            }
            self.names = Some(names);
        }
        let found = self.names.as_ref().and_then(|names| names.get(&key));
        let is = |at: &usize| {
            let resource = &self.list[*at];
            resource.name() == name || resource.past.iter().any(|past| past.name == name)
        };
        let mut found: Vec<usize> =
            found.into_iter().flatten().map(|at| *at as usize).filter(is).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where those are that a selector chooses, in order.
    pub fn select(&mut self, select: &Select) -> Vec<usize> {
        let candidates = match select.name.as_ref().and_then(Pattern::literal) {
            Some(name) => self.named(name),
            None => (0..self.list.len()).collect(),
        };
        let chosen = |at: &usize| select.matches(&self.list[*at], &self.scopes);
        candidates.into_iter().filter(chosen).collect()
    }

    fn find(&mut self, key: u64, is: impl Fn(&Resource, &Scopes) -> bool) -> Vec<usize> {
        if self.ids.is_none() {
            let mut ids = Positions::default();
            for (at, resource) in self.list.iter().enumerate() {
                enter_ids(&mut ids, resource, &self.scopes, at);
            }
            self.ids = Some(ids);
        }
        let found = self.ids.as_ref().and_then(|ids| ids.get(&key));
        let is = |at: &usize| is(&self.list[*at], &self.scopes);
        let mut found: Vec<usize> =
            found.into_iter().flatten().map(|at| *at as usize).filter(is).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn enter(&mut self, at: usize) {
        if let Some(ids) = &mut self.ids {
            enter_ids(ids, &self.list[at], &self.scopes, at);
        }
        if let Some(names) = &mut self.names {
            enter_names(names, &self.list[at], at);
        }
    }

    fn stale(&mut self) {
        self.ids = None;
        self.names = None;
    }
}

impl<'a> IntoIterator for &'a ResourceSet {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut ResourceSet {
    type Item = &'a mut Resource;
    type IntoIter = std::slice::IterMut<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

fn name_key(name: &str) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(name)
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("fewer resources than memory for them")
}

fn enter_ids(ids: &mut Positions, resource: &Resource, scopes: &Scopes, at: usize) {
    let id = resource.id(scopes);
    ids.entry(id.key()).or_default().push(position(at));
    for past in &resource.past {
        let key = id::key(&id.gvk, &past.kind, &past.name, &past.namespace);
        ids.entry(key).or_default().push(position(at));
    }
}

fn enter_names(names: &mut Positions, resource: &Resource, at: usize) {
    names.entry(name_key(resource.name())).or_default().push(position(at));
    for past in resource.past.iter().filter(|past| past.name != resource.name()) {
        names.entry(name_key(&past.name)).or_default().push(position(at));
    }
}
