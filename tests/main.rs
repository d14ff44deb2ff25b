//! All integration tests, as one binary that links once.

mod api;
mod deploy;
mod examples;
mod quickstart;
mod reference;
mod registry;
mod runtime;
mod schemas;
mod tidy;
mod validate;
mod yaml_vectors;
