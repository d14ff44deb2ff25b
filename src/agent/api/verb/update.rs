//! PUT, and what every change of an existing object has in common.

use super::create;
use super::{EPHEMERAL, Request};
use crate::agent::api::admission::{meta, pod};
use crate::agent::api::auth;
use crate::agent::api::custom;
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::Kind;
use crate::agent::api::query::{WriteOptions, write_options};
use crate::agent::api::respond::Reply;
use crate::agent::api::status::Status;
use crate::agent::store::{Op, StoreError, Stored, metadata};
use crate::yaml::Node;
use http::StatusCode;
use hyper::body::Incoming;
use std::sync::Arc;

/// PUT of an object or of its status.
pub(crate) async fn put(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let options = write_options(&request.query, "Update", false)?;
    let mut object = create::read(request, body, &options, warnings).await?;
    let kind = request.kind();
    named(request, &object)?;
    let key = kind.key(request.namespace(), request.name());
    let manager = request.manager(&options.manager);
    let part = request.target.subresource.as_str();
    if request.api.store.get(&key).is_none() && kind.update_creates && part.is_empty() {
        object.remove_at(&["metadata", "uid"]);
        let own =
            |request: &Request, object| request.api.own(request.kind(), None, object, &manager, "");
        let stored = create::store(request, object, &options, own).await?;
        warnings.extend(request.unused(&stored.object));
        return request.answer(StatusCode::CREATED, &stored.object);
    }
    let said_version = object.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    let pinned = !matches!(said_version, "" | "0");
    if kind.update_needs_version && !pinned {
        let mut faults = Faults::new();
        faults.invalid("metadata.resourceVersion", 0, "must be specified for an update");
        return Err(Status::invalid_as(&kind.group, &kind.plural, request.name(), &faults));
    }
    let stored = change(
        request,
        &options,
        |current| {
            if let Some(uid) = object.str_at(&["metadata", "uid"])
                && Some(uid) != current.object.str_at(&["metadata", "uid"])
            {
                let found = current.object.str_at(&["metadata", "uid"]).unwrap_or_default();
                let why = format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
                );
                return Err(Status::conflict(kind, request.name(), &why));
            }
            if pinned && !is_version(&object, current) {
                return Err(Status::modified(kind, request.name()));
            }
            let mut new = object.clone();
            // a PUT without a creation time means that of the object
            for field in ["uid", "creationTimestamp"] {
                if let Some(value) = current.object.at(&["metadata", field]) {
                    new.set_at(&["metadata", field], value.clone());
                }
            }
            Ok(new)
        },
        |request, before, after| {
            request.api.own(request.kind(), Some(before), after, &manager, part)
        },
    )
    .await?;
    warnings.extend(request.unused(&stored.object));
    request.answer(StatusCode::OK, &stored.object)
}

fn is_version(object: &Node, current: &Stored) -> bool {
    let said = object.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    said.parse() == Ok(current.revision)
}

/// Refuses an object of another name than the path has.
pub(super) fn named(request: &Request, node: &Node) -> Result<(), Status> {
    let said = node.str_at(&["metadata", "name"]).unwrap_or_default();
    if said == request.name() {
        return Ok(());
    }
    Err(Status::bad_request(if said.is_empty() {
        format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            request.name()
        )
    } else {
        format!(
            "the name of the object ({said}) does not match the name on the URL ({})",
            request.name()
        )
    }))
}

/// PUT of a namespace's finalizers.
pub(crate) async fn finalize(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let options = write_options(&request.query, "Update", false)?;
    let object = create::read(request, body, &options, warnings).await?;
    let kind = request.kind();
    let key = kind.key("", request.name());
    let finalizers = object.items_at(&["spec", "finalizers"]).to_vec();
    let current =
        request.api.store.get(&key).ok_or_else(|| Status::not_found(kind, request.name()))?;
    let mut new = current.object.clone();
    if finalizers.is_empty() {
        new.set("spec", Node::map());
    } else {
        new.set_at(&["spec", "finalizers"], finalizers);
    }
    let expect = Some(current.revision);
    let gone = metadata::is_deleted(&new)
        && new.items_at(&["spec", "finalizers"]).is_empty()
        && new.items_at(&["metadata", "finalizers"]).is_empty();
    let op = if gone {
        Op::Delete { key, expect }
    } else {
        Op::Update { key, object: new.clone(), expect }
    };
    if !options.dry_run {
        let done = request.api.store.commit(vec![op]).await;
        let mut done = done.map_err(|error| Status::of_store(kind, request.name(), &error))?;
        let stored = done.pop().expect("one operation gives one object");
        return request.answer(StatusCode::OK, if gone { &new } else { &stored.object });
    }
    request.answer(StatusCode::OK, &new)
}

