//! What a container is asked to be, and the OCI specification that says so to libcontainer.
//!
//! The OCI specification carries namespaces, mounts and limits. Who the program runs as and what it
//! may do stays out of it: `container::process` does that for the first process and for commands
//! alike, so libcontainer is asked for root and, naming no capabilities, leaves all there are.

use super::super::cgroup::{self, Resources, Version};
use super::capability;
use super::process::{Process, Seccomp};
use super::user::User;
use rustix::mount::MountPropagationFlags;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Where a container's file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Folders of image layers, the top one last; a writable layer is laid over them.
    Layers(Vec<PathBuf>),
    /// A folder that is the root as it is.
    Folder(PathBuf),
}

/// How mounts made later travel between the host and the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Not at all.
    #[default]
    None,
    /// From the host into the container.
    HostToContainer,
    /// Both ways.
    Bidirectional,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A file or folder of the host.
    Bind(PathBuf),
    /// Memory, with a limit in bytes.
    Tmpfs(Option<u64>),
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: Source,
    /// Where, as an absolute path in the container.
    pub target: PathBuf,
    /// Whether writing is refused.
    pub read_only: bool,
    /// How later mounts travel.
    pub propagation: Propagation,
}

/// What a container may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Every capability and device, no filter, nothing masked.
    pub privileged: bool,
    /// Capabilities beyond the default set; `ALL` for every one.
    pub add_capabilities: Vec<String>,
    /// Capabilities taken out of the default set; `ALL` for every one.
    pub drop_capabilities: Vec<String>,
    /// The program and its children never gain privileges (`allowPrivilegeEscalation: false`).
    pub no_new_privileges: bool,
    /// The root file system cannot be written.
    pub read_only_root: bool,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// Leave `/proc` unmasked (`procMount: Unmasked`).
    pub unmasked_proc: bool,
}

/// Everything about a container to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Its identifier: a file name, unique among all containers and attempts.
    pub id: String,
    /// The sandbox whose network it joins.
    pub sandbox: String,
    /// Its name in the pod.
    pub name: String,
    /// How often it was restarted before.
    pub attempt: u32,
    /// Where its files come from.
    pub root: Root,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The environment; later entries win.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub cwd: String,
    /// Who it runs as.
    pub user: User,
    /// Mounts beside the usual ones.
    pub mounts: Vec<Mount>,
    /// What it may use.
    pub resources: Resources,
    /// What it may do.
    pub security: Security,
    /// Where its output goes, in CRI's log format.
    pub log_path: Option<PathBuf>,
    /// At which size a log file is put aside.
    pub log_max_bytes: u64,
    /// How many log files are kept, the current one included.
    pub log_max_files: u32,
    /// Keep an input stream that can be attached to.
    pub stdin: bool,
    /// Close the input when the first attached client ends.
    pub stdin_once: bool,
    /// Run on a terminal.
    pub tty: bool,
    /// Share the host's process numbers.
    pub host_pid: bool,
    /// Whatever the caller wants to find again after a restart.
    pub labels: BTreeMap<String, String>,
}

impl Default for ContainerSpec {
    fn default() -> Self {
        ContainerSpec {
            id: String::new(),
            sandbox: String::new(),
            name: String::new(),
            attempt: 0,
            root: Root::Layers(Vec::new()),
            args: Vec::new(),
            env: Vec::new(),
            cwd: String::new(),
            user: User::default(),
            mounts: Vec::new(),
            resources: Resources::default(),
            security: Security::default(),
            log_path: None,
            log_max_bytes: 10 << 20,
            log_max_files: 5,
            stdin: false,
            stdin_once: false,
            tty: false,
            host_pid: false,
            labels: BTreeMap::new(),
        }
    }
}

/// What the sandbox gives its containers.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// Files with a namespace mounted over them, by OCI's name of the kind; a kind that is absent is
    /// shared with the host.
    pub(crate) namespaces: &'a [(&'static str, PathBuf)],
    /// The sandbox's `hosts`, `resolv.conf` and `hostname`.
    pub(crate) files: &'a Path,
    /// The host name, for `HOSTNAME`.
    pub(crate) hostname: &'a str,
    /// The folder for shared memory.
    pub(crate) shm: &'a Path,
    /// The container's control group.
    pub(crate) cgroup: &'a str,
}

