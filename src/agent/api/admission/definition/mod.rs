//! Definitions of custom resources: names, versions, what an update may change. Their schemas are
//! judged in [`schema`].
//!
//! Follows `pkg/apis/apiextensions/validation` of k8s.io/apiextensions-apiserver. Its texts name
//! the fields of the internal version, in which what all versions share stands once, under `spec`.

mod schema;

use super::{Rules, keep, name};
use crate::agent::api::fault::Faults;
use crate::agent::api::json_path::JsonPath;
use crate::object::meta;
use crate::yaml::Node;
use serde_json::json;

/// The finalizer that holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The annotation without which nobody may define kinds in a group of Kubernetes.
const APPROVED: &str = "api-approved.kubernetes.io";

pub(crate) static DEFINITION: Rules = Rules {
    name: |_| Vec::new(),
    default,
    create,
    update,
    validate,
    validate_update,
    validate_status: |_, _, _| {},
};

fn default(object: &mut Node) {
    let kind = object.str_at(&["spec", "names", "kind"]).unwrap_or_default().to_owned();
    if let Some(names) = object.at_mut(&["spec", "names"]).filter(|_| !kind.is_empty()) {
        super::default(names, "singular", kind.to_lowercase());
        super::default(names, "listKind", format!("{kind}List"));
    }
    if let Some(spec) = object.get_mut("spec") {
        super::default(spec, "conversion", Node::from(json!({"strategy": "None"})));
        if spec.get("preserveUnknownFields").and_then(Node::as_bool) == Some(false) {
            spec.remove("preserveUnknownFields");
        }
    }
}

fn create(object: &mut Node) {
    let stored: Vec<Node> = storage(object).map(Node::from).collect();
    let mut status = Node::from(json!({
        "conditions": null,
        "acceptedNames": {"plural": "", "kind": ""},
    }));
    status.set("storedVersions", if stored.is_empty() { Node::NULL } else { stored.into() });
    object.set("status", status);
}

fn update(new: &mut Node, old: &Node) {
    keep(new, old, "status");
    let name = storage(new).next().map(str::to_owned);
    let stored = new.at_mut(&["status", "storedVersions"]).and_then(Node::as_list_mut);
    if let (Some(name), Some(stored)) = (name, stored)
        && !stored.iter().any(|known| known.as_str() == Some(&name))
    {
        stored.push(name.into());
    }
}

/// The names of the versions in which objects are to be stored; one, in a sound definition.
fn storage(object: &Node) -> impl Iterator<Item = &str> {
    let versions = object.items_at(&["spec", "versions"]).iter();
    let stored = versions.filter(|version| is(version, "storage"));
    stored.filter_map(|version| version.str_at(&["name"]))
}

fn is(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool) == Some(true)
}

fn validate(object: &Node, faults: &mut Faults) {
    let group = object.str_at(&["spec", "group"]).unwrap_or_default();
    let plural = object.str_at(&["spec", "names", "plural"]).unwrap_or_default();
    let own = meta::name(object);
    if own != format!("{plural}.{group}") {
        faults.invalid("metadata.name", own, "must be spec.names.plural+\".\"+spec.group");
    }
    if group.is_empty() {
        faults.required("spec.group", "");
    } else {
        for fault in name::subdomain(group) {
            faults.invalid("spec.group", group, fault);
        }
        if !group.contains('.') {
            faults.invalid("spec.group", group, "should be a domain with at least one dot");
        }
    }
    let protected = |suffix: &str| group == suffix || group.ends_with(&format!(".{suffix}"));
    if (protected("k8s.io") || protected("kubernetes.io"))
        && object.str_at(&["metadata", "annotations", APPROVED]).unwrap_or_default().is_empty()
    {
        let rule = format!(
            "protected groups must have approval annotation {APPROVED:?}, see \
             https://github.com/kubernetes/enhancements/pull/1111"
        );
        faults.required(format!("metadata.annotations[{APPROVED}]"), &rule);
    }
    match object.str_at(&["spec", "scope"]).unwrap_or_default() {
        "Cluster" | "Namespaced" => {}
        "" => faults.required("spec.scope", ""),
        other => faults.unsupported("spec.scope", other, &["Cluster", "Namespaced"]),
    }
    if is(object.get("spec").unwrap_or(&Node::NULL), "preserveUnknownFields") {
        let rule = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                    spec.versions[*].schema instead";
        faults.invalid("spec.preserveUnknownFields", true, rule);
    }
    match object.str_at(&["spec", "conversion", "strategy"]).unwrap_or_default() {
        "None" | "Webhook" => {}
        "" => faults.required("spec.conversion.strategy", ""),
        other => faults.unsupported("spec.conversion.strategy", other, &["None", "Webhook"]),
    }
    names(object, faults);
    versions(object, faults);
}

