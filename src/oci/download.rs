//! Blobs out of a registry, as streams that mend themselves.
//!
//! A download that is cut goes on where it stopped (`Range`). The count of tries begins anew when one
//! has brought [`WORTH`] bytes. Size and digest are checked while the bytes pass: a blob that is larger than its descriptor says is left at the first byte too many, and the
//! end is reported only when the digest is right. So whoever uses the bytes before the end must be
//! able to throw away what was made of them.

use super::client::Client;
use super::error::OciError;
use super::manifest::Descriptor;
use super::reference::Repository;
use super::transport::Call;
use super::{Event, Progress};
use crate::base::digest::Hasher;
use crate::base::retry::Backoff;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;

/// Bytes that a connection must bring to count as a success.
const WORTH: u64 = 64 << 10;

/// A blob on its way.
#[derive(Debug)]
pub struct BlobReader {
    client: Client,
    repository: Repository,
    blob: Descriptor,
    progress: Progress,
    response: Option<Response>,
    /// Bytes to drop: the registry began at the start though it was asked to go on.
    skip: u64,
    offset: u64,
    /// Where this connection began.
    began: u64,
    hasher: Option<Hasher>,
    backoff: Backoff,
}

impl BlobReader {
    pub(super) fn new(
        client: Client,
        repository: Repository,
        blob: Descriptor,
        progress: Progress,
    ) -> BlobReader {
        let backoff = client.transport().backoff();
        progress.tell(Event::Started(blob.digest, blob.size));
        BlobReader {
            client,
            repository,
            blob,
            progress,
            response: None,
            skip: 0,
            offset: 0,
            began: 0,
            hasher: Some(Hasher::new()),
            backoff,
        }
    }

    /// The next bytes, or nothing when all have come and were right.
    ///
    /// # Errors
    /// When the registry fails for good, or gives other bytes than the descriptor says.
    ///
    /// # Cancellation
    /// Nothing is lost: the next call goes on.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OciError> {
        while self.hasher.is_some() {
            if self.offset == self.blob.size {
                return self.finish().map(|()| None);
            }
            match self.advance().await {
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => {}
                Err(error) if error.is_temporary() => {
                    self.response = None;
                    let Some(wait) = self.backoff.next() else { return Err(error) };
                    tracing::debug!(%error, offset = self.offset, "download goes on");
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Bytes from the open answer, or nothing after (re)connecting.
    async fn advance(&mut self) -> Result<Option<Bytes>, OciError> {
        let what = self.what();
        let client = self.client.clone();
        let transport = client.transport();
        let Some(response) = &mut self.response else {
            return self.connect().await.map(|()| None);
        };
        let Some(mut bytes) = transport.chunk(response, &self.repository, &what).await? else {
            // ended early without an error: as bad as a cut
            self.response = None;
            return match self.backoff.next() {
                Some(wait) => {
                    tokio::time::sleep(wait).await;
                    Ok(None)
                }
                None => Err(self.wrong_size(&format!("ended after {} bytes", self.offset))),
            };
        };
        if self.skip > 0 {
            let drop = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= drop as u64;
            bytes = bytes.slice(drop..);
            if bytes.is_empty() {
                return Ok(None);
            }
        }
        self.offset += bytes.len() as u64;
        if self.offset > self.blob.size {
            return Err(self.wrong_size("is larger"));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes);
        }
        if self.offset - self.began >= WORTH {
            self.backoff = transport.backoff();
        }
        self.progress.tell(Event::Moved(self.blob.digest, bytes.len() as u64));
        Ok(Some(bytes))
    }

    async fn connect(&mut self) -> Result<(), OciError> {
        let client = self.client.clone();
        let transport = client.transport();
        let mut headers = HeaderMap::new();
        if self.offset > 0 {
            let range = format!("bytes={}-", self.offset);
            headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits"));
        }
        let call = Call {
            method: Method::GET,
            url: transport.url(&self.repository, &format!("blobs/{}", self.blob.digest))?,
            headers,
            body: None,
            repository: &self.repository,
            scope: "pull".into(),
            what: self.what(),
            expects: &[],
            progress: None,
        };
        let response = transport.send(&call).await?;
        self.skip = 0;
        let start = if response.status() == StatusCode::PARTIAL_CONTENT {
            range_start(response.headers())
        } else {
            self.skip = self.offset;
            Some(0)
        };
        if start != Some(self.offset - self.skip) {
            return Err(OciError::Malformed {
                what: self.what(),
                reason: "the registry goes on at another place than it was asked to".into(),
            });
        }
        let rest = self.blob.size - self.offset + self.skip;
        if response.content_length().is_some_and(|length| length > rest) {
            return Err(self.wrong_size("is larger"));
        }
        self.began = self.offset;
        self.response = Some(response);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), OciError> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        self.response = None;
        let got = hasher.finish();
        if got != self.blob.digest {
            return Err(OciError::Digest {
                what: format!("a blob of {}", self.repository),
                expected: self.blob.digest.to_string(),
                got: got.to_string(),
            });
        }
        self.progress.tell(Event::Finished(self.blob.digest));
        Ok(())
    }

    fn what(&self) -> String {
        format!("blob {} of {}", self.blob.digest, self.repository)
    }

    fn wrong_size(&self, how: &str) -> OciError {
        let reason = format!("{how}; its manifest says {} bytes", self.blob.size);
        OciError::Size { what: self.what(), reason }
    }
}

/// `bytes 100-199/200` begins at 100.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
