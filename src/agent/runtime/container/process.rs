//! Becoming the container's program: user, groups, capabilities, system call filter, environment.
//!
//! Used by the first process of a container and by commands run in it, so that both are confined
//! alike. Called inside the container's namespaces and root, as root with all capabilities, in a
//! process of its own. The order matters: everything that needs a privilege comes before the step
//! that gives it away.

use super::super::sys::{self, Standard};
use super::capability::Set;
use super::seccomp;
use super::user::{self, Identity, User};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The search path of programs when a container sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which system calls a container may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// The runtime's own list.
    #[default]
    Default,
    /// All of them.
    Unconfined,
}

/// A program to become, and everything about how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: String,
    pub(super) user: User,
    pub(super) capabilities: Set,
    pub(super) no_new_privileges: bool,
    pub(super) seccomp: Seccomp,
    pub(super) oom_score_adj: Option<i32>,
    /// Ends when the process that started it does: commands, not containers.
    pub(super) die_with_parent: bool,
    pub(super) tty: bool,
}

impl Process {
    /// Becomes the program. Returns only when that fails, with the reason.
    pub(super) fn become_program(&self) -> String {
        match self.prepare() {
            Ok(mut command) => {
                let error = command.exec();
                format!("cannot execute `{}`: {error}", self.program())
            }
            Err(reason) => reason,
        }
    }

    fn program(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    fn prepare(&self) -> Result<Command, String> {
        let failed =
            |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
        let identity = user::resolve(&self.user)?;
        if let Some(score) = self.oom_score_adj {
            // a negative score takes CAP_SYS_RESOURCE, which the agent may lack
            let _ = std::fs::write("/proc/self/oom_score_adj", score.to_string());
        }
        // the helpers live without them; a program is to find what the host gives everyone
        let _ = rustix::thread::disable_transparent_huge_pages(false);
        rustix::process::umask(Mode::from_raw_mode(0o022));
        let cwd = if self.cwd.is_empty() { "/" } else { &self.cwd };
        // a missing working directory is made, as container engines do; a read-only root refuses
        let _ = std::fs::create_dir_all(cwd);
        let entered = rustix::process::chdir(cwd);
        if !self.no_new_privileges {
            self.confine()?;
        }
        self.take_identity(&identity)?;
        if entered.is_err() {
            // a network file system may refuse root and let the user in
            rustix::process::chdir(cwd)
                .map_err(|error| format!("cannot enter the working directory `{cwd}`: {error}"))?;
        }
        if self.die_with_parent {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(failed("cannot tie the process to its parent"))?;
        }
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true).map_err(failed("cannot forbid privileges"))?;
            self.confine()?;
        }
        self.command(&identity)
    }

    /// Installs the system call filter.
    fn confine(&self) -> Result<(), String> {
        if self.seccomp == Seccomp::Unconfined {
            return Ok(());
        }
        let programs = seccomp::programs(self.capabilities)
            .map_err(|error| format!("cannot make the system call filter: {error}"))?;
        for program in programs {
            sys::install_seccomp(&program)
                .map_err(|error| format!("cannot install the system call filter: {error}"))?;
        }
        Ok(())
    }

    fn take_identity(&self, identity: &Identity) -> Result<(), String> {
        let failed =
            |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
        let own = rustix::thread::capabilities(None).map_err(failed("cannot read capabilities"))?;
        // the host may not have given the agent every capability, and nobody gets more than it has
        let keep = CapabilitySet::from_bits_retain(self.capabilities) & own.permitted;
        for bit in 0..64 {
            let one = CapabilitySet::from_bits_retain(1 << bit);
            // numbers above the kernel's last are not in the set
            if !keep.contains(one)
                && rustix::thread::capability_is_in_bounding_set(one).unwrap_or(false)
            {
                rustix::thread::remove_capability_from_bounding_set(one)
                    .map_err(failed("cannot drop a capability"))?;
            }
        }
        rustix::thread::set_keep_capabilities(true).map_err(failed("cannot keep capabilities"))?;
        let groups: Vec<Gid> = identity.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        rustix::thread::set_thread_groups(&groups).map_err(failed("cannot set the groups"))?;
        let gid = Gid::from_raw(identity.gid);
        rustix::thread::set_thread_res_gid(gid, gid, gid)
            .map_err(failed("cannot set the group"))?;
        let uid = Uid::from_raw(identity.uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(failed("cannot set the user"))?;
        let sets = CapabilitySets {
            effective: keep,
            permitted: keep,
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, sets).map_err(failed("cannot set capabilities"))?;
        rustix::thread::set_keep_capabilities(false).map_err(failed("cannot keep capabilities"))
    }

    fn command(&self, identity: &Identity) -> Result<Command, String> {
        let mut env: BTreeMap<&str, &str> =
            BTreeMap::from([("PATH", DEFAULT_PATH), ("HOME", identity.home.as_str())]);
        if self.tty {
            env.insert("TERM", "xterm");
        }
        env.extend(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let path = find(self.program(), env["PATH"])?;
        let mut command = Command::new(path);
        command.arg0(self.program()).args(&self.args[1..]).env_clear().envs(env);
        Ok(command)
    }
}

/// Finds a program as a shell does.
fn find(program: &str, path: &str) -> Result<PathBuf, String> {
    if program.is_empty() {
        return Err("no command is given: neither the container nor the image names one".to_owned());
    }
    if program.contains('\0') {
        return Err("the command holds a NUL".to_owned());
    }
    if program.contains('/') {
        return match executable(Path::new(program)) {
            Ok(()) => Ok(program.into()),
            Err(error) => Err(format!("cannot execute `{program}`: {error}")),
        };
    }
    let mut denied = None;
    for folder in path.split(':') {
        let folder = if folder.is_empty() { "." } else { folder };
        let candidate = Path::new(folder).join(program);
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                denied = Some(candidate);
            }
            Err(_) => {}
        }
    }
    Err(match denied {
        Some(path) => format!("cannot execute `{}`: permission denied", path.display()),
        None => format!("executable `{program}` is not in $PATH ({path})"),
    })
}

/// Whether the current user may execute a file.
fn executable(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    rustix::fs::accessat(
        rustix::fs::CWD,
        path,
        rustix::fs::Access::EXEC_OK,
        rustix::fs::AtFlags::EACCESS,
    )
    .map_err(Into::into)
}

/// Makes a descriptor the standard input, output or error of this process.
pub(super) fn standard_streams(terminal: &Path) -> io::Result<()> {
    let fd = rustix::fs::open(terminal, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    rustix::process::ioctl_tiocsctty(&fd)?;
    sys::set_standard(Standard::Input, &fd)?;
    sys::set_standard(Standard::Output, &fd)?;
    sys::set_standard(Standard::Error, &fd)?;
    Ok(())
}
