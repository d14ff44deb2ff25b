//! Fields of custom resources, from the `OpenAPI` definitions that `crds:` names.
//!
//! A definition is a map from type names to schemas (`{name: {Schema: {properties: …}}}`), not a
//! `CustomResourceDefinition`. Extensions on its properties say what a field is:
//!
//! | extension | the field |
//! |---|---|
//! | `x-kubernetes-annotation` | is a map of annotations |
//! | `x-kubernetes-label-selector` | selects by labels |
//! | `x-kubernetes-identity` | holds the object's name |
//! | `x-kubernetes-object-ref-api-version`, `-kind`, `-name-key` | names another object |

use super::config::{Config, NameReference};
use super::field_spec::FieldSpec;
use crate::base::diag::Diagnostic;
use crate::object::Gvk;
use crate::yaml::{Map, Node};

/// Types may name each other; deeper than this they name themselves.
const MAX_DEPTH: usize = 32;

/// The fields that the definitions of a file tell of.
///
/// # Errors
/// When the file is no map of definitions.
pub fn config(root: &Node, file: &str) -> Result<Config, Diagnostic> {
    let fault = |node: &Node, message: &str| {
        let cause = format!("unable to parse open API definition from '{file}': {message}");
        Diagnostic::error("wharf::transform::invalid_definitions", cause)
            .at(node.span, "here")
            .help(
                "`crds` takes maps of OpenAPI definitions; \
                 a CustomResourceDefinition belongs under `resources`",
            )
    };
    let empty = Map::new();
    let types = match (root.as_map(), root.is_null()) {
        (Some(types), _) => types,
        (None, true) => &empty,
        (None, false) => {
            return Err(fault(root, &format!("a map is needed, not a {}", root.kind())));
        }
    };
    let mut config = Config::default();
    for entry in types {
        if entry.value.as_map().is_none() && !entry.value.is_null() {
            let kind = entry.value.kind();
            return Err(fault(&entry.value, &format!("cannot unmarshal {kind} into a definition")));
        }
        let Some(properties) = properties(&entry.value) else { continue };
        if !["kind", "apiVersion", "metadata"].iter().all(|key| properties.get(key).is_some()) {
            continue;
        }
        let kind = entry.key.rsplit('.').next().unwrap_or_default();
        let gvk = Gvk { kind: kind.into(), ..Gvk::default() };
        let mut path = Vec::new();
        walk(&mut Walk { types, gvk, config: &mut config }, properties, &mut path);
    }
    Ok(config)
}

struct Walk<'a> {
    types: &'a Map,
    gvk: Gvk,
    config: &'a mut Config,
}

fn properties(definition: &Node) -> Option<&Map> {
    let schema = definition.get("Schema").or_else(|| definition.get("schema"))?;
    schema.get("properties")?.as_map()
}

fn walk<'a>(walk_in: &mut Walk<'a>, properties: &'a Map, path: &mut Vec<&'a str>) {
    for property in properties {
        path.push(property.key.as_str());
        let extension = |name: &str| property.value.get(name).and_then(Node::as_str);
        let field = |more: &[&str], gvk: &Gvk| {
            let keys: Vec<&str> = path.iter().chain(more).copied().collect();
            FieldSpec::row("", &gvk.kind, &keys.join("/"), false)
        };
        let Walk { types, gvk, config } = walk_in;
        for (name, list) in [
            ("x-kubernetes-annotation", &mut config.common_annotations),
            ("x-kubernetes-label-selector", &mut config.common_labels),
            ("x-kubernetes-identity", &mut config.name_prefix),
        ] {
            if extension(name).is_some() {
                let spec = field(&[], gvk);
                if !list.contains(&spec) {
                    list.push(spec);
                }
            }
        }
        let version = extension("x-kubernetes-object-ref-api-version");
        if let (Some(version), Some(kind)) = (version, extension("x-kubernetes-object-ref-kind")) {
            let key = extension("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let referrers = vec![field(&[key], gvk)];
            let named = NameReference {
                version: version.into(),
                kind: kind.into(),
                referrers,
                ..NameReference::default()
            };
            // none of these is made, so that none conflicts with another
            let _ = config.merge(&Config { name_references: vec![named], ..Config::default() });
        }
        let next = extension("$ref").and_then(|name| types.get(name));
        if let Some(next) = next.and_then(self::properties).filter(|_| path.len() < MAX_DEPTH) {
            walk(walk_in, next, path);
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn extensions_say_what_fields_are() {
        let definitions = json!({
            "example.com/v1.Bee": {"Schema": {"properties": {
                "kind": {"type": "string"}, "apiVersion": {"type": "string"}, "metadata": {},
                "spec": {"$ref": "example.com/v1.BeeSpec"},
            }}},
            "example.com/v1.BeeSpec": {"Schema": {"properties": {
                "action": {"type": "string"},
                "notes": {"x-kubernetes-annotation": ""},
                "finds": {"x-kubernetes-label-selector": ""},
                "called": {"x-kubernetes-identity": ""},
                "hive": {
                    "x-kubernetes-object-ref-api-version": "v1beta1",
                    "x-kubernetes-object-ref-kind": "Hive",
                },
                "again": {"$ref": "example.com/v1.BeeSpec"},
            }}},
        });
        let config = config(&Node::from(definitions), "bee.json").unwrap();
        let spec = |path| FieldSpec::row("", "Bee", path, false);
        assert_eq!(config.common_annotations[0], spec("spec/notes"));
        assert_eq!(config.common_labels[0], spec("spec/finds"));
        assert_eq!(config.name_prefix[0], spec("spec/called"));
        assert_eq!(config.name_references[0].kind, "Hive");
        assert_eq!(config.name_references[0].referrers[0], spec("spec/hive/name"));
    }

    #[test]
    fn custom_resource_definitions_are_no_definitions() {
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "spec": {}});
        let fault = config(&Node::from(crd), "crd.yaml").unwrap_err();
        assert_eq!(fault.code, "wharf::transform::invalid_definitions");
        assert!(fault.message.contains("unable to parse open API definition from 'crd.yaml'"));
    }
}
