//! What the commands about releases share: connecting, flags, progress, and sorting of errors.

use super::exit::Failure;
use super::source_args::SourceArgs;
use super::ui::Ui;
use crate::cluster::{Client, ClusterError, ConnectOptions};
use crate::compile::ReleaseFacts;
use crate::deploy::{
    self, DeployError, Event, Outcome, Package, Prepared, Progress, Settings, manifest_text,
};
use crate::object::status::State;
use crate::plan::{Intent, PackageFacts};
use crate::release::ReleaseError;
use crate::release::{Record, Store};
use crate::yaml::Node;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Flags of `diff`, `plan` and `apply`.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Release")]
pub struct ReleaseArgs {
    /// The source and its values.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Make the namespace when it is not there
    #[arg(long)]
    pub create_namespace: bool,
    /// Keep objects that the release owned and wants no longer
    #[arg(long)]
    pub no_prune: bool,
    /// Take fields over from other field managers
    #[arg(long)]
    pub force_conflicts: bool,
    /// Delete and make anew what cannot be changed in place
    #[arg(long)]
    pub force_recreate: bool,
    /// Take over objects that are not this release's
    #[arg(long)]
    pub take_ownership: bool,
}

impl ReleaseArgs {
    /// What these flags ask for; the rest is as it is by itself.
    pub fn settings(&self) -> Settings {
        Settings {
            create_namespace: self.create_namespace,
            prune: !self.no_prune,
            force_conflicts: self.force_conflicts,
            force_recreate: self.force_recreate,
            take_ownership: self.take_ownership,
            ..Settings::default()
        }
    }

    /// Reads the source and finds out what has to be done.
    ///
    /// # Errors
    /// When the source has faults, or something stands against the plan.
    pub async fn prepare(
        &self,
        ui: &Ui,
        client: &Client,
        settings: &Settings,
    ) -> Result<Prepared, Failure> {
        let mut facts =
            ReleaseFacts { namespace: client.namespace().to_owned(), ..ReleaseFacts::default() };
        // templates are told the revision, so it is looked up when the name is known beforehand
        if let Some(name) = &self.source.flags.name {
            let history = Store::new(client.clone(), client.namespace()).history(name).await;
            let history = history.map_err(recorded)?;
            facts.is_upgrade = !history.is_install();
            let last = history.last().map_or(0, Record::version);
            facts.revision = u32::try_from(last + 1).unwrap_or(1);
        }
        // a source in a registry is pulled by a runtime of its own
        let compile = || self.source.compile_for(ui, &facts);
        let (_, compiled) = tokio::task::block_in_place(compile)?;
        let supplied = compiled.supplied;
        let intent = Intent {
            name: compiled.release.name.clone().unwrap_or_else(|| compiled.name.clone()),
            namespace: client.namespace().to_owned(),
            package: PackageFacts {
                name: compiled.name,
                version: match compiled.version.as_str() {
                    "" => "0.0.0".to_owned(),
                    version => version.to_owned(),
                },
                ..PackageFacts::default()
            },
            defaults: compiled.values,
            config: if supplied.as_map().is_some_and(|map| !map.is_empty()) {
                supplied
            } else {
                Node::NULL
            },
            manifest: manifest_text(&compiled.objects),
            notes: compiled.notes,
            ..Intent::default()
        };
        let package = Package { objects: &compiled.objects, definitions: &compiled.crds };
        deploy::prepare(client, package, intent, settings).await.map_err(sorted)
    }
}

/// Connects to the target of the command line.
///
/// # Errors
/// When there is no such target.
pub async fn connect(ui: &Ui) -> Result<Client, Failure> {
    let options = ConnectOptions {
        kubeconfig: ui.global.kubeconfig.clone(),
        target: ui.global.target.clone(),
        namespace: ui.global.namespace.clone(),
    };
    Client::connect(&options).await.map_err(remote)
}

/// Says what the server warned of.
pub fn say_warnings(ui: &Ui, client: &Client) {
    for warning in client.take_warnings() {
        ui.say(format_args!("warning: {warning}"));
    }
}

/// Gives an error of a cluster its exit code.
pub fn remote(error: ClusterError) -> Failure {
    Failure::remote(error)
}

/// Gives an error of a release record its exit code.
pub fn recorded(error: ReleaseError) -> Failure {
    match error {
        ReleaseError::Cluster(error) => remote(error),
        ReleaseError::Raced { .. } => Failure::refused(error),
        error => Failure::failed(error),
    }
}

