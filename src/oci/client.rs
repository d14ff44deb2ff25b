//! A registry's client: manifests, blobs, tags, referrers.
//!
//! Everything that comes is checked against the digest that was asked for, and bounded: manifests
//! by [`MANIFEST_LIMIT`], blobs by what their descriptor says. Moving large blobs is in `download`
//! and `upload`.

pub use super::transport::Options;

use super::Progress;
use super::download::BlobReader;
use super::error::OciError;
use super::manifest::{Descriptor, Document, Index, Manifest, Platform, media};
use super::reference::{Reference, Repository};
use super::transport::{Call, Transport};
use super::upload::Content;
use crate::base::digest::Digest;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use http::{Method, StatusCode};
use serde::Deserialize;
use std::sync::Arc;

/// Most bytes of a manifest, as the specification recommends it.
pub const MANIFEST_LIMIT: usize = 4 << 20;

/// Most pages of a list that are read.
const PAGES: usize = 1000;

/// Speaks to registries. Cheap to clone; clones share connections and tokens.
#[derive(Clone, Debug)]
pub struct Client(Arc<Transport>);

/// The manifest of an image for one platform.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Digest of what the name stands for: the index, or the manifest itself.
    pub top: Digest,
    /// What the manifest is, and its digest.
    pub descriptor: Descriptor,
    /// The manifest's bytes.
    pub bytes: Bytes,
    /// The manifest.
    pub manifest: Manifest,
}

/// A manifest or index as it came.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What it is, and its digest.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its meaning.
    pub document: Document,
}

