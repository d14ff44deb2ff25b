//! What can go wrong with an image.

use crate::base::tar::TarError;
use crate::oci::OciError;
use std::io;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ImageError {
    /// The registry failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Registry(#[from] OciError),
    /// What was pulled is no container image, or contradicts itself.
    #[error("{reference} is not a container image: {reason}")]
    #[diagnostic(code("wharf::agent::image_format"))]
    Format {
        /// The image.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A layer is damaged.
    #[error("layer {layer} cannot be unpacked")]
    #[diagnostic(code("wharf::agent::image_layer"))]
    Layer {
        /// The layer's diff id.
        layer: String,
        /// What is wrong with it.
        #[source]
        source: TarError,
    },
    /// A layer holds an entry that cannot be unpacked.
    #[error("layer {layer}: entry `{entry}` {reason}")]
    #[diagnostic(code("wharf::agent::image_entry"))]
    Entry {
        /// The layer's diff id.
        layer: String,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An image is larger than allowed.
    #[error("{what} is too large: {reason}")]
    #[diagnostic(code("wharf::agent::image_limit"))]
    Limit {
        /// The image or layer.
        what: String,
        /// Which bound was broken.
        reason: String,
    },
    /// The host's disk failed.
    #[error("cannot {what}")]
    #[diagnostic(code("wharf::agent::image_store"))]
    Store {
        /// What was to be done with which file.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ImageError {
    /// True when pulling again later may well succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            ImageError::Registry(error) => error.is_temporary(),
            ImageError::Store { .. } => true,
            _ => false,
        }
    }

    pub(super) fn store(what: impl Into<String>) -> impl FnOnce(io::Error) -> ImageError {
        let what = what.into();
        move |source| ImageError::Store { what, source }
    }
}
