//! `ValueAddTransformer`: one text, put into fields of several resources.
//!
//! A field may hold a path, of which the text becomes a part: at position 1 before the first part,
//! beyond the last behind it. A leading slash stays where it is.

use super::field_spec::{FieldError, keys};
use super::read::Reader;
use super::set::{ResourceSet, Select};
use super::{Context, Transformer, failed};
use crate::base::source::Span;
use crate::yaml::{Form, Node, Str, Value, json, plain_scalar};

/// A text and where it goes.
#[derive(Clone, Debug)]
pub struct ValueAdd {
    /// The text.
    pub value: String,
    /// Where it goes.
    pub targets: Vec<Target>,
}

/// A field of some resources.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resources; nothing for all.
    pub select: Option<Select>,
    /// The keys of the field.
    pub keys: Vec<Str>,
    /// Which part of a path the text becomes; 0 for the whole field.
    pub position: usize,
    /// Where it was asked for.
    pub span: Span,
}

impl Target {
    /// Reads one.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Target> {
        let fields = ["selector", "fieldPath", "filePathPosition"];
        let map = reader.map(node, "a target", &fields)?;
        let path = reader.string_at(&map, "fieldPath").unwrap_or_default();
        if path.is_empty() {
            reader.fault(node.span, "fieldPath cannot be empty");
            return None;
        }
        let position = reader.integer_at(&map, "filePathPosition").unwrap_or_default();
        let Ok(position) = usize::try_from(position) else {
            let message = format!("value of FilePathPosition ({position}) cannot be negative");
            reader.fault(node.span, &message);
            return None;
        };
        let select = match map.get("selector").filter(|node| !node.is_null()) {
            Some(selector) => match Select::read(selector) {
                Ok(select) => Some(select),
                Err(error) => {
                    reader.fault(selector.span, &error.to_string());
                    return None;
                }
            },
            None => None,
        };
        Some(Target { select, keys: keys(&path), position, span: node.span })
    }
}

impl Transformer for ValueAdd {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let scopes = set.scopes().clone();
        for target in &self.targets {
            let chosen = match &target.select {
                Some(select) => set.select(select),
                None => (0..set.len()).collect(),
            };
            let is_namespace = target.keys == ["metadata", "namespace"];
            for at in chosen {
                if is_namespace && scopes.is_cluster_wide(&set.get(at).gvk()) {
                    continue;
                }
                let result = set.edit(at, |resource| {
                    let node = reach(&mut resource.root, &target.keys)?;
                    self.put(node, if is_namespace { 0 } else { target.position })
                });
                if let Err(error) = result {
                    let fault = failed(&error, set.get(at), None);
                    context.sink.push(fault.at(target.span, "asked for here"));
                }
            }
        }
    }
}

impl ValueAdd {
    fn put(&self, node: &mut Node, position: usize) -> Result<(), FieldError> {
        let old = match &node.value {
            Value::String(text) => text.to_string(),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) => json::to_string(node),
            value => return Err(FieldError::wrong("ScalarNode", value)),
        };
        let new = match position {
            0 => self.value.clone(),
            position => inserted(&old, position - 1, &self.value),
        };
        node.value = match node.form {
            Form::Quoted | Form::Folded => new.into(),
            _ => plain_scalar(&new),
        };
        Ok(())
    }
}

/// The node that keys lead to through maps, made where it is absent.
fn reach<'n>(root: &'n mut Node, keys: &[Str]) -> Result<&'n mut Node, FieldError> {
    keys.iter().filter(|key| !key.is_empty()).try_fold(root, |node, key| {
        if node.is_null() {
            *node = Node::map();
        }
        match &mut node.value {
            Value::Map(map) => Ok(map.get_or_insert(key, || Node::NULL)),
            value => Err(FieldError::wrong("MappingNode", value)),
        }
    })
}

/// A path with one part more.
fn inserted(path: &str, at: usize, part: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(at.min(parts.len()), part);
    let joined = parts.join("/");
    if is_absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::testing::check;
    use serde_json::json;

    #[test]
    fn a_part_is_put_into_a_path() {
        for (path, at, expected) in [
            ("", 0, "X"),
            ("/", 5, "/X"),
            ("pie", 0, "X/pie"),
            ("/pie", 0, "/X/pie"),
            ("raw", 1, "raw/X"),
            ("/raw", 9, "/raw/X"),
            ("a/nice/warm/pie", 3, "a/nice/warm/X/pie"),
        ] {
            assert_eq!(inserted(path, at, "X"), expected, "{path} {at}");
        }
    }

    #[test]
    fn fields_get_the_value() {
        let target =
            |path, position| Target { select: None, keys: keys(path), position, span: Span::NONE };
        let targets = vec![target("spec/path", 2), target("metadata/namespace", 0)];
        let add = ValueAdd { value: "x".into(), targets };
        let object = |spec, namespace: Option<&str>| {
            let mut metadata = json!({"name": "a"});
            if let Some(name) = namespace {
                metadata["namespace"] = name.into();
            }
            json!({"apiVersion": "v1", "kind": "Any", "metadata": metadata, "spec": spec})
        };
        check(
            &add,
            &[object(json!({"path": "/a/b"}), None)],
            &[object(json!({"path": "/a/x/b"}), Some("x"))],
        );
    }
}
