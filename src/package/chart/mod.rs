//! Helm charts: their files, and what becomes of them and their values before anything is rendered.
//!
//! ```text
//! files -> Chart (load) -> dependencies on or off, imports (dependency) -> values (coalesce)
//! ```
//!
//! Everything here follows Helm 4, also where it surprises: values that charts share stay shared,
//! and the texts of faults are Helm's.

pub mod coalesce;
pub mod decode;
mod dependency;
pub mod glob;
pub mod ignore;
mod load;
pub mod lock;
mod metadata;
pub mod schema;
#[cfg(test)]
mod tests;
mod version;

pub use dependency::{missing, settle};
pub use load::{Chart, Fault, File, load, name, read_values};
pub use metadata::{Dependency, Import, Maintainer, Metadata};
pub use version::is_compatible;
