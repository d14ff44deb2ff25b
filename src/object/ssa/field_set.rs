//! Sets of fields, as `managedFields` keeps them.
//!
//! A set is a trie: each entry says whether the field itself is a member, and holds what lies below.
//! On the wire (`FieldsV1`) it is nested JSON maps whose keys say how an entry is found:
//!
//! ```text
//! f:name                 the field `name` of a map
//! k:{"port":80}          the item of a list with these keys
//! v:"a"                  the item of a set with this value
//! i:3                    the item of a list at this index
//! .                      the entry above is itself a member; needed only beside other entries
//! ```

use crate::yaml::{Map, Node, Number, Str, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// A scalar that tells items of a list apart. Numbers are equal when they denote the same number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// Any other number, in its JSON text.
    Number(Str),
    /// Text.
    String(Str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Scalar {
    /// The scalar of a node; nothing for lists and maps.
    #[must_use]
    pub fn of(node: &Node) -> Option<Scalar> {
        Some(match &node.value {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(*value),
            Value::String(text) => Scalar::String(text.clone()),
            Value::Number(number) => match number.as_i64() {
                Some(int) => Scalar::Int(int),
                None => Scalar::Number(number.to_string().into()),
            },
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    fn json(&self) -> String {
        match self {
            Scalar::Int(int) => int.to_string(),
            Scalar::Number(text) => text.to_string(),
            Scalar::String(text) => json::to_string(&Node::from(text.clone())),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Null => "null".into(),
        }
    }
}

/// One step from a value to a part of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PathElement {
    /// A field of a map.
    Field(Str),
    /// The item of a list with these keys, in the order of their names.
    Key(Vec<(Str, Scalar)>),
    /// The item of a set.
    Value(Scalar),
    /// The item of a list at an index.
    Index(i64),
}

impl PathElement {
    fn parse(text: &str) -> Option<PathElement> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(PathElement::Field(rest.into())),
            "k" => {
                let node = json::parse(rest.as_bytes()).ok()?;
                let mut keys = Vec::new();
                for entry in node.as_map()? {
                    keys.push((entry.key.clone(), Scalar::of(&entry.value)?));
                }
                keys.sort();
                Some(PathElement::Key(keys))
            }
            "v" => {
                let node = json::parse(rest.as_bytes()).ok()?;
                Some(PathElement::Value(Scalar::of(&node)?))
            }
            "i" => rest.parse().ok().map(PathElement::Index),
            _ => None,
        }
    }

    fn wire(&self) -> String {
        match self {
            PathElement::Field(name) => format!("f:{name}"),
            PathElement::Key(keys) => {
                let list: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| {
                        format!("{}:{}", Scalar::String(name.clone()).json(), value.json())
                    })
                    .collect();
                format!("k:{{{}}}", list.join(","))
            }
            PathElement::Value(value) => format!("v:{}", value.json()),
            PathElement::Index(index) => format!("i:{index}"),
        }
    }
}

impl fmt::Display for PathElement {
    /// `.name`, `[port=80,protocol="TCP"]`, `[="a"]`, `[3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathElement::Field(name) => write!(f, ".{name}"),
            PathElement::Key(keys) => {
                f.write_str("[")?;
                for (at, (name, value)) in keys.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={}", value.json())?;
                }
                f.write_str("]")
            }
            PathElement::Value(value) => write!(f, "[={}]", value.json()),
            PathElement::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A set of fields.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FieldSet {
    entries: BTreeMap<PathElement, Entry>,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Entry {
    member: bool,
    below: FieldSet,
}

impl Entry {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> FieldSet {
        FieldSet::default()
    }

    /// The set of some fields, each a path of keys.
    #[must_use]
    pub fn of_fields(paths: &[&[&str]]) -> FieldSet {
        let mut set = FieldSet::new();
        for path in paths {
            let mut at = &mut set;
            for (index, key) in path.iter().enumerate() {
                let entry = at.entries.entry(PathElement::Field((*key).into())).or_default();
                entry.member |= index + 1 == path.len();
                at = &mut entry.below;
            }
        }
        set
    }

    /// Reads `FieldsV1`; nothing when it is no such thing.
    #[must_use]
    pub fn from_fields_v1(node: &Node) -> Option<FieldSet> {
        let mut set = FieldSet::new();
        for entry in node.as_map()? {
            if entry.key == "." {
                continue;
            }
            let below = FieldSet::from_fields_v1(&entry.value)?;
            // an entry with nothing below it is itself a member
            let alone = entry.value.as_map().is_some_and(Map::is_empty);
            let member = alone || entry.value.get(".").is_some();
            set.entries.insert(PathElement::parse(&entry.key)?, Entry { member, below });
        }
        Some(set)
    }

    /// Writes `FieldsV1`.
    #[must_use]
    pub fn to_fields_v1(&self) -> Node {
        let mut map = Map::with_capacity(self.entries.len());
        for (element, entry) in &self.entries {
            if entry.is_empty() {
                continue;
            }
            let mut below = entry.below.to_fields_v1();
            if entry.member && below.as_map().is_some_and(|below| !below.is_empty()) {
                let mut with_self = Map::new();
                with_self.insert(".", Node::map());
                for inner in below.ensure_map().iter() {
                    with_self.insert_entry(inner.clone());
                }
                below = Node::from(with_self);
            }
            map.insert(Str::from(element.wire()), below);
        }
        Node::from(map)
    }

    /// True when no field is a member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.values().all(Entry::is_empty)
    }

    /// True when this part of the value is a member.
    #[must_use]
    pub fn has(&self, element: &PathElement) -> bool {
        self.entries.get(element).is_some_and(|entry| entry.member)
    }

    /// The members below a part of the value.
    #[must_use]
    pub fn below(&self, element: &PathElement) -> Option<&FieldSet> {
        self.entries.get(element).map(|entry| &entry.below)
    }

    /// Adds a part of the value, and what of it belongs to the set.
    pub fn put(&mut self, element: PathElement, member: bool, below: FieldSet) {
        if !member && below.entries.is_empty() {
            return;
        }
        let entry = self.entries.entry(element).or_default();
        entry.member |= member;
        if entry.below.entries.is_empty() {
            entry.below = below;
        } else {
            entry.below = entry.below.union(&below);
        }
    }

    /// What is in one of the sets.
    #[must_use]
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        let mut set = self.clone();
        for (element, entry) in &other.entries {
            let own = set.entries.entry(element.clone()).or_default();
            own.member |= entry.member;
            own.below = if own.below.entries.is_empty() {
                entry.below.clone()
            } else {
                own.below.union(&entry.below)
            };
        }
        set
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        self.filter(|element, entry| {
            let theirs = other.entries.get(element)?;
            Some(Entry {
                member: entry.member && theirs.member,
                below: entry.below.intersection(&theirs.below),
            })
        })
    }

    /// What is in this set and not in the other. A member of the other takes away itself alone, not
    /// what lies below it.
    #[must_use]
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.filter(|element, entry| {
            Some(match other.entries.get(element) {
                None => entry.clone(),
                Some(theirs) => Entry {
                    member: entry.member && !theirs.member,
                    below: entry.below.difference(&theirs.below),
                },
            })
        })
    }

    /// What is in this set and neither in the other nor below a member of the other.
    #[must_use]
    pub fn without_below(&self, other: &FieldSet) -> FieldSet {
        self.filter(|element, entry| match other.entries.get(element) {
            None => Some(entry.clone()),
            Some(theirs) if theirs.member => None,
            Some(theirs) => Some(Entry {
                member: entry.member,
                below: entry.below.without_below(&theirs.below),
            }),
        })
    }

    fn filter(&self, keep: impl Fn(&PathElement, &Entry) -> Option<Entry>) -> FieldSet {
        let entries = self
            .entries
            .iter()
            .filter_map(|(element, entry)| {
                let entry = keep(element, entry)?;
                (entry.member || !entry.below.entries.is_empty()).then(|| (element.clone(), entry))
            })
            .collect();
        FieldSet { entries }
    }

    /// The set in which each part for which `name` gives an answer is a member too; `name` gets
    /// what the caller knows of the value, and gives what it knows of the part.
    pub(super) fn with_parents<T: Copy>(
        &self,
        at: T,
        name: &impl Fn(T, &PathElement) -> (bool, T),
    ) -> FieldSet {
        let entries = self
            .entries
            .iter()
            .map(|(element, entry)| {
                let (named, inner) = name(at, element);
                let member = entry.member || named && !entry.below.entries.is_empty();
                (element.clone(), Entry { member, below: entry.below.with_parents(inner, name) })
            })
            .collect();
        FieldSet { entries }
    }

    /// The paths of all members, in Kubernetes' notation: `.spec.containers[name="x"].image`.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect(&self, prefix: &str, found: &mut Vec<String>) {
        // members of one level stand before what lies below, as in Kubernetes
        for (element, _) in self.entries.iter().filter(|(_, entry)| entry.member) {
            found.push(format!("{prefix}{element}"));
        }
        for (element, entry) in &self.entries {
            if !entry.below.entries.is_empty() {
                entry.below.collect(&format!("{prefix}{element}"), found);
            }
        }
    }
}

