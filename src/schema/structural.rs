//! What an API server does to a custom object before it judges it: fields that the schema does not
//! have are dropped, nulls that mean nothing go, and defaults are filled in.
//!
//! Follows `pkg/apiserver/schema/{pruning,defaulting}` of k8s.io/apiextensions-apiserver. Numbers
//! become what they are after one trip through Go's JSON: `2.0` is `2`.

use super::model::{Fields, Shape, Type};
use crate::yaml::{FieldPath, Node, Number, Value};

/// Drops the fields that the schema does not have. Their paths come back, sorted.
pub fn prune(object: &mut Node, ty: &Type) -> Vec<String> {
    let mut pruner = Pruner { path: FieldPath::root(), dropped: Vec::new() };
    pruner.value(object, ty);
    pruner.dropped.sort_unstable();
    pruner.dropped
}

struct Pruner {
    path: FieldPath,
    dropped: Vec<String>,
}

impl Pruner {
    fn value(&mut self, node: &mut Node, ty: &Type) {
        match (&mut node.value, &ty.target().shape) {
            (Value::Map(_), Shape::Object(fields)) => self.object(node, fields),
            (Value::List(list), Shape::List(items)) => {
                for (index, item) in list.iter_mut().enumerate() {
                    self.path.push_index(index);
                    self.value(item, items);
                    self.path.pop();
                }
            }
            _ => settle(node),
        }
    }

    fn object(&mut self, node: &mut Node, fields: &Fields) {
        let Some(map) = node.as_map_mut() else { return };
        let mut unknown = Vec::new();
        for (key, value) in map.iter_mut() {
            let known = fields.property(key).map(|property| &property.ty);
            self.path.push_key(key);
            match known.or(fields.additional.as_ref()) {
                Some(ty) => self.value(value, ty),
                None if fields.open => settle(value),
                None => {
                    self.dropped.push(self.path.to_string());
                    unknown.push(key.to_owned());
                }
            }
            self.path.pop();
        }
        for key in unknown {
            map.remove(&key);
        }
    }
}

/// Writes whole numbers without a fraction, at any depth.
fn settle(node: &mut Node) {
    match &mut node.value {
        Value::Number(number @ Number::Float(_)) => {
            if let Some(whole) = number.as_i64() {
                *number = Number::Int(whole);
            }
        }
        Value::List(items) => items.iter_mut().for_each(settle),
        Value::Map(map) => map.values_mut().for_each(settle),
        _ => {}
    }
}

/// Fills in defaults, at every depth where a parent is present. A null that is no value of its
/// field gives way to the default, or goes.
pub fn default(node: &mut Node, ty: &Type) {
    match (&mut node.value, &ty.target().shape) {
        (Value::Map(map), Shape::Object(fields)) => {
            map.retain(|entry| {
                let known = fields.property(&entry.key).map(|property| &property.ty);
                let ty = known.or(fields.additional.as_ref());
                !entry.value.is_null() || ty.is_none_or(Type::is_nullable)
            });
            for property in &fields.properties {
                if let Some(value) = property.ty.default_value()
                    && !map.contains_key(&property.key)
                {
                    map.insert(property.key.clone(), value.clone());
                }
            }
            for (key, value) in map.iter_mut() {
                let known = fields.property(key).map(|property| &property.ty);
                if let Some(ty) = known.or(fields.additional.as_ref()) {
                    default(value, ty);
                }
            }
        }
        (Value::List(list), Shape::List(items)) => {
            for item in list {
                default(item, items);
            }
        }
        _ => {}
    }
}

/// True when the schema has a default anywhere.
#[must_use]
pub fn has_defaults(ty: &Type) -> bool {
    ty.rules.as_ref().is_some_and(|rules| rules.default.is_some())
        || match &ty.shape {
            Shape::Object(fields) => {
                fields.properties.iter().any(|property| has_defaults(&property.ty))
                    || fields.additional.as_ref().is_some_and(has_defaults)
            }
            Shape::List(items) => has_defaults(items),
            // what metadata refers to has none that count here
            _ => false,
        }
}
