//! Patches: change documents that are applied to a node.
//!
//! | module | document | lists |
//! |---|---|---|
//! | [`json6902`] | a list of operations (RFC 6902) | by index |
//! | [`merge`] | a partial document (RFC 7386) | replaced |
//! | [`strategic`] | a partial document with directives (Kubernetes) | merged by key where the schema says so |
//! | [`kustomize`] | the same, as kustomize reads it | merged by kustomize's own table of keys |
//!
//! What a patch puts in keeps the spans of the patch, so that a field leads to the line that set it
//! last. A patch that fails leaves its target in an undefined state: callers patch a copy, or give
//! up the target.

pub mod json6902;
pub mod kustomize;
pub mod merge;
pub mod strategic;

#[cfg(test)]
mod tests;

use crate::base::source::Span;

/// Why a patch could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The document is no patch of its kind; nothing was tried.
    #[error("{message}")]
    Malformed {
        /// What is wrong with it.
        message: String,
        /// Where.
        at: Span,
    },
    /// The patch has more operations than are carried out at once.
    #[error("The allowed maximum operations in a JSON patch is {allowed}, got {got}")]
    TooManyOperations {
        /// How many are carried out.
        allowed: usize,
        /// How many there are.
        got: usize,
    },
    /// The document is a patch, but does not fit the object.
    #[error("{message}")]
    Unfit {
        /// What does not fit.
        message: String,
        /// Where the patch says so.
        at: Span,
    },
}

impl PatchError {
    fn malformed(at: Span, message: impl Into<String>) -> PatchError {
        PatchError::Malformed { message: message.into(), at }
    }

    fn unfit(at: Span, message: impl Into<String>) -> PatchError {
        PatchError::Unfit { message: message.into(), at }
    }

    /// The place in the patch that the error is about.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            PatchError::Malformed { at, .. } | PatchError::Unfit { at, .. } => *at,
            PatchError::TooManyOperations { .. } => Span::NONE,
        }
    }
}
