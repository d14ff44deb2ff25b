//! Go's package `fmt` over template values, and the parts of `strconv` that it is made of.
//!
//! The texts are those of Go: `%!d(string=hi)`, `%!(EXTRA int=1)`, `<nil>`. What differs is that
//! printing fails instead of running out of stack or memory, when values hold themselves or widths
//! add up.

pub mod float;
mod layout;
mod print;
pub mod quote;
mod verbs;

#[cfg(test)]
mod tests;

pub use print::{print, sprint, sprintln};
pub use verbs::sprintf;
