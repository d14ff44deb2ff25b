//! One layer's tar stream into a folder that overlayfs can use as a lower layer.
//!
//! **Nothing leaves the folder.** Parents are opened by the kernel with `openat2` and
//! `RESOLVE_IN_ROOT`: symbolic links of the layer, absolute ones and `..` in them included, are
//! followed as a container would follow them, with the folder as their root. The last part of a
//! name is never followed: files are created with `O_EXCL`, links and devices by name below the
//! opened parent, hard links go from one such parent to another. Names with `..` are refused.
//!
//! **Whiteouts** become what overlayfs reads: `.wh.x` a character device 0/0 named `x`, and
//! `.wh..wh..opq` the attribute `trusted.overlay.opaque` on its folder. So neither may come out of
//! the archive itself: devices 0/0 are refused, and of extended attributes only `user.*`,
//! `security.capability` and POSIX ACLs are kept (`trusted.overlay.redirect` could show a container
//! what it must not see).
//!
//! **Other devices** are created, as containerd does it: images made from whole systems have them
//! in `/dev`, where the container's own `/dev` hides them, and the device rules of its cgroup stand
//! before any use. Owner, group, mode with setuid, and times are kept.

use super::stream::Swollen;
use crate::base::tar::{Entry, Kind, Reader, TarError, printable};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::Path;

/// Bounds on what one layer may bring.
#[derive(Clone, Copy, Debug)]
pub struct LayerLimits {
    /// Most entries of a layer.
    pub entries: u64,
    /// Most bytes of a layer's files.
    pub bytes: u64,
    /// Most bytes of the compressed layers of an image.
    pub download: u64,
}

impl Default for LayerLimits {
    fn default() -> LayerLimits {
        LayerLimits { entries: 2_000_000, bytes: 64 << 30, download: 64 << 30 }
    }
}

/// Most parts of a name.
const DEPTH: usize = 256;

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The archive is damaged, or the source of it failed.
    Tar(TarError),
    /// An entry that cannot be unpacked.
    Entry { entry: String, reason: String },
    /// More than allowed.
    Limit(String),
}

/// What came of a layer.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// Bytes of its files.
    pub(super) bytes: u64,
    /// Folders that no entry described: they look as the layer below has them, if it has them.
    pub(super) implied: Vec<Vec<u8>>,
}

/// Unpacks a layer into an existing folder.
pub(super) fn unpack(
    stream: &mut impl Read,
    folder: &Path,
    limits: &LayerLimits,
) -> Result<Unpacked, Fault> {
    let io = |error: Errno| Fault::Tar(TarError::Io(error.into()));
    let root =
        rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(io)?;
    let mut layer = Layer {
        root,
        parent: None,
        times: Vec::new(),
        hidden: HashSet::new(),
        result: Unpacked { bytes: 0, implied: Vec::new() },
    };
    let mut reader = Reader::new(stream);
    let mut entries = 0;
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => return Err(fault(error, limits)),
        };
        entries += 1;
        if entries > limits.entries {
            return Err(Fault::Limit(format!("it has more than {} entries", limits.entries)));
        }
        layer.result.bytes = layer.result.bytes.saturating_add(entry.size);
        if layer.result.bytes > limits.bytes {
            return Err(too_many_bytes(limits));
        }
        layer.add(&entry, &mut reader).map_err(|refusal| match refusal {
            Refusal::Reason(reason) => Fault::Entry { entry: entry.display(), reason },
            Refusal::Io(error)
                if error
                    .get_ref()
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Swollen>) =>
            {
                too_many_bytes(limits)
            }
            Refusal::Io(error) => Fault::Entry {
                entry: entry.display(),
                reason: format!("cannot be created: {error}"),
            },
            Refusal::Source(error) => fault(TarError::Io(error), limits),
        })?;
    }
    layer.set_times();
    Ok(layer.result)
}

fn fault(error: TarError, limits: &LayerLimits) -> Fault {
    match &error {
        TarError::Io(inner)
            if inner
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Swollen>) =>
        {
            too_many_bytes(limits)
        }
        _ => Fault::Tar(error),
    }
}

fn too_many_bytes(limits: &LayerLimits) -> Fault {
    Fault::Limit(format!("it unpacks to more than {} bytes", limits.bytes))
}

