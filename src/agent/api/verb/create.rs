//! POST: new objects.

use super::Request;
use crate::agent::api::Api;
use crate::agent::api::admission::meta;
use crate::agent::api::auth;
use crate::agent::api::body::{self, Parsed};
use crate::agent::api::custom;
use crate::agent::api::decode;
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::Kind;
use crate::agent::api::query::{FieldValidation, WriteOptions, write_options};
use crate::agent::api::respond::Reply;
use crate::agent::api::status::{Cause, Status};
use crate::agent::entry::Refusal;
use crate::agent::store::{Op, StoreError, Stored, metadata};
use crate::yaml::{Map, Node};
use http::StatusCode;
use hyper::body::Incoming;
use std::sync::Arc;

/// POST to a collection.
pub(crate) async fn create(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let options = write_options(&request.query, "Create", false)?;
    let object = read(request, body, &options, warnings).await?;
    let manager = request.manager(&options.manager);
    let stored = store(request, object, &options, |request, object| {
        request.api.own(request.kind(), None, object, &manager, "")
    })
    .await?;
    warnings.extend(request.unused(&stored.object));
    request.answer(StatusCode::CREATED, &stored.object)
}

/// Reads a body: an object of the request's kind.
pub(super) async fn read(
    request: &Request,
    body: Incoming,
    options: &WriteOptions,
    warnings: &mut Vec<String>,
) -> Result<Node, Status> {
    let bytes = body::read(&request.headers, body).await?;
    let parsed = body::parse(request.kind(), &request.headers, &bytes)?;
    decode(request, parsed, options, warnings)
}

/// Decodes a body into an object of the request's kind.
pub(crate) fn decode(
    request: &Request,
    parsed: Parsed,
    options: &WriteOptions,
    warnings: &mut Vec<String>,
) -> Result<Node, Status> {
    let kind = request.kind();
    let (node, mut strict) = typed(request, parsed.node)?;
    strict.splice(0..0, parsed.strict);
    judge(kind, strict, options.validation, warnings)?;
    place(request, node)
}

/// Checks type and fields; the texts about unknown fields come back.
pub(super) fn typed(request: &Request, node: Node) -> Result<(Node, Vec<String>), Status> {
    let kind = request.kind();
    let api_version = kind.api_version();
    let unfit = |why: &str| {
        let (version, kind) = (&kind.version, &kind.kind);
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {why}"
        ))
    };
    let said_version = node.str_at(&["apiVersion"]).unwrap_or_default();
    let said_kind = node.str_at(&["kind"]).unwrap_or_default();
    if !said_version.is_empty() && said_version != api_version {
        return Err(Status::bad_request(format!(
            "the API version in the data ({said_version}) does not match the expected API version \
             ({api_version})"
        )));
    }
    if kind.definition.is_some() {
        custom::require_kind(kind, &node)?;
    }
    if !said_kind.is_empty() && said_kind != kind.kind {
        return Err(Status::bad_request(format!(
            "{said_kind} in version {:?} cannot be handled as a {}: the kind in the data does not \
             match that of the request",
            kind.version, kind.kind
        )));
    }
    let (node, unknown) = complete(&request.api, kind, node).map_err(|why| unfit(&why))?;
    Ok((node, unknown.iter().map(|path| format!("unknown field {path:?}")).collect()))
}

/// Makes an object of a body that is of its kind: drops unknown fields, whose paths come back, and
/// fills in defaults. The error is a sentence.
pub(super) fn complete(
    api: &Api,
    kind: &Kind,
    mut node: Node,
) -> Result<(Node, Vec<String>), String> {
    if let Some(definition) = &kind.definition {
        return custom::decode(&api.schemas, kind, definition, node);
    }
    node.remove("apiVersion");
    node.remove("kind");
    let (node, unknown) = decode::decode(&kind.kind, node, api.schema(kind))?;
    let mut node = headed(kind, node);
    (kind.rules.default)(&mut node);
    Ok((node, unknown))
}

/// Puts `kind`, `apiVersion` and `metadata` first.
pub(crate) fn headed(kind: &Kind, node: Node) -> Node {
    let mut map = Map::new();
    map.insert("kind", &*kind.kind);
    map.insert("apiVersion", kind.api_version());
    map.insert("metadata", Node::map());
    if let crate::yaml::Value::Map(fields) = node.value {
        for entry in fields {
            map.insert_entry(entry);
        }
    }
    map.into()
}

