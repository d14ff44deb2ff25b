//! A small OCI registry on disk: the distribution API of the specification, version 1.1.
//!
//! It serves blobs (with ranges), uploads in one piece and in chunks, mounts, manifests, tags with
//! pages, referrers and deletion, over plain HTTP. There are no users: whoever reaches the address
//! may write, so it is meant for loopback and for tests. `disk` keeps the content; this file turns
//! requests into calls of it.

mod disk;

use super::client::MANIFEST_LIMIT;
use super::manifest::{Descriptor, Index, media};
use super::reference::Repository;
use crate::base::digest::Digest;
use bytes::Bytes;
use disk::{Disk, DiskError};
use futures::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LINK, LOCATION, RANGE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;

/// Tags in one answer, unless fewer are asked for.
const PAGE: usize = 1000;

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const UPLOAD: HeaderName = HeaderName::from_static("docker-upload-uuid");
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

type Body = BoxBody<Bytes, io::Error>;
type Answer = Result<Response<Body>, Refusal>;

/// A registry on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    disk: Arc<Disk>,
}

impl Registry {
    /// Opens the registry in a folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Registry> {
        Ok(Registry { disk: Arc::new(Disk::open(root.into())?) })
    }

    /// Answers requests for ever.
    ///
    /// # Cancellation
    /// Open connections end with it; what was stored is whole.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // out of file descriptors, mostly: others will close theirs
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let registry = self.clone();
            connections.spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let registry = registry.clone();
                    async move { Ok::<_, Infallible>(registry.answer(request).await) }
                });
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = match self.route(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(),
        };
        let version = http::HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert(VERSION, version);
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let query = query(request.uri().query().unwrap_or_default());
        let method = request.method().clone();
        let Some(rest) = path.strip_prefix("/v2") else { return Err(Refusal::unknown()) };
        let parts: Vec<&str> = rest.split('/').skip(1).collect();
        if matches!(*parts, [] | [""]) {
            return Ok(json(StatusCode::OK, "{}"));
        }
        if let [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] = &*parts {
            let name = repository(name)?;
            return match method {
                Method::POST => self.begin(&name, &query, request).await,
                _ => Err(Refusal::method()),
            };
        }
        match &*parts {
            [name @ .., "blobs", "uploads", id] => {
                self.upload(&repository(name)?, id, &method, &query, request).await
            }
            [name @ .., "blobs", digest] => {
                let (name, digest) = (repository(name)?, parse_digest(digest)?);
                match method {
                    Method::GET | Method::HEAD => self.blob(&name, &digest, &request).await,
                    Method::DELETE => {
                        self.disk.remove_blob(&name, &digest)?;
                        Ok(empty(StatusCode::ACCEPTED))
                    }
                    _ => Err(Refusal::method()),
                }
            }
            [name @ .., "manifests", selector] => {
                let name = repository(name)?;
                match method {
                    Method::GET | Method::HEAD => self.manifest(&name, selector),
                    Method::PUT => self.put_manifest(&name, selector, request).await,
                    Method::DELETE => {
                        self.disk.remove_manifest(&name, selector)?;
                        Ok(empty(StatusCode::ACCEPTED))
                    }
                    _ => Err(Refusal::method()),
                }
            }
            [name @ .., "tags", "list"] if method == Method::GET => {
                self.tags(&repository(name)?, &query)
            }
            [name @ .., "referrers", digest] if method == Method::GET => {
                self.referrers(&repository(name)?, &parse_digest(digest)?, &query)
            }
            _ => Err(Refusal::unknown()),
        }
    }

    async fn blob(&self, name: &str, digest: &Digest, request: &Request<Incoming>) -> Answer {
        let (path, size) = self.disk.blob(name, digest)?;
        let asked = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let range = match asked.map(|text| parse_range(text, size)) {
            None => 0..size,
            Some(Some(range)) => range,
            Some(None) => return Err(Refusal::range()),
        };
        let mut response = Response::builder()
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(ACCEPT_RANGES, "bytes")
            .header(DIGEST, digest.to_string())
            .header(CONTENT_LENGTH, range.end - range.start);
        if asked.is_some() {
            let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, text);
        }
        if request.method() == Method::HEAD {
            return Ok(response.body(nothing()).expect("headers of known form"));
        }
        let mut file = tokio::fs::File::open(path).await.map_err(DiskError::Io)?;
        file.seek(io::SeekFrom::Start(range.start)).await.map_err(DiskError::Io)?;
        let part = file.take(range.end - range.start);
        let stream = tokio_util::io::ReaderStream::with_capacity(part, 64 << 10);
        let body = StreamBody::new(stream.map_ok(Frame::data));
        Ok(response.body(BodyExt::boxed(body)).expect("headers of known form"))
    }

    /// Opens an upload; or mounts a blob, or takes it whole, when the request says so.
    async fn begin(
        &self,
        name: &str,
        query: &BTreeMap<String, String>,
        request: Request<Incoming>,
    ) -> Answer {
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
            let (digest, from) = (parse_digest(digest)?, checked(from)?);
            if self.disk.mount(name, &from, &digest)? {
                return Ok(created(name, "blobs", &digest));
            }
        }
        let id = self.disk.begin()?;
        if let Some(digest) = query.get("digest") {
            let digest = parse_digest(digest)?;
            self.receive(&id, request).await?;
            self.finish(name, &id, digest).await?;
            return Ok(created(name, "blobs", &digest));
        }
        Ok(session(name, &id, 0, StatusCode::ACCEPTED))
    }

    async fn upload(
        &self,
        name: &str,
        id: &str,
        method: &Method,
        query: &BTreeMap<String, String>,
        request: Request<Incoming>,
    ) -> Answer {
        let have = self.disk.received(id)?;
        match *method {
            Method::GET => Ok(session(name, id, have, StatusCode::NO_CONTENT)),
            Method::PATCH | Method::PUT => {
                let range = request.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok());
                let start =
                    range.and_then(|text| text.trim_start_matches("bytes ").split('-').next());
                if start.is_some_and(|start| start.parse() != Ok(have)) {
                    return Err(Refusal::range());
                }
                let have = self.receive(id, request).await?;
                if *method == Method::PATCH {
                    return Ok(session(name, id, have, StatusCode::ACCEPTED));
                }
                let digest =
                    query.get("digest").ok_or_else(|| Refusal::digest("no digest was given"))?;
                let digest = parse_digest(digest)?;
                self.finish(name, id, digest).await?;
                Ok(created(name, "blobs", &digest))
            }
            Method::DELETE => {
                self.disk.abandon(id)?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            _ => Err(Refusal::method()),
        }
    }

    /// Adds a request's content to an upload.
    async fn receive(&self, id: &str, request: Request<Incoming>) -> Result<u64, Refusal> {
        let mut file = self.disk.append(id).await?;
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| DiskError::Io(io::Error::other(error)))?;
            if let Ok(bytes) = frame.into_data() {
                file.add(&bytes).await?;
            }
        }
        Ok(file.close().await?)
    }

    async fn finish(&self, name: &str, id: &str, digest: Digest) -> Result<(), Refusal> {
        let (disk, name, id) = (Arc::clone(&self.disk), name.to_owned(), id.to_owned());
        // reads the whole upload to digest it
        tokio::task::spawn_blocking(move || disk.finish(&name, &id, &digest))
            .await
            .map_err(|error| DiskError::Io(io::Error::other(error)))??;
        Ok(())
    }

    fn manifest(&self, name: &str, selector: &str) -> Answer {
        let (digest, media_type, bytes) = self.disk.manifest(name, selector)?;
        // hyper drops the body of an answer to HEAD and keeps its length
        Response::builder()
            .header(CONTENT_TYPE, media_type)
            .header(DIGEST, digest.to_string())
            .header(CONTENT_LENGTH, bytes.len())
            .body(full(bytes))
            .map_err(|_| Refusal::manifest("its media type cannot be sent"))
    }

    async fn put_manifest(&self, name: &str, selector: &str, request: Request<Incoming>) -> Answer {
        let stated = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let stated = stated.unwrap_or_default().to_owned();
        let body = Limited::new(request.into_body(), MANIFEST_LIMIT).collect().await;
        let bytes = body.map_err(|_| Refusal::manifest("it is too large or broke off"))?.to_bytes();
        let kept = self.disk.put_manifest(name, selector, &stated, &bytes)?;
        let mut response = created(name, "manifests", &kept.digest);
        if let Some(subject) = kept.subject {
            let value = http::HeaderValue::from_str(&subject.to_string()).expect("plain text");
            response.headers_mut().insert(SUBJECT, value);
        }
        Ok(response)
    }

    fn tags(&self, name: &str, query: &BTreeMap<String, String>) -> Answer {
        let all = self.disk.tags(name)?;
        let most = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE).min(PAGE);
        let start = query.get("last").map_or(0, |last| all.partition_point(|tag| tag <= last));
        let page: Vec<&String> = all[start..].iter().take(most).collect();
        let next = (start + page.len() < all.len()).then(|| page.last()).flatten();
        let text = serde_json::json!({"name": name, "tags": page}).to_string();
        let mut response = json(StatusCode::OK, &text);
        if let Some(last) = next {
            let link = format!("</v2/{name}/tags/list?n={most}&last={last}>; rel=\"next\"");
            let link = http::HeaderValue::from_str(&link).expect("tags are plain text");
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    fn referrers(&self, name: &str, subject: &Digest, query: &BTreeMap<String, String>) -> Answer {
        let mut manifests: Vec<Descriptor> = self.disk.referrers(name, subject)?;
        let wanted = query.get("artifactType");
        manifests
            .retain(|one| wanted.is_none_or(|wanted| one.artifact_type.as_ref() == Some(wanted)));
        let index = Index {
            schema_version: 2,
            media_type: media::INDEX.into(),
            manifests,
            annotations: BTreeMap::new(),
        };
        let text = serde_json::to_vec(&index).expect("plain data");
        let mut response = Response::builder().header(CONTENT_TYPE, media::INDEX);
        if wanted.is_some() {
            response = response.header("oci-filters-applied", "artifactType");
        }
        Ok(response.body(full(text.into())).expect("headers of known form"))
    }
}

