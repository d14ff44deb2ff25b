//! Lists: their ends, parts and members. What is made anew is a `[]interface {}`, whatever type the
//! list had.

use super::equal::{self, Scalar};
use super::number::to_int;
use super::strval::{kind_of, text_of, texts_of};
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{self, ANY, ANY_LIST, INT, Kind, STRING, Type};
use crate::template::gotmpl::value::{List, Text, Value};
use std::borrow::Cow;
use std::collections::HashSet;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("append", &[&ANY, &ANY], append),
    Function::new("chunk", &[&INT, &ANY], chunk),
    Function::new("compact", &[&ANY], compact),
    Function::variadic("concat", &[&ANY], concat),
    Function::new("first", &[&ANY], first),
    Function::new("has", &[&ANY, &ANY], has),
    Function::new("initial", &[&ANY], initial),
    Function::new("join", &[&STRING, &ANY], join),
    Function::new("last", &[&ANY], last),
    Function::variadic("list", &[&ANY], list),
    Function::new("mustAppend", &[&ANY, &ANY], append),
    Function::new("mustChunk", &[&INT, &ANY], chunk),
    Function::new("mustCompact", &[&ANY], compact),
    Function::new("mustFirst", &[&ANY], first),
    Function::new("mustHas", &[&ANY, &ANY], has),
    Function::new("mustInitial", &[&ANY], initial),
    Function::new("mustLast", &[&ANY], last),
    Function::new("mustPrepend", &[&ANY, &ANY], prepend),
    Function::new("mustPush", &[&ANY, &ANY], append),
    Function::new("mustRest", &[&ANY], rest),
    Function::new("mustReverse", &[&ANY], reverse),
    Function::variadic("mustSlice", &[&ANY, &ANY], slice),
    Function::new("mustUniq", &[&ANY], uniq),
    Function::variadic("mustWithout", &[&ANY, &ANY], without),
    Function::new("prepend", &[&ANY, &ANY], prepend),
    Function::new("push", &[&ANY, &ANY], append),
    Function::new("rest", &[&ANY], rest),
    Function::new("reverse", &[&ANY], reverse),
    Function::variadic("slice", &[&ANY, &ANY], slice),
    Function::new("sortAlpha", &[&ANY], sort_alpha),
    Function::new("toStrings", &[&ANY], to_strings),
    Function::variadic("tuple", &[&ANY], list),
    Function::new("uniq", &[&ANY], uniq),
    Function::variadic("without", &[&ANY, &ANY], without),
];

static CHUNKS: Type = Type::of("[][]interface {}", Kind::Slice, &ANY_LIST);

/// What Go says when something is asked of nil.
pub(super) const NIL: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The items of a value that is a slice.
pub(super) fn items(value: &Value) -> Option<Cow<'_, [Value]>> {
    match value {
        Value::List(list) => Some(Cow::Borrowed(&**list)),
        Value::NilOf(of) if of.kind == Kind::Slice => Some(Cow::Borrowed(&[])),
        Value::Bytes(bytes) => {
            let byte = |byte: &u8| Value::Uint(u64::from(*byte), &go_type::UINT8);
            Some(bytes.iter().map(byte).collect())
        }
        _ => None,
    }
}

/// The items of an argument that must be a slice; the text of the error ends with its kind.
fn list_at<'a>(
    call: &mut Call<'a>,
    index: usize,
    error: &str,
) -> Result<Cow<'a, [Value]>, Failure> {
    let value: &'a Value = &call.args[index];
    if matches!(value, Value::Nil) {
        return Err(NIL.into());
    }
    let items = items(value).ok_or_else(|| format!("{error} {}", kind_of(value).name()))?;
    call.templates.spend(items.len())?;
    Ok(items)
}

fn append(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot push on type")?;
    call.templates.pay_items(items.len() + 1)?;
    let mut new = Vec::with_capacity(items.len() + 1);
    new.extend_from_slice(&items);
    new.push(call.args[1].clone());
    Ok(Value::list(new))
}

fn prepend(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot prepend on type")?;
    call.templates.pay_items(items.len() + 1)?;
    let mut new = Vec::with_capacity(items.len() + 1);
    new.push(call.args[1].clone());
    new.extend_from_slice(&items);
    Ok(Value::list(new))
}

/// Sizes below one are treated as Go's floating-point division makes of them.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sprig counts the parts in doubles"
)]
fn chunk(call: &mut Call<'_>) -> Result<Value, Failure> {
    let size = call.int(0);
    let items = list_at(call, 1, "Cannot chunk type")?;
    let out_of_range = || Failure::new("runtime error: makeslice: len out of range");
    let (length, float) = (items.len() as f64, size as f64);
    let parts = ((length - 1.0) / float).floor() + 1.0;
    if !parts.is_finite() || parts < 0.0 {
        return Err(out_of_range());
    }
    let parts = parts as usize;
    call.templates.pay_items(items.len())?;
    let rest = (length % float).floor() as i64;
    let last = if rest == 0 { size } else { rest };
    if parts > 0 && last < 0 {
        return Err(out_of_range());
    }
    let step = usize::try_from(size).unwrap_or(usize::MAX);
    let chunks = (0..parts).map(|part| {
        let start = part.saturating_mul(step);
        let count = if part + 1 == parts { last.unsigned_abs() as usize } else { step };
        Value::list(&items[start..start + count])
    });
    Ok(Value::List(List::new(&CHUNKS, chunks.collect::<Vec<_>>())))
}

fn compact(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot compact on type")?;
    call.templates.pay_items(items.len())?;
    let full = items.iter().filter(|item| !super::defaults::is_empty(item)).cloned();
    Ok(Value::list(full.collect::<Vec<_>>()))
}

