//! Objects of custom kinds: what their definitions make of a body, and what they ask of it.

use super::body;
use super::decode;
use super::fault::Faults;
use super::kind::{Definition, Kind};
use super::status::Status;
use super::verb::create;
use crate::schema::{Schemas, breaches, structural};
use crate::yaml::{Map, Node};

/// So much of a body is shown.
const SHOWN: usize = 30;

/// An object must say what it is; there is no type that a server could assume.
pub(crate) fn require_head(kind: &Kind, node: &Node, bytes: &[u8]) -> Result<(), Status> {
    for (field, name) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if !node.str_at(&[field]).unwrap_or_default().is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        let mut end = text.len().min(SHOWN);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let dots = if end < text.len() { " ..." } else { "" };
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object '{name}' is missing \
             in '{text}' ({}{dots})",
            kind.kind,
            &text[..end]
        )));
    }
    Ok(())
}

/// Refuses an object that says it is of another kind.
pub(crate) fn require_kind(kind: &Kind, node: &Node) -> Result<(), Status> {
    let said = node.str_at(&["kind"]).unwrap_or_default();
    if said == kind.kind {
        return Ok(());
    }
    let mut faults = Faults::new();
    faults.invalid("kind", said, format!("must be {}", kind.kind));
    let name = node.str_at(&["metadata", "name"]).unwrap_or_default();
    Err(Status::invalid_as(&kind.group, said, name, &faults))
}

/// Reads metadata, drops the fields that the schema does not have, and fills in defaults. The
/// paths of what was dropped come back; the error is a sentence.
pub(crate) fn decode(
    schemas: &Schemas,
    kind: &Kind,
    definition: &Definition,
    mut node: Node,
) -> Result<(Node, Vec<String>), String> {
    let metadata = node.remove("metadata").unwrap_or_else(Node::map);
    let mut shell = Map::new();
    shell.insert("metadata", metadata);
    // metadata is the same in all kinds
    let ty = schemas.kind("v1", "Pod").unwrap_or_else(|| Schemas::any());
    let (mut shell, mut unknown) = decode::decode(&kind.kind, shell.into(), ty)?;
    let metadata = shell.remove("metadata").unwrap_or_else(Node::map);
    node.remove("apiVersion");
    node.remove("kind");
    let mut object = create::headed(kind, node);
    unknown.extend(structural::prune(&mut object, &definition.ty));
    object.set("metadata", Node::map());
    structural::default(&mut object, &definition.ty);
    object.set("metadata", metadata);
    unknown.sort_unstable();
    Ok((object, unknown))
}

/// Everything that the schema has against an object, or against its status when that is written.
pub(crate) fn validate(
    kind: &Kind,
    object: &Node,
    old: Option<&Node>,
    subresource: &str,
    faults: &mut Faults,
) {
    let Some(definition) = &kind.definition else { return };
    let part = (subresource == "status").then_some("status");
    for breach in breaches(object, old, part, &definition.ty) {
        faults.breach(&breach);
    }
}

/// The types of patches that a custom kind takes, as the answer to others lists them.
pub(crate) fn unsupported_patch() -> Status {
    Status::unsupported_media(
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, \
         application/apply-patch+yaml",
    )
}

/// The media types that custom objects are not written in.
pub(crate) fn is_readable(kind: &Kind, headers: &http::HeaderMap) -> bool {
    kind.definition.is_none() || body::media(headers) != body::PROTOBUF
}
