//! Container images on this host: pulled from registries, unpacked once, kept by content.
//!
//! ```text
//! index ─> manifest ─┬─> config ─────────────────────────────> configs/<digest>
//!   (platform)       └─> layers ─> gunzip ─> digest ─> unpack ─> layers/<diff id>/fs
//! ```
//!
//! A layer is kept under the digest of its uncompressed bytes (its *diff id*), so images share it
//! and a container's root is an overlay mount of the folders named by [`Image::layers`]. Every
//! folder appears by a rename, after its bytes have reached the disk: a killed agent leaves only
//! folders under `tmp`, which the next start removes.
//!
//! Whether to pull at all is decided by the node, and mounting is the container's business.

mod config;
mod error;
mod pull;
mod store;
mod stream;
mod unpack;

pub use config::ImageConfig;
pub use error::ImageError;
pub use pull::PullOptions;
pub use store::{Collected, Image, ImageStore};
pub use unpack::LayerLimits;

#[cfg(test)]
mod tests;