/// Gives folders that a layer only implied the owner, mode and attributes that a layer below has
/// for them, so that mounting the layer on top does not change them.
pub(super) fn inherit(folder: &Path, implied: &[Vec<u8>], below: &[&Path]) -> io::Result<()> {
    let open = |root: &Path| {
        rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    };
    let own = open(folder)?;
    let lower: Vec<OwnedFd> =
        below.iter().rev().map(|root| open(root)).collect::<Result<_, _>>()?;
    for path in implied {
        for root in &lower {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            match resolve(root, path, flags) {
                Ok(found) => {
                    let stat = rustix::fs::fstat(&found)?;
                    let Ok(target) = resolve(&own, path, flags) else { break };
                    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
                    rustix::fs::fchown(&target, Some(user), Some(group))?;
                    rustix::fs::fchmod(&target, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
                    break;
                }
                // not a folder there: whatever lies further below is hidden
                Err(Errno::NOTDIR) => break,
                Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Why one entry was not made.
enum Refusal {
    Reason(String),
    /// Making it failed.
    Io(io::Error),
    /// Reading its content failed.
    Source(io::Error),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Refusal {
        Refusal::Io(error.into())
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Refusal {
        Refusal::Reason(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Refusal {
        Refusal::Reason(reason.to_owned())
    }
}

struct Layer {
    root: OwnedFd,
    /// The folder of the entry before: most entries lie in the same.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Folders get their times at the end, after their content.
    times: Vec<(Vec<u8>, Timestamps)>,
    /// Names that a whiteout of this layer stands for.
    hidden: HashSet<Vec<u8>>,
    result: Unpacked,
}

impl Layer {
    fn add(&mut self, entry: &Entry, content: &mut impl Read) -> Result<(), Refusal> {
        let path = clean(&entry.path)?;
        let Some((parent, name)) = split(&path) else {
            return match entry.kind {
                Kind::Directory => {
                    let root = resolve(&self.root, b"", OFlags::RDONLY | OFlags::DIRECTORY)?;
                    describe(&root, entry)?;
                    self.times.push((Vec::new(), times(entry)));
                    Ok(())
                }
                kind => Err(format!("is {} in the place of the root", kind.name()).into()),
            };
        };
        if name == b".wh..wh..opq" {
            return self.make_opaque(parent);
        }
        // other marks of aufs: its own book-keeping
        if name.starts_with(b".wh..wh.") {
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            return self.hide(parent, hidden);
        }
        let mut opaque = false;
        if entry.kind != Kind::HardLink || link_target(entry)? != path {
            opaque = self.make_room(parent, name, &path, entry.kind)?;
        }
        match entry.kind {
            Kind::File => self.file(parent, name, entry, content),
            Kind::Directory => self.folder(parent, name, &path, entry, opaque),
            Kind::Symlink => {
                let folder = self.folder_of(parent)?;
                rustix::fs::symlinkat(&*entry.link, folder, name)?;
                self.describe_by_name(parent, name, entry)
            }
            Kind::HardLink => self.hard_link(parent, name, &path, entry),
            Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => self.node(parent, name, entry),
        }
    }

    fn file(
        &mut self,
        parent: &[u8],
        name: &[u8],
        entry: &Entry,
        content: &mut impl Read,
    ) -> Result<(), Refusal> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folder_of(parent)?;
        let file = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(file);
        let mut buffer = vec![0; 128 << 10];
        let mut left = entry.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            match content.read(&mut buffer[..most]) {
                Ok(0) => return Err(Refusal::Source(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    file.write_all(&buffer[..count]).map_err(Refusal::Io)?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Refusal::Source(error)),
            }
        }
        describe(&file, entry)?;
        rustix::fs::futimens(&file, &times(entry))?;
        Ok(())
    }

    fn folder(
        &mut self,
        parent: &[u8],
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        opaque: bool,
    ) -> Result<(), Refusal> {
        let above = self.folder_of(parent)?;
        match rustix::fs::mkdirat(above, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(above, name, flags, Mode::empty())?;
        describe(&folder, entry)?;
        if opaque {
            set_opaque(&folder)?;
        }
        self.times.push((path.to_vec(), times(entry)));
        Ok(())
    }

    fn hard_link(
        &mut self,
        parent: &[u8],
        name: &[u8],
        path: &[u8],
        entry: &Entry,
    ) -> Result<(), Refusal> {
        let target = link_target(entry)?;
        if target == path {
            return Ok(());
        }
        let missing = || {
            format!(
                "is a hard link to `{}`, which this layer does not have",
                printable(&entry.link)
            )
        };
        let (above, base) = split(&target).ok_or_else(missing)?;
        let from = resolve(&self.root, above, OFlags::PATH | OFlags::DIRECTORY);
        let from = from.map_err(|_| Refusal::Reason(missing()))?;
        let folder = self.folder_of(parent)?;
        match rustix::fs::linkat(&from, base, folder, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(missing().into()),
            Err(error) => Err(error.into()),
        }
    }

    fn node(&mut self, parent: &[u8], name: &[u8], entry: &Entry) -> Result<(), Refusal> {
        let kind = match entry.kind {
            Kind::CharDevice if entry.device == (0, 0) => {
                return Err("is the device 0/0, which overlayfs would take for a whiteout".into());
            }
            Kind::CharDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let device = match entry.kind {
            Kind::Fifo => 0,
            _ => rustix::fs::makedev(entry.device.0, entry.device.1),
        };
        let folder = self.folder_of(parent)?;
        rustix::fs::mknodat(folder, name, kind, Mode::RUSR | Mode::WUSR, device)?;
        self.describe_by_name(parent, name, entry)
    }

    /// `.wh.x`: what the layers below have as `x` is gone.
    fn hide(&mut self, parent: &[u8], name: &[u8]) -> Result<(), Refusal> {
        if matches!(name, b"" | b"." | b"..") {
            return Err("hides nothing that has a name".into());
        }
        let path = join(parent, name);
        let folder = self.folder_of(parent)?;
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            // what this layer has itself stays, and only what is below goes
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return self.make_opaque(&path);
            }
            Ok(_) => return Ok(()),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        rustix::fs::mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), 0)?;
        self.hidden.insert(path);
        Ok(())
    }

    fn make_opaque(&mut self, path: &[u8]) -> Result<(), Refusal> {
        self.folder_of(path)?;
        let folder = resolve(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        set_opaque(&folder)
    }

    /// Removes what the layer had at this place before; true when that was a whiteout.
    fn make_room(
        &mut self,
        parent: &[u8],
        name: &[u8],
        path: &[u8],
        kind: Kind,
    ) -> Result<bool, Refusal> {
        let folder = self.folder_of(parent)?;
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if kind != Kind::Directory {
                remove_tree(folder, name, 0)?;
                self.parent = None;
            }
            return Ok(false);
        }
        rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
        self.parent = None;
        Ok(self.hidden.remove(path))
    }

    /// The folder with this name, made when it is not there.
    fn folder_of(&mut self, path: &[u8]) -> Result<&OwnedFd, Refusal> {
        let known = self.parent.as_ref().is_some_and(|(known, _)| known == path);
        if !known {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let folder = match resolve(&self.root, path, flags) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => self.make_folders(path)?,
                Err(Errno::NOTDIR) => return Err("lies below something that is no folder".into()),
                Err(Errno::LOOP) => return Err("lies below symbolic links without end".into()),
                Err(error) => return Err(error.into()),
            };
            self.parent = Some((path.to_vec(), folder));
        }
        Ok(self.parent.as_ref().map(|(_, folder)| folder).expect("it was just set"))
    }

    fn make_folders(&mut self, path: &[u8]) -> Result<OwnedFd, Refusal> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut ends: Vec<usize> =
            path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).collect();
        ends.push(path.len());
        let mut above = resolve(&self.root, b"", flags)?;
        let mut start = 0;
        for end in ends {
            let whole = &path[..end];
            above = match resolve(&self.root, whole, flags) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(&above, &path[start..end], Mode::from_raw_mode(0o755))
                    {
                        Ok(()) => {}
                        Err(Errno::EXIST) => {
                            return Err("lies below a symbolic link that leads nowhere".into());
                        }
                        Err(error) => return Err(error.into()),
                    }
                    self.result.implied.push(whole.to_vec());
                    let made = resolve(&self.root, whole, OFlags::RDONLY | OFlags::DIRECTORY)?;
                    // the agent's umask has no say in images
                    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
                    made
                }
                Err(Errno::NOTDIR) => return Err("lies below something that is no folder".into()),
                Err(error) => return Err(error.into()),
            };
            start = end + 1;
        }
        Ok(above)
    }

    /// The same for what cannot be opened: links, devices and pipes.
    fn describe_by_name(
        &mut self,
        parent: &[u8],
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Refusal> {
        let (user, group) = owner(entry)?;
        let folder = self.folder_of(parent)?;
        let here = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(folder, name, Some(user), Some(group), here)?;
        if entry.kind != Kind::Symlink {
            // made a moment ago in a folder that nobody else has: it is no link
            rustix::fs::chmodat(folder, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
        }
        rustix::fs::utimensat(folder, name, &times(entry), here)?;
        Ok(())
    }

    fn set_times(&self) {
        for (path, times) in self.times.iter().rev() {
            // a later entry may have replaced the folder
            if let Ok(folder) = resolve(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
                let _ = rustix::fs::futimens(&folder, times);
            }
        }
    }
}

/// What a hard link names, when that can be in the layer.
fn link_target(entry: &Entry) -> Result<Vec<u8>, Refusal> {
    clean(&entry.link).map_err(|_| {
        Refusal::Reason(format!("is a hard link to `{}`, out of the layer", printable(&entry.link)))
    })
}

/// Owner, mode and attributes of an open file or folder. The mode comes after the owner:
/// changing that clears setuid.
fn describe(file: impl AsFd, entry: &Entry) -> Result<(), Refusal> {
    let (user, group) = owner(entry)?;
    rustix::fs::fchown(&file, Some(user), Some(group))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in &entry.xattrs {
        if !is_kept(name) {
            continue;
        }
        match rustix::fs::fsetxattr(&file, &**name, value, XattrFlags::empty()) {
            // file systems without user attributes or ACLs are many; capabilities must be kept
            Err(Errno::NOTSUP) if name != b"security.capability" => {}
            result => result?,
        }
    }
    Ok(())
}

/// Opens a path below `root`, which no symbolic link on the way can leave.
fn resolve(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            // the kernel saw a rename somewhere and is not sure
            Err(Errno::AGAIN | Errno::INTR) if tries < 100 => tries += 1,
            result => return result,
        }
    }
}

fn set_opaque(folder: &OwnedFd) -> Result<(), Refusal> {
    Ok(rustix::fs::fsetxattr(folder, "trusted.overlay.opaque", b"y", XattrFlags::empty())?)
}

/// Removes a folder that an archive made and that another entry takes the place of.
fn remove_tree(parent: &OwnedFd, name: &[u8], depth: usize) -> Result<(), Refusal> {
    if depth > DEPTH {
        return Err("replaces folders that are nested too deeply".into());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    for (name, kind) in names {
        if kind == FileType::Directory {
            remove_tree(&folder, &name, depth + 1)?;
        } else {
            rustix::fs::unlinkat(&folder, &*name, AtFlags::empty())?;
        }
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// A name without `.`, empty parts and leading `/` (`/etc/x` means `etc/x` in an image).
fn clean(path: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("leads out of the image with `..`".into()),
            part => parts.push(part),
        }
    }
    if parts.len() > DEPTH {
        return Err(format!("is nested more than {DEPTH} folders deep").into());
    }
    Ok(parts.join(&b'/'))
}

fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => Some((&path[..slash], &path[slash + 1..])),
        None => Some((b"", path)),
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() }
}

fn owner(entry: &Entry) -> Result<(Uid, Gid), Refusal> {
    // the last number means "do not change" to the kernel
    let id = |number: u64| u32::try_from(number).ok().filter(|id| *id != u32::MAX);
    match (id(entry.uid), id(entry.gid)) {
        (Some(user), Some(group)) => Ok((Uid::from_raw(user), Gid::from_raw(group))),
        _ => Err(format!("has the owner {}:{}, which cannot be", entry.uid, entry.gid).into()),
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.mtime.0, tv_nsec: i64::from(entry.mtime.1) };
    Timestamps { last_access: time, last_modification: time }
}

fn is_kept(name: &[u8]) -> bool {
    (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
        || matches!(
            name,
            b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default"
        )
}
