//! The agent's runtime with real containers. Needs root and a static busybox.

mod containers;
mod crashes;
mod network;
mod speed;
mod streams;
mod support;
