//! Maps: their entries, parts and copies. Those that change a map change it for all who hold it.

mod merge;

pub(super) use merge::FUNCTIONS as MERGING;

use super::equal::DEPTH;
use super::strval::text_of;
use crate::template::gotmpl::function::{Call, Failure, Function, Templates};
use crate::template::gotmpl::go_type::{ANY, ANY_MAP, INT, Kind, STRING, STRING_MAP, Type};
use crate::template::gotmpl::unicode;
use crate::template::gotmpl::value::{Entries, List, Map, Object, Text, Value};
use std::any::Any;
use std::rc::Rc;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("deepCopy", &[&ANY], |call| copy(call, "deepCopy error: ")),
    Function::variadic("dict", &[&ANY], dict),
    Function::variadic("dig", &[&ANY], dig),
    Function::new("get", &[&ANY_MAP, &STRING], get),
    Function::new("hasKey", &[&ANY_MAP, &STRING], has_key),
    Function::variadic("keys", &[&ANY_MAP], keys),
    Function::new("mustDeepCopy", &[&ANY], |call| copy(call, "")),
    Function::variadic("omit", &[&ANY_MAP, &STRING], omit),
    Function::variadic("pick", &[&ANY_MAP, &STRING], pick),
    Function::variadic("pluck", &[&STRING, &ANY_MAP], pluck),
    Function::new("set", &[&ANY_MAP, &STRING, &ANY], set),
    Function::new("split", &[&STRING, &STRING], |call| numbered(call, |_| usize::MAX)),
    Function::new("splitList", &[&STRING, &STRING], split_list),
    Function::new("splitn", &[&STRING, &INT, &STRING], |call| {
        numbered(call, |call| usize::try_from(call.int(1)).unwrap_or(usize::MAX))
    }),
    Function::new("unset", &[&ANY_MAP, &STRING], unset),
    Function::new("values", &[&ANY_MAP], values),
];

fn dict(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut entries = Entries::new();
    for pair in call.args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        entries.insert(text_of(&pair[0])?, value);
    }
    Ok(Value::map(entries))
}

fn dig(call: &mut Call<'_>) -> Result<Value, Failure> {
    let [path @ .., default, root] = call.args else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let root = dig_into(root)?;
    let mut keys = Vec::with_capacity(path.len());
    for key in path {
        match key {
            Value::Text(key) => keys.push(key),
            other => return Err(conversion(other, &STRING)),
        }
    }
    let mut map = root;
    for (index, key) in keys.iter().enumerate() {
        let step = map.as_ref().and_then(|map| map.entries().get(*key).cloned());
        let Some(step) = step else { return Ok(default.clone()) };
        if index + 1 == keys.len() {
            return Ok(step);
        }
        map = dig_into(&step)?;
    }
    Ok(default.clone())
}

/// The map that a value must be; nothing where it is a nil one.
fn dig_into(value: &Value) -> Result<Option<Map>, Failure> {
    match value {
        Value::Map(map) if map.go_type() == &ANY_MAP => Ok(Some(map.clone())),
        Value::NilOf(of) if *of == &ANY_MAP => Ok(None),
        other => Err(conversion(other, &ANY_MAP)),
    }
}

/// The text of Go's panic at a type assertion.
fn conversion(value: &Value, wanted: &Type) -> Failure {
    let found = value.go_type().map_or("nil", |of| of.name);
    format!("interface conversion: interface {{}} is {found}, not {wanted}").into()
}

fn get(call: &mut Call<'_>) -> Result<Value, Failure> {
    let found = call.map(0).and_then(|map| map.entries().get(call.text(1)).cloned());
    Ok(found.unwrap_or_else(|| Value::text("")))
}

fn has_key(call: &mut Call<'_>) -> Result<Value, Failure> {
    let found = call.map(0).is_some_and(|map| map.entries().contains_key(call.text(1)));
    Ok(Value::Bool(found))
}

fn set(call: &mut Call<'_>) -> Result<Value, Failure> {
    let map = call.map(0).ok_or("assignment to entry in nil map")?;
    map.set(call.text(1).clone(), call.args[2].clone());
    Ok(call.args[0].clone())
}

fn unset(call: &mut Call<'_>) -> Result<Value, Failure> {
    if let Some(map) = call.map(0) {
        map.entries_mut().remove(call.text(1));
    }
    Ok(call.args[0].clone())
}

fn keys(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut keys: Vec<Text> = Vec::new();
    for index in 0..call.args.len() {
        if let Some(map) = call.map(index) {
            call.templates.pay_items(map.entries().len())?;
            keys.extend(map.entries().keys().cloned());
        }
    }
    Ok(Value::texts(keys))
}

