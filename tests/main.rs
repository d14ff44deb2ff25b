//! All integration tests, as one binary that links once.

mod tidy;
mod yaml_vectors;
