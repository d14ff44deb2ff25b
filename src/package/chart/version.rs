//! Versions of charts and the constraints on them.

use crate::template::gotmpl::version::{Constraint, Version};

/// True for a version as Helm reads it: `1`, `v1.2` and `1.2.3-rc.1` are.
pub(super) fn is_version(text: &str) -> bool {
    Version::parse(text.as_bytes()).is_ok()
}

/// True when a version satisfies a constraint; false when either is none.
#[must_use]
pub fn is_compatible(constraint: &str, version: &str) -> bool {
    let constraint = Constraint::parse(constraint.as_bytes());
    let version = Version::parse(version.as_bytes());
    matches!((constraint, version), (Ok(constraint), Ok(version)) if constraint.allows(&version))
}
