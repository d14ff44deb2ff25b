//! Runs the tests of a release: the hooks of a chart that are for no other time.

use super::error::DeployError;
use super::hooks::Runner;
use super::progress::Progress;
use crate::base::clock::{Clock, SystemClock};
use crate::cluster::Client;
use crate::object::hook::{Hook, at_event};
use crate::release::{HookRun, Record, Store};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The event of tests.
const EVENT: &str = "test";

/// Which tests are run, and how.
#[derive(Clone, Debug)]
pub struct TestOptions {
    /// Only tests of these names, if there are any.
    pub only: Vec<String>,
    /// No tests of these names.
    pub without: Vec<String>,
    /// Show what they print.
    pub logs: bool,
    /// How long each may take.
    pub timeout: Duration,
}

/// A test that ran.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The kind of its object.
    pub kind: String,
    /// The name of its object.
    pub name: String,
    /// What came of it.
    pub run: HookRun,
}

/// Runs the tests of a release's last revision, one after the other, and notes in its record and in
/// `tested` what came of them; the first that fails is the last.
///
/// # Errors
/// When there is no such release or test, one fails or is not done in time, or the cluster refuses.
///
/// # Cancellation
/// By the token: a test that runs is left to itself.
pub async fn test(
    client: &Client,
    namespace: &str,
    name: &str,
    options: &TestOptions,
    progress: &dyn Progress,
    cancel: &CancellationToken,
    tested: &mut Vec<Tested>,
) -> Result<(), DeployError> {
    let store = Store::new(client.clone(), namespace);
    let history = store.existing(name).await?;
    let mut record: Record = history.last().expect("a release has a revision").clone();
    let hooks = record.hooks();
    let tests = at_event(&hooks, EVENT);
    for asked in options.only.iter().chain(&options.without) {
        if tests.iter().all(|test| test.name != *asked) {
            let known: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
            return Err(DeployError::NoTest {
                release: name.to_owned(),
                test: asked.clone(),
                help: (!known.is_empty()).then(|| format!("there are: {}", known.join(", "))),
            });
        }
    }
    let chosen = |hook: &Hook| {
        (options.only.is_empty() || options.only.contains(&hook.name))
            && !options.without.contains(&hook.name)
    };
    if !tests.iter().any(|test| chosen(test)) {
        return Ok(());
    }
    let began = SystemClock.now();
    let TestOptions { logs, timeout, .. } = *options;
    let runner = Runner { client, timeout, logs, progress, cancel };
    let result = runner.run_some(&mut record, EVENT, chosen).await;
    tested.extend(tests.into_iter().filter_map(|test| {
        let run = record.run_of(test).filter(|run| run.started >= began)?;
        Some(Tested { kind: test.kind.clone(), name: test.name.clone(), run })
    }));
    let noted = store.update(&record, SystemClock.now()).await;
    result?;
    noted?;
    Ok(())
}
