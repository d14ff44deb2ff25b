//! What templates are told about the release and the target.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::package::Native;
use crate::yaml::Node;
use serde_json::json;

/// The release that objects are compiled for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseFacts {
    /// Its name; nothing means the package's.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: String,
    /// Its revision, counted from 1.
    pub revision: u32,
    /// True when it is there already.
    pub is_upgrade: bool,
}

/// Where objects will run.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TargetFacts {
    /// Kubernetes version, such as `v1.33.0`.
    pub kube_version: String,
    /// API versions that are there, such as `monitoring.coreos.com/v1`.
    pub api_versions: Vec<String>,
    /// They were asked of the target, so they are all; else they come beside Kubernetes' own.
    pub served: bool,
}

impl Default for ReleaseFacts {
    fn default() -> ReleaseFacts {
        ReleaseFacts { name: None, namespace: "default".into(), revision: 1, is_upgrade: false }
    }
}

impl ReleaseFacts {
    /// The release with a name: its own, or else that of the package.
    #[must_use]
    pub fn named(&self, package: &str) -> ReleaseFacts {
        ReleaseFacts {
            name: Some(self.name.clone().unwrap_or_else(|| package.to_owned())),
            ..self.clone()
        }
    }

    pub(super) fn to_node(&self) -> Node {
        Node::from(json!({
            "name": self.name,
            "namespace": self.namespace,
            "revision": self.revision,
            "isInstall": !self.is_upgrade,
            "isUpgrade": self.is_upgrade,
        }))
    }
}

impl TargetFacts {
    fn version(&self) -> Option<semver::Version> {
        let plain = self.kube_version.trim_start_matches('v');
        let dots = plain.split(['-', '+']).next().unwrap_or(plain).matches('.').count();
        let padded = if dots == 1 { format!("{plain}.0") } else { plain.to_owned() };
        semver::Version::parse(&padded).ok()
    }

    pub(super) fn to_node(&self) -> Node {
        let version = self.version().unwrap_or_else(|| semver::Version::new(0, 0, 0));
        Node::from(json!({
            "kubeVersion": format!("v{version}"),
            "major": version.major,
            "minor": version.minor,
            "apiVersions": self.api_versions,
        }))
    }

    /// The fault of a package that does not support this target.
    pub(super) fn unsupported_by(&self, package: &Native) -> Diagnostics {
        let Some((range, span)) = &package.kube_version else { return Diagnostics::new() };
        match self.version() {
            // a vendor's suffix such as `-gke.100` is no pre-release
            Some(version)
                if range.matches(&semver::Version {
                    pre: semver::Prerelease::EMPTY,
                    ..version.clone()
                }) =>
            {
                Diagnostics::new()
            }
            _ => Diagnostic::error(
                "wharf::package::kube_version",
                format!("the package does not support Kubernetes {}", self.kube_version),
            )
            .at(*span, "it supports these")
            .help("choose another version with --kube-version")
            .into(),
        }
    }
}
