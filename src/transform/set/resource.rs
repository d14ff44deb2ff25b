//! One resource: an object on its way through transformers, and what must be remembered of it.
//!
//! kustomize keeps that memory in annotations of the object, which can be seen from outside: a
//! patch that replaces all annotations makes it forget, and a JSON patch finds a map of annotations
//! where the file has none. [`Resource::reshape`] gives the same without the annotations.

use super::id::{Id, PastId, Scopes};
use crate::object::{Gvk, Object, ObjectId, Origin};
use crate::yaml::{Entry, Map, Node, Str, Value, json};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Stands for kustomize's annotations while somebody may change all annotations.
const MARK: &str = "internal.config.kubernetes.io/previousNames";

/// The annotation that tells where an object came from, when a kustomization asks for it.
pub const ORIGIN: &str = "config.kubernetes.io/origin";

/// What a generator does where its object is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    /// Nothing was said, which is `create`.
    #[default]
    Unspecified,
    /// It must not be there.
    Create,
    /// It takes its place.
    Replace,
    /// Its data goes over the data that is there.
    Merge,
}

impl Behavior {
    /// The behaviour of a name; any other name is no behaviour.
    #[must_use]
    pub fn of(name: &str) -> Behavior {
        match name {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Behavior::Unspecified => "unspecified",
            Behavior::Create => "create",
            Behavior::Replace => "replace",
            Behavior::Merge => "merge",
        }
    }
}

/// An object and what transformers remember of it.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// The object.
    pub object: Object,
    /// The ids that it had, the oldest first.
    pub past: Vec<PastId>,
    /// The prefixes that its name got, the first one first.
    pub prefixes: Vec<Str>,
    /// The suffixes that its name got, the first one first.
    pub suffixes: Vec<Str>,
    /// What it does where its object is there already, when it was generated.
    pub behavior: Behavior,
    /// Its name gets a hash of its content.
    pub needs_hash: bool,
    /// A Helm chart made it, so it is in its namespace already.
    pub from_chart: bool,
    /// Names of the variables that read it.
    pub variables: Vec<Str>,
}

impl Resource {
    /// A resource without a past.
    #[must_use]
    pub fn new(root: Node, origin: Arc<Origin>) -> Resource {
        Object { root, origin }.into()
    }

    /// What messages call it.
    #[must_use]
    pub fn shown(&self) -> ObjectId {
        self.object.id()
    }

    /// Its id as it is now.
    #[must_use]
    pub fn id(&self, scopes: &Scopes) -> Id {
        scopes.id(&self.root)
    }

