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

/// How often that is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Compiles a source of a size, under guard.
pub(super) fn guarded<T>(ui: &Ui, source: &str, bytes: u64, compile: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(ui, source, bytes, &done));
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

fn watch(ui: &Ui, source: &str, bytes: u64, done: &AtomicBool) {
    let start = Instant::now();
    let limit = resident() + MEMORY + bytes.saturating_mul(PER_BYTE);
    loop {
        thread::park_timeout(INTERVAL);
        if done.load(Ordering::Acquire) {
            return;
        }
        let memory = resident();
        if memory > limit {
            end(ui, format!("`{source}` takes more than {} MiB to compile", limit >> 20));
        }
        if start.elapsed() > TIME {
            end(ui, format!("`{source}` takes more than {} s to compile", TIME.as_secs()));
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
