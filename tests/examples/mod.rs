//! The example packages: what they render to, and what they do as containers.

mod rendering;
mod running;
