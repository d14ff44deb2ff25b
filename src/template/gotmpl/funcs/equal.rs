//! Go's `reflect.DeepEqual`: types count, nil is not what is empty, NaN is nothing.

use crate::template::gotmpl::function::{Failure, Templates};
use crate::template::gotmpl::value::{Text, Value};
use std::cmp::Ordering;

/// True when a value is deeply equal to one of others.
pub(super) fn any(
    values: &[&Value],
    value: &Value,
    templates: &mut dyn Templates,
) -> Result<bool, Failure> {
    for other in values {
        if deep(other, value, templates)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True when both have the same type and the same content.
pub(super) fn deep(a: &Value, b: &Value, templates: &mut dyn Templates) -> Result<bool, Failure> {
    nested(a, b, templates, 0)
}

/// What is deeper holds itself, or might as well.
pub(super) const DEPTH: usize = 1000;

fn nested(
    a: &Value,
    b: &Value,
    templates: &mut dyn Templates,
    depth: usize,
) -> Result<bool, Failure> {
    if depth > DEPTH {
        return Err("comparing values that are nested too deep or hold themselves".into());
    }
    if a.go_type() != b.go_type() {
        return Ok(false);
    }
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) | (Value::NilOf(_), Value::NilOf(_)) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Float(a, _), Value::Float(b, _)) => a.partial_cmp(b) == Some(Ordering::Equal),
        (Value::Complex(a), Value::Complex(b)) => a == b,
        (Value::Text(a), Value::Text(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                templates.spend(8)?;
                if !nested(a, b, templates, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.is(b) {
                return Ok(true);
            }
            let (a, b) = (a.entries(), b.entries());
            if a.len() != b.len() {
                return Ok(false);
            }
            for ((a_key, a), (b_key, b)) in a.iter().zip(b.iter()) {
                templates.spend(8)?;
                if a_key != b_key || !nested(a, b, templates, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => {
            if std::rc::Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let (a_fields, b_fields) = (a.fields(), b.fields());
            if a.text() != b.text() || a_fields.len() != b_fields.len() {
                return Ok(false);
            }
            for ((_, a), (_, b)) in a_fields.iter().zip(&b_fields) {
                templates.spend(8)?;
                if !nested(a, b, templates, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}

/// A value that can be looked up: equal to another exactly when both are deeply equal.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Scalar {
    Nil,
    Bool(bool),
    Int(i64, &'static str),
    Uint(u64, &'static str),
    Float(u64, &'static str),
    Text(Text),
}

impl Scalar {
    /// The value, if it is one.
    pub(super) fn of(value: &Value) -> Option<Scalar> {
        Some(match value {
            Value::Nil => Scalar::Nil,
            Value::Bool(bool) => Scalar::Bool(*bool),
            Value::Int(int, of) => Scalar::Int(*int, of.name),
            Value::Uint(int, of) => Scalar::Uint(*int, of.name),
            // both zeros are one
            Value::Float(float, of) if !float.is_nan() => {
                Scalar::Float((float + 0.0).to_bits(), of.name)
            }
            Value::Text(text) => Scalar::Text(text.clone()),
            _ => return None,
        })
    }
}