fn names(object: &Node, faults: &mut Faults) {
    let text = |field: &str| object.str_at(&["spec", "names", field]).unwrap_or_default();
    for field in ["plural", "singular"] {
        match text(field) {
            "" if field == "plural" => faults.required("spec.names.plural", ""),
            value => {
                for fault in name::label_1035(value) {
                    faults.invalid(format!("spec.names.{field}"), value, fault);
                }
            }
        }
    }
    for field in ["kind", "listKind"] {
        let value = text(field);
        if value.is_empty() {
            faults.required(format!("spec.names.{field}"), "");
        }
        for fault in name::label_1035(&value.to_lowercase()) {
            if !value.is_empty() {
                let rule = format!("may have mixed case, but should otherwise match: {fault}");
                faults.invalid(format!("spec.names.{field}"), value, rule);
            }
        }
    }
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        let rule = "kind and listKind may not be the same";
        faults.invalid("spec.names.listKind", text("listKind"), rule);
    }
    for field in ["shortNames", "categories"] {
        for (index, value) in object.items_at(&["spec", "names", field]).iter().enumerate() {
            let value = value.as_str().unwrap_or_default();
            for fault in name::label_1035(value) {
                faults.invalid(format!("spec.names.{field}[{index}]"), value, fault);
            }
        }
    }
}

fn versions(object: &Node, faults: &mut Faults) {
    let versions = object.items_at(&["spec", "versions"]);
    let mut seen: Vec<&str> = Vec::new();
    let mut unique = true;
    for (index, version) in versions.iter().enumerate() {
        let own = version.str_at(&["name"]).unwrap_or_default();
        unique &= !seen.contains(&own);
        seen.push(own);
        for fault in name::label_1035(own) {
            faults.invalid(format!("spec.versions[{index}].name"), own, fault.clone());
            // the first version also stands as the one of the definition
            if index == 0 {
                faults.invalid("spec.version", own, fault);
            }
        }
        if version.at(&["schema", "openAPIV3Schema"]).is_none() {
            faults.required(format!("spec.versions[{index}].schema.openAPIV3Schema"), "");
        }
        let warned = !version.str_at(&["deprecationWarning"]).unwrap_or_default().is_empty();
        if warned && !is(version, "deprecated") {
            let field = format!("spec.versions[{index}].deprecationWarning");
            let value = version.get("deprecationWarning").cloned().unwrap_or_default();
            faults.invalid(field, value, "can only be set for deprecated versions");
        }
    }
    let all = object.at(&["spec", "versions"]).cloned().unwrap_or_default();
    if !unique {
        faults.invalid("spec.versions", all.clone(), "must contain unique version names");
    }
    if storage(object).count() != 1 {
        let rule = "must have exactly one version marked as storage version";
        faults.invalid("spec.versions", all, rule);
    }
    let stored = object.items_at(&["status", "storedVersions"]);
    if stored.is_empty() {
        let rule = "must have at least one stored version";
        faults.invalid("status.storedVersions", Node::list(), rule);
    }
    for (index, version) in stored.iter().enumerate() {
        if !seen.contains(&version.as_str().unwrap_or_default()) {
            let field = format!("status.storedVersions[{index}]");
            faults.invalid(field, version.clone(), "must appear in spec.versions");
        }
    }
    shared(object, "schema", "validation", faults, |version, path, faults| {
        if let Some(schema) = version.at(&["schema", "openAPIV3Schema"]) {
            schema::validate(schema, &format!("{path}.openAPIV3Schema"), faults);
        }
    });
    shared(object, "subresources", "subresources", faults, subresources);
    shared(object, "additionalPrinterColumns", "additionalPrinterColumns", faults, columns);
    shared(object, "selectableFields", "selectableFields", faults, |version, path, faults| {
        for (index, field) in version.items_at(&["selectableFields"]).iter().enumerate() {
            json_path(field, &format!("{path}[{index}].jsonPath"), faults);
        }
    });
}

