//! What the registry keeps, and how it stays whole.
//!
//! ```text
//! <root>/blobs/<digest>                                      content, once for all repositories
//! <root>/uploads/<id>                                        unfinished, removed at start
//! <root>/repositories/<name>/_blobs/<digest>                 the repository has this blob
//! <root>/repositories/<name>/_manifests/<digest>             … manifest; the file holds its media type
//! <root>/repositories/<name>/_tags/<tag>                     the digest that a tag names
//! <root>/repositories/<name>/_referrers/<digest>/<digest>    descriptor of what refers to it
//! ```
//!
//! Every file appears by a rename, after its bytes have reached the disk. Names come in checked:
//! no part of one begins with `_` or `.`. Content that no repository has any more stays until the
//! folder is removed.

use crate::base::digest::{Digest, Hasher};
use crate::oci::manifest::{Descriptor, Document};
use crate::oci::reference::Repository;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncWriteExt;

/// Most bytes of a blob.
const BLOB_LIMIT: u64 = 32 << 30;

/// Why something is not kept or not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error("blob unknown to registry")]
    NoBlob,
    #[error("manifest unknown")]
    NoManifest,
    #[error("repository name not known to registry")]
    NoRepository,
    #[error("upload unknown to registry")]
    NoUpload,
    #[error("the content does not have the digest")]
    Digest,
    #[error("the blob is too large")]
    TooLarge,
    #[error("manifest invalid: {0}")]
    Manifest(String),
    #[error("the manifest names {0}, which the repository does not have")]
    Lacks(Digest),
    #[error("the registry cannot read or write its folder")]
    Io(#[from] io::Error),
}

/// A manifest that was kept.
pub(super) struct Kept {
    pub(super) digest: Digest,
    pub(super) subject: Option<Digest>,
}

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    next: AtomicU64,
}

/// The open end of an upload.
pub(super) struct Appending {
    file: tokio::fs::File,
    size: u64,
}

impl Appending {
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.size += bytes.len() as u64;
        if self.size > BLOB_LIMIT {
            return Err(DiskError::TooLarge);
        }
        Ok(self.file.write_all(bytes).await?)
    }

    pub(super) async fn close(mut self) -> Result<u64, DiskError> {
        self.file.flush().await?;
        Ok(self.size)
    }
}

