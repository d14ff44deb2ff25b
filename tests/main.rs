//! All integration tests, as one binary that links once.

mod registry;
mod api;
mod runtime;
mod schemas;
mod tidy;
mod yaml_vectors;