    /// The ids that it had, the oldest first.
    pub fn past_ids(&self) -> impl DoubleEndedIterator<Item = Id> + '_ {
        let gvk = self.gvk();
        self.past.iter().map(move |past| Id {
            gvk: Gvk { kind: past.kind.clone(), ..gvk.clone() },
            name: past.name.clone(),
            namespace: past.namespace.clone(),
            cluster_wide: false,
        })
    }

    /// The first id that it had.
    #[must_use]
    pub fn original_id(&self, scopes: &Scopes) -> Id {
        self.past_ids().next().unwrap_or_else(|| self.id(scopes))
    }

    /// The name that it had at first.
    #[must_use]
    pub fn original_name(&self) -> &str {
        self.past.first().map_or_else(|| self.name(), |past| past.name.as_str())
    }

    /// The kind that it had at first.
    #[must_use]
    pub fn original_kind(&self) -> &str {
        self.past.first().map_or_else(|| self.kind(), |past| past.kind.as_str())
    }

    /// Remembers the id of now, before something changes it.
    pub fn remember(&mut self, scopes: &Scopes) {
        let id = self.id(scopes);
        let namespace = id.effective_namespace().into();
        self.past.push(PastId { namespace, kind: id.gvk.kind, name: id.name });
    }

    /// True when it came out of prefixes and suffixes that go together with another's. The outer
    /// ones must be the same; with `lax` none at all goes together with any.
    #[must_use]
    pub fn affixes_fit(&self, other: &Resource, lax: bool) -> bool {
        let fit = |ours: &[Str], theirs: &[Str]| {
            if ours.is_empty() || theirs.is_empty() {
                return lax || ours.len() == theirs.len();
            }
            ours.iter().rev().zip(theirs.iter().rev()).all(|(ours, theirs)| ours == theirs)
        };
        fit(&self.prefixes, &other.prefixes) && fit(&self.suffixes, &other.suffixes)
    }

    /// True when kustomize has written something into the annotations.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        !self.past.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || self.needs_hash
            || self.from_chart
            || self.behavior != Behavior::Unspecified
    }

    /// Lets a patch change the object with the annotations as kustomize has them: there is a map of
    /// them when something is remembered, and all is forgotten when the patch takes them away.
    pub fn reshape<T>(&mut self, change: impl FnOnce(&mut Node) -> T) -> T {
        if !self.is_marked() {
            return change(&mut self.root);
        }
        let path = ["metadata", "annotations", MARK];
        self.root.set_at(&path, "");
        let result = change(&mut self.root);
        if self.root.is_null() || self.root.as_map().is_some_and(Map::is_empty) {
            return result;
        }
        if self.root.remove_at(&path).is_none() {
            self.forget();
        }
        let annotations = self.root.at(&path[..2]).and_then(Node::as_map);
        if annotations.is_some_and(Map::is_empty) {
            self.root.remove_at(&path[..2]);
        }
        result
    }

    /// Makes a generated resource what it is over `old`, which stands where it is to stand: it takes
    /// the name and the memory of the old one, and its labels and annotations; with `merges` its
    /// data as well.
    pub(super) fn take_over(&mut self, old: &Resource, merges: bool) {
        for field in ["labels", "annotations"] {
            let path = ["metadata", field];
            merge_texts(&mut self.root, &path, old.root.at(&path));
        }
        if merges {
            for field in ["data", "binaryData"] {
                merge_texts(&mut self.root, &[field], old.root.at(&[field]));
            }
            if let Some(made) = old.root.at(&["metadata", "annotations", ORIGIN]) {
                self.root.set_at(&["metadata", "annotations", ORIGIN], made.clone());
            }
        }
        for field in ["name", "namespace"] {
            match old.root.at(&["metadata", field]) {
                Some(value) => self.root.set_at(&["metadata", field], value.clone()),
                None => drop(self.root.remove_at(&["metadata", field])),
            }
        }
        self.past.clone_from(&old.past);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.variables.clone_from(&old.variables);
        self.behavior = old.behavior;
        self.needs_hash &= old.needs_hash;
        self.from_chart = old.from_chart;
    }

    /// Forgets what is remembered.
    pub fn forget(&mut self) {
        let object = std::mem::take(&mut self.object);
        let variables = std::mem::take(&mut self.variables);
        *self = Resource { object, variables, ..Resource::default() };
    }
}

/// Puts the map of texts at a path over the older one. Nothing at all leaves no map.
fn merge_texts(root: &mut Node, path: &[&str], older: Option<&Node>) {
    let mut merged = Map::new();
    let newer = root.remove_at(path);
    let maps = [older, newer.as_ref()].into_iter().flatten().filter_map(Node::as_map);
    for entry in maps.flatten() {
        let text = match &entry.value.value {
            Value::String(text) => text.clone(),
            Value::Null => Str::default(),
            _ => json::to_string(&entry.value).into(),
        };
        let value = Node::new(text, entry.value.span);
        merged.insert_entry(Entry { value, ..entry.clone() });
    }
    if !merged.is_empty() {
        merged.sort_by(Ord::cmp);
        root.set_at(path, merged);
    }
}

impl From<Object> for Resource {
    fn from(object: Object) -> Resource {
        Resource { object, ..Resource::default() }
    }
}

impl From<Resource> for Object {
    fn from(resource: Resource) -> Object {
        resource.object
    }
}

/// A resource is its object, and more.
impl Deref for Resource {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl DerefMut for Resource {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_that_takes_all_annotations_away_makes_forget() {
        let root = json!({"kind": "A", "metadata": {"name": "x"}});
        let mut resource =
            Resource { needs_hash: true, ..Resource::new(root.into(), Arc::default()) };
        resource.reshape(|root| assert!(root.at(&["metadata", "annotations"]).is_some()));
        assert!(resource.needs_hash);
        assert!(resource.root.at(&["metadata", "annotations"]).is_none());
        resource.reshape(|root| root.remove_at(&["metadata", "annotations"]));
        assert!(!resource.needs_hash);
    }

    #[test]
    fn affixes_are_compared_from_the_outermost() {
        let with = |prefixes: &[&str]| Resource {
            prefixes: prefixes.iter().map(|text| Str::from(*text)).collect(),
            ..Resource::default()
        };
        let fit = |a: &[&str], b: &[&str], lax| with(a).affixes_fit(&with(b), lax);
        assert!(fit(&["a", "b"], &["b"], false) && fit(&[], &[], false));
        assert!(!fit(&["a", "b"], &["a"], true) && !fit(&[], &["a"], false));
        assert!(fit(&[], &["a"], true));
    }
}