impl Disk {
    pub(super) fn open(root: PathBuf) -> io::Result<Disk> {
        let uploads = root.join("uploads");
        if uploads.exists() {
            fs::remove_dir_all(&uploads)?;
        }
        for folder in ["blobs", "uploads", "repositories"] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Disk { root, next: AtomicU64::new(0) })
    }

    pub(super) fn blob(&self, name: &str, digest: &Digest) -> Result<(PathBuf, u64), DiskError> {
        if !self.has(name, digest) {
            return Err(DiskError::NoBlob);
        }
        let path = self.content(digest);
        let size = fs::metadata(&path).map_err(|_| DiskError::NoBlob)?.len();
        Ok((path, size))
    }

    pub(super) fn remove_blob(&self, name: &str, digest: &Digest) -> Result<(), DiskError> {
        let link = self.part(name, "_blobs").join(digest.hex());
        fs::remove_file(link).map_err(|error| absent(error, DiskError::NoBlob))
    }

    pub(super) fn mount(&self, name: &str, from: &str, digest: &Digest) -> Result<bool, DiskError> {
        if !self.has(from, digest) {
            return Ok(false);
        }
        self.link(name, digest)?;
        Ok(true)
    }

    pub(super) fn begin(&self) -> Result<String, DiskError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", std::process::id());
        fs::File::create_new(self.root.join("uploads").join(&id))?;
        Ok(id)
    }

    pub(super) fn received(&self, id: &str) -> Result<u64, DiskError> {
        Ok(fs::metadata(self.session(id)?).map_err(|e| absent(e, DiskError::NoUpload))?.len())
    }

    pub(super) fn abandon(&self, id: &str) -> Result<(), DiskError> {
        fs::remove_file(self.session(id)?).map_err(|error| absent(error, DiskError::NoUpload))
    }

    pub(super) async fn append(&self, id: &str) -> Result<Appending, DiskError> {
        let path = self.session(id)?;
        let file = tokio::fs::OpenOptions::new().append(true).open(path).await;
        let file = file.map_err(|error| absent(error, DiskError::NoUpload))?;
        let size = file.metadata().await?.len();
        Ok(Appending { file, size })
    }

    /// Turns an upload into a blob, when it has the digest.
    pub(super) fn finish(&self, name: &str, id: &str, digest: &Digest) -> Result<(), DiskError> {
        let path = self.session(id)?;
        let mut file = fs::File::open(&path).map_err(|e| absent(e, DiskError::NoUpload))?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 128 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        if hasher.finish() != *digest {
            fs::remove_file(&path)?;
            return Err(DiskError::Digest);
        }
        file.sync_all()?;
        fs::rename(&path, self.content(digest))?;
        self.link(name, digest)
    }

    /// A manifest by tag or digest: digest, media type, bytes.
    pub(super) fn manifest(
        &self,
        name: &str,
        selector: &str,
    ) -> Result<(Digest, String, bytes::Bytes), DiskError> {
        let digest = self.selected(name, selector)?;
        let media_type = fs::read_to_string(self.part(name, "_manifests").join(digest.hex()))
            .map_err(|error| absent(error, DiskError::NoManifest))?;
        let bytes =
            fs::read(self.content(&digest)).map_err(|e| absent(e, DiskError::NoManifest))?;
        Ok((digest, media_type, bytes.into()))
    }

    pub(super) fn put_manifest(
        &self,
        name: &str,
        selector: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Kept, DiskError> {
        let digest = Digest::of(bytes);
        let tag = match Digest::parse(selector) {
            Ok(stated) if stated != digest => return Err(DiskError::Digest),
            Ok(_) => None,
            Err(_) => Some(check_tag(selector)?),
        };
        let document = Document::parse(bytes, media_type, "it")
            .map_err(|error| DiskError::Manifest(error.to_string()))?;
        let (subject, own_type) = match &document {
            Document::Manifest(manifest) => {
                for blob in manifest.layers.iter().chain([&manifest.config]) {
                    if !self.has(name, &blob.digest) {
                        return Err(DiskError::Lacks(blob.digest));
                    }
                }
                (manifest.subject.as_ref().map(|subject| subject.digest), &manifest.media_type)
            }
            Document::Index(index) => {
                for entry in &index.manifests {
                    if !self.part(name, "_manifests").join(entry.digest.hex()).exists() {
                        return Err(DiskError::Lacks(entry.digest));
                    }
                }
                (None, &index.media_type)
            }
        };
        let media_type = if own_type.is_empty() { media_type.to_owned() } else { own_type.clone() };
        self.write(&self.content(&digest), bytes)?;
        self.write(&self.part(name, "_manifests").join(digest.hex()), media_type.as_bytes())?;
        if let (Some(subject), Document::Manifest(manifest)) = (subject, document) {
            let kind = manifest.artifact_type.unwrap_or(manifest.config.media_type);
            let entry = Descriptor {
                artifact_type: Some(kind),
                annotations: manifest.annotations,
                ..Descriptor::of(&media_type, bytes)
            };
            let folder = self.part(name, "_referrers").join(subject.hex());
            let json = serde_json::to_vec(&entry).expect("plain data");
            self.write(&folder.join(digest.hex()), &json)?;
        }
        if let Some(tag) = tag {
            self.write(&self.part(name, "_tags").join(tag), digest.to_string().as_bytes())?;
        }
        Ok(Kept { digest, subject })
    }

    /// Removes a tag; or a manifest by digest with its tags and what it says about others.
    pub(super) fn remove_manifest(&self, name: &str, selector: &str) -> Result<(), DiskError> {
        let missing = |error| absent(error, DiskError::NoManifest);
        let Ok(digest) = Digest::parse(selector) else {
            let tag = check_tag(selector)?;
            return fs::remove_file(self.part(name, "_tags").join(tag)).map_err(missing);
        };
        for tag in self.tags(name).map_err(|_| DiskError::NoManifest)? {
            if self.selected(name, &tag).is_ok_and(|other| other == digest) {
                fs::remove_file(self.part(name, "_tags").join(tag))?;
            }
        }
        for subject in entries(&self.part(name, "_referrers"))? {
            let entry = self.part(name, "_referrers").join(subject).join(digest.hex());
            if entry.exists() {
                fs::remove_file(entry)?;
            }
        }
        fs::remove_file(self.part(name, "_manifests").join(digest.hex())).map_err(missing)
    }

    /// The tags of a repository, sorted.
    pub(super) fn tags(&self, name: &str) -> Result<Vec<String>, DiskError> {
        if !self.root.join("repositories").join(name).is_dir() {
            return Err(DiskError::NoRepository);
        }
        Ok(entries(&self.part(name, "_tags"))?)
    }

    pub(super) fn referrers(
        &self,
        name: &str,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, DiskError> {
        let folder = self.part(name, "_referrers").join(subject.hex());
        let read = |entry: String| -> Option<Descriptor> {
            serde_json::from_slice(&fs::read(folder.join(entry)).ok()?).ok()
        };
        Ok(entries(&folder)?.into_iter().filter_map(read).collect())
    }

    fn selected(&self, name: &str, selector: &str) -> Result<Digest, DiskError> {
        if let Ok(digest) = Digest::parse(selector) {
            return Ok(digest);
        }
        let tag = check_tag(selector)?;
        let text = fs::read_to_string(self.part(name, "_tags").join(tag))
            .map_err(|error| absent(error, DiskError::NoManifest))?;
        Digest::parse(&text).map_err(|_| DiskError::NoManifest)
    }

    fn has(&self, name: &str, digest: &Digest) -> bool {
        self.part(name, "_blobs").join(digest.hex()).exists()
    }

    fn link(&self, name: &str, digest: &Digest) -> Result<(), DiskError> {
        Ok(self.write(&self.part(name, "_blobs").join(digest.hex()), b"")?)
    }

    fn content(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex())
    }

    fn part(&self, name: &str, part: &str) -> PathBuf {
        self.root.join("repositories").join(name).join(part)
    }

    /// The file of an upload; an id has digits and one `-`, so it leads nowhere else.
    fn session(&self, id: &str) -> Result<PathBuf, DiskError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Err(DiskError::NoUpload);
        }
        Ok(self.root.join("uploads").join(id))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join("uploads").join(format!("write.{number}"));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::rename(&temporary, path)
    }
}

fn check_tag(text: &str) -> Result<&str, DiskError> {
    let any = Repository::new("localhost", "any").expect("a fixed name");
    any.tagged(text).map(|_| text).map_err(|_| DiskError::NoManifest)
}

fn absent(error: io::Error, instead: DiskError) -> DiskError {
    if error.kind() == io::ErrorKind::NotFound { instead } else { DiskError::Io(error) }
}

/// Names in a folder, sorted; none when it is not there.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in listing {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