impl From<i64> for Scalar {
    fn from(int: i64) -> Scalar {
        Scalar::Int(int)
    }
}

impl From<Number> for Scalar {
    fn from(number: Number) -> Scalar {
        Scalar::of(&Node::from(Value::Number(number))).expect("a number is a scalar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn set(fields: serde_json::Value) -> FieldSet {
        FieldSet::from_fields_v1(&Node::from(fields)).expect("a field set")
    }

    fn written(set: &FieldSet) -> serde_json::Value {
        serde_json::Value::from(&set.to_fields_v1())
    }

    #[test]
    fn the_wire_form_reads_and_writes_the_same() {
        for fields in [
            json!({}),
            json!({"f:data": {"f:k": {}}}),
            json!({"f:data": {".": {}, "f:k": {}}}),
            json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}),
            json!({"f:tags": {"v:\"a\\\"b\"": {}, "v:1": {}, "v:true": {}, "i:3": {}}}),
            json!({"f:metadata": {"f:annotations": {"f:a/b:c": {}}}}),
        ] {
            assert_eq!(written(&set(fields.clone())), fields);
        }
    }

    #[test]
    fn paths_read_as_kubernetes_writes_them() {
        let set = set(json!({
            "f:metadata": {"f:labels": {"f:a.b/c": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}, "f:tags": {"v:\"a\"": {}}},
        }));
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels.a.b/c",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
                ".spec.tags[=\"a\"]",
            ]
        );
    }

    #[test]
    fn a_difference_takes_members_and_leaves_what_is_below() {
        let a = set(json!({"f:data": {".": {}, "f:k": {}, "f:l": {}}}));
        let b = set(json!({"f:data": {".": {}, "f:k": {}}}));
        assert_eq!(written(&a.difference(&b)), json!({"f:data": {"f:l": {}}}));
        assert_eq!(written(&a.intersection(&b)), written(&b));
        assert_eq!(written(&a.without_below(&set(json!({"f:data": {}})))), json!({}));
        assert!(a.difference(&a).is_empty());
    }

    fn any_set() -> impl Strategy<Value = FieldSet> {
        let element = prop_oneof![
            "[a-c]".prop_map(|name| PathElement::Field(name.into())),
            (0..3_i64, "[xy]").prop_map(|(port, name)| PathElement::Key(vec![
                ("name".into(), Scalar::String(name.into())),
                ("port".into(), Scalar::Int(port)),
            ])),
            (0..3_i64).prop_map(|value| PathElement::Value(Scalar::Int(value))),
        ];
        let leaf = Just(FieldSet::new());
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop::collection::vec((element.clone(), any::<bool>(), inner), 0..5).prop_map(
                |entries| {
                    let mut set = FieldSet::new();
                    for (element, member, below) in entries {
                        set.put(element, member, below);
                    }
                    set
                },
            )
        })
    }

    proptest! {
        #[test]
        fn sets_survive_the_wire(set in any_set()) {
            prop_assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()).unwrap(), set);
        }

        #[test]
        fn sets_obey_the_laws(a in any_set(), b in any_set()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
            prop_assert!(a.difference(&b).intersection(&b).is_empty());
        }
    }
}
