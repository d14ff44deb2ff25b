//! `sortOptions` and `--reorder`: the order in which resources are written.
//!
//! The legacy order puts what others need first and webhooks last; what stands in neither list
//! goes between them, sorted by group, version, kind, namespace and name.

use super::read::Reader;
use super::set::{Id, ResourceSet};
use crate::base::diag::Diagnostics;
use crate::object::Gvk;
use crate::yaml::Node;
use std::cmp::Ordering;
use std::collections::HashMap;

/// In which order resources are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// As they were read.
    #[default]
    Fifo,
    /// By kind.
    Legacy {
        /// Kinds that come first.
        first: Vec<String>,
        /// Kinds that come last.
        last: Vec<String>,
    },
}

/// Kinds that come first where nothing else is said.
const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last where nothing else is said.
const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

impl SortOrder {
    /// The legacy order with its own lists.
    #[must_use]
    pub fn legacy() -> SortOrder {
        let own = |list: &[&str]| list.iter().map(|kind| (*kind).to_owned()).collect();
        SortOrder::Legacy { first: own(FIRST), last: own(LAST) }
    }

    /// Reads `sortOptions`.
    ///
    /// # Errors
    /// When the order is none of the two, or has options of the other.
    pub fn read(node: &Node) -> Result<SortOrder, Diagnostics> {
        let mut reader = Reader::strict();
        let order = read(&mut reader, node);
        reader.finish(order)
    }

    /// Puts a set into this order.
    pub fn sort(&self, set: &mut ResourceSet) {
        let SortOrder::Legacy { first, last } = self else { return };
        let before = |at: usize| i64::try_from(at).unwrap_or(i64::MAX) - count(first);
        let after = |at: usize| i64::try_from(at).unwrap_or(i64::MAX - 1) + 1;
        let places: HashMap<&str, i64> = (first.iter().enumerate())
            .map(|(at, kind)| (kind.as_str(), before(at)))
            .chain(last.iter().enumerate().map(|(at, kind)| (kind.as_str(), after(at))))
            .collect();
        let scopes = set.scopes().clone();
        set.sort_by_cached_key(|resource| {
            let id = resource.id(&scopes);
            Key::new(&id, places.get(id.gvk.kind.as_str()).copied().unwrap_or_default())
        });
    }
}

/// Where a kind stands in the legacy order: below zero for those that come first, above for those
/// that come last.
pub(super) fn rank(kind: &str) -> isize {
    let first = FIRST.iter().position(|it| *it == kind);
    let last = LAST.iter().position(|it| *it == kind);
    match (first, last) {
        (Some(at), _) => at.cast_signed() - FIRST.len().cast_signed(),
        (_, Some(at)) => at.cast_signed() + 1,
        _ => 0,
    }
}

fn count(list: &[String]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}

fn read(reader: &mut Reader, node: &Node) -> Option<SortOrder> {
    let map = reader.map(node, "`sortOptions`", &["order", "legacySortOptions"])?;
    let options = map.get("legacySortOptions").filter(|options| !options.is_null());
    let order = reader.string_at(&map, "order");
    match (order.as_deref(), options) {
        (Some("fifo"), None) => Some(SortOrder::Fifo),
        (Some("legacy"), None) => Some(SortOrder::legacy()),
        (Some("legacy"), Some(options)) => {
            let keys = ["orderFirst", "orderLast"];
            let map = reader.map(options, "`legacySortOptions`", &keys)?;
            let [first, last] = keys.map(|key| reader.strings_at(&map, key));
            Some(SortOrder::Legacy { first, last })
        }
        (Some("fifo"), Some(options)) => {
            let message = "the field 'sortOptions.legacySortOptions' is set but the selected sort \
                           order is 'fifo', not 'legacy'";
            reader.fault(options.span, message);
            None
        }
        _ => {
            let message = "the field 'sortOptions.order' must be one of [fifo, legacy]";
            reader.fault(map.get("order").map_or(node.span, |order| order.span), message);
            None
        }
    }
}

/// What a resource is sorted by.
#[derive(PartialEq, Eq)]
struct Key {
    place: i64,
    gvk: Gvk,
    kinds: String,
    id: String,
}

impl Key {
    fn new(id: &Id, place: i64) -> Key {
        let or = |text: &'_ str, absent: &'static str| {
            if text.is_empty() { absent.to_owned() } else { text.to_owned() }
        };
        let Gvk { group, version, kind } = &id.gvk;
        Key {
            place,
            kinds: format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K")),
            id: format!("{}|{}", or(&id.namespace, "~X"), or(&id.name, "~N")),
            gvk: id.gvk.clone(),
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        if self.gvk == other.gvk {
            return self.id.cmp(&other.id);
        }
        let kinds = self.kinds.cmp(&other.kinds);
        // `~` sorts behind letters, and the namespaces of the core are to come first
        let core = self.gvk.kind == "Namespace"
            && other.gvk.kind == "Namespace"
            && (self.gvk.group.is_empty() || other.gvk.group.is_empty());
        self.place.cmp(&other.place).then(if core { kinds.reverse() } else { kinds })
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::set::Resource;
    use crate::yaml::parse_text;
    use serde_json::json;
    use std::sync::Arc;

    fn sorted(order: &SortOrder, kinds: &[(&str, &str, &str)]) -> Vec<String> {
        let of = |(version, kind, name): &(&str, &str, &str)| {
            let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
            Resource::new(object.into(), Arc::default())
        };
        let mut set = ResourceSet::unchecked(kinds.iter().map(of).collect(), Arc::default());
        order.sort(&mut set);
        set.iter().map(|resource| format!("{} {}", resource.kind(), resource.name())).collect()
    }

    #[test]
    fn kinds_come_in_their_order_then_groups_and_names() {
        let kinds = [
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "v"),
            ("apps/v1", "Deployment", "b"),
            ("a/v1", "Zoo", "z"),
            ("apps/v1", "Deployment", "a"),
            ("v1", "Pod", "p"),
            ("v1", "Namespace", "n"),
        ];
        assert_eq!(
            sorted(&SortOrder::legacy(), &kinds),
            [
                "Namespace n",
                "Deployment a",
                "Deployment b",
                "Zoo z",
                "Pod p",
                "ValidatingWebhookConfiguration v"
            ]
        );
        let own = SortOrder::Legacy { first: vec!["Zoo".into()], last: vec!["Namespace".into()] };
        let order = sorted(&own, &kinds);
        assert_eq!((order[0].as_str(), order[5].as_str()), ("Zoo z", "Namespace n"));
        assert_eq!(sorted(&SortOrder::Fifo, &kinds)[0], "ValidatingWebhookConfiguration v");
    }

    #[test]
    fn an_order_is_one_of_two() {
        let read = |text: &str| SortOrder::read(&parse_text(text).expect("YAML"));
        assert_eq!(read("order: legacy").ok(), Some(SortOrder::legacy()));
        for (text, expected) in [
            ("order: random", "the field 'sortOptions.order' must be one of [fifo, legacy]"),
            ("{}", "the field 'sortOptions.order' must be one of [fifo, legacy]"),
            (
                "order: fifo\nlegacySortOptions: {}",
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is \
                 'fifo', not 'legacy'",
            ),
        ] {
            assert_eq!(read(text).expect_err("a fault").to_string(), expected);
        }
    }
}
