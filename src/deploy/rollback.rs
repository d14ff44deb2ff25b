//! Going back: the plan for the manifest of an earlier revision, recorded as a new one.

use super::apply::{self, Operation, Outcome, Settings};
use super::error::DeployError;
use super::live::{Package, prepare};
use super::manifest;
use super::progress::Progress;
use crate::cluster::Client;
use crate::plan::{Intent, PackageFacts};
use crate::release::{History, Record, ReleaseError, Store};
use tokio_util::sync::CancellationToken;

/// Rolls a release back to a revision, or to the last one before the current that was whole.
///
/// # Errors
/// When there is no such release or revision, and whatever [`apply::execute`] fails with.
pub async fn rollback(
    client: &Client,
    namespace: &str,
    name: &str,
    to: Option<i64>,
    settings: &Settings,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Outcome, DeployError> {
    let history = Store::new(client.clone(), namespace).existing(name).await?;
    let target = choose(&history, name, to)?.clone();
    let objects = manifest::parse(&target)?;
    let chart = target.chart();
    let intent = Intent {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        base_revision: 0,
        package: PackageFacts {
            name: chart.name,
            version: chart.version,
            app_version: chart.app_version,
            description: chart.description,
        },
        defaults: target.defaults().clone(),
        config: target.config().clone(),
        manifest: target.manifest().to_owned(),
        notes: target.notes().map(str::to_owned),
        hooks: target.hooks(),
        without_hooks: settings.without_hooks,
    };
    let package = Package { objects: &objects, definitions: &[], hooks: &[] };
    let prepared = prepare(client, package, intent, settings).await?;
    let operation = Operation::Rollback(Box::new(target));
    apply::run(client, prepared, operation, settings, progress, cancel).await
}

fn choose<'a>(
    history: &'a History,
    name: &str,
    to: Option<i64>,
) -> Result<&'a Record, DeployError> {
    let Some(version) = to else {
        return history
            .previous()
            .ok_or_else(|| DeployError::NoEarlier { release: name.to_owned() });
    };
    history.revision(version).ok_or_else(|| {
        let known: Vec<String> =
            history.records().iter().map(|record| record.version().to_string()).collect();
        ReleaseError::NoRevision {
            release: name.to_owned(),
            version,
            help: Some(format!("there are: {}", known.join(", "))),
        }
        .into()
    })
}
