//! All integration tests, as one binary that links once.

mod tidy;
