//! Template engines: text and values in, text or documents with a way back to their origin out.
//!
//! An engine knows nothing of packages; it is given texts with names, and values.

pub mod gotmpl;
pub mod jinja;
