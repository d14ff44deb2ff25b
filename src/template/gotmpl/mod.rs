//! Go's template language with the functions of Helm charts.
//!
//! ```text
//! text -> lex -> parse -> Set of templates -> exec(data) -> text + line map
//! ```
//!
//! The behaviour is that of Go's `text/template`, of sprig and of Helm's own engine, in outputs and
//! in the texts of errors. It knows templates and values, no charts.

pub mod engine;
pub mod error;
mod exec;
pub mod fmt;
pub mod funcs;
pub mod function;
pub mod go_type;
pub mod objects;
pub mod pki;
pub mod regexp;
mod scrypt;
pub mod stack;
pub mod syntax;
pub mod time;
pub mod unicode;
pub mod value;
pub mod version;
pub mod world;

pub use engine::{Job, Options, RenderError, Rendered, Set, Source, render};
pub use error::{ExecError, Frame, ParseError, Place};
pub use function::{Call, Failure, Function};
pub use value::{List, Map, Object, Text, Value};
pub use world::World;

#[cfg(test)]
mod tests;
