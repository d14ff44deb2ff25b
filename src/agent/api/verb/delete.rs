//! DELETE of one object and of collections.
//!
//! What has finalizers, or may take its time to stop, is marked and stays until it is done; the
//! rest goes at once.

use super::Request;
use super::read::List;
use crate::agent::api::body;
use crate::agent::api::definition;
use crate::agent::api::fault::Faults;
use crate::agent::api::kind::Kind;
use crate::agent::api::query::{dry_run, list_options};
use crate::agent::api::respond::{self, Reply};
use crate::agent::api::selection::Selection;
use crate::agent::api::status::{self, Status};
use crate::agent::store::{Op, StoreError, Stored, metadata};
use crate::base::clock::rfc3339_seconds;
use crate::yaml::Node;
use http::StatusCode;
use hyper::body::Incoming;
use serde_json::json;
use std::sync::Arc;

/// Namespaces that cannot be deleted.
const PROTECTED: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is said when Jobs are deleted and it is not said what becomes of their pods.
const ORPHANED: &str = "child pods are preserved by default when jobs are deleted; set \
    propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this \
    warning";

/// How an object is to go.
#[derive(Debug, Default)]
struct Options {
    dry_run: bool,
    /// The Pod is told that it is to make room.
    evicts: bool,
    grace: Option<i64>,
    policy: Option<&'static str>,
    uid: Option<String>,
    version: Option<String>,
}

impl Options {
    async fn read(
        request: &Request,
        body: Incoming,
        warnings: &mut Vec<String>,
    ) -> Result<Options, Status> {
        let bytes = body::read(&request.headers, body).await?;
        let node = if bytes.iter().all(u8::is_ascii_whitespace) {
            Node::map()
        } else {
            body::parse_as("meta.k8s.io/v1", "DeleteOptions", &request.headers, &bytes)?.node
        };
        let mut options = Options::new(request, &node)?;
        if request.kind().orphans && options.policy.is_none() {
            options.policy = Some("Orphan");
            warnings.push(ORPHANED.to_owned());
        }
        Ok(options)
    }

    fn new(request: &Request, node: &Node) -> Result<Options, Status> {
        let mut faults = Faults::new();
        let query = &request.query;
        let stages = node.items_at(&["dryRun"]).iter().filter_map(Node::as_str);
        let dry_run = dry_run(stages.chain(query.all("dryRun")), &mut faults);
        let asked = query.number("gracePeriodSeconds")?;
        let grace = node.i64_at(&["gracePeriodSeconds"]).or(asked);
        if grace.is_some_and(|seconds| seconds < 0) {
            let shown = grace.unwrap_or_default();
            faults.invalid("gracePeriodSeconds", shown, "must be greater than or equal to 0");
        }
        let said = node.str_at(&["propagationPolicy"]).unwrap_or(query.get("propagationPolicy"));
        let orphans = node.get("orphanDependents").and_then(Node::as_bool);
        let policy = match said {
            "" => orphans.map(|yes| if yes { "Orphan" } else { "Background" }),
            "Background" => Some("Background"),
            "Foreground" => Some("Foreground"),
            "Orphan" => Some("Orphan"),
            other => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                faults.unsupported("propagationPolicy", other, &known);
                None
            }
        };
        if !faults.is_empty() {
            return Err(Status::invalid_as("meta.k8s.io", "DeleteOptions", "", &faults));
        }
        let text = |path: &[&str]| node.str_at(path).map(str::to_owned);
        Ok(Options {
            dry_run,
            evicts: false,
            grace,
            policy,
            uid: text(&["preconditions", "uid"]),
            version: text(&["preconditions", "resourceVersion"]),
        })
    }
}

/// What became of an object.
enum Outcome {
    /// It is gone; this was its last state.
    Gone(Arc<Stored>),
    /// It is marked and goes when its finalizers or its time have run out.
    Marked(Arc<Stored>),
}

/// DELETE of one object.
pub(crate) async fn one(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let options = Options::read(request, body, warnings).await?;
    let kind = request.kind();
    let outcome = remove(request, request.namespace(), request.name(), &options).await?;
    match outcome {
        Outcome::Marked(stored) => request.answer(StatusCode::OK, &stored.object),
        Outcome::Gone(stored) if kind.delete_returns_object => {
            request.answer(StatusCode::OK, &stored.object)
        }
        Outcome::Gone(stored) => {
            let uid = stored.object.str_at(&["metadata", "uid"]).unwrap_or_default();
            let done = status::deleted(kind, request.name(), uid);
            Ok(respond::node(StatusCode::OK, request.accepted.encoding, &done))
        }
    }
}

/// Deletes a Pod with the options of an eviction.
pub(super) async fn evict(request: &Request, options: &Node) -> Result<(), Status> {
    let options = Options { evicts: true, ..Options::new(request, options)? };
    remove(request, request.namespace(), request.name(), &options).await.map(|_| ())
}

/// DELETE of a collection: answers with what it held.
pub(crate) async fn collection(
    request: &Request,
    body: Incoming,
    warnings: &mut Vec<String>,
) -> Result<Reply, Status> {
    let options = Options::read(request, body, warnings).await?;
    let kind = request.kind();
    let listing = list_options(&request.query)?;
    let selection = Selection::new(kind, &listing)?;
    let namespace = (!request.namespace().is_empty()).then(|| request.namespace());
    let (mut items, version) = request.api.store.list(&kind.resource(), namespace);
    items.retain(|stored| selection.matches(&stored.object));
    let items: Vec<Arc<Stored>> =
        items.into_iter().map(|stored| super::update::seen(kind, stored)).collect();
    for stored in &items {
        let key = &stored.key;
        match remove(request, &key.namespace, &key.name, &options).await {
            Ok(_) => {}
            Err(status) if status.code == StatusCode::NOT_FOUND => {}
            Err(status) => return Err(status),
        }
    }
    let mut metadata = Node::map();
    metadata.set("resourceVersion", version.to_string());
    let list = List {
        kind: format!("{}List", kind.kind),
        api_version: kind.api_version(),
        metadata,
        items: &items,
        told: kind.definition.is_some(),
    };
    Ok(respond::json(StatusCode::OK, &list))
}

