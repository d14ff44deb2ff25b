//! The table of kinds: adding one to the API is one entry here.

use super::admission::Rules;
use super::table::Columns;
use crate::agent::store::{Key, Resource};

mod list;

pub(crate) use list::KINDS;

/// What one kind is called and how the API treats it.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "Kubernetes' own word")]
pub(crate) struct Kind {
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

impl Kind {
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
        let mut verbs = vec!["create", "delete"];
        if self.delete_collection {
            verbs.push("deletecollection");
        }
        verbs.extend(["get", "list", "patch", "update", "watch"]);
        verbs
    }
}

/// The kind that a path names.
pub(crate) fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
}

/// The kind that the store keeps under a resource.
pub(crate) fn by_resource(resource: &Resource) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| {
        let name = resource.as_str();
        match name.strip_prefix(kind.plural) {
            Some("") => kind.group.is_empty(),
            Some(rest) => rest.strip_prefix('.') == Some(kind.group) && !kind.group.is_empty(),
            None => false,
        }
    })
}

/// Groups in the order of discovery, each with its versions; the core group is not among them.
pub(crate) fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for kind in KINDS.iter().filter(|kind| !kind.group.is_empty()) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => groups.push((kind.group, vec![kind.version])),
        }
    }
    groups
}
