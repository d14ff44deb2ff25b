//! Services and Ingresses.

use super::super::field::Field;
use super::super::names;
use super::{BAD_NAME, BAD_PORT, metadata, port_number, syntax, unique};
use crate::base::diag::Diagnostics;

const BAD_SERVICE: &str = "wharf::policy::bad_service";
const BAD_INGRESS: &str = "wharf::policy::bad_ingress";

/// Checks a Service.
pub(super) fn service(root: &Field, sink: &mut Diagnostics) {
    let Some(spec) = root.get("spec") else { return };
    let ty = spec.text_at("type").filter(|ty| !ty.is_empty()).unwrap_or("ClusterIP");
    let headless = spec.text_at("clusterIP") == Some("None");
    let external = ty == "ExternalName";
    let ports = spec.get("ports");
    let list: Vec<Field> = ports.iter().flat_map(Field::items).collect();
    if list.is_empty() && !headless && !external {
        sink.push(spec.error(BAD_SERVICE, "has no ports").help("add `ports`"));
    }
    if external {
        match spec.get("externalName") {
            Some(name) => {
                let text = name.text().unwrap_or_default().trim_end_matches('.').to_lowercase();
                if let Some(what) = names::subdomain(&text) {
                    sink.push(name.error(BAD_SERVICE, what));
                }
            }
            None => sink.push(spec.error(BAD_SERVICE, "has no `externalName`")),
        }
    }
    if headless
        && matches!(ty, "NodePort" | "LoadBalancer")
        && let Some(address) = spec.get("clusterIP")
    {
        let what = format_args!("cannot be `None` when the type is `{ty}`");
        sink.push(address.error(BAD_SERVICE, what));
    }
    if let Some(address) = spec.get("clusterIP")
        && let Some(text) = address.text().filter(|text| !matches!(*text, "" | "None"))
        && text.parse::<std::net::IpAddr>().is_err()
    {
        sink.push(address.error(BAD_SERVICE, format_args!("`{text}` is no IP address")));
    }
    if let Some(selector) = spec.get("selector") {
        metadata::label_map(&selector, sink);
    }
    let named: Vec<Field> = list.iter().filter_map(|port| port.get("name")).collect();
    unique(named.iter().copied().filter(|name| name.text() != Some("")), "port", sink);
    for port in &list {
        service_port(port, ty, list.len(), sink);
    }
}

fn service_port(port: &Field, ty: &str, ports: usize, sink: &mut Diagnostics) {
    match port.get("name").filter(|name| name.text() != Some("")) {
        Some(name) => syntax(&name, BAD_NAME, names::label, sink),
        None if ports > 1 => {
            let what = "needs a `name`, because the Service has several ports";
            sink.push(port.error(BAD_SERVICE, what));
        }
        None => {}
    }
    port_number(port, "port", sink);
    port_number(port, "targetPort", sink);
    if let Some(target) = port.get("targetPort") {
        syntax(&target, BAD_NAME, names::port, sink);
    }
    if let Some(node_port) = port.get("nodePort").filter(|port| port.node.as_i64() != Some(0)) {
        if matches!(ty, "ClusterIP" | "ExternalName") {
            let what = format_args!("cannot be set when the type is `{ty}`");
            sink.push(node_port.error(BAD_PORT, what).help("set `type: NodePort`"));
        }
        port_number(port, "nodePort", sink);
    }
}

/// Checks an Ingress.
pub(super) fn ingress(root: &Field, sink: &mut Diagnostics) {
    let Some(spec) = root.get("spec") else { return };
    let rules = spec.get("rules");
    if rules.is_none() && !spec.has("defaultBackend") && !spec.has("backend") {
        sink.push(spec.error(BAD_INGRESS, "needs `rules` or a `defaultBackend`"));
    }
    if let Some(backend) = spec.get("defaultBackend") {
        self::backend(&backend, sink);
    }
    for rule in rules.iter().flat_map(Field::items) {
        let Some(http) = rule.get("http") else { continue };
        let Some(paths) = http.get("paths") else { continue };
        for item in paths.items() {
            let prefix = matches!(item.text_at("pathType"), Some("Exact" | "Prefix"));
            let absolute = item.text_at("path").is_some_and(|path| path.starts_with('/'));
            if prefix && !absolute {
                sink.push(match item.get("path") {
                    Some(path) => path.error(BAD_INGRESS, "must begin with `/`"),
                    None => item.error(BAD_INGRESS, "has no `path`; it must begin with `/`"),
                });
            }
            if let Some(backend) = item.get("backend") {
                self::backend(&backend, sink);
            }
        }
    }
}

fn backend(backend: &Field, sink: &mut Diagnostics) {
    match &*backend.present(&["resource", "service"]) {
        [_] => {}
        [] => sink.push(backend.error(BAD_INGRESS, "needs a `service` or a `resource`")),
        _ => sink.push(backend.error(BAD_INGRESS, "has both a `service` and a `resource`")),
    }
    let Some(service) = backend.get("service") else { return };
    let Some(port) = service.get("port") else {
        return sink.push(service.error(BAD_INGRESS, "has no `port`"));
    };
    if port.present(&["name", "number"]).len() != 1 {
        sink.push(port.error(BAD_INGRESS, "needs either a `name` or a `number`"));
    }
    port_number(&port, "number", sink);
}
