//! What one kustomization may read: files in its folder, and folders beside it as bases; files and
//! repositories of other machines when fetching them was allowed.

use super::provenance::Place;
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::package::kustomization::{
    FileError, Files, Found, Remote, Repository, is_web, is_within, join,
};
use crate::yaml::Node;
use bytes::Bytes;
use std::rc::Rc;

/// A folder being built, and the folders that led to it.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    files: Rc<dyn Files>,
    pub(super) remote: Rc<dyn Remote>,
    /// The folder, with all links resolved.
    pub(super) root: String,
    /// The folders whose bases led here, the first one first.
    visited: Vec<String>,
    /// Files must be in the folder.
    restricted: bool,
    /// The repositories that led here, the last one last: their addresses, and where they are.
    repositories: Vec<(String, String)>,
    /// The namespace that the kustomizations above give to charts.
    pub(super) namespace: Option<Node>,
    /// Where this is, when resources are to tell.
    pub(super) place: Option<Place>,
}

impl Loader {
    /// A loader for the folder that everything begins with.
    pub(super) fn first(
        files: Rc<dyn Files>,
        remote: Rc<dyn Remote>,
        path: &str,
        restricted: bool,
    ) -> Result<Loader, FileError> {
        let mut loader = Loader {
            files,
            remote,
            root: String::new(),
            visited: Vec::new(),
            restricted,
            repositories: Vec::new(),
            namespace: None,
            place: None,
        };
        match Repository::parse(path) {
            Ok(repository) => loader.cloned(&repository)?,
            Err(_) => loader.root = folder(&*loader.files, path)?,
        }
        Ok(loader)
    }

    /// The same, whose bases give charts a namespace.
    pub(super) fn with_namespace(&self, namespace: Option<&Node>) -> Loader {
        let namespace = namespace.or(self.namespace.as_ref()).cloned();
        Loader { namespace, ..self.clone() }
    }

    /// A loader for a base or component.
    pub(super) fn enter(&self, path: &str) -> Result<Loader, FileError> {
        if path.is_empty() {
            return Err(FileError("new root cannot be empty".to_owned()));
        }
        let mut inner = self.clone();
        inner.place = self.place.as_ref().map(|place| place.inner(path));
        if let Ok(repository) = Repository::parse(path) {
            let raw = &repository.raw;
            if let Some((before, _)) =
                self.repositories.iter().rev().find(|(before, _)| before.starts_with(raw))
            {
                return Err(FileError(format!(
                    "cycle detected: URI '{raw}' referenced by previous URI '{before}'"
                )));
            }
            inner.visited.clear();
            inner.cloned(&repository)?;
            return Ok(inner);
        }
        if path.starts_with('/') {
            return Err(FileError(format!("new root '{path}' cannot be absolute")));
        }
        let root = folder(&*self.files, &join(&self.root, path))?;
        if let Some((_, clone)) = self.repositories.last().filter(|(_, it)| !is_within(&root, it)) {
            return Err(FileError(format!(
                "security; bases in kustomizations found in cloned git repos must be within the \
                 repo, but base '{root}' is outside '{clone}'"
            )));
        }
        let before = std::iter::once(&self.root).chain(self.visited.iter().rev());
        if let Some(visited) = before.into_iter().find(|visited| is_within(visited, &root)) {
            return Err(FileError(format!(
                "cycle detected: candidate root '{root}' contains visited root '{visited}'"
            )));
        }
        inner.visited.push(self.root.clone());
        inner.root = root;
        Ok(inner)
    }

    /// Goes into a folder of a repository, which nothing leads out of.
    fn cloned(&mut self, repository: &Repository) -> Result<(), FileError> {
        let clone = self.remote.repository(repository)?;
        let clone = folder(&*self.files, &clone)?;
        let wanted = join(&clone, &repository.folder);
        let root = match self.files.find(&wanted)? {
            Found::Folder(root) => root,
            Found::File(file) => {
                return Err(FileError(format!(
                    "'{wanted}' refers to file '{file}'; expecting directory"
                )));
            }
        };
        if !is_within(&root, &clone) {
            return Err(FileError(format!(
                "\"{wanted}\" refers to directory outside of repo \"{clone}\""
            )));
        }
        self.repositories.push((repository.raw.clone(), clone));
        self.restricted = true;
        self.root = root;
        Ok(())
    }

    /// Where a file is, and its bytes.
    pub(super) fn load(&self, path: &str) -> Result<(String, Bytes), FileError> {
        if is_web(path) {
            return Ok((path.to_owned(), self.remote.file(path)?));
        }
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

    /// All files of a folder, which may be anywhere.
    pub(super) fn tree(&self, path: &str) -> Result<FileTree, FileError> {
        self.files.tree(path)
    }

    /// Whether a path leads to a folder.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        matches!(self.files.find(&join(&self.root, path)), Ok(Found::Folder(_)))
    }

    /// What to do where a path could not be loaded.
    pub(super) fn advice(&self, path: &str, error: &str) -> Option<String> {
        if error.contains("security; file") {
            let text = "make its folder a base; `wharf kustomize` takes --load-restrictor \
                        LoadRestrictionsNone";
            return Some(text.to_owned());
        }
        if error.contains("cycle detected") {
            return Some("take one of these kustomizations out of the other".to_owned());
        }
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        let names = self.files.names(&join(&self.root, folder));
        let near = suggest::nearest(name, names.iter().map(String::as_str))?;
        let slash = if folder.is_empty() { "" } else { "/" };
        (near != name).then(|| format!("did you mean `{folder}{slash}{near}`?"))
    }

    /// How the user would name a path.
    pub(super) fn show(&self, path: &str) -> String {
        if is_web(path) { path.to_owned() } else { self.files.show(&join(&self.root, path)) }
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
