//! Packages in registries: `oci://registry/repository:tag`.
//!
//! The tag is asked for each time; the archive behind it is fetched once. Without a tag, the
//! highest version counts.

use super::cache::Cache;
use crate::base::archive::{self, ArchiveError};
use crate::base::digest::Digest;
use crate::base::tree::{FileTree, Limits};
use crate::oci::artifact::{self, ARCHIVE_LIMIT};
use crate::oci::reference::Repository;
use crate::oci::reference::tag_version;
use crate::oci::{Client, OciError, Progress, Reference, ReferenceError};
use crate::source::http::highest;
use bytes::Bytes;

/// Why a package could not be had from a registry.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RegistryError {
    /// The registry failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Registry(#[from] OciError),
    /// The reference is no reference.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reference(#[from] ReferenceError),
    /// What came is no package.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Archive(#[from] ArchiveError),
    /// No tag is a version.
    #[error("{0} has no tag that is a version")]
    #[diagnostic(code("wharf::source::no_version"), help("name a tag: `{0}:TAG`"))]
    NoVersion(String),
    /// No tag is a version of a range.
    #[error("{repository} has no version {range}")]
    #[diagnostic(code("wharf::source::no_such_version"))]
    NoSuchVersion {
        /// The repository.
        repository: String,
        /// What was asked for.
        range: String,
    },
}

/// A package's archive as it came.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What was pulled, with its tag.
    pub reference: Reference,
    /// Digest of its manifest.
    pub digest: Digest,
    /// The archive.
    pub archive: Bytes,
}

impl Pulled {
    /// Unpacks it: the name of its top folder, and its files.
    ///
    /// # Errors
    /// When it is no package archive.
    pub fn unpack(&self) -> Result<(String, FileTree), ArchiveError> {
        archive::unpack(&self.archive, &format!("oci://{}", self.reference), &Limits::default())
    }
}

/// Fetches the archive of a package, or takes it from the cache.
///
/// # Errors
/// When there is no such package, or the registry fails.
pub async fn pull(
    client: &Client,
    reference: &Reference,
    cache: &Cache,
    progress: &Progress,
) -> Result<Pulled, RegistryError> {
    let reference = match (&reference.tag, &reference.digest) {
        (None, None) => choose(client, &reference.repository, "").await?,
        _ => reference.clone(),
    };
    let located = artifact::locate(client, &reference).await?;
    let archive = match cache.get(&located.content.digest) {
        Some(archive) => archive,
        None => {
            let blob = &located.content;
            let bytes =
                client.blob_bytes(&reference.repository, blob, ARCHIVE_LIMIT, progress).await?;
            cache.put(&bytes);
            bytes
        }
    };
    Ok(Pulled { reference, digest: located.digest, archive })
}

/// The highest version of a repository that a range allows; an empty one allows all that are final,
/// as in Helm.
///
/// # Errors
/// When no tag is such a version, or the registry fails.
pub async fn choose(
    client: &Client,
    repository: &Repository,
    range: &str,
) -> Result<Reference, RegistryError> {
    let tags = client.tags(repository).await?;
    let versions: Vec<String> = tags.iter().map(|tag| tag_version(tag)).collect();
    match highest(versions.iter().map(String::as_str), range) {
        Some(at) => Ok(repository.tagged(&tags[at])?),
        None if range.is_empty() => Err(RegistryError::NoVersion(format!("oci://{repository}"))),
        None => Err(RegistryError::NoSuchVersion {
            repository: format!("oci://{repository}"),
            range: range.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_without_versions_is_told_what_to_do() {
        let error = RegistryError::NoVersion("oci://r.example/shop".into());
        let said = |part: Option<Box<dyn std::fmt::Display + '_>>| part.expect("it").to_string();
        assert_eq!(said(miette::Diagnostic::code(&error)), "wharf::source::no_version");
        assert_eq!(error.to_string(), "oci://r.example/shop has no tag that is a version");
        assert_eq!(
            said(miette::Diagnostic::help(&error)),
            "name a tag: `oci://r.example/shop:TAG`"
        );
        let (repository, range) = ("oci://r.example/shop".into(), "2.x".into());
        let error = RegistryError::NoSuchVersion { repository, range };
        assert_eq!(said(miette::Diagnostic::code(&error)), "wharf::source::no_such_version");
        assert_eq!(error.to_string(), "oci://r.example/shop has no version 2.x");
    }
}