async fn remove(
    request: &Request,
    namespace: &str,
    name: &str,
    options: &Options,
) -> Result<Outcome, Status> {
    let kind = request.kind();
    let key = kind.key(namespace, name);
    if kind.kind == "Namespace" && PROTECTED.contains(&name) {
        return Err(Status::forbidden(kind, name, "this namespace may not be deleted"));
    }
    loop {
        let found = request.api.store.get(&key);
        let current = found.ok_or_else(|| Status::not_found(kind, name))?;
        preconditions(kind, name, &current, options)?;
        let mut new = current.object.clone();
        let stays = mark(kind, &mut new, options, request.api.now());
        if options.evicts {
            disrupt(&mut new, request.api.now());
        }
        if options.dry_run {
            let object = if stays { new } else { current.object.clone() };
            let stored = Arc::new(Stored { key, object, revision: current.revision });
            return Ok(if stays { Outcome::Marked(stored) } else { Outcome::Gone(stored) });
        }
        let expect = Some(current.revision);
        let op = if stays {
            Op::Update { key: key.clone(), object: new, expect }
        } else {
            Op::Delete { key: key.clone(), expect }
        };
        match request.api.store.commit(vec![op]).await {
            Ok(mut done) => {
                let stored = done.pop().expect("one operation gives one object");
                return Ok(if stays { Outcome::Marked(stored) } else { Outcome::Gone(stored) });
            }
            Err(StoreError::Changed { .. }) if options.version.is_none() => {}
            Err(error) => return Err(Status::of_store(kind, name, &error)),
        }
    }
}

/// Says in a Pod's status why it goes.
fn disrupt(pod: &mut Node, now: jiff::Timestamp) {
    let mut conditions = pod.items_at(&["status", "conditions"]).to_vec();
    conditions.retain(|condition| condition.str_at(&["type"]) != Some("DisruptionTarget"));
    conditions.push(Node::from(json!({
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": rfc3339_seconds(now),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    })));
    pod.set_at(&["status", "conditions"], conditions);
}

fn preconditions(
    kind: &Kind,
    name: &str,
    current: &Stored,
    options: &Options,
) -> Result<(), Status> {
    let uid = current.object.str_at(&["metadata", "uid"]).unwrap_or_default();
    if let Some(wanted) = &options.uid
        && wanted != uid
    {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The \
             object might have been deleted and then recreated"
        );
        return Err(Status::precondition(kind, name, &why));
    }
    let version = current.revision.to_string();
    if let Some(wanted) = &options.version
        && *wanted != version
    {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion \
             in record ({version}). The object might have been modified"
        );
        return Err(Status::precondition(kind, name, &why));
    }
    Ok(())
}

/// Marks an object; false when nothing holds it.
fn mark(kind: &Kind, object: &mut Node, options: &Options, now: jiff::Timestamp) -> bool {
    let grace = if kind.kind == "Pod" { grace(object, options) } else { 0 };
    let policy = match options.policy {
        Some("Foreground") => Some("foregroundDeletion"),
        Some("Orphan") => Some("orphan"),
        _ => None,
    };
    if options.policy.is_some() {
        let mut finalizers = object.items_at(&["metadata", "finalizers"]).to_vec();
        let before = finalizers.clone();
        finalizers.retain(|finalizer| {
            !matches!(finalizer.as_str(), Some("foregroundDeletion" | "orphan"))
        });
        finalizers.extend(policy.map(Node::from));
        if finalizers.is_empty() {
            object.remove_at(&["metadata", "finalizers"]);
        } else if finalizers != before {
            object.set_at(&["metadata", "finalizers"], finalizers);
        }
    }
    let held = !object.items_at(&["metadata", "finalizers"]).is_empty()
        || kind.kind == "Namespace" && !object.items_at(&["spec", "finalizers"]).is_empty();
    if !metadata::is_deleted(object) {
        if !held && grace == 0 {
            return false;
        }
        metadata::mark_deleted(object, now, grace);
        if kind.generation {
            let generation = object.i64_at(&["metadata", "generation"]).unwrap_or(0);
            object.set_at(&["metadata", "generation"], generation + 1);
        }
        if kind.kind == "CustomResourceDefinition" {
            let message = "CustomResourceDefinition marked for deletion; CustomResource deletion \
                           will begin soon";
            let going = ("Terminating", true, "InstanceDeletionPending", message);
            definition::set_condition(object, going, now);
        }
        if kind.kind == "Namespace" {
            object.set_at(&["status", "phase"], "Terminating");
        }
        return true;
    }
    // a second delete may shorten the time, never lengthen it
    let left = object.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
    if grace < left && (options.grace.is_some() || left > 0) {
        if grace == 0 && !held {
            return false;
        }
        metadata::mark_deleted(object, now, grace);
    }
    held || kind.kind == "Pod"
}

/// The seconds that a Pod has to stop. One that runs nowhere, or has ended, needs none.
fn grace(pod: &Node, options: &Options) -> i64 {
    let nowhere = pod.str_at(&["spec", "nodeName"]).unwrap_or_default().is_empty();
    let ended = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
    if nowhere || ended {
        return 0;
    }
    let own = pod.i64_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
    // a negative time means at once, which is one second
    let seconds = options.grace.unwrap_or(own);
    if seconds < 0 { 1 } else { seconds }
}