impl Client {
    /// Makes a client. Nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Client {
        Client(Arc::new(Transport::new(options)))
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.0
    }

    /// Says whether the registry lets us in: what `login` asks.
    ///
    /// # Errors
    /// When it does not, or does not answer.
    pub async fn check_login(&self, registry: &str) -> Result<(), OciError> {
        let repository = Repository::new(registry, "any")?;
        let mut url = self.0.url(&repository, "")?;
        url.set_path("/v2/");
        let mut call = call(Method::GET, url, &repository, "", format!("a login to {registry}"));
        call.expects = &[];
        self.0.send(&call).await.map(drop)
    }

    /// What a tag or digest names now, without fetching it.
    ///
    /// # Errors
    /// When the registry does not know it or does not answer.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, OciError> {
        let call = self.manifest_call(Method::HEAD, reference)?;
        let response = self.0.send(&call).await;
        let headers = match response {
            Ok(response) => response.headers().clone(),
            // an answer to HEAD has no words: GET has them
            Err(error) if !error.is_temporary() => {
                return Ok(self.manifest(reference).await?.descriptor);
            }
            Err(error) => return Err(error),
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let digest = text("docker-content-digest").and_then(|digest| Digest::parse(digest).ok());
        let size = text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        let media_type = text(CONTENT_TYPE.as_str());
        match (digest, size, media_type) {
            (Some(digest), Some(size), Some(media_type))
                if reference.digest.is_none_or(|wanted| wanted == digest) =>
            {
                let media_type = media_type.to_owned();
                Ok(Descriptor { digest, size, ..Descriptor::of(&media_type, b"") })
            }
            _ => Ok(self.manifest(reference).await?.descriptor),
        }
    }

    /// Fetches a manifest or index. With a digest, it is the one with that digest or an error.
    ///
    /// # Errors
    /// When the registry does not have it, or gives something else.
    pub async fn manifest(&self, reference: &Reference) -> Result<Fetched, OciError> {
        let call = self.manifest_call(Method::GET, reference)?;
        let response = self.0.send(&call).await?;
        let media_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(|text| text.split(';').next().unwrap_or(text).trim().to_owned())
            .unwrap_or_default();
        let stated = response
            .headers()
            .get("docker-content-digest")
            .and_then(|value| Digest::parse(value.to_str().ok()?).ok());
        let bytes = self.0.read(&call, response, MANIFEST_LIMIT).await?;
        let digest = Digest::of(&bytes);
        if let Some(expected) = reference.digest.or(stated).filter(|expected| *expected != digest) {
            return Err(OciError::Digest {
                what: format!("the manifest of {reference}"),
                expected: expected.to_string(),
                got: digest.to_string(),
            });
        }
        let document =
            Document::parse(&bytes, &media_type, &format!("the manifest of {reference}"))?;
        let own = match &document {
            Document::Manifest(manifest) => &manifest.media_type,
            Document::Index(index) => &index.media_type,
        };
        let media_type = if own.is_empty() { &media_type } else { own };
        let descriptor = Descriptor::of(media_type, &bytes);
        Ok(Fetched { descriptor, bytes, document })
    }

    /// Fetches the manifest of an image for a platform: directly, or through an index.
    ///
    /// # Errors
    /// When there is none for the platform, or the registry fails.
    pub async fn image_manifest(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Selected, OciError> {
        let top = self.manifest(reference).await?;
        let digest = top.descriptor.digest;
        let fetched = match &top.document {
            Document::Manifest(_) => top,
            Document::Index(index) => {
                let chosen = index.select(platform).ok_or_else(|| OciError::Platform {
                    reference: reference.to_string(),
                    wanted: platform.to_string(),
                    offered: match index.platforms().as_slice() {
                        [] => "its index names no platforms".into(),
                        platforms => format!("it is for {}", platforms.join(", ")),
                    },
                })?;
                self.manifest(&reference.repository.with_digest(chosen.digest)).await?
            }
        };
        match fetched.document {
            Document::Manifest(manifest) => Ok(Selected {
                top: digest,
                descriptor: fetched.descriptor,
                bytes: fetched.bytes,
                manifest: *manifest,
            }),
            Document::Index(_) => Err(OciError::Malformed {
                what: format!("the index of {reference}"),
                reason: "it names another index".into(),
            }),
        }
    }

    /// Stores a manifest under a tag, or by its digest alone.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &Bytes,
    ) -> Result<Digest, OciError> {
        let digest = Digest::of(bytes);
        let name = reference.tag.clone().unwrap_or_else(|| digest.to_string());
        let url = self.0.url(&reference.repository, &format!("manifests/{name}"))?;
        let what = format!("the upload of the manifest of {reference}");
        let content = Content::Bytes(bytes.clone());
        let mut call = call(Method::PUT, url, &reference.repository, "pull,push", what);
        let media_type = HeaderValue::from_str(media_type).map_err(|_| OciError::Malformed {
            what: format!("the manifest of {reference}"),
            reason: "its media type cannot be sent".into(),
        })?;
        call.headers.insert(CONTENT_TYPE, media_type);
        call.body = Some((&content, 0..bytes.len() as u64));
        self.0.send(&call).await?;
        Ok(digest)
    }

    /// Removes a manifest by its digest, or a tag.
    ///
    /// # Errors
    /// When the registry does not allow it or does not have it.
    pub async fn delete(&self, reference: &Reference) -> Result<(), OciError> {
        let rest = format!("manifests/{}", reference.selector());
        let url = self.0.url(&reference.repository, &rest)?;
        let what = format!("the removal of {reference}");
        let call = call(Method::DELETE, url, &reference.repository, "pull,push,delete", what);
        self.0.send(&call).await.map(drop)
    }

    /// True when a repository has a blob.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn has_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<bool, OciError> {
        let url = self.0.url(repository, &format!("blobs/{digest}"))?;
        let what = format!("blob {digest} of {repository}");
        let mut call = call(Method::HEAD, url, repository, "pull,push", what);
        call.expects = &[StatusCode::NOT_FOUND];
        Ok(self.0.send(&call).await?.status().is_success())
    }

    /// A blob as a stream.
    #[must_use]
    pub fn blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        progress: &Progress,
    ) -> BlobReader {
        BlobReader::new(self.clone(), repository.clone(), blob.clone(), progress.clone())
    }

    /// A whole blob in memory.
    ///
    /// # Errors
    /// When it is larger than `limit`, or the registry fails.
    pub async fn blob_bytes(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        limit: u64,
        progress: &Progress,
    ) -> Result<Bytes, OciError> {
        if blob.size > limit {
            return Err(OciError::Size {
                what: format!("blob {} of {repository}", blob.digest),
                reason: format!("has {} bytes, {limit} are allowed", blob.size),
            });
        }
        let mut reader = self.blob(repository, blob, progress);
        let mut bytes = bytes::BytesMut::new();
        while let Some(chunk) = reader.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// When the registry does not know the repository or does not answer.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, OciError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut url = Some(self.0.url(repository, "tags/list")?);
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let Some(next) = url.take() else { break };
            let what = format!("the tags of {repository}");
            let call = call(Method::GET, next.clone(), repository, "pull", what.clone());
            let response = self.0.send(&call).await?;
            url = next_page(response.headers(), &next);
            let bytes = self.0.read(&call, response, MANIFEST_LIMIT).await?;
            let page: Page = serde_json::from_slice(&bytes)
                .map_err(|error| OciError::Malformed { what, reason: error.to_string() })?;
            tags.extend(page.tags.unwrap_or_default());
        }
        Ok(tags)
    }

    /// The manifests that are about another one: signatures, bills of material. A registry without
    /// the referrers API is asked for the tag that stands in for it.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let mut url = self.0.url(repository, &format!("referrers/{subject}"))?;
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let what = format!("what refers to {repository}@{subject}");
        let mut call = call(Method::GET, url, repository, "pull", what.clone());
        call.expects =
            &[StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST, StatusCode::METHOD_NOT_ALLOWED];
        let response = self.0.send(&call).await?;
        let index = if response.status().is_success() {
            let bytes = self.0.read(&call, response, MANIFEST_LIMIT).await?;
            serde_json::from_slice::<Index>(&bytes)
                .map_err(|error| OciError::Malformed { what, reason: error.to_string() })?
        } else {
            let tag = subject.to_string().replace(':', "-");
            match self.manifest(&repository.tagged(&tag)?).await {
                Ok(Fetched { document: Document::Index(index), .. }) => index,
                Ok(_) => return Ok(Vec::new()),
                Err(error) if error.is_not_found() => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        };
        let fits = |entry: &Descriptor| {
            artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted))
        };
        Ok(index.manifests.into_iter().filter(fits).collect())
    }

    fn manifest_call<'a>(
        &self,
        method: Method,
        reference: &'a Reference,
    ) -> Result<Call<'a>, OciError> {
        let rest = format!("manifests/{}", reference.selector());
        let url = self.0.url(&reference.repository, &rest)?;
        let mut call = call(method, url, &reference.repository, "pull", reference.to_string());
        call.headers
            .insert(ACCEPT, HeaderValue::from_str(&media::ACCEPT.join(", ")).expect("fixed"));
        Ok(call)
    }
}

fn call<'a>(
    method: Method,
    url: reqwest::Url,
    repository: &'a Repository,
    scope: &str,
    what: String,
) -> Call<'a> {
    Call {
        method,
        url,
        headers: HeaderMap::new(),
        body: None,
        repository,
        scope: scope.to_owned(),
        what,
        expects: &[],
        progress: None,
    }
}

/// The address after `Link: <…>; rel="next"`, when it is of the same registry.
fn next_page(headers: &HeaderMap, page: &reqwest::Url) -> Option<reqwest::Url> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    let next = page.join(address).ok()?;
    (rest.contains("next") && next.origin() == page.origin()).then_some(next)
}