/// Changes an object: `make` gives its new state from the current one, `own` records who owns its
/// fields. Starts again when somebody else was faster, as long as `make` agrees.
pub(super) async fn change(
    request: &Request,
    options: &WriteOptions,
    make: impl Fn(&Stored) -> Result<Node, Status>,
    own: impl Fn(&Request, &Node, Node) -> Result<Node, Status>,
) -> Result<Arc<Stored>, Status> {
    let kind = request.kind();
    let name = request.name();
    let key = kind.key(request.namespace(), name);
    loop {
        let current = request.api.store.get(&key).ok_or_else(|| Status::not_found(kind, name))?;
        let current = seen(kind, current);
        let mut made = make(&current)?;
        if request.target.subresource == "status" && kind.definition.is_some() {
            only_status(&mut made, &current.object);
        }
        // owners are those of what was sent, before the system takes over what may not change
        let owned = own(request, &current.object, made)?;
        let mut new = prepare(request, &current, owned);
        let _held = request.api.allocate(kind, &mut new, Some(&current.object)).await?;
        check(request, &new, &current.object)?;
        auth::check_escalation(request, &new)?;
        meta::order(&mut new);
        kind.kept(&mut new);
        let expect = Some(current.revision);
        let gone = metadata::is_deleted(&new)
            && new.items_at(&["metadata", "finalizers"]).is_empty()
            && new.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) == 0
            && new.items_at(&["spec", "finalizers"]).is_empty();
        if options.dry_run {
            let revision = current.revision;
            return Ok(Arc::new(Stored { key, object: new, revision }));
        }
        let op = if gone {
            Op::Delete { key: key.clone(), expect }
        } else {
            Op::Update { key: key.clone(), object: new.clone(), expect }
        };
        match request.api.store.commit(vec![op]).await {
            Ok(mut done) => {
                let stored = done.pop().expect("one operation gives one object");
                if gone {
                    // what went is shown as it was changed last
                    let revision = stored.revision;
                    new.set_at(&["metadata", "resourceVersion"], revision.to_string());
                    return Ok(Arc::new(Stored { key, object: new, revision }));
                }
                return Ok(stored);
            }
            Err(StoreError::Changed { .. }) => {}
            Err(error) => return Err(Status::of_store(kind, name, &error)),
        }
    }
}

/// The object as the version of the request shows it.
pub(super) fn seen(kind: &Kind, stored: Arc<Stored>) -> Arc<Stored> {
    match kind.shown(&stored.object) {
        Some(object) => {
            Arc::new(Stored { key: stored.key.clone(), object, revision: stored.revision })
        }
        None => stored,
    }
}

/// Of what is written to the status of a custom object nothing but the status counts.
fn only_status(made: &mut Node, current: &Node) {
    let mut new = current.clone();
    match made.remove("status") {
        Some(status) => new.set("status", status),
        None => {
            new.remove("status");
        }
    }
    if let Some(managed) = made.remove_at(&["metadata", "managedFields"]) {
        new.set_at(&["metadata", "managedFields"], managed);
    }
    *made = new;
}

/// Takes over what the writer may not change, and counts the generation.
fn prepare(request: &Request, current: &Stored, mut new: Node) -> Node {
    let kind = request.kind();
    let old = &current.object;
    if request.target.subresource == "status" {
        // through the status path nothing but the status is written; and labels and the like, as
        // far as Kubernetes lets them through, which it does for most kinds
        let status = new.remove("status");
        let managed = new.remove_at(&["metadata", "managedFields"]);
        let labels_and_notes = ["labels", "annotations", "finalizers", "ownerReferences"]
            .map(|field| (field, new.remove_at(&["metadata", field])));
        new = old.clone();
        match status {
            Some(status) => new.set("status", status),
            None => {
                new.remove("status");
            }
        }
        for (field, value) in labels_and_notes {
            match value {
                Some(value) => new.set_at(&["metadata", field], value),
                None => {
                    new.remove_at(&["metadata", field]);
                }
            }
        }
        if let Some(managed) = managed {
            new.set_at(&["metadata", "managedFields"], managed);
        }
        (kind.rules.default)(&mut new);
    } else if request.target.subresource == EPHEMERAL {
        // nothing else of the Pod is written here
        let added = new.remove_at(&["spec", "ephemeralContainers"]);
        let managed = new.remove_at(&["metadata", "managedFields"]);
        new = old.clone();
        new.remove_at(&["spec", "ephemeralContainers"]);
        if let Some(added) = added {
            new.set_at(&["spec", "ephemeralContainers"], added);
        }
        if let Some(managed) = managed {
            new.set_at(&["metadata", "managedFields"], managed);
        }
    } else {
        (kind.rules.update)(&mut new, old);
        if kind.status {
            match old.get("status") {
                Some(status) => new.set("status", status.clone()),
                None => {
                    new.remove("status");
                }
            }
        }
    }
    for field in ["generation", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        match old.at(&["metadata", field]) {
            Some(value) => new.set_at(&["metadata", field], value.clone()),
            None => {
                new.remove_at(&["metadata", field]);
            }
        }
    }
    new.remove_at(&["metadata", "selfLink"]);
    if kind.generation && counts(kind, &new, old) {
        let generation = old.i64_at(&["metadata", "generation"]).unwrap_or(0);
        new.set_at(&["metadata", "generation"], generation + 1);
    }
    new.set_at(&["metadata", "resourceVersion"], current.revision.to_string());
    new
}

/// True when a change is counted in the generation: one of the spec; of a custom object one of all
/// but metadata and status.
fn counts(kind: &Kind, new: &Node, old: &Node) -> bool {
    if kind.definition.is_none() {
        return new.get("spec") != old.get("spec");
    }
    let body = |object: &Node| {
        let mut object = object.clone();
        object.remove("metadata");
        object.remove("apiVersion");
        if kind.status {
            object.remove("status");
        }
        object
    };
    body(new) != body(old)
}

fn check(request: &Request, new: &Node, old: &Node) -> Result<(), Status> {
    let kind = request.kind();
    let mut faults = Faults::new();
    meta::validate_update(kind, new, old, &mut faults);
    if request.target.subresource == "status" {
        (kind.rules.validate_status)(new, old, &mut faults);
    } else if request.target.subresource == EPHEMERAL {
        pod::validate_added(new, old, &mut faults);
        (kind.rules.validate)(new, &mut faults);
    } else {
        (kind.rules.validate_update)(new, old, &mut faults);
        (kind.rules.validate)(new, &mut faults);
    }
    custom::validate(kind, new, Some(old), &request.target.subresource, &mut faults);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(kind, request.name(), &faults))
}
