//! The functions that reach beyond their arguments: other templates, the cluster, and the end of
//! the render.

use super::super::function::{Call, Failure, Function};
use super::super::go_type::{ANY, STRING};
use super::super::value::{Entries, Text, Value};
use crate::yaml::{self, Node, Number};

/// The functions.
pub(super) static TABLE: &[Function] = &[
    Function::new("include", &[&STRING, &ANY], |call| {
        Ok(Value::Text(call.templates.include(call_text(call.args, 0), &call.args[1])?))
    }),
    Function::new("tpl", &[&STRING, &ANY], |call| {
        Ok(Value::Text(call.templates.tpl(call_text(call.args, 0), &call.args[1])?))
    }),
    Function::new("required", &[&STRING, &ANY], required),
    Function::new("fail", &[&STRING], |call| {
        if call.templates.lint() { Ok(Value::text("")) } else { Err(refusal(call.text(0))) }
    }),
    Function::new("lookup", &[&STRING, &STRING, &STRING, &STRING], lookup),
];

/// What stands around the message of a chart itself: errors with it show nothing else.
pub(in super::super) const REFUSAL: (&str, &str) = ("HELM_ERR_START", "HELM_ERR_END");

fn call_text(args: &[Value], index: usize) -> &Text {
    match &args[index] {
        Value::Text(text) => text,
        other => panic!("argument {index} is a string by its signature, not {other:?}"),
    }
}

fn required(call: &mut Call<'_>) -> Result<Value, Failure> {
    let missing = match &call.args[1] {
        Value::Nil => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    match (missing, call.templates.lint()) {
        (false, _) => Ok(call.args[1].clone()),
        (true, true) => Ok(Value::text("")),
        (true, false) => Err(refusal(call.text(0))),
    }
}

fn refusal(message: &Text) -> Failure {
    let (start, end) = REFUSAL;
    Failure::new([start.as_bytes(), message, end.as_bytes()].concat())
}

fn lookup(call: &mut Call<'_>) -> Result<Value, Failure> {
    let Some(cluster) = &call.world.cluster else {
        return Ok(Value::map(Entries::new()));
    };
    let [api_version, kind, namespace, name] = [0, 1, 2, 3].map(|index| call.text(index).lossy());
    let found = cluster.lookup(&api_version, &kind, &namespace, &name)?;
    Ok(found.map_or_else(|| Value::map(Entries::new()), |object| from_api(&object)))
}

/// What an API server sends: unlike those of files, its whole numbers are integers.
fn from_api(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Number(Number::Int(int)) => Value::int64(*int),
        yaml::Value::List(items) => Value::list(items.iter().map(from_api).collect::<Vec<_>>()),
        yaml::Value::Map(map) => Value::map(
            map.iter().map(|entry| (entry.key.as_str().into(), from_api(&entry.value))).collect(),
        ),
        _ => Value::from_node(node),
    }
}
