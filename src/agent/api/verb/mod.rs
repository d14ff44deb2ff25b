//! What is done with objects: one file per verb.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod patch;
pub(super) mod pod;
pub(super) mod read;
pub(super) mod scale;
pub(super) mod update;
pub(super) mod watch;

use super::Api;
use super::admission;
use super::auth::Identity;
use super::kind::Kind;
use super::negotiate::{Accepted, Encoding, Form};
use super::query::Query;
use super::remote;
use super::respond::{self, Reply};
use super::review;
use super::route::Target;
use super::status::Status;
use super::stream;
use super::table::{self, Include};
use crate::yaml::Node;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;

/// The path through which containers are added to a Pod that runs.
const EPHEMERAL: &str = "ephemeralcontainers";

/// A request for objects.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) api: Arc<Api>,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// Who asks.
    pub(crate) user: Identity,
    pub(crate) accepted: Accepted,
    /// The connection itself, for protocols that begin as a request.
    pub(crate) upgrade: Option<OnUpgrade>,
}

impl Request {
    pub(crate) fn kind(&self) -> &Kind {
        &self.target.kind
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.target.namespace
    }

    /// The name in the path; empty for collections.
    pub(crate) fn name(&self) -> &str {
        self.target.name.as_deref().unwrap_or_default()
    }

    /// Who writes: what the request says, else the program's name of the user agent.
    pub(crate) fn manager(&self, said: &str) -> String {
        if !said.is_empty() {
            return said.to_owned();
        }
        let agent =
            self.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        let program = agent.unwrap_or_default().split('/').next().unwrap_or_default();
        program.chars().filter(|c| !c.is_control()).take(128).collect()
    }

    /// Warnings about what of a written object the agent does not act on.
    pub(crate) fn unused(&self, object: &Node) -> Vec<String> {
        match self.target.subresource.as_str() {
            "" | EPHEMERAL => admission::unused::warnings(&self.kind().kind, object),
            _ => Vec::new(),
        }
    }

    /// Answers with an object, in the form that the client asked for.
    pub(crate) fn answer(&self, code: StatusCode, object: &Node) -> Result<Reply, Status> {
        let shown = self.kind().shown(object);
        let object = shown.as_ref().unwrap_or(object);
        let shaped = self.shape(object)?;
        let object = shaped.as_ref().unwrap_or(object);
        Ok(respond::node(code, self.accepted.encoding, object))
    }

    /// The object as a Table or as metadata alone, when the client asked for that.
    fn shape(&self, object: &Node) -> Result<Option<Node>, Status> {
        if object.str_at(&["kind"]) == Some("Status") {
            return Ok(None);
        }
        Ok(match self.accepted.form {
            Form::Plain => None,
            Form::Partial(version) => Some(table::partial(version, object)),
            Form::Table(version) => {
                let mut metadata = Node::map();
                if let Some(revision) = object.at(&["metadata", "resourceVersion"]) {
                    metadata.set("resourceVersion", revision.clone());
                }
                let include = Include::parse(self.query.get("includeObject"))?;
                let objects = std::iter::once(object);
                let now = self.api.now();
                Some(table::table(self.kind(), version, metadata, objects, include, true, now))
            }
        })
    }
}

/// Serves a request for objects.
pub(crate) async fn serve(
    request: Request,
    method: &Method,
    body: Incoming,
) -> Result<Reply, Status> {
    let one = request.target.name.is_some();
    let sub = request.target.subresource.clone();
    let definition = request.kind().definition.as_ref();
    let mut warnings: Vec<String> =
        definition.and_then(|definition| definition.warning.clone()).into_iter().collect();
    let mut reply = match (method.as_str(), one, sub.as_str()) {
        ("POST", false, _) if request.kind().review.is_some() => {
            review::answer(&request, body).await?
        }
        _ if request.kind().review.is_some() => return Err(Status::method_not_allowed()),
        ("POST", true, "token") => review::token_request(&request, body).await?,
        ("GET", true, "log") => read::log(&request).await?,
        ("GET" | "POST", true, "exec" | "attach") => return remote::serve(request),
        ("GET" | "POST", true, "portforward") => return stream::forward(request),
        ("POST", true, "binding") => pod::bind(&request, body).await?,
        ("POST", true, "eviction") => pod::evict(&request, body).await?,
        ("GET", true, "scale") => scale::get(&request)?,
        ("PUT", true, "scale") => scale::put(&request, body).await?,
        ("PATCH", true, "scale") => scale::patch(&request, body).await?,
        ("PUT", true, "finalize") => update::finalize(&request, body, &mut warnings).await?,
        ("GET", true, "" | "status" | EPHEMERAL) => read::get(&request).await?,
        ("GET", false, _) => read::list(&request).await?,
        ("POST", false, _) => create::create(&request, body, &mut warnings).await?,
        ("PUT", true, "" | "status" | EPHEMERAL) => {
            update::put(&request, body, &mut warnings).await?
        }
        ("PATCH", true, "" | "status" | EPHEMERAL) => {
            patch::patch(&request, body, &mut warnings).await?
        }
        ("DELETE", true, "") => delete::one(&request, body, &mut warnings).await?,
        ("DELETE", false, _) if request.kind().delete_collection => {
            delete::collection(&request, body, &mut warnings).await?
        }
        _ if request.kind().definition.is_some() => {
            return Err(Status::unsupported_method(request.kind(), method));
        }
        _ => return Err(Status::method_not_allowed()),
    };
    respond::warn(&mut reply, &warnings);
    if request.accepted.encoding == Encoding::Json && super::negotiate::gzip(&request.headers) {
        reply = respond::compress(reply).await;
    }
    Ok(reply)
}
