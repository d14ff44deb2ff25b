//! The ground floor: where input came from, what is wrong with it, files in memory, time, digests.
//!
//! Nothing here knows YAML or Kubernetes, but for the lines of text that [`secret`] hides.

pub mod archive;
pub mod clock;
pub mod diag;
pub mod digest;
pub mod path;
pub mod retry;
pub mod secret;
pub mod source;
pub mod suggest;
pub mod tar;
pub mod tree;
