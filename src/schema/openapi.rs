//! The OpenAPI v3 documents of an API: one for each group and version, and their index.
//!
//! `kubectl apply` reads them to learn whether a server checks fields, and how lists merge;
//! `kubectl explain` shows their descriptions. A document is written as text from the embedded
//! schemas when it is asked for; descriptions are inflated only for that.

use super::embedded::{self, Definition, Reader};
use super::model::{Fields, ListKind, Rules, Shape, Type};
use super::registry::Schemas;
use crate::base::digest::Digest;
use crate::yaml::json;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

const DESCRIPTIONS: &[u8] = include_bytes!("../../schemas/descriptions.bin");

/// Kinds of bodies that every resource takes or gives.
const SHARED: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
];

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// A resource that the API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// Kind of its objects.
    pub kind: &'a str,
    /// Name in paths: `deployments`.
    pub plural: &'a str,
    /// True when objects live in namespaces.
    pub namespaced: bool,
    /// Names of what is below an object: `status`, `scale`.
    pub subresources: &'a [&'a str],
}

impl Resource<'_> {
    fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `api/v1` or `apis/apps/v1`.
    fn root(&self) -> String {
        root(self.group, self.version)
    }
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The answer to `GET /openapi/v3`. The hash in each address changes with what is served, because
/// clients keep documents by their address.
#[must_use]
pub fn index(schemas: &Schemas, resources: &[Resource]) -> String {
    let mut roots: BTreeMap<String, String> = BTreeMap::new();
    for resource in resources {
        let served = roots.entry(resource.root()).or_insert_with(|| schemas.version().to_owned());
        let _ = write!(served, " {resource:?}");
        if let Some(ty) = schemas.custom(&resource.api_version(), resource.kind) {
            let mut text = String::new();
            Writer::default().ty(&mut text, ty, None);
            served.push_str(&text);
        }
    }
    let entry = |(root, served): (&String, &String)| {
        let digest = Digest::of(served.as_bytes()).to_string();
        let hash = digest.trim_start_matches("sha256:")[..32].to_uppercase();
        format!(r#""{root}":{{"serverRelativeURL":"/openapi/v3/{root}?hash={hash}"}}"#)
    };
    let entries: Vec<String> = roots.iter().map(entry).collect();
    format!(r#"{{"paths":{{{}}}}}"#, entries.join(","))
}

/// The answer to `GET /openapi/v3/apis/<group>/<version>` (`api/<version>` for the core group), or
/// nothing when nothing of it is served.
#[must_use]
pub fn document(
    schemas: &Schemas,
    resources: &[Resource],
    group: &str,
    version: &str,
) -> Option<String> {
    let mut served: Vec<&Resource> = resources
        .iter()
        .filter(|resource| resource.group == group && resource.version == version)
        .collect();
    if served.is_empty() {
        return None;
    }
    served.sort_by_key(|resource| resource.plural);
    let descriptions = Descriptions::load(schemas.version());
    let mut writer = Writer { descriptions, ..Writer::default() };
    let mut out = String::with_capacity(1 << 20);
    let title = r#"{"openapi":"3.0.0","info":{"title":"Kubernetes","version":"v"#;
    let _ = write!(out, r#"{title}{}.0"}},"paths":{{"#, schemas.version());
    let mut first = true;
    for resource in &served {
        separate(&mut out, &mut first);
        paths(&mut out, schemas, resource);
    }
    out.push_str(r#"},"components":{"schemas":{"#);
    writer.components(&mut out, schemas, &served);
    out.push_str("}}}");
    Some(out)
}

fn separate(out: &mut String, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

/// Writes a JSON text.
fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a text can always be written"));
}

/// The name of a kind's definition; custom kinds get one as Kubernetes makes them.
fn definition_name(schemas: &Schemas, resource: &Resource) -> String {
    let known = schemas.definition(&resource.api_version(), resource.kind);
    known.map_or_else(
        || {
            let mut parts: Vec<&str> = resource.group.split('.').rev().collect();
            parts.extend([resource.version, resource.kind]);
            parts.join(".")
        },
        |definition| definition.name().to_owned(),
    )
}

/// Every path of one resource.
fn paths(out: &mut String, schemas: &Schemas, resource: &Resource) {
    let root = resource.root();
    let scope = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
    let collection = format!("/{root}/{scope}{}", resource.plural);
    let item = format!("{collection}/{{name}}");
    let body = definition_name(schemas, resource);
    let mut write = |path: &str, named: bool, verbs: &[(&str, &str)]| {
        if !out.ends_with('{') && !out.ends_with(',') {
            out.push(',');
        }
        quote(out, path);
        out.push_str(":{");
        for (method, action) in verbs {
            operation(out, resource, &body, path, method, action);
            out.push(',');
        }
        let mut parameters = Vec::new();
        if named {
            parameters.push(path_parameter("name", resource.kind));
        }
        if path.contains("{namespace}") {
            parameters.push(path_parameter("namespace", resource.kind));
        }
        let _ = write!(out, r#""parameters":[{}]}}"#, parameters.join(","));
    };
    write(&collection, false, &[("get", "list"), ("post", "post"), ("delete", "deletecollection")]);
    let verbs = [("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete")];
    write(&item, true, &verbs);
    for subresource in resource.subresources {
        if matches!(*subresource, "status" | "scale") {
            write(&format!("{item}/{subresource}"), true, &verbs[..3]);
        }
    }
    if resource.namespaced {
        write(&format!("/{root}/{}", resource.plural), false, &[("get", "list")]);
    }
}

fn path_parameter(name: &str, kind: &str) -> String {
    format!(
        r#"{{"name":"{name}","in":"path","description":"{name} of the {kind}","required":true,"schema":{{"type":"string","uniqueItems":true}}}}"#
    )
}

fn operation(
    out: &mut String,
    resource: &Resource,
    body: &str,
    path: &str,
    method: &str,
    action: &str,
) {
    let Resource { group, version, kind, plural, .. } = resource;
    let name = operation_id(resource, path, action);
    let reference = |name: &str| format!(r##"{{"$ref":"#/components/schemas/{name}"}}"##);
    let query: &[(&str, &str)] = match method {
        "get" if action == "list" => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        "get" => &[],
        "delete" => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("propagationPolicy", "string"),
        ],
        "patch" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
        ],
        _ => &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")],
    };
    let query: Vec<String> = query
        .iter()
        .map(|(name, kind)| {
            format!(
                r#"{{"name":"{name}","in":"query","schema":{{"type":"{kind}","uniqueItems":true}}}}"#
            )
        })
        .collect();
    let (content, given) = match method {
        "get" => (vec![], String::new()),
        "patch" => (
            vec![
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ],
            reference(SHARED[1]),
        ),
        "delete" => (vec!["*/*"], reference(SHARED[0])),
        _ => (vec!["*/*"], reference(body)),
    };
    let result = match action {
        "list" => reference(&format!("{body}List")),
        "delete" | "deletecollection" => reference(SHARED[2]),
        _ => reference(body),
    };
    let bodies: Vec<String> =
        content.iter().map(|ty| format!(r#""{ty}":{{"schema":{given}}}"#)).collect();
    let request = match &*bodies {
        [] => String::new(),
        bodies => format!(r#""requestBody":{{"content":{{{}}}}},"#, bodies.join(",")),
    };
    let tag = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or_default() };
    let _ = write!(
        out,
        r#""{method}":{{"tags":["{tag}_{version}"],"description":"{action} {plural}","operationId":"{name}","parameters":[{}],{request}"responses":{{"200":{{"description":"OK","content":{{"application/json":{{"schema":{result}}}}}}}}},"x-kubernetes-action":"{action}","x-kubernetes-group-version-kind":{{"group":"{group}","version":"{version}","kind":"{kind}"}}}}"#,
        query.join(","),
    );
}

/// The name of an operation as Kubernetes makes it: `readCoreV1NamespacedPodStatus`.
fn operation_id(resource: &Resource, path: &str, action: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    };
    let verb = match action {
        "get" => "read",
        "post" => "create",
        "put" => "replace",
        "deletecollection" => "deleteCollection",
        other => other,
    };
    let group = match resource.group {
        "" => "core",
        group => group.strip_suffix(".k8s.io").unwrap_or(group),
    };
    let group: String = group.split(['.', '-']).map(capital).collect();
    let version = capital(resource.version);
    let namespaced = path.contains("{namespace}");
    let scope = if namespaced { "Namespaced" } else { "" };
    let all = resource.namespaced && !namespaced && !path.contains("{name}");
    let tail = match path.rsplit_once("{name}") {
        Some((_, rest)) => capital(rest.trim_start_matches('/')),
        None if all => "ForAllNamespaces".into(),
        None => String::new(),
    };
    format!("{verb}{group}{version}{scope}{}{tail}", resource.kind)
}

/// Writes schemas, and remembers which definitions they refer to.
#[derive(Default)]
struct Writer {
    descriptions: Descriptions,
    pending: Vec<Definition>,
    /// What is written belongs to a built-in kind.
    built_in: bool,
}

impl Writer {
    /// Every definition that the resources need, in the order of their names.
    fn components(&mut self, out: &mut String, schemas: &Schemas, served: &[&Resource]) {
        // the kinds that a definition is the root of
        let mut kinds: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
        for (api_version, kind, definition) in schemas.definitions() {
            kinds.entry(definition.name()).or_default().push((api_version, kind));
        }
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        self.pending.extend(SHARED.iter().filter_map(|name| schemas.named(name)));
        for resource in served {
            let api_version = resource.api_version();
            let list = format!("{}List", resource.kind);
            for kind in [resource.kind, &list] {
                if let Some(definition) = schemas.definition(&api_version, kind) {
                    self.pending.push(definition);
                }
            }
            if let Some(ty) = schemas.custom(&api_version, resource.kind) {
                let name = definition_name(schemas, resource);
                let roots = [(api_version.as_str(), resource.kind)];
                let list_roots = [(api_version.as_str(), list.as_str())];
                texts.insert(format!("{name}List"), list_schema(&name, &list_roots));
                let mut text = String::new();
                self.definition(&mut text, ty, None, &roots);
                texts.insert(name, text);
                self.pending.extend(schemas.named(LIST_META));
            }
        }
        self.built_in = true;
        while let Some(definition) = self.pending.pop() {
            let name = definition.name();
            if texts.contains_key(name) {
                continue;
            }
            let mut text = String::new();
            let roots = kinds.get(name).map(Vec::as_slice).unwrap_or_default();
            self.definition(&mut text, definition.get(), Some(name), roots);
            texts.insert(name.to_owned(), text);
        }
        let mut first = true;
        for (name, text) in &texts {
            separate(out, &mut first);
            quote(out, name);
            out.push(':');
            out.push_str(text);
        }
    }

    fn definition(
        &mut self,
        out: &mut String,
        ty: &Type,
        name: Option<&'static str>,
        kinds: &[(&str, &str)],
    ) {
        self.ty(out, ty, name);
        let extra = |out: &mut String| {
            out.pop();
            if !out.ends_with('{') {
                out.push(',');
            }
        };
        let own = name.and_then(|name| self.descriptions.of(name, None));
        if let Some(text) = own {
            extra(out);
            out.push_str(r#""description":"#);
            quote(out, text);
            out.push('}');
        }
        if kinds.is_empty() {
            return;
        }
        extra(out);
        let entries: Vec<String> = kinds
            .iter()
            .map(|(api_version, kind)| {
                let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
                format!(r#"{{"group":"{group}","kind":"{kind}","version":"{version}"}}"#)
            })
            .collect();
        let _ = write!(out, r#""x-kubernetes-group-version-kind":[{}]}}"#, entries.join(","));
    }

    /// Writes a type. `name` is that of its definition, when it is one: its properties then have
    /// descriptions.
    fn ty(&mut self, out: &mut String, ty: &Type, name: Option<&'static str>) {
        out.push('{');
        match &ty.shape {
            Shape::Any => {}
            Shape::String => out.push_str(r#""type":"string""#),
            Shape::Integer => out.push_str(r#""type":"integer""#),
            Shape::Number => out.push_str(r#""type":"number""#),
            Shape::Boolean => out.push_str(r#""type":"boolean""#),
            Shape::Quantity => {
                out.push_str(r#""oneOf":[{"type":"string"},{"type":"number"}]"#);
            }
            Shape::IntOrString => {
                let one_of = r#""oneOf":[{"type":"integer"},{"type":"string"}]"#;
                let _ = write!(out, r#"{one_of},"format":"int-or-string""#);
            }
            Shape::List(items) => {
                out.push_str(r#""type":"array","items":"#);
                self.ty(out, items, None);
            }
            Shape::Object(fields) => self.fields(out, fields, name),
            Shape::Reference(definition) => {
                // siblings of a `$ref` would be ignored
                let name = definition.name();
                let _ = write!(out, r##""allOf":[{{"$ref":"#/components/schemas/{name}"}}]"##);
                self.pending.push(*definition);
            }
        }
        if let Some(rules) = &ty.rules {
            rules_of(out, rules);
        }
        out.push('}');
    }

    fn fields(&mut self, out: &mut String, fields: &Fields, name: Option<&'static str>) {
        out.push_str(r#""type":"object""#);
        if !fields.properties.is_empty() {
            out.push_str(r#","properties":{"#);
            for (at, property) in fields.properties.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quote(out, &property.key);
                out.push(':');
                self.ty(out, &property.ty, None);
                if let Some(text) = name.and_then(|name| self.descriptions.of(name, Some(at))) {
                    out.pop();
                    if !out.ends_with('{') {
                        out.push(',');
                    }
                    out.push_str(r#""description":"#);
                    quote(out, text);
                    out.push('}');
                }
            }
            out.push('}');
        }
        let required = fields.properties.iter().filter(|property| property.required);
        let required: Vec<&str> = required.map(|property| property.key.as_str()).collect();
        if !required.is_empty() {
            let _ = write!(out, r#","required":["{}"]"#, required.join("\",\""));
        }
        if let Some(additional) = &fields.additional {
            out.push_str(r#","additionalProperties":"#);
            self.ty(out, additional, None);
            // a text in a map of a built-in kind is never absent, only empty
            if self.built_in && out.ends_with(r#"{"type":"string"}"#) {
                out.pop();
                out.push_str(r#","default":""}"#);
            }
        }
        if fields.open && name.is_none() {
            out.push_str(r#","x-kubernetes-preserve-unknown-fields":true"#);
        }
    }
}

fn list_schema(item: &str, kinds: &[(&str, &str)]) -> String {
    let (api_version, kind) = kinds[0];
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    format!(
        r##"{{"type":"object","required":["items"],"properties":{{"apiVersion":{{"type":"string"}},"items":{{"type":"array","items":{{"allOf":[{{"$ref":"#/components/schemas/{item}"}}]}}}},"kind":{{"type":"string"}},"metadata":{{"allOf":[{{"$ref":"#/components/schemas/{LIST_META}"}}]}}}},"x-kubernetes-group-version-kind":[{{"group":"{group}","kind":"{kind}","version":"{version}"}}]}}"##
    )
}

/// What is said beside the shape.
fn rules_of(out: &mut String, rules: &Rules) {
    let mut field = |key: &str, value: &str| {
        if !out.ends_with('{') {
            out.push(',');
        }
        let _ = write!(out, r#""{key}":{value}"#);
    };
    let text = |text: &str| serde_json::to_string(text).expect("a text can always be written");
    if let Some(description) = &rules.description {
        field("description", &text(description));
    }
    if let Some(format) = &rules.format {
        field("format", &text(format));
    }
    let mut values: Vec<String> = rules.enumeration.iter().map(json::to_string).collect();
    if values.first().is_some_and(|value| value == "\"\"") {
        // a built-in kind's: the empty text stands for an absent field, and a server sorts the rest
        values.remove(0);
        values.sort();
    }
    if !values.is_empty() {
        field("enum", &format!("[{}]", values.join(",")));
    }
    if let Some(default) = &rules.default {
        field("default", &json::to_string(default));
    }
    if rules.nullable {
        field("nullable", "true");
    }
    match rules.list {
        Some(ListKind::Atomic) => field("x-kubernetes-list-type", r#""atomic""#),
        Some(ListKind::Set) => field("x-kubernetes-list-type", r#""set""#),
        Some(ListKind::Map) => {
            let keys: Vec<String> = rules.keys.iter().map(|key| text(key)).collect();
            field("x-kubernetes-list-map-keys", &format!("[{}]", keys.join(",")));
            field("x-kubernetes-list-type", r#""map""#);
        }
        None => {}
    }
    if rules.atomic_map {
        field("x-kubernetes-map-type", r#""atomic""#);
    }
    if let Some(key) = &rules.merge_key {
        field("x-kubernetes-patch-merge-key", &text(key));
    }
    match (rules.merge, rules.retain_keys) {
        (true, true) => field("x-kubernetes-patch-strategy", r#""merge,retainKeys""#),
        (true, false) => field("x-kubernetes-patch-strategy", r#""merge""#),
        (false, true) => field("x-kubernetes-patch-strategy", r#""retainKeys""#),
        (false, false) => {}
    }
}

/// The embedded descriptions, by definition: its own text, then those of its properties in the
/// order of their keys.
#[derive(Default)]
struct Descriptions {
    texts: Vec<String>,
    definitions: HashMap<String, Vec<usize>>,
}

impl Descriptions {
    /// Reads the descriptions of a version; those of others are not embedded.
    fn load(version: &str) -> Descriptions {
        let bytes = embedded::inflate(DESCRIPTIONS);
        let mut reader = Reader { bytes: &bytes };
        if reader.text() != version {
            return Descriptions::default();
        }
        let texts = reader.texts().into_iter().map(str::to_owned).collect();
        let mut definitions = HashMap::new();
        for _ in 0..reader.count() {
            let name = reader.text().to_owned();
            let mut numbers = vec![reader.count()];
            numbers.extend((0..reader.count()).map(|_| reader.count()).collect::<Vec<_>>());
            definitions.insert(name, numbers);
        }
        Descriptions { texts, definitions }
    }

    fn of(&self, name: &str, property: Option<usize>) -> Option<&str> {
        let number = *self.definitions.get(name)?.get(property.map_or(0, |at| at + 1))?;
        self.texts.get(number).map(String::as_str).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Node;

    const SERVED: &[Resource] = &[
        Resource {
            group: "apps",
            version: "v1",
            kind: "Deployment",
            plural: "deployments",
            namespaced: true,
            subresources: &["status", "scale"],
        },
        Resource {
            group: "",
            version: "v1",
            kind: "Namespace",
            plural: "namespaces",
            namespaced: false,
            subresources: &[],
        },
    ];

    fn parsed(text: &str) -> Node {
        json::parse(text.as_bytes()).expect("a JSON text")
    }

    #[test]
    fn the_index_names_each_group_and_version() {
        let schemas = Schemas::kubernetes("1.36").expect("1.36 is embedded");
        let index = parsed(&index(&schemas, SERVED));
        let paths = index.get("paths").and_then(Node::as_map).expect("it has paths");
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["api/v1", "apis/apps/v1"]);
        let address = index.str_at(&["paths", "api/v1", "serverRelativeURL"]);
        assert!(address.is_some_and(|url| url.starts_with("/openapi/v3/api/v1?hash=")));
    }

    #[test]
    fn documents_hold_what_clients_look_for() {
        let schemas = Schemas::kubernetes("1.36").expect("1.36 is embedded");
        assert_eq!(document(&schemas, SERVED, "batch", "v1"), None);
        let document = document(&schemas, SERVED, "apps", "v1").expect("it is served");
        let document = parsed(&document);
        let item = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
        let patch = document.at(&["paths", item, "patch"]).expect("objects can be patched");
        let names =
            patch.items_at(&["parameters"]).iter().filter_map(|node| node.str_at(&["name"]));
        assert!(names.clone().any(|name| name == "fieldValidation"));
        assert_eq!(patch.str_at(&["x-kubernetes-group-version-kind", "kind"]), Some("Deployment"));
        let schemas = document.at(&["components", "schemas"]).expect("it has schemas");
        let spec = schemas.get("io.k8s.api.core.v1.PodSpec").expect("what a Deployment refers to");
        let containers = spec.at(&["properties", "containers"]).expect("a pod has containers");
        assert_eq!(containers.str_at(&["x-kubernetes-patch-merge-key"]), Some("name"));
        assert!(containers.str_at(&["description"]).is_some_and(|text| text.contains("pod")));
        let map = schemas.as_map().expect("a map");
        for entry in map {
            assert_references(&entry.value, map);
        }
    }

    fn assert_references(node: &Node, known: &crate::yaml::Map) {
        if let Some(reference) = node.str_at(&["$ref"]) {
            let name = reference.trim_start_matches("#/components/schemas/");
            assert!(known.contains_key(name), "{reference} leads nowhere");
        }
        node.as_list().into_iter().flatten().for_each(|item| assert_references(item, known));
        let values = node.as_map().into_iter().flatten();
        values.for_each(|entry| assert_references(&entry.value, known));
    }

    #[test]
    fn custom_kinds_have_documents_too() {
        let mut schemas = Schemas::latest();
        let crd = Node::from(serde_json::json!({"spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "string", "enum": ["a"]}},
            }}}],
        }}));
        schemas.add_crd(&crd).expect("a sound definition");
        let thing = Resource {
            group: "example.com",
            version: "v1",
            kind: "Thing",
            plural: "things",
            namespaced: true,
            subresources: &[],
        };
        let document = document(&schemas, &[thing], "example.com", "v1").expect("it is served");
        let document = parsed(&document);
        let at = ["components", "schemas", "com.example.v1.Thing", "properties", "spec", "enum"];
        assert_eq!(document.items_at(&at).len(), 1);
        let before = index(&schemas, &[thing]);
        let text = serde_json::to_string(&serde_json::Value::from(&crd)).expect("JSON");
        let changed = text.replace("\"a\"", "\"b\"");
        schemas.add_crd(&parsed(&changed)).expect("a sound definition");
        assert_ne!(index(&schemas, &[thing]), before, "the address changes with the schema");
    }
}