fn concat(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for value in call.args {
        if matches!(value, Value::Nil) {
            return Err(NIL.into());
        }
        let kind = kind_of(value).name();
        let items = items(value).ok_or_else(|| format!("Cannot concat type {kind} as list"))?;
        call.templates.pay_items(items.len())?;
        all.extend_from_slice(&items);
    }
    Ok(if all.is_empty() { Value::NilOf(&ANY_LIST) } else { Value::list(all) })
}

fn first(call: &mut Call<'_>) -> Result<Value, Failure> {
    end(call, "Cannot find first on type", <[Value]>::first)
}

fn last(call: &mut Call<'_>) -> Result<Value, Failure> {
    end(call, "Cannot find last on type", <[Value]>::last)
}

fn end(
    call: &mut Call<'_>,
    error: &str,
    pick: fn(&[Value]) -> Option<&Value>,
) -> Result<Value, Failure> {
    match &call.args[0] {
        Value::List(list) => Ok(pick(list).cloned().unwrap_or_default()),
        _ => Ok(pick(&list_at(call, 0, error)?).cloned().unwrap_or_default()),
    }
}

fn rest(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot find rest on type")?;
    call.templates.pay_items(items.len())?;
    Ok(items.split_first().map_or(Value::NilOf(&ANY_LIST), |(_, rest)| Value::list(rest)))
}

fn initial(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot find initial on type")?;
    call.templates.pay_items(items.len())?;
    Ok(items.split_last().map_or(Value::NilOf(&ANY_LIST), |(_, initial)| Value::list(initial)))
}

fn has(call: &mut Call<'_>) -> Result<Value, Failure> {
    if matches!(call.args[1], Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let items = list_at(call, 1, "Cannot find has on type")?;
    for item in &*items {
        if equal::deep(&call.args[0], item, call.templates)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn join(call: &mut Call<'_>) -> Result<Value, Failure> {
    let texts = match &call.args[1] {
        Value::List(list) => {
            call.templates.spend(list.len())?;
            texts_of(&call.args[1])?
        }
        other => texts_of(other)?,
    };
    let separator = call.text(0);
    let size = texts.iter().map(|text| text.len() + separator.len()).sum::<usize>();
    call.templates.pay_text(size)?;
    Ok(Value::text(texts.join(separator.bytes())))
}

fn list(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::list(call.args))
}

fn reverse(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot find reverse on type")?;
    call.templates.pay_items(items.len())?;
    Ok(Value::list(items.iter().rev().cloned().collect::<Vec<_>>()))
}

fn slice(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "list should be type of slice or array but")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let length = items.len();
    let bounds = |index: usize| call.args.get(index).map(|value| usize::try_from(to_int(value)));
    let start = bounds(1).unwrap_or(Ok(0));
    let end = bounds(2).unwrap_or(Ok(length));
    let (Ok(start), Ok(end)) = (start, end) else { return Err(OUT_OF_BOUNDS.into()) };
    let part = items.get(start..end).ok_or(OUT_OF_BOUNDS)?;
    call.templates.pay_items(part.len())?;
    Ok(match &call.args[0] {
        Value::Bytes(bytes) => Value::Bytes(Text::from(&bytes[start..end])),
        other => Value::List(List::new(other.go_type().unwrap_or(&ANY_LIST), part)),
    })
}

const OUT_OF_BOUNDS: &str = "reflect.Value.Slice: slice index out of bounds";

/// Sorts a `[]string` in place, and copies of the texts of any other list.
fn sort_alpha(call: &mut Call<'_>) -> Result<Value, Failure> {
    let value = &call.args[0];
    match value {
        Value::List(list) => {
            call.templates.pay_items(list.len())?;
            if list.go_type() == &go_type::STRING_LIST {
                list.sort_by(|a, b| match (a, b) {
                    (Value::Text(a), Value::Text(b)) => a.cmp(b),
                    _ => std::cmp::Ordering::Equal,
                });
                return Ok(value.clone());
            }
        }
        Value::NilOf(of) if *of == &go_type::STRING_LIST => return Ok(value.clone()),
        Value::Nil => return Ok(Value::texts([text_of(value)?])),
        _ => {}
    }
    let mut texts = texts_of(value)?;
    texts.sort_unstable();
    Ok(Value::texts(texts))
}

fn to_strings(call: &mut Call<'_>) -> Result<Value, Failure> {
    let value = &call.args[0];
    if let Value::List(list) = value {
        call.templates.pay_items(list.len())?;
    }
    match value.go_type() {
        Some(of) if of == &go_type::STRING_LIST => Ok(value.clone()),
        _ => Ok(Value::texts(texts_of(value)?)),
    }
}

fn uniq(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot find uniq on type")?;
    call.templates.pay_items(items.len())?;
    let mut seen = HashSet::new();
    // lists, maps and objects have to be compared one by one
    let mut others: Vec<&Value> = Vec::new();
    let mut unique = Vec::new();
    for item in &*items {
        let new = match Scalar::of(item) {
            Some(scalar) => seen.insert(scalar),
            None => {
                let new = !equal::any(&others, item, call.templates)?;
                others.push(item);
                new
            }
        };
        if new {
            unique.push(item.clone());
        }
    }
    Ok(Value::list(unique))
}

fn without(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = list_at(call, 0, "Cannot find without on type")?;
    call.templates.pay_items(items.len())?;
    let omitted: Vec<&Value> = call.args[1..].iter().collect();
    let mut kept = Vec::new();
    for item in &*items {
        if !equal::any(&omitted, item, call.templates)? {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}
