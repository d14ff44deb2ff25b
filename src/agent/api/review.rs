//! Questions to the API: who am I, may I, is this token good; and tokens on request.

use super::auth::Identity;
use super::auth::authorize::{self, Action};
use super::body;
use super::fault::Faults;
use super::kind;
use super::query::write_options;
use super::respond::Reply;
use super::status::Status;
use super::verb::{Request, create};
use crate::agent::store::Stored;
use crate::agent::token::{Claims, ISSUER};
use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::yaml::Node;
use http::StatusCode;
use hyper::body::Incoming;
use std::sync::Arc;

/// Answers a question; gives it back with its status.
pub(crate) type Review = fn(&Request, &mut Node) -> Result<Node, Status>;

/// A token is valid for at least so many seconds.
const SHORTEST: i64 = 600;

/// A token is valid for at most so many seconds, whatever was asked for.
const LONGEST: i64 = 1 << 32;

/// POST of a question.
pub(crate) async fn answer(request: &Request, body: Incoming) -> Result<Reply, Status> {
    let kind = request.kind();
    let options = write_options(&request.query, "Create", false)?;
    let bytes = body::read(&request.headers, body).await?;
    let parsed = body::parse(kind, &request.headers, &bytes)?;
    let mut warnings = Vec::new();
    let mut object = create::decode(request, parsed, &options, &mut warnings)?;
    let review = kind.review.expect("the route leads here for questions only");
    let status = review(request, &mut object)?;
    object.set("status", status);
    let mut reply = request.answer(StatusCode::CREATED, &object)?;
    super::respond::warn(&mut reply, &warnings);
    Ok(reply)
}

/// Who asks.
#[expect(clippy::unnecessary_wraps, reason = "it stands where a failing review may stand")]
pub(crate) fn self_subject(request: &Request, object: &mut Node) -> Result<Node, Status> {
    let now = rfc3339_seconds(request.api.now());
    object.set_at(&["metadata", "creationTimestamp"], now);
    let mut status = Node::map();
    status.set("userInfo", request.user.to_node());
    Ok(status)
}

