//! Why a plan could not be made or carried out.

use crate::base::diag::Diagnostics;
use crate::cluster::ClusterError;
use crate::plan::{FieldChange, Refusals};
use crate::release::ReleaseError;
use std::fmt;

/// An object that did not become ready, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotReady {
    /// Which one.
    pub object: String,
    /// Where it stands.
    pub message: String,
    /// What is known of the cause: waiting reasons, events, log lines.
    pub cause: Vec<String>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)?;
        for line in &self.cause {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// A hook that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedHook {
    /// When it ran, such as `pre-install`.
    pub event: String,
    /// The file it came from.
    pub path: String,
    /// How long it was waited for, in seconds; nothing when it failed for good.
    pub waited: Option<u64>,
    /// The hook, and why it failed.
    pub object: NotReady,
}

impl fmt::Display for FailedHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedHook { event, path, waited, object } = self;
        write!(f, "the {event} hook {} of {path} ", object.object)?;
        match waited {
            Some(seconds) => write!(f, "is not done after {seconds} s: ")?,
            None => f.write_str("failed: ")?,
        }
        f.write_str(&object.message)?;
        object.cause.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Why a plan could not be made or carried out.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum DeployError {
    /// The cluster did not do what it was asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cluster(#[from] ClusterError),
    /// Something about release records.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Release(#[from] ReleaseError),
    /// Something stands against the plan.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Refused(#[from] Refusals),
    /// The release's namespace is not there.
    #[error("namespace `{namespace}` does not exist")]
    #[diagnostic(
        code(wharf::deploy::no_namespace),
        help("make it with `--create-namespace`, or name another one with `-n`")
    )]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// Another process works on the release.
    #[error("revision {version} of release `{release}` is {status}: {holder}")]
    #[diagnostic(code(wharf::deploy::busy))]
    Busy {
        /// The release.
        release: String,
        /// The revision that is being worked on.
        version: i64,
        /// Its status.
        status: String,
        /// Who works on it.
        holder: String,
        /// What to do.
        #[help]
        help: String,
    },
    /// The live state is not the one that a plan was made for.
    #[error("the cluster changed since the plan was made:{}", drift(.moved))]
    #[diagnostic(
        code(wharf::deploy::drift),
        help("nothing was changed; make the plan anew and look at it again")
    )]
    Drift {
        /// Each object that moved, and how.
        moved: Vec<(String, Vec<FieldChange>)>,
    },
    /// The plan was made for another cluster.
    #[error("the plan was made for {planned}, not for {server}")]
    #[diagnostic(code(wharf::deploy::other_cluster), help("name its target with `--target`"))]
    OtherCluster {
        /// The cluster that it was made for.
        planned: String,
        /// The one at hand.
        server: String,
    },
    /// Some objects could not be changed.
    #[error("{}", failed(*.done, *.total, .failures))]
    #[diagnostic(code(wharf::deploy::failed))]
    Failed {
        /// How many were changed.
        done: usize,
        /// How many were to be.
        total: usize,
        /// What went wrong with which.
        failures: Vec<String>,
    },
    /// Some objects are not ready in time.
    #[error("{}", not_ready(*.waited, .objects))]
    #[diagnostic(code(wharf::deploy::not_ready))]
    NotReady {
        /// How long it was waited, in seconds; nothing when an object failed for good.
        waited: Option<u64>,
        /// The objects.
        objects: Vec<NotReady>,
    },
    /// A hook failed.
    #[error("{0}")]
    #[diagnostic(
        code(wharf::deploy::hook),
        help(
            "it is left as it is to be looked at, unless it asks to be deleted; `--no-hooks` leaves hooks out"
        )
    )]
    Hook(Box<FailedHook>),
    /// Ctrl-C.
    #[error("interrupted after {done} of {total} changes{}", list(.applied))]
    #[diagnostic(
        code(wharf::deploy::interrupted),
        help(
            "the release is recorded as failed; the same command goes on, `wharf rollback` goes back"
        )
    )]
    Interrupted {
        /// How many changes were made.
        done: usize,
        /// How many were to be made.
        total: usize,
        /// The objects that were changed.
        applied: Vec<String>,
    },
    /// It failed and what was before was put back.
    #[error("{undone}, since it failed: {}", .cause)]
    #[diagnostic(code(wharf::deploy::undone))]
    Undone {
        /// Why it failed.
        cause: Box<DeployError>,
        /// What was put back.
        undone: String,
    },
    /// There is nothing to go back to.
    #[error("release `{release}` has no earlier revision to go back to")]
    #[diagnostic(code(wharf::deploy::no_earlier), help("`wharf uninstall` removes it"))]
    NoEarlier {
        /// The release.
        release: String,
    },
    /// There is no such test.
    #[error("release `{release}` has no test `{test}`")]
    #[diagnostic(code(wharf::deploy::no_test))]
    NoTest {
        /// The release.
        release: String,
        /// The name that was asked for.
        test: String,
        /// Which ones there are.
        #[help]
        help: Option<String>,
    },
    /// A stored manifest that is no YAML.
    #[error("the stored manifest of {name} cannot be read: {faults}")]
    #[diagnostic(code(wharf::deploy::bad_manifest))]
    BadManifest {
        /// The release and its revision.
        name: String,
        /// What is wrong with it.
        faults: Diagnostics,
    },
}

