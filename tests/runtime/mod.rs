//! The agent's runtime with real containers. Needs root and a static busybox.

mod containers;
mod network;
mod support;
