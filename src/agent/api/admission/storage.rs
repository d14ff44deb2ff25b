//! Claims, volumes and storage classes.

use super::{PLAIN_RULES, Rules, default, keep};
use crate::agent::api::fault::Faults;
use crate::agent::api::{Api, kind};
use crate::agent::claims::{
    CLAIM_PROTECTION, CLASS, CLASSES, IS_DEFAULT, PROVISIONER, VOLUME_PROTECTION,
};
use crate::agent::store::StoreError;
use crate::object::quantity::Quantity;
use crate::yaml::{Map, Node};
use serde_json::json;

pub(crate) static CLAIM: Rules = Rules {
    default: |claim| {
        default(claim, "spec", Node::map());
        default(claim.get_mut("spec").expect("it was set just above"), "volumeMode", "Filesystem");
    },
    create: |claim| create(claim, CLAIM_PROTECTION),
    update: |new, old| keep(new, old, "status"),
    validate: validate_claim,
    validate_update: |new, old, faults| {
        let fixed = |claim: &Node| {
            let mut spec = claim.get("spec").cloned().unwrap_or_default();
            spec.remove("resources");
            spec.remove("volumeAttributesClassName");
            spec
        };
        if fixed(new) != fixed(old) {
            let rule = "spec is immutable after creation except resources.requests and \
                        volumeAttributesClassName for bound claims";
            faults.forbidden("spec", rule);
        }
        if asked(new) < asked(old) {
            let rule = "field can not be less than status.capacity";
            faults.forbidden("spec.resources.requests.storage", rule);
        }
    },
    ..PLAIN_RULES
};

pub(crate) static VOLUME: Rules = Rules {
    default: |volume| {
        default(volume, "spec", Node::map());
        let spec = volume.get_mut("spec").expect("it was set just above");
        default(spec, "persistentVolumeReclaimPolicy", "Retain");
        default(spec, "volumeMode", "Filesystem");
        if let Some(path) = spec.get_mut("hostPath") {
            default(path, "type", "");
        }
    },
    create: |volume| create(volume, VOLUME_PROTECTION),
    update: |new, old| keep(new, old, "status"),
    validate: validate_volume,
    validate_update: |new, old, faults| {
        if source(new).map(|entry| &entry.value) != source(old).map(|entry| &entry.value) {
            let rule = "spec.persistentvolumesource is immutable after creation";
            faults.forbidden("spec.persistentvolumesource", rule);
        }
    },
    ..PLAIN_RULES
};

pub(crate) static STORAGE_CLASS: Rules = Rules {
    default: |class| {
        default(class, "reclaimPolicy", "Delete");
        default(class, "volumeBindingMode", "Immediate");
    },
    validate: |class, faults| {
        if class.str_at(&["provisioner"]).unwrap_or_default().is_empty() {
            faults.required("provisioner", "");
        }
        let choices = [
            ("reclaimPolicy", &["Delete", "Retain"]),
            ("volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]),
        ];
        for (field, known) in choices {
            let said = class.str_at(&[field]).unwrap_or(known[0]);
            if !known.contains(&said) {
                faults.unsupported(field, said, known);
            }
        }
    },
    validate_update: |new, old, faults| {
        for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
            if new.get(field) != old.get(field) {
                faults.forbidden(field, "updates to this field are forbidden.");
            }
        }
    },
    ..PLAIN_RULES
};

const ACCESS_MODES: &[&str] =
    &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// Makes the class of claims that name none, when it is not there.
pub(crate) async fn ensure(api: &Api) -> Result<(), StoreError> {
    let class = json!({
        "metadata": {"annotations": {IS_DEFAULT: "true"}},
        "provisioner": PROVISIONER,
    });
    api.ensure(kind::built_in(CLASSES), CLASS, class).await
}

/// A new object has no state, and stays as long as it is used.
fn create(object: &mut Node, finalizer: &str) {
    object.set("status", Node::from(json!({"phase": "Pending"})));
    let mut finalizers = object.items_at(&["metadata", "finalizers"]).to_vec();
    if finalizers.iter().all(|known| known.as_str() != Some(finalizer)) {
        finalizers.push(finalizer.into());
        object.set_at(&["metadata", "finalizers"], finalizers);
    }
}

fn asked(claim: &Node) -> Option<Quantity> {
    claim.at(&["spec", "resources", "requests", "storage"]).and_then(Quantity::from_node)
}

fn validate_claim(claim: &Node, faults: &mut Faults) {
    access_modes(claim, faults);
    match asked(claim) {
        None => faults.required("spec.resources[storage]", ""),
        Some(size) if size.milli() <= 0 => {
            let rule = "must be greater than zero";
            faults.invalid("spec.resources[storage]", size.to_string(), rule);
        }
        Some(_) => {}
    }
}

fn access_modes(object: &Node, faults: &mut Faults) {
    let modes = object.items_at(&["spec", "accessModes"]);
    if modes.is_empty() {
        faults.required("spec.accessModes", "at least 1 access mode is required");
    }
    for mode in modes.iter().filter_map(Node::as_str) {
        if !ACCESS_MODES.contains(&mode) {
            faults.unsupported("spec.accessModes", mode, ACCESS_MODES);
        }
    }
}

fn validate_volume(volume: &Node, faults: &mut Faults) {
    access_modes(volume, faults);
    let capacity = volume.at(&["spec", "capacity"]).and_then(Node::as_map);
    if capacity.is_none_or(Map::is_empty) {
        faults.required("spec.capacity", "");
    }
    if source(volume).is_none() {
        faults.required("spec", "must specify a volume type");
    }
    if volume.at(&["spec", "local"]).is_some() && volume.at(&["spec", "nodeAffinity"]).is_none() {
        faults.required("spec.nodeAffinity", "Local volume requires node affinity");
    }
}

/// The field that says what a volume is: the one that is none of those that all have.
fn source(volume: &Node) -> Option<&crate::yaml::Entry> {
    const OTHERS: &[&str] = &[
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let fields = volume.get("spec").and_then(Node::as_map)?;
    fields.iter().find(|entry| !OTHERS.contains(&entry.key.as_str()))
}
