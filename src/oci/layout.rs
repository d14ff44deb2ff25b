//! Image layouts: a folder that holds an image as a registry would, made by `skopeo copy … oci:`,
//! `docker buildx build --output type=oci`, and others
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>).
//!
//! ```text
//! oci-layout     {"imageLayoutVersion": "1.0.0"}
//! index.json     names the manifests
//! blobs/sha256/  manifests, configs and layers, each under its digest
//! ```
//!
//! Several manifests in `index.json` are pushed as one index. Layouts are only read and made whole:
//! nothing is added to one that is there.

use super::client::Client;
use super::error::OciError;
use super::manifest::{Descriptor, Document, Index, Manifest, media};
use super::upload::Content;
use super::{Progress, Reference};
use crate::base::digest::{Digest, Hasher};
use bytes::Bytes;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The file that marks a layout.
const MARK: &str = "oci-layout";

/// Bound on manifests and indexes, as registries have it.
const MANIFEST_LIMIT: u64 = 4 << 20;

/// An image layout on this machine.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout in a folder; nothing when the folder is none.
    #[must_use]
    pub fn find(root: &Path) -> Option<Layout> {
        root.join(MARK).is_file().then(|| Layout { root: root.to_owned() })
    }

    /// Writes a layout with one image: its config and its layers, lowest first, each with its media
    /// type.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        root: &Path,
        config: (&str, &[u8]),
        layers: &[(&str, &[u8])],
    ) -> Result<Layout, OciError> {
        let layout = Layout { root: root.to_owned() };
        let blob = |(media_type, bytes): (&str, &[u8])| {
            let blob = Descriptor::of(media_type, bytes);
            layout.write(&layout.blob(&blob.digest), bytes).map(|()| blob)
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: media::MANIFEST.into(),
            artifact_type: None,
            config: blob(config)?,
            layers: layers.iter().copied().map(blob).collect::<Result<_, _>>()?,
            subject: None,
            annotations: std::collections::BTreeMap::new(),
        };
        let index = Index {
            schema_version: 2,
            media_type: media::INDEX.into(),
            manifests: vec![blob((media::MANIFEST, &json(&manifest)))?],
            annotations: std::collections::BTreeMap::new(),
        };
        layout.write(&layout.root.join("index.json"), &json(&index))?;
        layout.write(&layout.root.join(MARK), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }

    /// Pushes the image; the result is the digest under which the registry has it.
    ///
    /// # Errors
    /// When the layout lacks a blob, a blob is not what its digest says, or the registry does not
    /// take it.
    pub async fn push(
        &self,
        client: &Client,
        reference: &Reference,
        progress: &Progress,
    ) -> Result<Digest, OciError> {
        let path = self.root.join("index.json");
        let bytes = read_bounded(&path)?;
        let what = path.display().to_string();
        let Document::Index(index) = Document::parse(&bytes, media::INDEX, &what)? else {
            return Err(malformed(&path, "it is no index".into()));
        };
        match index.manifests.as_slice() {
            [] => Err(malformed(&path, "it names no image".into())),
            [one] => self.push_document(client, reference, one, progress, 0).await,
            several => {
                self.push_all(client, reference, several, progress, 1).await?;
                client.push_manifest(reference, media::INDEX, &bytes).await
            }
        }
    }

    /// Pushes what a descriptor names, and first all that it names in turn.
    async fn push_document(
        &self,
        client: &Client,
        reference: &Reference,
        descriptor: &Descriptor,
        progress: &Progress,
        depth: usize,
    ) -> Result<Digest, OciError> {
        let path = self.blob(&descriptor.digest);
        let bytes = read_bounded(&path)?;
        check(&path, &descriptor.digest, Digest::of(&bytes))?;
        let media_type = &descriptor.media_type;
        match Document::parse(&bytes, media_type, &path.display().to_string())? {
            Document::Index(_) if depth > 1 => {
                return Err(malformed(
                    &path,
                    "it is an index within an index within an index".into(),
                ));
            }
            Document::Index(index) => {
                self.push_all(client, reference, &index.manifests, progress, depth + 1).await?;
            }
            Document::Manifest(manifest) => {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    let path = self.blob(&blob.digest);
                    check(&path, &blob.digest, digest_of(&path)?)?;
                    let content = Content::File(path);
                    let to = &reference.repository;
                    client.push_blob(to, blob, &content, None, progress).await?;
                }
            }
        }
        client.push_manifest(reference, media_type, &bytes).await
    }

    /// Pushes manifests by digest alone.
    async fn push_all(
        &self,
        client: &Client,
        reference: &Reference,
        manifests: &[Descriptor],
        progress: &Progress,
        depth: usize,
    ) -> Result<(), OciError> {
        for descriptor in manifests {
            let by_digest = reference.repository.clone().with_digest(descriptor.digest);
            let one = self.push_document(client, &by_digest, descriptor, progress, depth);
            Box::pin(one).await?;
        }
        Ok(())
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), OciError> {
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(path, bytes))
            .map_err(|source| OciError::Io { what: format!("write {}", path.display()), source })
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}

