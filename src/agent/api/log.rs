//! Logs of containers, streamed from the node.

use super::respond::{Body, Reply};
use super::status::Status;
use super::streams::LogRequest;
use super::verb::Request;
use crate::yaml::Node;
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::convert::Infallible;

/// Answers with the log of one of a Pod's containers.
pub(super) async fn stream(request: &Request, pod: &Node) -> Result<Reply, Status> {
    let container = container(request, pod)?;
    let query = &request.query;
    let positive = |key: &str| {
        let number = query.number(key)?;
        Ok::<_, Status>(number.and_then(|number| u64::try_from(number).ok()))
    };
    let ago = positive("sinceSeconds")?.and_then(|seconds| i64::try_from(seconds).ok());
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
        tail_lines: positive("tailLines")?,
        since,
        limit_bytes: positive("limitBytes")?,
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
pub(super) fn container(request: &Request, pod: &Node) -> Result<String, Status> {
    let names = |field: &str| -> Vec<&str> {
        pod.items_at(&["spec", field]).iter().filter_map(|item| item.str_at(&["name"])).collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let added = names("ephemeralContainers");
    let said = request.query.get("container");
    let name = request.name();
    if !said.is_empty() {
        if [&containers, &inits, &added].iter().any(|names| names.contains(&said)) {
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
            let more = if added.is_empty() {
                String::new()
            } else {
                format!(" or one of the ephemeral containers: [{}]", added.join(" "))
            };
            Err(Status::bad_request(choose + &init + &more))
        }
    }
}
