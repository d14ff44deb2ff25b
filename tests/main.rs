//! All integration tests, as one binary that links once.

mod api;
mod registry;
mod runtime;
mod examples;
mod schemas;
mod tidy;
mod yaml_vectors;
