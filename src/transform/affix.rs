//! Prefixes and suffixes of names.
//!
//! Definitions of custom resources, API services and Namespaces keep their names. What a resource
//! was called before is remembered, so that references to it can follow.

use super::field_spec::{FieldError, FieldSpec, Make, keys, walk};
use super::set::{Id, ResourceSet};
use super::{Context, Transformer, failed};
use crate::yaml::{Node, Str, Value, json};

/// A text to put before or after names.
#[derive(Clone, Debug)]
pub struct Affix {
    /// The text.
    pub text: Node,
    /// After the names, not before.
    pub is_suffix: bool,
    /// The fields that hold names.
    pub specs: Vec<FieldSpec>,
}

impl Transformer for Affix {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let text = self.text.as_str().unwrap_or_default();
        let scopes = set.scopes().clone();
        let specs: Vec<(&FieldSpec, Vec<Str>)> =
            self.specs.iter().map(|spec| (spec, keys(&spec.path))).collect();
        for resource in set.iter_mut() {
            let id = resource.original_id(&scopes);
            if keeps_name(&id) {
                continue;
            }
            for (spec, keys) in specs.iter().filter(|(spec, _)| spec.fits(&id.gvk)) {
                if spec.path == "metadata/name" && !text.is_empty() {
                    let affixes = if self.is_suffix {
                        &mut resource.suffixes
                    } else {
                        &mut resource.prefixes
                    };
                    affixes.push(text.into());
                    resource.remember(&scopes);
                }
                if !spec.fits(&resource.gvk()) {
                    continue;
                }
                let make = if spec.create { Make::Scalar } else { Make::Nothing };
                let change = &mut |node: &mut Node| self.put(node, text);
                if let Err(error) = walk(&mut resource.root, keys, make, change) {
                    context
                        .sink
                        .push(failed(&error, resource, None).at(self.text.span, "asked for here"));
                }
            }
        }
    }
}

impl Affix {
    fn put(&self, node: &mut Node, text: &str) -> Result<(), FieldError> {
        let name = match &node.value {
            Value::String(name) => name.clone(),
            Value::Null => Str::default(),
            Value::List(_) | Value::Map(_) => {
                let kind = if node.as_map().is_some() { "MappingNode" } else { "SequenceNode" };
                return Err(FieldError(format!(
                    "wrong node kind: expected ScalarNode but got {kind}"
                )));
            }
            _ => json::to_string(node).into(),
        };
        let changed =
            if self.is_suffix { format!("{name}{text}") } else { format!("{text}{name}") };
        *node = Node::new(changed, node.span);
        Ok(())
    }
}

fn keeps_name(id: &Id) -> bool {
    match id.gvk.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => id.gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}