/// An answer that says no.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into() }
    }

    fn unknown() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is nothing at this address")
    }

    fn method() -> Refusal {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this cannot be done here")
    }

    fn range() -> Refusal {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Refusal::new(status, "BLOB_UPLOAD_INVALID", "the range does not fit")
    }

    fn digest(message: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
    }

    fn manifest(message: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    fn response(self) -> Response<Body> {
        let error = serde_json::json!({"code": self.code, "message": self.message});
        json(self.status, &serde_json::json!({"errors": [error]}).to_string())
    }
}

impl From<DiskError> for Refusal {
    fn from(error: DiskError) -> Refusal {
        let message = error.to_string();
        match error {
            DiskError::NoBlob => Refusal::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message),
            DiskError::NoManifest => {
                Refusal::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)
            }
            DiskError::NoRepository => Refusal::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message),
            DiskError::NoUpload => {
                Refusal::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
            }
            DiskError::Digest => Refusal::digest(&message),
            DiskError::TooLarge => {
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
            }
            DiskError::Manifest(_) => Refusal::manifest(&message),
            DiskError::Lacks(_) => {
                Refusal::new(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", message)
            }
            DiskError::Io(error) => {
                tracing::warn!(%error, "the registry's folder cannot be used");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
            }
        }
    }
}

