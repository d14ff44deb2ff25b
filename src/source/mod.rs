//! From a reference that the user types to a tree of files in memory.

pub mod local;
