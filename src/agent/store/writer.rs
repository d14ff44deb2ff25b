//! The one writer: takes whatever waits, checks it, writes it in one transaction, shows it.
//!
//! A commit is checked against the objects in memory and what earlier commits of the same batch
//! did to them. A commit that fails its checks leaves nothing behind; the others go on. When the
//! disk fails, the whole batch has failed and memory is as it was.

use super::database::{Database, Write};
use super::memory::Shared;
use super::watch::{Change, Event};
use super::{Key, Op, StoreError, Stored};
use crate::yaml::Node;
use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// So many operations go to the disk in one transaction.
const BATCH: usize = 1024;

pub(super) type Answer = Result<Vec<Arc<Stored>>, StoreError>;

/// One commit and who waits for it.
pub(super) struct Request {
    pub(super) ops: Vec<Op>,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// Serves requests until the store is dropped.
pub(super) fn run(mut database: Database, shared: &Shared, requests: &mpsc::Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let mut batch = Batch::new(shared);
        batch.add(first);
        while batch.events.len() < BATCH {
            let Ok(request) = requests.try_recv() else { break };
            batch.add(request);
        }
        batch.finish(&mut database);
    }
}

/// Objects as the commits of the batch have left them; `None` is a deleted one.
type Overlay = HashMap<Key, Option<Arc<Stored>>>;

struct Batch<'a> {
    shared: &'a Shared,
    revision: u64,
    overlay: Overlay,
    events: Vec<Event>,
    waiting: Vec<(oneshot::Sender<Answer>, Vec<Arc<Stored>>)>,
}

impl<'a> Batch<'a> {
    fn new(shared: &'a Shared) -> Batch<'a> {
        Batch {
            shared,
            revision: shared.revision(),
            overlay: Overlay::new(),
            events: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn current(&self, key: &Key) -> Option<Arc<Stored>> {
        self.overlay.get(key).cloned().unwrap_or_else(|| self.shared.get(key))
    }

    fn add(&mut self, request: Request) {
        let (revision, events) = (self.revision, self.events.len());
        let mut before: Vec<(Key, Option<Arc<Stored>>)> = Vec::new();
        let mut done = Vec::with_capacity(request.ops.len());
        for op in request.ops {
            let key = op.key().clone();
            let current = self.current(&key);
            match self.apply(op, current.as_ref()) {
                Ok(stored) => {
                    before.push((key, current));
                    done.push(stored);
                }
                Err(error) => {
                    for (key, state) in before.into_iter().rev() {
                        self.overlay.insert(key, state);
                    }
                    self.revision = revision;
                    self.events.truncate(events);
                    // nobody waits any more: nothing to say
                    let _ = request.reply.send(Err(error));
                    return;
                }
            }
        }
        self.waiting.push((request.reply, done));
    }

    fn apply(&mut self, op: Op, current: Option<&Arc<Stored>>) -> Result<Arc<Stored>, StoreError> {
        let (key, change, object) = match op {
            Op::Create { key, object } => {
                if current.is_some() {
                    return Err(StoreError::Exists(key));
                }
                (key, Change::Added, object)
            }
            Op::Update { key, mut object, expect } => {
                let current = existing(&key, current, expect)?;
                stamp(&mut object, current.revision);
                if object == current.object {
                    return Ok(Arc::clone(current));
                }
                (key, Change::Modified, object)
            }
            Op::Delete { key, expect } => {
                let current = existing(&key, current, expect)?;
                (key, Change::Deleted, current.object.clone())
            }
        };
        self.revision += 1;
        let mut object = object;
        stamp(&mut object, self.revision);
        let stored = Arc::new(Stored { key: key.clone(), object, revision: self.revision });
        let live = (change != Change::Deleted).then(|| Arc::clone(&stored));
        self.overlay.insert(key, live);
        let previous = current.cloned();
        self.events.push(Event { change, object: Arc::clone(&stored), previous });
        Ok(stored)
    }

    fn finish(self, database: &mut Database) {
        if !self.events.is_empty() {
            let writes = self.events.iter().map(|event| match event.change {
                Change::Deleted => Write::Remove(&event.object.key),
                Change::Added | Change::Modified => Write::Put(&event.object),
            });
            if let Err(error) = database.write(writes, self.revision) {
                let error = Arc::new(error);
                for (reply, _) in self.waiting {
                    let _ = reply.send(Err(StoreError::Write(Arc::clone(&error))));
                }
                return;
            }
            self.shared.publish(self.events, self.revision);
        }
        for (reply, done) in self.waiting {
            let _ = reply.send(Ok(done));
        }
    }
}

fn existing<'a>(
    key: &Key,
    current: Option<&'a Arc<Stored>>,
    expect: Option<u64>,
) -> Result<&'a Arc<Stored>, StoreError> {
    let Some(current) = current else { return Err(StoreError::Missing(key.clone())) };
    match expect {
        Some(expected) if expected != current.revision => {
            let found = current.revision;
            Err(StoreError::Changed { key: key.clone(), expected, found })
        }
        _ => Ok(current),
    }
}

fn stamp(object: &mut Node, revision: u64) {
    object.set_at(&["metadata", "resourceVersion"], revision.to_string());
}
