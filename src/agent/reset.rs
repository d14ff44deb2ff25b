//! Taking an agent off its host that does not run any more.
//!
//! Containers outlive their agent, so ending its process leaves them, their network and their
//! mounts. A reset finds all of it as the next start would, and removes it. What is stored stays,
//! as after a reboot, unless the data is to go too.
//!
//! It starts nothing: no controller, no pod, no API.

use super::node::NodeConfig;
use super::node::volume::{VolumeError, Volumes};
use super::runtime::{Runtime, RuntimeError};
use super::store::{Store, StoreError};
use std::io;
use std::path::{Path, PathBuf};

/// What an agent keeps in its state folder.
const DATA: [&str; 8] = [
    "containers",
    "images",
    "pki",
    "pods",
    "store.key",
    "wharf.db",
    "wharf.db-shm",
    "wharf.db-wal",
];

/// What it keeps in the folder that a reboot empties.
const VOLATILE: [&str; 3] = ["containers", "pods", "sandboxes"];

/// Why an agent cannot be taken off its host.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ResetError {
    /// Its objects are in use, or cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// Containers or their network cannot be removed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Runtime(#[from] RuntimeError),
    /// A file or folder cannot be removed.
    #[error("cannot remove {}", path.display())]
    #[diagnostic(code(wharf::agent::not_removed))]
    Remove {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A pod that is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remnant {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The names of its containers, those that ended included.
    pub containers: Vec<String>,
}

/// Everything of an agent on this host.
#[derive(Debug)]
pub struct Reset {
    config: NodeConfig,
    runtime: Runtime,
    /// Held so that no agent starts meanwhile.
    store: Option<Store>,
}

impl Reset {
    /// Looks for what an agent left; nothing where none has run.
    ///
    /// # Errors
    /// When an agent runs on these folders, or they cannot be read.
    pub async fn find(config: NodeConfig) -> Result<Option<Reset>, ResetError> {
        let bridge = Path::new("/sys/class/net").join(&config.network.bridge);
        let stored = config.state_dir.join("wharf.db").exists();
        let volatile = VOLATILE.iter().any(|name| config.run_dir.join(name).exists());
        if !stored && !volatile && !bridge.exists() {
            return Ok(None);
        }
        let store = if stored { Some(Store::open(&config.state_dir)?) } else { None };
        let runtime = Runtime::open(config.runtime()).await?;
        Ok(Some(Reset { config, runtime, store }))
    }

    /// The pods that there are, in the order of their namespaces and names.
    #[must_use]
    pub fn pods(&self) -> Vec<Remnant> {
        let containers = self.runtime.list();
        let of = |id: &str| {
            let own = containers.iter().filter(|container| container.spec.sandbox == id);
            own.map(|container| container.spec.name.clone()).collect()
        };
        let sandboxes = self.runtime.sandboxes();
        let mut pods: Vec<Remnant> = sandboxes
            .iter()
            .map(|sandbox| Remnant {
                namespace: sandbox.spec.namespace.clone(),
                name: sandbox.spec.name.clone(),
                containers: of(sandbox.id()),
            })
            .collect();
        pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        pods
    }

    /// Ends all containers at once and removes them, their network, rules, control groups and
    /// mounts; with `data` also objects, keys, images, logs and volumes.
    ///
    /// # Errors
    /// The first thing that could not be removed; it can be tried again.
    pub async fn carry_out(self, data: bool) -> Result<(), ResetError> {
        let Reset { config, runtime, store } = self;
        runtime.shut_down().await?;
        for uid in Volumes::all(&config.state_dir, &config.run_dir) {
            let volumes = Volumes::new(&config.state_dir, &config.run_dir, &uid);
            let path = config.run_dir.join("pods").join(uid);
            let failed = |fault: VolumeError| io::Error::other(fault.0);
            volumes.remove().map_err(|fault| ResetError::Remove { path, source: failed(fault) })?;
        }
        clear(&config.run_dir, &VOLATILE)?;
        if data {
            // the database is closed before its files go
            drop(store);
            clear(&config.state_dir, &DATA)?;
        }
        Ok(())
    }
}

/// Removes what an agent made in a folder, and the folder when nothing else is in it.
fn clear(folder: &Path, names: &[&str]) -> Result<(), ResetError> {
    for name in names {
        let path = folder.join(name);
        let removed = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error),
        };
        removed.map_err(|source| ResetError::Remove { path, source })?;
    }
    // somebody else's files are left where they are
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_agent_made_is_removed_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("images/layers")).unwrap();
        std::fs::write(folder.path().join("wharf.db"), "").unwrap();
        std::fs::write(folder.path().join("notes"), "").unwrap();
        clear(folder.path(), &DATA).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "notes");
        std::fs::remove_file(folder.path().join("notes")).unwrap();
        clear(folder.path(), &DATA).unwrap();
        assert!(!folder.path().exists());
    }

    #[test]
    fn what_cannot_be_removed_is_told() {
        let fault = clear(Path::new("/proc"), &["self"]).unwrap_err();
        assert_eq!(fault.to_string(), "cannot remove /proc/self");
        let code = miette::Diagnostic::code(&fault).map(|code| code.to_string());
        assert_eq!(code.as_deref(), Some("wharf::agent::not_removed"));
    }
}
