//! Where an object is kept: resource, namespace, name.

use compact_str::CompactString;
use std::cmp::Ordering;
use std::fmt;

/// A resource as Kubernetes names it in full: `pods`, `deployments.apps`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(CompactString);

impl Resource {
    /// Makes one of its full name.
    #[must_use]
    pub fn new(name: &str) -> Resource {
        Resource(name.into())
    }

    /// Makes one of a plural name and a group, which is empty for the core group.
    #[must_use]
    pub fn of(plural: &str, group: &str) -> Resource {
        if group.is_empty() {
            return Resource::new(plural);
        }
        Resource(compact_str::format_compact!("{plural}.{group}"))
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Resource {
    fn from(name: &str) -> Resource {
        Resource::new(name)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of one object. Objects of cluster-wide resources have an empty namespace.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The resource.
    pub resource: Resource,
    /// The namespace, or empty.
    pub namespace: CompactString,
    /// The name.
    pub name: CompactString,
}

impl Key {
    /// Makes a key.
    #[must_use]
    pub fn new(resource: impl Into<Resource>, namespace: &str, name: &str) -> Key {
        Key { resource: resource.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl Ord for Key {
    /// The order of the paths `resource/namespace/name`: in it namespace `a-b` stands before `a`,
    /// since `-` is less than `/`.
    fn cmp(&self, other: &Key) -> Ordering {
        self.resource.cmp(&other.resource).then_with(|| {
            if self.namespace == other.namespace {
                return self.name.cmp(&other.name);
            }
            let mine = self.namespace.bytes().chain([b'/']);
            mine.cmp(other.namespace.bytes().chain([b'/']))
        })
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    /// `pods shop/web`, or `nodes here`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.resource)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_are_in_the_order_of_their_paths() {
        let keys = [("a-b", "x"), ("a", "b"), ("a", "c"), ("a1", "a")];
        let mut sorted: Vec<Key> =
            keys.iter().map(|(ns, name)| Key::new("pods", ns, name)).collect();
        sorted.reverse();
        sorted.sort();
        let names: Vec<(&str, &str)> =
            sorted.iter().map(|key| (key.namespace.as_str(), key.name.as_str())).collect();
        assert_eq!(names, keys);
    }
}
