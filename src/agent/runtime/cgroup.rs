//! Control groups: where they are, what a container may use, what it used, killing and removing.
//!
//! Hosts have version 1 (one tree per controller), version 2 (one tree), or the hybrid, which
//! counts as version 1 since its version 2 tree holds no controllers that matter here. libcontainer
//! creates a container's group and writes its limits; everything after that happens here, so that
//! it works without the container's process.

use super::error::{RuntimeError, file};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";

/// The trees of version 1 that wharf uses, where the host has them.
const V1_TREES: &[&str] = &[
    "memory",
    "cpu",
    "cpuacct",
    "pids",
    "devices",
    "freezer",
    "blkio",
    "cpuset",
    "systemd",
    "unified",
    "net_cls",
    "net_prio",
    "hugetlb",
    "perf_event",
    "rdma",
    "misc",
];

/// What a container may use; absent means unlimited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Its weight against others when CPUs are scarce: 1024 for one requested CPU.
    pub cpu_shares: Option<u64>,
    /// Thousandths of one CPU that it may use.
    pub cpu_limit_milli: Option<u64>,
    /// Bytes of memory, page cache included; no swap on top.
    pub memory_limit: Option<i64>,
    /// How many processes and threads.
    pub pids_limit: Option<i64>,
    /// How willingly the kernel kills it when memory is short, −1000 to 1000.
    pub oom_score_adj: Option<i32>,
}

/// What a container uses at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since the start, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory in bytes, page cache included.
    pub memory_bytes: u64,
    /// Memory that cannot be reclaimed at once: without inactive page cache, as `kubectl top`
    /// shows it.
    pub working_set_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// Which version of control groups this host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Looks at the host.
pub(super) fn version() -> Version {
    if Path::new(ROOT).join("cgroup.controllers").exists() { Version::V2 } else { Version::V1 }
}

/// The folders of one group (`/wharf/x`): one for version 2, one per tree for version 1.
fn folders(group: &str) -> Vec<PathBuf> {
    let relative = group.trim_start_matches('/');
    match version() {
        Version::V2 => vec![Path::new(ROOT).join(relative)],
        Version::V1 => {
            V1_TREES.iter().map(|tree| Path::new(ROOT).join(tree).join(relative)).collect()
        }
    }
}

fn tree_file(group: &str, v1_tree: &str, v1_name: &str, v2_name: &str) -> PathBuf {
    let relative = group.trim_start_matches('/');
    match version() {
        Version::V1 => Path::new(ROOT).join(v1_tree).join(relative).join(v1_name),
        Version::V2 => Path::new(ROOT).join(relative).join(v2_name),
    }
}

/// How often the kernel killed something in the group because memory ran out.
pub(super) fn oom_kills(group: &str) -> u64 {
    let path = tree_file(group, "memory", "memory.oom_control", "memory.events");
    fs::read_to_string(path).ok().and_then(|text| keyed(&text, "oom_kill")).unwrap_or(0)
}

/// Reads the group's counters; absent ones are zero.
pub(super) fn usage(group: &str) -> Usage {
    let number = |path: PathBuf| -> u64 {
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    };
    let memory = number(tree_file(group, "memory", "memory.usage_in_bytes", "memory.current"));
    let statistics = fs::read_to_string(tree_file(group, "memory", "memory.stat", "memory.stat"))
        .unwrap_or_default();
    let (cpu, inactive) = match version() {
        Version::V1 => (
            number(tree_file(group, "cpuacct", "cpuacct.usage", "")),
            keyed(&statistics, "total_inactive_file"),
        ),
        Version::V2 => (
            fs::read_to_string(tree_file(group, "", "", "cpu.stat"))
                .ok()
                .and_then(|text| keyed(&text, "usage_usec"))
                .unwrap_or(0)
                * 1000,
            keyed(&statistics, "inactive_file"),
        ),
    };
    Usage {
        cpu_nanoseconds: cpu,
        memory_bytes: memory,
        working_set_bytes: memory.saturating_sub(inactive.unwrap_or(0)),
        pids: number(tree_file(group, "pids", "pids.current", "pids.current")),
    }
}

/// The value after a key in lines of `key value`.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok()).flatten()
    })
}

/// Moves the calling process into the group, as a command that joins a container does.
pub(super) fn join(group: &str) -> Result<(), RuntimeError> {
    for folder in folders(group) {
        let path = folder.join("cgroup.procs");
        match fs::write(&path, "0") {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file("join", path)(error)),
        }
    }
    Ok(())
}

/// Makes moves of processes into groups quick for a moment.
///
/// A move takes a lock of the kernel for which everything that runs must pass a grace period, some
/// ten milliseconds; one that closely follows another does not wait again. So this process is
/// "moved" to where it is while a container is prepared, and the container's own move comes after
/// it. Where that is refused, the container waits itself.
pub(super) fn expect_moves() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    own.lines()
        .filter_map(own_folder)
        .any(|folder| fs::write(folder.join("cgroup.procs"), "0").is_ok());
}

/// The folder that a line of `/proc/self/cgroup` names (cgroups(7)): `4:memory:/a`, `0::/a`.
fn own_folder(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let tree = controllers.strip_prefix("name=").unwrap_or(controllers);
    let tree = if tree.is_empty() && version() == Version::V1 { "unified" } else { tree };
    Some(Path::new(ROOT).join(tree).join(path.trim_start_matches('/')))
}

