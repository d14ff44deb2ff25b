//! All integration tests, as one binary that links once.

mod schemas;
mod runtime;
mod tidy;
mod yaml_vectors;
