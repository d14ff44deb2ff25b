//! The `scale` of an object: its number of replicas alone, as `autoscaling/v1` `Scale`.

use super::Request;
use super::patch::Patch;
use super::update;
use crate::agent::api::body;
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::{Kind, ScalePaths};
use crate::agent::api::query::{WriteOptions, write_options};
use crate::agent::api::respond::{self, Reply};
use crate::agent::api::status::Status;
use crate::agent::store::Stored;
use crate::object::selector::Selector;
use crate::yaml::Node;
use http::StatusCode;
use hyper::body::Incoming;

/// GET of a scale.
pub(crate) fn get(request: &Request) -> Result<Reply, Status> {
    let kind = request.kind();
    let found = request.api.store.get(&kind.key(request.namespace(), request.name()));
    let stored = found.ok_or_else(|| Status::not_found(kind, request.name()))?;
    answer(request, &stored.object)
}

fn answer(request: &Request, object: &Node) -> Result<Reply, Status> {
    let kind = request.kind();
    if let Some(paths) = custom_paths(kind)
        && object.at(&keys(&paths.spec)).is_none()
    {
        let path = format!(".{}", paths.spec.join("."));
        return Err(Status::internal_error(&format!(
            "the spec replicas field {path:?} does not exist"
        )));
    }
    let scale = scale(kind, object);
    Ok(respond::node(StatusCode::OK, request.accepted.encoding, &scale))
}

/// Where a custom kind has its numbers.
fn custom_paths(kind: &Kind) -> Option<&ScalePaths> {
    kind.definition.as_ref()?.scale.as_ref()
}

fn keys(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn scale(kind: &Kind, object: &Node) -> Node {
    let mut scale = Node::map();
    scale.set("kind", "Scale");
    scale.set("apiVersion", "autoscaling/v1");
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", field]) {
            scale.set_at(&["metadata", field], value.clone());
        }
    }
    scale.set("spec", Node::map());
    if let Some(paths) = custom_paths(kind) {
        let number = |path| object.i64_at(&keys(path)).unwrap_or(0);
        scale.set_at(&["spec", "replicas"], number(&paths.spec));
        scale.set_at(&["status", "replicas"], number(&paths.status));
        let selector = paths.selector.as_ref().and_then(|path| object.str_at(&keys(path)));
        if let Some(selector) = selector.filter(|text| !text.is_empty()) {
            scale.set_at(&["status", "selector"], selector);
        }
        return scale;
    }
    let wanted = object.i64_at(&["spec", "replicas"]).unwrap_or(0);
    if wanted != 0 {
        scale.set_at(&["spec", "replicas"], wanted);
    }
    scale.set_at(&["status", "replicas"], object.i64_at(&["status", "replicas"]).unwrap_or(0));
    let selector = object.at(&["spec", "selector"]).map(Selector::from_label_selector);
    if let Some(Ok(selector)) = selector {
        scale.set_at(&["status", "selector"], selector.to_string());
    }
    scale
}

/// PUT of a scale.
pub(crate) async fn put(request: &Request, body: Incoming) -> Result<Reply, Status> {
    let options = write_options(&request.query, "Update", false)?;
    let bytes = body::read(&request.headers, body).await?;
    let new = body::parse_as("autoscaling/v1", "Scale", &request.headers, &bytes)?.node;
    write(request, &options, |_| Ok(new.clone())).await
}

/// PATCH of a scale.
pub(crate) async fn patch(request: &Request, body: Incoming) -> Result<Reply, Status> {
    let patch = Patch::of(request)?;
    if patch == Patch::Apply {
        return Err(Status::unsupported_patch());
    }
    let options = write_options(&request.query, "Patch", false)?;
    let bytes = body::read(&request.headers, body).await?;
    let document = patch.parse(&bytes)?;
    write(request, &options, |current| {
        let mut node = scale(request.kind(), &current.object);
        patch.apply(&mut node, &document.node, None)?;
        Ok(node)
    })
    .await
}

async fn write(
    request: &Request,
    options: &WriteOptions,
    make: impl Fn(&Stored) -> Result<Node, Status>,
) -> Result<Reply, Status> {
    let kind = request.kind();
    let manager = request.manager(&options.manager);
    let stored = update::change(
        request,
        options,
        |current| {
            let wanted = make(current)?;
            let version = wanted.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
            if !matches!(version, "" | "0") && version.parse() != Ok(current.revision) {
                return Err(Status::modified(kind, request.name()));
            }
            let replicas = match wanted.at(&["spec", "replicas"]) {
                None => 0,
                Some(node) => node.as_i64().ok_or_else(|| {
                    Status::bad_request(
                        "Scale in version \"autoscaling/v1\" cannot be handled as a Scale: \
                         spec.replicas is no integer",
                    )
                })?,
            };
            if replicas < 0 {
                let mut faults = Faults::new();
                faults.invalid("spec.replicas", replicas, "must be greater than or equal to 0");
                return Err(Status::invalid_as("autoscaling", "Scale", request.name(), &faults));
            }
            let mut new = current.object.clone();
            match custom_paths(kind) {
                Some(paths) => new.set_at(&keys(&paths.spec), replicas),
                None => new.set_at(&["spec", "replicas"], replicas),
            }
            Ok(new)
        },
        |request, before, after| request.api.own(kind, Some(before), after, &manager, "scale"),
    )
    .await?;
    answer(request, &stored.object)
}
