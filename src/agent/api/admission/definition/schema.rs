//! Whether the schema of a custom resource is structural, with an API server's texts.
//!
//! Follows `pkg/apiserver/schema/validation.go` and `pkg/apis/apiextensions/validation` of
//! k8s.io/apiextensions-apiserver.

use crate::agent::api::fault::Faults;
use crate::schema::rule_fault;
use crate::yaml::{Map, Node};

/// Schemas nested deeper than this are refused.
const DEPTH: usize = 100;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What a combined schema may not say: it only adds conditions.
const STRUCTURE: [&str; 12] = [
    "type",
    "default",
    "title",
    "description",
    "nullable",
    "additionalProperties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
];

/// Judges the schema of a version.
pub(super) fn validate(schema: &Node, path: &str, faults: &mut Faults) {
    match schema.str_at(&["type"]).unwrap_or_default() {
        "object" => {}
        "" => faults.required(format!("{path}.type"), "must not be empty at the root"),
        known if TYPES.contains(&known) => {
            faults.invalid(format!("{path}.type"), known, "must be object at the root");
        }
        _ => {}
    }
    if let Some(metadata) = schema.at(&["properties", "metadata"]) {
        let properties = metadata.get("properties").and_then(Node::as_map);
        let only_names = properties
            .into_iter()
            .flat_map(Map::keys)
            .all(|key| matches!(key, "name" | "generateName"));
        if !only_names {
            let rule = "must not specify anything other than name and generateName, but metadata \
                        is implicitly specified";
            faults.forbidden(format!("{path}.properties[metadata]"), rule);
        }
    }
    level(schema, path, "", 0, faults);
}

fn flag(schema: &Node, key: &str) -> bool {
    schema.get(key).and_then(Node::as_bool) == Some(true)
}

/// Judges one level; `place` says what a missing type is missing for.
fn level(schema: &Node, path: &str, place: &str, depth: usize, faults: &mut Faults) {
    if depth > DEPTH {
        faults.forbidden(path, "is nested too deep");
        return;
    }
    let ty = schema.str_at(&["type"]).unwrap_or_default();
    let free = flag(schema, "x-kubernetes-preserve-unknown-fields")
        || flag(schema, "x-kubernetes-int-or-string");
    if ty.is_empty() {
        if !free && !place.is_empty() {
            let rule = format!("must not be empty for specified {place}");
            faults.required(format!("{path}.type"), &rule);
        }
    } else if !TYPES.contains(&ty) {
        faults.unsupported(format!("{path}.type"), ty, &TYPES);
    } else if flag(schema, "x-kubernetes-int-or-string") {
        let rule = "must be empty if x-kubernetes-int-or-string is true";
        faults.invalid(format!("{path}.type"), ty, rule);
    }
    if ty == "array" && schema.get("items").is_none() {
        faults.required(format!("{path}.items"), "must be specified");
    }
    values(schema, path, faults);
    lists(schema, ty, path, faults);
    children(schema, path, depth, faults);
    for (index, rule) in schema.items_at(&["x-kubernetes-validations"]).iter().enumerate() {
        let path = format!("{path}.x-kubernetes-validations[{index}]");
        let text = rule.str_at(&["rule"]).unwrap_or_default();
        if text.trim().is_empty() {
            faults.required(format!("{path}.rule"), "rule is not specified");
        } else if let Some((field, why)) = rule_fault(rule, schema, depth == 0) {
            let shown = rule.str_at(&[field]).unwrap_or_default();
            faults.invalid(format!("{path}.{field}"), shown, why);
        }
    }
    combined(schema, schema, path, depth, faults);
}

/// Rules for single keywords.
fn values(schema: &Node, path: &str, faults: &mut Faults) {
    if flag(schema, "uniqueItems") {
        let rule = "uniqueItems cannot be set to true since the runtime complexity becomes \
                    quadratic";
        faults.forbidden(format!("{path}.uniqueItems"), rule);
    }
    if schema.get("$ref").is_some() {
        faults.forbidden(format!("{path}.$ref"), "$ref is not supported");
    }
    if let Some(pattern) = schema.str_at(&["pattern"])
        && let Err(error) = regex::Regex::new(pattern)
    {
        let why = error.to_string().lines().last().unwrap_or_default().to_owned();
        let rule = format!("must be a valid regular expression, but isn't: {why}");
        faults.invalid(format!("{path}.pattern"), pattern, rule);
    }
    match schema.get("additionalProperties") {
        Some(node) if node.as_bool() == Some(false) => {
            let rule = "additionalProperties cannot be set to false";
            faults.forbidden(format!("{path}.additionalProperties"), rule);
        }
        Some(_) if schema.get("properties").is_some() => {
            let rule = "additionalProperties and properties are mutual exclusive";
            faults.forbidden(format!("{path}.additionalProperties"), rule);
        }
        _ => {}
    }
}

