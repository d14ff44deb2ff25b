//! A container's environment and command line: values, references, `$(NAME)`.
//!
//! Order, as the kubelet's: the image's variables, those of services, `envFrom` in order, `env` in
//! order; a later one of the same name wins. `$(NAME)` stands for a variable defined before;
//! `$$(NAME)` is the text `$(NAME)`; an unknown name stays as it is.

use crate::agent::store::{Key, Store, Stored};
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::yaml::{Node, Value};
use base64::Engine as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads ConfigMaps and Secrets of one namespace.
#[derive(Clone, Debug)]
pub struct Configs<'a> {
    store: &'a Store,
    namespace: &'a str,
}

impl<'a> Configs<'a> {
    /// Those of a namespace.
    #[must_use]
    pub fn new(store: &'a Store, namespace: &'a str) -> Configs<'a> {
        Configs { store, namespace }
    }

    /// The entries of a ConfigMap as bytes, or nothing when there is none.
    #[must_use]
    pub fn config_map(&self, name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        let stored = self.get("configmaps", name)?;
        let mut entries = strings(stored.object.get("data"));
        entries.extend(decoded(stored.object.get("binaryData")));
        Some(entries)
    }

    /// The entries of a Secret as bytes, or nothing when there is none.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        Some(decoded(self.get("secrets", name)?.object.get("data")))
    }

    fn get(&self, resource: &str, name: &str) -> Option<Arc<Stored>> {
        self.store.get(&Key::new(resource, self.namespace, name))
    }

    /// The namespace that is read.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace
    }
}

fn strings(data: Option<&Node>) -> BTreeMap<String, Vec<u8>> {
    let entries = data.and_then(Node::as_map).into_iter().flatten();
    entries
        .filter_map(|entry| Some((entry.key.to_string(), entry.value.as_str()?.into())))
        .collect()
}

fn decoded(data: Option<&Node>) -> BTreeMap<String, Vec<u8>> {
    let entries = data.and_then(Node::as_map).into_iter().flatten();
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    entries
        .filter_map(|entry| Some((entry.key.to_string(), decode(entry.value.as_str()?)?)))
        .collect()
}

/// What the environment can refer to besides ConfigMaps and Secrets.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The pod, its status filled in as far as it is known.
    pub pod: &'a Node,
    /// Variables of the image: `NAME=value`.
    pub image: &'a [String],
    /// Variables of the services of the namespace.
    pub services: Vec<(String, String)>,
    /// CPU and memory of the host, for limits that are not set.
    pub capacity: &'a Node,
}

/// The variables of a container.
///
/// # Errors
/// The kubelet's text when a reference leads nowhere; the pod waits until it does.
pub fn variables(
    container: &Node,
    facts: &Facts<'_>,
    configs: &Configs<'_>,
) -> Result<Vec<(String, String)>, String> {
    let mut env = Variables::default();
    for variable in facts.image {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        env.set(name, value.to_owned());
    }
    for (name, value) in &facts.services {
        env.set(name, value.clone());
    }
    for source in container.items_at(&["envFrom"]) {
        let prefix = source.str_at(&["prefix"]).unwrap_or_default();
        for (key, value) in env_from(source, configs)? {
            // Kubernetes takes any printable name but `=`, and skips what is no text
            if let Ok(value) = String::from_utf8(value) {
                env.set(&format!("{prefix}{key}"), value);
            }
        }
    }
    for variable in container.items_at(&["env"]) {
        let name = variable.str_at(&["name"]).unwrap_or_default();
        let value = match variable.get("valueFrom").filter(|from| !from.is_null()) {
            None => Some(env.expand(variable.str_at(&["value"]).unwrap_or_default())),
            Some(from) => value_from(from, container, facts, configs)?,
        };
        if let Some(value) = value {
            env.set(name, value);
        }
    }
    Ok(env.0)
}

/// Replaces `$(NAME)` in a command line.
#[must_use]
pub fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let Some((name, tail)) = name else {
            out.push('$');
            rest = after;
            continue;
        };
        match variables.iter().rev().find(|(known, _)| known == name) {
            Some((_, value)) => out.push_str(value),
            None => {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &self.0)
    }
}

fn is_optional(source: &Node) -> bool {
    source.get("optional").and_then(Node::as_bool) == Some(true)
}

fn env_from(source: &Node, configs: &Configs<'_>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let (reference, what, entries) = if let Some(reference) = source.get("configMapRef") {
        let name = reference.str_at(&["name"]).unwrap_or_default();
        (reference, "configmap", configs.config_map(name))
    } else if let Some(reference) = source.get("secretRef") {
        let name = reference.str_at(&["name"]).unwrap_or_default();
        (reference, "secret", configs.secret(name))
    } else {
        return Ok(BTreeMap::new());
    };
    match entries {
        Some(entries) => Ok(entries),
        None if is_optional(reference) => Ok(BTreeMap::new()),
        None => {
            let name = reference.str_at(&["name"]).unwrap_or_default();
            Err(format!("{what} \"{name}\" not found"))
        }
    }
}

