//! `ConfigMap`s and Secrets: their keys, their size, and what a Secret's type demands.

use super::super::field::Field;
use super::super::names;
use crate::base::diag::{Diagnostic, Diagnostics};

const BAD_KEY: &str = "wharf::policy::bad_key";
const MISSING_KEY: &str = "wharf::policy::missing_key";
const TOO_LARGE: &str = "wharf::policy::too_large";

/// Most bytes of all values of one object.
const SIZE: usize = 1 << 20;

/// Checks a `ConfigMap`.
pub(super) fn config_map(root: &Field, sink: &mut Diagnostics) {
    let data = root.get("data");
    let binary = root.get("binaryData");
    let mut size = 0;
    for map in data.iter().chain(&binary) {
        size += keys(map, sink);
    }
    if let (Some(data), Some(binary)) = (data, binary) {
        for value in binary.fields() {
            if data.has(value.key()) {
                let finding = value.error(BAD_KEY, "is in `data` too");
                sink.push(Diagnostic { labels: vec![], ..finding }.at(value.key_span(), ""));
            }
        }
    }
    limit(root, size, sink);
}

/// Checks a Secret; its values never get into a finding.
pub(super) fn secret(root: &Field, sink: &mut Diagnostics) {
    let data = root.get("data");
    let plain = root.get("stringData");
    let mut size = 0;
    for map in data.iter().chain(&plain) {
        size += keys(map, sink);
    }
    limit(root, size, sink);
    let has = |key: &str| data.iter().chain(&plain).any(|map| map.has(key));
    let needed: &[&str] = match root.text_at("type").unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/basic-auth" if !has("password") => &["username"],
        _ => &[],
    };
    let Some(ty) = root.get("type") else { return };
    for key in needed.iter().filter(|key| !has(key)) {
        let what = format_args!("`{}` needs the key `{key}`", ty.text().unwrap_or_default());
        sink.push(ty.error(MISSING_KEY, what).help(format!("add `{key}` under `stringData`")));
    }
}

/// Checks the keys of a map and gives the size of its values.
fn keys(map: &Field, sink: &mut Diagnostics) -> usize {
    let mut size = 0;
    for value in map.fields() {
        size += value.text().map_or(0, str::len);
        if let Some(what) = names::data_key(value.key()) {
            let finding = value.error(BAD_KEY, format_args!("is no key: it {what}"));
            sink.push(Diagnostic { labels: vec![], ..finding }.at(value.key_span(), ""));
        }
    }
    size
}

fn limit(root: &Field, size: usize, sink: &mut Diagnostics) {
    // base64 makes values a third longer than what counts; only what is surely over is reported
    if size * 3 / 4 > SIZE {
        let message = format!("the values hold {size} bytes, {SIZE} are allowed");
        let name = root.get("metadata").map_or(root.node.span, |metadata| metadata.span());
        sink.push(Diagnostic::error(TOO_LARGE, message).at(name, ""));
    }
}
