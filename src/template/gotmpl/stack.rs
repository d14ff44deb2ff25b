//! How much of the native stack templates may use. Templates nest as deep as their author wishes
//! (an `include` in an `include`, parentheses in parentheses); every level asks here for room, and
//! gets an error instead of an overflow.

use std::cell::Cell;

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

/// Runs something that nests deep on a stack that is large enough for it.
///
/// # Panics
/// When it panics, or the system gives no thread.
pub fn with_room<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("templates".to_owned())
            .stack_size(LARGE)
            .spawn_scoped(scope, || {
                LOWEST.set(here().saturating_sub(LARGE - RESERVE));
                run()
            })
            .expect("the system gives a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