/// Gives an error of deploying its exit code.
pub fn sorted(error: DeployError) -> Failure {
    match error {
        DeployError::Cluster(error) => remote(error),
        DeployError::Release(error) => recorded(error),
        DeployError::Refused(refusals) if refusals.are_policy() => Failure::refused(refusals),
        DeployError::Refused(refusals) => Failure::failed(refusals),
        error @ (DeployError::Busy { .. } | DeployError::Drift { .. }) => Failure::refused(error),
        error => Failure::failed(error),
    }
}

/// Runs something that Ctrl-C brings to an orderly end; a second one ends the process.
///
/// # Errors
/// Those of the operation.
pub async fn interruptible<T>(
    ui: &Ui,
    run: impl AsyncFnOnce(&CancellationToken) -> Result<T, DeployError>,
) -> Result<T, Failure> {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let watcher = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
            // the default of the signal no longer holds, so a second one is waited for
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::abort();
            }
        }
    });
    let result = run(&cancel).await;
    watcher.abort();
    match result {
        Err(error @ DeployError::Interrupted { .. }) => {
            super::report::report(ui, &Failure::failed(error));
            Err(Failure::Quiet(super::exit::INTERRUPTED))
        }
        result => result.map_err(sorted),
    }
}

/// Prints one line for each change and each step to being ready.
#[derive(Debug)]
pub struct Lines<'a>(pub &'a Ui);

impl Progress for Lines<'_> {
    fn event(&self, event: Event<'_>) {
        let ui = self.0;
        match event {
            Event::TookOver { version, status } => ui.say(format_args!(
                "revision {version} was left {status} by a process that is gone; going on from it"
            )),
            Event::Suspects { version } => ui.say(format_args!(
                "revision {version} is being worked on elsewhere; watching whether that is still so"
            )),
            Event::NamespaceCreated(name) => ui.say(format_args!("created namespace {name}")),
            Event::Begins { .. } | Event::Waits { .. } => {}
            Event::Changed { change, id } => ui.say(format_args!("{:<9} {id}", change.as_str())),
            Event::Readiness { id, readiness } if readiness.state == State::Current => {
                if !readiness.message.is_empty() {
                    ui.say(format_args!("ready     {id}: {}", readiness.message));
                }
            }
            Event::Readiness { id, readiness } => {
                ui.say(format_args!("waiting   {id}: {}", readiness.message));
            }
            Event::Trouble { id, text } => ui.say(format_args!("trouble   {id}: {text}")),
            Event::RollsBack { to: Some(version) } => {
                ui.say(format_args!("it failed; rolling back to revision {version}"));
            }
            Event::RollsBack { to: None } => ui.say("it failed; removing the release again"),
        }
    }
}

/// Says what came of an apply or a rollback.
pub fn say_outcome(ui: &Ui, name: &str, outcome: &Outcome) {
    let counts = outcome.counts;
    if outcome.changed {
        ui.say(format_args!(
            "release {name} revision {}: {} created, {} updated, {} deleted, {} unchanged",
            outcome.revision,
            counts.create,
            counts.update + counts.recreate,
            counts.delete,
            counts.unchanged
        ));
    } else {
        ui.say(format_args!("release {name} revision {}: nothing changed", outcome.revision));
    }
}

/// Reads `90`, `90s`, `5m`, `1h30m` as Go does.
///
/// # Errors
/// A text that says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is no duration such as `90s`, `5m` or `1h30m`");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let number: u64 = digits.parse().map_err(|_| expected())?;
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(expected()),
        };
        let seconds = number.checked_mul(unit).ok_or_else(expected)?;
        total = total.checked_add(Duration::from_secs(seconds)).ok_or_else(expected)?;
        digits.clear();
    }
    if digits.is_empty() && !text.is_empty() { Ok(total) } else { Err(expected()) }
}

/// Lines of cells in columns.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text
}

/// Rows with the names of their columns, in the form that was asked for.
pub fn listed(keys: &[&str], rows: Vec<Vec<String>>, output: Output) -> String {
    if output == Output::Table {
        let mut all = vec![keys.iter().map(|key| key.replace('_', " ").to_uppercase()).collect()];
        all.extend(rows);
        return table(&all);
    }
    let items = rows.into_iter().map(|row| {
        let mut node = Node::map();
        for (key, cell) in keys.iter().zip(row) {
            node.set(key, cell);
        }
        node
    });
    as_text(&Node::from(items.collect::<Vec<Node>>()), output)
}

/// How results are printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// A value as JSON or YAML.
pub fn as_text(node: &Node, output: Output) -> String {
    match output {
        Output::Yaml => crate::yaml::emit::to_string(node, &crate::yaml::emit::Style::default()),
        _ => crate::yaml::json::to_string_pretty(node) + "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in
            [("90", Some(90)), ("5m", Some(300)), ("1h30m", Some(5400)), ("x", None), ("5m3", None)]
        {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
