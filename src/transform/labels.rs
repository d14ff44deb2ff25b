//! Labels and annotations on all resources, and where wanted on templates and selectors.

use super::field_spec::{FieldError, FieldSpec, Make, SpecIndex};
use super::set::ResourceSet;
use super::{Context, Transformer, failed};
use crate::yaml::{Entry, Map, Node, Value};

/// Key-value pairs to set, and where.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The pairs; all values are strings.
    pub pairs: Map,
    /// The maps that they go into.
    pub specs: Vec<FieldSpec>,
}

impl Transformer for Labels {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        if self.pairs.is_empty() {
            return;
        }
        let index = SpecIndex::new(&self.specs);
        for resource in set.contents_mut() {
            let gvk = resource.gvk();
            let put = &mut |node: &mut Node| self.put(node);
            if let Err(error) = index.visit(&gvk, &mut resource.root, Make::Map, put) {
                context.sink.push(failed(&error, resource, self.pairs.iter().next()));
            }
        }
    }
}

impl Labels {
    fn put(&self, node: &mut Node) -> Result<(), FieldError> {
        match &mut node.value {
            Value::Map(map) => {
                for pair in &self.pairs {
                    map.insert_entry(Entry { ..pair.clone() });
                }
                Ok(())
            }
            Value::Null => Ok(()),
            value => {
                let kind =
                    if matches!(value, Value::List(_)) { "SequenceNode" } else { "ScalarNode" };
                let message = format!("wrong node kind: expected MappingNode but got {kind}");
                Err(FieldError(message))
            }
        }
    }
}
