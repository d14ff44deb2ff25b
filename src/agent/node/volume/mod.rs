//! A pod's volumes on the host.
//!
//! ```text
//! <state>/pods/<uid>/volumes/<name>    emptyDir on disk: outlives the agent and a reboot of it
//! <state>/volumes/<name>               what claims are bound to: outlives pods; linked from
//!                                      <run>/pods/<uid>/volumes/<name>
//! <run>/pods/<uid>/volumes/<name>      ConfigMaps, Secrets, projected files: in memory, never on disk
//! <run>/pods/<uid>/subpaths/<c>-<n>    a part of a volume, bound here by its open file, so that no
//!                                      link that the container makes can lead elsewhere
//! ```
//!
//! Files of ConfigMaps and Secrets change as a whole ([`files`]). What a volume is made of is in
//! [`payload`]; this file makes, mounts and removes.

mod files;
mod payload;
mod token;

use super::environment::Configs;
use crate::agent::claims;
use crate::agent::runtime::{Mount, Propagation, Source};
use crate::agent::store::Store;
use crate::agent::token::Tokens;
use crate::object::quantity::Quantity;
use crate::yaml::Node;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Where the volumes of one pod are.
#[derive(Clone, Debug)]
pub struct Volumes {
    disk: PathBuf,
    memory: PathBuf,
}

/// What volumes are made of.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The pod.
    pub pod: &'a Node,
    /// CPU and memory of the host, for limits that are not set.
    pub capacity: &'a Node,
    /// ConfigMaps and Secrets of the pod's namespace.
    pub configs: Configs<'a>,
    /// All objects.
    pub store: &'a Store,
    /// Issues the token of the pod's account.
    pub tokens: &'a Tokens,
    /// The name of the host's Node.
    pub node: &'a str,
    /// The current time.
    pub now: Timestamp,
}

/// Why a volume or a mount cannot be had; a sentence as the kubelet's event says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VolumeError(pub String);

impl VolumeError {
    fn io(what: &str, path: &Path, error: &io::Error) -> VolumeError {
        VolumeError(format!("cannot {what} {}: {error}", path.display()))
    }
}

impl Volumes {
    /// The volumes of the pod with this uid.
    #[must_use]
    pub fn new(state: &Path, run: &Path, uid: &str) -> Volumes {
        Volumes { disk: state.join("pods").join(uid), memory: run.join("pods").join(uid) }
    }

    /// The uids of all pods that have something here; a removal that was interrupted may have left
    /// only a part.
    #[must_use]
    pub fn all(state: &Path, run: &Path) -> BTreeSet<String> {
        let folders = [state.join("pods"), run.join("pods")];
        let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Makes all volumes of a pod, or brings their files up to date. Gives the time at which that is
    /// to be done again because a token ends.
    ///
    /// # Errors
    /// The first volume that cannot be had; the pod waits until it can.
    pub fn prepare(&self, facts: &Facts<'_>) -> Result<Option<Timestamp>, VolumeError> {
        let mut due: Option<Timestamp> = None;
        for volume in facts.pod.items_at(&["spec", "volumes"]) {
            let prepared = self.prepare_one(volume, facts);
            let next = prepared.map_err(|VolumeError(reason)| {
                let name = volume.str_at(&["name"]).unwrap_or_default();
                VolumeError(format!("MountVolume.SetUp failed for volume \"{name}\" : {reason}"))
            })?;
            due = due.into_iter().chain(next).min();
        }
        Ok(due)
    }

    fn prepare_one(
        &self,
        volume: &Node,
        facts: &Facts<'_>,
    ) -> Result<Option<Timestamp>, VolumeError> {
        let group = facts.pod.i64_at(&["spec", "securityContext", "fsGroup"]);
        let group = group.and_then(|group| u32::try_from(group).ok());
        let path = self.path(volume)?;
        if let Some(claim) = volume.str_at(&["persistentVolumeClaim", "claimName"]) {
            let folder = claims::folder(facts.store, facts.configs.namespace(), claim);
            link(&path, Path::new(&folder.map_err(VolumeError)?))?;
            return Ok(None);
        }
        if let Some(host) = volume.get("hostPath") {
            check_host_path(&path, host.str_at(&["type"]).unwrap_or_default())?;
            return Ok(None);
        }
        let is_new = !path.exists();
        fs::create_dir_all(&path).map_err(|error| VolumeError::io("create", &path, &error))?;
        if let Some(empty) = volume.get("emptyDir") {
            if is_new {
                if empty.str_at(&["medium"]) == Some("Memory") {
                    let size = empty.get("sizeLimit").and_then(Quantity::from_node);
                    mount_memory(&path, size.map(Quantity::value))?;
                }
                // group and set-group-id only for volumes that are the pod's own, as the kubelet
                let mode = if group.is_some() { 0o2777 } else { 0o777 };
                own(&path, group, mode)?;
            }
            return Ok(None);
        }
        let (payload, due) = payload::of(volume, &path, facts)?;
        files::write(&path, &payload, group)
            .map_err(|error| VolumeError::io("write", &path, &error))?;
        Ok(due)
    }

    /// The folder or file of the host that a volume is.
    fn path(&self, volume: &Node) -> Result<PathBuf, VolumeError> {
        if let Some(path) = volume.str_at(&["hostPath", "path"]) {
            return Ok(PathBuf::from(path));
        }
        let name = volume.str_at(&["name"]).unwrap_or_default();
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(VolumeError(format!("invalid volume name: {name:?}")));
        }
        let on_disk =
            volume.get("emptyDir").is_some_and(|empty| empty.str_at(&["medium"]) != Some("Memory"));
        let base = if on_disk { &self.disk } else { &self.memory };
        Ok(base.join("volumes").join(name))
    }