/// Judges a part of each version; what all have in common is judged once, under another name.
fn shared(
    object: &Node,
    part: &str,
    name: &str,
    faults: &mut Faults,
    judge: impl Fn(&Node, &str, &mut Faults),
) {
    let versions = object.items_at(&["spec", "versions"]);
    let Some(first) = versions.first() else { return };
    if versions.iter().all(|version| version.get(part) == first.get(part)) {
        return judge(first, &format!("spec.{name}"), faults);
    }
    for (index, version) in versions.iter().enumerate() {
        judge(version, &format!("spec.versions[{index}].{part}"), faults);
    }
}

fn subresources(version: &Node, path: &str, faults: &mut Faults) {
    let Some(scale) = version.at(&["subresources", "scale"]) else { return };
    let parts = [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec"),
        ("statusReplicasPath", &[".status."], "should be a json path under .status"),
        (
            "labelSelectorPath",
            &[".spec.", ".status."],
            "should be a json path under either .spec or .status",
        ),
    ];
    for (field, under, rule) in parts {
        let value = scale.str_at(&[field]).unwrap_or_default();
        let path = format!("{path}.scale.{field}");
        if value.is_empty() {
            if field != "labelSelectorPath" {
                faults.required(path, "");
            }
        } else if !under.iter().any(|root| value.starts_with(root)) {
            faults.invalid(path, value, rule);
        }
    }
}

fn columns(version: &Node, path: &str, faults: &mut Faults) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    for (index, column) in version.items_at(&["additionalPrinterColumns"]).iter().enumerate() {
        let text = |field: &str| column.str_at(&[field]).unwrap_or_default();
        if text("name").is_empty() {
            faults.required(format!("{path}[{index}].name"), "");
        }
        match text("type") {
            "" => {
                let rule = "must be one of boolean,date,integer,number,string";
                faults.required(format!("{path}[{index}].type"), rule);
            }
            known if TYPES.contains(&known) => {}
            other => {
                let rule = "must be one of boolean,date,integer,number,string";
                faults.invalid(format!("{path}[{index}].type"), other, rule);
            }
        }
        json_path(column, &format!("{path}[{index}].jsonPath"), faults);
    }
}

fn json_path(node: &Node, path: &str, faults: &mut Faults) {
    let text = node.str_at(&["jsonPath"]).unwrap_or_default();
    if text.is_empty() {
        faults.required(path, "");
    } else if !text.starts_with(['.', '[', '{', '$']) {
        faults.invalid(path, text, "must be a simple json path starting with .");
    } else if let Err(why) = JsonPath::parse(text) {
        faults.invalid(path, text, why);
    }
}

fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    let established = crate::agent::api::definition::condition(old, "Established");
    let mut immutable = |path: &[&str]| {
        if new.at(path) != old.at(path) {
            let value = new.at(path).cloned().unwrap_or_default();
            faults.invalid(path.join("."), value, "field is immutable");
        }
    };
    immutable(&["spec", "group"]);
    if established {
        immutable(&["spec", "scope"]);
        immutable(&["spec", "names", "kind"]);
    }
}
