//! wharf: from a package to running containers.
//!
//! ```text
//!             values ─┐
//! package ──> render ─┴─> objects ─> transform ─> validate ─> plan ─> deploy ─> release
//!    ^                                                          ^        │
//!  source, oci                                               cluster <───┘
//!                                                               │ Kubernetes API
//!                                             agent: api ─> store ─> control ─> node ─> runtime
//! ```
//!
//! Modules stand in the order of reading; each imports only those of a lower rank
//! (docs/ARCHITECTURE.md, checked by `tests/tidy.rs`).

pub mod base;
pub mod yaml;

pub mod oci;
pub mod schema;
pub mod template;

pub mod object;
pub mod values;

pub mod package;

pub mod render;
pub mod source;

pub mod compile;
pub mod policy;
pub mod transform;

#[cfg(all(feature = "agent", target_os = "linux"))]
pub mod agent;
pub mod cluster;
pub mod plan;
pub mod release;

pub mod deploy;

pub mod cli;
