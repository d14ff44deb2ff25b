//! What every new object goes through, whether a client or a controller makes it.
//!
//! ```text
//! api ────┐
//!         ├─> complete (priority, account, limits) ─> quota ─> store
//! control ┘
//! ```
//!
//! These are Kubernetes' admission plugins that read other objects: `Priority`, `ServiceAccount`,
//! `DefaultStorageClass`, `LimitRanger`, `ResourceQuota`. What a kind asks of its objects alone is the API's business.

mod account;
mod class;
mod limits;
mod priority;
mod quota;

pub use quota::COUNTED;

use crate::agent::claims::CLAIMS;
use crate::agent::store::{Resource, Store};
use crate::yaml::Node;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

/// Why an object is not let in, as the sentence that follows `forbidden: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The way into the store. Clones share it.
#[derive(Clone, Debug)]
pub struct Entry {
    store: Store,
    /// Held while objects that a quota counts are counted and stored.
    counting: Arc<Mutex<()>>,
}

impl Entry {
    /// The way into a store.
    #[must_use]
    pub fn new(store: Store) -> Entry {
        Entry { store, counting: Arc::default() }
    }

    /// Fills in what the cluster and the namespace say about a new object.
    ///
    /// # Errors
    /// When they do not allow it.
    pub fn complete(&self, resource: &Resource, object: &mut Node) -> Result<(), Refusal> {
        if resource.as_str() == "pods" && object.get("spec").is_some_and(|spec| !spec.is_null()) {
            limits::fill(&self.store, object);
            account::fill(&self.store, object)?;
            priority::fill(&self.store, object)?;
            let status = json!({"phase": "Pending", "qosClass": quality(object)});
            object.set("status", Node::from(status));
        }
        if resource.as_str() == CLAIMS {
            class::fill(&self.store, object);
        }
        limits::check(&self.store, resource, object)
    }

    /// As long as this is held nothing that quotas count is created by others.
    pub async fn hold(&self) -> MutexGuard<'_, ()> {
        self.counting.lock().await
    }

    /// True when a namespace has a quota, so that one must [`Entry::hold`] on while one counts and
    /// stores.
    #[must_use]
    pub fn counts(&self, namespace: &str) -> bool {
        !namespace.is_empty() && !quota::quotas(&self.store, Some(namespace)).is_empty()
    }

    /// How many copies of an object the quotas of its namespace have room for, at most `wanted`;
    /// when that is fewer, beside why.
    #[must_use]
    pub fn room(
        &self,
        resource: &Resource,
        object: &Node,
        wanted: usize,
    ) -> (usize, Option<Refusal>) {
        quota::room(&self.store, resource, object, wanted)
    }

    /// Keeps the status of quotas true until `stop` is cancelled.
    pub async fn keep_quotas(self, stop: CancellationToken) {
        quota::run(&self.store, stop).await;
    }
}

/// The class of service: `Guaranteed` when all containers have limits that are their requests,
/// `BestEffort` when none has any, else `Burstable`.
fn quality(pod: &Node) -> &'static str {
    let containers = pod.items_at(&["spec", "containers"]).iter();
    let mut all = containers.chain(pod.items_at(&["spec", "initContainers"])).peekable();
    let (mut some, mut guaranteed) = (false, all.peek().is_some());
    for container in all {
        for resource in ["cpu", "memory"] {
            let limit = container.at(&["resources", "limits", resource]);
            let request = container.at(&["resources", "requests", resource]);
            some |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (guaranteed, some) {
        (true, _) => "Guaranteed",
        (false, true) => "Burstable",
        (false, false) => "BestEffort",
    }
}
