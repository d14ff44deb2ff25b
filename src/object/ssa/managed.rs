//! The owners of an object's fields: `metadata.managedFields` read, written and kept short.

use super::field_set::FieldSet;
use crate::yaml::{Map, Node, json};
use std::collections::BTreeMap;

/// Owners by plain updates that are kept apart; the oldest ones beyond are put together.
const MAX_UPDATERS: usize = 10;

/// The owner of what those did that are no longer kept apart.
const ANCIENT: &str = "ancient-changes";

/// What an owner did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// It applied a configuration; what it no longer sends is removed.
    Apply,
    /// It wrote otherwise.
    Update,
}

impl Operation {
    fn text(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// What tells owners apart. One that applies is the same in every version of the API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Owner {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for [`Operation::Apply`].
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl Owner {
    pub(super) fn new(
        manager: &str,
        operation: Operation,
        api_version: &str,
        subresource: &str,
    ) -> Owner {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        Owner {
            manager: manager.into(),
            operation,
            api_version: api_version.into(),
            subresource: subresource.into(),
        }
    }

    /// As messages name it: `"one" with subresource "status" using v1`.
    pub(super) fn describe(&self) -> String {
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            name => format!(" with subresource {name:?}"),
        };
        let version = match self.operation {
            Operation::Update => format!(" using {}", self.api_version),
            Operation::Apply => String::new(),
        };
        format!("{:?}{subresource}{version}", self.manager)
    }

    /// The text by which messages about several owners are sorted: the owner as JSON.
    pub(super) fn sort_key(&self) -> String {
        let mut map = Map::new();
        map.insert("manager", self.manager.as_str());
        map.insert("operation", self.operation.text());
        for (key, value) in [("apiVersion", &self.api_version), ("subresource", &self.subresource)]
        {
            if !value.is_empty() {
                map.insert(key, value.as_str());
            }
        }
        json::to_string(&Node::from(map))
    }
}

/// What one owner holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Held {
    pub(super) set: FieldSet,
    pub(super) api_version: String,
    pub(super) time: Option<String>,
}

/// All owners of one object.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Managed(pub(super) BTreeMap<Owner, Held>);

impl Managed {
    /// Reads `metadata.managedFields`; nothing when one of its entries cannot be read.
    pub(super) fn read(object: &Node) -> Option<Managed> {
        let mut managed = Managed::default();
        let list = object.at(&["metadata", "managedFields"]);
        for entry in list.and_then(Node::as_list).unwrap_or_default() {
            let text = |key: &str| entry.str_at(&[key]).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            if text("fieldsType") != "FieldsV1" || text("apiVersion").is_empty() {
                return None;
            }
            let set = match entry.get("fieldsV1") {
                None => FieldSet::new(),
                Some(fields) => FieldSet::from_fields_v1(fields)?,
            };
            let owner =
                Owner::new(text("manager"), operation, text("apiVersion"), text("subresource"));
            let held = Held {
                set,
                api_version: text("apiVersion").into(),
                time: entry.str_at(&["time"]).map(str::to_owned),
            };
            managed.0.insert(owner, held);
        }
        Some(managed)
    }

    /// Writes `metadata.managedFields`: who applied before who updated, then by time and name.
    pub(super) fn write(&self, object: &mut Node) {
        let mut entries: Vec<(&Owner, &Held)> =
            self.0.iter().filter(|(_, held)| !held.set.is_empty()).collect();
        entries.sort_by(|(a, a_held), (b, b_held)| {
            a.operation
                .cmp(&b.operation)
                .then_with(|| a_held.time.cmp(&b_held.time))
                .then_with(|| a.manager.cmp(&b.manager))
                .then_with(|| a_held.api_version.cmp(&b_held.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        if entries.is_empty() {
            object.remove_at(&["metadata", "managedFields"]);
            return;
        }
        let list: Vec<Node> = entries.into_iter().map(|(owner, held)| entry(owner, held)).collect();
        object.set_at(&["metadata", "managedFields"], list);
    }

    /// All fields that somebody owns.
    pub(super) fn all(&self) -> FieldSet {
        self.0.values().fold(FieldSet::new(), |all, held| all.union(&held.set))
    }

    /// Drops owners of nothing, and puts the oldest updaters together where there are too many.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|_, held| !held.set.is_empty());
        let mut updaters: Vec<(Option<String>, Owner)> = self
            .0
            .iter()
            .filter(|(owner, _)| owner.operation == Operation::Update)
            .map(|(owner, held)| (held.time.clone(), owner.clone()))
            .collect();
        let mut count = updaters.len();
        updaters.sort();
        let mut first: BTreeMap<String, Owner> = BTreeMap::new();
        for (time, owner) in updaters {
            if count <= MAX_UPDATERS {
                break;
            }
            let version = owner.api_version.clone();
            let Some(oldest) = first.get(&version) else {
                first.insert(version, owner);
                continue;
            };
            let bucket = Owner::new(ANCIENT, Operation::Update, &version, "");
            let parts = [&bucket, oldest, &owner].map(|owner| self.0.remove(owner));
            let set =
                parts.into_iter().flatten().fold(FieldSet::new(), |set, held| set.union(&held.set));
            self.0.insert(bucket.clone(), Held { set, api_version: version.clone(), time });
            first.insert(version, bucket);
            count -= 1;
        }
    }
}

fn entry(owner: &Owner, held: &Held) -> Node {
    let mut map = Map::with_capacity(7);
    map.insert("manager", owner.manager.as_str());
    map.insert("operation", owner.operation.text());
    map.insert("apiVersion", held.api_version.as_str());
    if let Some(time) = &held.time {
        map.insert("time", time.as_str());
    }
    map.insert("fieldsType", "FieldsV1");
    map.insert("fieldsV1", held.set.to_fields_v1());
    if !owner.subresource.is_empty() {
        map.insert("subresource", owner.subresource.as_str());
    }
    Node::from(map)
}

/// True when an update asks to drop all ownership: an empty list, or one empty entry.
pub(super) fn is_reset(object: &Node) -> bool {
    match object.at(&["metadata", "managedFields"]).and_then(Node::as_list) {
        Some([]) => true,
        Some([only]) => only.as_map().is_some_and(|map| map.values().all(Node::is_null)),
        _ => false,
    }
}

/// The object without what only the bookkeeping of owners and versions changes.
pub(super) fn bare(object: &Node) -> Node {
    let mut bare = object.clone();
    if let Some(metadata) = bare.get_mut("metadata").and_then(Node::as_map_mut) {
        metadata.retain(|entry| !matches!(&*entry.key, "managedFields" | "resourceVersion"));
    }
    bare
}
