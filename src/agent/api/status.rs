//! Errors as the API words them: the `Status` object, and the only place with HTTP codes.
//!
//! Reasons and texts are those of k8s.io/apimachinery `pkg/api/errors`.

use super::fault::Faults;
use super::kind::Kind;
use crate::agent::store::StoreError;
use crate::yaml::{Map, Node};
use http::{Method, StatusCode};

/// Why a request was not served.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// The HTTP code.
    pub(crate) code: StatusCode,
    /// The machine-readable cause; empty where Kubernetes gives none.
    pub(crate) reason: &'static str,
    /// The text.
    pub(crate) message: String,
    /// What it is about.
    pub(crate) details: Option<Box<Details>>,
    /// A token with which an expired list can be gone on with.
    pub(crate) resume: Option<String>,
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) uid: String,
    pub(crate) causes: Vec<Cause>,
    pub(crate) retry_after: Option<u32>,
}

/// One of several causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Status {
    pub(crate) fn new(
        code: StatusCode,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Status {
        Status { code, reason, message: message.into(), details: None, resume: None }
    }

    fn with(mut self, details: Details) -> Status {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Status {
        Status::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Status {
        Status::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    /// A fault of the server, or of what it was given to work with.
    pub(crate) fn internal_error(why: &str) -> Status {
        let message = format!("Internal error occurred: {why}");
        let cause = Cause { reason: String::new(), message: why.into(), field: String::new() };
        Status::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
            .with(Details { causes: vec![cause], ..Details::default() })
    }

    pub(crate) fn unauthorized() -> Status {
        Status::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// A path below a known group that leads to nothing.
    pub(crate) fn no_resource() -> Status {
        let message = "the server could not find the requested resource";
        Status::new(StatusCode::NOT_FOUND, "NotFound", message).with(Details::default())
    }

    pub(crate) fn method_not_allowed() -> Status {
        let message = "the server does not allow this method on the requested resource";
        Status::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
            .with(Details::default())
    }

    /// A method that a path of a custom kind does not have.
    pub(crate) fn unsupported_method(kind: &Kind, method: &Method) -> Status {
        let verb = match *method {
            Method::POST => "create",
            Method::PUT => "update",
            ref other => &other.as_str().to_ascii_lowercase(),
        };
        let message =
            format!("{verb} is not supported on resources of kind \"{}\"", kind.resource());
        Status::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
            .with(Details::resource(kind, ""))
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Status {
        let message = format!("{} {name:?} not found", kind.resource());
        Status::new(StatusCode::NOT_FOUND, "NotFound", message).with(Details::resource(kind, name))
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Status {
        let message = format!("{} {name:?} already exists", kind.resource());
        Status::new(StatusCode::CONFLICT, "AlreadyExists", message)
            .with(Details::resource(kind, name))
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Status {
        let resource = kind.resource();
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Status::new(StatusCode::CONFLICT, "Conflict", message).with(Details::resource(kind, name))
    }

    /// Somebody else changed the object meanwhile.
    pub(crate) fn modified(kind: &Kind, name: &str) -> Status {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Status::conflict(kind, name, why)
    }

    /// A precondition of a delete does not hold; Kubernetes names the kind here, not the resource.
    pub(crate) fn precondition(kind: &Kind, name: &str, why: &str) -> Status {
        let what = kind.qualified_kind();
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {why}");
        let mut details = Details::resource(kind, name);
        details.kind = kind.kind.to_string();
        Status::new(StatusCode::CONFLICT, "Conflict", message).with(details)
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Status {
        let message = format!("{} {name:?} is forbidden: {why}", kind.resource());
        Status::new(StatusCode::FORBIDDEN, "Forbidden", message).with(Details::resource(kind, name))
    }

    /// The caller may not do something with objects; without a name, with any of them.
    pub(crate) fn forbidden_resource(group: &str, plural: &str, name: &str, why: &str) -> Status {
        let dot = if group.is_empty() { "" } else { "." };
        let quoted = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        let message = format!("{plural}{dot}{group}{quoted} is forbidden: {why}");
        Status::new(StatusCode::FORBIDDEN, "Forbidden", message).with(Details {
            name: name.into(),
            group: group.into(),
            kind: plural.into(),
            ..Details::default()
        })
    }

    /// The caller may not use a path.
    pub(crate) fn forbidden_path(why: &str) -> Status {
        let message = format!("forbidden: {why}");
        Status::new(StatusCode::FORBIDDEN, "Forbidden", message).with(Details::default())
    }

    pub(crate) fn invalid(kind: &Kind, name: &str, faults: &Faults) -> Status {
        Status::invalid_as(&kind.group, &kind.kind, name, faults)
    }

    /// Invalid options, or anything that has no [`Kind`] of its own.
    pub(crate) fn invalid_as(group: &str, kind: &str, name: &str, faults: &Faults) -> Status {
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{kind}{dot}{group} {name:?} is invalid: {}", faults.aggregate());
        Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with(Details {
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
            causes: faults.causes(),
            ..Details::default()
        })
    }

    pub(crate) fn unsupported_media(accepted: &str) -> Status {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             {accepted}"
        );
        Status::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_acceptable() -> Status {
        let message = "only the following media types are accepted: application/json, \
                       application/json;stream=watch, application/yaml";
        Status::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn too_large() -> Status {
        let message = format!("Request entity too large: limit is {}", super::body::LIMIT);
        Status::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Status {
        Status::new(StatusCode::GONE, "Expired", message)
    }

    /// A patch that cannot be carried out.
    pub(crate) fn unfit_patch() -> Status {
        let message = "the server rejected our request due to an error in our request";
        Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with(Details::default())
    }

    /// A patch of a type that is not known.
    pub(crate) fn unsupported_patch() -> Status {
        let message = "415: Unsupported Media Type";
        Status::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
            .with(Details::default())
    }

    /// Fields that others own.
    pub(crate) fn apply_conflict(message: String, causes: Vec<Cause>) -> Status {
        Status::new(StatusCode::CONFLICT, "Conflict", message)
            .with(Details { causes, ..Details::default() })
    }

    /// A version was asked for that is yet to come.
    pub(crate) fn version_ahead(asked: u64, newest: u64) -> Status {
        let message = format!("Too large resource version: {asked}, current: {newest}");
        let cause = Cause {
            reason: "ResourceVersionTooLarge".into(),
            message: "Too large resource version".into(),
            field: String::new(),
        };
        Status::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", format!("Timeout: {message}"))
            .with(Details { causes: vec![cause], retry_after: Some(1), ..Details::default() })
    }

    /// What the store says of an operation on one object.
    pub(crate) fn of_store(kind: &Kind, name: &str, error: &StoreError) -> Status {
        match error {
            StoreError::Exists(_) => Status::already_exists(kind, name),
            StoreError::Missing(_) => Status::not_found(kind, name),
            StoreError::Changed { .. } => Status::modified(kind, name),
            StoreError::Closed => Status::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                error.to_string(),
            ),
            StoreError::Unusable { .. } | StoreError::Write(_) => {
                let mut status = Status::internal(format!("Internal error occurred: {error}"));
                status.reason = "InternalError";
                status
            }
        }
    }

    /// The `Status` object.
    pub(crate) fn to_node(&self) -> Node {
        let mut node = head();
        if let Some(token) = &self.resume {
            node.set_at(&["metadata", "continue"], token.as_str());
        }
        node.set("status", "Failure");
        if !self.message.is_empty() {
            node.set("message", self.message.as_str());
        }
        if !self.reason.is_empty() {
            node.set("reason", self.reason);
        }
        if let Some(details) = &self.details {
            node.set("details", details.to_node());
        }
        node.set("code", u32::from(self.code.as_u16()));
        node
    }
}

impl Details {
    fn resource(kind: &Kind, name: &str) -> Details {
        Details {
            name: name.into(),
            group: kind.group.to_string(),
            kind: kind.plural.to_string(),
            ..Details::default()
        }
    }

    fn to_node(&self) -> Node {
        let mut map = Map::new();
        let texts = [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ];
        for (key, text) in texts {
            if !text.is_empty() {
                map.insert(key, text.as_str());
            }
        }
        if !self.causes.is_empty() {
            let causes: Vec<Node> = self.causes.iter().map(Cause::to_node).collect();
            map.insert("causes", causes);
        }
        if let Some(seconds) = self.retry_after {
            map.insert("retryAfterSeconds", seconds);
        }
        map.into()
    }
}

impl Cause {
    fn to_node(&self) -> Node {
        let mut map = Map::new();
        for (key, text) in
            [("reason", &self.reason), ("message", &self.message), ("field", &self.field)]
        {
            if !text.is_empty() {
                map.insert(key, text.as_str());
            }
        }
        map.into()
    }
}

/// The answer to a delete that is done.
pub(crate) fn deleted(kind: &Kind, name: &str, uid: &str) -> Node {
    let mut node = head();
    node.set("status", "Success");
    let details = Details { uid: uid.into(), ..Details::resource(kind, name) };
    node.set("details", details.to_node());
    node
}

fn head() -> Node {
    let mut node = Node::map();
    node.set("kind", "Status");
    node.set("apiVersion", "v1");
    node.set("metadata", Node::map());
    node
}
