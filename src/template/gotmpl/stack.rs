//! How much of the native stack templates may use. Templates nest as deep as their author wishes
//! (an `include` in an `include`, parentheses in parentheses); every level asks here for room, and
//! gets an error instead of an overflow.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

/// What is assumed to be left of a stack of which nothing is known.
const UNKNOWN: usize = 768 * 1024;
/// The stack that [`with_room`] gives: address space, of which only what is used becomes memory.
const LARGE: usize = 512 * 1024 * 1024;
/// What is kept for functions that do not ask.
const RESERVE: usize = 256 * 1024;

thread_local! {
    /// The lowest address that may be reached; zero when it is not known yet.
    static LOWEST: Cell<usize> = const { Cell::new(0) };
}

/// Runs something that nests deep on a stack that is large enough for it: this thread's when that was
/// made here, else a new one's. Where the system gives none, this thread's has to do.
///
/// # Panics
/// When it panics.
pub fn with_room<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let lowest = LOWEST.get();
    if lowest != 0 && here().saturating_sub(lowest) > LARGE / 2 {
        return run();
    }
    let once = Mutex::new(Some(run));
    let run = || {
        let run = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        run.expect("it runs in one of two places")()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("wharf".to_owned())
            .stack_size(LARGE)
            .spawn_scoped(scope, || {
                LOWEST.set(here().saturating_sub(LARGE - RESERVE));
                run()
            });
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => run(),
        }
    })
}

/// True while there is room for another level.
#[must_use]
pub fn has_room() -> bool {
    let here = here();
    if LOWEST.get() == 0 {
        LOWEST.set(here.saturating_sub(UNKNOWN).max(1));
    }
    here > LOWEST.get()
}

/// About where the stack is.
#[inline(never)]
fn here() -> usize {
    let local = 0u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}
