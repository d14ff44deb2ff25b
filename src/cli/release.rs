//! What the commands about releases share: connecting, flags, and sorting of errors.

use super::exit::{self, Failure};
use super::live::Live;
use super::progress::Steps;
use super::source_args::{Loaded, SourceArgs};
use super::ui::Ui;
use crate::cluster::{Client, ClusterError, ConnectOptions};
use crate::compile::{Compiled, ReleaseFacts};
use crate::deploy::{self, DeployError, Outcome, Package, Prepared, Settings, manifest_text};
use crate::plan::{Intent, PackageFacts, is_plan};
use crate::release::{Record, ReleaseError, Store};
use crate::yaml::{Node, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Flags of `diff`, `plan` and `apply`.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ReleaseArgs {
    /// The source and its values.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How it is applied.
    #[command(flatten)]
    pub how: How,
}

/// Flags about how a source is applied.
#[derive(clap::Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Release")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct How {
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
    /// Do not run hooks
    #[arg(long)]
    pub no_hooks: bool,
    /// Put the values of this command over those of the release's last revision
    #[arg(long, visible_alias = "reset-then-reuse-values")]
    pub reuse_values: bool,
    /// Use the values of this command and no others (the default)
    #[arg(long, conflicts_with = "reuse_values")]
    pub reset_values: bool,
}

impl ReleaseArgs {
    /// What these flags ask for; the rest is as it is by itself.
    pub fn settings(&self) -> Settings {
        let how = &self.how;
        Settings {
            create_namespace: how.create_namespace,
            prune: !how.no_prune,
            force_conflicts: how.force_conflicts,
            force_recreate: how.force_recreate,
            take_ownership: how.take_ownership,
            without_hooks: how.no_hooks,
            ..Settings::default()
        }
    }

    /// Does something on each target, as [`on_each`] does. Where there is no target, what is wrong
    /// with the source is told all the same.
    ///
    /// # Errors
    /// The first failure.
    pub async fn on_each<T>(
        &self,
        ui: &Ui,
        run: impl AsyncFn(Client) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let lost = || {
            let file = std::fs::read_to_string(&self.source.source);
            if !file.is_ok_and(|text| is_plan(&text))
                && let Ok(loaded) = tokio::task::block_in_place(|| self.source.read(ui))
            {
                tell_faults(ui, &loaded);
            }
        };
        on_each_or(ui, run, lost).await
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
        // a source in a registry is pulled by a runtime of its own
        let loaded = tokio::task::block_in_place(|| self.source.read(ui))?;
        let name = self.source.flags.name.clone().or_else(|| loaded.name());
        let live = Live::of(client, self.source.flags.kube_version.is_some());
        let past = self.past(client, client.namespace(), name.as_deref());
        let (live, past) =
            tokio::try_join!(live, past).inspect_err(|_| tell_faults(ui, &loaded))?;
        let compile = |past: &Past| loaded.compile(ui, &past.facts, Some(&live), &past.values);
        let mut compiled = compile(&past)?;
        if compiled.release.namespace != past.facts.namespace {
            // an overlay moved the release to a namespace where it may have another past
            let there = self.past(client, &compiled.release.namespace, name.as_deref()).await?;
            if there.facts.revision != past.facts.revision || there.values != past.values {
                compiled = compile(&there)?;
            }
        }
        super::report::warn(ui, &loaded.sources, &compiled.warnings);
        let intent = intent(&compiled, &self.source, self.how.no_hooks)?;
        let package = Package {
            objects: &compiled.objects,
            definitions: &compiled.crds,
            hooks: &compiled.hooks,
        };
        deploy::prepare(client, package, intent, settings).await.map_err(sorted)
    }

    /// What the revisions before this one mean for it. Plain manifests say no name beforehand, and
    /// have no use for it.
    async fn past(
        &self,
        client: &Client,
        namespace: &str,
        name: Option<&str>,
    ) -> Result<Past, Failure> {
        let mut facts = ReleaseFacts { namespace: namespace.to_owned(), ..ReleaseFacts::default() };
        let mut values = Node::NULL;
        if let Some(name) = name {
            let history = Store::new(client.clone(), namespace).history(name).await;
            let history = history.map_err(recorded)?;
            facts.is_upgrade = !history.is_install();
            let last = history.last().map_or(0, Record::version);
            facts.revision = u32::try_from(last + 1).unwrap_or(1);
            if self.how.reuse_values && facts.is_upgrade {
                let last = history.deployed().or(history.last());
                values = last.map(|record| record.config().clone()).unwrap_or_default();
            }
        }
        Ok(Past { facts, values })
    }
}

