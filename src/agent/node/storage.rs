//! Removes the folders of volumes that are deleted.

use crate::agent::claims::{FOLDER, VOLUME_PROTECTION, VOLUMES, path};
use crate::agent::store::{Op, Store, StoreError, Stored, metadata};
use crate::yaml::Node;
use std::io;
use std::path::{Path, PathBuf};

/// Watches volumes until it is dropped; `root` is the folder of those that the agent made.
pub(super) async fn run(store: Store, root: PathBuf) {
    loop {
        let (volumes, revision) = store.list(&VOLUMES.into(), None);
        let Ok(mut watch) = store.watch(&VOLUMES.into(), None, revision) else { continue };
        for volume in volumes {
            release(&store, &root, &volume).await;
        }
        while let Ok(event) = watch.next().await {
            release(&store, &root, &event.object).await;
        }
    }
}

/// Takes a volume's folder away, and then what held the volume.
async fn release(store: &Store, root: &Path, volume: &Stored) {
    let held = |by: &str| {
        let finalizers = volume.object.items_at(&["metadata", "finalizers"]);
        finalizers.iter().any(|finalizer| finalizer.as_str() == Some(by))
    };
    if !metadata::is_deleted(&volume.object) || held(VOLUME_PROTECTION) || !held(FOLDER) {
        return;
    }
    let goes = volume.object.str_at(&["spec", "persistentVolumeReclaimPolicy"]) == Some("Delete");
    // whoever wrote another path into the volume keeps what is there
    let folder = root.join(volume.key.name.as_str());
    let own = path(&volume.object).is_some_and(|path| Path::new(path) == folder);
    if goes && own {
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        match removed.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(volume = %volume.key, %error, "a volume's folder remains");
                return;
            }
            _ => {}
        }
    }
    let mut object = volume.object.clone();
    let mut finalizers = object.items_at(&["metadata", "finalizers"]).to_vec();
    finalizers.retain(|finalizer| finalizer.as_str() != Some(FOLDER));
    let (key, expect) = (volume.key.clone(), Some(volume.revision));
    let op = if finalizers.is_empty() {
        Op::Delete { key, expect }
    } else {
        object.set_at(&["metadata", "finalizers"], Node::from(finalizers));
        Op::Update { key, object, expect }
    };
    match store.commit(vec![op]).await {
        // one that has changed is seen again
        Ok(_) | Err(StoreError::Changed { .. } | StoreError::Missing(_) | StoreError::Closed) => {}
        Err(error) => tracing::warn!(volume = %volume.key, %error, "a volume remains"),
    }
}
