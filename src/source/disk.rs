//! Files of kustomizations on disk, read one by one when they are asked for.
//!
//! Links are resolved before paths are compared, so that a link cannot lead out of a folder that
//! must not be left. Errors have the words of the system as Go says them.

use crate::base::tree::{FileTree, Limits};
use crate::package::kustomization::{FileError, Files, Found};
use bytes::Bytes;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The file system, as seen from the folder that the program runs in.
#[derive(Debug, Default)]
pub struct Disk {
    here: PathBuf,
    /// The same with all links resolved.
    real: PathBuf,
}

impl Disk {
    /// The file system.
    ///
    /// # Errors
    /// When there is no folder to run in.
    pub fn new() -> io::Result<Disk> {
        let here = std::env::current_dir()?;
        let real = here.canonicalize()?;
        Ok(Disk { here, real })
    }

    /// The absolute path of what the user names.
    #[must_use]
    pub fn path(&self, named: &str) -> String {
        let here = self.here.display().to_string();
        crate::package::kustomization::join(&here, named)
    }
}

impl Files for Disk {
    fn find(&self, path: &str) -> Result<Found, FileError> {
        let real = Path::new(path).canonicalize().map_err(|error| unresolved(path, &error))?;
        let is_folder = real.is_dir();
        let Ok(real) = real.into_os_string().into_string() else {
            return Err(FileError(format!("'{path}' leads to a name that is no text")));
        };
        Ok(if is_folder { Found::Folder(real) } else { Found::File(real) })
    }

    fn read(&self, path: &str) -> Result<Bytes, FileError> {
        let failed = |error: &io::Error| FileError(format!("open {path}: {}", words(error)));
        let file = fs::File::open(path).map_err(|error| failed(&error))?;
        let limit = Limits::default().file_bytes;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let room = usize::try_from(size.min(limit) + 1).unwrap_or_default();
        let mut bytes = Vec::with_capacity(room);
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if bytes.len() as u64 > limit {
            return Err(FileError(format!("'{path}' holds more than {} MiB", limit >> 20)));
        }
        Ok(bytes.into())
    }

    fn tree(&self, path: &str) -> Result<FileTree, FileError> {
        match self.find(path)? {
            Found::Folder(real) => {
                super::local::load(&real).map_err(|error| FileError(error.to_string()))
            }
            Found::File(file) => Err(FileError(format!("'{file}' is no folder"))),
        }
    }

    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn show(&self, path: &str) -> String {
        let path = Path::new(path);
        let inner = path.strip_prefix(&self.here).or_else(|_| path.strip_prefix(&self.real));
        let shown = match inner {
            Ok(inner) => inner.display().to_string(),
            Err(_) => above(&self.real, path),
        };
        if shown.is_empty() { ".".to_owned() } else { shown }
    }
}

/// A path beside the folder as `../…`; one that shares nothing with it stays absolute.
fn above(here: &Path, path: &Path) -> String {
    let shared = here.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    if shared <= 1 {
        return path.display().to_string();
    }
    let mut shown = PathBuf::new();
    shown.extend(here.components().skip(shared).map(|_| ".."));
    shown.extend(path.components().skip(shared));
    shown.display().to_string()
}

fn unresolved(path: &str, error: &io::Error) -> FileError {
    let parts = Path::new(path).ancestors().collect::<Vec<_>>();
    let gone = parts.iter().rev().find(|part| part.symlink_metadata().is_err());
    let gone = gone.map_or(path.to_owned(), |part| part.display().to_string());
    FileError(format!("evalsymlink failure on '{path}' : lstat {gone}: {}", words(error)))
}

/// The words of the system in lower case, without the number that Rust adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said_as_go_says_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("its path").join("a/b.yaml");
        let path = path.display().to_string();
        let error = Disk::new().expect("a folder").find(&path).expect_err("nothing");
        let gone = path.trim_end_matches("/b.yaml");
        assert_eq!(
            error.to_string(),
            format!("evalsymlink failure on '{path}' : lstat {gone}: no such file or directory")
        );
    }

    #[test]
    fn paths_are_shown_as_they_would_be_typed() {
        let disk = Disk { here: "/a/b".into(), real: "/a/b".into() };
        for (path, shown) in [
            ("/a/b/c.yaml", "c.yaml"),
            ("/a/c.yaml", "../c.yaml"),
            ("/x/c.yaml", "/x/c.yaml"),
            ("/a/b", "."),
        ] {
            assert_eq!(disk.show(path), shown);
        }
        assert_eq!(disk.path("../c"), "/a/c");
    }
}
