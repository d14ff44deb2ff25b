//! Waits until objects are ready.
//!
//! What an apply answered tells for most kinds that nothing has to be waited for. The others are
//! listed and watched, one watch for each kind and namespace, and judged by
//! [`status`](crate::object::status) with every change.

use super::cause;
use super::error::DeployError;
use super::progress::{Event, Progress};
use crate::cluster::{Client, ClusterError, ListOptions, WatchEvent};
use crate::object::inventory::Key;
use crate::object::status::{Readiness, State, readiness};
use crate::object::{Gvk, ObjectId, meta};
use crate::yaml::Node;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long nothing may move before it is looked up what stands in the way.
const QUIET: Duration = Duration::from_secs(3);

/// What came of waiting.
#[derive(Debug)]
pub(super) enum Waited {
    /// All are ready.
    Ready,
    /// These are not: time is up, or one failed for good.
    Not(Vec<(ObjectId, Readiness)>),
    /// It was told to stop.
    Interrupted,
}

/// The state of each object, in the order given.
///
/// # Errors
/// When the cluster cannot be reached or refuses.
pub async fn observe_once(
    client: &Client,
    ids: &[ObjectId],
) -> Result<Vec<(ObjectId, Readiness, Option<Node>)>, DeployError> {
    let asked = ids.iter().map(|id| async move {
        let live = match client.get(id).await {
            Err(ClusterError::UnknownKind { .. }) => None,
            live => live?,
        };
        let state = live.as_ref().map_or_else(Readiness::missing, readiness);
        Ok::<_, ClusterError>((id.clone(), state, live))
    });
    Ok(stream::iter(asked).buffered(32).try_collect().await?)
}

/// Waits until all objects are ready, as `judge` has it, one has failed, time is up, or it is told
/// to stop. `known` holds what is known of them.
pub(super) async fn wait(
    client: &Client,
    ids: &[ObjectId],
    known: &HashMap<Key, Node>,
    timeout: Duration,
    judge: fn(&Node) -> Readiness,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Waited, ClusterError> {
    let mut states: HashMap<Key, (&ObjectId, Readiness)> = ids
        .iter()
        .map(|id| {
            let key = Key::from(id);
            // a failure from before may pass by what was applied with it, but a Pod or Job that has
            // failed stays so: it counts as soon as it is seen
            let stays = |state: &Readiness| state.state == State::Failed && is_done_once(&id.gvk);
            let state = known.get(&key).map(judge).filter(|state| !stays(state));
            (key, (id, state.unwrap_or_else(Readiness::missing)))
        })
        .collect();
    progress.event(Event::Waits { total: states.len() });
    let mut ordered: Vec<&ObjectId> = ids.iter().collect();
    ordered.dedup();
    for id in &ordered {
        if let Some((id, state)) = states.get(&Key::from(*id)) {
            progress.event(Event::Readiness { id, readiness: state });
        }
    }
    states.retain(|_, (_, state)| !state.is_ready());
    if states.is_empty() {
        return Ok(Waited::Ready);
    }
    let (sender, mut changes) = mpsc::channel(64);
    let mut groups: HashSet<(Gvk, String)> = HashSet::new();
    for (id, _) in states.values() {
        groups.insert((id.gvk.clone(), id.namespace.to_string()));
    }
    // dropping the set ends the watches
    let mut watches = JoinSet::new();
    for (gvk, namespace) in groups {
        watches.spawn(follow(client.clone(), gvk, namespace, sender.clone()));
    }
    drop(sender);
    let deadline = tokio::time::Instant::now() + timeout;
    let mut told: HashMap<Key, String> = HashMap::new();
    loop {
        let quiet = tokio::time::sleep(QUIET);
        tokio::select! {
            () = cancel.cancelled() => return Ok(Waited::Interrupted),
            () = tokio::time::sleep_until(deadline) => return Ok(Waited::Not(rest(ids, &states))),
            () = quiet => trouble(client, &states, &mut told, progress).await,
            change = changes.recv() => {
                let Some(change) = change else {
                    // every watch has ended, which they do by errors only
                    return Ok(Waited::Not(rest(ids, &states)));
                };
                let (key, live) = change?;
                let Some((id, state)) = states.get_mut(&key) else { continue };
                let now = live.as_ref().map_or_else(Readiness::missing, judge);
                if now == *state {
                    continue;
                }
                *state = now;
                progress.event(Event::Readiness { id, readiness: state });
                match state.state {
                    State::Current => {
                        states.remove(&key);
                    }
                    State::Failed => return Ok(Waited::Not(rest(ids, &states))),
                    _ => {}
                }
                if states.is_empty() {
                    return Ok(Waited::Ready);
                }
            }
        }
    }
}

/// True for what comes to an end instead of being ready.
pub(super) fn is_done_once(gvk: &Gvk) -> bool {
    matches!((gvk.group.as_str(), gvk.kind.as_str()), ("", "Pod") | ("batch", "Job"))
}

fn rest(
    ids: &[ObjectId],
    states: &HashMap<Key, (&ObjectId, Readiness)>,
) -> Vec<(ObjectId, Readiness)> {
    let state = |id: &ObjectId| states.get(&Key::from(id)).map(|(_, state)| state.clone());
    ids.iter().filter_map(|id| Some((id.clone(), state(id)?))).collect()
}

/// Says what stands in the way of the objects that are not ready, each thing once.
async fn trouble(
    client: &Client,
    states: &HashMap<Key, (&ObjectId, Readiness)>,
    told: &mut HashMap<Key, String>,
    progress: &dyn Progress,
) {
    for (key, (id, _)) in states {
        let Some(text) = cause::briefly(client, id).await else { continue };
        if told.get(key) != Some(&text) {
            progress.event(Event::Trouble { id, text: &text });
            told.insert(key.clone(), text);
        }
    }
}

type Change = Result<(Key, Option<Node>), ClusterError>;

/// Sends the state of every object of a kind, then every change, until no one listens.
async fn follow(client: Client, gvk: Gvk, namespace: String, changes: mpsc::Sender<Change>) {
    if let Err(error) = followed(&client, &gvk, &namespace, &changes).await {
        let _ = changes.send(Err(error)).await;
    }
}

async fn followed(
    client: &Client,
    gvk: &Gvk,
    namespace: &str,
    changes: &mpsc::Sender<Change>,
) -> Result<(), ClusterError> {
    let resource = client.resource(gvk).await?;
    let scope = (!namespace.is_empty()).then_some(namespace);
    let key = |object: &Node| Key {
        group: gvk.group.clone(),
        kind: gvk.kind.clone(),
        namespace: namespace.into(),
        name: meta::name(object).into(),
    };
    loop {
        let list = client.list(&resource, scope, &ListOptions::default()).await?;
        for object in list.items {
            if changes.send(Ok((key(&object), Some(object)))).await.is_err() {
                return Ok(());
            }
        }
        let mut watch = client.watch(&resource, scope, &list.resource_version).await?;
        loop {
            let change = match watch.next().await? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    (key(&object), Some(object))
                }
                WatchEvent::Deleted(object) => (key(&object), None),
                WatchEvent::Expired => break,
            };
            if changes.send(Ok(change)).await.is_err() {
                return Ok(());
            }
        }
    }
}
