//! Containers: ports, environment, mounts, resources, probes.

use super::super::field::Field;
use super::super::names;
use super::{BAD_NAME, BAD_PORT, at_least, port_number, syntax, unique};
use crate::base::diag::Diagnostics;
use crate::base::suggest;
use crate::object::quantity::Quantity;

const BAD_CONTAINER: &str = "wharf::policy::bad_container";
const BAD_ENV: &str = "wharf::policy::bad_env";
const BAD_MOUNT: &str = "wharf::policy::bad_mount";
const BAD_PROBE: &str = "wharf::policy::bad_probe";
const BAD_RESOURCES: &str = "wharf::policy::bad_resources";
const UNKNOWN_VOLUME: &str = "wharf::policy::unknown_volume";

/// When a container of a pod runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// As long as the pod.
    Main,
    /// Before the others, to its end.
    Init,
    /// From before the others for as long as the pod.
    Sidecar,
    /// Added to a running pod.
    Ephemeral,
}

/// Checks one container of a pod with these volumes.
pub(super) fn check(
    container: &Field,
    role: Role,
    volumes: &[&str],
    host_network: bool,
    sink: &mut Diagnostics,
) {
    if let Some(name) = container.get("name") {
        syntax(&name, BAD_NAME, names::label, sink);
    }
    match container.get("image") {
        Some(image) => {
            let text = image.text().unwrap_or("image");
            if text.is_empty() {
                sink.push(image.error(BAD_CONTAINER, "is empty"));
            } else if text.trim() != text {
                sink.push(image.error(BAD_CONTAINER, "has spaces around it"));
            }
        }
        None => sink.push(container.error(BAD_CONTAINER, "has no image").help("add `image`")),
    }
    if let Some(list) = container.get("ports") {
        ports(&list, host_network, sink);
    }
    if let Some(env) = container.get("env") {
        env.items().for_each(|variable| self::variable(&variable, sink));
    }
    if let Some(sources) = container.get("envFrom") {
        for source in sources.items() {
            one_of(&source, &["configMapRef", "secretRef"], BAD_ENV, sink);
        }
    }
    mounts(container, volumes, sink);
    if let Some(resources) = container.get("resources") {
        self::resources(&resources, sink);
    }
    probes(container, role, sink);
}

fn ports(ports: &Field, host_network: bool, sink: &mut Diagnostics) {
    let list: Vec<Field> = ports.items().collect();
    let named: Vec<Field> = list.iter().filter_map(|port| port.get("name")).collect();
    let named = named.into_iter().filter(|name| name.text() != Some(""));
    unique(named.clone(), "port", sink);
    for name in named {
        syntax(&name, BAD_NAME, names::port, sink);
    }
    for port in &list {
        port_number(port, "containerPort", sink);
        let host = port.int_at("hostPort").filter(|number| *number != 0);
        if host.is_some() {
            port_number(port, "hostPort", sink);
        }
        if host_network && host.is_some() && host != port.int_at("containerPort") {
            let what = "must have the same `hostPort` as `containerPort` with `hostNetwork`";
            sink.push(port.error(BAD_PORT, what));
        }
    }
}

fn variable(variable: &Field, sink: &mut Diagnostics) {
    if let Some(name) = variable.get("name")
        && let Some(text) = name.text()
        && let Some(what) = names::env(text)
    {
        sink.push(name.error(BAD_ENV, what));
    }
    let Some(source) = variable.get("valueFrom") else { return };
    if variable.text_at("value").is_some_and(|value| !value.is_empty()) {
        sink.push(variable.error(BAD_ENV, "has both `value` and `valueFrom`"));
    }
    let sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    one_of(&source, &sources, BAD_ENV, sink);
    for key in ["configMapKeyRef", "secretKeyRef"] {
        let Some(reference) = source.get(key) else { continue };
        if reference.text_at("name").is_none_or(str::is_empty) && !reference.flag("optional") {
            sink.push(reference.error(BAD_ENV, "does not say which: add `name`"));
        }
    }
}

