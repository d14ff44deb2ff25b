//! Carries out a prepared plan and keeps the release's record true at every step.
//!
//! ```text
//!            ┌─ all changed, all ready ──> deployed, what was deployed before ──> superseded
//! pending-* ─┼─ a change failed ─────────> failed ─┐
//!            ├─ not ready in time ───────> failed ─┼ --atomic ──> rollback | uninstall
//!            └─ Ctrl-C ──────────────────> failed ─┘
//! ```

use super::cause;
use super::claim::{self, Heartbeat};
use super::error::DeployError;
use super::hooks::Runner;
use super::live::Prepared;
use super::manifest;
use super::observe::{self, Waited};
use super::progress::{Event, Progress};
use super::remove::{self, RemoveOptions};
use super::rollback;
use super::waves::{self, Done};
use crate::base::clock::{Clock, SystemClock};
use crate::cluster::{ApplyOptions, Client};
use crate::object::ObjectId;
use crate::object::status::{completion, readiness};
use crate::plan::{Action, Counts, Intent, Plan};
use crate::release::{Chart, Draft, History, MANAGER, Record, ReleaseError, Status, Store};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What the user asked for beside the package.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Make the namespace when it is not there.
    pub create_namespace: bool,
    /// Delete what the release owned and wants no longer.
    pub prune: bool,
    /// Take over objects that are not this release's.
    pub take_ownership: bool,
    /// Take over fields of other managers.
    pub force_conflicts: bool,
    /// Delete and make anew what cannot be changed in place.
    pub force_recreate: bool,
    /// Wait until everything is ready.
    pub wait: bool,
    /// Wait until Jobs are complete, too.
    pub wait_for_jobs: bool,
    /// For how long.
    pub timeout: Duration,
    /// Leave hooks out.
    pub without_hooks: bool,
    /// Put back what was before when it fails.
    pub atomic: bool,
    /// So many revisions are kept; 0: all.
    pub history_max: usize,
    /// In place of `Install complete` and the like.
    pub description: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            create_namespace: false,
            prune: true,
            take_ownership: false,
            force_conflicts: false,
            force_recreate: false,
            wait: true,
            wait_for_jobs: false,
            timeout: Duration::from_secs(300),
            without_hooks: false,
            atomic: false,
            history_max: 10,
            description: None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The revision that is deployed now.
    pub revision: i64,
    /// False when everything was as it should be already, and no revision was made.
    pub changed: bool,
    /// True when this was the release's first revision.
    pub installed: bool,
    /// How many objects there were of each change.
    pub counts: Counts,
    /// Notes for the user.
    pub notes: Option<String>,
}

/// What kind of operation it is; decides names and texts of records.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Install,
    Upgrade,
    Rollback(Box<Record>),
}

impl Operation {
    fn pending(&self) -> (Status, &'static str) {
        match self {
            Operation::Install => (Status::PendingInstall, "Initial install underway"),
            Operation::Upgrade => (Status::PendingUpgrade, "Preparing upgrade"),
            Operation::Rollback(_) => (Status::PendingRollback, ""),
        }
    }

    fn complete(&self) -> String {
        match self {
            Operation::Install => "Install complete".to_owned(),
            Operation::Upgrade => "Upgrade complete".to_owned(),
            Operation::Rollback(to) => format!("Rollback to {}", to.version()),
        }
    }

    /// When hooks run: before and after.
    fn events(&self) -> (&'static str, &'static str) {
        match self {
            Operation::Install => ("pre-install", "post-install"),
            Operation::Upgrade => ("pre-upgrade", "post-upgrade"),
            Operation::Rollback(_) => ("pre-rollback", "post-rollback"),
        }
    }

    fn failed(&self, release: &str, why: &str) -> String {
        let what = match self {
            Operation::Install => "Release",
            Operation::Upgrade => "Upgrade",
            Operation::Rollback(_) => "Rollback",
        };
        let why: String = why.chars().take(1000).collect();
        format!("{what} \"{release}\" failed: {why}")
    }
}

