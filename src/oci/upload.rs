//! Blobs into a registry.
//!
//! A blob that is there already is not sent; one that another repository of the registry has is
//! mounted from there. Small blobs go in one request (`POST`, then `PUT` with the content). Large
//! ones go in chunks (`PATCH`), so that a cut costs one chunk: after it, the registry is asked how
//! far it came.

use super::client::Client;
use super::error::OciError;
use super::manifest::Descriptor;
use super::reference::Repository;
use super::transport::{Call, Transport};
use super::{Event, Progress};
use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Blobs up to this size go in one request.
const MONOLITHIC: u64 = 32 << 20;

/// Size of the chunks of larger ones.
const CHUNK: u64 = 16 << 20;

/// What moves in one step.
const PIECE: usize = 64 << 10;

/// Bytes to send, readable from any place any number of times.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
}

impl Content {
    /// A request body of some of the bytes, telling of each piece as it is taken.
    pub(super) async fn stream(
        &self,
        range: Range<u64>,
        mut tell: impl FnMut(u64) + Send + Sync + 'static,
    ) -> Result<reqwest::Body, OciError> {
        match self {
            Content::Bytes(bytes) => {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
                let mut rest = bytes.slice(at(range.start)..at(range.end));
                let pieces = std::iter::from_fn(move || {
                    let piece = rest.split_to(PIECE.min(rest.len()));
                    (!piece.is_empty()).then(|| {
                        tell(piece.len() as u64);
                        Ok::<_, io::Error>(piece)
                    })
                });
                Ok(reqwest::Body::wrap_stream(futures::stream::iter(pieces)))
            }
            Content::File(path) => {
                let failed =
                    |source| OciError::Io { what: format!("read {}", path.display()), source };
                let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
                file.seek(io::SeekFrom::Start(range.start)).await.map_err(failed)?;
                let part = file.take(range.end - range.start);
                let pieces = tokio_util::io::ReaderStream::with_capacity(part, PIECE);
                Ok(reqwest::Body::wrap_stream(pieces.inspect(move |piece| {
                    if let Ok(piece) = piece {
                        tell(piece.len() as u64);
                    }
                })))
            }
        }
    }
}

impl Client {
    /// Sends a blob unless it is there. With `mount_from`, a repository of the same registry that
    /// may have it, the registry is first asked to take it from there.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        content: &Content,
        mount_from: Option<&Repository>,
        progress: &Progress,
    ) -> Result<(), OciError> {
        progress.tell(Event::Started(blob.digest, blob.size));
        if !self.has_blob(repository, &blob.digest).await? {
            let mount = mount_from.filter(|from| from.registry() == repository.registry());
            let upload =
                Upload { transport: self.transport(), repository, blob, content, progress };
            match upload.begin(mount).await? {
                None => {}
                Some(session) if blob.size <= MONOLITHIC => upload.whole(session).await?,
                Some(session) => upload.chunks(session).await?,
            }
        }
        progress.tell(Event::Finished(blob.digest));
        Ok(())
    }
}

struct Upload<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    blob: &'a Descriptor,
    content: &'a Content,
    progress: &'a Progress,
}