/// Paths below `/proc` and `/sys` that tell about the host or change it.
const MASKED: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The program of the container with its confinement.
pub(super) fn process(spec: &ContainerSpec, hostname: &str) -> Result<Process, String> {
    let security = &spec.security;
    let capabilities = if security.privileged {
        capability::all()
    } else {
        capability::resolve(&security.add_capabilities, &security.drop_capabilities)
            .map_err(|names| format!("unknown capabilities: {}", names.join(", ")))?
    };
    let mut env = vec![("HOSTNAME".to_owned(), hostname.to_owned())];
    env.extend(spec.env.iter().cloned());
    if env
        .iter()
        .any(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'))
    {
        return Err("an environment variable has an empty name, or a `=` or NUL in it".to_owned());
    }
    Ok(Process {
        args: spec.args.clone(),
        env,
        cwd: spec.cwd.clone(),
        user: spec.user.clone(),
        capabilities,
        no_new_privileges: security.no_new_privileges && !security.privileged,
        seccomp: if security.privileged { Seccomp::Unconfined } else { security.seccomp },
        oom_score_adj: spec.resources.oom_score_adj,
        die_with_parent: false,
        tty: spec.tty,
    })
}

/// The `config.json` for libcontainer.
pub(super) fn oci(spec: &ContainerSpec, rootfs: &Path, around: &Surroundings) -> Value {
    let security = &spec.security;
    let mut namespaces = vec![json!({ "type": "mount" })];
    if !spec.host_pid {
        namespaces.push(json!({ "type": "pid" }));
    }
    if cgroup::version() == Version::V2 && !security.privileged {
        namespaces.push(json!({ "type": "cgroup" }));
    }
    for (kind, path) in around.namespaces {
        namespaces.push(json!({ "type": kind, "path": path }));
    }
    let masked: &[&str] = if security.privileged || security.unmasked_proc { &[] } else { MASKED };
    let read_only: &[&str] =
        if security.privileged || security.unmasked_proc { &[] } else { READ_ONLY };
    let shares_host =
        spec.mounts.iter().any(|mount| mount.propagation == Propagation::Bidirectional);
    let mut linux = json!({
        "namespaces": namespaces,
        "cgroupsPath": around.cgroup,
        "resources": cgroup::oci_resources(&spec.resources, security.privileged),
        "maskedPaths": masked,
        "readonlyPaths": read_only,
        "rootfsPropagation": if shares_host { "shared" } else { "slave" },
    });
    if security.privileged {
        linux["devices"] = host_devices();
    }
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": spec.tty,
            "user": { "uid": 0, "gid": 0 },
            "args": if spec.args.is_empty() { vec![String::new()] } else { spec.args.clone() },
            "env": [],
            "cwd": "/",
        },
        "root": { "path": rootfs, "readonly": security.read_only_root },
        "mounts": mounts(spec, rootfs, around),
        "linux": linux,
    })
}

fn mounts(spec: &ContainerSpec, rootfs: &Path, around: &Surroundings) -> Vec<Value> {
    let privileged = spec.security.privileged;
    let system = if privileged { "rw" } else { "ro" };
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc",
            "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]}),
        json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", system]}),
        json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", system]}),
    ];
    let mut own: Vec<Value> =
        vec![bind(around.shm, Path::new("/dev/shm"), false, Propagation::None)];
    for name in ["hosts", "resolv.conf", "hostname"] {
        let target = Path::new("/etc").join(name);
        if !spec.mounts.iter().any(|mount| mount.target == target) {
            own.push(bind(
                &around.files.join(name),
                &target,
                spec.security.read_only_root,
                Propagation::None,
            ));
        }
    }
    // an outer mount must come before what is mounted inside it
    let mut asked: Vec<&Mount> = spec.mounts.iter().collect();
    asked.sort_by_key(|mount| mount.target.components().count());
    for mount in asked {
        mounts.retain(|usual| usual["destination"].as_str().map(Path::new) != Some(&mount.target));
        own.retain(|usual| usual["destination"].as_str().map(Path::new) != Some(&mount.target));
        let target = resolve(rootfs, &mount.target);
        own.push(match &mount.source {
            Source::Bind(source) => bind(source, &target, mount.read_only, mount.propagation),
            Source::Tmpfs(size) => {
                let mut options =
                    vec!["nosuid".to_owned(), "nodev".to_owned(), "mode=1777".to_owned()];
                options.extend(size.map(|bytes| format!("size={bytes}")));
                options.push(if mount.read_only { "ro" } else { "rw" }.to_owned());
                json!({"destination": target, "type": "tmpfs", "source": "tmpfs",
                    "options": options})
            }
        });
    }
    mounts.extend(own);
    mounts
}