fn values(call: &mut Call<'_>) -> Result<Value, Failure> {
    let values: Vec<Value> =
        call.map(0).map(|map| map.entries().values().cloned().collect()).unwrap_or_default();
    call.templates.pay_items(values.len())?;
    Ok(Value::list(values))
}

fn pluck(call: &mut Call<'_>) -> Result<Value, Failure> {
    let maps = (1..call.args.len()).filter_map(|index| call.map(index));
    let found = maps.filter_map(|map| map.entries().get(call.text(0)).cloned());
    Ok(Value::list(found.collect::<Vec<_>>()))
}

fn pick(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut entries = Entries::new();
    if let Some(map) = call.map(0) {
        for index in 1..call.args.len() {
            let key = call.text(index);
            if let Some(value) = map.entries().get(key) {
                entries.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(Value::map(entries))
}

fn omit(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut entries = call.map(0).map(|map| map.entries().clone()).unwrap_or_default();
    call.templates.pay_items(entries.len())?;
    for index in 1..call.args.len() {
        entries.remove(call.text(index));
    }
    Ok(Value::map(entries))
}

fn split_list(call: &mut Call<'_>) -> Result<Value, Failure> {
    let parts = split(call.text(1), call.text(0), usize::MAX);
    call.templates.pay_items(parts.len())?;
    Ok(Value::texts(parts))
}

/// The parts of a text under the keys `_0`, `_1`, ….
fn numbered(call: &mut Call<'_>, limit: fn(&Call<'_>) -> usize) -> Result<Value, Failure> {
    let limit = limit(call);
    let parts = split(call.text(call.args.len() - 1), call.text(0), limit);
    call.templates.pay_items(parts.len())?;
    let entry =
        |(index, part): (usize, &[u8])| (Text::from(format!("_{index}")), Value::text(part));
    let entries = parts.into_iter().enumerate().map(entry).collect();
    Ok(Value::Map(Map::new(&STRING_MAP, entries)))
}

/// Go's `strings.SplitN`: at an empty separator the text falls into characters.
fn split<'a>(text: &'a [u8], separator: &'a [u8], limit: usize) -> Vec<&'a [u8]> {
    if limit == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut start = 0;
    if separator.is_empty() {
        for (_, size) in unicode::runes(text) {
            if parts.len() + 1 == limit {
                break;
            }
            parts.push(&text[start..start + size]);
            start += size;
        }
        if start < text.len() {
            parts.push(&text[start..]);
        }
        return parts;
    }
    for at in super::strings::occurrences(text, separator).take(limit - 1) {
        parts.push(&text[start..at]);
        start = at + separator.len();
    }
    parts.push(&text[start..]);
    parts
}

fn copy(call: &mut Call<'_>, before: &str) -> Result<Value, Failure> {
    if matches!(call.args[0], Value::Nil) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    deep_copy(&call.args[0], call.templates, 0).map_err(|mut failure| {
        failure.message = format!("{before}{}", failure.message).into();
        failure
    })
}

/// A copy of a value with all that it holds.
fn deep_copy(value: &Value, templates: &mut dyn Templates, depth: usize) -> Result<Value, Failure> {
    if depth > DEPTH {
        return Err("copying a value that is nested too deep or holds itself".into());
    }
    Ok(match value {
        Value::List(list) => {
            templates.pay_items(list.len())?;
            let copies = list.iter().map(|item| deep_copy(item, templates, depth + 1));
            Value::List(List::new(list.go_type(), copies.collect::<Result<Vec<_>, _>>()?))
        }
        Value::Map(map) => {
            templates.pay_items(map.entries().len())?;
            let mut copies = Entries::new();
            for (key, value) in map.entries().iter() {
                copies.insert(key.clone(), deep_copy(value, templates, depth + 1)?);
            }
            Value::Map(Map::new(map.go_type(), copies))
        }
        Value::Object(object)
            if object.go_type().kind == Kind::Struct && object.text().is_none() =>
        {
            Value::Object(Rc::new(Copied(Rc::clone(object))))
        }
        other => other.clone(),
    })
}

/// A copy of a struct: without what its unexported fields held, and without the pointer to it that
/// would have a text.
#[derive(Debug)]
struct Copied(Rc<dyn Object>);

impl Object for Copied {
    fn go_type(&self) -> &'static Type {
        self.0.go_type()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.0.fields()
    }

    fn encoded_fields(&self) -> Vec<(&'static str, Value)> {
        self.0.encoded_fields()
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.0.printed_fields();
        for (name, value) in &mut fields {
            if name.starts_with(|first: char| first.is_ascii_lowercase()) {
                *value = Value::text("");
            }
        }
        fields
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
