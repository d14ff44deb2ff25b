//! What can go wrong when the runtime talks to the kernel, as one enum.
//!
//! Texts name the thing and the attempt; the kernel's own words come from `source()`.

use miette::Diagnostic;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A failed operation of the runtime.
#[derive(Debug, Error, Diagnostic)]
pub enum RuntimeError {
    /// A file or folder of the runtime could not be used.
    #[error("cannot {action} `{}`", path.display())]
    #[diagnostic(code("wharf::agent::runtime_file"))]
    File {
        /// What was attempted, as a verb: `read`, `mount`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A record that the runtime wrote cannot be understood.
    #[error("`{}` is damaged: {reason}", path.display())]
    #[diagnostic(
        code("wharf::agent::runtime_record"),
        help("remove the folder that holds it; the agent makes the container again")
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The kernel refused something about the pod network.
    #[error("network: cannot {action}")]
    #[diagnostic(code("wharf::agent::network"))]
    Network {
        /// What was attempted.
        action: String,
        /// Why not.
        source: io::Error,
    },
    /// The host has another network where the pods' or the Services' is to be.
    #[error("the network {subnet} is taken: `{link}` has the address {address}")]
    #[diagnostic(
        code("wharf::agent::subnet_taken"),
        help(
            "give the agent other networks with --pod-subnet and --service-subnet; if the link is \
             that of an agent that is gone, `wharf agent reset --bridge {link}` removes it"
        )
    )]
    SubnetTaken {
        /// The subnet.
        subnet: String,
        /// The link that has an address in it.
        link: String,
        /// That address.
        address: String,
    },
    /// Every address of the pod subnet is in use.
    #[error("no free address is left in the pod subnet {subnet}")]
    #[diagnostic(
        code("wharf::agent::addresses_exhausted"),
        help("delete pods, or start the agent with a larger pod subnet")
    )]
    AddressesExhausted {
        /// The subnet.
        subnet: String,
    },
    /// A container could not be started.
    #[error("cannot start container `{id}`: {reason}")]
    #[diagnostic(code("wharf::agent::container_start"))]
    Start {
        /// The container.
        id: String,
        /// Why not, as its shim reports it.
        reason: String,
    },
    /// A command could not be run in a container.
    #[error("cannot run `{command}` in container `{id}`: {reason}")]
    #[diagnostic(code("wharf::agent::container_exec"))]
    Exec {
        /// The container.
        id: String,
        /// The program that was asked for.
        command: String,
        /// Why not.
        reason: String,
    },
    /// A command in a container did not end in time.
    #[error("`{command}` in container `{id}` did not end within {seconds} s")]
    #[diagnostic(code("wharf::agent::exec_timeout"))]
    ExecTimeout {
        /// The container.
        id: String,
        /// The program.
        command: String,
        /// The time it had.
        seconds: f64,
    },
    /// Nothing of that name exists.
    #[error("no {kind} `{id}`")]
    #[diagnostic(code("wharf::agent::unknown_id"))]
    Unknown {
        /// `container` or `sandbox`.
        kind: &'static str,
        /// The identifier.
        id: String,
    },
    /// The identifier cannot be a file name.
    #[error("`{0}` is no identifier: use letters, digits, `-`, `_` and `.`, at most 128 of them")]
    #[diagnostic(code("wharf::agent::invalid_id"))]
    InvalidId(String),
    /// The container exists but does not run.
    #[error("container `{0}` does not run")]
    #[diagnostic(code("wharf::agent::not_running"))]
    NotRunning(String),
    /// Removing something left parts behind.
    #[error("cannot remove all of {what}")]
    #[diagnostic(code("wharf::agent::teardown"))]
    Teardown {
        /// What was removed.
        what: String,
        /// Everything that failed on the way.
        #[related]
        faults: Vec<RuntimeError>,
    },
}