fn bind(source: &Path, target: &Path, read_only: bool, propagation: Propagation) -> Value {
    let travel = match propagation {
        Propagation::None => "rprivate",
        Propagation::HostToContainer => "rslave",
        Propagation::Bidirectional => "rshared",
    };
    let write = if read_only { "ro" } else { "rw" };
    json!({"destination": target, "type": "bind", "source": source, "options": ["rbind", travel, write]})
}

/// Sets how later mounts travel, which libcontainer leaves as it is for the whole root. Called in
/// the container's mounts, before the program gets them.
pub(super) fn separate(mounts: &[Mount]) -> Result<(), String> {
    for mount in mounts {
        let mut flags = match mount.propagation {
            Propagation::None => MountPropagationFlags::PRIVATE,
            Propagation::HostToContainer => MountPropagationFlags::DOWNSTREAM,
            Propagation::Bidirectional => MountPropagationFlags::SHARED,
        };
        let follows = |other: &Mount| {
            other.propagation != Propagation::None && other.target.starts_with(&mount.target)
        };
        // a mount inside of this one may have a way of its own
        let mut inner = mounts.iter().filter(|other| other.target != mount.target);
        if !inner.any(follows) {
            flags |= MountPropagationFlags::REC;
        }
        rustix::mount::mount_change(&mount.target, flags).map_err(|error| {
            format!("cannot set how mounts travel at {}: {error}", mount.target.display())
        })?;
    }
    Ok(())
}

/// Where a path of the container leads below its root on the host when all links in it are
/// followed inside, those included whose targets do not exist: what is mounted there gets made.
fn resolve(root: &Path, target: &Path) -> PathBuf {
    const MOST_LINKS: usize = 40;
    let mut links = 0;
    let mut found = PathBuf::from("/");
    let mut left: Vec<OsString> = names(target);
    while let Some(name) = left.pop() {
        if name == ".." {
            found.pop();
            continue;
        }
        let next = found.join(&name);
        let inside = root.join(next.strip_prefix("/").unwrap_or(&next));
        match std::fs::read_link(inside) {
            Ok(to) if links < MOST_LINKS => {
                links += 1;
                if to.is_absolute() {
                    found = PathBuf::from("/");
                }
                left.extend(names(&to));
            }
            _ => found = next,
        }
    }
    found
}

/// The names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

/// The character and block devices right below `/dev`, for a privileged container.
fn host_devices() -> Value {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let own = ["null", "zero", "full", "tty", "urandom", "random", "console", "ptmx"];
    let mut devices = Vec::new();
    for entry in std::fs::read_dir("/dev").into_iter().flatten().flatten() {
        let Ok(metadata) = entry.path().symlink_metadata() else { continue };
        let kind = match metadata.file_type() {
            kind if kind.is_char_device() => "c",
            kind if kind.is_block_device() => "b",
            _ => continue,
        };
        if own.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        devices.push(json!({
            "path": entry.path(),
            "type": kind,
            "major": rustix::fs::major(metadata.rdev()),
            "minor": rustix::fs::minor(metadata.rdev()),
            "fileMode": metadata.mode() & 0o777,
            "uid": metadata.uid(),
            "gid": metadata.gid(),
        }));
    }
    devices.into()
}
