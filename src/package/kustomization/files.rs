//! The files that kustomizations may name.
//!
//! A kustomization reads only what it names, in its own folder and in the folders of its bases, so
//! nothing is read ahead: a [`Files`] is asked for one path at a time. Paths are absolute and have
//! `/` between their parts; links are resolved before anybody compares them.

use crate::base::tree::FileTree;
use bytes::Bytes;
use std::fmt;

/// What a path leads to, with all links resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A folder.
    Folder(String),
    /// A file.
    File(String),
}

/// Why a path leads to nothing. The text is that of the system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FileError(pub String);

/// Where kustomizations find files.
pub trait Files: fmt::Debug {
    /// What a path leads to.
    fn find(&self, path: &str) -> Result<Found, FileError>;

    /// The bytes of a file.
    fn read(&self, path: &str) -> Result<Bytes, FileError>;

    /// All files of a folder.
    fn tree(&self, path: &str) -> Result<FileTree, FileError>;

    /// The names of what is in a folder; none where there is no such folder.
    fn names(&self, path: &str) -> Vec<String>;

    /// How the user would name a path.
    fn show(&self, path: &str) -> String;
}

impl Files for FileTree {
    fn find(&self, path: &str) -> Result<Found, FileError> {
        let inner = path.trim_matches('/');
        if inner.is_empty() || self.under(inner).next().is_some() {
            return Ok(Found::Folder(format!("/{inner}")));
        }
        if self.get(inner).is_some() {
            return Ok(Found::File(format!("/{inner}")));
        }
        Err(missing(path))
    }

    fn read(&self, path: &str) -> Result<Bytes, FileError> {
        self.get(path.trim_start_matches('/')).cloned().ok_or_else(|| missing(path))
    }

    fn tree(&self, path: &str) -> Result<FileTree, FileError> {
        let tree = self.subtree(path.trim_matches('/'));
        if tree.is_empty() { Err(missing(path)) } else { Ok(tree) }
    }

    fn names(&self, path: &str) -> Vec<String> {
        let folder = path.trim_matches('/');
        let inner = self.under(folder).filter_map(|(path, _)| path.as_str().strip_prefix(folder));
        let mut names: Vec<String> = inner
            .filter_map(|path| path.trim_start_matches('/').split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }

    fn show(&self, path: &str) -> String {
        self.display(path.trim_start_matches('/'))
    }
}

fn missing(path: &str) -> FileError {
    FileError(format!("evalsymlink failure on '{path}' : lstat {path}: no such file or directory"))
}

/// A path joined to a folder, without `.` and `..`; those that would leave the root stay at it.
#[must_use]
pub fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let folder = if path.starts_with('/') { "" } else { folder };
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// True when a folder is another, or is in it.
#[must_use]
pub fn is_within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_compared_by_their_parts() {
        assert_eq!(join("/a/b", "../c/./d"), "/a/c/d");
        assert_eq!(join("/a", "/b"), "/b");
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a"));
    }
}
