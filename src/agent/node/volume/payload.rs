//! Which files a ConfigMap, Secret, downward API or projected volume holds.

use super::super::environment::{Configs, field, resource};
use super::{Facts, VolumeError, token};
use crate::base::path::SafePath;
use crate::yaml::Node;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Files by their paths in the volume.
pub(super) type Payload = BTreeMap<String, File>;

/// The mode of files when nothing is said.
const DEFAULT_MODE: u32 = 0o644;

/// The files of a volume that is in `folder`, and when they are to be made anew.
pub(super) fn of(
    volume: &Node,
    folder: &Path,
    facts: &Facts<'_>,
) -> Result<(Payload, Option<Timestamp>), VolumeError> {
    let Facts { pod, capacity, configs, .. } = facts;
    let mut payload = Payload::new();
    let mut due: Option<Timestamp> = None;
    if let Some(source) = volume.get("configMap") {
        config_map(source, configs, mode(source, "defaultMode", DEFAULT_MODE), &mut payload)?;
    } else if let Some(source) = volume.get("secret") {
        let name = source.str_at(&["secretName"]).unwrap_or_default();
        secret(name, source, configs, mode(source, "defaultMode", DEFAULT_MODE), &mut payload)?;
    } else if let Some(source) = volume.get("downwardAPI") {
        let default = mode(source, "defaultMode", DEFAULT_MODE);
        downward(source, pod, capacity, default, &mut payload)?;
    } else if let Some(projected) = volume.get("projected") {
        let default = mode(projected, "defaultMode", DEFAULT_MODE);
        for source in projected.items_at(&["sources"]) {
            if let Some(source) = source.get("configMap") {
                config_map(source, configs, default, &mut payload)?;
            } else if let Some(source) = source.get("secret") {
                let name = source.str_at(&["name"]).unwrap_or_default();
                secret(name, source, configs, default, &mut payload)?;
            } else if let Some(source) = source.get("downwardAPI") {
                downward(source, pod, capacity, default, &mut payload)?;
            } else if let Some(source) = source.get("serviceAccountToken") {
                let path = safe(source.str_at(&["path"]).unwrap_or_default())?;
                let token = token::of(source, &folder.join(path.as_str()), facts)?;
                due = due.into_iter().chain([token.renewal]).min();
                // nobody else is to read it where a group of the pod's own may
                let group = pod.at(&["spec", "securityContext", "fsGroup"]).is_some();
                let mode = if group { 0o600 } else { default };
                insert(&mut payload, path.as_str(), token.text.into_bytes(), mode)?;
            } else {
                let kind = source.as_map().and_then(|map| map.keys().next()).unwrap_or_default();
                return Err(VolumeError(format!("projected source \"{kind}\" is not supported")));
            }
        }
    } else {
        let kinds = volume.as_map().into_iter().flat_map(crate::yaml::Map::keys);
        let kind = kinds.into_iter().find(|key| *key != "name").unwrap_or("nothing");
        return Err(VolumeError(format!("volumes of type \"{kind}\" are not supported")));
    }
    Ok((payload, due))
}

fn mode(source: &Node, key: &str, default: u32) -> u32 {
    source.i64_at(&[key]).and_then(|mode| u32::try_from(mode).ok()).map_or(default, |m| m & 0o777)
}

fn is_optional(source: &Node) -> bool {
    source.get("optional").and_then(Node::as_bool) == Some(true)
}

fn config_map(
    source: &Node,
    configs: &Configs<'_>,
    mode: u32,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    let name = source.str_at(&["name"]).unwrap_or_default();
    let entries = configs.config_map(name);
    take(source, ("configmap", name), entries, mode, payload)
}

fn secret(
    name: &str,
    source: &Node,
    configs: &Configs<'_>,
    mode: u32,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    take(source, ("secret", name), configs.secret(name), mode, payload)
}

fn take(
    source: &Node,
    (kind, name): (&str, &str),
    entries: Option<BTreeMap<String, Vec<u8>>>,
    default: u32,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    let Some(mut entries) = entries else {
        if is_optional(source) {
            return Ok(());
        }
        return Err(VolumeError(format!("{kind} \"{name}\" not found")));
    };
    if source.get("items").is_none() {
        for (key, bytes) in entries {
            insert(payload, &key, bytes, default)?;
        }
        return Ok(());
    }
    for item in source.items_at(&["items"]) {
        let key = item.str_at(&["key"]).unwrap_or_default();
        let path = item.str_at(&["path"]).unwrap_or_default();
        match entries.remove(key) {
            Some(bytes) => insert(payload, path, bytes, mode(item, "mode", default))?,
            None if is_optional(source) => {}
            None => {
                return Err(VolumeError(format!("references non-existent {kind} key: {key}")));
            }
        }
    }
    Ok(())
}

fn downward(
    source: &Node,
    pod: &Node,
    capacity: &Node,
    default: u32,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    for item in source.items_at(&["items"]) {
        let path = item.str_at(&["path"]).unwrap_or_default();
        let text = if let Some(field_path) = item.str_at(&["fieldRef", "fieldPath"]) {
            field(pod, field_path)
        } else if let Some(reference) = item.get("resourceFieldRef") {
            let name = reference.str_at(&["containerName"]);
            let containers = pod.items_at(&["spec", "containers"]);
            let container = containers.iter().find(|c| c.str_at(&["name"]) == name);
            resource(reference, container.unwrap_or(&Node::NULL), capacity)
        } else {
            Ok(String::new())
        };
        let text = text.map_err(VolumeError)?;
        insert(payload, path, text.into_bytes(), mode(item, "mode", default))?;
    }
    Ok(())
}

fn insert(payload: &mut Payload, path: &str, bytes: Vec<u8>, mode: u32) -> Result<(), VolumeError> {
    payload.insert(safe(path)?.as_str().to_owned(), File { bytes, mode });
    Ok(())
}

/// A path that stays in its volume.
fn safe(path: &str) -> Result<SafePath, VolumeError> {
    let safe = SafePath::parse(path).map_err(|error| VolumeError(error.to_string()))?;
    if safe.as_str().starts_with("..") {
        return Err(VolumeError(format!("path `{path}` must not start with `..`")));
    }
    Ok(safe)
}
