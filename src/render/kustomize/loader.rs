//! What one kustomization may read: files in its folder, and folders beside it as bases.

use crate::package::kustomization::{FileError, Files, Found, is_within, join};
use bytes::Bytes;
use std::rc::Rc;

/// A folder being built, and the folders that led to it.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    files: Rc<dyn Files>,
    /// The folder, with all links resolved.
    pub(super) root: String,
    /// The folders whose bases led here, the first one first.
    visited: Vec<String>,
    /// Files must be in the folder.
    restricted: bool,
}

impl Loader {
    /// A loader for the folder that everything begins with.
    pub(super) fn first(
        files: Rc<dyn Files>,
        path: &str,
        restricted: bool,
    ) -> Result<Loader, FileError> {
        let root = folder(&*files, path)?;
        Ok(Loader { files, root, visited: Vec::new(), restricted })
    }

    /// A loader for a base or component.
    pub(super) fn enter(&self, path: &str) -> Result<Loader, FileError> {
        if path.is_empty() {
            return Err(FileError("new root cannot be empty".to_owned()));
        }
        if path.starts_with('/') {
            return Err(FileError(format!("new root '{path}' cannot be absolute")));
        }
        let root = folder(&*self.files, &join(&self.root, path))?;
        let before = std::iter::once(&self.root).chain(self.visited.iter().rev());
        if let Some(visited) = before.into_iter().find(|visited| is_within(visited, &root)) {
            return Err(FileError(format!(
                "cycle detected: candidate root '{root}' contains visited root '{visited}'"
            )));
        }
        let mut visited = self.visited.clone();
        visited.push(self.root.clone());
        Ok(Loader { files: self.files.clone(), root, visited, restricted: self.restricted })
    }

    /// Where a file is, and its bytes.
    pub(super) fn load(&self, path: &str) -> Result<(String, Bytes), FileError> {
        let path = join(&self.root, path);
        let real = match self.files.find(&path)? {
            Found::File(real) => real,
            Found::Folder(_) if self.restricted => {
                return Err(FileError(format!("'{path}' must resolve to a file")));
            }
            Found::Folder(real) => return Err(FileError(format!("read {real}: is a directory"))),
        };
        if self.restricted && !is_within(&real, &self.root) {
            return Err(FileError(format!(
                "security; file '{path}' is not in or below '{}'",
                self.root
            )));
        }
        let bytes = self.files.read(&real)?;
        Ok((path, bytes))
    }

    /// How the user would name a path.
    pub(super) fn show(&self, path: &str) -> String {
        self.files.show(&join(&self.root, path))
    }
}

fn folder(files: &dyn Files, path: &str) -> Result<String, FileError> {
    match files.find(path) {
        Ok(Found::Folder(root)) => Ok(root),
        Ok(Found::File(_)) => {
            Err(FileError(format!("must build at directory: '{path}': file is not directory")))
        }
        Err(error) => {
            Err(FileError(format!("must build at directory: not a valid directory: {error}")))
        }
    }
}
