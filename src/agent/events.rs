//! Events: telling people what happened to an object.
//!
//! An event that happens again within [`SAME`] is counted on the one that is there, as Kubernetes
//! does, so that a container that crashes all day leaves one line and not a thousand. Events are
//! removed an hour after they last happened.

use super::store::{Key, Op, Store, StoreError, metadata};
use crate::base::clock::rfc3339_seconds;
use crate::base::digest::Digest;
use crate::yaml::Node;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Within so long the same event is counted.
const SAME: SignedDuration = SignedDuration::from_mins(10);

/// So long events are kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// An `ObjectReference` to the object.
    pub regarding: Node,
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// One word, such as `SuccessfulCreate`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Event {
    /// Something expected.
    #[must_use]
    pub fn normal(regarding: &Node, reason: &str, message: impl Into<String>) -> Event {
        let (reason, message) = (reason.into(), message.into());
        Event { regarding: reference(regarding), kind: "Normal", reason, message }
    }

    /// Something wrong.
    #[must_use]
    pub fn warning(regarding: &Node, reason: &str, message: impl Into<String>) -> Event {
        Event { kind: "Warning", ..Event::normal(regarding, reason, message) }
    }

    /// Says which part of the object: `spec.containers{web}`.
    #[must_use]
    pub fn of_field(mut self, path: String) -> Event {
        self.regarding.set("fieldPath", path);
        self
    }
}

/// An `ObjectReference` to an object.
fn reference(object: &Node) -> Node {
    let mut reference = Node::map();
    for key in ["kind", "apiVersion"] {
        reference.set(key, object.str_at(&[key]).unwrap_or_default());
    }
    for key in ["name", "namespace", "resourceVersion", "uid"] {
        if let Some(value) = object.str_at(&["metadata", key]) {
            reference.set(key, value);
        }
    }
    reference
}

/// Stores an event that `component` saw.
///
/// # Errors
/// When the store cannot be written.
pub async fn record(
    store: &Store,
    event: Event,
    component: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name = event.regarding.str_at(&["name"]).unwrap_or_default();
    let uid = event.regarding.str_at(&["uid"]).unwrap_or_default();
    let field = event.regarding.str_at(&["fieldPath"]).unwrap_or_default();
    let namespace = match event.regarding.str_at(&["namespace"]) {
        None | Some("") => "default",
        Some(namespace) => namespace,
    };
    // the same event gets the same name, so that it can be found and counted
    let identity = [uid, field, &event.reason, &event.message, component].join("\0");
    let suffix = Digest::of(identity.as_bytes()).hex();
    let key = Key::new("events", namespace, &format!("{name}.{}", &suffix[..16]));
    let time = rfc3339_seconds(now);
    let counted = store
        .modify(&key, |stored| {
            let last = last_seen(stored);
            let fresh = last.is_none_or(|last| now.duration_since(last) > SAME);
            let count = if fresh { 0 } else { stored.i64_at(&["count"]).unwrap_or(0) };
            stored.set("count", count + 1);
            stored.set("lastTimestamp", time.as_str());
            if fresh {
                stored.set("firstTimestamp", time.as_str());
            }
            true
        })
        .await?;
    if counted.is_some() {
        return Ok(());
    }
    let mut object = Node::from(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": key.name.as_str(), "namespace": namespace},
        "reason": event.reason,
        "message": event.message,
        "type": event.kind,
        "count": 1,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "eventTime": null,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
    }));
    object.set("involvedObject", event.regarding);
    metadata::prepare_create(&mut object, now, false);
    match store.commit(vec![Op::Create { key, object }]).await {
        Ok(_) | Err(StoreError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// When an event last happened.
fn last_seen(event: &Node) -> Option<Timestamp> {
    let time = event.str_at(&["lastTimestamp"]).or(event.str_at(&["eventTime"]));
    time.or(event.str_at(&["metadata", "creationTimestamp"]))?.parse().ok()
}

/// Removes the events that are older than [`KEPT`].
///
/// # Errors
/// When the store cannot be written.
pub async fn expire(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let (events, _) = store.list(&"events".into(), None);
    let old = events.iter().filter(|event| {
        last_seen(&event.object).is_some_and(|last| now.duration_since(last) > KEPT)
    });
    for event in old {
        let delete = Op::Delete { key: event.key.clone(), expect: Some(event.revision) };
        match store.commit(vec![delete]).await {
            Ok(_) | Err(StoreError::Missing(_) | StoreError::Changed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
