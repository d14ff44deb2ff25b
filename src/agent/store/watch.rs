//! Streams of changes, pulled from the window of recent events.

use super::memory::Shared;
use super::{Resource, Stored};
use compact_str::CompactString;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// So many events are taken from the window at once.
const BATCH: usize = 64;

/// What happened to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// The object after it; for a deletion its last state, with the revision of the deletion.
    pub object: Arc<Stored>,
    /// The object before it.
    pub previous: Option<Arc<Stored>>,
}

/// What a watcher asks for is no longer known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too old resource version: {from} ({oldest})")]
pub struct Expired {
    /// The revision from which events were wanted.
    pub from: u64,
    /// The oldest one from which they can be had.
    pub oldest: u64,
}

/// A stream of the changes of one resource. It starts with those after a revision and never ends.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    resource: Resource,
    namespace: Option<CompactString>,
    /// Everything up to this revision has been put into `ready` or does not concern this watch.
    cursor: u64,
    ready: VecDeque<Arc<Event>>,
    changed: watch::Receiver<u64>,
}

impl Watch {
    pub(super) fn new(
        shared: Arc<Shared>,
        resource: &Resource,
        namespace: Option<&str>,
        from: u64,
    ) -> Result<Watch, Expired> {
        let changed = shared.subscribe(resource);
        let oldest = shared.read().floor(resource);
        if from < oldest {
            return Err(Expired { from, oldest });
        }
        let namespace = namespace.map(CompactString::from);
        let resource = resource.clone();
        Ok(Watch { shared, resource, namespace, cursor: from, ready: VecDeque::new(), changed })
    }

    /// The next change.
    ///
    /// # Errors
    /// When this watch has fallen so far behind that changes are lost.
    ///
    /// # Cancellation
    /// No change is lost.
    pub async fn next(&mut self) -> Result<Arc<Event>, Expired> {
        loop {
            // seen before the window is read, so a change that comes meanwhile wakes the wait
            self.changed.borrow_and_update();
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            // the sender lives in `shared`
            let _ = self.changed.changed().await;
        }
    }

    /// Waits until [`Watch::try_next`] has something to say.
    ///
    /// # Cancellation
    /// No change is lost.
    pub async fn changed(&mut self) {
        loop {
            self.changed.borrow_and_update();
            match self.try_next() {
                Ok(None) => drop(self.changed.changed().await),
                Ok(Some(event)) => {
                    self.ready.push_front(event);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// The next change, when there is one by now.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn try_next(&mut self) -> Result<Option<Arc<Event>>, Expired> {
        if let Some(event) = self.ready.pop_front() {
            return Ok(Some(event));
        }
        let state = self.shared.read();
        let oldest = state.floor(&self.resource);
        if self.cursor < oldest {
            return Err(Expired { from: self.cursor, oldest });
        }
        if let Some(window) = state.window(&self.resource) {
            let cursor = self.cursor;
            let first = window.events.partition_point(|(_, event)| event.object.revision <= cursor);
            for (_, event) in window.events.range(first..) {
                self.cursor = event.object.revision;
                let namespace = self.namespace.as_ref();
                if namespace.is_none_or(|namespace| event.object.key.namespace == *namespace) {
                    self.ready.push_back(Arc::clone(event));
                    if self.ready.len() == BATCH {
                        return Ok(self.ready.pop_front());
                    }
                }
            }
        }
        self.cursor = self.cursor.max(state.revision);
        Ok(self.ready.pop_front())
    }

    /// The revision up to which this watch has given every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.ready.front().map_or(self.cursor, |event| event.object.revision - 1)
    }
}
