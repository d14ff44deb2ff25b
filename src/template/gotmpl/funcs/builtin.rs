//! The functions of Go's template language itself, but for `and` and `or`, which the evaluator does
//! since they leave arguments alone.

use super::super::exec::reflected::truth;
use super::super::fmt;
use super::super::function::{Call, Failure, Function};
use super::super::go_type::{ANY, Kind, REFLECT, STRING, Type, UINT8};
use super::super::value::{List, Text, Value};
use std::cmp::Ordering;

/// The functions.
pub(super) static TABLE: &[Function] = &[
    Function::variadic("and", &[&REFLECT, &REFLECT], by_evaluator),
    Function::variadic("or", &[&REFLECT, &REFLECT], by_evaluator),
    Function::new("not", &[&REFLECT], |call| Ok(Value::Bool(!truth(&call.args[0])))),
    Function::new("len", &[&REFLECT], len),
    Function::variadic("index", &[&REFLECT, &REFLECT], index),
    Function::variadic("slice", &[&REFLECT, &REFLECT], slice),
    Function::variadic("call", &[&REFLECT, &REFLECT], call_value),
    Function::variadic("print", &[&ANY], |call| Ok(Value::Text(fmt::sprint(call.args)?))),
    Function::variadic("println", &[&ANY], |call| Ok(Value::Text(fmt::sprintln(call.args)?))),
    Function::variadic("printf", &[&STRING, &ANY], |call| {
        Ok(Value::Text(fmt::sprintf(call.text(0), &call.args[1..])?))
    }),
    Function::variadic("html", &[&ANY], |call| Ok(Value::text(html(&written(call)?)))),
    Function::variadic("js", &[&ANY], |call| Ok(Value::text(js(&written(call)?)))),
    Function::variadic("urlquery", &[&ANY], |call| Ok(Value::text(urlquery(&written(call)?)))),
    Function::variadic("eq", &[&REFLECT, &REFLECT], |call| {
        Ok(Value::Bool(equal_to_any(&call.args[0], &call.args[1..])?))
    }),
    Function::new("ne", &[&REFLECT, &REFLECT], |call| {
        Ok(Value::Bool(!equal_to_any(&call.args[0], &call.args[1..])?))
    }),
    Function::new("lt", &[&REFLECT, &REFLECT], |call| Ok(Value::Bool(less(call)?))),
    Function::new("le", &[&REFLECT, &REFLECT], |call| Ok(Value::Bool(less_or_equal(call)?))),
    Function::new("gt", &[&REFLECT, &REFLECT], |call| Ok(Value::Bool(!less_or_equal(call)?))),
    Function::new("ge", &[&REFLECT, &REFLECT], |call| Ok(Value::Bool(!less(call)?))),
];

fn by_evaluator(_: &mut Call<'_>) -> Result<Value, Failure> {
    Err(Failure::new("unreachable"))
}

