//! The network of pods and the addresses of Services.

mod bridge;
mod ipam;
mod link;
mod netlink;
mod nft;
pub(super) mod proxy;

pub use bridge::NetworkConfig;
pub use ipam::Subnet;

pub(super) use bridge::{Bridge, Inside};
pub(super) use ipam::Pool;
