//! Files that change all at once.
//!
//! ```text
//! <volume>/..2026_01_02_03_04_05.123456789/key    the files
//! <volume>/..data -> ..2026_01_02_03_04_05.…      swapped by one rename
//! <volume>/key -> ..data/key
//! ```
//!
//! As the kubelet lays them out, so that programs which watch `..data` see updates.

use super::payload::Payload;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Writes the files of a volume, or nothing when they are as they should be.
pub(super) fn write(volume: &Path, payload: &Payload, group: Option<u32>) -> io::Result<()> {
    let data = volume.join("..data");
    let current = fs::read_link(&data).ok();
    if current.as_ref().is_some_and(|current| is_same(&volume.join(current), payload)) {
        return Ok(());
    }
    let fresh = fresh_name(volume);
    let folder = volume.join(&fresh);
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    for (path, file) in payload {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, &file.bytes)?;
        if group.is_some() {
            std::os::unix::fs::chown(&target, None, group)?;
        }
        let readable = if group.is_some() { 0o040 } else { 0 };
        fs::set_permissions(&target, Permissions::from_mode(file.mode | readable))?;
    }
    let swap = volume.join("..data_tmp");
    let _ = fs::remove_file(&swap);
    symlink(&fresh, &swap)?;
    fs::rename(&swap, &data)?;
    let tops: BTreeSet<&str> =
        payload.keys().map(|path| path.split('/').next().unwrap_or(path)).collect();
    for top in &tops {
        let link = volume.join(top);
        if fs::read_link(&link).is_err() {
            symlink(Path::new("..data").join(top), &link)?;
        }
    }
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("..") {
            if name != "..data" && *name != *fresh.to_string_lossy() {
                fs::remove_dir_all(volume.join(&*name))?;
            }
        } else if !tops.contains(&*name) {
            fs::remove_file(volume.join(&*name))?;
        }
    }
    Ok(())
}

fn is_same(folder: &Path, payload: &Payload) -> bool {
    let mut found = Vec::new();
    if collect(folder, folder, &mut found).is_err() || found.len() != payload.len() {
        return false;
    }
    payload
        .iter()
        .all(|(path, file)| fs::read(folder.join(path)).is_ok_and(|bytes| bytes == file.bytes))
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(root, &entry.path(), found)?;
        } else {
            found.push(entry.path().strip_prefix(root).map(Path::to_owned).unwrap_or_default());
        }
    }
    Ok(())
}

/// A folder name that is not taken: at most the current one and one of a former attempt exist.
fn fresh_name(volume: &Path) -> PathBuf {
    let mut number = 0_u64;
    loop {
        let name = PathBuf::from(format!("..{number}"));
        if !volume.join(&name).exists() {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::File;
    use super::*;

    fn payload(entries: &[(&str, &str)]) -> Payload {
        entries
            .iter()
            .map(|(path, text)| {
                ((*path).to_owned(), File { bytes: text.as_bytes().to_vec(), mode: 0o640 })
            })
            .collect()
    }

    #[test]
    fn files_change_all_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path();
        let read = |name: &str| fs::read_to_string(volume.join(name)).ok();
        write(volume, &payload(&[("a", "1"), ("sub/b", "2")]), None).unwrap();
        assert_eq!((read("a").as_deref(), read("sub/b").as_deref()), (Some("1"), Some("2")));
        let mode = fs::metadata(volume.join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let before = fs::read_link(volume.join("..data")).unwrap();
        write(volume, &payload(&[("a", "1"), ("sub/b", "2")]), None).unwrap();
        assert_eq!(fs::read_link(volume.join("..data")).unwrap(), before);
        write(volume, &payload(&[("a", "3"), ("c", "4")]), None).unwrap();
        assert_eq!((read("a").as_deref(), read("c").as_deref()), (Some("3"), Some("4")));
        assert_eq!(read("sub/b"), None);
        let left = fs::read_dir(volume).unwrap().count();
        assert_eq!(left, 4, "..data, one folder, two links");
    }
}