/// Sends SIGKILL to every process in the group until none is left.
///
/// Version 1 has no switch for that, so the group is frozen first: what forks faster than it is
/// killed would else get away.
pub(super) fn kill(group: &str) -> Result<(), RuntimeError> {
    let switch = folders(group).into_iter().next().map(|folder| folder.join("cgroup.kill"));
    if let Some(switch) = switch.filter(|path| path.exists())
        && fs::write(&switch, "1").is_ok()
    {
        return Ok(());
    }
    for _ in 0..100 {
        let pids = processes(group);
        if pids.is_empty() {
            return Ok(());
        }
        freeze(group, "FROZEN");
        // those that were born in between
        for pid in processes(group) {
            // a process that is gone already is what was wanted
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        freeze(group, "THAWED");
        std::thread::sleep(Duration::from_millis(5));
    }
    let path = PathBuf::from(group);
    Err(file("kill every process of", path)(std::io::Error::other("they do not end")))
}

/// Sets a group's state of freezing in version 1 (cgroup-v1/freezer-subsystem), as far as it is
/// reached within a moment: a process in the midst of a system call that takes long is not waited
/// for.
fn freeze(group: &str, state: &str) {
    let relative = group.trim_start_matches('/');
    let switch = Path::new(ROOT).join("freezer").join(relative).join("freezer.state");
    for _ in 0..20 {
        // a kernel without it, or a group that is gone: then nothing forks faster than it is killed
        if fs::write(&switch, state).is_err() {
            return;
        }
        if fs::read_to_string(&switch).is_ok_and(|now| now.trim() == state) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The processes of a group and of the groups below it.
pub(super) fn processes(group: &str) -> Vec<Pid> {
    fn collect(folder: &Path, found: &mut Vec<Pid>) {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse().ok().and_then(Pid::from_raw)));
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                collect(&entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    for folder in folders(group) {
        collect(&folder, &mut found);
    }
    found.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    found.dedup();
    found
}

/// The names of the groups right below a group.
pub(super) fn children(group: &str) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    for folder in folders(group) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.insert(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.into_iter().collect()
}

/// Removes a group and the groups below it; what is not there is no fault.
pub(super) fn remove(group: &str) -> Result<(), RuntimeError> {
    for folder in folders(group) {
        remove_tree(&folder)?;
    }
    Ok(())
}

fn remove_tree(folder: &Path) -> Result<(), RuntimeError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path())?;
        }
    }
    // the kernel says "busy" for a moment after the last process of a group ended
    let mut wait = Duration::from_micros(200);
    loop {
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == std::io::ErrorKind::ResourceBusy && wait.as_millis() < 200 =>
            {
                std::thread::sleep(wait);
                wait *= 2;
            }
            Err(error) => return Err(file("remove", folder)(error)),
        }
    }
}

/// The `linux.resources` of an OCI specification (config-linux.md#control-groups).
pub(super) fn oci_resources(resources: &Resources, privileged: bool) -> serde_json::Value {
    /// The period in microseconds over which a CPU quota is counted, as Kubernetes sets it.
    const PERIOD: u64 = 100_000;
    /// The kernel refuses a quota under a millisecond.
    const SMALLEST_QUOTA: u64 = 1000;
    let mut cpu = serde_json::Map::new();
    if let Some(shares) = resources.cpu_shares {
        cpu.insert("shares".into(), shares.clamp(2, 262_144).into());
    }
    if let Some(milli) = resources.cpu_limit_milli.filter(|&milli| milli > 0) {
        cpu.insert("period".into(), PERIOD.into());
        cpu.insert("quota".into(), (milli * PERIOD / 1000).max(SMALLEST_QUOTA).into());
    }
    let mut out = serde_json::Map::new();
    out.insert("devices".into(), serde_json::json!([{ "allow": privileged, "access": "rwm" }]));
    if !cpu.is_empty() {
        out.insert("cpu".into(), cpu.into());
    }
    if let Some(limit) = resources.memory_limit.filter(|&limit| limit > 0) {
        let mut memory = serde_json::json!({ "limit": limit });
        if swap_is_counted() {
            memory["swap"] = limit.into();
        }
        out.insert("memory".into(), memory);
    }
    if let Some(limit) = resources.pids_limit.filter(|&limit| limit > 0) {
        out.insert("pids".into(), serde_json::json!({ "limit": limit }));
    }
    if version() == Version::V2 {
        // as kubelet does: a container is killed whole, not one of its processes
        out.insert("unified".into(), serde_json::json!({ "memory.oom.group": "1" }));
    }
    out.into()
}

/// Kernels without swap accounting have no such file, and writing to it would fail the container.
fn swap_is_counted() -> bool {
    version() == Version::V2 || Path::new(ROOT).join("memory/memory.memsw.limit_in_bytes").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_lines() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(keyed(text, "oom_kill"), Some(3));
        assert_eq!(keyed(text, "absent"), None);
    }

    #[test]
    fn limits_become_oci_resources() {
        let resources = Resources {
            cpu_shares: Some(1),
            cpu_limit_milli: Some(5),
            memory_limit: Some(1 << 20),
            pids_limit: Some(8),
            oom_score_adj: None,
        };
        let out = oci_resources(&resources, false);
        assert_eq!(out["cpu"], serde_json::json!({"shares": 2, "period": 100_000, "quota": 1000}));
        assert_eq!(out["memory"]["limit"], 1 << 20);
        assert_eq!(out["pids"]["limit"], 8);
        assert_eq!(out["devices"][0]["allow"], false);
    }
}
