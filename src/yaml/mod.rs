//! YAML and JSON: one plain value that knows where it was written, readers and writers for it.
//!
//! [`Node`] is the value that every layer works on: packages and values, rendered objects, patches,
//! and the agent's objects. Reading follows go-yaml, because that is what Kubernetes tools read
//! with; writing gives go-yaml's bytes.

pub mod json;
mod map;
mod node;
mod path;
mod serde;

pub use map::{Entry, Map};
pub use node::{Node, Number, Str, Value};
pub use path::{FieldPath, Step};