/// What the mode of validation makes of unknown and repeated fields.
pub(super) fn judge(
    kind: &Kind,
    strict: Vec<String>,
    mode: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    match mode {
        FieldValidation::Strict if !strict.is_empty() => Err(Status::bad_request(format!(
            "{0} in version {1:?} cannot be handled as a {0}: strict decoding error: {2}",
            kind.kind,
            kind.version,
            strict.join(", ")
        ))),
        FieldValidation::Warn => {
            warnings.extend(strict);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks the namespace of a body against that of the path, and fills it in.
pub(super) fn place(request: &Request, mut node: Node) -> Result<Node, Status> {
    if !request.kind().namespaced {
        // objects of the whole cluster have none, whatever they say
        node.remove_at(&["metadata", "namespace"]);
        return Ok(node);
    }
    let said = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
    if !said.is_empty() && said != request.namespace() {
        return Err(Status::bad_request(if request.namespace().is_empty() {
            "an empty namespace may not be set during creation".to_owned()
        } else {
            "the namespace of the provided object does not match the namespace sent on the request"
                .to_owned()
        }));
    }
    if request.namespace().is_empty() {
        return Err(Status::bad_request("an empty namespace may not be set during creation"));
    }
    node.set_at(&["metadata", "namespace"], request.namespace());
    Ok(node)
}

/// Completes, checks and stores a new object. `own` records who owns its fields.
pub(super) async fn store(
    request: &Request,
    mut object: Node,
    options: &WriteOptions,
    own: impl FnOnce(&Request, Node) -> Result<Node, Status>,
) -> Result<Arc<Stored>, Status> {
    let kind = request.kind();
    let version = object.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    if !version.is_empty() && version != "0" {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Status::internal(message));
    }
    object.remove_at(&["metadata", "resourceVersion"]);
    // owners are those of what was sent, before the system adds its own
    let mut object = own(request, object)?;
    let given = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
    let prefix = object.str_at(&["metadata", "generateName"]).unwrap_or_default().to_owned();
    let generated = given.is_empty() && !prefix.is_empty();
    metadata::prepare_create(&mut object, request.api.now(), kind.generation);
    // a generated name that is taken is not the client's fault
    for attempt in 0.. {
        let mut object = object.clone();
        if generated {
            object.set_at(&["metadata", "name"], metadata::generate_name(&prefix));
        }
        let name = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
        namespace_accepts(request, &name)?;
        let refused = |refusal: Refusal| Status::forbidden(kind, &name, &refusal.to_string());
        let (entry, resource) = (&request.api.entry, kind.resource());
        entry.complete(&resource, &mut object).map_err(refused)?;
        (kind.rules.create)(&mut object);
        if kind.definition.is_some() && kind.status {
            object.remove("status");
        }
        let _held = request.api.allocate(kind, &mut object, None).await?;
        let mut faults = Faults::new();
        meta::validate(kind, &object, &mut faults);
        (kind.rules.validate)(&object, &mut faults);
        custom::validate(kind, &object, None, "", &mut faults);
        if !faults.is_empty() {
            return Err(Status::invalid(kind, &name, &faults));
        }
        auth::check_escalation(request, &object)?;
        let key = kind.key(request.namespace(), &name);
        // what a quota counts is counted and stored in one step
        let counts = entry.counts(request.namespace());
        let _counted = if counts { Some(entry.hold().await) } else { None };
        if let (_, Some(refusal)) = entry.room(&resource, &object, 1) {
            return Err(refused(refusal));
        }
        if options.dry_run {
            if request.api.store.get(&key).is_some() {
                return Err(Status::already_exists(kind, &name));
            }
            return Ok(Arc::new(Stored { key, object, revision: 0 }));
        }
        meta::order(&mut object);
        kind.kept(&mut object);
        match request.api.store.commit(vec![Op::Create { key, object }]).await {
            Ok(mut done) => return Ok(done.pop().expect("one operation gives one object")),
            Err(StoreError::Exists(_)) if generated && attempt < 8 => {}
            Err(error) => return Err(Status::of_store(kind, &name, &error)),
        }
    }
    unreachable!("the loop ends by returning")
}

/// A namespace must be there and not be going.
fn namespace_accepts(request: &Request, name: &str) -> Result<(), Status> {
    let kind = request.kind();
    if !kind.namespaced {
        return Ok(());
    }
    let spaces = crate::agent::api::kind::built_in("namespaces");
    let space = request.namespace();
    let Some(found) = request.api.store.get(&spaces.key("", space)) else {
        return Err(Status::not_found(spaces, space));
    };
    if !metadata::is_deleted(&found.object) {
        return Ok(());
    }
    let why =
        format!("unable to create new content in namespace {space} because it is being terminated");
    let mut status = Status::forbidden(kind, name, &why);
    if let Some(details) = &mut status.details {
        details.causes.push(Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {space} is being terminated"),
            field: "metadata.namespace".into(),
        });
    }
    Err(status)
}