/// Tells what is wrong with a source whatever the target, before it is said that none answers.
fn tell_faults(ui: &Ui, loaded: &Loaded<'_>) {
    let compiled = loaded.compile(ui, &ReleaseFacts::default(), None, &Node::NULL);
    if let Err(Failure::Input { sources, faults }) = compiled {
        super::report::show(ui, &sources, &faults);
    }
}

/// What the revisions before one mean for it.
struct Past {
    /// What templates are told.
    facts: ReleaseFacts,
    /// The values that are used again.
    values: Node,
}

/// What the release is to become.
fn intent(
    compiled: &Compiled,
    source: &SourceArgs,
    without_hooks: bool,
) -> Result<Intent, Failure> {
    // plain manifests have no name of their own
    let plain = compiled.version.is_empty();
    let package = if plain { stem(&source.source) } else { compiled.name.clone() };
    let name = match (&source.flags.name, package.as_str()) {
        (Some(name), _) => name,
        (None, "") => {
            let message = format!(
                "`{}` gives the release no name; name it with `--name NAME`",
                source.source
            );
            return Err(Failure::Usage(message));
        }
        (None, _) => &package,
    };
    let supplied = compiled.supplied.as_map().is_some_and(|map| !map.is_empty());
    Ok(Intent {
        name: name.clone(),
        namespace: compiled.release.namespace.clone(),
        package: PackageFacts {
            name: if package.is_empty() { name.clone() } else { package.clone() },
            version: match compiled.version.as_str() {
                "" => "0.0.0".to_owned(),
                version => version.to_owned(),
            },
            app_version: compiled.app_version.clone(),
            description: compiled.description.clone(),
        },
        defaults: compiled.values.clone(),
        config: if supplied { compiled.supplied.clone() } else { Node::NULL },
        manifest: manifest_text(&compiled.objects),
        notes: compiled.notes.clone(),
        hooks: deploy::hooks_of(&compiled.hooks),
        without_hooks,
        ..Intent::default()
    })
}

/// The name of a file or folder without its ending; empty for standard input.
fn stem(source: &str) -> String {
    if source == "-" {
        return String::new();
    }
    let path = Path::new(source);
    // `.` and `..` name a folder without saying how it is called
    let real = path.file_name().is_none().then(|| path.canonicalize().ok()).flatten();
    let name = real.as_deref().unwrap_or(path).file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    let ends = [".yaml", ".yml", ".json", ".tgz", ".tar.gz"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
}

/// Connects to the one target of the command line.
///
/// # Errors
/// When there is no such target, or several are named.
pub async fn connect(ui: &Ui) -> Result<Client, Failure> {
    match ui.global.target.as_slice() {
        [] => connect_to(ui, None).await,
        [one] => connect_to(ui, Some(one)).await,
        several => Err(Failure::Usage(format!(
            "this command works on one target, not on {}: {}",
            several.len(),
            several.join(", ")
        ))),
    }
}

/// Does something on each target of the command line, one after the other. Stops at the first that
/// fails, and says which were left out.
///
/// # Errors
/// The first failure.
pub async fn on_each<T>(
    ui: &Ui,
    run: impl AsyncFn(Client) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    on_each_or(ui, run, || {}).await
}

/// The same; `lost` is called where a target cannot be connected to.
async fn on_each_or<T>(
    ui: &Ui,
    run: impl AsyncFn(Client) -> Result<T, Failure>,
    lost: impl Fn(),
) -> Result<Vec<T>, Failure> {
    let named = &ui.global.target;
    if named.len() < 2 {
        let client = connect(ui).await.inspect_err(|_| lost())?;
        return Ok(vec![run(client).await?]);
    }
    let mut results = Vec::with_capacity(named.len());
    for (at, target) in named.iter().enumerate() {
        ui.say(format_args!("target {target}:"));
        let result = match connect_to(ui, Some(target)).await {
            Ok(client) => run(client).await,
            Err(failure) => {
                lost();
                Err(failure)
            }
        };
        if result.is_err() && at + 1 < named.len() {
            ui.say(format_args!("it failed; left out: {}", named[at + 1..].join(", ")));
        }
        results.push(result?);
    }
    Ok(results)
}

async fn connect_to(ui: &Ui, target: Option<&String>) -> Result<Client, Failure> {
    let options = ConnectOptions {
        kubeconfig: ui.global.kubeconfig.clone(),
        target: target.cloned(),
        namespace: ui.global.namespace.clone(),
    };
    Client::connect(&options).await.map_err(remote)
}

/// How a command tells what came of it.
#[derive(clap::ValueEnum, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON document for each target
    Json,
}

