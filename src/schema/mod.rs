//! What the fields of objects may be: the schemas of Kubernetes and of custom resources.
//!
//! [`Schemas`] holds the kinds of one Kubernetes version, embedded in the binary (`schemas/`), and
//! those of added `CustomResourceDefinition`s. A kind is a graph of [`Type`]s, which patches and
//! server-side apply also ask for merge keys. [`validate`] reports every fault of a value at once.
//!
//! Nothing here knows what an object means: rules across fields live in `policy`.

mod breach;
mod cel;
mod checks;
mod crd;
mod embedded;
mod format;
mod merge_table;
mod model;
pub mod openapi;
mod place;
mod registry;
pub mod structural;
mod unknown;
mod validate;

pub use breach::{Breach, Reason, breaches};
pub use cel::fault as rule_fault;
pub use merge_table::{MergePlace, MergeTable};
pub use model::{Kind, ListType, Property, Type};
pub use registry::Schemas;
pub use validate::validate;

#[cfg(test)]
mod tests;
