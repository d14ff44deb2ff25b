//! Watches: one line of JSON for each change, until the time is up, the kind is gone, or the client
//! leaves.

use super::Request;
use super::read::reach;
use crate::agent::api::Api;
use crate::agent::api::kind::Kind;
use crate::agent::api::negotiate::Form;
use crate::agent::api::query::ListOptions;
use crate::agent::api::respond::{Body, Reply};
use crate::agent::api::selection::Selection;
use crate::agent::api::status::Status;
use crate::agent::api::table::{self, Include};
use crate::agent::store::{Change, Event, Stored, Watch};
use crate::yaml::Node;
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Time between bookmarks.
const BOOKMARK: Duration = Duration::from_secs(60);

/// A watch without `timeoutSeconds` ends after this time, plus up to as much again.
const LIFETIME: Duration = Duration::from_secs(1800);

/// Starts a watch.
pub(super) async fn watch(
    request: &Request,
    options: &ListOptions,
    selection: Selection,
) -> Result<Reply, Status> {
    let include = Include::parse(request.query.get("includeObject"))?;
    let namespace = (!request.namespace().is_empty()).then(|| request.namespace());
    let kind = request.kind();
    let store = &request.api.store;
    reach(request, options.version.unwrap_or(0)).await?;
    let everything = match options.initial_events {
        Some(wanted) => wanted,
        None => matches!(options.version, None | Some(0)),
    };
    let (existing, from) = if everything {
        store.list(&kind.resource(), namespace)
    } else {
        (Vec::new(), options.version.unwrap_or_else(|| store.revision()))
    };
    let mut lines = VecDeque::new();
    let watch = match store.watch(&kind.resource(), namespace, from) {
        Ok(watch) => Some(watch),
        Err(expired) => {
            let mut status = Status::expired(expired.to_string());
            status.message = expired.to_string();
            lines.push_back(line("ERROR", &status.to_node()));
            None
        }
    };
    let lifetime = options.timeout.filter(|seconds| *seconds > 0).map_or_else(
        || LIFETIME + LIFETIME.mul_f64(f64::from(random_byte()) / 256.0),
        Duration::from_secs,
    );
    let now = Instant::now();
    let mut stream = Stream {
        api: Arc::clone(&request.api),
        kind: Arc::clone(&request.target.kind),
        form: request.accepted.form,
        include,
        selection,
        watch,
        existing: existing.into(),
        lines,
        head: true,
        bookmarks: options.bookmarks,
        marks_initial: options.initial_events == Some(true),
        next_bookmark: now + BOOKMARK,
        ends: now + lifetime,
    };
    // what is there now is written one by one, when the client takes it
    stream.existing.retain(|stored| stream.selection.matches(&stored.object));
    let frames = stream::unfold(stream, |mut stream| async move {
        let line = stream.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), stream))
    });
    let body: Body = StreamBody::new(frames).boxed_unsync();
    let mut reply = Response::new(body);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(reply)
}

struct Stream {
    api: Arc<Api>,
    kind: Arc<Kind>,
    form: Form,
    include: Include,
    selection: Selection,
    /// None when the stream ends after `lines`.
    watch: Option<Watch>,
    /// Objects that were there at the start and are still to be sent.
    existing: VecDeque<Arc<Stored>>,
    lines: VecDeque<Bytes>,
    /// The next Table tells its columns.
    head: bool,
    bookmarks: bool,
    /// The end of the first objects is still to be marked.
    marks_initial: bool,
    next_bookmark: Instant,
    ends: Instant,
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if let Some(stored) = self.existing.pop_front() {
                return Some(self.event("ADDED", &stored.object));
            }
            if std::mem::take(&mut self.marks_initial) {
                return Some(self.bookmark(true));
            }
            let wakes = if self.bookmarks { self.next_bookmark.min(self.ends) } else { self.ends };
            let watch = self.watch.as_mut()?;
            let definition = self.kind.definition.as_ref();
            let ended = definition.map_or(&self.api.stop, |definition| &definition.ended);
            tokio::select! {
                biased;
                event = watch.next() => match event {
                    Ok(event) => self.push(&event),
                    Err(expired) => {
                        self.watch = None;
                        return Some(line("ERROR", &Status::expired(expired.to_string()).to_node()));
                    }
                },
                () = ended.cancelled() => return None,
                () = tokio::time::sleep_until(wakes) => {
                    if Instant::now() >= self.ends {
                        return None;
                    }
                    self.next_bookmark += BOOKMARK;
                    return Some(self.bookmark(false));
                }
            }
        }
    }

    /// An object that enters the selection is new to the watcher, one that leaves it is gone.
    fn push(&mut self, event: &Event) {
        let selects = |stored: &Arc<Stored>| self.selection.matches(&stored.object);
        let before = event.previous.as_ref().is_some_and(selects);
        let after = event.change != Change::Deleted && selects(&event.object);
        let line = match (before, after) {
            (false, false) => return,
            (false, true) => self.event("ADDED", &event.object.object),
            (true, true) => self.event("MODIFIED", &event.object.object),
            (true, false) => {
                // the last state that was selected, with the version of the change
                let previous = event.previous.as_ref().unwrap_or(&event.object);
                let mut last = previous.object.clone();
                last.set_at(&["metadata", "resourceVersion"], event.object.revision.to_string());
                self.event("DELETED", &last)
            }
        };
        self.lines.push_back(line);
    }

    fn event(&mut self, change: &str, object: &Node) -> Bytes {
        let shown = self.kind.shown(object);
        let object = shown.as_ref().unwrap_or(object);
        match self.form {
            Form::Plain => line(change, object),
            Form::Partial(version) => line(change, &table::partial(version, object)),
            Form::Table(version) => {
                let mut metadata = Node::map();
                if let Some(revision) = object.at(&["metadata", "resourceVersion"]) {
                    metadata.set("resourceVersion", revision.clone());
                }
                let head = std::mem::take(&mut self.head);
                let objects = std::iter::once(object);
                let (include, now) = (self.include, self.api.now());
                let table =
                    table::table(&self.kind, version, metadata, objects, include, head, now);
                line(change, &table)
            }
        }
    }

    /// A bookmark: an object that has nothing but a version.
    fn bookmark(&mut self, ends_initial: bool) -> Bytes {
        let version = self.watch.as_ref().map_or(0, Watch::revision);
        let mut object = Node::map();
        object.set("kind", &*self.kind.kind);
        object.set("apiVersion", self.kind.api_version());
        object.set_at(&["metadata", "resourceVersion"], version.to_string());
        if ends_initial {
            object.set_at(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        self.event("BOOKMARK", &object)
    }
}

fn line(change: &str, object: &Node) -> Bytes {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(b"{\"type\":\"");
    text.extend_from_slice(change.as_bytes());
    text.extend_from_slice(b"\",\"object\":");
    serde_json::to_writer(&mut text, object).expect("a node has text keys only");
    text.extend_from_slice(b"}\n");
    text.into()
}

fn random_byte() -> u8 {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).expect("the system gives random bytes");
    byte[0]
}
