//! Kinds: the built-in ones are a table in which adding one is one entry; custom ones come and go
//! with their definitions.

use super::admission::Rules;
use super::review::Review;
use super::table::Columns;
use crate::agent::store::{Key, Resource};
use crate::schema::Schemas;
use crate::yaml::Node;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;

mod custom;
mod list;

pub(crate) use custom::{CustomColumn, Definition, ScalePaths};

/// A name: of a built-in kind, or of one that was defined.
pub(crate) type Name = Cow<'static, str>;

/// A kind of objects that the API serves, in one version.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Kind {
    /// API group; empty for the core group.
    pub(crate) group: Name,
    /// The version: a built-in kind has one, a custom kind may be served in several.
    pub(crate) version: Name,
    /// `ConfigMap`.
    #[expect(clippy::struct_field_names, reason = "as Kubernetes calls it")]
    pub(crate) kind: Name,
    /// `configmaps`.
    pub(crate) plural: Name,
    /// `configmap`.
    pub(crate) singular: Name,
    /// `cm`.
    pub(crate) short: Vec<Name>,
    /// `all`, for what `kubectl get all` shows.
    pub(crate) categories: Vec<Name>,
    /// False for kinds of the whole cluster.
    pub(crate) namespaced: bool,
    /// True when a collection can be deleted at once.
    pub(crate) delete_collection: bool,
    /// Paths below an object besides `status` and `scale`, for discovery.
    pub(crate) subresources: &'static [Subresource],
    /// True when the status is written through a path of its own.
    pub(crate) status: bool,
    /// True when a number of replicas can be read and written as a `Scale`.
    pub(crate) scale: bool,
    /// True when changes of the spec are counted in `metadata.generation`.
    pub(crate) generation: bool,
    /// True when a PUT must say which version it replaces.
    pub(crate) update_needs_version: bool,
    /// True when a PUT creates what is not there.
    pub(crate) update_creates: bool,
    /// True when a delete answers with the object.
    pub(crate) delete_returns_object: bool,
    /// True when a delete that does not say what becomes of dependents leaves them, as it was once.
    pub(crate) orphans: bool,
    /// A question to the API: it is posted, answered, and kept nowhere.
    pub(crate) review: Option<Review>,
    /// What fields can be selected besides name and namespace.
    pub(crate) selectable: Vec<Name>,
    /// Defaults, validation, what an update may change.
    pub(crate) rules: &'static Rules,
    /// Columns of its Table; those of a custom kind are in its definition.
    pub(crate) columns: &'static Columns,
    /// What only a custom kind has.
    pub(crate) definition: Option<Box<Definition>>,
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

/// One entry of the table of built-in kinds; the fields are those of [`Kind`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Facts {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    delete_collection: bool,
    subresources: &'static [Subresource],
    status: bool,
    scale: bool,
    generation: bool,
    update_needs_version: bool,
    update_creates: bool,
    delete_returns_object: bool,
    orphans: bool,
    review: Option<Review>,
    selectable: &'static [&'static str],
    rules: &'static Rules,
    columns: &'static Columns,
}

impl From<&Facts> for Kind {
    fn from(facts: &Facts) -> Kind {
        let names = |list: &[&'static str]| list.iter().map(|name| Name::from(*name)).collect();
        Kind {
            group: facts.group.into(),
            version: facts.version.into(),
            kind: facts.kind.into(),
            plural: facts.plural.into(),
            singular: facts.singular.into(),
            short: names(facts.short),
            categories: names(facts.categories),
            namespaced: facts.namespaced,
            delete_collection: facts.delete_collection,
            subresources: facts.subresources,
            status: facts.status,
            scale: facts.scale,
            generation: facts.generation,
            update_needs_version: facts.update_needs_version,
            update_creates: facts.update_creates,
            delete_returns_object: facts.delete_returns_object,
            orphans: facts.orphans,
            review: facts.review,
            selectable: names(facts.selectable),
            rules: facts.rules,
            columns: facts.columns,
            definition: None,
        }
    }
}

impl Kind {
    /// The resource under which the store keeps it, which is also its name in messages.
    pub(crate) fn resource(&self) -> Resource {
        Resource::of(&self.plural, &self.group)
    }

