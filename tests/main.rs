//! All integration tests, as one binary that links once.

#![allow(
    clippy::print_stderr,
    reason = "tests say on the terminal what could not run and what they measured"
)]

mod agent;
mod api;
mod charts;
mod deploy;
mod distribution;
mod examples;
mod faults;
mod helm_corpus;
mod hostile;
mod keys;
mod kustomize_corpus;
mod kustomize_remote;
mod overlays;
mod prerequisites;
mod quickstart;
mod reference;
mod registry;
mod runtime;
mod schemas;
mod tidy;
mod validate;
mod yaml_vectors;