fn value_from(
    from: &Node,
    container: &Node,
    facts: &Facts<'_>,
    configs: &Configs<'_>,
) -> Result<Option<String>, String> {
    if let Some(reference) = from.get("fieldRef") {
        let path = reference.str_at(&["fieldPath"]).unwrap_or_default();
        return field(facts.pod, path).map(Some);
    }
    if let Some(reference) = from.get("resourceFieldRef") {
        let named = reference.str_at(&["containerName"]).and_then(|name| {
            facts
                .pod
                .items_at(&["spec", "containers"])
                .iter()
                .find(|container| container.str_at(&["name"]) == Some(name))
        });
        return resource(reference, named.unwrap_or(container), facts.capacity).map(Some);
    }
    let (reference, kind, entries) = if let Some(reference) = from.get("configMapKeyRef") {
        let name = reference.str_at(&["name"]).unwrap_or_default();
        (reference, "ConfigMap", configs.config_map(name))
    } else if let Some(reference) = from.get("secretKeyRef") {
        let name = reference.str_at(&["name"]).unwrap_or_default();
        (reference, "Secret", configs.secret(name))
    } else {
        return Ok(None);
    };
    let name = reference.str_at(&["name"]).unwrap_or_default();
    let key = reference.str_at(&["key"]).unwrap_or_default();
    let Some(mut entries) = entries else {
        let what = kind.to_lowercase();
        let missing = Err(format!("{what} \"{name}\" not found"));
        return if is_optional(reference) { Ok(None) } else { missing };
    };
    match entries.remove(key) {
        Some(value) => Ok(Some(String::from_utf8_lossy(&value).into_owned())),
        None if is_optional(reference) => Ok(None),
        None => Err(format!("couldn't find key {key} in {kind} {}/{name}", configs.namespace())),
    }
}

/// A field of a pod as the downward API gives it.
///
/// # Errors
/// When the field is none that can be given.
pub fn field(pod: &Node, path: &str) -> Result<String, String> {
    let text = |keys: &[&str]| Ok(pod.str_at(keys).unwrap_or_default().to_owned());
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.labels" | "metadata.annotations" => {
                text(&["metadata", &map["metadata.".len()..], key])
            }
            _ => Err(format!("unsupported fieldPath: {path}")),
        };
    }
    match path {
        "metadata.name" => text(&["metadata", "name"]),
        "metadata.namespace" => text(&["metadata", "namespace"]),
        "metadata.uid" => text(&["metadata", "uid"]),
        "metadata.labels" => Ok(quoted_lines(meta::labels(pod))),
        "metadata.annotations" => {
            Ok(quoted_lines(pod.at(&["metadata", "annotations"]).and_then(Node::as_map)))
        }
        "spec.nodeName" => text(&["spec", "nodeName"]),
        "spec.serviceAccountName" => {
            let name = pod.str_at(&["spec", "serviceAccountName"]);
            Ok(name.filter(|name| !name.is_empty()).unwrap_or("default").to_owned())
        }
        "status.hostIP" | "status.hostIPs" => text(&["status", "hostIP"]),
        "status.podIP" | "status.podIPs" => text(&["status", "podIP"]),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

/// `key="value"` lines in the order of keys.
fn quoted_lines(map: Option<&crate::yaml::Map>) -> String {
    let mut lines: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|entry| format!("{}={:?}", entry.key, entry.value.as_str().unwrap_or_default()))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// A container's limit or request, in units of the divisor, rounded up.
///
/// # Errors
/// When the resource is none that can be given.
pub fn resource(reference: &Node, container: &Node, capacity: &Node) -> Result<String, String> {
    let name = reference.str_at(&["resource"]).unwrap_or_default();
    let (list, resource) =
        name.split_once('.').ok_or_else(|| format!("unsupported container resource : {name}"))?;
    let own = container.at(&["resources", list, resource]);
    let fallback = (list == "limits").then(|| capacity.get(resource)).flatten();
    let quantity = own.or(fallback).and_then(Quantity::from_node);
    let divisor =
        reference.get("divisor").and_then(Quantity::from_node).filter(|divisor| !divisor.is_zero());
    let milli = |quantity: Option<Quantity>, default| quantity.map_or(default, Quantity::milli);
    let value = match resource {
        "cpu" => {
            let (value, divisor) = (milli(quantity, 0), milli(divisor, 1000));
            (value + divisor - 1) / divisor
        }
        "memory" | "ephemeral-storage" => {
            let value = quantity.map_or(0, Quantity::value);
            let divisor = divisor.map_or(1, |divisor| divisor.value().max(1));
            (value + divisor - 1) / divisor
        }
        _ => return Err(format!("unsupported container resource : {name}")),
    };
    Ok(value.to_string())
}

/// The variables that tell a container of the services in its namespace, as Docker links did.
#[must_use]
pub fn of_services<'a>(services: impl Iterator<Item = &'a Node>) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for service in services {
        let ip = service.str_at(&["spec", "clusterIP"]).unwrap_or_default();
        let ports = service.items_at(&["spec", "ports"]);
        if ip.is_empty() || ip == "None" {
            continue;
        }
        let Some(first) = ports.first().and_then(|port| port.i64_at(&["port"])) else { continue };
        let name = meta::name(service).to_uppercase().replace('-', "_");
        env.push((format!("{name}_SERVICE_HOST"), ip.to_owned()));
        env.push((format!("{name}_SERVICE_PORT"), first.to_string()));
        for port in ports {
            let number = port.i64_at(&["port"]).unwrap_or(0);
            if let Some(label) = port.str_at(&["name"]).filter(|label| !label.is_empty()) {
                let label = label.to_uppercase().replace('-', "_");
                env.push((format!("{name}_SERVICE_PORT_{label}"), number.to_string()));
            }
        }
        for (at, port) in ports.iter().enumerate() {
            let number = port.i64_at(&["port"]).unwrap_or(0);
            let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
            let lower = protocol.to_lowercase();
            let url = format!("{lower}://{ip}:{number}");
            if at == 0 {
                env.push((format!("{name}_PORT"), url.clone()));
            }
            let prefix = format!("{name}_PORT_{number}_{protocol}");
            env.push((prefix.clone(), url));
            env.push((format!("{prefix}_PROTO"), lower));
            env.push((format!("{prefix}_PORT"), number.to_string()));
            env.push((format!("{prefix}_ADDR"), ip.to_owned()));
        }
    }
    env
}