    /// `Deployment.apps`, `Pod`.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            return self.kind.to_string();
        }
        format!("{}.{}", self.kind, self.group)
    }

    /// `apps/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
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

    /// An object as it is shown in this version; nothing when it is stored like that.
    pub(crate) fn shown(&self, object: &Node) -> Option<Node> {
        self.definition.as_ref()?.shown(&self.api_version(), object)
    }

    /// An object as it is stored.
    pub(crate) fn kept(&self, object: &mut Node) {
        if let Some(definition) = &self.definition {
            object.set("apiVersion", api_version(&self.group, &definition.stored_version));
        }
    }
}

/// `apps/v1`, `v1`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The kinds that are served now.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    kinds: Vec<Arc<Kind>>,
    /// The types of all of them.
    pub(crate) schemas: Schemas,
}

impl Kinds {
    /// The kinds that are always there.
    pub(crate) fn built_in(schemas: Schemas) -> Kinds {
        Kinds { kinds: BUILT_IN.clone(), schemas }
    }

    /// The kinds that are always there, and those of `CustomResourceDefinition`s whose names are
    /// accepted. `before` are the kinds until now; what has not changed is taken from there, and
    /// watches of the others end, as all do with `stop`.
    pub(crate) fn defined(
        schemas: Schemas,
        definitions: &[&Node],
        before: &Kinds,
        stop: &CancellationToken,
    ) -> Kinds {
        let mut all = Kinds::built_in(schemas);
        let mut customs: Vec<Arc<Kind>> = Vec::new();
        for definition in definitions {
            customs.extend(custom::kinds(definition, &mut all.schemas, before, stop));
        }
        customs.sort_by(|a, b| {
            let by_version = custom::by_priority(&a.version, &b.version);
            a.group.cmp(&b.group).then(by_version).then(a.plural.cmp(&b.plural))
        });
        all.kinds.extend(customs);
        custom::end(before, &all);
        all
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.iter()
    }

    /// The kind that a path names.
    pub(crate) fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.iter()
            .find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
    }

    /// What defines the kind of the same names.
    fn counterpart(&self, kind: &Kind) -> Option<&Definition> {
        self.by_plural(&kind.group, &kind.version, &kind.plural)?.definition.as_deref()
    }

    /// The kind that the store keeps under a resource.
    pub(crate) fn by_resource(&self, resource: &Resource) -> Option<&Arc<Kind>> {
        let name = resource.as_str();
        self.iter().find(|kind| match name.strip_prefix(&*kind.plural) {
            Some("") => kind.group.is_empty(),
            Some(rest) => rest.strip_prefix('.') == Some(&kind.group) && !kind.group.is_empty(),
            None => false,
        })
    }

    /// Groups in the order of discovery, each with its versions; the core group is not among them.
    pub(crate) fn groups(&self) -> Vec<(&str, Vec<&str>)> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for kind in self.iter().filter(|kind| !kind.group.is_empty()) {
            match groups.iter_mut().find(|(group, _)| *group == kind.group) {
                Some((_, versions)) if versions.contains(&&*kind.version) => {}
                Some((_, versions)) => versions.push(&kind.version),
                None => groups.push((&kind.group, vec![&kind.version])),
            }
        }
        groups
    }

    /// True when all kinds of a group were defined.
    pub(crate) fn is_custom(&self, group: &str) -> bool {
        self.iter().all(|kind| kind.group != group || kind.definition.is_some())
    }
}

static BUILT_IN: LazyLock<Vec<Arc<Kind>>> =
    LazyLock::new(|| list::KINDS.iter().map(|facts| Arc::new(Kind::from(facts))).collect());

/// A built-in kind, by its full resource name.
pub(crate) fn built_in(resource: &str) -> &'static Arc<Kind> {
    let found = BUILT_IN.iter().find(|kind| kind.resource().as_str() == resource);
    found.expect("the name of a built-in resource")
}

/// Every resource that is always served and keeps objects.
pub(crate) fn resources() -> Vec<Resource> {
    BUILT_IN.iter().filter(|kind| kind.review.is_none()).map(|kind| kind.resource()).collect()
}