/// Exactly one of some fields must be there.
fn one_of(field: &Field, keys: &[&'static str], code: &'static str, sink: &mut Diagnostics) {
    let present = field.present(keys);
    match &*present {
        [_] => {}
        [] => {
            let what = format_args!("needs one of {}", keys.join(", "));
            sink.push(field.error(code, what));
        }
        many => {
            let what = format_args!("has {}, only one is allowed", many.join(" and "));
            sink.push(field.error(code, what));
        }
    }
}

fn mounts(container: &Field, volumes: &[&str], sink: &mut Diagnostics) {
    for (list, path) in [("volumeMounts", "mountPath"), ("volumeDevices", "devicePath")] {
        let Some(list) = container.get(list) else { continue };
        let mounts: Vec<Field> = list.items().collect();
        for mount in &mounts {
            if let Some(name) = mount.get("name")
                && let Some(text) = name.text()
                && !volumes.contains(&text)
            {
                let what = format_args!("is `{text}`, but the pod has no volume of that name");
                let help = match volumes {
                    [] => Some("add it under `volumes`".to_owned()),
                    known => suggest::did_you_mean(text, known.iter().copied())
                        .or_else(|| Some(format!("volumes are: {}", known.join(", ")))),
                };
                sink.push(name.error(UNKNOWN_VOLUME, what).maybe_help(help));
            }
            if let Some(path) = mount.get(path).filter(|path| path.text() == Some("")) {
                sink.push(path.error(BAD_MOUNT, "is empty"));
            }
            for key in ["subPath", "subPathExpr"] {
                let Some(path) = mount.get(key) else { continue };
                let text = path.text().unwrap_or_default();
                if text.starts_with('/') || text.split('/').any(|part| part == "..") {
                    sink.push(path.error(BAD_MOUNT, "must be a relative path without `..`"));
                }
            }
        }
    }
}

/// Checks that no request is larger than its limit.
pub(super) fn resources(resources: &Field, sink: &mut Diagnostics) {
    let limits = resources.get("limits");
    let requests = resources.get("requests");
    for list in limits.iter().chain(&requests) {
        for amount in list.fields() {
            if Quantity::from_node(amount.node).is_some_and(|quantity| quantity.as_f64() < 0.0) {
                sink.push(amount.error(BAD_RESOURCES, "must not be negative"));
            }
        }
    }
    let (Some(limits), Some(requests)) = (limits, requests) else { return };
    for request in requests.fields() {
        let Some(limit) = limits.get(request.key()) else { continue };
        let amounts = (Quantity::from_node(request.node), Quantity::from_node(limit.node));
        if let (Some(asked), Some(most)) = amounts
            && asked > most
        {
            let what = format_args!("requests {asked}, more than the limit of {most}");
            sink.push(request.error(BAD_RESOURCES, what).at(limit.span(), "the limit"));
        }
    }
}

fn probes(container: &Field, role: Role, sink: &mut Diagnostics) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get(key) else { continue };
        if matches!(role, Role::Init | Role::Ephemeral) {
            sink.push(probe.error(BAD_PROBE, "cannot be on a container that only runs once"));
            continue;
        }
        handler(&probe, &["exec", "grpc", "httpGet", "tcpSocket"], sink);
        if key != "readinessProbe" && probe.int_at("successThreshold").is_some_and(|n| n != 1) {
            sink.push(probe.error(BAD_PROBE, "must have a `successThreshold` of 1"));
        }
        for number in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds"] {
            at_least(&probe, number, 0, sink);
        }
        for number in ["failureThreshold", "successThreshold"] {
            at_least(&probe, number, 0, sink);
        }
    }
    let Some(lifecycle) = container.get("lifecycle") else { return };
    for key in ["postStart", "preStop"] {
        let Some(hook) = lifecycle.get(key) else { continue };
        handler(&hook, &["exec", "httpGet", "sleep", "tcpSocket"], sink);
    }
}

fn handler(probe: &Field, handlers: &[&'static str], sink: &mut Diagnostics) {
    one_of(probe, handlers, BAD_PROBE, sink);
    for key in ["httpGet", "tcpSocket", "grpc"] {
        let Some(handler) = probe.get(key) else { continue };
        port_number(&handler, "port", sink);
        if let Some(port) = handler.get("port") {
            syntax(&port, BAD_NAME, names::port, sink);
        }
    }
    if let Some(exec) = probe.get("exec")
        && exec.node.items_at(&["command"]).is_empty()
    {
        sink.push(exec.error(BAD_PROBE, "has no `command`"));
    }
}
