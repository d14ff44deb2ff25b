//! Uninstalling: the plan for no objects.

use super::error::DeployError;
use super::hooks::Runner;
use super::live::{self, Kinds};
use super::progress::{Event, Progress};
use super::waves;
use crate::base::clock::{Clock, SystemClock};
use crate::cluster::Client;
use crate::object::inventory::Key;
use crate::object::meta;
use crate::plan::{Change, Options, Plan, Surplus, build};
use crate::release::{History, Record, Status, Store};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct RemoveOptions {
    /// Keep the records, marked as uninstalled.
    pub keep_history: bool,
    /// Leave hooks out.
    pub without_hooks: bool,
    /// Wait until the objects are gone.
    pub wait: bool,
    /// For how long.
    pub timeout: Duration,
}

impl Default for RemoveOptions {
    fn default() -> RemoveOptions {
        RemoveOptions {
            keep_history: false,
            without_hooks: false,
            wait: true,
            timeout: Duration::from_secs(300),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The last revision.
    pub revision: i64,
    /// How many objects were deleted.
    pub deleted: usize,
    /// Objects that asked to be kept.
    pub kept: Vec<String>,
}

/// What removing a release would do. Changes nothing.
///
/// # Errors
/// When there is no such release, or the cluster cannot be reached or refuses.
pub async fn prepare_removal(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(Plan, History), DeployError> {
    let store = Store::new(client.clone(), namespace);
    let history = store.existing(name).await?;
    let live_records = match history.last() {
        Some(last) if last.status() == Status::Uninstalled => Vec::new(),
        _ => history.live(),
    };
    let kinds = Kinds::none();
    let owned = live::inventory(client, &live_records, &kinds).await?;
    let ids: Vec<_> = owned.iter().map(|owned| &owned.id).collect();
    let mut live = live::fetch(client, &ids, &kinds).await?;
    let surplus = owned
        .iter()
        .map(|owned| Surplus {
            live: live.remove(&Key::from(&owned.id)),
            id: owned.id.clone(),
            keep: owned.keep,
        })
        .collect();
    let options = Options { release: (name, namespace), ..Options::default() };
    Ok((build(Vec::new(), surplus, &options)?, history))
}

/// Removes a release: its objects, then its records.
///
/// # Errors
/// When there is no such release, or an object cannot be deleted; the records stay then.
pub async fn uninstall(
    client: &Client,
    namespace: &str,
    name: &str,
    options: &RemoveOptions,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Removal, DeployError> {
    let (plan, history) = prepare_removal(client, namespace, name).await?;
    let store = Store::new(client.clone(), namespace);
    let mut last = history.last().expect("an existing release has a revision").clone();
    let total = plan.actions.iter().filter(|action| action.change.acts()).count();
    last.holder = None;
    if last.status() != Status::Uninstalled {
        let text = "Deletion in progress (or silently failed)";
        last.set_deleted(Status::Uninstalling, text, SystemClock.now());
        store.update(&last, SystemClock.now()).await?;
    }
    let runner = Runner { client, timeout: options.timeout, logs: false, progress, cancel };
    let runs = !options.without_hooks && last.status() != Status::Uninstalled;
    if runs {
        runner.run(&mut last, "pre-delete").await?;
    }
    progress.event(Event::Begins { total });
    let done = waves::run(client, &plan, progress, cancel).await;
    if !done.failures.is_empty() {
        return Err(DeployError::Failed {
            done: done.applied.len(),
            total,
            failures: done.failures,
        });
    }
    if done.interrupted {
        let applied = done.applied.iter().map(|(_, id)| format!("delete {id}")).collect();
        return Err(DeployError::Interrupted { done: done.applied.len(), total, applied });
    }
    if options.wait {
        wait_until_gone(client, &plan, options.timeout).await?;
    }
    if runs {
        runner.run(&mut last, "post-delete").await?;
    }
    if options.keep_history {
        if last.status() != Status::Uninstalled {
            last.set_deleted(Status::Uninstalled, "Uninstallation complete", SystemClock.now());
            store.update(&last, SystemClock.now()).await?;
        }
        let others = history.records().iter();
        for old in
            others.filter(|old| old.status() == Status::Deployed && old.version() != last.version())
        {
            let mut old: Record = old.clone();
            old.supersede();
            store.update(&old, SystemClock.now()).await?;
        }
    } else {
        // the last record goes last: while it is there, the release can be removed again
        for record in history.records() {
            store.forget(record).await?;
        }
    }
    let kept = plan.actions.iter().filter(|action| action.change == Change::Keep);
    Ok(Removal {
        revision: last.version(),
        deleted: done.applied.len(),
        kept: kept.map(|action| action.id.to_string()).collect(),
    })
}

async fn wait_until_gone(
    client: &Client,
    plan: &Plan,
    timeout: Duration,
) -> Result<(), DeployError> {
    let leaving = plan.actions.iter().filter(|action| action.change == Change::Delete);
    let all = async {
        for action in leaving {
            let uid = action.live.as_ref().map(meta::uid).unwrap_or_default();
            while !waves::gone(client, &action.id, uid).await? {}
        }
        Ok::<_, DeployError>(())
    };
    match tokio::time::timeout(timeout, all).await {
        Ok(result) => result,
        Err(_) => Err(DeployError::NotReady { waited: Some(timeout.as_secs()), objects: vec![] }),
    }
}
