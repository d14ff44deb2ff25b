//! Kinds: the built-in ones are a table in which adding one is one entry; custom ones come and go
//! with their definitions.

use super::admission::Rules;
use super::review::Review;
use super::table::Columns;
use crate::agent::store::{Key, Resource};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

mod list;

/// A kind of objects that the API serves.
#[derive(Debug)]
pub(crate) struct Kind {
    facts: Facts,
}

impl Deref for Kind {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// What a kind is called and how the API treats it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// API group; empty for the core group.
    pub(crate) group: &'static str,
    /// The one version that is served.
    pub(crate) version: &'static str,
    /// `ConfigMap`.
    pub(crate) kind: &'static str,
    /// `configmaps`.
    pub(crate) plural: &'static str,
    /// `configmap`.
    pub(crate) singular: &'static str,
    /// `cm`.
    pub(crate) short: &'static [&'static str],
    /// `all`, for what `kubectl get all` shows.
    pub(crate) categories: &'static [&'static str],
    /// False for kinds of the whole cluster.
    pub(crate) namespaced: bool,
    /// True when a collection can be deleted at once.
    pub(crate) delete_collection: bool,
    /// Paths below an object besides `status` and `scale`, for discovery.
    pub(crate) subresources: &'static [Subresource],
    /// True when the status is written through a path of its own.
    pub(crate) status: bool,
    /// True when `spec.replicas` can be read and written as a `Scale`.
    pub(crate) scale: bool,
    /// True when changes of the spec are counted in `metadata.generation`.
    pub(crate) generation: bool,
    /// True when a PUT must say which version it replaces.
    pub(crate) update_needs_version: bool,
    /// True when a PUT creates what is not there.
    pub(crate) update_creates: bool,
    /// True when a delete answers with the object.
    pub(crate) delete_returns_object: bool,
    /// A question to the API: it is posted, answered, and kept nowhere.
    pub(crate) review: Option<Review>,
    /// What fields can be selected besides name and namespace.
    pub(crate) selectable: &'static [&'static str],
    /// Defaults, validation, what an update may change.
    pub(crate) rules: &'static Rules,
    /// Columns of its Table.
    pub(crate) columns: &'static Columns,
}

/// A path below an object.
#[derive(Debug)]
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    /// Group and version of what it speaks, when that is not the kind's own.
    pub(crate) group_version: Option<(&'static str, &'static str)>,
    pub(crate) kind: &'static str,
    pub(crate) verbs: &'static [&'static str],
}

impl Facts {
    /// The resource under which the store keeps it, which is also its name in messages.
    pub(crate) fn resource(&self) -> Resource {
        Resource::of(self.plural, self.group)
    }

    /// `Deployment.apps`, `Pod`.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            return self.kind.into();
        }
        format!("{}.{}", self.kind, self.group)
    }

    /// `apps/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            return self.version.into();
        }
        format!("{}/{}", self.group, self.version)
    }

    pub(crate) fn key(&self, namespace: &str, name: &str) -> Key {
        Key::new(self.resource(), namespace, name)
    }

    /// Fields that a path does not write: the status has its own.
    pub(crate) fn reset(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        match subresource {
            "status" => &[&["spec"]],
            _ if self.status => &[&["status"]],
            _ => &[],
        }
    }

    /// The verbs of the resource, in the order of discovery.
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        if self.review.is_some() {
            return vec!["create"];
        }
        let mut verbs = vec!["create", "delete"];
        if self.delete_collection {
            verbs.push("deletecollection");
        }
        verbs.extend(["get", "list", "patch", "update", "watch"]);
        verbs
    }
}

/// The kinds that are served now.
#[derive(Clone, Debug)]
pub(crate) struct Kinds(Vec<Arc<Kind>>);

impl Kinds {
    /// The kinds that are always there.
    pub(crate) fn built_in() -> Kinds {
        Kinds(BUILT_IN.clone())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.0.iter()
    }

    /// The kind that a path names.
    pub(crate) fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.iter()
            .find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
    }

    /// The kind that the store keeps under a resource.
    pub(crate) fn by_resource(&self, resource: &Resource) -> Option<&Arc<Kind>> {
        let name = resource.as_str();
        self.iter().find(|kind| match name.strip_prefix(kind.plural) {
            Some("") => kind.group.is_empty(),
            Some(rest) => rest.strip_prefix('.') == Some(kind.group) && !kind.group.is_empty(),
            None => false,
        })
    }

    /// Groups in the order of discovery, each with its versions; the core group is not among them.
    pub(crate) fn groups(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
        for kind in self.iter().filter(|kind| !kind.group.is_empty()) {
            match groups.iter_mut().find(|(group, _)| *group == kind.group) {
                Some((_, versions)) if versions.contains(&kind.version) => {}
                Some((_, versions)) => versions.push(kind.version),
                None => groups.push((kind.group, vec![kind.version])),
            }
        }
        groups
    }
}

static BUILT_IN: LazyLock<Vec<Arc<Kind>>> =
    LazyLock::new(|| list::KINDS.iter().map(|facts| Arc::new(Kind { facts: *facts })).collect());

/// A built-in kind, by its full resource name.
pub(crate) fn built_in(resource: &str) -> &'static Arc<Kind> {
    let found = BUILT_IN.iter().find(|kind| kind.resource().as_str() == resource);
    found.expect("the name of a built-in resource")
}

/// Every resource that is always served and keeps objects.
pub(crate) fn resources() -> Vec<Resource> {
    BUILT_IN.iter().filter(|kind| kind.review.is_none()).map(|kind| kind.resource()).collect()
}
