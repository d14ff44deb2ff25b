//! What is on disk: names, configs, layers.
//!
//! ```text
//! <root>/
//!   names/<digest of the name>.json   one record per name that was pulled
//!   configs/<digest>.json             config documents
//!   layers/<diff id>/fs               one folder per layer
//!   tmp/                              unfinished work, emptied at start
//! ```
//!
//! The records are the truth: an image is there when its record is, and a record is written last.
//! All records are in memory as well, so looking up an image touches no disk. The root is for its
//! owner alone: layers hold setuid programs.

use super::config::{Document, ImageConfig};
use super::error::ImageError;
use super::unpack::LayerLimits;
use crate::base::digest::Digest;
use crate::oci::{Platform, Reference};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// An image that is ready to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Under which name it was pulled.
    pub name: String,
    /// What the registry has under that name: digest of the index or manifest.
    pub digest: Digest,
    /// The image itself: digest of its config.
    pub id: Digest,
    /// How it wants to be run.
    pub config: ImageConfig,
    /// Folders of its layers, the lowest first.
    pub layers: Vec<PathBuf>,
    /// Bytes of its files.
    pub size: u64,
}

/// Images on this host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ImageStore {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) root: PathBuf,
    pub(super) limits: LayerLimits,
    /// By name. Written by `keep`, `remove` and `collect`, after the disk.
    images: RwLock<BTreeMap<String, Record>>,
    /// Pulls hold it shared, so that nothing is collected that a pull is about to use.
    pub(super) collecting: tokio::sync::RwLock<()>,
    /// One lock for each image that is being pulled.
    pub(super) pulls: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    next: AtomicU64,
}

#[derive(Clone, Debug)]
struct Record {
    wire: Wire,
    image: Image,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) manifest: Digest,
    pub(super) config: Digest,
    pub(super) layers: Vec<Digest>,
    pub(super) size: u64,
}

/// What a collection removed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Collected {
    /// Names.
    pub images: usize,
    /// Layer folders.
    pub layers: usize,
}

