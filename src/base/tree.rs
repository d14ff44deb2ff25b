//! A package's files in memory.
//!
//! Compiling reads only from a [`FileTree`], so it cannot reach outside the package. A tree is
//! filled from a folder or an archive by the layers above, within [`Limits`].

use super::path::SafePath;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Bounds on what is taken into memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most files in one tree.
    pub files: usize,
    /// Most bytes of one file.
    pub file_bytes: u64,
    /// Most bytes of all files together.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { files: 20_000, file_bytes: 64 << 20, total_bytes: 512 << 20 }
    }
}

/// Files by path, in the order of their paths.
#[derive(Clone, Default, Debug)]
pub struct FileTree {
    /// How the user names the folder or archive; put before paths in messages.
    label: String,
    files: BTreeMap<SafePath, Bytes>,
}

impl FileTree {
    /// Makes an empty tree that messages call `label`.
    #[must_use]
    pub fn new(label: impl Into<String>) -> FileTree {
        FileTree { label: label.into(), files: BTreeMap::new() }
    }

    /// How the user names the tree.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How messages name a file of the tree.
    #[must_use]
    pub fn display(&self, path: &str) -> String {
        match self.label.trim_end_matches('/') {
            "" | "." => path.to_owned(),
            label => format!("{label}/{path}"),
        }
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: SafePath, bytes: impl Into<Bytes>) {
        self.files.insert(path, bytes.into());
    }

    /// The bytes of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Bytes> {
        self.files.get(path)
    }

    /// The text of a file, when it is there and is UTF-8.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// All files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&SafePath, &Bytes)> {
        self.files.iter()
    }

    /// The files under a folder, in the order of their paths.
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a SafePath, &'a Bytes)> {
        self.files.iter().filter(move |(path, _)| {
            path.as_str().strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// True when there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The tree of one folder, its paths relative to that folder.
    #[must_use]
    pub fn subtree(&self, folder: &str) -> FileTree {
        let mut tree = FileTree::new(self.display(folder));
        for (path, bytes) in self.under(folder) {
            if let Ok(inner) = SafePath::parse(&path.as_str()[folder.len() + 1..]) {
                tree.insert(inner, bytes.clone());
            }
        }
        tree
    }
}