fn lists(schema: &Node, ty: &str, path: &str, faults: &mut Faults) {
    let keys = schema.items_at(&["x-kubernetes-list-map-keys"]);
    let list_type = schema.str_at(&["x-kubernetes-list-type"]).unwrap_or_default();
    match list_type {
        "" => {}
        "atomic" | "map" | "set" => {
            if ty != "array" {
                let shown = format!("{path}.type");
                faults.invalid(shown, ty, "must be array if x-kubernetes-list-type is specified");
            }
        }
        other => {
            let field = format!("{path}.x-kubernetes-list-type");
            faults.unsupported(field, other, &["atomic", "map", "set"]);
        }
    }
    if list_type == "map" && keys.is_empty() {
        let rule = "must not be empty if x-kubernetes-list-type is map";
        faults.required(format!("{path}.x-kubernetes-list-map-keys"), rule);
    }
    if list_type != "map" && !keys.is_empty() {
        let rule = "must be empty if x-kubernetes-list-type is not map";
        let field = format!("{path}.x-kubernetes-list-map-keys");
        faults.invalid(field, Node::from(keys.to_vec()), rule);
    }
    for (index, key) in keys.iter().filter_map(Node::as_str).enumerate() {
        let Some(property) = schema.at(&["items", "properties", key]) else {
            let field = format!("{path}.x-kubernetes-list-map-keys[{index}]");
            faults.invalid(field, key, "entries must all be names of item properties");
            continue;
        };
        let required = schema.items_at(&["items", "required"]);
        let required = required.iter().any(|name| name.as_str() == Some(key));
        if !required && property.get("default").is_none() {
            let rule = "this property is in x-kubernetes-list-map-keys, so it must have a default \
                        or be a required property";
            faults.required(format!("{path}.items.properties[{key}].default"), rule);
        }
    }
    match schema.str_at(&["x-kubernetes-map-type"]).unwrap_or_default() {
        "" | "atomic" | "granular" => {}
        other => {
            let field = format!("{path}.x-kubernetes-map-type");
            faults.unsupported(field, other, &["atomic", "granular"]);
        }
    }
}

fn children(schema: &Node, path: &str, depth: usize, faults: &mut Faults) {
    for entry in schema.get("properties").and_then(Node::as_map).into_iter().flatten() {
        // of the root's own fields only what all objects have may be said
        let own = depth == 0 && matches!(entry.key.as_str(), "metadata" | "kind" | "apiVersion");
        let place = if own { "" } else { "object fields" };
        let path = format!("{path}.properties[{}]", entry.key);
        level(&entry.value, &path, place, depth + 1, faults);
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|node| node.as_map().is_some()) {
        let path = format!("{path}.additionalProperties");
        level(inner, &path, "object fields", depth + 1, faults);
    }
    if let Some(items) = schema.get("items") {
        level(items, &format!("{path}.items"), "array items", depth + 1, faults);
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not` only add conditions to what the schema says by itself.
fn combined(schema: &Node, whole: &Node, path: &str, depth: usize, faults: &mut Faults) {
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|key| {
        let items = schema.items_at(&[key]).iter().enumerate();
        items.map(move |(index, item)| (format!("{key}[{index}]"), item))
    });
    for (name, part) in parts.chain(schema.get("not").map(|part| ("not".to_owned(), part))) {
        condition(part, whole, &format!("{path}.{name}"), depth + 1, faults);
    }
}

fn condition(part: &Node, whole: &Node, path: &str, depth: usize, faults: &mut Faults) {
    if depth > DEPTH {
        faults.forbidden(path, "is nested too deep");
        return;
    }
    let free = flag(whole, "x-kubernetes-int-or-string");
    for key in STRUCTURE.into_iter().filter(|key| part.get(key).is_some()) {
        // `anyOf: [{type: integer}, {type: string}]` repeats what an int-or-string is
        if !(key == "type" && free) {
            faults.forbidden(format!("{path}.{key}"), "must be empty to be structural");
        }
    }
    for entry in part.get("properties").and_then(Node::as_map).into_iter().flatten() {
        let at = format!("{path}.properties[{}]", entry.key);
        let known = whole.at(&["properties", &entry.key]);
        let known = known
            .or_else(|| whole.get("additionalProperties").filter(|node| node.as_map().is_some()));
        match known {
            Some(known) => condition(&entry.value, known, &at, depth + 1, faults),
            None if flag(whole, "x-kubernetes-preserve-unknown-fields") => {}
            None => {
                let base = path.split(".allOf[").next().unwrap_or(path);
                let base = base.split(".anyOf[").next().unwrap_or(base);
                let base = base.split(".oneOf[").next().unwrap_or(base);
                let field = format!("{base}.properties[{}]", entry.key);
                faults.required(field, &format!("because it is defined in {at}"));
            }
        }
    }
    if let (Some(items), Some(known)) = (part.get("items"), whole.get("items")) {
        condition(items, known, &format!("{path}.items"), depth + 1, faults);
    }
    combined(part, whole, path, depth, faults);
}
