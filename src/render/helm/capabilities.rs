//! `.Capabilities` without a cluster: Helm 4.3's, with what the user says of the target.

use super::Request;
use crate::template::gotmpl::objects::{BuildInfo, Capabilities, KubeVersion};

/// The API versions that Helm takes for granted.
const API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// The version of Kubernetes that Helm takes for granted.
const KUBE_VERSION: &str = "v1.37.0";

/// The capabilities of a request's target: what it says of itself, or else what Helm takes for
/// granted, with what the user adds.
///
/// # Errors
/// When the version is none.
pub(super) fn capabilities(request: &Request<'_>) -> Result<Capabilities, String> {
    let granted = API_VERSIONS.iter().filter(|_| !request.served);
    let known = granted.map(|version| (*version).to_owned());
    let version = request.kube_version.unwrap_or(KUBE_VERSION);
    Ok(Capabilities {
        kube_version: parse_kube_version(version)
            .map_err(|why| format!("invalid kube version '{version}': {why}"))?,
        api_versions: known.chain(request.api_versions.iter().cloned()).collect(),
        helm_version: BuildInfo {
            version: "v4.3".to_owned(),
            git_commit: String::new(),
            git_tree_state: String::new(),
            go_version: "go1.26.8".to_owned(),
            kube_client_version: "v1.37".to_owned(),
        },
    })
}

/// Reads a version of at least two numbers; what follows them is kept, but not compared.
fn parse_kube_version(text: &str) -> Result<KubeVersion, String> {
    let plain = text.trim_start();
    let plain = plain.strip_prefix('v').unwrap_or(plain);
    let mut end = 0;
    // numbers with single dots between them
    for (at, char) in plain.char_indices() {
        let dot = char == '.'
            && at > 0
            && plain[..at].ends_with(|c: char| c.is_ascii_digit())
            && plain[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        if !char.is_ascii_digit() && !dot {
            break;
        }
        end = at + 1;
    }
    let numbers = &plain[..end];
    if numbers.is_empty() {
        return Err(format!("could not parse {text:?} as version"));
    }
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() < 2 {
        return Err(format!("illegal version string {text:?}"));
    }
    if parts[0].starts_with('0') && parts[0] != "0" {
        let part = parts[0];
        return Err(format!("illegal zero-prefixed version component {part:?} in {text:?}"));
    }
    let parse = |part: &&str| {
        part.parse::<u64>()
            .map_err(|_| format!("illegal non-numeric version component {part:?} in {text:?}"))
    };
    let parts: Vec<u64> = parts.iter().map(parse).collect::<Result<_, _>>()?;
    let joined: Vec<String> = parts.iter().map(u64::to_string).collect();
    Ok(KubeVersion {
        version: if text.starts_with('v') { text.to_owned() } else { format!("v{text}") },
        normalized: format!("v{}", joined.join(".")),
        major: joined[0].clone(),
        minor: joined[1].clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_helm_reads_them() {
        for (text, expected) in [
            ("1.29.0", "v1.29.0 v1.29.0 1 29"),
            ("v1.33.4-gke.1245000", "v1.33.4-gke.1245000 v1.33.4 1 33"),
            ("1.29", "v1.29 v1.29 1 29"),
            ("1.29.", "v1.29. v1.29 1 29"),
            ("1.30+", "v1.30+ v1.30 1 30"),
            ("1", "illegal version string \"1\""),
            ("x", "could not parse \"x\" as version"),
            ("01.2", "illegal zero-prefixed version component \"01\" in \"01.2\""),
        ] {
            let found = match parse_kube_version(text) {
                Ok(it) => format!("{} {} {} {}", it.version, it.normalized, it.major, it.minor),
                Err(error) => error,
            };
            assert_eq!(found, expected);
        }
    }
}
