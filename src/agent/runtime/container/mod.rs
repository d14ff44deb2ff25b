//! One container: what it is asked to be, the process that keeps it, and commands run inside.

mod attach;
mod capability;
mod client;
mod exec;
mod process;
mod seccomp;
mod shim;
mod spec;
mod state;
mod user;

pub use client::{AttachOutput, AttachSession};
pub use exec::{ExecOptions, ExecOutput, ExecRequest, ExecSession, ExecStream};
pub use process::Seccomp;
pub use spec::{ContainerSpec, Mount, Propagation, Root, Security, Source};
pub use state::{ContainerState, ExitStatus};
pub use user::User;

pub(super) use client::resize;
pub(super) use exec::{exec, exec_stream, main as exec_main};
pub(super) use shim::{STARTED, main as shim_main};
pub(super) use spec::Surroundings;
pub(super) use state::{Folder, Record, UNKNOWN_CODE, read_json, write_json, write_whole};

use super::error::RuntimeError;
use std::path::Path;
use tokio::process::Command;

/// Wharf's own program as the process beside a container or a command.
pub(super) fn helper(program: &Path, command: &str, folder: &Folder) -> Command {
    let mut helper = Command::new(program);
    helper.arg(command).arg(&folder.0).env_clear().current_dir("/");
    // there are many of these processes, and a huge page is more than one of them needs
    helper.env("MIMALLOC_ALLOW_THP", "0");
    helper
}

impl Record {
    /// Works out the program and its confinement, and writes the container's files.
    pub(super) fn prepare(
        folder: &Folder,
        spec: &ContainerSpec,
        rootfs: &Path,
        around: &Surroundings,
    ) -> Result<Record, RuntimeError> {
        let process = spec::process(spec, around.hostname)
            .map_err(|reason| RuntimeError::Start { id: spec.id.clone(), reason })?;
        let record = Record { spec: spec.clone(), cgroup: around.cgroup.to_owned(), process };
        write_json(&folder.path("config.json"), &spec::oci(spec, rootfs, around))?;
        folder.write_record(&record)?;
        Ok(record)
    }
}