impl RuntimeError {
    /// The error as one line with its causes, for a status or an event.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        if let RuntimeError::Teardown { faults, .. } = self {
            for fault in faults {
                text.push_str("; ");
                text.push_str(&fault.chain());
            }
        }
        text
    }
}

/// Names the attempt and the path of a failed file operation.
pub(super) fn file<E: Into<io::Error>>(
    action: &'static str,
    path: impl AsRef<Path>,
) -> impl FnOnce(E) -> RuntimeError {
    move |source| RuntimeError::File {
        action,
        path: path.as_ref().to_owned(),
        source: source.into(),
    }
}

/// Names the attempt of a failed network operation.
pub(super) fn network<E: Into<io::Error>>(
    action: impl Into<String>,
) -> impl FnOnce(E) -> RuntimeError {
    move |source| RuntimeError::Network { action: action.into(), source: source.into() }
}

/// Gathers the faults of a teardown, which goes on after each of them.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<RuntimeError>);

impl Faults {
    /// Keeps the fault of a step, if it had one.
    pub(super) fn note(&mut self, result: Result<(), RuntimeError>) {
        if let Err(fault) = result {
            self.0.push(fault);
        }
    }

    /// Success when nothing failed.
    pub(super) fn into_result(self, what: impl Into<String>) -> Result<(), RuntimeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(RuntimeError::Teardown { what: what.into(), faults: self.0 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_code_and_says_what_it_is_about() {
        for (error, code, text) in [
            (
                RuntimeError::File {
                    action: "mount",
                    path: "/a".into(),
                    source: io::Error::other("no"),
                },
                "wharf::agent::runtime_file",
                "cannot mount `/a`",
            ),
            (
                RuntimeError::Record { path: "/a".into(), reason: "no JSON".into() },
                "wharf::agent::runtime_record",
                "`/a` is damaged: no JSON",
            ),
            (
                RuntimeError::Network {
                    action: "add a bridge".into(),
                    source: io::Error::other("no"),
                },
                "wharf::agent::network",
                "network: cannot add a bridge",
            ),
            (
                RuntimeError::SubnetTaken {
                    subnet: "10.42.0.0/16".into(),
                    link: "eth1".into(),
                    address: "10.42.0.7".into(),
                },
                "wharf::agent::subnet_taken",
                "the network 10.42.0.0/16 is taken: `eth1` has the address 10.42.0.7",
            ),
            (
                RuntimeError::AddressesExhausted { subnet: "10.0.0.0/30".into() },
                "wharf::agent::addresses_exhausted",
                "no free address is left in the pod subnet 10.0.0.0/30",
            ),
            (
                RuntimeError::Start { id: "web".into(), reason: "no user".into() },
                "wharf::agent::container_start",
                "cannot start container `web`: no user",
            ),
            (
                RuntimeError::Exec {
                    id: "web".into(),
                    command: "ls".into(),
                    reason: "not found".into(),
                },
                "wharf::agent::container_exec",
                "cannot run `ls` in container `web`: not found",
            ),
            (
                RuntimeError::ExecTimeout { id: "web".into(), command: "ls".into(), seconds: 1.5 },
                "wharf::agent::exec_timeout",
                "`ls` in container `web` did not end within 1.5 s",
            ),
            (
                RuntimeError::Unknown { kind: "container", id: "web".into() },
                "wharf::agent::unknown_id",
                "no container `web`",
            ),
            (
                RuntimeError::InvalidId("../a".into()),
                "wharf::agent::invalid_id",
                "`../a` is no identifier: use letters, digits, `-`, `_` and `.`, at most 128 of them",
            ),
            (
                RuntimeError::NotRunning("web".into()),
                "wharf::agent::not_running",
                "container `web` does not run",
            ),
            (
                RuntimeError::Teardown { what: "sandbox a".into(), faults: Vec::new() },
                "wharf::agent::teardown",
                "cannot remove all of sandbox a",
            ),
        ] {
            let error: RuntimeError = error;
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
