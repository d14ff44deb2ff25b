//! Runs hooks: one after the other by weight, each waited for before the next one.
//!
//! ```text
//! delete (before-hook-creation) ──> apply ──> wait ──┬─ succeeded ─> next … ─> delete (hook-succeeded)
//!                                                    └─ failed ────> delete (hook-failed), the ones
//!                                                                    before it (hook-succeeded), stop
//! ```
//!
//! What a hook prints is shown when its `helm.sh/hook-output-log-policy` says so. A Job is waited for until it is complete, a Pod until it has succeeded, a definition of a kind
//! until it is served; everything else is done when it is there. Hooks are not the release's own:
//! they carry no stamps, and removing the release leaves those that no policy removes. A definition
//! of a kind is never deleted, for all objects of its kind would go with it. All of this is Helm's.

use super::cause;
use super::error::{DeployError, FailedHook, NotReady};
use super::hook_log;
use super::manifest;
use super::observe::{self, Waited};
use super::progress::{Event, Progress};
use super::waves;
use crate::base::clock::{Clock, SystemClock};
use crate::cluster::{ApplyOptions, Client, ClusterError, DeleteOptions};
use crate::object::hook::{Hook, at_event};
use crate::object::inventory::Key;
use crate::object::status::Readiness;
use crate::object::{Gvk, ObjectId, meta, status};
use crate::release::{HookRun, MANAGER, Record};
use crate::yaml::Node;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How hooks run.
pub(super) struct Runner<'a> {
    pub(super) client: &'a Client,
    /// How long each may take.
    pub(super) timeout: Duration,
    /// Show what all of them print, not only what those print that ask for it.
    pub(super) logs: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
}

/// A hook that is about to run: itself, and its objects.
struct Ready<'a> {
    hook: &'a Hook,
    objects: Vec<(ObjectId, Node)>,
}

