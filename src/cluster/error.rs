//! What can go wrong between here and a cluster.

use crate::yaml::Node;
use std::fmt;
use std::path::PathBuf;

/// One detail of a rejection: which field, and what about it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cause {
    /// Machine-readable reason, such as `FieldManagerConflict`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The field, as the server names it.
    pub field: String,
}

/// A `Status` that a server answered a request with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rejection {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`.
    pub reason: String,
    /// What is wrong, in the server's words.
    pub message: String,
    /// The details of it.
    pub causes: Vec<Cause>,
}

impl Rejection {
    /// Reads the body of an answer that was no success; a body that is no `Status` is quoted.
    #[must_use]
    pub fn of(code: u16, body: &[u8]) -> Rejection {
        let status = serde_json::from_slice::<Node>(body).unwrap_or_default();
        if status.str_at(&["kind"]) != Some("Status") {
            let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            let message = if text.is_empty() { format!("status {code}") } else { text };
            return Rejection { code, message, ..Rejection::default() };
        }
        Rejection::of_status(code, &status)
    }

    /// Reads a `Status` object.
    #[must_use]
    pub fn of_status(code: u16, status: &Node) -> Rejection {
        let text = |node: &Node, key: &str| node.str_at(&[key]).unwrap_or_default().to_owned();
        let causes = status.items_at(&["details", "causes"]).iter().map(|cause| Cause {
            reason: text(cause, "reason"),
            message: text(cause, "message"),
            field: text(cause, "field"),
        });
        Rejection {
            code: status
                .i64_at(&["code"])
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(code),
            reason: text(status, "reason"),
            message: text(status, "message"),
            causes: causes.collect(),
        }
    }

    /// True when another field manager owns what was to be changed.
    #[must_use]
    pub fn is_ownership_conflict(&self) -> bool {
        self.code == 409 && self.causes.iter().any(|cause| cause.reason == "FieldManagerConflict")
    }

