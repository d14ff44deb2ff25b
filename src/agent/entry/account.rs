//! The account that a pod runs as, and the token that shows it to the API
//! (`plugin/pkg/admission/serviceaccount`).

use super::Refusal;
use crate::agent::store::{Key, Store};
use crate::base::digest::Digest;
use crate::object::meta;
use crate::yaml::Node;
use serde_json::json;

/// Where programs look for their token.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The names of volumes with a token begin so.
const VOLUME: &str = "kube-api-access-";

/// A token is asked for so many seconds, as Kubernetes does: it tells these tokens from others.
const SECONDS: i64 = 3607;

/// Fills in account, token and secrets for images.
pub(super) fn fill(store: &Store, pod: &mut Node) -> Result<(), Refusal> {
    let namespace = meta::namespace(pod).to_owned();
    let said = pod.str_at(&["spec", "serviceAccountName"]).filter(|name| !name.is_empty());
    let name = said.unwrap_or("default").to_owned();
    pod.set_at(&["spec", "serviceAccountName"], name.as_str());
    pod.set_at(&["spec", "serviceAccount"], name.as_str());
    let account = store.get(&Key::new("serviceaccounts", &namespace, &name));
    // the one named `default` comes with the namespace, if only a moment later
    if account.is_none() && name != "default" {
        return Err(Refusal(format!(
            "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
        )));
    }
    let account = account.as_ref().map_or(&Node::NULL, |stored| &stored.object);
    let secrets = account.items_at(&["imagePullSecrets"]);
    if pod.items_at(&["spec", "imagePullSecrets"]).is_empty() && !secrets.is_empty() {
        pod.set_at(&["spec", "imagePullSecrets"], secrets.to_vec());
    }
    let says = |path: &[&str], node: &Node| node.at(path).and_then(Node::as_bool);
    let own = says(&["spec", "automountServiceAccountToken"], pod);
    if own.or_else(|| says(&["automountServiceAccountToken"], account)).unwrap_or(true) {
        mount(pod);
    }
    Ok(())
}

/// Mounts a token in all containers that have nothing in its place.
fn mount(pod: &mut Node) {
    let volumes = pod.items_at(&["spec", "volumes"]);
    let known = volumes.iter().filter_map(|volume| volume.str_at(&["name"]));
    let known = known.into_iter().find(|name| name.starts_with(VOLUME)).map(str::to_owned);
    let is_new = known.is_none();
    // the same pod gets the same name, so that a dry run shows what will be
    let volume = known.unwrap_or_else(|| {
        let identity = [meta::namespace(pod), meta::name(pod)].join("/");
        format!("{VOLUME}{}", &Digest::of(identity.as_bytes()).hex()[..5])
    });
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        let containers = pod.at_mut(&["spec", list]).and_then(Node::as_list_mut);
        for container in containers.into_iter().flatten() {
            let mut mounts = container.items_at(&["volumeMounts"]).to_vec();
            if mounts.iter().any(|mount| mount.str_at(&["mountPath"]) == Some(MOUNT)) {
                continue;
            }
            mounts.push(Node::from(json!({"name": volume, "readOnly": true, "mountPath": MOUNT})));
            container.set("volumeMounts", mounts);
            mounted = true;
        }
    }
    if !mounted || !is_new {
        return;
    }
    let mut volumes = pod.items_at(&["spec", "volumes"]).to_vec();
    volumes.push(Node::from(
        json!({"name": volume, "projected": {"defaultMode": 0o644, "sources": [
            {"serviceAccountToken": {"expirationSeconds": SECONDS, "path": "token"}},
            {"configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }},
            {"downwardAPI": {"items": [{
                "path": "namespace",
                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
            }]}},
        ]}}),
    ));
    pod.set_at(&["spec", "volumes"], volumes);
}
