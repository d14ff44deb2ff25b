//! Ends a command whose source takes more memory or time to compile than any honest one.
//!
//! Templates and parsers bound themselves and say at which line; this is for what they cannot
//! foresee. Compiling changes nothing outside of the process, so ending it leaves nothing behind.

use super::exit::{FAILED, Failure};
use super::report;
use super::ui::Ui;
use miette::MietteDiagnostic;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Memory that compiling may take beside what grows with the source.
const MEMORY: u64 = 1 << 30;

/// Memory that each byte of a source may take on top of it.
const PER_BYTE: u64 = 40;

/// How long it may take.
const TIME: Duration = Duration::from_secs(120);

/// What compiling may take.
struct Limits {
    memory: u64,
    time: Duration,
}

/// How often that is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Compiles a source of a size, under guard.
pub(super) fn guarded<T>(ui: &Ui, source: &str, bytes: u64, compile: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let memory = MEMORY + bytes.saturating_mul(PER_BYTE);
    let limits = Limits { memory, time: TIME };
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            if let Some(what) = watch(&limits, &done) {
                end(ui, format!("`{source}` takes {what} to compile"));
            }
        });
        let _ended = Ended { done: &done, watcher: watcher.thread().clone() };
        compile()
    })
}

/// Sends the watcher home, also when compiling panics.
struct Ended<'a> {
    done: &'a AtomicBool,
    watcher: thread::Thread,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}

/// Waits until compiling is done, or until it takes too much: then it says what.
fn watch(limits: &Limits, done: &AtomicBool) -> Option<String> {
    let start = Instant::now();
    let before = resident();
    loop {
        thread::park_timeout(INTERVAL);
        if done.load(Ordering::Acquire) {
            return None;
        }
        if resident().saturating_sub(before) > limits.memory {
            return Some(format!("more than {} MiB of memory", limits.memory >> 20));
        }
        if start.elapsed() > limits.time {
            return Some(format!("more than {} s", limits.time.as_secs()));
        }
    }
}

#[expect(clippy::exit, reason = "a thread that computes without end can only end with its process")]
fn end(ui: &Ui, message: String) -> ! {
    let fault = MietteDiagnostic::new(message)
        .with_code("wharf::cli::too_much")
        .with_help("look for a value or a loop that grows without end");
    report::report(ui, &Failure::failed(fault));
    std::process::exit(FAILED.into())
}

/// Resident memory in bytes; nothing where the system does not tell.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    size.and_then(|size| size.trim().parse::<u64>().ok()).unwrap_or_default() << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_is_named() {
        let ample = || Limits { memory: u64::MAX, time: TIME };
        let (going, done) = (AtomicBool::new(false), AtomicBool::new(true));
        assert_eq!(watch(&ample(), &done), None);
        let short = Limits { time: Duration::ZERO, ..ample() };
        assert_eq!(watch(&short, &going).as_deref(), Some("more than 0 s"));
        let started = Instant::now();
        let held = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&Limits { memory: 64 << 20, ..ample() }, &going));
            let mut held = Vec::new();
            while !watcher.is_finished() && started.elapsed() < TIME {
                held.push(vec![1_u8; 1 << 20]);
                thread::sleep(Duration::from_millis(1));
            }
            (watcher.join().expect("no panic"), held.len())
        });
        assert_eq!(held.0.as_deref(), Some("more than 64 MiB of memory"), "after {} MiB", held.1);
    }
}
