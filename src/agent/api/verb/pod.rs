//! What only Pods take: a place to run, and a request to go.

use super::{Request, delete};
use crate::agent::api::body;
use crate::agent::api::query::write_options;
use crate::agent::api::respond::{self, Reply};
use crate::agent::api::status::Status;
use crate::yaml::Node;
use http::StatusCode;
use hyper::body::Incoming;
use serde_json::json;

fn success() -> Reply {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    respond::json(StatusCode::CREATED, &Node::from(status))
}

/// POST of a binding: the Pod is to run on a node.
pub(crate) async fn bind(request: &Request, body: Incoming) -> Result<Reply, Status> {
    let options = write_options(&request.query, "Create", false)?;
    let bytes = body::read(&request.headers, body).await?;
    let binding = body::parse_as("v1", "Binding", &request.headers, &bytes)?.node;
    let node = binding.str_at(&["target", "name"]).unwrap_or_default();
    let kind = request.kind();
    if node.is_empty() {
        return Err(Status::bad_request("Binding: target.name: Required value"));
    }
    let key = kind.key(request.namespace(), request.name());
    let found = request.api.store.get(&key);
    let pod = found.ok_or_else(|| Status::not_found(kind, request.name()))?;
    let taken = pod.object.str_at(&["spec", "nodeName"]).unwrap_or_default();
    if !taken.is_empty() {
        let why = format!("pod {} is already assigned to node {taken:?}", request.name());
        return Err(Status::conflict(kind, request.name(), &why));
    }
    if !options.dry_run {
        let bound = request.api.store.modify(&key, |pod| {
            let free = pod.str_at(&["spec", "nodeName"]).unwrap_or_default().is_empty();
            if free {
                pod.set_at(&["spec", "nodeName"], node);
            }
            free
        });
        bound.await.map_err(|error| Status::of_store(kind, request.name(), &error))?;
    }
    Ok(success())
}

/// POST of an eviction: the Pod is deleted with the options in it.
pub(crate) async fn evict(request: &Request, body: Incoming) -> Result<Reply, Status> {
    let bytes = body::read(&request.headers, body).await?;
    let eviction = body::parse_as("policy/v1", "Eviction", &request.headers, &bytes)?.node;
    let options = eviction.get("deleteOptions").cloned().unwrap_or_else(Node::map);
    delete::evict(request, &options).await?;
    Ok(success())
}
