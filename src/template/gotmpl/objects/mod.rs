//! The objects with methods that charts get: `.Values`, `.Files` and `.Capabilities`. All else they get are
//! maps, lists and texts.

mod capabilities;
mod files;
mod values;

pub use capabilities::{BuildInfo, Capabilities, KubeVersion, api_versions};
pub use files::files;
pub use values::VALUES;
