//! Claims and the volumes that they are bound to. The controller binds, the node mounts and removes.

use super::store::{Key, Store};
use crate::yaml::Node;

/// The resource of claims.
pub const CLAIMS: &str = "persistentvolumeclaims";

/// The resource of volumes.
pub const VOLUMES: &str = "persistentvolumes";

/// The resource of storage classes.
pub const CLASSES: &str = "storageclasses.storage.k8s.io";

/// Says of a class that it is the one of claims that name none.
pub const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The name of the agent's own storage class.
pub const CLASS: &str = "local";

/// Makes volumes that are folders of the host.
pub const PROVISIONER: &str = "wharf.dev/local";

/// Holds a volume until its folder is gone.
pub const FOLDER: &str = "wharf.dev/folder";

/// Holds a claim as long as a pod uses it.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Holds a volume as long as a claim is bound to it.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// The names of the claims that a pod uses.
pub fn of_pod(pod: &Node) -> impl Iterator<Item = &str> {
    let volumes = pod.items_at(&["spec", "volumes"]).iter();
    volumes.filter_map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]))
}

/// The folder of the host that a claim's volume is.
///
/// # Errors
/// Why there is none, as a sentence.
pub fn folder(store: &Store, namespace: &str, claim: &str) -> Result<String, String> {
    let found = store.get(&Key::new(CLAIMS, namespace, claim));
    let found = found.ok_or_else(|| format!("persistentvolumeclaim \"{claim}\" not found"))?;
    let name = found.object.str_at(&["spec", "volumeName"]).unwrap_or_default();
    if found.object.str_at(&["status", "phase"]) != Some("Bound") {
        return Err(format!("persistentvolumeclaim \"{claim}\" is not bound"));
    }
    let volume = store.get(&Key::new(VOLUMES, "", name));
    let volume = volume.ok_or_else(|| format!("persistentvolume \"{name}\" not found"))?;
    path(&volume.object)
        .map(str::to_owned)
        .ok_or_else(|| format!("persistentvolume \"{name}\" is no folder of this host"))
}

/// The folder of the host that a volume is, if it is one.
#[must_use]
pub fn path(volume: &Node) -> Option<&str> {
    ["hostPath", "local"].iter().find_map(|source| volume.str_at(&["spec", source, "path"]))
}