    /// The mounts of one container. `expand` replaces `$(NAME)` in `subPathExpr`.
    ///
    /// # Errors
    /// When a mount names no volume, or a part of a volume that cannot be had safely.
    pub fn mounts(
        &self,
        pod: &Node,
        container: &Node,
        expand: impl Fn(&str) -> String,
    ) -> Result<Vec<Mount>, VolumeError> {
        let volumes = pod.items_at(&["spec", "volumes"]);
        let mut mounts = Vec::new();
        for (at, mount) in container.items_at(&["volumeMounts"]).iter().enumerate() {
            let name = mount.str_at(&["name"]).unwrap_or_default();
            let volume = volumes.iter().find(|volume| volume.str_at(&["name"]) == Some(name));
            let volume =
                volume.ok_or_else(|| VolumeError(format!("no volume is named \"{name}\"")))?;
            let mut source = self.path(volume)?;
            let part = match mount.str_at(&["subPathExpr"]).filter(|part| !part.is_empty()) {
                Some(expression) => expand(expression),
                None => mount.str_at(&["subPath"]).unwrap_or_default().to_owned(),
            };
            if !part.is_empty() {
                let container = container.str_at(&["name"]).unwrap_or_default();
                let staged = self.memory.join("subpaths").join(format!("{container}-{at}"));
                source = stage(&source, &part, &staged)?;
            }
            let files_only = ["configMap", "secret", "downwardAPI", "projected"];
            let is_files = files_only.iter().any(|kind| volume.get(kind).is_some());
            let says = |node: &Node, path: &[&str]| node.at(path).and_then(Node::as_bool);
            let asked = says(mount, &["readOnly"]) == Some(true)
                || says(volume, &["persistentVolumeClaim", "readOnly"]) == Some(true);
            mounts.push(Mount {
                source: Source::Bind(source),
                target: mount.str_at(&["mountPath"]).unwrap_or_default().into(),
                read_only: asked || is_files,
                propagation: match mount.str_at(&["mountPropagation"]) {
                    Some("HostToContainer") => Propagation::HostToContainer,
                    Some("Bidirectional") => Propagation::Bidirectional,
                    _ => Propagation::None,
                },
            });
        }
        Ok(mounts)
    }

    /// Unmounts and removes everything, going on after a failure.
    ///
    /// # Errors
    /// All that could not be removed.
    pub fn remove(&self) -> Result<(), VolumeError> {
        let mut faults = Vec::new();
        for folder in ["subpaths", "volumes"] {
            let folder = self.memory.join(folder);
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in entries.map(|entry| entry.path()) {
                loop {
                    // the folder of a claim's volume is linked here, and none of the pod's
                    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
                    match rustix::mount::unmount(&entry, flags) {
                        Ok(()) => {}
                        Err(Errno::INVAL | Errno::NOENT) => break,
                        Err(error) => {
                            faults.push(VolumeError::io("unmount", &entry, &error.into()));
                            break;
                        }
                    }
                }
            }
        }
        if faults.is_empty() {
            for base in [&self.disk, &self.memory] {
                match fs::remove_dir_all(base) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        faults.push(VolumeError::io("remove", base, &error));
                    }
                    _ => {}
                }
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Err(VolumeError(texts.join("; ")))
    }
}