/// Carries out a plan.
///
/// # Errors
/// When someone else works on the release, a change fails, or something is not ready in time. The
/// record says so too.
///
/// # Cancellation
/// By the token: what is under way is brought to its end and the record is marked failed.
pub async fn execute(
    client: &Client,
    prepared: Prepared,
    settings: &Settings,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Outcome, DeployError> {
    let operation =
        if prepared.history.is_install() { Operation::Install } else { Operation::Upgrade };
    run(client, prepared, operation, settings, progress, cancel).await
}

pub(super) async fn run(
    client: &Client,
    prepared: Prepared,
    operation: Operation,
    settings: &Settings,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Outcome, DeployError> {
    let home = prepared.home().cloned();
    let Prepared { intent, plan, history } = prepared;
    let store = Store::new(client.clone(), &*intent.namespace);
    let history = claim::claim(&store, history, progress).await?;
    if history.last().map_or(0, Record::version) != intent.base_revision {
        return Err(ReleaseError::Raced {
            release: intent.name.clone(),
            version: history.next_version() - 1,
        }
        .into());
    }
    let mut outcome = Outcome {
        revision: history.next_version(),
        changed: true,
        installed: matches!(operation, Operation::Install),
        counts: plan.counts(),
        notes: intent.notes.clone(),
    };
    let ids: Vec<ObjectId> = plan
        .actions
        .iter()
        .filter(|action| action.desired.is_some())
        .map(|action| action.id.clone())
        .collect();
    if plan.is_empty()
        && !matches!(operation, Operation::Rollback(_))
        && let Some(same) = as_recorded(&history, &intent)
    {
        let done = waves::run(client, &plan, progress, cancel).await;
        finish(client, &ids, &done, 0, settings, progress, cancel).await?;
        return Ok(Outcome { revision: same, changed: false, ..outcome });
    }
    let mut record = record(&intent, &operation, &history);
    claim::sign(&mut record);
    // refuses what does not fit before anything is written
    crate::release::to_secret(&record, true, SystemClock.now())?;
    if let Some(home) = home.as_ref().and_then(|action| action.desired.as_ref()) {
        client.apply(home, ApplyOptions { manager: MANAGER, force: false, dry_run: false }).await?;
    }
    for old in history.to_forget(settings.history_max) {
        store.forget(old).await?;
    }
    store.create(&record, SystemClock.now()).await?;
    let heartbeat = Heartbeat::start(&store, &record);
    let total = plan.actions.iter().filter(|action| action.change.acts()).count();
    progress.event(Event::Begins { total });
    let result = if intent.without_hooks || intent.hooks.is_empty() {
        let done = waves::run(client, &plan, progress, cancel).await;
        finish(client, &ids, &done, total, settings, progress, cancel).await
    } else {
        let timeout = settings.timeout;
        let runner = Runner { client, timeout, logs: false, progress, cancel };
        with_hooks(&runner, &plan, &ids, &mut record, &operation, settings).await
    };
    heartbeat.stop().await;
    record.holder = None;
    match result {
        Ok(()) => {
            let complete = settings.description.clone().unwrap_or_else(|| operation.complete());
            record.set_status(Status::Deployed, complete);
            store.update(&record, SystemClock.now()).await?;
            let before = history.records().iter();
            for old in before.filter(|old| old.status() == Status::Deployed) {
                let mut old = old.clone();
                old.supersede();
                store.update(&old, SystemClock.now()).await?;
            }
            outcome.revision = record.version();
            Ok(outcome)
        }
        Err(error) => {
            let why = error.to_string();
            record.set_status(Status::Failed, operation.failed(&intent.name, &why));
            store.update(&record, SystemClock.now()).await?;
            if settings.atomic && !matches!(operation, Operation::Rollback(_)) {
                return Err(undo(client, &intent, &history, error, settings, progress).await);
            }
            Err(error)
        }
    }
}

/// Carries out a plan between its hooks. Definitions of kinds come before the first of them, which
/// may be of these kinds.
async fn with_hooks(
    runner: &Runner<'_>,
    plan: &Plan,
    ids: &[ObjectId],
    record: &mut Record,
    operation: &Operation,
    settings: &Settings,
) -> Result<(), DeployError> {
    let Runner { client, progress, cancel, .. } = *runner;
    let (before, after) = operation.events();
    let is_definition = |action: &&Action| {
        action.id.gvk.kind == "CustomResourceDefinition" && action.desired.is_some()
    };
    let (first, rest): (Vec<&Action>, Vec<&Action>) = plan.actions.iter().partition(is_definition);
    let part = |actions: Vec<&Action>| Plan { actions: actions.into_iter().cloned().collect() };
    let (first, rest) = (part(first), part(rest));
    let total = plan.actions.iter().filter(|action| action.change.acts()).count();
    let mut done = waves::run(client, &first, progress, cancel).await;
    if done.failures.is_empty() && !done.interrupted {
        runner.run(record, before).await?;
        done.add(waves::run(client, &rest, progress, cancel).await);
    }
    finish(client, ids, &done, total, settings, progress, cancel).await?;
    runner.run(record, after).await
}

/// Turns what was done into a result: failures, an interruption, or readiness.
async fn finish(
    client: &Client,
    ids: &[ObjectId],
    done: &Done,
    total: usize,
    settings: &Settings,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<(), DeployError> {
    let interrupted = || DeployError::Interrupted {
        done: done.applied.len(),
        total,
        applied: done
            .applied
            .iter()
            .map(|(change, id)| format!("{} {id}", change.as_str()))
            .collect(),
    };
    if !done.failures.is_empty() {
        let failures = done.failures.clone();
        return Err(DeployError::Failed { done: done.applied.len(), total, failures });
    }
    if done.interrupted {
        return Err(interrupted());
    }
    if !settings.wait {
        return Ok(());
    }
    let started = tokio::time::Instant::now();
    let Settings { timeout, wait_for_jobs, .. } = *settings;
    let judge = if wait_for_jobs { completion } else { readiness };
    match observe::wait(client, ids, &done.objects, timeout, judge, progress, cancel).await? {
        Waited::Ready => Ok(()),
        Waited::Interrupted => Err(interrupted()),
        Waited::Not(objects) => {
            let mut explained = Vec::with_capacity(objects.len().min(10));
            for (id, state) in objects.iter().take(10) {
                explained.push(cause::explain(client, id, state).await);
            }
            let elapsed = started.elapsed();
            let waited = (elapsed >= settings.timeout).then_some(elapsed.as_secs());
            Err(DeployError::NotReady { waited, objects: explained })
        }
    }
}

/// True when the last revision is deployed and a new one would be the same.
pub(super) fn is_as_recorded(history: &History, intent: &Intent) -> bool {
    as_recorded(history, intent).is_some()
}

/// The last revision's number, when it is deployed and a new one would be the same.
fn as_recorded(history: &History, intent: &Intent) -> Option<i64> {
    let last = history.last().filter(|last| last.status() == Status::Deployed)?;
    let same = manifest::is_same(last.manifest(), &intent.manifest)
        && *last.config() == intent.config
        && last.chart() == chart(intent)
        && last.notes().map(str::to_owned) == intent.notes
        && manifest::are_same_hooks(&last.hooks(), &intent.hooks);
    same.then(|| last.version())
}

fn chart(intent: &Intent) -> Chart {
    let package = &intent.package;
    Chart {
        name: package.name.clone(),
        version: package.version.clone(),
        app_version: package.app_version.clone(),
        description: package.description.clone(),
    }
}

fn record(intent: &Intent, operation: &Operation, history: &History) -> Record {
    let now = SystemClock.now();
    let version = history.next_version();
    let last = history.last();
    if let (Operation::Rollback(target), Some(last)) = (operation, last) {
        return target.rolled_back(version, last, now);
    }
    let (status, description) = operation.pending();
    let first_deployed = match operation {
        Operation::Install => None,
        _ => last.map(|last| last.first_deployed().to_owned()),
    };
    let draft = Draft {
        name: intent.name.clone(),
        namespace: intent.namespace.clone(),
        version,
        status,
        description: description.to_owned(),
        first_deployed,
        chart: chart(intent),
        defaults: intent.defaults.clone(),
        config: intent.config.clone(),
        manifest: intent.manifest.clone(),
        hooks: intent.hooks.clone(),
        notes: intent.notes.clone(),
    };
    let mut record = Record::new(draft, now);
    if let Some(last) = last.filter(|_| !matches!(operation, Operation::Install)) {
        record.labels.clone_from(&last.labels);
    }
    record
}

/// Puts back what was before a failed operation.
async fn undo(
    client: &Client,
    intent: &Intent,
    before: &History,
    cause: DeployError,
    settings: &Settings,
    progress: &dyn Progress,
) -> DeployError {
    let target = before.deployed().map(Record::version);
    progress.event(Event::RollsBack { to: target });
    let settings = Settings { atomic: false, force_conflicts: true, ..settings.clone() };
    // a second Ctrl-C ends the process; this one must come to its end
    let token = CancellationToken::new();
    let undone = match target {
        Some(version) => {
            let name = &intent.name;
            let to = Some(version);
            let rolled = Box::pin(rollback::rollback(
                client,
                &intent.namespace,
                name,
                to,
                &settings,
                progress,
                &token,
            ));
            rolled.await.map(|outcome| {
                format!("rolled back to revision {version} as revision {}", outcome.revision)
            })
        }
        None => {
            let options = RemoveOptions {
                timeout: settings.timeout,
                without_hooks: settings.without_hooks,
                ..RemoveOptions::default()
            };
            let removed = remove::uninstall(
                client,
                &intent.namespace,
                &intent.name,
                &options,
                progress,
                &token,
            );
            removed.await.map(|_| "the release was removed again".to_owned())
        }
    };
    let undone =
        undone.unwrap_or_else(|error| format!("putting back what was before failed too: {error}"));
    DeployError::Undone { cause: Box::new(cause), undone }
}
