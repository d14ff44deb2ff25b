//! `ConfigMap` and Secret: files by key, base64 where they may be binary, immutable on request.

use super::{PLAIN_RULES, Rules, default, name};
use crate::agent::api::fault::Faults;
use crate::yaml::{Map, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// All values together may have so many bytes.
const SIZE_LIMIT: usize = 1024 * 1024;

const IMMUTABLE: &str = "field is immutable when `immutable` is set";

pub(crate) static CONFIG_MAP: Rules =
    Rules { validate: validate_config_map, validate_update: update_config_map, ..PLAIN_RULES };

pub(crate) static SECRET: Rules = Rules {
    default: default_secret,
    validate: validate_secret,
    validate_update: update_secret,
    ..PLAIN_RULES
};

fn map<'a>(object: &'a Node, field: &str) -> Option<&'a Map> {
    object.get(field)?.as_map()
}

fn validate_config_map(object: &Node, faults: &mut Faults) {
    let mut size = 0;
    for entry in map(object, "data").into_iter().flatten() {
        key(&entry.key, "data", faults);
        if map(object, "binaryData").is_some_and(|binary| binary.contains_key(&entry.key)) {
            let rule = "duplicate of key present in binaryData";
            faults.invalid(format!("data[{}]", entry.key), entry.key.clone(), rule);
        }
        size += entry.value.as_str().unwrap_or_default().len();
    }
    for entry in map(object, "binaryData").into_iter().flatten() {
        key(&entry.key, "binaryData", faults);
        size += decoded_size(&entry.value);
    }
    if size > SIZE_LIMIT {
        faults.too_long("", SIZE_LIMIT);
    }
}

fn update_config_map(new: &Node, old: &Node, faults: &mut Faults) {
    immutable(new, old, &["data", "binaryData"], faults);
}

fn default_secret(object: &mut Node) {
    default(object, "type", "Opaque");
    let Some(plain) = object.remove("stringData") else { return };
    let Some(plain) = plain.as_map() else { return };
    let data = object.ensure_map().get_or_insert("data", Node::map).ensure_map();
    for entry in plain {
        let value = entry.value.as_str().unwrap_or_default();
        data.insert(entry.key.clone(), STANDARD.encode(value));
    }
}

fn validate_secret(object: &Node, faults: &mut Faults) {
    let mut size = 0;
    for entry in map(object, "data").into_iter().flatten() {
        key(&entry.key, "data", faults);
        size += decoded_size(&entry.value);
    }
    if size > SIZE_LIMIT {
        faults.too_long("data", SIZE_LIMIT);
    }
    let has = |key: &str| map(object, "data").is_some_and(|data| data.contains_key(key));
    let mut need = |key: &str| {
        if !has(key) {
            faults.required(format!("data[{key}]"), "");
        }
    };
    match object.str_at(&["type"]).unwrap_or_default() {
        "kubernetes.io/dockercfg" => {
            need(".dockercfg");
            json(object, ".dockercfg", faults);
        }
        "kubernetes.io/dockerconfigjson" => {
            need(".dockerconfigjson");
            json(object, ".dockerconfigjson", faults);
        }
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            need("username");
            need("password");
        }
        "kubernetes.io/ssh-auth" => need("ssh-privatekey"),
        "kubernetes.io/tls" => {
            need("tls.crt");
            need("tls.key");
        }
        _ => {}
    }
}

fn json(object: &Node, key: &str, faults: &mut Faults) {
    let Some(value) = map(object, "data").and_then(|data| data.get(key)) else { return };
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        // the value is secret and stays out of the message
        faults.invalid(format!("data[{key}]"), "<secret contents redacted>", error.to_string());
    }
}

fn update_secret(new: &Node, old: &Node, faults: &mut Faults) {
    if new.get("type") != old.get("type") {
        let shown = new.get("type").cloned().unwrap_or_default();
        faults.invalid("type", shown, "field is immutable");
    }
    immutable(new, old, &["data"], faults);
}

fn immutable(new: &Node, old: &Node, fields: &[&str], faults: &mut Faults) {
    if old.get("immutable").and_then(Node::as_bool) != Some(true) {
        return;
    }
    if new.get("immutable").and_then(Node::as_bool) != Some(true) {
        faults.forbidden("immutable", IMMUTABLE);
    }
    for field in fields {
        if new.get(field) != old.get(field) {
            faults.forbidden(*field, IMMUTABLE);
        }
    }
}

fn key(key: &str, field: &str, faults: &mut Faults) {
    for fault in name::config_key(key) {
        faults.invalid(format!("{field}[{key}]"), key, fault);
    }
}

fn decoded_size(value: &Node) -> usize {
    value.as_str().unwrap_or_default().len() / 4 * 3
}
