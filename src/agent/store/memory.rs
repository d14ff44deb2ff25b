//! What readers see: all live objects, and a window of recent events for each resource.
//!
//! Only the writer changes it, in one step per batch, under the write lock. Readers hold the read
//! lock for as long as it takes to clone some `Arc`s.

use super::watch::{Change, Event, Expired};
use super::{Key, Resource, Stored};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// So many events of a resource are kept at most.
const WINDOW: usize = 8192;

/// Older events are dropped. Kubernetes keeps at least 75 seconds.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Recent events of one resource, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) events: VecDeque<(Instant, Arc<Event>)>,
    /// Every event after this revision is in the window.
    pub(super) floor: u64,
    /// Tells watchers of the newest event.
    changed: watch::Sender<u64>,
}

impl Window {
    fn new(floor: u64) -> Window {
        Window { events: VecDeque::new(), floor, changed: watch::Sender::new(floor) }
    }

    fn trim(&mut self, now: Instant) {
        while let Some((time, event)) = self.events.front() {
            if self.events.len() <= WINDOW && now.duration_since(*time) <= MAX_AGE {
                break;
            }
            self.floor = event.object.revision;
            self.events.pop_front();
        }
        if self.events.is_empty() {
            self.events.shrink_to(16);
        }
    }
}

#[derive(Debug)]
pub(super) struct State {
    objects: BTreeMap<Key, Arc<Stored>>,
    windows: HashMap<Resource, Window>,
    /// The newest revision.
    pub(super) revision: u64,
    /// The revision with which the store was opened: nothing before it can be watched.
    opened: u64,
}

impl State {
    /// The window of a resource. Resources to which nothing has happened have none.
    pub(super) fn window(&self, resource: &Resource) -> Option<&Window> {
        self.windows.get(resource)
    }

    /// The revision after which every event of a resource is known.
    pub(super) fn floor(&self, resource: &Resource) -> u64 {
        self.windows.get(resource).map_or(self.opened, |window| window.floor)
    }

    fn range<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Stored>> {
        // the empty namespace stands before all others, since `/` is less than any letter or digit
        // and no name of a namespace starts with `-`
        let start = Key::new(resource.clone(), namespace.unwrap_or_default(), "");
        self.objects.range(start..).map(|(_, stored)| stored).take_while(move |stored| {
            stored.key.resource == *resource
                && namespace.is_none_or(|namespace| stored.key.namespace == namespace)
        })
    }
}

/// The memory of the store, shared by readers and the writer.
#[derive(Debug)]
pub(super) struct Shared {
    state: RwLock<State>,
    revision: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(objects: BTreeMap<Key, Arc<Stored>>, revision: u64) -> Shared {
        let state = State { objects, windows: HashMap::new(), revision, opened: revision };
        Shared { state: RwLock::new(state), revision: watch::Sender::new(revision) }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("the writer does not panic while it holds the lock")
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.read().objects.get(key).cloned()
    }

    pub(super) fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> (Vec<Arc<Stored>>, u64) {
        let state = self.read();
        (state.range(resource, namespace).cloned().collect(), state.revision)
    }

    /// The objects as they were at a revision: what happened since is taken back.
    pub(super) fn list_at(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Stored>>, Expired> {
        let state = self.read();
        let oldest = state.floor(resource);
        if revision < oldest {
            return Err(Expired { from: revision, oldest });
        }
        let objects = state.range(resource, namespace).cloned();
        let Some(window) = state.window(resource) else { return Ok(objects.collect()) };
        let first = window.events.partition_point(|(_, event)| event.object.revision <= revision);
        if first == window.events.len() {
            return Ok(objects.collect());
        }
        let mut then: BTreeMap<Key, Arc<Stored>> =
            objects.map(|stored| (stored.key.clone(), stored)).collect();
        for (_, event) in window.events.range(first..).rev() {
            let key = &event.object.key;
            if namespace.is_some_and(|namespace| key.namespace != namespace) {
                continue;
            }
            match &event.previous {
                Some(previous) => then.insert(key.clone(), Arc::clone(previous)),
                None => then.remove(key),
            };
        }
        Ok(then.into_values().collect())
    }

    pub(super) fn count(&self, resource: &Resource, namespace: Option<&str>) -> usize {
        self.read().range(resource, namespace).count()
    }

    pub(super) fn resources(&self) -> Vec<Resource> {
        let state = self.read();
        let mut found: Vec<Resource> = Vec::new();
        for key in state.objects.keys() {
            if found.last() != Some(&key.resource) {
                found.push(key.resource.clone());
            }
        }
        found
    }

    pub(super) fn revision(&self) -> u64 {
        self.read().revision
    }

    pub(super) fn subscribe_revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// A receiver that wakes when something happens to the resource.
    pub(super) fn subscribe(&self, resource: &Resource) -> watch::Receiver<u64> {
        if let Some(window) = self.read().windows.get(resource) {
            return window.changed.subscribe();
        }
        let mut state =
            self.state.write().expect("the writer does not panic while it holds the lock");
        let opened = state.opened;
        let window = state.windows.entry(resource.clone()).or_insert_with(|| Window::new(opened));
        window.changed.subscribe()
    }

    /// Makes a batch visible, all at once.
    pub(super) fn publish(&self, events: Vec<Event>, revision: u64) {
        let now = Instant::now();
        let mut state =
            self.state.write().expect("the writer does not panic while it holds the lock");
        let state = &mut *state;
        state.revision = revision;
        let mut wake: Vec<watch::Sender<u64>> = Vec::new();
        for event in events {
            let stored = &event.object;
            if event.change == Change::Deleted {
                state.objects.remove(&stored.key);
            } else {
                state.objects.insert(stored.key.clone(), Arc::clone(stored));
            }
            let opened = state.opened;
            let window = state
                .windows
                .entry(stored.key.resource.clone())
                .or_insert_with(|| Window::new(opened));
            window.events.push_back((now, Arc::new(event)));
            window.trim(now);
            wake.push(window.changed.clone());
        }
        for window in state.windows.values_mut() {
            window.trim(now);
        }
        for changed in wake {
            changed.send_replace(revision);
        }
        self.revision.send_replace(revision);
    }
}
