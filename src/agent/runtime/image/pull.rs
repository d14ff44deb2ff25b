//! From a name to folders on disk.
//!
//! Layers are downloaded and unpacked at the same time, several at once; nothing compressed is
//! kept. Three digests are checked: the manifest's, each blob's, and each layer's uncompressed
//! stream against the config. Two pulls of one image do the work once.

use super::config::Document;
use super::error::ImageError;
use super::store::{Image, ImageStore, Wire};
use super::stream::{Incoming, Measured, Piece, Swollen, decompressed};
use super::unpack::{Fault, Unpacked, inherit, unpack};
use crate::base::digest::Digest;
use crate::base::tar::TarError;
use crate::oci::manifest::media;
use crate::oci::{Client, Descriptor, Keyring, Options, Platform, Progress, Reference, Selected};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// Most bytes of a config document.
const CONFIG_LIMIT: u64 = 8 << 20;

/// Layers that move at once.
const AT_ONCE: usize = 3;

/// Pieces of a blob that wait between network and disk.
const AHEAD: usize = 32;

/// How to pull.
#[derive(Clone, Default, Debug)]
pub struct PullOptions {
    /// Who asks; pull secrets go in here.
    pub credentials: Keyring,
    /// Speak plain HTTP to registries that are not on this host.
    pub insecure: bool,
}

impl ImageStore {
    /// Pulls an image for this host's platform, or finds that it is here already: the registry is
    /// asked what the name stands for.
    ///
    /// # Errors
    /// When the registry fails, or the image is not what it claims to be.
    ///
    /// # Cancellation
    /// Finished layers stay; the rest is thrown away.
    pub async fn pull(
        &self,
        reference: &Reference,
        options: &PullOptions,
        progress: &Progress,
    ) -> Result<Image, ImageError> {
        let client = Client::new(Options {
            keyring: options.credentials.clone(),
            plain_http: options.insecure,
            ..Options::default()
        });
        self.pull_with(&client, reference, progress).await
    }

    /// Pulls with a client that is there already.
    ///
    /// # Errors
    /// When the registry fails, or the image is not what it claims to be.
    pub async fn pull_with(
        &self,
        client: &Client,
        reference: &Reference,
        progress: &Progress,
    ) -> Result<Image, ImageError> {
        let _shared = self.inner.collecting.read().await;
        let platform = Platform::host();
        let selected = client.image_manifest(reference, &platform).await?;
        let manifest = selected.descriptor.digest;
        let lock = {
            let mut pulls = self.inner.pulls.lock().unwrap_or_else(PoisonError::into_inner);
            pulls.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(pulls.entry(manifest).or_default())
        };
        let _only = lock.lock().await;
        if let Some((known, image)) = self.by_manifest(&manifest) {
            if known.name == reference.to_string() && known.digest == selected.top {
                return Ok(image);
            }
            let wire = Wire { name: reference.to_string(), digest: selected.top, ..known };
            return self.keep(wire, image.config);
        }
        let pull = Pull { store: self, client, reference, progress };
        let (id, bytes, document) = pull.config(&selected, &platform).await?;
        let size = pull.layers(&selected.manifest.layers, &document.diff_ids).await?;
        self.keep_config(&id, &bytes)?;
        let wire = Wire {
            name: reference.to_string(),
            digest: selected.top,
            manifest,
            config: id,
            layers: document.diff_ids,
            size,
        };
        self.keep(wire, document.config)
    }
}

struct Pull<'a> {
    store: &'a ImageStore,
    client: &'a Client,
    reference: &'a Reference,
    progress: &'a Progress,
}

impl Pull<'_> {
    async fn config(
        &self,
        selected: &Selected,
        platform: &Platform,
    ) -> Result<(Digest, bytes::Bytes, Document), ImageError> {
        let manifest = &selected.manifest;
        let kind = manifest.config.media_type.as_str();
        if !matches!(kind, media::IMAGE_CONFIG | media::DOCKER_CONFIG) {
            return Err(self.format(format!("its config is `{kind}`")));
        }
        let repository = &self.reference.repository;
        let bytes = self
            .client
            .blob_bytes(repository, &manifest.config, CONFIG_LIMIT, &Progress::none())
            .await?;
        let document = Document::parse(&bytes, platform, &self.reference.to_string())?;
        if document.diff_ids.len() != manifest.layers.len() {
            return Err(self.format(format!(
                "its manifest has {} layers, its config {}",
                manifest.layers.len(),
                document.diff_ids.len()
            )));
        }
        let total = manifest.layers.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
        let limit = self.store.inner.limits.download;
        if total > limit {
            let reason = format!("its layers have {total} bytes, {limit} are allowed");
            return Err(ImageError::Limit { what: self.reference.to_string(), reason });
        }
        Ok((manifest.config.digest, bytes, document))
    }

    /// Brings all layers; they appear in their order, the lowest first.
    async fn layers(&self, blobs: &[Descriptor], diff_ids: &[Digest]) -> Result<u64, ImageError> {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut seen = HashSet::new();
        let mut running = Vec::new();
        for (blob, diff_id) in blobs.iter().zip(diff_ids) {
            // an image may have the same layer twice: an empty one, mostly
            if !seen.insert(*diff_id) || self.store.layer(diff_id).join("fs").is_dir() {
                continue;
            }
            let work = LayerWork {
                store: self.store.clone(),
                client: self.client.clone(),
                reference: self.reference.clone(),
                progress: self.progress.clone(),
                blob: blob.clone(),
                diff_id: *diff_id,
            };
            let slots = Arc::clone(&slots);
            let task = async move {
                let _slot = slots.acquire_owned().await.expect("the slots are never closed");
                work.fetch().await
            };
            running.push((*diff_id, Abort(tokio::spawn(task))));
        }
        for (diff_id, mut task) in running {
            let mut layer = (&mut task.0).await.unwrap_or_else(|error| {
                let source = io::Error::other(error);
                Err(ImageError::Store { what: format!("unpack layer {diff_id}"), source })
            })?;
            let below: Vec<PathBuf> = diff_ids
                .iter()
                .take_while(|other| **other != diff_id)
                .map(|lower| self.store.layer(lower).join("fs"))
                .collect();
            let target = self.store.layer(&diff_id);
            tokio::task::spawn_blocking(move || layer.publish(&below, &target))
                .await
                .map_err(io::Error::other)
                .and_then(|result| result)
                .map_err(ImageError::store(format!("keep layer {diff_id}")))?;
        }
        let mut size = 0u64;
        for diff_id in diff_ids {
            let text = tokio::fs::read_to_string(self.store.layer(diff_id).join("size")).await;
            size += text.ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(size)
    }

    fn format(&self, reason: String) -> ImageError {
        ImageError::Format { reference: self.reference.to_string(), reason }
    }
}

