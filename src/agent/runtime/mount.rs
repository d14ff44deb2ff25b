//! Mounts on the host: overlay root file systems, binds, and taking down what stands below a folder.
//!
//! Mounts inside containers are libcontainer's work; the specification of `container::spec` asks
//! for them.

use super::error::{Faults, RuntimeError, file};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kernel takes at most one page of mount options, and `mount` cuts what is longer.
const OPTIONS_LIMIT: usize = 4000;

/// Mounts layers (the top one last) with a writable layer above them.
///
/// `volatile`: a container's writable layer does not outlive a crash of the host, so that nothing
/// waits for the disk when the mount goes.
pub(super) fn overlay(
    layers: &[PathBuf],
    upper: &Path,
    work: &Path,
    target: &Path,
    devices: bool,
) -> Result<(), RuntimeError> {
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut options = overlay_options(layers.iter().rev().cloned(), upper, work);
    if options.len() > OPTIONS_LIMIT {
        let mut short = Vec::with_capacity(layers.len());
        for layer in layers.iter().rev() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = rustix::fs::open(layer, flags, Mode::empty()).map_err(file("open", layer))?;
            short.push(PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())));
            held.push(fd);
        }
        options = overlay_options(short.into_iter(), upper, work);
    }
    let options = CString::new(options).map_err(|_| RuntimeError::Record {
        path: target.to_owned(),
        reason: "the path of a layer holds a NUL".to_owned(),
    })?;
    let flags = if devices { MountFlags::empty() } else { MountFlags::NODEV };
    rustix::mount::mount("overlay", target, "overlay", flags, Some(options.as_c_str()))
        .map_err(file("mount", target))?;
    drop(held);
    Ok(())
}

fn overlay_options(lower: impl Iterator<Item = PathBuf>, upper: &Path, work: &Path) -> Vec<u8> {
    let mut options = b"volatile,lowerdir=".to_vec();
    for (index, layer) in lower.enumerate() {
        if index > 0 {
            options.push(b':');
        }
        escape(&layer, &mut options);
    }
    options.extend_from_slice(b",upperdir=");
    escape(upper, &mut options);
    options.extend_from_slice(b",workdir=");
    escape(work, &mut options);
    options
}

/// overlayfs separates by `:` and `,` and takes a backslash before them.
fn escape(path: &Path, into: &mut Vec<u8>) {
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            into.push(b'\\');
        }
        into.push(byte);
    }
}

/// Takes down a mount; one that is not there is no fault, one in use goes when its users do.
pub(super) fn unmount(target: &Path) -> Result<(), RuntimeError> {
    match rustix::mount::unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(file("unmount", target)(error)),
    }
}

/// Takes down every mount at or below a folder, the deepest first.
pub(super) fn unmount_below(path: &Path) -> Result<(), RuntimeError> {
    let mut faults = Faults::default();
    for mount in mounts_below(path)?.iter().rev() {
        faults.note(unmount(mount));
    }
    faults.into_result(format!("the mounts below `{}`", path.display()))
}

/// The mount points at or below a folder, in the order in which they were made.
pub(super) fn mounts_below(path: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let table = "/proc/self/mountinfo";
    let text = std::fs::read(table).map_err(file("read", table))?;
    Ok(parse_mounts(&text).into_iter().filter(|mount| mount.starts_with(path)).collect())
}

/// The fifth field of each line of `mountinfo` (proc_pid_mountinfo(5)).
fn parse_mounts(text: &[u8]) -> Vec<PathBuf> {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(unescape)
        .collect()
}

/// Blanks, tabs, line ends and backslashes stand as `\ooo` there.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_gives_mount_points() {
        let text = b"36 35 98:0 / /mnt rw - ext3 /dev/root rw\n\
            37 35 98:0 /a /with\\040blank\\134 rw shared:1 - tmpfs t rw\n";
        assert_eq!(parse_mounts(text), [PathBuf::from("/mnt"), PathBuf::from("/with blank\\")]);
    }

    #[test]
    fn overlay_options_name_the_top_layer_first() {
        let layers = [PathBuf::from("/top"), PathBuf::from("/a:b,c")];
        let options = overlay_options(layers.into_iter(), Path::new("/u"), Path::new("/w"));
        assert_eq!(
            String::from_utf8(options).expect("text"),
            "volatile,lowerdir=/top:/a\\:b\\,c,upperdir=/u,workdir=/w"
        );
    }
}
