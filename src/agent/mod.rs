//! The node side: serves the Kubernetes API on this host and runs what is applied to it.
//!
//! ```text
//! api ──> store <── control, node ──> runtime
//! ```

pub mod control;
pub mod events;
pub mod node;
pub mod runtime;
pub mod store;
