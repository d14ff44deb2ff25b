//! Judges objects and changes none: against the schema of their kind, and by rules across fields
//! that no schema can say and an API server would refuse.
//!
//! [`review`] is the whole judgement of a set of objects, [`Reviewer`] that of a stream of them. The
//! rules are functions below [`builtin`], one file for each part of an object; each pushes what it
//! finds.

pub mod builtin;
mod field;
mod names;
mod review;

pub use review::{Options, Review, Reviewer, review};
