//! What a value is: its type, its kind, and whether it is the same as another.

use super::equal;
use super::strval::kind_of;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, STRING};
use crate::template::gotmpl::value::Value;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("deepEqual", &[&ANY, &ANY], deep_equal),
    Function::new("kindIs", &[&STRING, &ANY], kind_is),
    Function::new("kindOf", &[&ANY], |call| Ok(Value::text(kind_of(&call.args[0]).name()))),
    Function::new("typeIs", &[&STRING, &ANY], type_is),
    Function::new("typeIsLike", &[&STRING, &ANY], type_is_like),
    Function::new("typeOf", &[&ANY], |call| Ok(Value::text(type_of(&call.args[0])))),
];

fn type_of(value: &Value) -> &'static str {
    value.go_type().map_or("<nil>", |of| of.name)
}

fn deep_equal(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(equal::deep(&call.args[0], &call.args[1], call.templates)?))
}

fn kind_is(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(**call.text(0) == *kind_of(&call.args[1]).name().as_bytes()))
}

fn type_is(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(**call.text(0) == *type_of(&call.args[1]).as_bytes()))
}

/// A pointer is like what it points to.
fn type_is_like(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (target, found) = (call.text(0), type_of(&call.args[1]).as_bytes());
    let alike = **target == *found || found.strip_prefix(b"*") == Some(target);
    Ok(Value::Bool(alike))
}
