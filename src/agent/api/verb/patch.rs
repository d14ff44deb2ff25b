//! PATCH: JSON patch, merge patch, strategic merge patch, server-side apply.

use super::Request;
use super::update::named;
use super::{create, update};
use crate::agent::api::body;
use crate::agent::api::custom;
use crate::agent::api::fault::Faults;
use crate::agent::api::query::{FieldValidation, WriteOptions, write_options};
use crate::agent::api::respond::Reply;
use crate::agent::api::status::{Cause, Status};
use crate::agent::store::Stored;
use crate::object::patch::{PatchError, json6902, merge, strategic};
use crate::object::ssa::{self, ApplyError, ApplyOptions};
use crate::yaml::{Node, json};
use http::StatusCode;
use hyper::body::Incoming;
use std::sync::Mutex;

/// What a patch does to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Patch {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Patch {
    pub(super) fn of(request: &Request) -> Result<Patch, Status> {
        let is_custom = request.kind().definition.is_some();
        Ok(match body::media(&request.headers).as_str() {
            "application/json-patch+json" => Patch::Json,
            "application/merge-patch+json" => Patch::Merge,
            "application/strategic-merge-patch+json" if !is_custom => Patch::Strategic,
            "application/apply-patch+yaml" => Patch::Apply,
            _ if is_custom => return Err(custom::unsupported_patch()),
            _ => return Err(Status::unsupported_patch()),
        })
    }

    /// Applies the document to a value.
    pub(super) fn apply(
        self,
        target: &mut Node,
        document: &Node,
        ty: Option<&crate::schema::Type>,
    ) -> Result<(), Status> {
        let done = match self {
            Patch::Json => json6902::apply(target, document),
            Patch::Merge => {
                merge::apply(target, document);
                Ok(())
            }
            Patch::Strategic | Patch::Apply => strategic::apply(target, document, ty),
        };
        done.map_err(|error| match error {
            // an operation that does not exist fails like one that cannot be carried out
            PatchError::Malformed { .. } if self == Patch::Json => Status::unfit_patch(),
            PatchError::Malformed { .. } => Status::bad_request(error.to_string()),
            PatchError::Unfit { .. } => Status::unfit_patch(),
            PatchError::TooManyOperations { .. } => Status::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                error.to_string(),
            ),
        })
    }

    /// Reads the document; keys given twice come back.
    pub(super) fn parse(self, bytes: &[u8]) -> Result<body::Parsed, Status> {
        let wrong = |error: &dyn std::fmt::Display| {
            Status::bad_request(format!("error decoding patch: {error}"))
        };
        let parsed = body::json_value(bytes).map_err(|error| {
            let why = body::go_error(bytes, &error);
            // only a list of operations is decoded with words of its own
            if self == Patch::Json { wrong(&why) } else { Status::bad_request(why) }
        })?;
        match self {
            // what is in the list is found out by carrying it out
            Patch::Json if parsed.node.as_list().is_none() => {
                return Err(wrong(&"a list of operations is expected"));
            }
            Patch::Json => {}
            _ if parsed.node.as_map().is_none() => {
                return Err(wrong(&format_args!(
                    "a map is expected, not a {}",
                    parsed.node.kind()
                )));
            }
            _ => {}
        }
        Ok(parsed)
    }
}

/// PATCH of an object or of its status.
pub(crate) async fn patch(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let patch = Patch::of(request)?;
    let options = write_options(&request.query, "Patch", patch == Patch::Apply)?;
    let bytes = body::read(&request.headers, body).await?;
    if patch == Patch::Apply {
        return apply(request, &bytes, &options, warnings).await;
    }
    let kind = request.kind();
    // what is not there is not found, whatever the patch says
    if request.api.store.get(&kind.key(request.namespace(), request.name())).is_none() {
        return Err(Status::not_found(kind, request.name()));
    }
    let document = patch.parse(&bytes)?;
    let ty = request.api.schema(kind);
    let manager = request.manager(&options.manager);
    let part = request.target.subresource.as_str();
    let found = Mutex::new(Vec::new());
    let stored = update::change(
        request,
        &options,
        |current| {
            let mut node = current.object.clone();
            patch.apply(&mut node, &document.node, Some(ty))?;
            let (node, mut strict) = typed(request, node, || shown(&document.node))?;
            strict.splice(0..0, document.strict.iter().cloned());
            if options.validation == FieldValidation::Strict && !strict.is_empty() {
                let why = format!("strict decoding error: {}", strict.join(", "));
                return Err(unfit(&shown(&document.node), &why));
            }
            *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = strict;
            named(request, &node)?;
            same_version(request, &node, current)?;
            create::place(request, node)
        },
        |request, before, after| request.api.own(kind, Some(before), after, &manager, part),
    )
    .await?;
    if options.validation == FieldValidation::Warn {
        warnings.extend(found.into_inner().unwrap_or_default());
    }
    warnings.extend(request.unused(&stored.object));
    request.answer(StatusCode::OK, &stored.object)
}

