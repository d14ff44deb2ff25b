//! What can be wrong with release records.

use crate::cluster::ClusterError;

/// Why the records of a release cannot be read or written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ReleaseError {
    /// The cluster did not do what it was asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cluster(#[from] ClusterError),
    /// A record that is none.
    #[error("the release record `{name}` cannot be read: {message}")]
    #[diagnostic(
        code(wharf::release::unreadable),
        help(
            "it was not written by Helm or wharf, or was damaged; look at it with `kubectl get secret`"
        )
    )]
    Unreadable {
        /// The name of the Secret.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A record that does not fit a Secret.
    #[error(
        "the record of release `{release}` takes {size} bytes, {} at most fit a Secret",
        super::RECORD_LIMIT
    )]
    #[diagnostic(
        code(wharf::release::too_large),
        help("nothing was changed; split the package, or move large files out of its ConfigMaps")
    )]
    TooLarge {
        /// The release.
        release: String,
        /// Its size, packed.
        size: usize,
    },
    /// Someone else wrote the next revision first.
    #[error("revision {version} of release `{release}` was written by someone else meanwhile")]
    #[diagnostic(
        code(wharf::release::raced),
        help("two operations ran at the same time; look at `wharf history`, then try again")
    )]
    Raced {
        /// The release.
        release: String,
        /// The revision.
        version: i64,
    },
    /// No such release.
    #[error("there is no release `{release}` in namespace `{namespace}`")]
    #[diagnostic(code(wharf::release::not_found))]
    NotFound {
        /// The name.
        release: String,
        /// The namespace.
        namespace: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// No such revision.
    #[error("release `{release}` has no revision {version}")]
    #[diagnostic(code(wharf::release::no_revision))]
    NoRevision {
        /// The release.
        release: String,
        /// The revision that was asked for.
        version: i64,
        /// Those that there are.
        #[help]
        help: Option<String>,
    },
    /// A name that cannot be one.
    #[error("`{name}` cannot be the name of a release")]
    #[diagnostic(
        code(wharf::release::bad_name),
        help(
            "lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 53 characters"
        )
    )]
    BadName {
        /// The name.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                ReleaseError::Unreadable {
                    name: "sh.helm.release.v1.a.v1".into(),
                    message: "no gzip".into(),
                },
                "wharf::release::unreadable",
                "the release record `sh.helm.release.v1.a.v1` cannot be read: no gzip",
            ),
            (
                ReleaseError::Raced { release: "a".into(), version: 2 },
                "wharf::release::raced",
                "revision 2 of release `a` was written by someone else meanwhile",
            ),
        ] {
            let error: ReleaseError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
