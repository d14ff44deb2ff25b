//! Columns of claims, volumes and storage classes.

use super::cell::{age, name};
use super::{AGE, Column, Columns, NAME};
use crate::agent::claims::IS_DEFAULT;
use crate::object::meta;
use crate::yaml::Node;

pub(crate) static CLAIM: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Status", "phase represents the current phase of PersistentVolumeClaim."),
        Column::text(
            "Volume",
            "volumeName is the binding reference to the PersistentVolume backing this claim.",
        ),
        Column::text(
            "Capacity",
            "capacity represents the actual resources of the underlying volume.",
        ),
        Column::text(
            "Access Modes",
            "accessModes contains the actual access modes the volume backing the PVC has.",
        ),
        Column::text(
            "StorageClass",
            "storageClassName is the name of the StorageClass required by the claim.",
        ),
        Column::text(
            "VolumeAttributesClass",
            "volumeAttributesClassName may be used to set the VolumeAttributesClass used by this claim.",
        ),
        AGE,
        Column::text(
            "VolumeMode",
            "volumeMode defines what type of volume is required by the claim.",
        )
        .wide(),
    ],
    cells: |object, now| {
        let phase = if object.at(&["metadata", "deletionTimestamp"]).is_some() {
            "Terminating"
        } else {
            object.str_at(&["status", "phase"]).unwrap_or_default()
        };
        let volume = text(object, "volumeName");
        let bound = !volume.is_empty();
        let capacity = object.str_at(&["status", "capacity", "storage"]).filter(|_| bound);
        let modes = if bound { modes(object, "status") } else { String::new() };
        vec![
            name(object),
            phase.into(),
            volume.into(),
            capacity.unwrap_or_default().into(),
            modes.into(),
            text(object, "storageClassName").into(),
            unset(text(object, "volumeAttributesClassName")).into(),
            age(object, now),
            unset(text(object, "volumeMode")).into(),
        ]
    },
};

pub(crate) static VOLUME: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Capacity", "capacity is the description of the persistent volume's resources and capacity."),
        Column::text("Access Modes", "accessModes contains all ways the volume can be mounted."),
        Column::text("Reclaim Policy", "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim."),
        Column::text("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim."),
        Column::text("Claim", "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim."),
        Column::text("StorageClass", "storageClassName is the name of StorageClass to which this persistent volume belongs."),
        Column::text("VolumeAttributesClass", "Name of VolumeAttributesClass to which this persistent volume belongs."),
        Column::text("Reason", "reason is a brief CamelCase string that describes any failure."),
        AGE,
        Column::text("VolumeMode", "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state.").wide(),
    ],
    cells: |object, now| {
        let phase = if object.at(&["metadata", "deletionTimestamp"]).is_some() {
            "Terminating"
        } else {
            object.str_at(&["status", "phase"]).unwrap_or_default()
        };
        let of_claim = |field| object.str_at(&["spec", "claimRef", field]).unwrap_or_default();
        let claim = match of_claim("name") {
            "" => String::new(),
            name => format!("{}/{name}", of_claim("namespace")),
        };
        let capacity = object.str_at(&["spec", "capacity", "storage"]).unwrap_or_default();
        vec![
            name(object),
            capacity.into(),
            modes(object, "spec").into(),
            text(object, "persistentVolumeReclaimPolicy").into(),
            phase.into(),
            claim.into(),
            text(object, "storageClassName").into(),
            unset(text(object, "volumeAttributesClassName")).into(),
            object.str_at(&["status", "reason"]).unwrap_or_default().into(),
            age(object, now),
            unset(text(object, "volumeMode")).into(),
        ]
    },
};

pub(crate) static STORAGE_CLASS: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Provisioner", "provisioner indicates the type of the provisioner."),
        Column::text(
            "ReclaimPolicy",
            "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.",
        ),
        Column::text(
            "VolumeBindingMode",
            "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.",
        ),
        Column::text(
            "AllowVolumeExpansion",
            "allowVolumeExpansion shows whether the storage class allow volume expand.",
        ),
        AGE,
    ],
    cells: |object, now| {
        let is_default = meta::annotation(object, IS_DEFAULT) == Some("true");
        let mark = if is_default { " (default)" } else { "" };
        let of = |field: &str| object.str_at(&[field]).unwrap_or_default();
        let grows = object.get("allowVolumeExpansion").and_then(Node::as_bool) == Some(true);
        vec![
            format!("{}{mark}", meta::name(object)).into(),
            of("provisioner").into(),
            of("reclaimPolicy").into(),
            of("volumeBindingMode").into(),
            grows.into(),
            age(object, now),
        ]
    },
};

fn text<'a>(object: &'a Node, field: &str) -> &'a str {
    object.str_at(&["spec", field]).unwrap_or_default()
}

fn unset(text: &str) -> &str {
    if text.is_empty() { "<unset>" } else { text }
}

/// Access modes as kubectl abbreviates them.
fn modes(object: &Node, part: &str) -> String {
    let all = object.items_at(&[part, "accessModes"]);
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let said = |mode: &str| all.iter().any(|known| known.as_str() == Some(mode));
    let some = known.iter().filter(|(mode, _)| said(mode)).map(|(_, short)| *short);
    some.collect::<Vec<_>>().join(",")
}