/// Whether a token is good, and whose it is.
pub(crate) fn token(request: &Request, object: &mut Node) -> Result<Node, Status> {
    let token = object.str_at(&["spec", "token"]).unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let audiences = object.items_at(&["spec", "audiences"]);
    let audiences: Vec<&str> = match audiences {
        [] => vec![ISSUER],
        some => some.iter().filter_map(Node::as_str).collect(),
    };
    let mut status = Node::map();
    match request.api.authenticator.holder(&request.api, token, &audiences) {
        Some(user) => {
            status.set("authenticated", true);
            status.set("user", user.to_node());
            status.set("audiences", texts(audiences));
        }
        None => {
            status.set("user", Node::map());
            status.set("error", "invalid bearer token");
        }
    }
    Ok(status)
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Node {
    texts.into_iter().map(Node::from).collect::<Vec<_>>().into()
}

/// Whether the caller may do something.
pub(crate) fn self_subject_access(request: &Request, object: &mut Node) -> Result<Node, Status> {
    access(request, object, &request.user, &mut Faults::new())
}

/// Whether somebody may do something.
pub(crate) fn subject_access(request: &Request, object: &mut Node) -> Result<Node, Status> {
    let text = |field| object.str_at(&["spec", field]).unwrap_or_default().to_owned();
    let groups = object.items_at(&["spec", "groups"]).iter().filter_map(Node::as_str);
    let user = Identity {
        user: text("user"),
        uid: text("uid"),
        groups: groups.map(str::to_owned).collect(),
        extra: Vec::new(),
    };
    let mut faults = Faults::new();
    if user.user.is_empty() && user.groups.is_empty() {
        faults.invalid("spec.user", "", "at least one of user or group must be specified");
    }
    access(request, object, &user, &mut faults)
}

/// Whether somebody may do something in the namespace of the request.
pub(crate) fn local_subject_access(request: &Request, object: &mut Node) -> Result<Node, Status> {
    let said = object.str_at(&["spec", "resourceAttributes", "namespace"]).unwrap_or_default();
    if said != request.namespace() {
        return Err(Status::bad_request("spec.resourceAttributes.namespace must match namespace"));
    }
    subject_access(request, object)
}

fn access(
    request: &Request,
    object: &Node,
    user: &Identity,
    faults: &mut Faults,
) -> Result<Node, Status> {
    let resource = object.at(&["spec", "resourceAttributes"]);
    let path = object.at(&["spec", "nonResourceAttributes"]);
    let text = |node: &Node, field: &str| node.str_at(&[field]).unwrap_or_default().to_owned();
    let action = match (resource, path) {
        (Some(node), None) => {
            let below = text(node, "subresource");
            let slash = if below.is_empty() { "" } else { "/" };
            let resource = format!("{}{slash}{below}", text(node, "resource"));
            Action::Resource {
                verb: text(node, "verb"),
                group: text(node, "group"),
                resource,
                namespace: text(node, "namespace"),
                name: text(node, "name"),
            }
        }
        (None, Some(node)) => Action::Path { verb: text(node, "verb"), path: text(node, "path") },
        _ => {
            let shown = resource.cloned().unwrap_or_default();
            let rule =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            faults.invalid("spec.resourceAttributes", shown, rule);
            Action::resource("", "", "", "")
        }
    };
    if !faults.is_empty() {
        return Err(Status::invalid(request.kind(), "", faults));
    }
    let mut status = Node::map();
    status.set("allowed", authorize::allows(&request.api, user, &action));
    Ok(status)
}

/// All that the caller may do in a namespace.
pub(crate) fn self_subject_rules(request: &Request, object: &mut Node) -> Result<Node, Status> {
    let namespace = object.str_at(&["spec", "namespace"]).unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let rules = authorize::rules(&request.api.store, &request.user, namespace);
    // the question is not repeated
    object.set("spec", Node::map());
    let (paths, resources): (Vec<Node>, Vec<Node>) =
        rules.into_iter().partition(|rule| !rule.items_at(&["nonResourceURLs"]).is_empty());
    let mut status = Node::map();
    status.set("resourceRules", resources);
    status.set("nonResourceRules", paths);
    status.set("incomplete", false);
    Ok(status)
}

/// POST of a request for a ServiceAccount's token.
pub(crate) async fn token_request(request: &Request, body: Incoming) -> Result<Reply, Status> {
    const KIND: &str = "TokenRequest";
    const GROUP: &str = "authentication.k8s.io";
    let version = format!("{GROUP}/v1");
    write_options(&request.query, "Create", false)?;
    let accounts = kind::built_in("serviceaccounts");
    let key = accounts.key(request.namespace(), request.name());
    let found = request.api.store.get(&key);
    let account = found.ok_or_else(|| Status::not_found(accounts, request.name()))?;
    let bytes = body::read(&request.headers, body).await?;
    let asked = body::parse_as(&version, KIND, &request.headers, &bytes)?.node;
    let seconds = asked.i64_at(&["spec", "expirationSeconds"]).unwrap_or(3600);
    let mut faults = Faults::new();
    if seconds < SHORTEST {
        let rule = "may not specify a duration less than 10 minutes";
        faults.invalid("spec.expirationSeconds", seconds, rule);
    }
    if seconds > LONGEST {
        let rule = "may not specify a duration larger than 2^32 seconds";
        faults.invalid("spec.expirationSeconds", seconds, rule);
    }
    if !faults.is_empty() {
        return Err(Status::invalid_as(GROUP, KIND, "", &faults));
    }
    let audiences = match asked.items_at(&["spec", "audiences"]) {
        [] => vec![Node::from(ISSUER)],
        some => some.to_vec(),
    };
    let now = request.api.now();
    let end = now.as_second() + seconds;
    let reference = asked.at(&["spec", "boundObjectRef"]).filter(|bound| !bound.is_null());
    let bound = reference.map(|reference| bound(request, reference)).transpose()?;
    let claims = Claims {
        account: &account.object,
        audiences: &audiences,
        seconds,
        bound: bound.as_ref().map(|(what, object)| (*what, &object.object)),
        node: None,
    };
    let token = request.api.authenticator.tokens.issue(&claims.to_node(now));
    let mut reply = Node::map();
    reply.set("kind", KIND);
    reply.set("apiVersion", version);
    reply.set_at(&["metadata", "name"], request.name());
    reply.set_at(&["metadata", "namespace"], request.namespace());
    reply.set_at(&["metadata", "creationTimestamp"], rfc3339_seconds(now));
    reply.set_at(&["spec", "audiences"], audiences.clone());
    reply.set_at(&["spec", "expirationSeconds"], seconds);
    if let Some(reference) = reference {
        reply.set_at(&["spec", "boundObjectRef"], reference.clone());
    }
    reply.set_at(&["status", "token"], token);
    let end = jiff::Timestamp::from_second(end).unwrap_or(jiff::Timestamp::MAX);
    reply.set_at(&["status", "expirationTimestamp"], rfc3339_seconds(end));
    request.answer(StatusCode::CREATED, &reply)
}

/// The object with which a token is to end, after what it is called in claims.
fn bound(request: &Request, reference: &Node) -> Result<(&'static str, Arc<Stored>), Status> {
    let text = |field: &str| reference.str_at(&[field]).unwrap_or_default();
    let (what, kind, namespace) = match text("kind") {
        "Pod" => ("pod", kind::built_in("pods"), request.namespace()),
        "Secret" => ("secret", kind::built_in("secrets"), request.namespace()),
        "Node" => ("node", kind::built_in("nodes"), ""),
        other => {
            let why =
                format!("cannot bind token for serviceaccount to an object of kind {other:?}");
            return Err(Status::bad_request(why));
        }
    };
    let name = text("name");
    let found = request.api.store.get(&kind.key(namespace, name));
    let found = found.ok_or_else(|| Status::not_found(kind, name))?;
    let uid = text("uid");
    if !uid.is_empty() && uid != meta::uid(&found.object) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        return Err(Status::conflict(kind, name, &why));
    }
    let account = found.object.str_at(&["spec", "serviceAccountName"]).unwrap_or_default();
    if what == "pod" && account != request.name() {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different \
             serviceaccount name.",
            request.name()
        )));
    }
    Ok((what, found))
}
