//! From the files of a source to a typed package.
//!
//! What a source is, its files tell: `Package.yaml` a native package, `Chart.yaml` a Helm chart,
//! and so on; anything else is a set of plain manifests.

pub mod chart;
mod kind;
pub mod kustomization;
pub mod lock;
mod native;
pub mod overlay;

pub use kind::{Kind, detect, name};
pub use native::{Native, load};
