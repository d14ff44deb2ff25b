//! What kustomizations name on other machines: files, repositories, charts.
//!
//! Whoever builds says how it is fetched, or that nothing is: building reaches no network by itself.

use super::files::FileError;
use super::repository::Repository;
use crate::base::tree::FileTree;
use bytes::Bytes;
use std::fmt;

/// Fetches what is not on this machine.
pub trait Remote: fmt::Debug {
    /// True unless everything is refused.
    fn is_allowed(&self) -> bool {
        true
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// Why it could not be had.
    fn file(&self, address: &str) -> Result<Bytes, RemoteError>;

    /// The folder that holds the files of a repository.
    ///
    /// # Errors
    /// Why it could not be had.
    fn repository(&self, repository: &Repository) -> Result<String, RemoteError>;

    /// The files of a chart of a Helm repository or registry.
    ///
    /// # Errors
    /// Why it could not be had.
    fn chart(&self, wanted: &ChartAddress<'_>) -> Result<FileTree, RemoteError>;
}

/// Where a chart is.
#[derive(Clone, Copy, Debug)]
pub struct ChartAddress<'a> {
    /// The repository: `https://…` or `oci://…`.
    pub repository: &'a str,
    /// The chart.
    pub name: &'a str,
    /// Its version, or a range; empty for the highest.
    pub version: &'a str,
    /// Versions that are not final count too.
    pub devel: bool,
}

/// Why something could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Fetching was not allowed.
    #[error("`{0}` is remote, and nothing is fetched without --allow-remote")]
    Denied(String),
    /// A web server gave an answer other than the file.
    #[error("HTTP Error: status code {status} ({url})")]
    Answer {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// Anything else, in the words of whoever tried.
    #[error("{0}")]
    Failed(String),
}

impl From<RemoteError> for FileError {
    fn from(error: RemoteError) -> FileError {
        FileError(error.to_string())
    }
}

/// Fetches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Denied;

impl Remote for Denied {
    fn is_allowed(&self) -> bool {
        false
    }

    fn file(&self, address: &str) -> Result<Bytes, RemoteError> {
        Err(RemoteError::Denied(address.to_owned()))
    }

    fn repository(&self, repository: &Repository) -> Result<String, RemoteError> {
        Err(RemoteError::Denied(repository.raw.clone()))
    }

    fn chart(&self, wanted: &ChartAddress<'_>) -> Result<FileTree, RemoteError> {
        let ChartAddress { repository, name, .. } = wanted;
        Err(RemoteError::Denied(format!("{repository} {name}")))
    }
}

/// True for the address of a file on a web server.
#[must_use]
pub fn is_web(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}
