//! One container: what it is asked to be, the process that keeps it, and commands run inside.

mod attach;
mod capability;
mod exec;
mod process;
mod seccomp;
mod shim;
mod spec;
mod state;
mod user;

pub use exec::{ExecOptions, ExecOutput, ExecRequest, ExecSession};
pub use process::Seccomp;
pub use spec::{ContainerSpec, Mount, Propagation, Root, Security, Source};
pub use state::{ContainerState, ExitStatus};
pub use user::User;

pub(super) use exec::{exec, exec_stream, main as exec_main};
pub(super) use shim::{STARTED, main as shim_main};
pub(super) use spec::Surroundings;
pub(super) use state::{Folder, Record, UNKNOWN_CODE, read_json, write_json, write_whole};

use super::error::RuntimeError;

impl Record {
    /// Works out the program and its confinement, and writes the container's files.
    pub(super) fn prepare(
        folder: &Folder,
        spec: &ContainerSpec,
        rootfs: &std::path::Path,
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
