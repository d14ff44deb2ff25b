//! Who a container runs as: numbers, or names from the image's own `/etc/passwd` and `/etc/group`.
//!
//! Reads those files only from inside the container's root, in the process that is about to become
//! the container, so that no link can lead to the host's.

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::io::Read;

/// A file of accounts larger than this is not read further.
const ACCOUNTS_LIMIT: u64 = 1 << 20;

/// The user as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// The image's `USER`: a name or number, maybe `:` and a group.
    pub name: String,
    /// `runAsUser`, which wins over the name.
    pub uid: Option<u32>,
    /// `runAsGroup`.
    pub gid: Option<u32>,
    /// `supplementalGroups` and `fsGroup`.
    pub groups: Vec<u32>,
    /// `runAsNonRoot`: refuse to start as user 0.
    pub not_root: bool,
}

/// The user as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

/// Looks the user up below the current root.
pub(super) fn resolve(user: &User) -> Result<Identity, String> {
    lookup(user, &accounts("/etc/passwd"), &accounts("/etc/group"))
}

fn lookup(user: &User, passwd: &str, group: &str) -> Result<Identity, String> {
    let (name, group_name) = match user.name.split_once(':') {
        Some((name, group)) => (name, Some(group).filter(|group| !group.is_empty())),
        None => (user.name.as_str(), None),
    };
    let wanted = match user.uid {
        Some(uid) => uid.to_string(),
        None if name.is_empty() => "0".to_owned(),
        None => name.to_owned(),
    };
    let number: Option<u32> = wanted.parse().ok();
    let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
        fields.len() >= 4
            && match number {
                Some(uid) => fields[2].parse() == Ok(uid),
                None => fields[0] == wanted,
            }
    });
    let uid = match (number, &entry) {
        (Some(uid), _) => uid,
        (None, Some(fields)) => fields[2]
            .parse()
            .map_err(|_| format!("user `{wanted}` has no number in /etc/passwd"))?,
        (None, None) => return Err(format!("user `{wanted}` is not in the image's /etc/passwd")),
    };
    if user.not_root && uid == 0 {
        return Err("the image would run as root, which `runAsNonRoot` forbids".to_owned());
    }
    let own_group = entry.as_ref().and_then(|fields| fields[3].parse().ok());
    let gid = match (user.gid, group_name) {
        (Some(gid), _) => gid,
        (None, Some(name)) if user.uid.is_none() => group_number(name, group)?,
        _ => own_group.unwrap_or(0),
    };
    let mut groups = vec![gid];
    if let Some(fields) = &entry {
        groups.extend(memberships(fields[0], group));
    }
    groups.extend(&user.groups);
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|gid| seen.insert(*gid));
    let home = entry
        .and_then(|fields| fields.get(5).copied())
        .filter(|home| home.starts_with('/'))
        .unwrap_or(if uid == 0 { "/root" } else { "/" });
    Ok(Identity { uid, gid, groups, home: home.to_owned() })
}

fn group_number(name: &str, group: &str) -> Result<u32, String> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() >= 3 && fields[0] == name)
        .and_then(|fields| fields[2].parse().ok())
        .ok_or_else(|| format!("group `{name}` is not in the image's /etc/group"))
}

/// The groups that list an account among their members.
fn memberships(account: &str, group: &str) -> Vec<u32> {
    group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.len() >= 4 && fields[3].split(',').any(|member| member == account))
        .filter_map(|fields| fields[2].parse().ok())
        .collect()
}

/// The text of an accounts file; nothing when it is absent or no plain file.
fn accounts(path: &str) -> String {
    // not blocking, since an image may have put a pipe there
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return String::new() };
    let file = std::fs::File::from(fd);
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return String::new();
    }
    let mut bytes = Vec::new();
    let _ = file.take(ACCOUNTS_LIMIT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/srv/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\n";

    fn check(user: &User, expected: Result<(u32, u32, &[u32], &str), &str>) {
        let got = lookup(user, PASSWD, GROUP);
        let expected = expected.map_err(ToOwned::to_owned).map(|(uid, gid, groups, home)| {
            Identity { uid, gid, groups: groups.to_vec(), home: home.to_owned() }
        });
        assert_eq!(got, expected, "{user:?}");
    }

    fn named(name: &str) -> User {
        User { name: name.to_owned(), ..User::default() }
    }

    #[test]
    fn users_and_groups() {
        check(&named(""), Ok((0, 0, &[0, 10], "/root")));
        check(&named("app"), Ok((1000, 1001, &[1001, 10], "/srv/app")));
        check(&named("1000"), Ok((1000, 1001, &[1001, 10], "/srv/app")));
        check(&named("app:wheel"), Ok((1000, 10, &[10], "/srv/app")));
        check(&named("5:6"), Ok((5, 6, &[6], "/")));
        check(&named("5"), Ok((5, 0, &[0], "/")));
        check(&named("nobody"), Err("user `nobody` is not in the image's /etc/passwd"));
        check(&named("app:no"), Err("group `no` is not in the image's /etc/group"));
        let user = User { uid: Some(77), gid: Some(88), groups: vec![99], ..named("app:wheel") };
        check(&user, Ok((77, 88, &[88, 99], "/")));
        let user = User { not_root: true, ..named("") };
        check(&user, Err("the image would run as root, which `runAsNonRoot` forbids"));
    }
}
