//! What can go wrong with a registry. No text here ever holds a password or token.

use super::reference::ReferenceError;
use std::io;

/// Why a registry did not give or take what it should.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum OciError {
    /// The name is no name.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reference(#[from] ReferenceError),
    /// No answer came, again and again.
    #[error("cannot reach registry {host} for {what}")]
    #[diagnostic(code("wharf::oci::unreachable"))]
    Unreachable {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
        /// What may help.
        #[help]
        help: Option<String>,
    },
    /// The registry stopped sending or taking bytes.
    #[error("registry {host} stopped answering for {seconds} s while {what}")]
    #[diagnostic(code("wharf::oci::stalled"))]
    #[diagnostic(help("the registry or the network is too slow; try again"))]
    Stalled {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// How long nothing moved.
        seconds: u64,
    },
    /// The registry answered with an error.
    #[error("registry {host} answered {status} to {what}{}", colon(.detail))]
    #[diagnostic(code("wharf::oci::registry"))]
    Registry {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// HTTP status.
        status: u16,
        /// The registry's own code and message.
        detail: String,
    },
    /// The registry wants to know who asks, or does not allow it.
    #[error("registry {host} does not allow {what}{}", colon(.detail))]
    #[diagnostic(code("wharf::oci::unauthorized"))]
    Unauthorized {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// The registry's own code and message.
        detail: String,
        /// Whether to log in or to ask for rights.
        #[help]
        help: String,
    },
    /// The registry has no such thing.
    #[error("{what} does not exist in registry {host}{}", colon(.detail))]
    #[diagnostic(code("wharf::oci::not_found"))]
    NotFound {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// The registry's own code and message.
        detail: String,
    },
    /// The registry sends from one place to the next without end, or to a place that is not safe.
    #[error("registry {host} redirects {what} {reason}")]
    #[diagnostic(code("wharf::oci::redirect"))]
    Redirect {
        /// The host.
        host: String,
        /// What was asked.
        what: String,
        /// What is wrong with the redirect.
        reason: String,
    },
    /// The bytes are not those that were asked for.
    #[error("{what} has digest {got}, expected {expected}")]
    #[diagnostic(code("wharf::oci::digest"))]
    #[diagnostic(help(
        "the registry or something on the way changed the content; nothing was kept"
    ))]
    Digest {
        /// What was asked.
        what: String,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what came.
        got: String,
    },
    /// More or fewer bytes than there should be.
    #[error("{what} {reason}")]
    #[diagnostic(code("wharf::oci::size"))]
    Size {
        /// What was asked.
        what: String,
        /// Which bound was broken.
        reason: String,
    },
    /// A document that does not say what it should.
    #[error("{what} is malformed: {reason}")]
    #[diagnostic(code("wharf::oci::malformed"))]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no image for this machine.
    #[error("{reference} has no image for {wanted}")]
    #[diagnostic(code("wharf::oci::platform"))]
    Platform {
        /// The image.
        reference: String,
        /// The platform.
        wanted: String,
        /// What there is.
        #[help]
        offered: String,
    },
    /// The artifact is something else.
    #[error("{reference} is not {expected}: {found}")]
    #[diagnostic(code("wharf::oci::artifact"))]
    Artifact {
        /// The artifact.
        reference: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Credentials cannot be read or kept.
    #[error("cannot {what} credentials for {registry}: {reason}")]
    #[diagnostic(code("wharf::oci::credentials"))]
    Credentials {
        /// `read`, `store` or `erase`.
        what: &'static str,
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {what}")]
    #[diagnostic(code("wharf::oci::io"))]
    Io {
        /// What was to be done with which file.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl OciError {
    /// True when the same request may well succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            OciError::Unreachable { source, .. } => !OciError::is_mistrust(source),
            OciError::Stalled { .. } => true,
            OciError::Registry { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// True when nobody who is trusted has signed a server's certificate.
    pub(super) fn is_mistrust(error: &std::io::Error) -> bool {
        error.to_string().contains("UnknownIssuer")
    }

    /// True when the registry says that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, OciError::NotFound { .. })
    }
}

fn colon(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                OciError::Stalled {
                    host: "r.example".into(),
                    what: "GET shop".into(),
                    seconds: 30,
                },
                "wharf::oci::stalled",
                "registry r.example stopped answering for 30 s while GET shop",
            ),
            (
                OciError::Registry {
                    host: "r.example".into(),
                    what: "GET shop".into(),
                    status: 500,
                    detail: "UNKNOWN".into(),
                },
                "wharf::oci::registry",
                "registry r.example answered 500 to GET shop: UNKNOWN",
            ),
            (
                OciError::Unauthorized {
                    host: "r.example".into(),
                    what: "GET shop".into(),
                    detail: String::new(),
                    help: "log in".into(),
                },
                "wharf::oci::unauthorized",
                "registry r.example does not allow GET shop",
            ),
            (
                OciError::NotFound {
                    host: "r.example".into(),
                    what: "GET shop".into(),
                    detail: "MANIFEST_UNKNOWN".into(),
                },
                "wharf::oci::not_found",
                "GET shop does not exist in registry r.example: MANIFEST_UNKNOWN",
            ),
            (
                OciError::Redirect {
                    host: "r.example".into(),
                    what: "GET shop".into(),
                    reason: "without end".into(),
                },
                "wharf::oci::redirect",
                "registry r.example redirects GET shop without end",
            ),
            (
                OciError::Digest {
                    what: "blob".into(),
                    expected: "sha256:a".into(),
                    got: "sha256:b".into(),
                },
                "wharf::oci::digest",
                "blob has digest sha256:b, expected sha256:a",
            ),
            (
                OciError::Size { what: "blob".into(), reason: "is larger than 4 MiB".into() },
                "wharf::oci::size",
                "blob is larger than 4 MiB",
            ),
            (
                OciError::Malformed { what: "manifest".into(), reason: "no layers".into() },
                "wharf::oci::malformed",
                "manifest is malformed: no layers",
            ),
            (
                OciError::Platform {
                    reference: "a:1".into(),
                    wanted: "linux/arm64".into(),
                    offered: String::new(),
                },
                "wharf::oci::platform",
                "a:1 has no image for linux/arm64",
            ),
            (
                OciError::Artifact {
                    reference: "a:1".into(),
                    expected: "a package",
                    found: "an image".into(),
                },
                "wharf::oci::artifact",
                "a:1 is not a package: an image",
            ),
            (
                OciError::Credentials {
                    what: "read",
                    registry: "r.example".into(),
                    reason: "no JSON".into(),
                },
                "wharf::oci::credentials",
                "cannot read credentials for r.example: no JSON",
            ),
            (
                OciError::Io { what: "write a".into(), source: io::Error::other("full") },
                "wharf::oci::io",
                "cannot write a",
            ),
        ] {
            let error: OciError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
