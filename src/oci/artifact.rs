//! Packages as artifacts: an archive, and its description as config.
//!
//! Charts have Helm's media types, so that Helm pulls what wharf pushed and the other way round;
//! native packages have their own of the same shape.

use super::Progress;
use super::client::Client;
use super::error::OciError;
use super::manifest::{Descriptor, Document, Manifest, media};
use super::reference::Reference;
use super::upload::Content;
use crate::base::digest::Digest;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Most bytes of a package's archive.
pub const ARCHIVE_LIMIT: u64 = 256 << 20;

/// What kind of package an artifact carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A Helm chart.
    Chart,
    /// A native package.
    Package,
}

impl Kind {
    fn config(self) -> &'static str {
        match self {
            Kind::Chart => "application/vnd.cncf.helm.config.v1+json",
            Kind::Package => "application/vnd.wharf.package.config.v1+json",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Kind::Chart => "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            Kind::Package => "application/vnd.wharf.package.content.v1.tar+gzip",
        }
    }

    fn of(manifest: &Manifest) -> Option<(Kind, &Descriptor)> {
        let kind = [Kind::Chart, Kind::Package]
            .into_iter()
            .find(|kind| manifest.config.media_type == kind.config())?;
        let content = manifest.layers.iter().find(|layer| layer.media_type == kind.content())?;
        Some((kind, content))
    }
}

/// A package that is to be pushed.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What it is.
    pub kind: Kind,
    /// Its description as JSON.
    pub config: Bytes,
    /// Its archive.
    pub archive: Bytes,
    /// Remarks for registries that show them.
    pub annotations: BTreeMap<String, String>,
}

/// Where a package lies.
#[derive(Clone, Debug)]
pub struct Located {
    /// What it is.
    pub kind: Kind,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Its archive.
    pub content: Descriptor,
}

/// Pushes a package; the result is the digest of its manifest, which depends on its content alone.
///
/// # Errors
/// When the registry does not take it.
pub async fn push(
    client: &Client,
    reference: &Reference,
    artifact: &Artifact,
    progress: &Progress,
) -> Result<Digest, OciError> {
    let config = Descriptor::of(artifact.kind.config(), &artifact.config);
    let content = Descriptor::of(artifact.kind.content(), &artifact.archive);
    for (blob, bytes) in [(&config, &artifact.config), (&content, &artifact.archive)] {
        let bytes = Content::Bytes(bytes.clone());
        client.push_blob(&reference.repository, blob, &bytes, None, progress).await?;
    }
    let manifest = Manifest {
        schema_version: 2,
        media_type: media::MANIFEST.into(),
        artifact_type: match artifact.kind {
            // Helm writes none for charts
            Kind::Chart => None,
            Kind::Package => Some(Kind::Package.config().to_owned()),
        },
        config,
        layers: vec![content],
        subject: None,
        annotations: artifact.annotations.clone(),
    };
    let bytes = Bytes::from(serde_json::to_vec(&manifest).expect("plain data"));
    client.push_manifest(reference, media::MANIFEST, &bytes).await
}

/// Finds a package without fetching its archive.
///
/// # Errors
/// When there is no such artifact, or it is no package.
pub async fn locate(client: &Client, reference: &Reference) -> Result<Located, OciError> {
    let fetched = client.manifest(reference).await?;
    let other = |found: String| OciError::Artifact {
        reference: reference.to_string(),
        expected: "a package or chart",
        found,
    };
    match &fetched.document {
        Document::Index(_) => Err(other("it is an index of images".into())),
        Document::Manifest(manifest) => match Kind::of(manifest) {
            Some((kind, content)) => {
                Ok(Located { kind, digest: fetched.descriptor.digest, content: content.clone() })
            }
            None => Err(other(format!("its config is `{}`", manifest.config.media_type))),
        },
    }
}
