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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                ImageError::Format { reference: "a:1".into(), reason: "no config".into() },
                "wharf::agent::image_format",
                "a:1 is not a container image: no config",
            ),
            (
                ImageError::Entry {
                    layer: "sha256:a".into(),
                    entry: "../x".into(),
                    reason: "leads out".into(),
                },
                "wharf::agent::image_entry",
                "layer sha256:a: entry `../x` leads out",
            ),
            (
                ImageError::Layer {
                    layer: "sha256:a".into(),
                    source: TarError::Truncated("b".into()),
                },
                "wharf::agent::image_layer",
                "layer sha256:a cannot be unpacked",
            ),
            (
                ImageError::Limit { what: "layer a".into(), reason: "more than 1 GiB".into() },
                "wharf::agent::image_limit",
                "layer a is too large: more than 1 GiB",
            ),
            (
                ImageError::Store { what: "write a".into(), source: io::Error::other("full") },
                "wharf::agent::image_store",
                "cannot write a",
            ),
        ] {
            let error: ImageError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