/// Leads from a pod's volume to the folder of the claim's, which is made if it is not there.
fn link(path: &Path, folder: &Path) -> Result<(), VolumeError> {
    if fs::read_link(path).is_ok_and(|found| found == folder) {
        return Ok(());
    }
    let failed = |error: io::Error| VolumeError::io("use", folder, &error);
    if !folder.exists() {
        fs::create_dir_all(folder).map_err(failed)?;
        fs::set_permissions(folder, Permissions::from_mode(0o777)).map_err(failed)?;
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| symlink(folder, path)).map_err(failed)
}

fn own(path: &Path, group: Option<u32>, mode: u32) -> Result<(), VolumeError> {
    std::os::unix::fs::chown(path, None, group)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|error| VolumeError::io("set the owner of", path, &error))
}

fn mount_memory(path: &Path, limit: Option<i64>) -> Result<(), VolumeError> {
    let options = limit.map_or_else(|| "mode=0777".to_owned(), |n| format!("mode=0777,size={n}"));
    let options = CString::new(options).unwrap_or_default();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", path, "tmpfs", flags, Some(options.as_c_str()))
        .map_err(|error| VolumeError::io("mount", path, &error.into()))
}

fn check_host_path(path: &Path, kind: &str) -> Result<(), VolumeError> {
    let made = match kind {
        "DirectoryOrCreate" => fs::create_dir_all(path),
        "FileOrCreate" if !path.exists() => fs::File::create(path).map(drop),
        _ => Ok(()),
    };
    made.map_err(|error| VolumeError::io("create", path, &error))?;
    let found = fs::metadata(path).ok().map(|metadata| metadata.file_type());
    let (fits, what) = match kind {
        "Directory" | "DirectoryOrCreate" => (found.is_some_and(|f| f.is_dir()), "a directory"),
        "File" | "FileOrCreate" => (found.is_some_and(|f| f.is_file()), "a file"),
        "Socket" => (found.is_some_and(|f| f.is_socket()), "a socket file"),
        "CharDevice" => (found.is_some_and(|f| f.is_char_device()), "a character device"),
        "BlockDevice" => (found.is_some_and(|f| f.is_block_device()), "a block device"),
        // the kubelet checks nothing, and the container engine makes what is missing a folder
        _ if found.is_none() => {
            fs::create_dir_all(path).map_err(|error| VolumeError::io("create", path, &error))?;
            (true, "")
        }
        _ => (true, ""),
    };
    if fits {
        return Ok(());
    }
    Err(VolumeError(format!("hostPath type check failed: {} is not {what}", path.display())))
}

/// Binds a part of a volume to a place of its own, making folders that are missing. The part is
/// opened beneath the volume, so neither `..` nor a link leads out of it.
fn stage(volume: &Path, part: &str, staged: &Path) -> Result<PathBuf, VolumeError> {
    let refused = |error: Errno| {
        VolumeError(format!(
            "failed to prepare subPath \"{part}\" of {}: {}",
            volume.display(),
            io::Error::from(error)
        ))
    };
    let parts: Vec<&str> =
        part.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if part.starts_with('/') || parts.contains(&"..") {
        return Err(VolumeError(format!("subPath \"{part}\" must be relative and without `..`")));
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(volume, flags, Mode::empty()).map_err(refused)?;
    let root = rustix::fs::open(volume, flags, Mode::empty()).map_err(refused)?;
    let mut walked = PathBuf::new();
    for name in parts {
        walked.push(name);
        at = match open_beneath(&root, &walked) {
            Err(Errno::NOENT) => {
                let mode = Mode::from_raw_mode(0o750);
                rustix::fs::mkdirat(&at, name, mode).map_err(refused)?;
                open_beneath(&root, &walked).map_err(refused)?
            }
            opened => opened.map_err(refused)?,
        };
    }
    let is_folder = rustix::fs::fstat(&at).map_err(refused)?.st_mode & 0o170_000 == 0o040_000;
    let made = fs::create_dir_all(staged.parent().unwrap_or(staged)).and_then(|()| {
        // what an earlier start of the container left is another bind of the same part
        let _ = rustix::mount::unmount(staged, UnmountFlags::DETACH);
        if is_folder { fs::create_dir_all(staged) } else { fs::File::create(staged).map(drop) }
    });
    made.map_err(|error| VolumeError::io("create", staged, &error))?;
    let source = format!("/proc/self/fd/{}", at.as_raw_fd());
    rustix::mount::mount_bind(source, staged).map_err(refused)?;
    Ok(staged.to_owned())
}

fn open_beneath(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}