/// Decodes the result of a patch.
fn typed(
    request: &Request,
    node: Node,
    patch: impl Fn() -> String,
) -> Result<(Node, Vec<String>), Status> {
    let kind = request.kind();
    let said = (node.str_at(&["apiVersion"]), node.str_at(&["kind"]));
    if said != (Some(&kind.api_version()), Some(&*kind.kind)) {
        let why = "apiVersion and kind cannot be changed by a patch";
        return Err(unfit(&patch(), why));
    }
    let completed = create::complete(&request.api, kind, node);
    let (node, unknown) = completed.map_err(|why| unfit(&patch(), &why))?;
    Ok((node, unknown.iter().map(|path| format!("unknown field {path:?}")).collect()))
}

/// The result of a patch that is no object of its kind. Kubernetes names neither kind nor object.
fn unfit(patch: &str, why: &str) -> Status {
    let mut faults = Faults::new();
    faults.invalid("patch", patch, why);
    Status::invalid_as("", "", "", &faults)
}

fn shown(document: &Node) -> String {
    json::to_string(document)
}

/// A version that the patch names is a precondition.
fn same_version(request: &Request, node: &Node, current: &Stored) -> Result<(), Status> {
    let said = node.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    if matches!(said, "" | "0") || said.parse() == Ok(current.revision) {
        return Ok(());
    }
    Err(Status::modified(request.kind(), request.name()))
}

/// Server-side apply.
async fn apply(
    request: &Request,
    bytes: &[u8],
    options: &WriteOptions,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let kind = request.kind();
    let config = configuration(request, bytes)?;
    let part = request.target.subresource.as_str();
    let ty = request.api.schema(kind);
    let applied = |live: Option<&Node>| {
        let options = ApplyOptions {
            manager: &options.manager,
            force: options.force,
            subresource: part,
            time: request.api.now(),
            reset: kind.reset(part),
        };
        ssa::apply(live, &config, options, Some(ty)).map_err(refused)
    };
    let key = kind.key(request.namespace(), request.name());
    loop {
        if request.api.store.get(&key).is_none() {
            if !part.is_empty() {
                return Err(Status::not_found(kind, request.name()));
            }
            if let Some(uid) = config.str_at(&["metadata", "uid"]) {
                let why = format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: "
                );
                return Err(Status::conflict(kind, request.name(), &why));
            }
            let (node, unknown) = typed(request, applied(None)?, || shown(&config))?;
            warnings.extend(unknown);
            let node = create::place(request, node)?;
            let made = create::store(request, node, options, |_, object| Ok(object)).await;
            match made {
                Err(status) if status.reason == "AlreadyExists" => continue,
                made => {
                    let made = made?;
                    warnings.extend(request.unused(&made.object));
                    return request.answer(StatusCode::CREATED, &made.object);
                }
            }
        }
        let changed = update::change(
            request,
            options,
            |current| {
                same_version(request, &config, current)?;
                let result = applied(Some(&current.object))?;
                let (node, _) = typed(request, result, || shown(&config))?;
                create::place(request, node)
            },
            |_, _, after| Ok(after),
        )
        .await;
        match changed {
            // somebody deleted it meanwhile, so it is to be created
            Err(status) if status.reason == "NotFound" && part.is_empty() => {}
            changed => {
                let changed = changed?;
                warnings.extend(request.unused(&changed.object));
                return request.answer(StatusCode::OK, &changed.object);
            }
        }
    }
}

/// Reads the body of an apply, which is YAML, and checks its names.
fn configuration(request: &Request, bytes: &[u8]) -> Result<Node, Status> {
    let kind = request.kind();
    // JSON is YAML, and much faster to read
    let parsed = match body::json_value(bytes) {
        Ok(parsed) if parsed.strict.is_empty() => parsed,
        _ => body::yaml(&kind.kind, bytes).map_err(|status| {
            Status::bad_request(format!("error decoding YAML: {}", status.message))
        })?,
    };
    let mut node = parsed.node;
    if node.as_map().is_none() {
        return Err(Status::bad_request("error decoding YAML: a mapping is expected"));
    }
    let (version, name) = (node.str_at(&["apiVersion"]), node.str_at(&["kind"]));
    if (version, name) != (Some(&kind.api_version()), Some(&*kind.kind)) {
        let gvk = crate::object::Gvk::new(version.unwrap_or_default(), name.unwrap_or_default());
        return Err(Status::bad_request(format!(
            "invalid object type: {}/{}, Kind={}",
            gvk.group, gvk.version, gvk.kind
        )));
    }
    named(request, &node)?;
    if !kind.namespaced {
        // objects of the whole cluster have none, whatever they say
        node.remove_at(&["metadata", "namespace"]);
    }
    let said = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
    if !said.is_empty() && said != request.namespace() {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(node)
}

fn refused(error: ApplyError) -> Status {
    let message = error.to_string();
    match error {
        ApplyError::ManagedFields => Status::bad_request(message),
        ApplyError::Untyped { .. } => Status::internal(message),
        ApplyError::Conflicts(conflicts) => {
            let cause = |conflict: ssa::Conflict| Cause {
                reason: "FieldManagerConflict".into(),
                message: format!("conflict with {}", conflict.manager),
                field: conflict.field,
            };
            Status::apply_conflict(message, conflicts.into_iter().map(cause).collect())
        }
    }
}
