//! Controllers: each a pure function from what is stored to what is to be done.
//!
//! ```text
//! store --watch--> runner --key--> reconcile(&View, key) --> [Action] --runner--> store
//! ```
//!
//! A controller reads through a [`View`] and answers with [`Action`]s; it waits for nothing, keeps
//! nothing, and is run again whenever something that it read may have changed. So a crash at any
//! moment loses nothing. Controllers talk to each other and to the node only through the store.

pub mod account;
pub mod claim;
pub mod cron_job;
pub mod deployment;
pub mod endpoint;
pub mod garbage;
pub mod job;
mod owner;
mod pod;
pub mod replica_set;
mod rollout;
pub mod runner;

#[cfg(test)]
mod tests;

use super::events::Event;
use super::store::Stored;
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What a controller sees: the stored objects at one moment, and the time.
pub trait View {
    /// One object.
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Seen>;
    /// The objects of a resource whose controller has this uid, in the order of their names.
    fn owned(&self, resource: &str, uid: &str) -> Vec<Seen>;
    /// The objects of a resource in a namespace that no controller owns, in the order of their
    /// names.
    fn orphans(&self, resource: &str, namespace: &str) -> Vec<Seen>;
    /// The objects of a resource in a namespace, in the order of their names.
    fn all(&self, resource: &str, namespace: &str) -> Vec<Seen>;
    /// How many copies of a new object would be let in, at most `wanted`; when that is fewer, why.
    fn room(&self, object: &Node, wanted: usize) -> (usize, Option<String>);
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// An object as a view shows it; it reads like its node.
#[derive(Clone, Debug)]
pub struct Seen(Arc<Stored>);

impl From<Arc<Stored>> for Seen {
    fn from(stored: Arc<Stored>) -> Seen {
        Seen(stored)
    }
}

impl std::ops::Deref for Seen {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0.object
    }
}

/// What is to be done. Writes are refused when the object has changed since it was read; the
/// runner then runs the controller again.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create an object; it names its kind, namespace and name. One that is not let in is told to its
    /// owner as an event, and the controller is run again when that may have changed.
    Create(Node),
    /// Store a changed object; it carries the resourceVersion that was read.
    Update(Node),
    /// Store only the status of an object; it carries the resourceVersion that was read.
    UpdateStatus(Node),
    /// Delete an object, if it still has this uid; finalizers of an update in the same step hold it.
    Delete {
        /// Its resource, such as `pods` or `replicasets.apps`.
        resource: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// Tell people what happened to an object.
    Event(Event),
    /// Run the controller for this key again after a time.
    Again(Duration),
}

impl Action {
    /// The deletion of an object of a resource.
    #[must_use]
    pub fn delete(resource: &str, object: &Node) -> Action {
        Action::Delete {
            resource: resource.into(),
            namespace: meta::namespace(object).into(),
            name: meta::name(object).into(),
            uid: meta::uid(object).into(),
        }
    }
}
