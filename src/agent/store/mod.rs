//! The agent's objects: durable in `SQLite`, whole in memory, versioned by one increasing counter.
//!
//! ```text
//! commit(ops) ──> queue ──> writer thread: check, number, write, sync ──> reply
//!                                              │
//!                          memory: live objects + window of recent events
//!                                              │
//!                     get, list (no I/O)    watch (reads the window, wakes on change)
//! ```
//!
//! - Readers never touch the disk; a writer is answered only after its change is on the disk.
//! - All commits that wait while one is being synced go to the disk together.
//! - One commit is atomic: all of its operations happen, or none.
//! - Each operation takes a revision of its own; an update that changes nothing takes none.
//! - Watchers pull from a bounded window. One that fell behind learns that it is [`Expired`] and
//!   lists again, so a slow client costs no memory.
//! - Secrets are encrypted before they reach the disk ([`seal`]).
//!
//! The store knows no kinds: what an object may be is decided by `api` and the controllers.

mod database;
mod key;
mod memory;
pub mod metadata;
mod seal;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

pub use key::{Key, Resource};
pub use watch::{Change, Event, Expired, Watch};

use crate::yaml::Node;
use memory::Shared;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// One object as it is stored. `metadata.resourceVersion` is the revision.
#[derive(Debug)]
pub struct Stored {
    /// Where it is kept.
    pub key: Key,
    /// The object.
    pub object: Node,
    /// The revision that wrote it.
    pub revision: u64,
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Op {
    /// Adds an object; fails when the key is taken.
    Create {
        /// Where to keep it.
        key: Key,
        /// The object.
        object: Node,
    },
    /// Replaces an object; fails when there is none.
    Update {
        /// Which object.
        key: Key,
        /// Its new state.
        object: Node,
        /// The revision that it must still have.
        expect: Option<u64>,
    },
    /// Removes an object; fails when there is none.
    Delete {
        /// Which object.
        key: Key,
        /// The revision that it must still have.
        expect: Option<u64>,
    },
}

impl Op {
    pub(super) fn key(&self) -> &Key {
        match self {
            Op::Create { key, .. } | Op::Update { key, .. } | Op::Delete { key, .. } => key,
        }
    }
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum StoreError {
    /// A create met an object.
    #[error("{0} already exists")]
    #[diagnostic(code(wharf::agent::exists))]
    Exists(Key),
    /// An update or delete met none.
    #[error("{0} does not exist")]
    #[diagnostic(code(wharf::agent::missing))]
    Missing(Key),
    /// The object has changed since it was read.
    #[error("{key} is at revision {found}, not {expected}")]
    #[diagnostic(code(wharf::agent::changed))]
    Changed {
        /// Which object.
        key: Key,
        /// The revision that was expected.
        expected: u64,
        /// The one that it has.
        found: u64,
    },
    /// The files cannot be used.
    #[error("cannot open the agent's database {}", path.display())]
    #[diagnostic(
        code(wharf::agent::store_unusable),
        help(
            "if another agent runs on this state folder, stop it; if the file is damaged, restore \
             it from a backup, or move the folder away to start with no objects"
        )
    )]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Writing failed; nothing of the commit has happened.
    #[error("cannot write to the agent's database")]
    #[diagnostic(
        code(wharf::agent::store_write),
        help("see whether the disk is full or read-only")
    )]
    Write(#[source] Arc<rusqlite::Error>),
    /// The store is shutting down.
    #[error("the agent is stopping")]
    #[diagnostic(code(wharf::agent::stopping))]
    Closed,
}

/// The store. Clones share it; the last one that goes stops the writer.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
}

#[derive(Debug)]
struct Writer {
    queue: Option<mpsc::Sender<writer::Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // a writer that panicked has already failed its callers
            let _ = thread.join();
        }
    }
}

impl Store {
    /// Opens the store in a folder, which is made when it is absent.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let path = folder.join("wharf.db");
        let unusable = |source| StoreError::Unusable { path: path.clone(), source };
        let sealer = seal::Sealer::open(&folder.join("store.key"), path.exists())
            .map_err(|error| unusable(error.into()))?;
        Store::start(database::Database::open(&path, sealer).map_err(unusable)?).map_err(unusable)
    }

    /// Opens a store that keeps nothing, for tests and trials.
    pub fn in_memory() -> Result<Store, StoreError> {
        let unusable = |source| StoreError::Unusable { path: ":memory:".into(), source };
        let database = database::Database::in_memory().map_err(unusable)?;
        Store::start(database).map_err(unusable)
    }

    fn start(
        database: database::Database,
    ) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
        let (objects, revision) = database.load()?;
        let shared = Arc::new(Shared::new(objects, revision));
        let (queue, requests) = mpsc::channel();
        let thread = std::thread::Builder::new().name("store".into()).spawn({
            let shared = Arc::clone(&shared);
            move || writer::run(database, &shared, &requests)
        })?;
        let writer = Writer { queue: Some(queue), thread: Some(thread) };
        Ok(Store { shared, writer: Arc::new(writer) })
    }

    /// The object of a key.
    pub fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.shared.get(key)
    }

    /// All objects of a resource, or those of one namespace, in the order of their keys; and the
    /// revision of this view, from which a watch can go on.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> (Vec<Arc<Stored>>, u64) {
        self.shared.list(resource, namespace)
    }

    /// The objects as they were at a revision.
    ///
    /// # Errors
    /// When what came after that revision is no longer known.
    pub fn list_at(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Stored>>, Expired> {
        self.shared.list_at(resource, namespace, revision)
    }

    /// How many objects of a resource there are, in all namespaces or in one.
    pub fn count(&self, resource: &Resource, namespace: Option<&str>) -> usize {
        self.shared.count(resource, namespace)
    }

    /// Every resource of which there is at least one object.
    pub fn resources(&self) -> Vec<Resource> {
        self.shared.resources()
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.shared.revision()
    }

    /// Waits until the store has a revision at least so new.
    ///
    /// # Cancellation
    /// Nothing happens.
    pub async fn reached(&self, revision: u64) {
        let mut newest = self.shared.subscribe_revision();
        // the sender lives in `shared`, so waiting ends only by success
        let _ = newest.wait_for(|newest| *newest >= revision).await;
    }

    /// Does all operations or none, and returns when they are on the disk. For each the object
    /// that is now stored (for a delete: the last state, with the revision of the deletion).
    ///
    /// # Cancellation
    /// The commit happens all the same.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Vec<Arc<Stored>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.writer.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(writer::Request { ops, reply }).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Changes one object: reads it, lets `change` work on a copy, writes it, and starts again
    /// when somebody else was faster. `change` says false to leave the object alone. None when the
    /// object is not there.
    pub async fn modify(
        &self,
        key: &Key,
        mut change: impl FnMut(&mut Node) -> bool,
    ) -> Result<Option<Arc<Stored>>, StoreError> {
        loop {
            let Some(stored) = self.get(key) else { return Ok(None) };
            let mut object = stored.object.clone();
            if !change(&mut object) {
                return Ok(Some(stored));
            }
            let expect = Some(stored.revision);
            match self.commit(vec![Op::Update { key: key.clone(), object, expect }]).await {
                Ok(mut done) => return Ok(done.pop()),
                Err(StoreError::Changed { .. } | StoreError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything that happens to a resource after a revision, in one namespace or in all.
    ///
    /// # Errors
    /// When what came after that revision is no longer known: list, and watch from there.
    pub fn watch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        from: u64,
    ) -> Result<Watch, Expired> {
        Watch::new(Arc::clone(&self.shared), resource, namespace, from)
    }
}