fn len(call: &mut Call<'_>) -> Result<Value, Failure> {
    let item = pointed(&call.args[0]);
    let length = match &item {
        Value::Text(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.entries().len(),
        Value::NilOf(of) if matches!(of.kind, Kind::Map | Kind::Slice | Kind::Chan) => 0,
        Value::NilOf(of) if matches!(of.kind, Kind::Interface | Kind::Ptr) => {
            return Err("len of nil pointer".into());
        }
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        other => return Err(format!("len of type {}", type_name(other)).into()),
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut item = indirect_interface(&call.args[0]);
    if let Value::Nil = item {
        return Err("index of untyped nil".into());
    }
    for (depth, index) in call.args[1..].iter().enumerate() {
        item = pointed(&item);
        // What an interface of a map or a list held, was nil.
        if depth > 0 && matches!(item, Value::Nil) {
            return Err("index of nil pointer".into());
        }
        let index = indirect_interface(index);
        item = match &item {
            Value::Text(text) | Value::Bytes(text) => {
                let at = position(&index, text.len())?;
                let byte = text.get(at).ok_or_else(|| out_of_range("string"))?;
                Value::Uint(u64::from(*byte), &UINT8)
            }
            Value::List(list) => {
                let at = position(&index, list.len())?;
                list.get(at).cloned().ok_or_else(|| out_of_range("slice"))?
            }
            Value::NilOf(of) if of.kind == Kind::Slice => {
                position(&index, 0)?;
                return Err(out_of_range("slice"));
            }
            Value::Map(map) => {
                let key = key(&index)?;
                let found = map.entries().get(key.bytes()).cloned();
                found.unwrap_or_else(|| zero_element(map.go_type()))
            }
            Value::NilOf(of) if of.kind == Kind::Map => {
                key(&index)?;
                zero_element(of)
            }
            Value::NilOf(of) if matches!(of.kind, Kind::Ptr | Kind::Interface) => {
                return Err("index of nil pointer".into());
            }
            other => return Err(format!("can't index item of type {}", type_name(other)).into()),
        };
    }
    Ok(item)
}

fn zero_element(of: &'static Type) -> Value {
    of.elem.map_or(Value::Nil, super::super::exec::reflected::zero)
}

/// Go's `reflect` panics one behind the end, which `index` does not check.
fn out_of_range(what: &str) -> Failure {
    Failure::new(format!("reflect: {what} index out of range"))
}

/// A key of a map whose keys are texts.
fn key(index: &Value) -> Result<Text, Failure> {
    match index {
        Value::Text(text) => Ok(text.clone()),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(format!("value has type {}; should be string", type_of(other)).into()),
    }
}

/// An index of something of that length; the length itself is still one.
fn position(index: &Value, length: usize) -> Result<usize, Failure> {
    let at = match index {
        Value::Int(int, _) => *int,
        Value::Uint(int, _) => int.cast_signed(),
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => {
            let of = type_of(other);
            return Err(format!("cannot index slice/array with type {of}").into());
        }
    };
    match usize::try_from(at) {
        Ok(position) if position <= length => Ok(position),
        _ => Err(format!("index out of range: {at}").into()),
    }
}

fn slice(call: &mut Call<'_>) -> Result<Value, Failure> {
    let item = indirect_interface(&call.args[0]);
    let indexes = &call.args[1..];
    if let Value::Nil = item {
        return Err("slice of untyped nil".into());
    }
    let item = pointed(&item);
    if let Value::NilOf(of) = &item
        && matches!(of.kind, Kind::Ptr | Kind::Interface)
    {
        return Err("slice of nil pointer".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let length = match &item {
        Value::Text(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Text(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::NilOf(of) if of.kind == Kind::Slice => 0,
        other => return Err(format!("can't slice item of type {}", type_name(other)).into()),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(&indirect_interface(index), length)?;
    }
    let [start, end, capacity] = bounds;
    for (low, high) in [(start, end), (end, capacity)] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}").into());
        }
    }
    Ok(match item {
        Value::Text(text) => Value::text(&text[start..end]),
        Value::Bytes(text) => Value::Bytes((&text[start..end]).into()),
        Value::List(list) => Value::List(List::new(list.go_type(), &list[start..end])),
        other => other,
    })
}

/// `call`: its first argument is the text of the function, for errors.
fn call_value(call: &mut Call<'_>) -> Result<Value, Failure> {
    let name = call.args[0].clone();
    let callee = indirect_interface(&call.args[1]);
    let Value::Function(function, receiver) = &callee else {
        let Some(of) = callee.go_type() else { return Err("call of nil".into()) };
        let name = name_of(&name);
        return Err(format!("non-function {name} of type {of}").into());
    };
    let given = &call.args[2..];
    let params = function.params.len();
    if function.variadic && given.len() < params - 1 {
        let (name, got, want) = (name_of(&name), given.len(), params - 1);
        let text = format!("wrong number of args for {name}: got {got} want at least {want}");
        return Err(text.into());
    }
    if !function.variadic && given.len() != params {
        let (name, got) = (name_of(&name), given.len());
        return Err(format!("wrong number of args for {name}: got {got} want {params}").into());
    }
    let mut args: Vec<Value> = receiver.iter().map(|receiver| (**receiver).clone()).collect();
    for (at, value) in given.iter().enumerate() {
        let param = function.params[at.min(params - 1)];
        let value = prepared(indirect_interface(value), param)
            .map_err(|failure| Failure::new(format!("arg {at}: {}", failure.message)))?;
        args.push(value);
    }
    (function.body)(&mut Call { args: &args, world: call.world, templates: call.templates })
}

fn name_of(name: &Value) -> Text {
    match name {
        Value::Text(text) => text.clone(),
        _ => Text::default(),
    }
}

/// An argument of `call` as a parameter takes it.
fn prepared(value: Value, param: &'static Type) -> Result<Value, Failure> {
    let Some(of) = value.go_type() else {
        return match param.kind {
            kind if kind.can_be_nil() || param == &REFLECT => {
                Ok(super::super::exec::reflected::zero(param))
            }
            _ => Err(format!("value is nil; should be of type {param}").into()),
        };
    };
    if param.takes(of) || param == &REFLECT {
        return Ok(value);
    }
    match (&value, param.kind) {
        (Value::Int(int, _), kind) if kind.is_int() => Ok(Value::Int(*int, param)),
        (Value::Int(int, _), kind) if kind.is_uint() => Ok(Value::Uint(int.cast_unsigned(), param)),
        (Value::Uint(int, _), kind) if kind.is_int() => Ok(Value::Int(int.cast_signed(), param)),
        (Value::Uint(int, _), kind) if kind.is_uint() => Ok(Value::Uint(*int, param)),
        _ => Err(format!("value has type {of}; should be {param}").into()),
    }
}

/// What an interface holds; nil when it holds nothing.
fn indirect_interface(value: &Value) -> Value {
    match value {
        Value::NilOf(of) if of.kind == Kind::Interface => Value::Nil,
        other => other.clone(),
    }
}

/// What a pointer points to, if that is something that can be counted or indexed.
fn pointed(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.pointee().unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

fn type_name(value: &Value) -> &'static str {
    value.go_type().map_or("<nil>", |of| match of.kind {
        // A pointer has been followed to the struct by then.
        Kind::Ptr => of.name.trim_start_matches('*'),
        _ => of.name,
    })
}

// Comparison.

/// Kinds that can be compared with each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Invalid,
    Bool,
    Complex,
    Int,
    Float,
    Text,
    Uint,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(..) => Basic::Int,
        Value::Uint(..) => Basic::Uint,
        Value::Float(..) => Basic::Float,
        Value::Complex(_) => Basic::Complex,
        Value::Text(_) => Basic::Text,
        _ => Basic::Invalid,
    }
}

fn incompatible(left: &Value, right: &Value) -> Failure {
    let name = |value: &Value| value.go_type().map_or("<nil>", |of| of.name);
    let (left, right) = (name(left), name(right));
    Failure::new(format!("incompatible types for comparison: {left} and {right}"))
}

fn equal_to_any(first: &Value, others: &[Value]) -> Result<bool, Failure> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    let first = indirect_interface(first);
    for other in others {
        if equal(&first, &indirect_interface(other))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(left: &Value, right: &Value) -> Result<bool, Failure> {
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left, _), Value::Int(right, _)) => left == right,
        (Value::Uint(left, _), Value::Uint(right, _)) => left == right,
        (Value::Float(left, _), Value::Float(right, _)) => {
            left.partial_cmp(right) == Some(Ordering::Equal)
        }
        (Value::Complex(left), Value::Complex(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Int(int, _), Value::Uint(uint, _)) | (Value::Uint(uint, _), Value::Int(int, _)) => {
            u64::try_from(*int).is_ok_and(|int| int == *uint)
        }
        _ if basic(left) != basic(right) => {
            if !matches!(left, Value::Nil) && !matches!(right, Value::Nil) {
                return Err(incompatible(left, right));
            }
            false
        }
        _ => return same(left, right),
    })
}

