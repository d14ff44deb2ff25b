//! What tells one object of a cluster from another.

use super::gvk::Gvk;
use compact_str::CompactString;
use std::fmt;

/// Kind, namespace and name. Objects of cluster-wide kinds, and objects whose namespace is still to
/// be filled in, have an empty namespace.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectId {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Namespace, or empty.
    pub namespace: CompactString,
    /// Name.
    pub name: CompactString,
}

impl fmt::Display for ObjectId {
    /// `Deployment shop/web`, or `Namespace shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.gvk.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
