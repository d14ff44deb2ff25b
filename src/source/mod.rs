//! From a reference that the user types to a tree of files in memory.

pub mod cache;
pub mod disk;
pub mod git;
pub mod http;
pub mod layers;
pub mod local;
pub mod oci;
pub mod remote;