impl ImageStore {
    /// Opens the store in a folder, which is made when it is not there. What an earlier run left
    /// unfinished is removed.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(root: impl Into<PathBuf>) -> Result<ImageStore, ImageError> {
        ImageStore::open_with(root, LayerLimits::default())
    }

    /// Opens the store with bounds of one's own.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open_with(
        root: impl Into<PathBuf>,
        limits: LayerLimits,
    ) -> Result<ImageStore, ImageError> {
        let root = root.into();
        let failed = |source| ImageError::Store {
            what: format!("open the image store {}", root.display()),
            source,
        };
        for folder in ["names", "configs", "layers", "tmp"] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(root.join(folder)).map_err(failed)?;
        }
        for left in fs::read_dir(root.join("tmp")).map_err(failed)? {
            let path = left.map_err(failed)?.path();
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed {
                // an image can make folders that are hard to remove; that must not stop the host
                tracing::warn!(path = %path.display(), %error, "unfinished work cannot be removed");
            }
        }
        let store = ImageStore {
            inner: Arc::new(Inner {
                root: root.clone(),
                limits,
                images: RwLock::default(),
                collecting: tokio::sync::RwLock::default(),
                pulls: Mutex::default(),
                next: AtomicU64::new(0),
            }),
        };
        for entry in fs::read_dir(root.join("names")).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match store.load(&path) {
                Some(record) => {
                    store.write_images().insert(record.wire.name.clone(), record);
                }
                None => {
                    tracing::warn!(path = %path.display(), "forgetting an image that is not whole");
                    fs::remove_file(&path).map_err(failed)?;
                }
            }
        }
        Ok(store)
    }

    /// The image with a name, when it is on this host. A name with a digest is also found under
    /// any tag of the same repository that has that digest.
    #[must_use]
    pub fn resolve(&self, reference: &Reference) -> Option<Image> {
        let images = self.inner.images.read().unwrap_or_else(PoisonError::into_inner);
        let Some(wanted) = reference.digest else {
            return images.get(&reference.to_string()).map(|record| record.image.clone());
        };
        let repository = format!("{}", reference.repository);
        images
            .range(repository.clone()..)
            .take_while(|(name, _)| name.starts_with(&repository))
            .filter(|(name, _)| name[repository.len()..].starts_with([':', '@']))
            .find(|(_, record)| record.image.digest == wanted || record.wire.manifest == wanted)
            .map(|(_, record)| record.image.clone())
    }

    /// All images by name.
    #[must_use]
    pub fn list(&self) -> Vec<Image> {
        let images = self.inner.images.read().unwrap_or_else(PoisonError::into_inner);
        images.values().map(|record| record.image.clone()).collect()
    }

    /// Removes every image whose id is not `in_use`, and every layer that no image has then.
    ///
    /// # Errors
    /// When something cannot be removed; what was removed before stays removed.
    ///
    /// # Cancellation
    /// The collection goes on in the background.
    pub async fn collect(&self, in_use: HashSet<Digest>) -> Result<Collected, ImageError> {
        let store = self.clone();
        let work = tokio::spawn(async move {
            let _alone = store.inner.collecting.write().await;
            let inner = store.clone();
            tokio::task::spawn_blocking(move || inner.collect_now(&in_use)).await
        });
        work.await.and_then(|inner| inner).unwrap_or_else(|error| {
            Err(ImageError::Store {
                what: "collect images".into(),
                source: io::Error::other(error),
            })
        })
    }

    fn collect_now(&self, in_use: &HashSet<Digest>) -> Result<Collected, ImageError> {
        let mut collected = Collected::default();
        let gone: Vec<String> = self
            .list()
            .into_iter()
            .filter(|image| !in_use.contains(&image.id))
            .map(|image| image.name)
            .collect();
        for name in gone {
            let path = self.name_path(&name);
            remove(&path, fs::remove_file(&path))?;
            self.write_images().remove(&name);
            collected.images += 1;
        }
        let (mut layers, mut configs) = (HashSet::new(), HashSet::new());
        for record in self.inner.images.read().unwrap_or_else(PoisonError::into_inner).values() {
            layers.extend(record.wire.layers.iter().map(Digest::hex));
            configs.insert(format!("{}.json", record.wire.config.hex()));
        }
        for (folder, known) in [("layers", &layers), ("configs", &configs)] {
            let folder = self.inner.root.join(folder);
            let failed = |error| ImageError::store(format!("read {}", folder.display()))(error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if known.contains(&*entry.file_name().to_string_lossy()) {
                    continue;
                }
                // out of the way in one step: what is half removed must not look whole
                let trash = self.temporary();
                remove(&entry.path(), fs::rename(entry.path(), &trash))?;
                if trash.is_dir() {
                    collected.layers += 1;
                    remove(&trash, fs::remove_dir_all(&trash))?;
                } else {
                    remove(&trash, fs::remove_file(&trash))?;
                }
            }
        }
        Ok(collected)
    }

    /// Takes note of an image whose layers and config are on disk.
    pub(super) fn keep(&self, wire: Wire, config: ImageConfig) -> Result<Image, ImageError> {
        let path = self.name_path(&wire.name);
        let json = serde_json::to_vec(&wire).expect("plain data");
        self.write(&path, &json)?;
        let image = self.image(&wire, config);
        let name = wire.name.clone();
        self.write_images().insert(name, Record { wire, image: image.clone() });
        Ok(image)
    }

    /// The image with this manifest under any name.
    pub(super) fn by_manifest(&self, manifest: &Digest) -> Option<(Wire, Image)> {
        let images = self.inner.images.read().unwrap_or_else(PoisonError::into_inner);
        let mut records = images.values();
        let record = records.find(|record| record.wire.manifest == *manifest)?;
        Some((record.wire.clone(), record.image.clone()))
    }

    pub(super) fn keep_config(&self, id: &Digest, bytes: &[u8]) -> Result<(), ImageError> {
        self.write(&self.config_path(id), bytes)
    }

    /// The folder of a layer; its files are in `fs`.
    pub(super) fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.inner.root.join("layers").join(diff_id.hex())
    }

    /// A path below `tmp` that nobody else has.
    pub(super) fn temporary(&self) -> PathBuf {
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
        self.inner.root.join("tmp").join(format!("{}-{number}", std::process::id()))
    }

    fn load(&self, path: &Path) -> Option<Record> {
        let wire: Wire = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let config = fs::read(self.config_path(&wire.config)).ok()?;
        let document = Document::parse(&config, &Platform::host(), &wire.name).ok()?;
        let whole = wire.layers.iter().all(|layer| self.layer(layer).join("fs").is_dir());
        let image = self.image(&wire, document.config);
        (whole && self.name_path(&wire.name) == path).then_some(Record { wire, image })
    }

    fn image(&self, wire: &Wire, config: ImageConfig) -> Image {
        Image {
            name: wire.name.clone(),
            digest: wire.digest,
            id: wire.config,
            config,
            layers: wire.layers.iter().map(|layer| self.layer(layer).join("fs")).collect(),
            size: wire.size,
        }
    }

    fn name_path(&self, name: &str) -> PathBuf {
        self.inner.root.join("names").join(format!("{}.json", Digest::of(name.as_bytes()).hex()))
    }

    fn config_path(&self, id: &Digest) -> PathBuf {
        self.inner.root.join("configs").join(format!("{}.json", id.hex()))
    }

    /// Writes a file so that it is there whole or not at all, also after a power cut.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
        let temporary = self.temporary();
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            fs::File::open(path.parent().unwrap_or(path))?.sync_all()
        };
        write().map_err(ImageError::store(format!("write {}", path.display())))
    }

    fn write_images(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Record>> {
        self.inner.images.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(path: &Path, result: io::Result<()>) -> Result<(), ImageError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(ImageError::store(format!("remove {}", path.display()))),
    }
}
