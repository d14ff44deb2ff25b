//! What was fetched before, by its digest: `$XDG_CACHE_HOME/wharf`, else `~/.cache/wharf`.
//!
//! An entry is checked against its digest each time it is read; a damaged one counts as missing.
//! Without a home there is no cache, and a cache that cannot be written is none.

use crate::base::digest::Digest;
use bytes::Bytes;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// Contents by digest.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// The user's cache.
    #[must_use]
    pub fn user() -> Cache {
        let set =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Cache { folder: base.map(|base| base.join("wharf").join("blobs")) }
    }

    /// A cache in a folder of one's own.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Cache {
        Cache { folder: Some(folder.into()) }
    }

    /// The content with a digest.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = fs::read(self.folder.as_ref()?.join(digest.hex())).ok()?;
        (Digest::of(&bytes) == *digest).then(|| bytes.into())
    }

    /// Keeps a content.
    pub fn put(&self, bytes: &Bytes) {
        let Some(folder) = &self.folder else { return };
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.persist(folder.join(Digest::of(bytes).hex()))?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!(%error, "the cache cannot be written");
        }
    }
}