impl Upload<'_> {
    fn call(&self, method: Method, url: Url) -> Call<'_> {
        Call {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            repository: self.repository,
            scope: "pull,push".into(),
            what: format!("the upload of blob {} to {}", self.blob.digest, self.repository),
            expects: &[],
            progress: None,
        }
    }

    /// Opens an upload; nothing when the blob was mounted instead.
    async fn begin(&self, mount: Option<&Repository>) -> Result<Option<Url>, OciError> {
        let url = self.transport.url(self.repository, "blobs/uploads/")?;
        let mut call = self.call(Method::POST, url.clone());
        if let Some(from) = mount {
            call.url
                .query_pairs_mut()
                .append_pair("mount", &self.blob.digest.to_string())
                .append_pair("from", from.path());
            call.scope = format!("pull,push repository:{}:pull", from.path());
        }
        let response = self.transport.send(&call).await?;
        if response.status() == StatusCode::CREATED {
            return Ok(None);
        }
        self.location(&url, &response).map(Some)
    }

    /// The whole content in one request.
    async fn whole(&self, session: Url) -> Result<(), OciError> {
        let mut call = self.call(Method::PUT, self.closing(session));
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.body = Some((self.content, 0..self.blob.size));
        call.progress = Some((self.progress, self.blob.digest));
        // a session that broke off does not come back: the second try needs a new one
        match self.transport.try_once(&call).await {
            Err(error) if error.is_temporary() => {
                let mut backoff = self.transport.backoff();
                let mut last = error;
                loop {
                    let Some(wait) = backoff.next() else { return Err(last) };
                    tokio::time::sleep(wait).await;
                    let Some(session) = self.begin(None).await? else { return Ok(()) };
                    call.url = self.closing(session);
                    match self.transport.try_once(&call).await {
                        Ok(_) => return Ok(()),
                        Err(error) if error.is_temporary() => last = error,
                        Err(error) => return Err(error),
                    }
                }
            }
            result => result.map(drop),
        }
    }

    /// The content in chunks, each tried again by itself.
    async fn chunks(&self, mut session: Url) -> Result<(), OciError> {
        let mut offset = 0;
        let mut backoff = self.transport.backoff();
        while offset < self.blob.size {
            let end = (offset + CHUNK).min(self.blob.size);
            let mut call = self.call(Method::PATCH, session.clone());
            let range = format!("{offset}-{}", end - 1);
            call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            call.headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("digits"));
            call.body = Some((self.content, offset..end));
            call.progress = Some((self.progress, self.blob.digest));
            match self.transport.try_once(&call).await {
                Ok(response) => {
                    session = self.location(&session, &response)?;
                    offset = end;
                    backoff = self.transport.backoff();
                }
                Err(error) if error.is_temporary() || is_range_fault(&error) => {
                    let Some(wait) = backoff.next() else { return Err(error) };
                    tokio::time::sleep(wait).await;
                    let response =
                        self.transport.send(&self.call(Method::GET, session.clone())).await?;
                    offset = received(response.headers()).min(self.blob.size);
                    session = self.location(&session, &response)?;
                }
                Err(error) => return Err(error),
            }
        }
        let close = self.call(Method::PUT, self.closing(session));
        self.transport.send(&close).await.map(drop)
    }

    /// The address that closes a session, whose own query must be kept.
    fn closing(&self, mut session: Url) -> Url {
        session.query_pairs_mut().append_pair("digest", &self.blob.digest.to_string());
        session
    }

    fn location(&self, base: &Url, response: &Response) -> Result<Url, OciError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| base.join(location).ok());
        let same_scheme = |url: &Url| url.scheme() == "https" || url.scheme() == base.scheme();
        url.filter(same_scheme).ok_or_else(|| OciError::Malformed {
            what: format!("the answer of registry {} to an upload", self.repository.host()),
            reason: "it says no address to send to".into(),
        })
    }
}

fn is_range_fault(error: &OciError) -> bool {
    matches!(error, OciError::Registry { status: 416, .. })
}

/// How many bytes a session has: `Range: 0-99` are a hundred.
fn received(headers: &HeaderMap) -> u64 {
    let text = headers.get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let last =
        text.trim_start_matches("bytes=").split_once('-').map(|(_, last)| last.parse::<u64>());
    match last {
        // `0-0` is how an empty session is written, and one byte cannot be told from it
        Some(Ok(0) | Err(_)) | None => 0,
        Some(Ok(last)) => last + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_session_counts_from_zero() {
        for (text, expected) in [("0-99", 100), ("0-0", 0), ("bytes=0-9", 10), ("", 0), ("x-y", 0)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, text.parse().expect("a header"));
            assert_eq!(received(&headers), expected, "{text}");
        }
    }
}
