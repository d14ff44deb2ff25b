//! What commands that speak to registries have in common: flags, a client, progress bars, and the
//! package that is packed or pushed.

use super::exit::{Cause, Failure};
use super::ui::Ui;
use crate::base::archive;
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::oci::artifact::Kind;
use crate::oci::{Client, Event, Keyring, OciError, Options, Progress};
use crate::source::local;
use crate::yaml::{self, Dialect, Node};
use bytes::Bytes;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Flags of every command that speaks to a registry.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct RegistryArgs {
    /// Speak plain HTTP to the registry (loopback addresses need no flag)
    #[arg(long)]
    pub plain_http: bool,
}

impl RegistryArgs {
    /// A client with the logins of docker's configuration.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(Options {
            keyring: Keyring::docker(),
            plain_http: self.plain_http,
            ..Options::default()
        })
    }
}

/// Sorts a registry's error: what it lacks or refuses is an answer, the rest is its trouble.
pub fn registry_failure(error: OciError) -> Failure {
    match error {
        OciError::Reference(error) => Failure::Failed(Box::new(error)),
        error @ OciError::Unauthorized { .. } => Failure::refused(Box::new(error) as Cause),
        error => Failure::remote(Box::new(error) as Cause),
    }
}

/// Bars on a terminal, nothing elsewhere.
#[must_use]
pub fn progress(ui: &Ui) -> Progress {
    if !ui.live() {
        return Progress::none();
    }
    let all = MultiProgress::new();
    let bars: Mutex<HashMap<_, ProgressBar>> = Mutex::default();
    let style = ProgressStyle::with_template("{prefix:.dim} {bar:30} {bytes:>10}/{total_bytes:10}")
        .expect("a fixed template");
    Progress::new(move |event| {
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(digest, size) => {
                let bar = all.add(ProgressBar::new(size).with_style(style.clone()));
                bar.set_prefix(digest.hex()[..12].to_owned());
                bars.insert(digest, bar);
            }
            Event::Moved(digest, count) => {
                if let Some(bar) = bars.get(&digest) {
                    bar.inc(count);
                }
            }
            Event::Finished(digest) => {
                if let Some(bar) = bars.remove(&digest) {
                    bar.finish_and_clear();
                }
            }
        }
    })
}

/// A package, packed.
#[derive(Debug)]
pub struct Packed {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its own file says of it.
    pub metadata: Node,
    /// The archive.
    pub archive: Bytes,
}

/// Packs a folder, or takes an archive as it is.
///
/// # Errors
/// When it is no package or chart, or has no name and version.
pub fn pack(source: &str) -> Result<Packed, Failure> {
    let tree = local::load(source).map_err(Failure::failed)?;
    let (kind, file) = if tree.get("Chart.yaml").is_some() {
        (Kind::Chart, "Chart.yaml")
    } else if tree.get("Package.yaml").is_some() {
        (Kind::Package, "Package.yaml")
    } else {
        let message =
            format!("`{source}` is no package: it has neither Package.yaml nor Chart.yaml");
        return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
    };
    let metadata = read(&tree, file)?;
    let text =
        |key: &str| metadata.str_at(&[key]).filter(|text| !text.is_empty()).map(str::to_owned);
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        let message = format!("`{}` says no `name` and `version`", tree.display(file));
        return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
    };
    if semver::Version::parse(version.trim_start_matches('v')).is_err() {
        let message = format!("`{}`: `{version}` is no semantic version", tree.display(file));
        let help = "write three numbers, such as `1.0.0`";
        return Err(Failure::failed(miette::MietteDiagnostic::new(message).with_help(help)));
    }
    // the name becomes a file and a repository
    if name.contains(['/', '\\']) || name.starts_with('.') {
        let message = format!("`{}`: `{name}` cannot be the name of a package", tree.display(file));
        return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
    }
    let archive = if std::path::Path::new(source).is_file() {
        std::fs::read(source)?
    } else {
        archive::pack(&tree, &name).map_err(Failure::failed)?
    };
    Ok(Packed { kind, name, version, metadata, archive: archive.into() })
}

fn read(tree: &FileTree, file: &str) -> Result<Node, Failure> {
    let sources = Arc::new(Sources::new());
    let text = tree.text(file).ok_or_else(|| {
        let message = format!("`{}` is not UTF-8", tree.display(file));
        Failure::failed(miette::MietteDiagnostic::new(message))
    })?;
    let id = sources.add(tree.display(file), text);
    yaml::parse_one(&sources, id, Dialect::GoYamlV2)
        .map_err(|faults| Failure::Input { sources, faults })
}