/// Equality of what is no basic kind: only nil and pointers have one.
fn same(left: &Value, right: &Value) -> Result<bool, Failure> {
    let is_nil = |value: &Value| matches!(value, Value::Nil | Value::NilOf(_));
    let kind = |value: &Value| value.go_type().map(|of| of.kind);
    if kind(left) != kind(right) && kind(left).is_some() && kind(right).is_some() {
        let (shown, of, other) = (described(left)?, type_of(left), type_of(right));
        let printed = fmt::sprintf(b"%v", std::slice::from_ref(right))?;
        return Err(format!("non-comparable types {shown}: {of}, {other}: {printed}").into());
    }
    if is_nil(left) || is_nil(right) {
        return Ok(is_nil(left) == is_nil(right));
    }
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => Ok(std::rc::Rc::ptr_eq(left, right)),
        _ => {
            let (text, of) = (described(right)?, type_of(right));
            Err(format!("non-comparable type {text}: {of}").into())
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    value.go_type().map_or("<nil>", |of| of.name)
}

/// A value as `%s` of a `reflect.Value` writes it.
fn described(value: &Value) -> Result<Text, Failure> {
    fmt::sprintf(b"%s", std::slice::from_ref(value))
}

fn less(call: &mut Call<'_>) -> Result<bool, Failure> {
    let left = indirect_interface(&call.args[0]);
    let right = indirect_interface(&call.args[1]);
    if basic(&left) == Basic::Invalid || basic(&right) == Basic::Invalid {
        return Err("invalid type for comparison".into());
    }
    Ok(match (&left, &right) {
        (Value::Int(left, _), Value::Int(right, _)) => left < right,
        (Value::Uint(left, _), Value::Uint(right, _)) => left < right,
        (Value::Float(left, _), Value::Float(right, _)) => {
            left.partial_cmp(right) == Some(Ordering::Less)
        }
        (Value::Text(left), Value::Text(right)) => left < right,
        (Value::Int(int, _), Value::Uint(uint, _)) => {
            u64::try_from(*int).map_or(true, |int| int < *uint)
        }
        (Value::Uint(uint, _), Value::Int(int, _)) => {
            u64::try_from(*int).is_ok_and(|int| *uint < int)
        }
        _ if basic(&left) != basic(&right) => return Err(incompatible(&left, &right)),
        _ => return Err("invalid type for comparison".into()),
    })
}

fn less_or_equal(call: &mut Call<'_>) -> Result<bool, Failure> {
    Ok(less(call)? || equal_to_any(&call.args[0], &call.args[1..])?)
}

// Escapes.

/// The arguments as templates print them: what pointers point to, and words for no value.
fn written(call: &Call<'_>) -> Result<Vec<u8>, Failure> {
    let is_text = |value: &Value| matches!(value, Value::Nil | Value::Text(_));
    let mut out = Vec::new();
    for (index, arg) in call.args.iter().enumerate() {
        if index > 0 && !is_text(arg) && !is_text(&call.args[index - 1]) {
            out.push(b' ');
        }
        if !fmt::print(&mut out, &pointed(arg))? {
            out.extend_from_slice(&fmt::sprint(std::slice::from_ref(arg))?);
        }
    }
    Ok(out)
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            byte => out.push(*byte),
        }
    }
    out
}

fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (bytes, char) in fmt::quote::runes(text) {
        match char {
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some('\'') => out.extend_from_slice(b"\\'"),
            Some('"') => out.extend_from_slice(b"\\\""),
            Some(c @ ('<' | '>' | '&' | '=' | '\0'..='\u{1f}')) => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes());
            }
            Some(c) if !fmt::quote::is_printable(c) && !c.is_ascii() => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes());
            }
            // A byte that is no character counts as U+FFFD, which can be printed, and is copied.
            Some(_) | None => out.extend_from_slice(bytes),
        }
    }
    out
}

fn urlquery(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}
