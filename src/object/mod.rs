//! The vocabulary of Kubernetes objects: identity, metadata, selectors, patches, readiness. No I/O.

mod gvk;
mod id;
pub mod meta;
mod object;

pub use gvk::Gvk;
pub use id::ObjectId;
pub use object::{Object, Origin};