/// What a document about a target begins with.
pub fn about(client: &Client) -> Node {
    let mut document = Node::map();
    document.set("target", client.target());
    document
}

/// A document with what went wrong.
pub fn failed(mut document: Node, failure: &Failure) -> Node {
    document.set("status", "failed");
    let errors = failure.messages().into_iter().map(|(code, message)| {
        let mut error = Node::map();
        if let Some(code) = code {
            error.set("code", code);
        }
        error.set("message", message);
        error
    });
    document.set("errors", errors.collect::<Vec<Node>>());
    document
}

/// Prints a document.
///
/// # Errors
/// When it cannot be written.
pub fn print_json(ui: &Ui, document: &Node) -> Result<(), Failure> {
    let mut out = ui.out();
    writeln!(out, "{}", json::to_string_pretty(document))?;
    out.flush()?;
    Ok(())
}

/// Says which hooks will run, and when.
pub fn say_hooks(ui: &Ui, prepared: &Prepared) {
    for (event, hook) in prepared.hooks() {
        ui.say(format_args!("{:<9} {} {} ({event})", "hook", hook.kind, hook.name));
    }
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
    steps: &Steps<'_>,
    run: impl AsyncFnOnce(&CancellationToken) -> Result<T, DeployError>,
) -> Result<T, Failure> {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let watcher = tokio::spawn(async move {
        let mut signals = Signals::new();
        signals.next().await;
        token.cancel();
        signals.next().await;
        quit();
    });
    let result = run(&cancel).await;
    watcher.abort();
    steps.finish();
    match result {
        Err(error) if was_interrupted(&error) => {
            super::report::report(ui, &Failure::failed(error));
            Err(Failure::Quiet(exit::INTERRUPTED))
        }
        result => result.map_err(sorted),
    }
}

fn was_interrupted(error: &DeployError) -> bool {
    match error {
        DeployError::Interrupted { .. } => true,
        DeployError::Undone { cause, .. } => was_interrupted(cause),
        _ => false,
    }
}

#[expect(clippy::exit, reason = "the user asked twice; nothing is left to be brought to its end")]
fn quit() {
    std::process::exit(exit::INTERRUPTED.into());
}

/// What asks a process to end: Ctrl-C, and on Unix `SIGTERM`, as CI systems send it.
struct Signals {
    #[cfg(unix)]
    term: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Signals {
        Signals {
            #[cfg(unix)]
            term: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        if let Some(term) = &mut self.term {
            tokio::select! {
                () = interrupt => {}
                _ = term.recv() => {}
            }
            return;
        }
        interrupt.await;
    }
}

/// Says what came of an apply or a rollback.
pub fn say_outcome(ui: &Ui, name: &str, outcome: &Outcome) {
    let told = outcome.counts.told(|key| match key {
        "create" => "created",
        "update" => "updated",
        "recreate" => "made anew",
        "delete" => "deleted",
        "keep" => "let go of but kept",
        key => key,
    });
    let text = match (outcome.changed, told.is_empty()) {
        (true, false) => told,
        (true, true) => "no objects".to_owned(),
        (false, _) => "nothing changed".to_owned(),
    };
    ui.say(format_args!("release {name} revision {}: {text}", outcome.revision));
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

    #[test]
    fn a_source_of_plain_manifests_is_called_as_its_file() {
        for (source, name) in
            [("a/shop.yaml", "shop"), ("shop/", "shop"), ("x.tar.gz", "x"), ("-", ""), ("/", "")]
        {
            assert_eq!(stem(source), name, "{source}");
        }
    }
}
