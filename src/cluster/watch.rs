//! Following changes: a watch that outlives its connection.
//!
//! ```text
//! open ──> events ──> connection ends ──> open again from the last revision seen
//!             └─────> 410 Expired ──────> Expired: the caller lists anew
//! ```
//!
//! Bookmarks move the revision on and are not passed to the caller.

use super::client::Client;
use super::discovery::Resource;
use super::error::{ClusterError, Rejection};
use super::path::{self, Query};
use crate::base::retry::Backoff;
use crate::yaml::Node;
use http_body_util::BodyExt;
use kube::client::Body;
use std::time::Duration;

/// Longest line of a watch: an object is at most 3 MiB as JSON, with some room around it.
const LINE: usize = 16 << 20;

/// What happened to an object.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// It came, or came into view.
    Added(Node),
    /// It changed.
    Modified(Node),
    /// It went.
    Deleted(Node),
    /// Too much was missed: list anew and watch from there.
    Expired,
}

/// A watch on one kind.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    resource: Resource,
    namespace: Option<String>,
    revision: String,
    body: Option<Body>,
    pending: Vec<u8>,
}

impl Watch {
    pub(super) fn new(
        client: Client,
        resource: &Resource,
        namespace: Option<&str>,
        from: &str,
    ) -> Watch {
        Watch {
            client,
            resource: resource.clone(),
            namespace: namespace.map(str::to_owned),
            revision: from.to_owned(),
            body: None,
            pending: Vec::new(),
        }
    }

    pub(super) async fn open(&mut self) -> Result<(), ClusterError> {
        let path = Query::default()
            .flag("watch", true)
            .flag("allowWatchBookmarks", true)
            .add("resourceVersion", Some(&self.revision))
            .after(&path::of(&self.resource, self.namespace.as_deref(), None));
        self.pending.clear();
        self.body = Some(self.client.open("watch", &self.resource.plural, &path).await?);
        Ok(())
    }

    /// The next change. Lost connections are opened again for a while.
    ///
    /// # Errors
    /// When the server stays away or refuses.
    ///
    /// # Cancellation
    /// Safe: what was read is kept.
    pub async fn next(&mut self) -> Result<WatchEvent, ClusterError> {
        let mut waits = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 2, 10);
        loop {
            if let Some(line) = self.take_line() {
                if let Some(event) = self.read(&line)? {
                    return Ok(event);
                }
                continue;
            }
            let Some(body) = &mut self.body else {
                match self.open().await {
                    Ok(()) => continue,
                    Err(error) if error.is_code(410) => return Ok(WatchEvent::Expired),
                    Err(error @ ClusterError::Unreachable { .. }) => {
                        let Some(wait) = waits.next() else { return Err(error) };
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.pending.extend_from_slice(bytes);
                    }
                    if self.pending.len() > LINE {
                        return Err(self.bad("an event is too large"));
                    }
                }
                // an end is normal: servers close watches after a while
                Some(Err(_)) | None => self.body = None,
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = self.pending.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<WatchEvent>, ClusterError> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let mut event: Node =
            serde_json::from_slice(line).map_err(|error| self.bad(&error.to_string()))?;
        let object = event.remove("object").unwrap_or_default();
        if let Some(revision) = object.str_at(&["metadata", "resourceVersion"]) {
            revision.clone_into(&mut self.revision);
        }
        Ok(match event.str_at(&["type"]).unwrap_or_default() {
            "ADDED" => Some(WatchEvent::Added(object)),
            "MODIFIED" => Some(WatchEvent::Modified(object)),
            "DELETED" => Some(WatchEvent::Deleted(object)),
            "ERROR" => {
                let rejection = Rejection::of_status(500, &object);
                self.body = None;
                if rejection.code == 410 {
                    return Ok(Some(WatchEvent::Expired));
                }
                return Err(ClusterError::rejected("watch", &self.resource.plural, rejection));
            }
            _ => None,
        })
    }

    fn bad(&self, message: &str) -> ClusterError {
        ClusterError::BadAnswer {
            verb: "watch",
            what: self.resource.plural.to_string(),
            message: message.to_owned(),
        }
    }
}
