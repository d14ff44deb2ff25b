//! Packages in and out of `.tgz` archives.
//!
//! Writing is reproducible: entries in the order of their paths, fixed owner, mode and time, a gzip
//! header without name and time. The same tree gives the same bytes on every machine.
//!
//! Reading trusts nothing: archives hold one top folder with regular files in it, within
//! [`Limits`]; links, devices, `..`, absolute or doubled names are refused by name, and a stream
//! that swells beyond reason is left at once.

use super::path::{PathError, SafePath};
use super::tar::{self, BLOCK, Kind, TarError};
use super::tree::{FileTree, Limits};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use std::io::{self, Read, Write};

/// Time of every entry: the first moment that zip and FAT can hold too, so nobody warns about it.
const MTIME: u64 = 315_532_800;

/// Bytes that any archive may unpack to, whatever its own size.
const RATIO_FLOOR: u64 = 16 << 20;

/// Times its own size that an archive may unpack to beyond [`RATIO_FLOOR`].
const RATIO: u64 = 100;

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ArchiveError {
    /// It is no gzip-compressed tar archive, or it is damaged.
    #[error("`{archive}` is not a readable package archive")]
    #[diagnostic(code("wharf::base::archive_format"))]
    #[diagnostic(help(
        "a package archive is a gzip-compressed tar file, as `wharf package` writes it"
    ))]
    Format {
        /// The archive.
        archive: String,
        /// What is wrong with it.
        #[source]
        source: TarError,
    },
    /// An entry that a package cannot have.
    #[error("`{archive}`: entry `{entry}` {reason}")]
    #[diagnostic(code("wharf::base::archive_entry"))]
    #[diagnostic(help(
        "a package archive holds regular files below one top folder and nothing else"
    ))]
    Entry {
        /// The archive.
        archive: String,
        /// Name of the entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive holds more than a package may.
    #[error("`{archive}` is too large: {reason}")]
    #[diagnostic(code("wharf::base::archive_limit"))]
    Limit {
        /// The archive.
        archive: String,
        /// Which limit it broke, and where.
        reason: String,
    },
    /// The tree does not fit into an archive.
    #[error("cannot write the archive of `{archive}`")]
    #[diagnostic(code("wharf::base::archive_write"))]
    Write {
        /// The tree.
        archive: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Packs a tree below the folder `top`. The same tree gives the same bytes.
///
/// # Errors
/// When a file is too large for a tar archive.
pub fn pack(tree: &FileTree, top: &str) -> Result<Vec<u8>, ArchiveError> {
    let failed = |source| ArchiveError::Write { archive: tree.label().to_owned(), source };
    // flate2 writes neither name nor time unless told to
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::new(6));
    let mut write = |path: &str, bytes: &[u8]| -> io::Result<()> {
        gzip.write_all(&tar::file_header(path, bytes.len() as u64, MTIME)?)?;
        gzip.write_all(bytes)?;
        gzip.write_all(&[0; BLOCK][..bytes.len().next_multiple_of(BLOCK) - bytes.len()])
    };
    for (path, bytes) in tree.iter() {
        write(&format!("{top}/{path}"), bytes).map_err(failed)?;
    }
    gzip.write_all(&[0; 2 * BLOCK]).map_err(failed)?;
    gzip.finish().map_err(failed)
}

/// Unpacks an archive: the name of its top folder, and the files in it.
///
/// # Errors
/// When it is no archive, holds an entry that a package cannot have, or breaks a limit.
pub fn unpack(
    bytes: &[u8],
    label: &str,
    limits: &Limits,
) -> Result<(String, FileTree), ArchiveError> {
    let archive = || label.to_owned();
    let allowed =
        limits.total_bytes.min((bytes.len() as u64).saturating_mul(RATIO).max(RATIO_FLOOR));
    // tar's own overhead comes on top: a header and padding for each file
    let stream_limit = allowed + (limits.files as u64 + 2) * 2 * BLOCK as u64 + tar::META_LIMIT;
    let stream = Bounded { inner: MultiGzDecoder::new(bytes), left: stream_limit };
    let mut reader = tar::Reader::new(stream);
    let mut tree = FileTree::new(label);
    let mut top: Option<String> = None;
    let (mut entries, mut total) = (0usize, 0u64);
    let format = |source| ArchiveError::Format { archive: archive(), source };
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(TarError::Io(error))
                if error
                    .get_ref()
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Swollen>) =>
            {
                return Err(limit(label, format!("it unpacks to more than {allowed} bytes")));
            }
            Err(source) => return Err(format(source)),
        };
        let refuse = |reason: String| ArchiveError::Entry {
            archive: archive(),
            entry: entry.display(),
            reason,
        };
        entries += 1;
        // folders count as well, or an archive of folders alone would have no bound
        if entries > limits.files.saturating_mul(2) || tree.len() >= limits.files {
            return Err(limit(label, format!("it holds more than {} files", limits.files)));
        }
        let name = std::str::from_utf8(&entry.path)
            .map_err(|_| refuse("has a name that is not UTF-8".into()))?;
        if name.split('/').any(|part| part == "..") {
            return Err(refuse("leads out of the package with `..`".into()));
        }
        let path = match SafePath::parse(name) {
            Ok(path) => path,
            Err(PathError::Empty) if entry.kind == Kind::Directory => continue,
            Err(error) => return Err(refuse(format!("cannot be unpacked: {error}"))),
        };
        match entry.kind {
            Kind::File => {}
            Kind::Directory => continue,
            kind => return Err(refuse(format!("is {}", kind.name()))),
        }
        let Some((folder, inner)) = path.as_str().split_once('/') else {
            return Err(refuse("lies outside of the package's folder".into()));
        };
        let top = top.get_or_insert_with(|| folder.to_owned());
        if top != folder {
            return Err(refuse(format!("lies outside of the package's folder `{top}`")));
        }
        if entry.size > limits.file_bytes {
            let reason = format!(
                "entry `{path}` has {} bytes, {} are allowed for a file",
                entry.size, limits.file_bytes
            );
            return Err(limit(label, reason));
        }
        total = total.saturating_add(entry.size);
        if total > allowed {
            return Err(limit(label, format!("it unpacks to more than {allowed} bytes")));
        }
        // the size is a claim: memory grows with what really comes
        let mut content = Vec::with_capacity(usize::try_from(entry.size.min(1 << 20)).unwrap_or(0));
        reader.read_to_end(&mut content).map_err(|error| format(error.into()))?;
        let inner = SafePath::parse(inner).map_err(|error| refuse(error.to_string()))?;
        if tree.get(inner.as_str()).is_some() {
            return Err(refuse("is there twice".into()));
        }
        tree.insert(inner, content);
    }
    match top {
        Some(top) => Ok((top, tree)),
        None => Err(ArchiveError::Entry {
            archive: archive(),
            entry: "/".into(),
            reason: "holds no file".into(),
        }),
    }
}

fn limit(archive: &str, reason: String) -> ArchiveError {
    ArchiveError::Limit { archive: archive.to_owned(), reason }
}

/// More came out of the compressed stream than may.
#[derive(Debug, thiserror::Error)]
#[error("the stream is larger than allowed")]
struct Swollen;

struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(Swollen))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
