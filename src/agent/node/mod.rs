//! The node: one state machine per pod, its volumes, probes, names and service addresses.

pub mod environment;
pub mod status;
