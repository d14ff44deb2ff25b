//! What is served: groups, versions, resources; aggregated and plain.

use super::kind::{Kind, Kinds};
use super::negotiate::clauses;
use super::respond::{self, Reply};
use crate::schema::openapi;
use crate::yaml::{Map, Node};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use std::sync::Arc;

/// The Kubernetes version that the API is like.
pub(crate) const VERSION: (&str, &str) = ("1", "36");

/// `GET /version`.
pub(crate) fn version() -> Node {
    let (major, minor) = VERSION;
    Node::from(json!({
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": "35",
        "gitVersion": format!("v{major}.{minor}.0+wharf{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("linux/{}", architecture()),
    }))
}

/// The architecture as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Which form of discovery a client wants; the answer's media type.
fn aggregated(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    for clause in clauses(headers) {
        let aggregated = clause.parameter("as") == "APIGroupDiscoveryList"
            && clause.parameter("g") == "apidiscovery.k8s.io";
        match (clause.media.as_str(), aggregated, clause.parameter("v")) {
            ("application/json", true, "v2") => {
                let media = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
                return Some(("v2", media));
            }
            ("application/json", true, "v2beta1") => {
                let media =
                    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
                return Some(("v2beta1", media));
            }
            ("application/json" | "*/*", false, _) if clause.parameter("as").is_empty() => {
                return None;
            }
            _ => {}
        }
    }
    None
}

/// `GET /api`.
pub(crate) fn core(kinds: &Kinds, headers: &HeaderMap, address: &str) -> Reply {
    if let Some((version, media)) = aggregated(headers) {
        return list(kinds, version, media, &[("", vec!["v1"])]);
    }
    let plain = Node::from(json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }));
    respond::json(StatusCode::OK, &plain)
}

/// `GET /apis`.
pub(crate) fn groups(kinds: &Kinds, headers: &HeaderMap) -> Reply {
    let groups = kinds.groups();
    if let Some((version, media)) = aggregated(headers) {
        return list(kinds, version, media, &groups);
    }
    let mut plain = Node::map();
    plain.set("kind", "APIGroupList");
    plain.set("apiVersion", "v1");
    let groups: Vec<Node> = groups.iter().map(|(name, versions)| group(name, versions)).collect();
    plain.set("groups", groups);
    respond::json(StatusCode::OK, &plain)
}

/// `GET /apis/{group}`.
pub(crate) fn one_group(kinds: &Kinds, name: &str) -> Reply {
    let groups = kinds.groups();
    let found = groups.iter().find(|(group, _)| *group == name);
    let (name, versions) = found.expect("the route led to a known group");
    let mut node = Node::map();
    node.set("kind", "APIGroup");
    node.set("apiVersion", "v1");
    for entry in group(name, versions).as_map().into_iter().flatten() {
        node.set(&entry.key, entry.value.clone());
    }
    respond::json(StatusCode::OK, &node)
}

fn group(name: &str, versions: &[&str]) -> Node {
    let version =
        |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let all: Vec<serde_json::Value> = versions.iter().map(version).collect();
    Node::from(json!({"name": name, "versions": all, "preferredVersion": all[0]}))
}

/// `GET /api/v1`, `GET /apis/{group}/{version}`.
pub(crate) fn resources(kinds: &Kinds, group: &str, version: &str) -> Reply {
    let mut all: Vec<Node> = Vec::new();
    for kind in served(kinds, group, version) {
        all.push(resource(kind));
        for (name, group_version, sub_kind, verbs) in subresources(kind) {
            let mut map = Map::new();
            map.insert("name", format!("{}/{name}", kind.plural));
            map.insert("singularName", "");
            map.insert("namespaced", kind.namespaced);
            if let Some((group, version)) = group_version {
                map.insert("group", group);
                map.insert("version", version);
            }
            map.insert("kind", sub_kind);
            map.insert("verbs", texts(&verbs));
            all.push(map.into());
        }
    }
    let mut node = Node::map();
    node.set("kind", "APIResourceList");
    if !group.is_empty() {
        node.set("apiVersion", "v1");
    }
    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    node.set("groupVersion", group_version);
    node.set("resources", all);
    respond::json(StatusCode::OK, &node)
}

fn served<'a>(
    kinds: &'a Kinds,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'a Arc<Kind>> {
    kinds.iter().filter(move |kind| kind.group == group && kind.version == version)
}

