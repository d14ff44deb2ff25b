//! Values: layered input of a package, in which every value knows where it was written.
//!
//! ```text
//! values.yaml  <-  overlay  <-  -f …  <-  --set-json, --set, --set-string, --set-file
//! ```
//!
//! Maps merge, `null` deletes, lists are replaced unless the schema says otherwise
//! (`x-wharf-merge`). The result is checked against `values.schema.json`.

mod check;
mod effort;
mod merge;
mod schema;
mod set_flag;

pub use check::{check, is_secret};
pub use merge::{layer, merge};
pub use schema::Schema;
pub use set_flag::{SetFlag, SetKind, apply};
