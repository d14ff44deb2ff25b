//! The hash of content that generated ConfigMaps and Secrets carry in their names.

use super::set::{Resource, ResourceSet};
use super::{Context, Transformer};
use crate::base::digest::Digest;
use crate::yaml::{Map, Node, json};

/// Puts the hash of its content at the end of the name of every resource that asks for it.
#[derive(Clone, Copy, Debug)]
pub struct HashSuffix;

impl Transformer for HashSuffix {
    fn transform(&self, set: &mut ResourceSet, _context: &mut Context<'_>) {
        let scopes = set.scopes().clone();
        for at in 0..set.len() {
            if !set.get(at).needs_hash {
                continue;
            }
            set.edit(at, |resource| {
                let name = format!("{}-{}", resource.name(), hash(resource));
                resource.remember(&scopes);
                let span = resource
                    .root
                    .at(&["metadata", "name"])
                    .map_or(resource.root.span, |it| it.span);
                resource.root.set_at(&["metadata", "name"], Node::new(name, span));
            });
        }
    }
}

/// Ten characters out of what a resource holds.
#[must_use]
pub fn hash(resource: &Resource) -> String {
    let mut content = Map::new();
    let root = &resource.root;
    let mut put = |key: &str, value: Option<&Node>| {
        content.insert(key, value.cloned().unwrap_or_else(|| "".into()));
    };
    // the name would be there if kustomize found it
    match resource.kind() {
        kind @ "ConfigMap" => {
            put("data", root.get("data"));
            put("kind", Some(&kind.into()));
            put("name", None);
        }
        kind @ "Secret" => {
            put("data", root.get("data"));
            put("kind", Some(&kind.into()));
            put("name", None);
            put("type", root.get("type"));
        }
        _ => return encode(&json::go_string(root)),
    }
    let more = if resource.kind() == "Secret" { "stringData" } else { "binaryData" };
    if let Some(value) = root.get(more).filter(|value| value.as_map().is_some()) {
        content.insert(more, value.clone());
    }
    encode(&json::go_string(&Node::from(content)))
}

/// The first digits of a digest, without those that could make words.
fn encode(text: &str) -> String {
    let hex = Digest::of(text.as_bytes()).hex();
    let letter = |digit| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().take(10).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn hashes_are_kustomize_s() {
        let hash = |root| hash(&Resource::new(Node::from(root), Arc::default()));
        let empty = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        assert_eq!(hash(empty), "6ct58987ht");
        let one = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"one": ""}});
        assert_eq!(hash(one), "9g67k2htb6");
        let secret = json!({"kind": "Secret", "type": "my-type", "data": {"one": ""}});
        assert_eq!(hash(secret), "74bd68bm66");
    }
}
