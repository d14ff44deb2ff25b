//! OCI registries: names, documents, credentials, a client, and a registry of our own.
//!
//! ```text
//! reference ─> client ──> transport ──> HTTP     auth: who asks, token: what the registry granted
//!                │ download, upload
//!             manifest, artifact                 registry: the other end of the wire
//! ```
//!
//! Nothing here knows what a package or a container is: [`artifact`] carries an archive with a
//! small JSON config, and unpacking images is the agent's business.

pub mod artifact;
pub mod auth;
pub mod client;
mod download;
mod error;
pub mod layout;
pub mod manifest;
pub mod reference;
pub mod registry;
mod tls;
mod token;
mod transport;
mod upload;

pub use auth::{Credentials, Keyring};
pub use client::{Client, Fetched, Options, Selected};
pub use download::BlobReader;
pub use error::OciError;
pub use manifest::{Descriptor, Index, Manifest, Platform};
pub use reference::{Reference, ReferenceError, Repository};
pub use tls::Tls;
pub use upload::Content;

use crate::base::digest::Digest;
use std::sync::Arc;

/// What a transfer tells whoever watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A blob of so many bytes begins to move.
    Started(Digest, u64),
    /// So many more bytes of it have moved.
    Moved(Digest, u64),
    /// It is where it should be; at once, when it had been there before.
    Finished(Digest),
}

/// Watches transfers; called from several threads.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event) + Send + Sync>);

impl Progress {
    /// Calls a function for every event.
    pub fn new(watch: impl Fn(Event) + Send + Sync + 'static) -> Progress {
        Progress(Arc::new(watch))
    }

    /// Watches nothing.
    #[must_use]
    pub fn none() -> Progress {
        Progress::new(|_| ())
    }

    /// Tells of an event.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}
