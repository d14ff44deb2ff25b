//! Columns of Deployments and `ReplicaSets`.

use super::cell::{age, count, join, name, or_none};
use super::{AGE, Column, Columns, NAME};
use crate::object::selector::Selector;
use crate::yaml::Node;

pub(super) const CONTAINERS: Column =
    Column::text("Containers", "Names of each container in the template.").wide();
pub(super) const IMAGES: Column =
    Column::text("Images", "Images referenced by each container in the template.").wide();
const SELECTOR: Column = Column::text(
    "Selector",
    "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the \
     ones affected by this deployment.",
)
.wide();

pub(crate) static DEPLOYMENT: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Ready", "Number of the pod with ready state"),
        Column::integer(
            "Up-to-date",
            "Total number of non-terminated pods targeted by this deployment that have the desired template spec.",
        ),
        Column::integer(
            "Available",
            "Total number of available pods (ready for at least minReadySeconds) targeted by this deployment.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |object, now| {
        let ready = count(object, &["status", "readyReplicas"]);
        let mut cells = vec![
            name(object),
            format!("{ready}/{}", count(object, &["spec", "replicas"])).into(),
            count(object, &["status", "updatedReplicas"]).into(),
            count(object, &["status", "availableReplicas"]).into(),
            age(object, now),
        ];
        cells.extend(template(object));
        cells
    },
};

pub(crate) static REPLICA_SET: Columns = Columns {
    columns: &[
        NAME,
        Column::integer("Desired", "Replicas is the number of desired pods."),
        Column::integer(
            "Current",
            "Replicas is the most recently observed number of non-terminating pods.",
        ),
        Column::integer(
            "Ready",
            "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |object, now| {
        let mut cells = vec![
            name(object),
            count(object, &["spec", "replicas"]).into(),
            count(object, &["status", "replicas"]).into(),
            count(object, &["status", "readyReplicas"]).into(),
            age(object, now),
        ];
        cells.extend(template(object));
        cells
    },
};

/// Containers, images and selector.
pub(super) fn template(object: &Node) -> [Node; 3] {
    let containers = object.items_at(&["spec", "template", "spec", "containers"]);
    let selector = object.at(&["spec", "selector"]).map(Selector::from_label_selector);
    let selector = match selector {
        Some(Ok(selector)) => selector.to_string(),
        Some(Err(_)) => "<error>".into(),
        None => String::new(),
    };
    [join(containers, "name").into(), join(containers, "image").into(), or_none(&selector).into()]
}
