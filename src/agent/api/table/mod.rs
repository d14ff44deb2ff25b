//! Tables: what `kubectl get` shows, with the columns and cells of Kubernetes'
//! `pkg/printers/internalversion/printers.go`.

mod access;
mod batch;
mod cell;
mod core;
mod custom;
mod endpoints;
mod pod;
mod storage;
mod workload;

use super::kind::Kind;
use super::status::Status;
use crate::yaml::{Map, Node};
use jiff::Timestamp;

pub(crate) use access::{BINDING, CREATED, PRIORITY_CLASS, RESOURCE_QUOTA};
pub(crate) use batch::{CRON_JOB, JOB};
pub(crate) use core::{
    CONFIG_MAP, EVENT, LEASE, NAMESPACE, NODE, PLAIN, SECRET, SERVICE, SERVICE_ACCOUNT,
};
pub(crate) use custom::{DEFINITION, text_of};
pub(crate) use endpoints::{ENDPOINT_SLICE, ENDPOINTS};
pub(crate) use pod::POD;
pub(crate) use storage::{CLAIM, STORAGE_CLASS, VOLUME};
pub(crate) use workload::{DEPLOYMENT, REPLICA_SET};

/// The columns of a kind.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) columns: &'static [Column],
    /// One cell for each column.
    pub(crate) cells: fn(&Node, Timestamp) -> Vec<Node>,
}

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    description: &'static str,
    /// 0 for columns that are always shown, 1 for those of `-o wide`.
    priority: i32,
}

impl Column {
    const fn text(name: &'static str, description: &'static str) -> Column {
        Column { name, kind: "string", format: "", description, priority: 0 }
    }

    const fn integer(name: &'static str, description: &'static str) -> Column {
        Column { kind: "integer", ..Column::text(name, description) }
    }

    const fn wide(self) -> Column {
        Column { priority: 1, ..self }
    }
}

const NAME: Column = Column {
    name: "Name",
    kind: "string",
    format: "name",
    description: "Name must be unique within a namespace. Is required when creating resources, \
        although some resources may allow a client to request the generation of an appropriate \
        name automatically. Name is primarily intended for creation idempotence and configuration \
        definition. Cannot be updated. More info: \
        https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    priority: 0,
};

const AGE: Column = Column::text("Age", AGE_DESCRIPTION);

/// What the creation time of an object is.
pub(crate) const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. \
     It is not guaranteed to be set in happens-before order across separate operations. Clients \
     may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the \
     system. Read-only. Null for lists. More info: \
     https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// What a row holds besides its cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// Reads `includeObject`.
    pub(crate) fn parse(text: &str) -> Result<Include, Status> {
        match text {
            "" | "Metadata" => Ok(Include::Metadata),
            "None" => Ok(Include::None),
            "Object" => Ok(Include::Object),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: \
                 {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

/// A Table of objects. Without `head` the columns are left out, as in all but the first event of
/// a watch.
pub(crate) fn table<'a>(
    kind: &Kind,
    version: &str,
    metadata: Node,
    objects: impl Iterator<Item = &'a Node>,
    include: Include,
    head: bool,
    now: Timestamp,
) -> Node {
    let mut table = Node::map();
    table.set("kind", "Table");
    table.set("apiVersion", version);
    table.set("metadata", metadata);
    let columns = match &kind.definition {
        Some(definition) => custom::heads(definition),
        None => kind.columns.columns.iter().map(column).collect(),
    };
    table.set("columnDefinitions", if head { columns.into() } else { Node::NULL });
    let rows: Vec<Node> = objects.map(|object| row(kind, version, object, include, now)).collect();
    table.set("rows", rows);
    table
}

fn column(column: &Column) -> Node {
    let mut map = Map::new();
    map.insert("name", column.name);
    map.insert("type", column.kind);
    map.insert("format", column.format);
    map.insert("description", column.description);
    map.insert("priority", column.priority);
    map.into()
}

fn row(kind: &Kind, version: &str, object: &Node, include: Include, now: Timestamp) -> Node {
    let mut map = Map::new();
    let cells = match &kind.definition {
        Some(definition) => custom::cells(definition, object, now),
        None => (kind.columns.cells)(object, now),
    };
    map.insert("cells", cells);
    let object = match include {
        Include::None => Node::NULL,
        Include::Object => object.clone(),
        Include::Metadata => partial(version, object),
    };
    map.insert("object", object);
    map.into()
}

/// The metadata of an object alone.
pub(crate) fn partial(version: &str, object: &Node) -> Node {
    let mut partial = Node::map();
    partial.set("kind", "PartialObjectMetadata");
    partial.set("apiVersion", version);
    partial.set("metadata", object.get("metadata").cloned().unwrap_or_else(Node::map));
    partial
}
