//! What happens while one template renders: which expression is being printed, which values were
//! read for it, and what was printed.
//!
//! Rendering one template stays on one thread, and the objects that hold values get no access to
//! the engine's state, so the record is thread-local. It lives from [`start`] to [`finish`].

use super::value::MapValue;
use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::yaml::Node;
use std::cell::RefCell;
use std::sync::Arc;

/// Values that one expression may name in an error; more than a person would read.
const MAX_READS: usize = 16;

/// A printed value, kept aside.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) what: What,
    /// The expression in its template.
    pub(super) place: Span,
    /// The values that were read for it, where the user wrote them.
    pub(super) reads: Vec<Span>,
}

/// What was printed.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A value.
    Value(Node),
    /// What a macro rendered: text with markers.
    Fragment(String),
}

/// An expression that is being evaluated.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) place: Span,
    reads: Vec<Span>,
    secret: bool,
    miss: Option<Miss>,
}

impl Frame {
    /// The key that it missed last.
    pub(super) fn own_miss(&self) -> Option<&Miss> {
        self.miss.as_ref()
    }
}

/// A key that was looked for and not found.
#[derive(Clone, Debug)]
pub(super) struct Miss {
    pub(super) map: Arc<MapValue>,
    pub(super) key: String,
}

/// All that is known about a render.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) kept: Vec<Kept>,
    /// Open expressions, the innermost last. When rendering fails these are the way to the fault.
    pub(super) frames: Vec<Frame>,
    /// The last key that was not found.
    pub(super) miss: Option<Miss>,
    /// A fault that the library raised, which says more than the engine's error.
    pub(super) raised: Option<Diagnostic>,
    /// True when the failing expression had read a secret.
    pub(super) secret: bool,
    written: usize,
    limit: usize,
    /// Bytes, about, of all values that have a name.
    held: usize,
    /// Those of them that are parameters of each open macro.
    scopes: Vec<usize>,
    /// Bytes that operators put together.
    joined: usize,
}

thread_local! {
    static TRACE: RefCell<Trace> = RefCell::default();
}

/// Begins a record; `limit` bounds what may be printed.
pub(super) fn start(limit: usize) {
    TRACE.set(Trace { limit, ..Trace::default() });
}

/// Ends the record and gives it.
pub(super) fn finish() -> Trace {
    let mut trace = TRACE.take();
    trace.secret = trace.frames.iter().any(|frame| frame.secret);
    trace
}

/// An expression begins to be evaluated.
pub(super) fn begin(place: Span) {
    TRACE.with_borrow_mut(|trace| {
        trace.frames.push(Frame { place, reads: Vec::new(), secret: false, miss: None });
    });
}

/// A value was read.
pub(super) fn read(span: Span, secret: bool) {
    TRACE.with_borrow_mut(|trace| {
        if let Some(frame) = trace.frames.last_mut() {
            frame.secret |= secret;
            if !span.is_none() && frame.reads.len() < MAX_READS {
                frame.reads.push(span);
            }
        }
    });
}

/// A key was looked for and not found.
pub(super) fn miss(miss: Miss) {
    TRACE.with_borrow_mut(|trace| {
        if let Some(frame) = trace.frames.last_mut() {
            frame.miss = Some(miss.clone());
        }
        trace.miss = Some(miss);
    });
}

/// The innermost expression is printed: keeps what it gives and says under which index.
pub(super) fn keep(what: What) -> usize {
    TRACE.with_borrow_mut(|trace| {
        let frame = trace.frames.pop();
        let place = frame.as_ref().map_or(Span::NONE, |frame| frame.place);
        let mut reads = frame.map(|frame| frame.reads).unwrap_or_default();
        if reads.is_empty() {
            // a macro's argument was read where the macro was called
            let caller = trace.frames.iter().rev().find(|frame| !frame.reads.is_empty());
            reads = caller.map(|frame| frame.reads.clone()).unwrap_or_default();
        }
        // a path reads every map on its way; the last one read holds the value itself
        let last = reads.last().copied();
        reads.retain(|span| last.is_none_or(|last| last == *span || !contains(*span, last)));
        trace.kept.push(Kept { what, place, reads });
        trace.kept.len() - 1
    })
}

fn contains(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// The innermost expression was written as text.
pub(super) fn pass() {
    TRACE.with_borrow_mut(|trace| {
        trace.frames.pop();
    });
}

/// What is kept under an index, to be read.
pub(super) fn with_kept<T>(read: impl FnOnce(&[Kept]) -> T) -> T {
    TRACE.with_borrow(|trace| read(&trace.kept))
}

/// Counts printed bytes; false when there are more than may be.
pub(super) fn charge(bytes: usize) -> bool {
    TRACE.with_borrow_mut(|trace| {
        trace.written = trace.written.saturating_add(bytes);
        trace.written <= trace.limit
    })
}

/// Counts bytes of a value that gets a name; gives how many there were together.
pub(super) fn hold(bytes: usize) -> usize {
    TRACE.with_borrow_mut(|trace| {
        trace.held = trace.held.saturating_add(bytes);
        trace.held
    })
}

/// Counts bytes of the parameters of a macro that begins; gives how many have names now.
pub(super) fn enter(bytes: usize) -> usize {
    TRACE.with_borrow_mut(|trace| {
        trace.scopes.push(bytes);
        trace.held = trace.held.saturating_add(bytes);
        trace.held
    })
}

/// A macro ends, and with it its parameters.
pub(super) fn leave() {
    TRACE.with_borrow_mut(|trace| {
        let bytes = trace.scopes.pop().unwrap_or_default();
        trace.held = trace.held.saturating_sub(bytes);
    });
}

/// Counts bytes that become part of a longer value; gives how many there were together.
pub(super) fn join(bytes: usize) -> usize {
    TRACE.with_borrow_mut(|trace| {
        trace.joined = trace.joined.saturating_add(bytes);
        trace.joined
    })
}

/// Remembers a fault that says more than the engine's own error will.
pub(super) fn raise(fault: Diagnostic) {
    TRACE.with_borrow_mut(|trace| trace.raised = Some(fault));
}
