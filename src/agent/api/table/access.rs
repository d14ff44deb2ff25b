//! Columns of roles, bindings, and of what says how much may be used.

use super::cell::{age, name};
use super::{AGE, Column, Columns, NAME};
use crate::yaml::Node;
use jiff::Timestamp;

/// Kinds without columns of their own show the time itself.
pub(crate) static CREATED: Columns = Columns {
    columns: &[NAME, Column { kind: "date", ..Column::text("Created At", super::AGE.description) }],
    cells: |object, _| {
        let created = object.at(&["metadata", "creationTimestamp"]);
        vec![name(object), created.cloned().unwrap_or_default()]
    },
};

pub(crate) static BINDING: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "Role",
            "RoleRef can reference a Role in the current namespace or a ClusterRole in the global \
             namespace. If the RoleRef cannot be resolved, the Authorizer must return an error. \
             This field is immutable.",
        ),
        AGE,
        Column::text("Users", "Users in the roleBinding").wide(),
        Column::text("Groups", "Groups in the roleBinding").wide(),
        Column::text("ServiceAccounts", "ServiceAccounts in the roleBinding").wide(),
    ],
    cells: binding,
};

fn binding(object: &Node, now: Timestamp) -> Vec<Node> {
    let text = |field| object.str_at(&["roleRef", field]).unwrap_or_default();
    let subjects = |kind: &str| -> Node {
        let all = object.items_at(&["subjects"]).iter();
        let of_kind = all.filter(|subject| subject.str_at(&["kind"]) == Some(kind));
        let names = of_kind.map(|subject| {
            let name = subject.str_at(&["name"]).unwrap_or_default();
            match subject.str_at(&["namespace"]) {
                Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{name}"),
                _ => name.to_owned(),
            }
        });
        names.collect::<Vec<_>>().join(", ").into()
    };
    vec![
        name(object),
        format!("{}/{}", text("kind"), text("name")).into(),
        age(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

pub(crate) static RESOURCE_QUOTA: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "Request",
            "Request represents a minimum amount of cpu/memory that a container may consume.",
        ),
        Column::text(
            "Limit",
            "Limits control the maximum amount of cpu/memory that a container may use independent \
             of contention on the node.",
        ),
        AGE,
    ],
    cells: |object, now| {
        let hard = object.at(&["status", "hard"]).and_then(Node::as_map);
        let mut pairs: Vec<(&str, String)> = hard
            .into_iter()
            .flatten()
            .map(|entry| {
                let key = entry.key.as_str();
                let used = object.str_at(&["status", "used", key]).unwrap_or("0");
                (key, format!("{key}: {used}/{}", entry.value.as_str().unwrap_or_default()))
            })
            .collect();
        pairs.sort();
        let of = |limits: bool| -> Node {
            let some = pairs.iter().filter(|(key, _)| key.starts_with("limits.") == limits);
            some.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", ").into()
        };
        vec![name(object), of(false), of(true), age(object, now)]
    },
};

pub(crate) static PRIORITY_CLASS: Columns = Columns {
    columns: &[
        NAME,
        Column::integer(
            "Value",
            "value represents the integer value of this priority class. This is the actual \
             priority that pods receive when they have the name of this class in their pod spec.",
        ),
        Column {
            kind: "boolean",
            ..Column::text(
                "Global-Default",
                "globalDefault specifies whether this PriorityClass should be considered as the \
                 default priority for pods that do not have any priority class.",
            )
        },
        AGE,
        Column::text(
            "PreemptionPolicy",
            "preemptionPolicy is the Policy for preempting pods with lower priority.",
        ),
    ],
    cells: |object, now| {
        let is_default = object.get("globalDefault").and_then(Node::as_bool) == Some(true);
        let policy = object.str_at(&["preemptionPolicy"]).unwrap_or_default();
        vec![
            name(object),
            object.i64_at(&["value"]).unwrap_or(0).into(),
            is_default.into(),
            age(object, now),
            policy.into(),
        ]
    },
};