/// The repository that path segments name; nothing but plain names comes through.
fn repository(parts: &[&str]) -> Result<String, Refusal> {
    checked(&parts.join("/"))
}

fn checked(name: &str) -> Result<String, Refusal> {
    match Repository::new("localhost", name) {
        Ok(repository) => Ok(repository.path().to_owned()),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, "NAME_INVALID", error.to_string())),
    }
}

fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text).map_err(|error| Refusal::digest(&error.to_string()))
}

fn parse_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (start, end) {
        ("", last) => size.saturating_sub(last.parse().ok()?)..size,
        (start, "") => start.parse().ok()?..size,
        (start, end) => start.parse().ok()?..end.parse::<u64>().ok()?.checked_add(1)?.min(size),
    };
    (range.start < range.end).then_some(range)
}

fn query(text: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://query/?{text}"));
    let pairs = |url: reqwest::Url| url.query_pairs().into_owned().collect();
    url.map(pairs).unwrap_or_default()
}

fn created(name: &str, kind: &str, digest: &Digest) -> Response<Body> {
    Response::builder()
        .status(StatusCode::CREATED)
        .header(LOCATION, format!("/v2/{name}/{kind}/{digest}"))
        .header(DIGEST, digest.to_string())
        .header(CONTENT_LENGTH, 0)
        .body(nothing())
        .expect("names and digests are plain text")
}

fn session(name: &str, id: &str, have: u64, status: StatusCode) -> Response<Body> {
    let mut response = Response::builder()
        .status(status)
        .header(LOCATION, format!("/v2/{name}/blobs/uploads/{id}"))
        .header(RANGE, format!("0-{}", have.saturating_sub(1)))
        .header(UPLOAD, id);
    if status != StatusCode::NO_CONTENT {
        response = response.header(CONTENT_LENGTH, 0);
    }
    response.body(nothing()).expect("names are plain text")
}

fn json(status: StatusCode, text: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(full(Bytes::copy_from_slice(text.as_bytes())))
        .expect("headers of known form")
}

fn empty(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(nothing()).expect("headers of known form")
}

fn nothing() -> Body {
    full(Bytes::new())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed()
}
