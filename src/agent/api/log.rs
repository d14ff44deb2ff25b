//! Logs of containers, streamed from the node.

use super::respond::{Body, Reply};
use super::status::Status;
use super::verb::Request;
use crate::yaml::Node;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

/// What of a log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Go on as the container writes.
    pub follow: bool,
    /// The log of the container's run before this one.
    pub previous: bool,
    /// Put the time before each line.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only what was written since then.
    pub since: Option<Timestamp>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
}

/// A log as it comes.
pub type LogStream = BoxStream<'static, Bytes>;

/// A future that a node returns.
pub type NodeFuture<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// What the API streams from the node.
pub trait NodeStreams: Send + Sync + std::fmt::Debug {
    /// Opens the log of a container; the error says why there is none.
    fn log(&self, request: LogRequest) -> NodeFuture<LogStream>;
}

/// Answers with the log of one of a Pod's containers.
pub(super) async fn stream(request: &Request, pod: &Node) -> Result<Reply, Status> {
    let container = container(request, pod)?;
    let query = &request.query;
    let positive = |key: &str| query.number(key).and_then(|number| u64::try_from(number).ok());
    let ago = positive("sinceSeconds").and_then(|seconds| i64::try_from(seconds).ok());
    let since = match (ago, query.get("sinceTime")) {
        (Some(seconds), _) => {
            request.api.now().checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()
        }
        (None, "") => None,
        (None, text) => Some(text.parse().map_err(|_| {
            Status::bad_request(format!("sinceTime: Invalid value: {text:?}: not a time"))
        })?),
    };
    let log = LogRequest {
        namespace: request.namespace().to_owned(),
        pod: request.name().to_owned(),
        container: container.clone(),
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        tail_lines: positive("tailLines"),
        since,
        limit_bytes: positive("limitBytes"),
    };
    let Some(node) = &request.api.streams else {
        return Err(Status::bad_request(format!(
            "container {container:?} in pod {:?} does not run here: this agent was started without \
             a node",
            request.name()
        )));
    };
    let stream = node.log(log).await.map_err(Status::bad_request)?;
    let frames = stream.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let ends = request.api.stop.clone();
    let body: Body =
        StreamBody::new(frames.take_until(async move { ends.cancelled().await })).boxed_unsync();
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::OK;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(reply)
}

/// The container that the request names, or the only one.
fn container(request: &Request, pod: &Node) -> Result<String, Status> {
    let names = |field: &str| -> Vec<&str> {
        pod.items_at(&["spec", field]).iter().filter_map(|item| item.str_at(&["name"])).collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let said = request.query.get("container");
    let name = request.name();
    if !said.is_empty() {
        if containers.contains(&said) || inits.contains(&said) {
            return Ok(said.to_owned());
        }
        return Err(Status::bad_request(format!("container {said} is not valid for pod {name}")));
    }
    match containers.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => {
            let choose = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                containers.join(" ")
            );
            let init = if inits.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", inits.join(" "))
            };
            Err(Status::bad_request(choose + &init))
        }
    }
}
