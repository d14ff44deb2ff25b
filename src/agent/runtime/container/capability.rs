//! Linux capabilities: their names, the default set, and what `add` and `drop` make of it.

use super::super::cgroup;

/// Names in the order of their numbers (linux/capability.h), without `CAP_`.
const NAMES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container has when its author says nothing, as containerd and Docker give it.
const DEFAULT: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// A set of capabilities, one bit each.
pub(crate) type Set = u64;

/// The set with every capability.
pub(crate) fn all() -> Set {
    (1 << NAMES.len()) - 1
}

/// Reads a name, with or without `CAP_`, in any case.
pub(crate) fn parse(name: &str) -> Option<Set> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    NAMES.iter().position(|known| *known == name).map(|bit| 1 << bit)
}

/// Whether the set holds a capability of this name.
pub(crate) fn has(set: Set, name: &str) -> bool {
    parse(name).is_some_and(|bit| set & bit != 0)
}

/// The default set with `drop` taken out and `add` put in; `ALL` stands for every capability.
/// What is added is there even when `ALL` is dropped. Unknown names are returned.
pub(crate) fn resolve(add: &[String], drop: &[String]) -> Result<Set, Vec<String>> {
    let mut unknown = Vec::new();
    let mut mask = |names: &[String]| {
        names.iter().fold(0, |mask, name| {
            if name.eq_ignore_ascii_case("ALL") {
                return all();
            }
            mask | parse(name).unwrap_or_else(|| {
                unknown.push(name.clone());
                0
            })
        })
    };
    let (added, dropped) = (mask(add), mask(drop));
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let mut base = DEFAULT.iter().filter_map(|name| parse(name)).fold(0, |set, bit| set | bit);
    if cgroup::version() == cgroup::Version::V2 {
        // Version 2 has no device lists, so that a device node made in a container could be opened.
        base &= !parse("MKNOD").expect("a known name");
    }
    // `drop: [X], add: [ALL]` means all but X, as containerd reads it
    let added_all = add.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let set = if added_all { all() & !dropped } else { (base & !dropped) | added };
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], holds: &[&str], lacks: &[&str]) {
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let set = resolve(&own(add), &own(drop)).expect("known names");
        for name in holds {
            assert!(has(set, name), "{name} after add {add:?} drop {drop:?}");
        }
        for name in lacks {
            assert!(!has(set, name), "no {name} after add {add:?} drop {drop:?}");
        }
    }

    #[test]
    fn add_and_drop() {
        check(&[], &[], &["CHOWN", "NET_RAW"], &["SYS_ADMIN", "NET_ADMIN"]);
        check(&["NET_ADMIN"], &["ALL"], &["NET_ADMIN"], &["CHOWN", "KILL"]);
        check(&["cap_sys_time"], &["chown"], &["SYS_TIME"], &["CHOWN"]);
        check(&["ALL"], &["SYS_ADMIN"], &["SYS_TIME", "BPF"], &["SYS_ADMIN"]);
        assert_eq!(resolve(&["NET_ADMN".to_owned()], &[]), Err(vec!["NET_ADMN".to_owned()]));
    }

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(parse("CHOWN"), Some(1));
        assert_eq!(parse("SYS_ADMIN"), Some(1 << 21));
        assert_eq!(parse("CHECKPOINT_RESTORE"), Some(1 << 40));
    }
}