/// The words of a list of strings with `$(NAME)` replaced, or nothing when the list is absent.
#[must_use]
pub fn command_line(list: Option<&Node>, variables: &[(String, String)]) -> Option<Vec<String>> {
    let Some(Value::List(items)) = list.map(|list| &list.value) else { return None };
    let words = items.iter().map(|item| expand(item.as_str().unwrap_or_default(), variables));
    Some(words.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_replaced_and_escapes_kept() {
        let known = [("A".to_owned(), "x".to_owned())];
        for (text, expected) in [
            ("$(A)", "x"),
            ("a$(A)b$(A)", "axbx"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$x"),
            ("$(B)", "$(B)"),
            ("$A $ $(", "$A $ $("),
            ("$(A", "$(A"),
        ] {
            assert_eq!(expand(text, &known), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn variables_come_in_order_and_missing_references_are_told() {
        let store = Store::in_memory().expect("a store in memory");
        let config =
            Node::from(json!({"metadata": {"name": "c"}, "data": {"k": "v", "A": "from"}}));
        let key = Key::new("configmaps", "n", "c");
        store.commit(vec![crate::agent::store::Op::Create { key, object: config }]).await.unwrap();
        let configs = Configs::new(&store, "n");
        let pod = Node::from(json!({"metadata": {"name": "p", "labels": {"b": "2", "a": "1"}}}));
        let capacity = Node::from(json!({"cpu": "2", "memory": "1Gi"}));
        let image = ["PATH=/bin".to_owned(), "A=image".to_owned()];
        let facts = Facts { pod: &pod, image: &image, services: vec![], capacity: &capacity };
        let run = |container: serde_json::Value| {
            let env = variables(&Node::from(container), &facts, &configs)?;
            Ok::<_, String>(env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>())
        };
        let env = run(json!({
            "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}, {"configMapRef": {"name": "c"}}],
            "env": [
                {"name": "B", "value": "$(A)-$(P_k)"},
                {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['b']"}}},
                {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "O", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no", "optional": true}}},
            ],
        }));
        let expected =
            ["PATH=/bin", "A=from", "P_A=from", "P_k=v", "k=v", "B=from-v", "N=2", "C=2"];
        assert_eq!(env.unwrap(), expected);
        for (container, text) in [
            (json!({"envFrom": [{"secretRef": {"name": "s"}}]}), "secret \"s\" not found"),
            (
                json!({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no"}}}]}),
                "couldn't find key no in ConfigMap n/c",
            ),
        ] {
            assert_eq!(run(container).unwrap_err(), text);
        }
    }
}
