//! Carries out the actions of a plan, wave by wave.

use super::observe;
use super::progress::{Event, Progress};
use crate::cluster::{ApplyOptions, Client, ClusterError, DeleteOptions};
use crate::object::inventory::Key;
use crate::object::status::readiness;
use crate::object::{ObjectId, meta};
use crate::plan::{Action, Change, Plan};
use crate::yaml::Node;
use futures::stream::{self, StreamExt};
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Requests that are prepared at one time; the client bounds how many are under way.
const AHEAD: usize = 32;

/// How long something that others need (a definition of a kind, the end of what is made anew) is
/// waited for.
pub(super) const STEP: Duration = Duration::from_secs(60);

/// What came of carrying out a plan.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The changes that were made, in order.
    pub(super) applied: Vec<(Change, ObjectId)>,
    /// What went wrong with which object.
    pub(super) failures: Vec<String>,
    /// The objects as they were after being applied, and the unchanged ones as they are.
    pub(super) objects: HashMap<Key, Node>,
    /// True when it was told to stop.
    pub(super) interrupted: bool,
}

impl Done {
    /// What came of what followed.
    pub(super) fn add(&mut self, next: Done) {
        self.applied.extend(next.applied);
        self.failures.extend(next.failures);
        self.objects.extend(next.objects);
        self.interrupted |= next.interrupted;
    }
}

/// Carries out a plan. Stops after the wave in which something failed, or when told to; what is
/// under way is brought to its end, so that it is known what was done.
pub(super) async fn run(
    client: &Client,
    plan: &Plan,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Done {
    let mut done = Done::default();
    for wave in plan.waves() {
        let results = wave.iter().map(|action| async move {
            if !action.change.acts() {
                return (action, Some(Ok(action.live.clone())));
            }
            if cancel.is_cancelled() {
                return (action, None);
            }
            (action, Some(act(client, action).await))
        });
        // in the plan's order, so that what is told of it is the same each time
        let mut results = stream::iter(results).buffered(AHEAD);
        while let Some((action, result)) = results.next().await {
            match result {
                None => done.interrupted = true,
                Some(Err(message)) => done.failures.push(message),
                Some(Ok(object)) => {
                    if action.change.acts() {
                        let Action { change, ref id, .. } = *action;
                        progress.event(Event::Changed { change, id });
                        done.applied.push((change, id.clone()));
                    }
                    let stays = !matches!(action.change, Change::Delete | Change::Keep);
                    if let Some(object) = object.filter(|_| stays) {
                        done.objects.insert(Key::from(&action.id), object);
                    }
                }
            }
        }
        if done.failures.is_empty() && !done.interrupted {
            established(client, wave, &mut done, cancel).await;
        }
        if !done.failures.is_empty() || done.interrupted {
            break;
        }
    }
    done
}

/// Kinds that were just defined are waited for: what comes next may be of them.
async fn established(
    client: &Client,
    wave: &[Action],
    done: &mut Done,
    cancel: &CancellationToken,
) {
    let defined = wave.first().is_some_and(|action| {
        action.id.gvk.kind == "CustomResourceDefinition" && action.desired.is_some()
    });
    if !defined {
        return;
    }
    let ids: Vec<ObjectId> = wave.iter().map(|action| action.id.clone()).collect();
    match observe::wait(client, &ids, &done.objects, STEP, readiness, &(), cancel).await {
        Ok(observe::Waited::Ready) => {}
        Ok(observe::Waited::Interrupted) => done.interrupted = true,
        Ok(observe::Waited::Not(objects)) => {
            done.failures
                .extend(objects.iter().map(|(id, state)| format!("{id}: {}", state.message)));
        }
        Err(error) => done.failures.push(error.to_string()),
    }
}

async fn act(client: &Client, action: &Action) -> Result<Option<Node>, String> {
    let told = |error: ClusterError| match &error {
        ClusterError::Rejected { rejection, .. } => format!("{}: {rejection}", action.id),
        _ => format!("{}: {error}", action.id),
    };
    let uid = action.live.as_ref().map(meta::uid).filter(|uid| !uid.is_empty());
    if matches!(action.change, Change::Delete | Change::Recreate) {
        let options = DeleteOptions { uid, ..DeleteOptions::default() };
        match client.delete(&action.id, options).await {
            Ok(_) => {}
            // another object of that name took its place: that one is not ours
            Err(error) if action.change == Change::Delete && error.is_code(409) => {}
            Err(error) => return Err(told(error)),
        }
    }
    let Some(desired) = &action.desired else { return Ok(None) };
    if action.change == Change::Recreate {
        let gone = gone(client, &action.id, uid.unwrap_or_default()).await.map_err(told)?;
        if !gone {
            let held: Vec<&str> = action
                .live
                .iter()
                .flat_map(|live| live.items_at(&["metadata", "finalizers"]))
                .filter_map(Node::as_str)
                .collect();
            let why = match held.as_slice() {
                [] => String::new(),
                some => format!("; it waits for {}", some.join(", ")),
            };
            return Err(format!(
                "{}: is still being deleted after {} s{why}",
                action.id,
                STEP.as_secs()
            ));
        }
    }
    let options = ApplyOptions { manager: &action.manager, force: action.force, dry_run: false };
    client.apply(desired, options).await.map(Some).map_err(told)
}

/// Waits until an object is gone, or another one has its name.
pub(super) async fn gone(client: &Client, id: &ObjectId, uid: &str) -> Result<bool, ClusterError> {
    let started = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(20);
    while started.elapsed() < STEP {
        match client.get(id).await? {
            None => return Ok(true),
            Some(live) if !uid.is_empty() && meta::uid(&live) != uid => return Ok(true),
            Some(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    Ok(false)
}
