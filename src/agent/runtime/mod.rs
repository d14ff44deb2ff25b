//! Runs containers on this host: sandboxes, containers, their network, logs and commands.
//!
//! ```text
//! Runtime ── sandbox ── network: bridge, addresses, Service rules
//!    │          │
//!    └──── container ── shim (a process of its own) ── libcontainer
//!               │            └─ log files, exit status
//!               └── exec helper (a process of its own)
//! ```
//!
//! It knows nothing of the API: whoever calls it says what to run and gets told what ended. All it
//! needs to go on after a crash of the agent is in its state folder. Images are the business of
//! `image`; volumes are prepared by the caller as mounts.

mod cgroup;
mod container;
mod error;
pub mod image;
mod lifecycle;
pub mod log;
mod mount;
mod network;
mod runtime;
mod sandbox;
mod sys;

pub use cgroup::{Resources, Usage};
pub use container::{
    AttachOutput, AttachSession, ContainerSpec, ContainerState, ExecOptions, ExecOutput,
    ExecRequest, ExecSession, ExecStream, ExitStatus, Mount, Propagation, Root, Seccomp, Security,
    Source, User,
};
pub use error::RuntimeError;
pub use lifecycle::{Container, Started};
pub use network::proxy::{Protocol, ServiceRule};
pub use network::{NetworkConfig, Subnet};
pub use runtime::{Exit, Runtime, RuntimeConfig};
pub use sandbox::{Sandbox, SandboxSpec, is_safe_sysctl};

use std::process::ExitCode;

/// Runs the process beside a container or a command in one, when the arguments ask for that.
///
/// Must be called before anything else: these processes fork, so they must not have threads, and
/// there is one per container, so they must not set up what they do not need.
pub fn helper_process() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let main = match arguments.next()?.as_str() {
        "__shim" => container::shim_main,
        "__exec" => container::exec_main,
        _ => return None,
    };
    Some(main(&arguments.collect::<Vec<_>>()))
}
