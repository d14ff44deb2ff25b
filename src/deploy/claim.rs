//! Who works on a release: a pending record is a lock with a sign of life.
//!
//! The record of a running operation carries an annotation that names its process, and that the
//! process renews every few seconds. A record left pending by a killed process therefore does not
//! block the release:
//!
//! ```text
//! same host and process space, process gone ───────────────> taken over at once
//! same host and process space, process alive ──────────────> busy
//! elsewhere: watched for a while; renewed? ── yes ─────────> busy
//!                                          └─ no ──────────> taken over
//! no annotation (Helm): younger than its longest operation > busy, else taken over
//! ```
//!
//! Clocks of two machines are never compared: what counts is whether the annotation changes.

use super::error::DeployError;
use super::progress::{Event, Progress};
use crate::base::clock::{Clock, SystemClock};
use crate::release::{History, Record, Status, Store};
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often the sign of life is renewed.
const RENEW: Duration = Duration::from_secs(3);

/// How long a silent holder is watched before its record is taken over.
const SILENCE: Duration = Duration::from_secs(12);

/// How long a Helm operation is taken to run: its default timeout, and some.
const FOREIGN: i64 = 10 * 60;

/// Makes sure that no one else works on the release. A record that was left pending is marked as
/// failed. Gives the history as it is then.
pub(super) async fn claim(
    store: &Store,
    history: History,
    progress: &dyn Progress,
) -> Result<History, DeployError> {
    let Some(last) = history.last().filter(|last| last.status().is_pending()) else {
        return Ok(history);
    };
    let alive = match last.holder.as_deref().map(Holder::parse) {
        None => Alive::unknown_since(last),
        Some(holder) => holder.alive(),
    };
    let last = match alive {
        Alive::No => last.clone(),
        Alive::Yes(who) => return Err(busy(last, who)),
        Alive::Unknown => {
            progress.event(Event::Suspects { version: last.version() });
            match watch(store, last).await? {
                Some(silent) => silent,
                None => return Box::pin(again(store, last.name(), progress)).await,
            }
        }
    };
    let now = SystemClock.now();
    let mut left = last.clone();
    let status = last.status().as_str();
    left.holder = None;
    left.set_status(Status::Failed, format!("interrupted while {status}, then taken over"));
    store.update(&left, now).await?;
    progress.event(Event::TookOver { version: last.version(), status });
    Ok(store.history(last.name()).await?)
}

/// The operation ended while it was watched: look anew.
async fn again(
    store: &Store,
    release: &str,
    progress: &dyn Progress,
) -> Result<History, DeployError> {
    let history = store.history(release).await?;
    claim(store, history, progress).await
}

/// Watches a pending record for a sign of life. Gives it when there is none, nothing when it is
/// no longer pending.
async fn watch(store: &Store, seen: &Record) -> Result<Option<Record>, DeployError> {
    let started = tokio::time::Instant::now();
    while started.elapsed() < SILENCE {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let history = store.history(seen.name()).await?;
        let Some(now) = history.revision(seen.version()) else { return Ok(None) };
        if !now.status().is_pending() || history.next_version() > seen.version() + 1 {
            return Ok(None);
        }
        if now.resource_version != seen.resource_version {
            let who = now.holder.as_deref().map_or_else(String::new, |h| Holder::parse(h).place());
            return Err(busy(seen, who));
        }
    }
    Ok(Some(seen.clone()))
}

fn busy(record: &Record, holder: String) -> DeployError {
    DeployError::Busy {
        release: record.name().to_owned(),
        version: record.version(),
        status: record.status().to_string(),
        holder,
        help: "wait until it is done; if it is stuck, end that process and try again".to_owned(),
    }
}

enum Alive {
    Yes(String),
    No,
    Unknown,
}

impl Alive {
    /// Of a record without a sign of life.
    fn unknown_since(record: &Record) -> Alive {
        let began: Option<Timestamp> = record.last_deployed().parse().ok();
        let age = began.map_or(i64::MAX, |began| SystemClock.now().as_second() - began.as_second());
        if age < FOREIGN {
            return Alive::Yes(format!("another tool began it {age} s ago"));
        }
        Alive::No
    }
}

/// A process: where it runs and which one it is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Holder {
    host: String,
    /// What tells one space of process ids from all others: the boot and the pid namespace.
    space: String,
    pid: String,
    /// When the process started, since ids are used again.
    started: String,
}

impl Holder {
    fn this() -> Holder {
        let pid = std::process::id().to_string();
        let boot = read("/proc/sys/kernel/random/boot_id");
        let space = std::fs::read_link("/proc/self/ns/pid")
            .map(|link| link.display().to_string())
            .unwrap_or_default();
        Holder {
            host: read("/proc/sys/kernel/hostname"),
            space: if boot.is_empty() { String::new() } else { format!("{boot}/{space}") },
            started: started(&pid).unwrap_or_default(),
            pid,
        }
    }

    fn parse(text: &str) -> Holder {
        let mut parts = text.split(' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Holder { host: next(), space: next(), pid: next(), started: next() }
    }

    /// As it is written, with a number that grows with each renewal.
    fn text(&self, beat: u64) -> String {
        let word =
            |text: &str| if text.is_empty() { "-".to_owned() } else { text.replace(' ', "_") };
        format!(
            "{} {} {} {} {beat}",
            word(&self.host),
            word(&self.space),
            word(&self.pid),
            word(&self.started)
        )
    }

    fn place(&self) -> String {
        format!("process {} on {} works on it", self.pid, self.host)
    }

    fn alive(&self) -> Alive {
        let here = Holder::this();
        if here.space.is_empty() || self.space != here.space {
            return Alive::Unknown;
        }
        match started(&self.pid) {
            Some(time) if time == self.started => Alive::Yes(self.place()),
            _ => Alive::No,
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// When a process started, in clock ticks since boot: field 22 of its stat line. The command's
/// name, field 2, may hold spaces and brackets.
fn started(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let dead = matches!(fields.next(), Some("Z" | "X"));
    fields.nth(18).filter(|_| !dead).map(str::to_owned)
}

/// Marks a new record as this process's.
pub(super) fn sign(record: &mut Record) {
    record.holder = Some(Holder::this().text(0));
}

/// Renews the sign of life of a record until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    pub(super) fn start(store: &Store, record: &Record) -> Heartbeat {
        let (store, record) = (store.clone(), record.clone());
        Heartbeat(tokio::spawn(async move {
            let holder = Holder::this();
            for beat in 1.. {
                tokio::time::sleep(RENEW).await;
                // one that is missed does no harm, and the end of the operation says the rest
                let _ = store.touch(&record, &holder.text(beat)).await;
            }
        }))
    }

    /// Stops renewing, so that no renewal comes after what is written next.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_told_apart_and_found_dead_or_alive() {
        let me = Holder::this();
        assert_eq!(Holder::parse(&me.text(7)), me);
        assert!(matches!(me.alive(), Alive::Yes(_)));
        let dead = Holder { started: "1".into(), ..me.clone() };
        assert!(matches!(dead.alive(), Alive::No));
        let elsewhere = Holder { space: "other".into(), ..me };
        assert!(matches!(elsewhere.alive(), Alive::Unknown));
    }
}
