//! Exit codes, and the sorting of every error into one of them.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine (`diff`: no difference) |
//! | 1 | failed: faults in the input (`diff`: there are differences) |
//! | 2 | bad usage (`diff`: any trouble) |
//! | 3 | refused: a conflict or a policy |
//! | 4 | a registry, a cluster or the host failed |
//! | 70 | a bug in wharf |
//! | 130 | interrupted |

use crate::base::diag::Diagnostics;
use crate::base::source::Sources;
use std::sync::Arc;

/// Success.
pub const FINE: u8 = 0;
/// The input has faults, or what was asked did not come about.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// A conflict or a policy stands against it.
pub const REFUSED: u8 = 3;
/// A registry, a cluster or the host failed.
pub const REMOTE: u8 = 4;
/// wharf itself is wrong.
pub const BUG: u8 = 70;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// An error with a code and, where known, a suggestion.
pub type Cause = Box<dyn miette::Diagnostic + Send + Sync + 'static>;

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Faults in what the user wrote.
    Input {
        /// The files that the spans of the faults count in.
        sources: Arc<Sources>,
        /// All the faults.
        faults: Diagnostics,
    },
    /// What was asked did not come about.
    Failed(Cause),
    /// A conflict or a policy stands against it.
    Refused(Cause),
    /// A registry, a cluster or the host failed.
    Remote(Cause),
    /// The reader of the output went away, or the user pressed Ctrl-C: nothing to say.
    Quiet(u8),
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Input { .. } | Failure::Failed(_) => FAILED,
            Failure::Refused(_) => REFUSED,
            Failure::Remote(_) => REMOTE,
            Failure::Quiet(code) => *code,
        }
    }

    /// Each thing that went wrong, with its code where it has one, for programs.
    #[must_use]
    pub fn messages(&self) -> Vec<(Option<String>, String)> {
        match self {
            Failure::Usage(message) => vec![(None, message.clone())],
            Failure::Input { sources, faults } => faults
                .into_iter()
                .map(|fault| (Some(fault.code.to_owned()), fault.clone().traced(sources).message))
                .collect(),
            Failure::Failed(cause) | Failure::Refused(cause) | Failure::Remote(cause) => {
                let code = cause.code().map(|code| code.to_string());
                vec![(code, cause.to_string())]
            }
            Failure::Quiet(_) => vec![(None, "interrupted".to_owned())],
        }
    }

    /// True when one of the things that went wrong has a code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.messages().iter().any(|(its, _)| its.as_deref() == Some(code))
    }

    /// Something that was asked did not come about.
    pub fn failed(cause: impl Into<Cause>) -> Failure {
        Failure::Failed(cause.into())
    }

    /// A conflict or a policy stands against it.
    pub fn refused(cause: impl Into<Cause>) -> Failure {
        Failure::Refused(cause.into())
    }

    /// A registry, a cluster or the host failed.
    pub fn remote(cause: impl Into<Cause>) -> Failure {
        Failure::Remote(cause.into())
    }
}

impl From<std::io::Error> for Failure {
    /// Writing to standard output failed: quiet when its reader went away.
    fn from(error: std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::Quiet(FINE);
        }
        Failure::failed(miette::MietteDiagnostic::new(format!("cannot write output: {error}")))
    }
}
