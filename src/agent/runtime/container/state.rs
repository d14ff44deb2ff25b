//! What is on disk about a container, so that a restarted agent finds it again.
//!
//! ```text
//! <run>/containers/<id>/container.json   who it is; written by the agent before anything is started
//!                       config.json      for libcontainer
//!                       shim.lock        locked as long as there is a shim
//!                       running.json     written by the shim when the program runs
//!                       exit.json        written by the shim when it has ended
//!                       shim.sock        attach and resize
//!                       shim.log         what libcontainer had to say
//!                       rootfs/          where the overlay is mounted
//! <root>/containers/<id>/{upper,work}    the writable layer
//! ```
//!
//! A process is known by its number *and* start time *and* the boot it belongs to, since numbers
//! are used again.

use super::super::error::{RuntimeError, file};
use super::process::Process;
use super::spec::ContainerSpec;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Reported when nobody saw the program end: as if it was killed.
pub(crate) const UNKNOWN_CODE: i32 = 137;

/// Who a container is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) spec: ContainerSpec,
    pub(crate) cgroup: String,
    pub(super) process: Process,
}

/// One process, recognisable after a restart of the agent or the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    start: u64,
    boot: String,
}

impl ProcessId {
    /// Notes a process that runs now, or that has ended and was not waited for yet.
    pub(crate) fn of(pid: i32) -> io::Result<ProcessId> {
        let (_, start) = stat(pid)?;
        Ok(ProcessId { pid, start, boot: boot_id()? })
    }

    /// Whether that very process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot)
            && stat(self.pid).is_ok_and(|found| found == (Life::Runs, self.start))
    }
}

/// What the shim notes when the program runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) shim: ProcessId,
    pub(crate) init: ProcessId,
    #[serde(with = "time")]
    pub(crate) started: Timestamp,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The exit code; 128 and the signal when one ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed something in it because memory ran out.
    pub oom: bool,
    /// When the program began.
    #[serde(with = "time")]
    pub started: Timestamp,
    /// When it ended.
    #[serde(with = "time")]
    pub finished: Timestamp,
    /// Nobody saw it end; the code is a guess.
    #[serde(default)]
    pub unknown: bool,
}

/// What a container does at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It is being started.
    Created,
    /// The program runs.
    Running {
        /// The number of its first process on the host.
        pid: i32,
        /// Since when.
        started: Timestamp,
    },
    /// It ended.
    Exited(ExitStatus),
}

/// The files of one container.
#[derive(Clone, Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn record(&self) -> Result<Record, RuntimeError> {
        read_json(&self.path("container.json"))?.ok_or_else(|| RuntimeError::Record {
            path: self.path("container.json"),
            reason: "it is missing".to_owned(),
        })
    }

    pub(crate) fn write_record(&self, record: &Record) -> Result<(), RuntimeError> {
        write_json(&self.path("container.json"), record)
    }

    pub(crate) fn running(&self) -> Result<Option<Running>, RuntimeError> {
        read_json(&self.path("running.json"))
    }

    pub(super) fn write_running(&self, running: &Running) -> Result<(), RuntimeError> {
        write_json(&self.path("running.json"), running)
    }

    /// The lock that a shim gets when it is started and holds to its end.
    pub(crate) fn lock(&self) -> Result<fs::File, RuntimeError> {
        let path = self.path("shim.lock");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let lock = options.open(&path).map_err(file("open", &path))?;
        lock.try_lock().map_err(|error| file("lock", &path)(io::Error::from(error)))?;
        Ok(lock)
    }

    /// Whether there is a shim, be it one that has not begun yet.
    pub(crate) fn has_shim(&self) -> bool {
        fs::File::open(self.path("shim.lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    pub(crate) fn exit(&self) -> Result<Option<ExitStatus>, RuntimeError> {
        read_json(&self.path("exit.json"))
    }

    pub(crate) fn write_exit(&self, exit: &ExitStatus) -> Result<(), RuntimeError> {
        write_json(&self.path("exit.json"), exit)
    }
}

/// Reads a record; `None` when there is none.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RuntimeError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file("read", path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| RuntimeError::Record { path: path.to_owned(), reason: error.to_string() })
}

/// Writes a record that only root can read, whole or not at all.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RuntimeError> {
    let bytes = serde_json::to_vec(value).map_err(|error| RuntimeError::Record {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    write_whole(path, &bytes, 0o600)
}

/// Writes a file beside its place and moves it there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), RuntimeError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let beside = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(mode);
        options.open(&beside)?.write_all(bytes)?;
        fs::rename(&beside, path)
    };
    write().map_err(file("write", path))
}

/// Whether a process that has a number does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Runs,
    Ended,
}

/// Fields 3 and 22 of `/proc/<pid>/stat`.
fn stat(pid: i32) -> io::Result<(Life, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::other("not a process"))
}

fn parse_stat(text: &str) -> Option<(Life, u64)> {
    // the second field is the program's name, which may hold blanks and parentheses
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let life = if matches!(fields.next()?, "Z" | "X") { Life::Ended } else { Life::Runs };
    Some((life, fields.nth(18)?.parse().ok()?))
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Times as RFC 3339 texts with nanoseconds.
pub(crate) mod time {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{time:.9}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times() {
        let line = |state: &str| {
            format!("7 (a) b)) {state} 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 999 1")
        };
        assert_eq!(parse_stat(&line("S")), Some((Life::Runs, 12345)));
        assert_eq!(parse_stat(&line("Z")), Some((Life::Ended, 12345)));
        assert_eq!(parse_stat("7"), None);
    }

    #[test]
    fn this_process_is_alive() {
        let own = ProcessId::of(std::process::id().cast_signed()).expect("a process");
        assert!(own.is_alive());
        assert!(!ProcessId { start: own.start + 1, ..own.clone() }.is_alive());
        assert!(!ProcessId { boot: "other".to_owned(), ..own }.is_alive());
    }
}