/// A task that ends with its pull.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct LayerWork {
    store: ImageStore,
    client: Client,
    reference: Reference,
    progress: Progress,
    blob: Descriptor,
    diff_id: Digest,
}

/// A layer that was unpacked into a temporary folder, which goes away with it.
#[derive(Debug)]
struct Finished {
    folder: PathBuf,
    unpacked: Unpacked,
}

impl LayerWork {
    async fn fetch(self) -> Result<Finished, ImageError> {
        let (sender, receiver) = mpsc::channel::<Piece>(AHEAD);
        let (store, diff_id) = (self.store.clone(), self.diff_id);
        let unpacking =
            tokio::task::spawn_blocking(move || unpack_layer(&store, receiver, diff_id));
        let mut reader = self.client.blob(&self.reference.repository, &self.blob, &self.progress);
        let downloaded = loop {
            match reader.chunk().await {
                // an error here means that unpacking has stopped and knows why
                Ok(piece) => {
                    let last = piece.is_none();
                    if sender.send(piece).await.is_err() || last {
                        break Ok(());
                    }
                }
                Err(error) => break Err(error),
            }
        };
        drop(sender);
        let finished = unpacking.await.unwrap_or_else(|error| {
            let source = io::Error::other(error);
            Err(ImageError::Store { what: format!("unpack layer {diff_id}"), source })
        });
        downloaded?;
        finished
    }
}

/// Unpacks what comes through the channel; the blocking half of a pull.
fn unpack_layer(
    store: &ImageStore,
    pieces: mpsc::Receiver<Piece>,
    diff_id: Digest,
) -> Result<Finished, ImageError> {
    let limits = &store.inner.limits;
    let damaged = |source| ImageError::Layer { layer: diff_id.to_string(), source };
    let folder = store.temporary();
    let mut finished =
        Finished { folder: folder.clone(), unpacked: Unpacked { bytes: 0, implied: Vec::new() } };
    make_folder(&folder)
        .and_then(|()| make_folder(&folder.join("fs")))
        .map_err(ImageError::store(format!("make {}", folder.display())))?;
    let stream = decompressed(Incoming::new(pieces)).map_err(|error| damaged(error.into()))?;
    // headers and padding come on top of the files' bytes
    let overhead = limits.entries.saturating_mul(2048);
    let mut measured = Measured::new(stream, limits.bytes.saturating_add(overhead));
    let fault = |fault| match fault {
        Fault::Tar(source) => damaged(source),
        Fault::Entry { entry, reason } => {
            ImageError::Entry { layer: diff_id.to_string(), entry, reason }
        }
        Fault::Limit(reason) => ImageError::Limit { what: format!("layer {diff_id}"), reason },
    };
    finished.unpacked = unpack(&mut measured, &folder.join("fs"), limits).map_err(fault)?;
    let digest = measured.finish().map_err(|error| {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Swollen>) {
            let reason = format!("it unpacks to more than {} bytes", limits.bytes);
            return ImageError::Limit { what: format!("layer {diff_id}"), reason };
        }
        damaged(TarError::Io(error))
    })?;
    if digest != diff_id {
        return Err(ImageError::Registry(crate::oci::OciError::Digest {
            what: "an unpacked layer".into(),
            expected: diff_id.to_string(),
            got: digest.to_string(),
        }));
    }
    Ok(finished)
}

fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(path)?;
    // the root of a container is for everybody, whatever the agent's umask
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

impl Finished {
    /// Puts the layer in its place, on disk for good.
    fn publish(&mut self, below: &[PathBuf], target: &Path) -> io::Result<()> {
        let below: Vec<&Path> = below.iter().map(PathBuf::as_path).collect();
        inherit(&self.folder.join("fs"), &self.unpacked.implied, &below)?;
        std::fs::write(self.folder.join("size"), self.unpacked.bytes.to_string())?;
        // one call for all files of the layer
        rustix::fs::syncfs(std::fs::File::open(&self.folder)?)?;
        match std::fs::rename(&self.folder, target) {
            // another pull was faster with the same layer
            Err(_) if target.join("fs").is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => std::fs::File::open(target.parent().unwrap_or(target))?.sync_all(),
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        // nothing is left there after a rename
        if self.folder.exists() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
