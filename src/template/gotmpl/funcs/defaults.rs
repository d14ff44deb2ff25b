//! What stands in for a value that is empty.

use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, BOOL, Kind};
use crate::template::gotmpl::value::Value;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::variadic("all", &[&ANY], |call| Ok(Value::Bool(!call.args.iter().any(is_empty)))),
    Function::variadic("any", &[&ANY], |call| Ok(Value::Bool(!call.args.iter().all(is_empty)))),
    Function::variadic("coalesce", &[&ANY], coalesce),
    Function::variadic("default", &[&ANY, &ANY], default),
    Function::new("empty", &[&ANY], |call| Ok(Value::Bool(is_empty(&call.args[0])))),
    Function::new("ternary", &[&ANY, &ANY, &BOOL], ternary),
];

/// True for nil, false, zero, and whatever has a length of none. Structs are never empty.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilOf(_) => true,
        Value::Bool(bool) => !bool,
        Value::Int(int, _) => *int == 0,
        Value::Uint(int, _) => *int == 0,
        Value::Float(float, _) => *float == 0.0,
        Value::Complex(parts) => **parts == (0.0, 0.0),
        Value::Text(text) | Value::Bytes(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.entries().is_empty(),
        Value::Object(object) => {
            matches!(object.go_type().kind, Kind::Map | Kind::Slice) && object.fields().is_empty()
        }
        Value::Function(..) => false,
    }
}

fn coalesce(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(call.args.iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
}

fn default(call: &mut Call<'_>) -> Result<Value, Failure> {
    let given = call.args.get(1).filter(|value| !is_empty(value));
    Ok(given.unwrap_or(&call.args[0]).clone())
}

fn ternary(call: &mut Call<'_>) -> Result<Value, Failure> {
    let truth = matches!(call.args[2], Value::Bool(true));
    Ok(call.args[usize::from(!truth)].clone())
}
