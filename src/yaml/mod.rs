//! YAML and JSON: one plain value that knows where it was written, readers and writers for it.
//!
//! [`Node`] is the value that every layer works on: packages and values, rendered objects, patches,
//! and the agent's objects. Reading follows go-yaml, because that is what Kubernetes tools read
//! with; writing gives go-yaml's bytes.

mod advice;
mod compose;
pub mod emit;
mod fault;
pub mod json;
mod map;
mod node;
mod order;
mod parse;
mod path;
mod problem;
mod quote;
mod read;
mod reader;
mod resolve;
mod resources;
mod scan;
mod serde;
pub mod substitute;
#[cfg(test)]
mod tests;
mod timestamp;
mod tree;

pub use map::{Entry, Map};
pub use node::{Form, Node, Number, Str, Value};
pub use path::{FieldPath, Step};
pub use problem::YamlError;
pub use read::{
    Documents, ReadOptions, decode, each_document, parse_documents, parse_documents_with,
    parse_first, parse_one, parse_text,
};
pub use resolve::{Dialect, plain_scalar, tagged};
pub use resources::{pieces, resources};
pub use substitute::Substitute;
pub use tree::{Tree, TreeDocument, TreeKind, refolded};
