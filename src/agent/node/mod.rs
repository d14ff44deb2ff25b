//! The node: one state machine per pod, its volumes, probes, names and service addresses.

pub mod backoff;
pub mod environment;
pub mod probe;
pub mod status;
