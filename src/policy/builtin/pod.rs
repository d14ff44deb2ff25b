//! Pods, and the templates of pods in other kinds: volumes, and what containers share.

use super::super::field::Field;
use super::super::names;
use super::{BAD_NAME, DUPLICATE_NAME, at_least, container, metadata, syntax};
use crate::base::diag::Diagnostics;
use std::collections::{HashMap, HashSet};

const BAD_VOLUME: &str = "wharf::policy::bad_volume";
const NO_CONTAINERS: &str = "wharf::policy::no_containers";
const BAD_POD: &str = "wharf::policy::bad_pod";

/// Checks the spec of a pod. `claims` are the volumes that the owner adds (`volumeClaimTemplates`).
pub(super) fn spec(spec: &Field, claims: &[&str], sink: &mut Diagnostics) {
    let volumes = spec.get("volumes");
    let volumes: Vec<Field> = volumes.iter().flat_map(Field::items).collect();
    for volume in &volumes {
        self::volume(volume, sink);
    }
    let mut known: Vec<&str> = volumes.iter().filter_map(|volume| volume.text_at("name")).collect();
    known.extend(claims);

    let lists =
        [spec.get("containers"), spec.get("initContainers"), spec.get("ephemeralContainers")];
    if let Some(containers) = &lists[0]
        && containers.node.as_list().is_some_and(<[_]>::is_empty)
    {
        sink.push(containers.error(NO_CONTAINERS, "must have at least one container"));
    }
    let containers: Vec<(usize, Field)> = lists
        .iter()
        .enumerate()
        .flat_map(|(list, field)| field.iter().flat_map(Field::items).map(move |item| (list, item)))
        .collect();
    // a name that is twice in one list is a fault of the schema
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (list, container) in &containers {
        let Some(name) = container.get("name") else { continue };
        let Some(text) = name.text() else { continue };
        if seen.insert(text, *list).is_some_and(|other| other != *list) {
            let what = format_args!("is `{text}`, the name of another container");
            sink.push(name.error(DUPLICATE_NAME, what));
        }
    }
    let host_network = spec.flag("hostNetwork");
    for (list, container) in &containers {
        let role = match (list, container.text_at("restartPolicy")) {
            (1, Some("Always")) => container::Role::Sidecar,
            (1, _) => container::Role::Init,
            (2, _) => container::Role::Ephemeral,
            _ => container::Role::Main,
        };
        container::check(container, role, &known, host_network, sink);
    }
    host_ports(&containers, sink);
    placement(spec, sink);
}

/// Checks that a volume has a sound name and one source. None is an `emptyDir`.
fn volume(volume: &Field, sink: &mut Diagnostics) {
    if let Some(name) = volume.get("name") {
        syntax(&name, BAD_NAME, names::label, sink);
    }
    let sources: Vec<&str> =
        volume.fields().map(|field| field.key()).filter(|key| *key != "name").collect();
    if sources.len() > 1 {
        let what =
            format_args!("has {} sources, one is allowed: {}", sources.len(), sources.join(", "));
        sink.push(volume.error(BAD_VOLUME, what));
    }
    for (source, name) in
        [("configMap", "name"), ("secret", "secretName"), ("persistentVolumeClaim", "claimName")]
    {
        let Some(source) = volume.get(source) else { continue };
        if source.text_at(name).is_none_or(str::is_empty) && !source.has(name) {
            sink.push(source.error(BAD_VOLUME, format_args!("does not say which: add `{name}`")));
        }
    }
}

/// Two containers cannot listen on one port of the host.
fn host_ports(containers: &[(usize, Field)], sink: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for (_, container) in containers.iter().filter(|(list, _)| *list == 0) {
        let Some(ports) = container.get("ports") else { continue };
        for port in ports.items() {
            let Some(number) = port.int_at("hostPort").filter(|number| *number != 0) else {
                continue;
            };
            let protocol = port.text_at("protocol").unwrap_or("TCP").to_owned();
            let address = port.text_at("hostIP").unwrap_or_default().to_owned();
            if !seen.insert((number, protocol, address)) {
                let what = format_args!("takes port {number} of the host a second time");
                sink.push(port.error(super::BAD_PORT, what));
            }
        }
    }
}

/// What decides where and how a pod runs.
fn placement(spec: &Field, sink: &mut Diagnostics) {
    if let Some(selector) = spec.get("nodeSelector") {
        metadata::label_map(&selector, sink);
    }
    if let Some(tolerations) = spec.get("tolerations") {
        for toleration in tolerations.items() {
            let operator = toleration.text_at("operator").unwrap_or("Equal");
            let empty = |key| toleration.text_at(key).is_none_or(str::is_empty);
            if operator == "Exists" && !empty("value") {
                let what = "has a `value`, which the operator `Exists` does not take";
                sink.push(toleration.error(BAD_POD, what));
            }
            if empty("key") && operator != "Exists" {
                let what = "has no `key`; only the operator `Exists` goes without one";
                sink.push(toleration.error(BAD_POD, what));
            }
        }
    }
    at_least(spec, "terminationGracePeriodSeconds", 0, sink);
    at_least(spec, "activeDeadlineSeconds", 1, sink);
    let servers = spec.get("dnsConfig").is_some_and(|config| {
        config.node.items_at(&["nameservers"]).iter().any(|server| !server.is_null())
    });
    if let Some(policy) = spec.get("dnsPolicy").filter(|policy| policy.text() == Some("None"))
        && !servers
    {
        sink.push(policy.error(BAD_POD, "is `None`, so `dnsConfig.nameservers` must name one"));
    }
    for key in ["hostname", "subdomain"] {
        if let Some(name) = spec.get(key).filter(|name| name.text() != Some("")) {
            syntax(&name, BAD_NAME, names::label, sink);
        }
    }
    if let Some(name) = spec.get("serviceAccountName").filter(|name| name.text() != Some("")) {
        syntax(&name, BAD_NAME, names::subdomain, sink);
    }
}
