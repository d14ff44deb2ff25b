//! The language: text to trees.
//!
//! ```text
//! text -> lex -> parse -> Template, one for the text and one for each define in it
//! ```
//!
//! Nothing here runs. Errors have Go's words.

pub mod ast;
mod lex;
pub mod number;
mod parse;
mod print;
mod quote;

pub use ast::{Source, Template};
pub use parse::{Functions, parse};

use super::fmt::quote::quote;
