//! The vocabulary of Kubernetes objects: identity, metadata, selectors, patches, readiness. No I/O.

mod gvk;
pub mod hook;
mod id;
pub mod inventory;
pub mod meta;
mod object;
pub mod order;
pub mod patch;
pub mod quantity;
pub mod schedule;
pub mod selector;
pub mod ssa;
pub mod status;

pub use gvk::Gvk;
pub use hook::Hook;
pub use id::ObjectId;
pub use object::{Object, Origin};