    /// True when a field was to be changed that cannot be.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        let says = |text: &str| {
            text.contains("immutable")
                || text.contains("may not be changed")
                || text.contains("may not change")
                || text.contains("updates to statefulset spec for fields other than")
                || text.contains("pod updates may not")
        };
        self.code == 422
            && (says(&self.message) || self.causes.iter().any(|cause| says(&cause.message)))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a cluster did not do what it was asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ClusterError {
    /// No kubeconfig, or one that cannot be read.
    #[error("cannot read the kubeconfig: {message}")]
    #[diagnostic(code(wharf::cluster::kubeconfig))]
    Kubeconfig {
        /// What is wrong with it.
        message: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// The kubeconfig names no context to work on.
    #[error("no target is chosen: {}", .path.display())]
    #[diagnostic(
        code(wharf::cluster::no_target),
        help(
            "choose one with `wharf target use NAME` or `--target NAME`; `wharf target list` shows them"
        )
    )]
    NoTarget {
        /// The file that was read.
        path: PathBuf,
    },
    /// A context that does not exist.
    #[error("there is no target `{name}` in the kubeconfig")]
    #[diagnostic(code(wharf::cluster::unknown_target))]
    UnknownTarget {
        /// The name that was asked for.
        name: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// No answer at all.
    #[error("cannot reach {server} (target `{target}`): {message}")]
    #[diagnostic(code(wharf::cluster::unreachable))]
    Unreachable {
        /// Where it was tried.
        server: String,
        /// The context.
        target: String,
        /// Why not.
        message: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// The server answered no.
    #[error("the server refused to {verb} {what}: {rejection}")]
    #[diagnostic(code(wharf::cluster::rejected))]
    Rejected {
        /// What was asked: `get`, `apply`, …
        verb: &'static str,
        /// Of what.
        what: String,
        /// The server's answer.
        rejection: Box<Rejection>,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A kind that the server does not serve.
    #[error("the server knows no kind `{kind}` in `{api_version}`")]
    #[diagnostic(
        code(wharf::cluster::unknown_kind),
        help("is the CustomResourceDefinition installed, and is the apiVersion right?")
    )]
    UnknownKind {
        /// The apiVersion that was asked for.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// An answer that makes no sense.
    #[error("cannot understand the server's answer to {verb} {what}: {message}")]
    #[diagnostic(code(wharf::cluster::bad_answer))]
    BadAnswer {
        /// What was asked.
        verb: &'static str,
        /// Of what.
        what: String,
        /// What is wrong with it.
        message: String,
    },
}

impl ClusterError {
    /// The server answered no to something.
    #[must_use]
    pub fn rejected(verb: &'static str, what: &str, rejection: Rejection) -> ClusterError {
        let help = match rejection.code {
            401 => Some("the kubeconfig's credentials are not valid there, or not any more"),
            403 if what.contains("secrets") => Some(
                "releases are kept in Secrets, so the account of the target needs the right to \
                 get, list, create, update, patch and delete them",
            ),
            403 if rejection.reason == "Forbidden" => Some(
                "the account of the target lacks that right, or a policy stands against it; \
                 `kubectl auth can-i --list` shows its rights",
            ),
            _ => None,
        };
        ClusterError::Rejected {
            verb,
            what: what.to_owned(),
            rejection: Box::new(rejection),
            help: help.map(str::to_owned),
        }
    }

    /// The server's answer, when there was one.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            ClusterError::Rejected { rejection, .. } => Some(rejection),
            _ => None,
        }
    }

    /// True for an answer with this HTTP status code.
    #[must_use]
    pub fn is_code(&self, code: u16) -> bool {
        self.rejection().is_some_and(|rejection| rejection.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                ClusterError::rejected(
                    "apply",
                    "Pod a",
                    Rejection { message: "quota".into(), ..Rejection::default() },
                ),
                "wharf::cluster::rejected",
                "the server refused to apply Pod a: quota",
            ),
            (
                ClusterError::BadAnswer {
                    verb: "list",
                    what: "pods".into(),
                    message: "no JSON".into(),
                },
                "wharf::cluster::bad_answer",
                "cannot understand the server's answer to list pods: no JSON",
            ),
        ] {
            let error: ClusterError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn rejections_are_read_from_status_bodies_and_others_are_quoted() {
        let body = br#"{"kind":"Status","code":409,"reason":"Conflict","message":"Apply failed",
            "details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"a\"",
            "field":".data.x"}]}}"#;
        let read = Rejection::of(409, body);
        assert!(read.is_ownership_conflict() && !read.is_immutable());
        assert_eq!(read.causes[0].field, ".data.x");
        assert_eq!(Rejection::of(502, b"bad gateway\n").message, "bad gateway");
        assert_eq!(Rejection::of(500, b"").message, "status 500");
    }

    #[test]
    fn a_lack_of_rights_is_told_with_what_is_needed() {
        for (code, what, expected) in [
            (401, "list pods", Some("the kubeconfig's credentials")),
            (403, "secrets", Some("releases are kept in Secrets")),
            (403, "Pod a", Some("the account of the target lacks that right")),
            (404, "Pod a", None),
        ] {
            let rejection = Rejection { code, reason: "Forbidden".into(), ..Rejection::default() };
            let error = ClusterError::rejected("apply", what, rejection);
            let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            let fits = |help: &String| expected.is_some_and(|start| help.starts_with(start));
            assert_eq!(help.as_ref().is_some_and(fits), expected.is_some(), "{help:?}");
        }
    }

    #[test]
    fn immutable_fields_are_recognised() {
        for (message, expected) in [
            ("data: Forbidden: field is immutable when `immutable` is set", true),
            ("spec: Forbidden: pod updates may not change fields other than …", true),
            ("metadata.name: Invalid value", false),
        ] {
            let rejection =
                Rejection { code: 422, message: message.to_owned(), ..Rejection::default() };
            assert_eq!(rejection.is_immutable(), expected, "{message}");
        }
    }
}