fn drift(moved: &[(String, Vec<FieldChange>)]) -> String {
    use fmt::Write;
    let mut text = String::new();
    for (object, fields) in moved {
        let _ = write!(text, "\n  {object}");
        if let [FieldChange { path, before, after }] = fields.as_slice()
            && path.is_empty()
        {
            let what = match (before, after) {
                (Some(_), None) => "is gone",
                _ => "came into being",
            };
            let _ = write!(text, " {what}");
            continue;
        }
        for field in fields {
            let shown = |side: &Option<crate::yaml::Node>| {
                side.as_ref().map_or("nothing".to_owned(), crate::yaml::json::to_string)
            };
            let _ = write!(
                text,
                "\n    {}: {} when planned, {} now",
                field.path,
                shown(&field.before),
                shown(&field.after)
            );
        }
    }
    text
}

fn failed(done: usize, total: usize, failures: &[String]) -> String {
    let mut text = format!("{} of {total} changes failed, {done} were made", failures.len());
    for failure in failures.iter().take(20) {
        text.push_str("\n  ");
        text.push_str(failure);
    }
    if failures.len() > 20 {
        text += &more(failures.len());
    }
    text
}

fn not_ready(waited: Option<u64>, objects: &[NotReady]) -> String {
    let mut text = match waited {
        Some(seconds) => format!("not ready after {seconds} s"),
        None => "not ready, and it will not become so by itself".to_owned(),
    };
    for object in objects {
        for line in object.to_string().lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

fn more(count: usize) -> String {
    format!("\n  and {} more", count - 20)
}

fn list(applied: &[String]) -> String {
    let mut text = String::new();
    for (at, object) in applied.iter().enumerate() {
        if at == 20 {
            text += &more(applied.len());
            break;
        }
        text.push_str("\n  ");
        text.push_str(object);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                DeployError::Failed { done: 1, total: 2, failures: vec!["Pod a: no".into()] },
                "wharf::deploy::failed",
                "1 of 2 changes failed, 1 were made\n  Pod a: no",
            ),
            (
                DeployError::BadManifest {
                    name: "a revision 1".into(),
                    faults: Diagnostics::new(),
                },
                "wharf::deploy::bad_manifest",
                "the stored manifest of a revision 1 cannot be read: ",
            ),
            (
                DeployError::Hook(Box::new(FailedHook {
                    event: "pre-install".into(),
                    path: "shop/templates/migrate.yaml".into(),
                    waited: None,
                    object: NotReady {
                        object: "Job migrate".into(),
                        message: "failed (BackoffLimitExceeded)".into(),
                        cause: vec!["no such table".into()],
                    },
                })),
                "wharf::deploy::hook",
                "the pre-install hook Job migrate of shop/templates/migrate.yaml failed: failed \
                 (BackoffLimitExceeded)\n  no such table",
            ),
        ] {
            let error: DeployError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