impl Runner<'_> {
    /// Runs the hooks of a record at an event, and notes in it what came of them.
    ///
    /// # Errors
    /// When one fails, is not done in time, or cannot be made or removed.
    ///
    /// # Cancellation
    /// By the token: a hook that runs is left to itself.
    pub(super) async fn run(&self, record: &mut Record, event: &str) -> Result<(), DeployError> {
        self.run_some(record, event, |_| true).await
    }

    /// Runs those of the hooks that are `chosen`; as [`Runner::run`] otherwise.
    pub(super) async fn run_some(
        &self,
        record: &mut Record,
        event: &str,
        chosen: impl Fn(&Hook) -> bool,
    ) -> Result<(), DeployError> {
        let mut all = record.hooks();
        all.retain(chosen);
        let namespace = record.namespace().to_owned();
        let mut done: Vec<Ready<'_>> = Vec::new();
        for hook in at_event(&all, event) {
            let ready = Ready { hook, objects: self.objects(hook, &namespace).await? };
            if self.cancel.is_cancelled() {
                return Err(stopped(&done));
            }
            if hook.when.deletes("before-hook-creation") {
                self.delete(&ready).await?;
            }
            for (id, _) in &ready.objects {
                self.progress.event(Event::Hook { event, id });
            }
            let started = SystemClock.now();
            let result = self.one(&ready, event).await;
            let succeeded = result.is_ok();
            let policy = if succeeded { "hook-succeeded" } else { "hook-failed" };
            if self.logs || hook.when.output_log_policies.iter().any(|its| its == policy) {
                for (id, _) in &ready.objects {
                    hook_log::show(self.client, id, self.progress).await;
                }
            }
            record.note_run(hook, &HookRun { started, completed: SystemClock.now(), succeeded });
            if let Err(error) = result {
                // what cannot be removed now is less news than the failure
                if hook.when.deletes("hook-failed") {
                    let _ = self.delete(&ready).await;
                }
                for before in done.iter().filter(|it| it.hook.when.deletes("hook-succeeded")) {
                    let _ = self.delete(before).await;
                }
                return Err(error);
            }
            done.push(ready);
        }
        for ready in done.iter().rev().filter(|it| it.hook.when.deletes("hook-succeeded")) {
            self.delete(ready).await?;
        }
        Ok(())
    }

    async fn objects(&self, hook: &Hook, home: &str) -> Result<Vec<(ObjectId, Node)>, DeployError> {
        let mut found = Vec::new();
        for mut root in manifest::parse_documents(&hook.manifest)? {
            let gvk = meta::gvk(&root).unwrap_or_default();
            let namespaced = self.client.resource(&gvk).await?.namespaced;
            if !namespaced {
                root.remove_at(&["metadata", "namespace"]);
            } else if meta::namespace(&root).is_empty() {
                root.set_at(&["metadata", "namespace"], home);
            }
            let namespace = meta::namespace(&root).into();
            let id = ObjectId { gvk, namespace, name: meta::name(&root).into() };
            found.push((id, root));
        }
        Ok(found)
    }

    /// Makes the objects of a hook and waits until they are done.
    async fn one(&self, ready: &Ready<'_>, event: &str) -> Result<(), DeployError> {
        let failed = |problem: String, waited, cause| {
            DeployError::Hook(Box::new(FailedHook {
                event: event.to_owned(),
                path: ready.hook.path.clone(),
                waited,
                object: NotReady {
                    object: format!("{} {}", ready.hook.kind, ready.hook.name),
                    message: problem,
                    cause,
                },
            }))
        };
        let mut made = HashMap::new();
        for (id, root) in &ready.objects {
            let options = ApplyOptions { manager: MANAGER, force: false, dry_run: false };
            match self.client.apply(root, options).await {
                Ok(object) => drop(made.insert(Key::from(id), object)),
                Err(ClusterError::Rejected { rejection, .. }) => {
                    return Err(failed(rejection.to_string(), None, Vec::new()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let awaited: Vec<ObjectId> =
            ready.objects.iter().map(|(id, _)| id.clone()).filter(is_awaited).collect();
        let started = tokio::time::Instant::now();
        let waited = observe::wait(
            self.client,
            &awaited,
            &made,
            self.timeout,
            finished,
            self.progress,
            self.cancel,
        );
        match waited.await? {
            Waited::Ready => Ok(()),
            Waited::Interrupted => Err(DeployError::Interrupted {
                done: 0,
                total: 1,
                applied: vec![format!("hook {} {}", ready.hook.kind, ready.hook.name)],
            }),
            Waited::Not(objects) => {
                let elapsed = started.elapsed();
                let waited = (elapsed >= self.timeout).then_some(elapsed.as_secs());
                let Some((id, state)) = objects.first() else { return Ok(()) };
                let told = cause::explain(self.client, id, state).await;
                Err(failed(told.message, waited, told.cause))
            }
        }
    }

    /// Deletes the objects of a hook and waits until they are gone.
    async fn delete(&self, ready: &Ready<'_>) -> Result<(), DeployError> {
        for (id, _) in &ready.objects {
            if is_definition(&id.gvk) {
                continue;
            }
            match self.client.delete(id, DeleteOptions::default()).await {
                Ok(_) => {}
                Err(error) if error.is_code(404) => continue,
                Err(error) => return Err(error.into()),
            }
            if !waves::gone(self.client, id, "").await? {
                return Err(DeployError::NotReady {
                    waited: Some(waves::STEP.as_secs()),
                    objects: vec![NotReady {
                        object: format!("hook {id}"),
                        message: "is still being deleted".to_owned(),
                        cause: Vec::new(),
                    }],
                });
            }
        }
        Ok(())
    }
}

fn stopped(done: &[Ready<'_>]) -> DeployError {
    let applied = done.iter().map(|it| format!("hook {} {}", it.hook.kind, it.hook.name));
    DeployError::Interrupted { done: done.len(), total: done.len(), applied: applied.collect() }
}

fn is_definition(gvk: &Gvk) -> bool {
    gvk.group == "apiextensions.k8s.io" && gvk.kind == "CustomResourceDefinition"
}

/// True for what is done only some time after it was made.
fn is_awaited(id: &ObjectId) -> bool {
    observe::is_done_once(&id.gvk) || is_definition(&id.gvk)
}

/// How near a hook is to its end: unlike what runs for good, a Pod or Job that runs is not done.
fn finished(object: &Node) -> Readiness {
    let state = status::completion(object);
    let runs = object.str_at(&["kind"]) == Some("Pod")
        && object.str_at(&["status", "phase"]) != Some("Succeeded");
    if runs && state.is_ready() { Readiness::in_progress(state.message) } else { state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::status::State;
    use serde_json::json;

    #[test]
    fn what_runs_is_not_done() {
        for (object, expected) in [
            (json!({"kind": "Pod", "status": {"phase": "Running"}}), State::InProgress),
            (json!({"kind": "Pod", "status": {"phase": "Succeeded"}}), State::Current),
            (json!({"kind": "Pod", "status": {"phase": "Failed"}}), State::Failed),
            (json!({"kind": "Job", "status": {"startTime": "x", "active": 1}}), State::InProgress),
            (
                json!({"kind": "Job", "status": {"conditions": [
                {"type": "Complete", "status": "True"}]}}),
                State::Current,
            ),
            (
                json!({"kind": "Job", "status": {"conditions": [
                {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}),
                State::Failed,
            ),
        ] {
            let mut node = Node::from(object.clone());
            let core = node.str_at(&["kind"]) == Some("Pod");
            node.set("apiVersion", if core { "v1" } else { "batch/v1" });
            assert_eq!(finished(&node).state, expected, "{object}");
        }
    }
}