fn resource(kind: &Kind) -> Node {
    let mut map = Map::new();
    map.insert("name", &*kind.plural);
    map.insert("singularName", &*kind.singular);
    map.insert("namespaced", kind.namespaced);
    map.insert("kind", &*kind.kind);
    map.insert("verbs", texts(&kind.verbs()));
    if !kind.short.is_empty() {
        map.insert("shortNames", texts(&kind.short));
    }
    if !kind.categories.is_empty() {
        map.insert("categories", texts(&kind.categories));
    }
    map.into()
}

type Sub<'a> = (&'static str, Option<(&'static str, &'static str)>, &'a str, Vec<&'static str>);

/// What lies below the objects of a kind, in the order of names.
fn subresources(kind: &Kind) -> Vec<Sub<'_>> {
    let write = || vec!["get", "patch", "update"];
    let mut all: Vec<Sub<'_>> = kind
        .subresources
        .iter()
        .map(|sub| (sub.name, sub.group_version, sub.kind, sub.verbs.to_vec()))
        .collect();
    if kind.scale {
        all.push(("scale", Some(("autoscaling", "v1")), "Scale", write()));
    }
    if kind.status {
        all.push(("status", None, &kind.kind, write()));
    }
    all.sort_by_key(|(name, ..)| *name);
    all
}

fn texts(list: &[impl AsRef<str>]) -> Node {
    list.iter().map(|text| Node::from(text.as_ref())).collect::<Vec<_>>().into()
}

/// The aggregated form.
fn list(kinds: &Kinds, version: &str, media: &'static str, groups: &[(&str, Vec<&str>)]) -> Reply {
    let items: Vec<Node> = groups
        .iter()
        .map(|(group, versions)| {
            let mut item = Node::map();
            item.set("metadata", Node::map());
            if !group.is_empty() {
                item.set_at(&["metadata", "name"], *group);
            }
            let versions: Vec<Node> = versions
                .iter()
                .map(|version| {
                    let mut node = Node::map();
                    node.set("version", *version);
                    node.set(
                        "resources",
                        served(kinds, group, version)
                            .map(|kind| aggregate(kind))
                            .collect::<Vec<_>>(),
                    );
                    node.set("freshness", "Current");
                    node
                })
                .collect();
            item.set("versions", versions);
            item
        })
        .collect();
    let mut node = Node::map();
    node.set("kind", "APIGroupDiscoveryList");
    node.set("apiVersion", format!("apidiscovery.k8s.io/{version}"));
    node.set("metadata", Node::map());
    node.set("items", items);
    let body = serde_json::to_vec(&node).expect("a node has text keys only");
    respond::bytes(StatusCode::OK, media, body)
}

fn aggregate(kind: &Kind) -> Node {
    let response = |group_version: Option<(&str, &str)>, name: &str| {
        let (group, version) = group_version.unwrap_or_default();
        Node::from(json!({"group": group, "version": version, "kind": name}))
    };
    let mut map = Map::new();
    map.insert("resource", &*kind.plural);
    map.insert("responseKind", response(None, &kind.kind));
    map.insert("scope", if kind.namespaced { "Namespaced" } else { "Cluster" });
    map.insert("singularResource", &*kind.singular);
    map.insert("verbs", texts(&kind.verbs()));
    if !kind.short.is_empty() {
        map.insert("shortNames", texts(&kind.short));
    }
    if !kind.categories.is_empty() {
        map.insert("categories", texts(&kind.categories));
    }
    let below: Vec<Node> = subresources(kind)
        .into_iter()
        .map(|(name, group_version, sub_kind, verbs)| {
            let mut sub = Node::map();
            sub.set("subresource", name);
            sub.set("responseKind", response(group_version, sub_kind));
            sub.set("verbs", texts(&verbs));
            sub
        })
        .collect();
    if !below.is_empty() {
        map.insert("subresources", below);
    }
    map.into()
}

/// What the OpenAPI documents describe.
pub(crate) fn described(kinds: &Kinds) -> Vec<openapi::Resource<'_>> {
    kinds
        .iter()
        .map(|kind| openapi::Resource {
            group: &kind.group,
            version: &kind.version,
            kind: &kind.kind,
            plural: &kind.plural,
            namespaced: kind.namespaced,
            subresources: match (kind.status, kind.scale) {
                (true, true) => &["scale", "status"],
                (true, false) => &["status"],
                (false, true) => &["scale"],
                (false, false) => &[],
            },
        })
        .collect()
}

/// `GET /`: the paths that lead on.
pub(crate) fn paths(kinds: &Kinds) -> Node {
    let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into()];
    for (group, versions) in kinds.groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    for path in ["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"] {
        paths.push(path.to_owned());
    }
    let mut node = Node::map();
    node.set("paths", paths.into_iter().map(Node::from).collect::<Vec<_>>());
    node
}