fn malformed(path: &Path, reason: String) -> OciError {
    OciError::Malformed { what: path.display().to_string(), reason }
}

fn read_failed(path: &Path) -> impl FnOnce(io::Error) -> OciError {
    let what = format!("read {}", path.display());
    move |source| OciError::Io { what, source }
}

fn read_bounded(path: &Path) -> Result<Bytes, OciError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MANIFEST_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(read_failed(path))?;
    if bytes.len() as u64 > MANIFEST_LIMIT {
        let reason = format!("is larger than {MANIFEST_LIMIT} bytes, too large for a manifest");
        return Err(OciError::Size { what: path.display().to_string(), reason });
    }
    Ok(bytes.into())
}

fn digest_of(path: &Path) -> Result<Digest, OciError> {
    let mut file = fs::File::open(path).map_err(read_failed(path))?;
    let mut hasher = Hasher::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece).map_err(read_failed(path))? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&piece[..count]),
        }
    }
}

fn check(path: &Path, expected: &Digest, got: Digest) -> Result<(), OciError> {
    if *expected == got {
        return Ok(());
    }
    Err(malformed(path, format!("its content has digest {got}; the layout was changed")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::registry::Registry;
    use crate::oci::{Client, Options};

    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

    #[tokio::test]
    async fn an_image_goes_to_a_registry_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("image");
        let layout =
            Layout::create(&root, (CONFIG, b"{}"), &[(LAYER, b"a layer")]).expect("written");
        assert!(Layout::find(&root).is_some() && Layout::find(folder.path()).is_none());

        let registry = Registry::open(folder.path().join("registry")).expect("a registry");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { registry.serve(listener).await });
        let client = Client::new(Options::default());
        let reference = Reference::oci(&format!("oci://{address}/image:1")).expect("a name");
        let digest = layout.push(&client, &reference, &Progress::none()).await.expect("pushed");
        let fetched = client.manifest(&reference).await.expect("there");
        assert_eq!(fetched.descriptor.digest, digest);
        let Document::Manifest(manifest) = fetched.document else { panic!("no manifest") };
        assert_eq!(manifest.layers[0].digest, Digest::of(b"a layer"));

        let layer = layout.blob(&Digest::of(b"a layer"));
        fs::write(&layer, "other").expect("written");
        let error = layout.push(&client, &reference, &Progress::none()).await.expect_err("changed");
        assert!(error.to_string().contains("the layout was changed"), "{error}");
        fs::remove_file(&layer).expect("removed");
        let error = layout.push(&client, &reference, &Progress::none()).await.expect_err("absent");
        assert_eq!(error.to_string(), format!("cannot read {}", layer.display()));
        fs::write(root.join("index.json"), r#"{"schemaVersion": 2, "manifests": []}"#).expect("ok");
        let error = layout.push(&client, &reference, &Progress::none()).await.expect_err("empty");
        assert!(
            error.to_string().ends_with("index.json is malformed: it names no image"),
            "{error}"
        );
    }
}
