//! One Kubernetes object and where it came from.

use super::gvk::Gvk;
use super::id::ObjectId;
use super::meta;
use crate::yaml::Node;
use std::sync::Arc;

/// Where an object came from, as far as its spans do not tell.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Origin {
    /// The package, chart or folder, as the user names it.
    pub package: String,
    /// The template or file inside it.
    pub file: String,
}

/// An object: its fields, each knowing its span, and its origin. It has `apiVersion` and `kind`.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// All fields.
    pub root: Node,
    /// Where it came from.
    pub origin: Arc<Origin>,
}

impl Object {
    /// Group, version and kind; empty where the node lacks them.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        let text = |key| self.root.str_at(&[key]).unwrap_or_default();
        Gvk::new(text("apiVersion"), text("kind"))
    }

    /// The kind, or empty.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.root.str_at(&["kind"]).unwrap_or_default()
    }

    /// The name, or empty.
    #[must_use]
    pub fn name(&self) -> &str {
        meta::name(&self.root)
    }

    /// The namespace, or empty.
    #[must_use]
    pub fn namespace(&self) -> &str {
        meta::namespace(&self.root)
    }

    /// What tells this object from others.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        ObjectId { gvk: self.gvk(), namespace: self.namespace().into(), name: self.name().into() }
    }
}
