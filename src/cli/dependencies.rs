//! The charts that a chart depends on, fetched into its folder `charts`.
//!
//! What `Chart.lock` says counts, as long as it was made for what `Chart.yaml` asks for. Everything
//! is fetched before anything is written.

use super::exit::Failure;
use super::source_args::SourceFlags;
use super::ui::Ui;
use crate::base::archive;
use crate::base::clock::{Clock, SystemClock};
use crate::base::source::Sources;
use crate::base::tree::Limits;
use crate::package::chart::lock::{self, Locked};
use crate::package::chart::{self, Dependency, is_compatible};
use crate::source::local;
use crate::yaml::{self, Dialect};
use miette::MietteDiagnostic;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Fetches what a chart in a folder lists and does not hold.
///
/// # Errors
/// When something cannot be had or written.
pub(super) fn update(ui: &Ui, folder: &str, flags: &SourceFlags) -> Result<(), Failure> {
    let path = Path::new(folder);
    if !path.is_dir() {
        return Ok(());
    }
    let tree = local::load(folder).map_err(Failure::failed)?;
    let sources = Arc::new(Sources::new());
    let chart = chart::load(&tree, &sources)
        .map_err(|fault| Failure::Input { sources, faults: fault.into() })?;
    if chart::missing(&chart).is_empty() {
        return Ok(());
    }
    let asked = chart.metadata.dependencies.borrow().clone().unwrap_or_default();
    let lock = if chart.metadata.api_version == "v1" { "requirements.lock" } else { "Chart.lock" };
    let locked = tree.text(lock).and_then(|text| lock::read(text, &asked));
    if locked.is_none() && tree.get(lock).is_some() {
        ui.say(format_args!("{lock} does not go with Chart.yaml: versions are chosen anew"));
    }
    let mut fetched = Vec::with_capacity(asked.len());
    for (at, dependency) in asked.iter().enumerate() {
        let chosen = locked.as_ref().and_then(|locked| locked.get(at));
        let range = chosen.map_or(&dependency.version, |locked| &locked.version);
        fetched.push(one(ui, path, dependency, range, flags)?);
    }
    let charts = path.join("charts");
    fs::create_dir_all(&charts)?;
    for (locked, archive) in &fetched {
        let Some(archive) = archive else { continue };
        ui.say(format_args!("fetched {} {}", locked.name, locked.version));
        put(&charts, &format!("{}-{}.tgz", locked.name, locked.version), archive)?;
        outdated(&charts, locked)?;
    }
    if locked.is_none() {
        let chosen: Vec<Locked> = fetched.into_iter().map(|(locked, _)| locked).collect();
        let text = lock::write(&asked, &chosen, &SystemClock.now().to_string());
        put(path, lock, text.as_bytes())?;
    }
    Ok(())
}

/// A dependency's version and archive; no archive for one that lies in `charts` and nowhere else.
fn one(
    ui: &Ui,
    folder: &Path,
    dependency: &Dependency,
    range: &str,
    flags: &SourceFlags,
) -> Result<(Locked, Option<Vec<u8>>), Failure> {
    let Dependency { name, repository, .. } = dependency;
    let failed = |text: String| Failure::failed(MietteDiagnostic::new(text));
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(failed(format!("`{name}` is no name of a chart")));
    }
    let beside = match repository.strip_prefix("file://") {
        Some(path) => Some(folder.join(path)),
        None if repository.is_empty() => Some(folder.join("charts").join(name)),
        None => None,
    };
    let (version, archive) = if let Some(path) = beside {
        let tree = local::load(&path.display().to_string()).map_err(Failure::failed)?;
        let archive = archive::pack(&tree, name).map_err(Failure::failed)?;
        (String::new(), (!repository.is_empty()).then_some(archive))
    } else {
        let place = &flags.place;
        let found = ui.block_on(place.dependency(ui, repository, name, range, flags.plain_http))?;
        (found.version, Some(found.archive.to_vec()))
    };
    // what is kept under a name is what it says of itself
    let told = match &archive {
        Some(archive) => told_version(archive, name)?,
        None => String::new(),
    };
    let version = if told.is_empty() { version } else { told };
    if archive.is_some() && !is_compatible(range, &version) && range != version {
        return Err(failed(format!("{name} is {version} there, which is not {range}")));
    }
    let version = if archive.is_none() { range.to_owned() } else { version };
    let locked = Locked { name: name.clone(), repository: repository.clone(), version };
    Ok((locked, archive))
}

/// The version in the `Chart.yaml` of an archive.
fn told_version(bytes: &[u8], label: &str) -> Result<String, Failure> {
    let (_, tree) = archive::unpack(bytes, label, &Limits::default()).map_err(Failure::failed)?;
    let sources = Arc::new(Sources::new());
    let id = sources.add("Chart.yaml", tree.text("Chart.yaml").unwrap_or_default());
    let root = yaml::parse_one(&sources, id, Dialect::GoYamlV2)
        .map_err(|faults| Failure::Input { sources, faults })?;
    let version = root.str_at(&["version"]).unwrap_or_default().to_owned();
    if semver::Version::parse(version.trim_start_matches('v')).is_err() {
        let text = format!("the chart `{label}` has no version: `{version}`");
        return Err(Failure::failed(MietteDiagnostic::new(text)));
    }
    Ok(version)
}

/// Writes a file as a whole or not at all.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(folder.join(name))?;
        Ok(())
    };
    write().map_err(|error| {
        let text = format!("cannot write `{}`: {error}", folder.join(name).display());
        Failure::failed(MietteDiagnostic::new(text))
    })
}

/// Removes archives of other versions of a chart.
fn outdated(charts: &Path, kept: &Locked) -> Result<(), Failure> {
    for entry in fs::read_dir(charts)? {
        let entry = entry?;
        let file = entry.file_name();
        let version = file.to_str().and_then(|file| {
            file.strip_prefix(&kept.name)?.strip_prefix('-')?.strip_suffix(".tgz")
        });
        let is_version = version
            .is_some_and(|text| semver::Version::parse(text.trim_start_matches('v')).is_ok());
        if is_version && version != Some(&kept.version) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
