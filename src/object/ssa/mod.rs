//! Server-side apply: who owns which field of an object.
//!
//! ```text
//! live object ─┐
//!              ├─ merge by schema ─> drop what this manager applied before and nobody owns now
//! configuration┘                     └─> conflicts with other owners? ─> new object + managedFields
//! ```
//!
//! [`apply`] is the apply patch, [`update`] the bookkeeping of every other write. Both work on one
//! version of a kind. Results are those of a Kubernetes API server, field by field, and so are the
//! texts of [`ApplyError`].
//!
//! Defaulting and validation are the caller's: they come after the merge.

mod apply;
mod field_set;
mod managed;
mod typed;
mod typed_merge;
mod update;

#[cfg(test)]
mod tests;

pub use apply::{ApplyError, ApplyOptions, Conflict, apply};
pub use field_set::{FieldSet, PathElement, Scalar};
pub use managed::Operation;
pub use typed::TypeFault;
pub use update::{UpdateOptions, update};
