//! What a release owns: the objects of its last manifest, so that what is no longer wanted can be
//! found and pruned.
//!
//! Objects are told apart by group, kind, namespace and name; the version does not count, since
//! `apps/v1beta1` and `apps/v1` show the same object.

use super::gvk::Gvk;
use super::id::ObjectId;
use super::meta;
use crate::yaml::Node;
use compact_str::CompactString;
use std::collections::HashSet;

/// The annotation that spares an object when its release no longer has it.
pub const POLICY_ANNOTATION: &str = "helm.sh/resource-policy";

/// True when an object says that it is to be kept when its release lets go of it.
#[must_use]
pub fn is_kept(object: &Node) -> bool {
    meta::annotation(object, POLICY_ANNOTATION)
        .is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

/// What tells an object from others in whatever version it is shown.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// API group.
    pub group: CompactString,
    /// Kind.
    pub kind: CompactString,
    /// Namespace, or empty.
    pub namespace: CompactString,
    /// Name.
    pub name: CompactString,
}

impl From<&ObjectId> for Key {
    fn from(id: &ObjectId) -> Key {
        Key {
            group: id.gvk.group.clone(),
            kind: id.gvk.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

/// One object of a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    /// What it is.
    pub id: ObjectId,
    /// True when it is to stay when the release lets go of it.
    pub keep: bool,
}

/// The objects that a release owns, in the order of its manifest.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Inventory {
    owned: Vec<Owned>,
}

impl Inventory {
    /// Takes stock of the objects of a manifest. `locate` gives the namespace that an object
    /// without one lands in: that of the release, or none for cluster-wide kinds.
    pub fn of<'a>(
        objects: impl IntoIterator<Item = &'a Node>,
        mut locate: impl FnMut(&Gvk) -> CompactString,
    ) -> Inventory {
        let mut seen = HashSet::new();
        let mut owned = Vec::new();
        for object in objects {
            let Some(gvk) = meta::gvk(object) else { continue };
            let namespace = match meta::namespace(object) {
                "" => locate(&gvk),
                namespace => namespace.into(),
            };
            let id = ObjectId { gvk, namespace, name: meta::name(object).into() };
            if seen.insert(Key::from(&id)) {
                owned.push(Owned { id, keep: is_kept(object) });
            }
        }
        Inventory { owned }
    }

    /// Everything that is owned.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Owned> {
        self.owned.iter()
    }

    /// How many objects are owned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owned.len()
    }

    /// True when nothing is owned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// What is owned and not among the wanted.
    pub fn without<'a>(&self, wanted: impl IntoIterator<Item = &'a ObjectId>) -> Vec<&Owned> {
        let wanted: HashSet<Key> = wanted.into_iter().map(Key::from).collect();
        self.owned.iter().filter(|owned| !wanted.contains(&Key::from(&owned.id))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_longer_wanted_is_found_whatever_its_version() {
        let objects = [
            json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b",
                "annotations": {"helm.sh/resource-policy": "keep"}}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}),
        ]
        .map(Node::from);
        let inventory = Inventory::of(&objects, |_| "shop".into());
        assert_eq!(inventory.len(), 2);
        let wanted = ObjectId {
            gvk: Gvk::new("apps/v1", "Deployment"),
            namespace: "shop".into(),
            name: "a".into(),
        };
        let gone = inventory.without([&wanted]);
        assert_eq!(gone.len(), 1);
        assert_eq!((gone[0].id.to_string().as_str(), gone[0].keep), ("ConfigMap shop/b", true));
    }
}
