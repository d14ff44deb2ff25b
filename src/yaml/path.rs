//! A path to a field, as messages show it: `spec.containers[0].image`.

use super::node::{Node, Str};
use std::fmt;

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Step {
    /// Into a map.
    Key(Str),
    /// Into a list, counted from 0.
    Index(usize),
}

/// A path from the root of a document to a field.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    /// The path of the root.
    #[must_use]
    pub fn root() -> FieldPath {
        FieldPath::default()
    }

    /// Goes one key down.
    pub fn push_key(&mut self, key: &str) {
        self.0.push(Step::Key(key.into()));
    }

    /// Goes one index down.
    pub fn push_index(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }

    /// Goes one step up.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The path one key further down.
    #[must_use]
    pub fn key(&self, key: &str) -> FieldPath {
        let mut path = self.clone();
        path.push_key(key);
        path
    }

    /// The path one index further down.
    #[must_use]
    pub fn index(&self, index: usize) -> FieldPath {
        let mut path = self.clone();
        path.push_index(index);
        path
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The node that the path leads to.
    #[must_use]
    pub fn find<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.as_list()?.get(*index),
        })
    }
}

impl FromIterator<Step> for FieldPath {
    fn from_iter<I: IntoIterator<Item = Step>>(iter: I) -> FieldPath {
        FieldPath(iter.into_iter().collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key)
                    if key.is_empty() || key.contains(['.', '[', ']', '"', ' ', '/']) =>
                {
                    write!(f, "[{key:?}]")?;
                }
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let path = FieldPath::root().key("spec").key("containers").index(0).key("a.b/c");
        assert_eq!(path.to_string(), r#"spec.containers[0]["a.b/c"]"#);
    }
}
