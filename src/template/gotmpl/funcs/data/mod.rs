//! Values to JSON and YAML and back. The plain ones never fail: what is wrong comes out as nothing,
//! or under the key `Error`; those with `must` and `raw` in their name fail.

mod json_read;
mod json_write;
#[cfg(test)]
mod tests;
mod yaml_write;

use super::equal::DEPTH;
use crate::base::source::FileId;
use crate::template::gotmpl::function::{Call, Failure, Function, Templates};
use crate::template::gotmpl::go_type::{ANY, ANY_LIST, ANY_MAP, Kind, STRING, Type};
use crate::template::gotmpl::value::{Entries, Text, Value};
use crate::yaml::{self, Dialect};
use json_read::Json;
use json_write::Style;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("fromJson", &[&STRING], |call| from_json(call, &ANY_MAP)),
    Function::new("fromJsonArray", &[&STRING], |call| from_json(call, &ANY_LIST)),
    Function::new("fromYaml", &[&STRING], |call| from_yaml(call, &ANY_MAP)),
    Function::new("fromYamlArray", &[&STRING], |call| from_yaml(call, &ANY_LIST)),
    Function::new("mustFromJson", &[&STRING], must_from_json),
    Function::new("mustToJson", &[&ANY], |call| must(json(call, PLAIN)?)),
    Function::new("mustToPrettyJson", &[&ANY], |call| must(json(call, PRETTY)?)),
    Function::new("mustToRawJson", &[&ANY], |call| must(json(call, RAW)?)),
    Function::new("mustToYaml", &[&ANY], |call| must(to_yaml(call)?)),
    Function::new("toJson", &[&ANY], |call| Ok(or_empty(json(call, PLAIN)?))),
    Function::new("toPrettyJson", &[&ANY], |call| Ok(or_empty(json(call, PRETTY)?))),
    Function::new("toRawJson", &[&ANY], |call| must(json(call, RAW)?)),
    Function::new("toYaml", &[&ANY], |call| Ok(or_empty(to_yaml(call)?))),
    Function::new("toYamlPretty", &[&ANY], to_yaml_pretty),
];

const PLAIN: Style = Style { raw: false, pretty: false };
const PRETTY: Style = Style { raw: false, pretty: true };
const RAW: Style = Style { raw: true, pretty: false };

/// What an encoder of Go gives: a text, or an error that some functions swallow.
pub(super) type Encoded = Result<Vec<u8>, String>;

pub(super) fn must(encoded: Encoded) -> Result<Value, Failure> {
    Ok(Value::text(encoded?))
}

fn or_empty(encoded: Encoded) -> Value {
    Value::text(encoded.unwrap_or_default())
}

/// Spends for a text that was made.
pub(super) fn spent(call: &mut Call<'_>, encoded: Encoded) -> Result<Encoded, Failure> {
    let size = encoded.as_ref().map_or(0, Vec::len);
    call.templates.pay_text(size)?;
    Ok(encoded)
}

fn json(call: &mut Call<'_>, style: Style) -> Result<Encoded, Failure> {
    weigh(&call.args[0], call.templates, 0)?;
    let encoded = json_write::write(&call.args[0], style).map(String::into_bytes);
    spent(call, encoded)
}

fn to_yaml(call: &mut Call<'_>) -> Result<Encoded, Failure> {
    weigh(&call.args[0], call.templates, 0)?;
    let encoded = yaml_write::write(&call.args[0]);
    spent(call, encoded.map(|text| trimmed(text).into_bytes()))
}

fn to_yaml_pretty(call: &mut Call<'_>) -> Result<Value, Failure> {
    weigh(&call.args[0], call.templates, 0)?;
    let text = yaml_write::write_pretty(&call.args[0])?;
    spent(call, Ok(trimmed(text).into_bytes())).map(or_empty)
}

/// Pays for all that a value holds, each time that it holds it: a few maps can stand for more than
/// would fit anywhere.
pub(super) fn weigh(
    value: &Value,
    templates: &mut dyn Templates,
    depth: usize,
) -> Result<(), Failure> {
    // what is deeper is refused by those who write it
    if depth > DEPTH {
        return Ok(());
    }
    match value {
        Value::Text(text) | Value::Bytes(text) => templates.spend(text.len() / 8),
        Value::List(list) => {
            templates.spend(16 * (list.len() + 1))?;
            list.iter().try_for_each(|item| weigh(item, templates, depth + 1))
        }
        Value::Map(map) => {
            let entries = map.entries();
            templates.spend(16 * (entries.len() + 1))?;
            entries.values().try_for_each(|value| weigh(value, templates, depth + 1))
        }
        _ => Ok(()),
    }
}

/// Without the line break at the end.
fn trimmed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn must_from_json(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    let json = json_read::read(call.text(0))?;
    json.overflow.map_or(Ok(json.value), |overflow| Err(overflow.into()))
}

fn from_json(call: &mut Call<'_>, wanted: &'static Type) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    Ok(match json_read::read(call.text(0)) {
        Ok(json) => unmarshalled(json, wanted).unwrap_or_else(|(part, error)| told(part, error)),
        Err(error) => told(empty(wanted), error),
    })
}

fn from_yaml(call: &mut Call<'_>, wanted: &'static Type) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    let read = yaml::decode(call.text(0))
        .and_then(|text| yaml::parse_first(&text, FileId::NONE, Dialect::GoYamlV2));
    let node = match read {
        Ok(node) => node,
        Err(error) => {
            let error = format!("error converting YAML to JSON: {}", error.go_text);
            return Ok(told(empty(wanted), error));
        }
    };
    if node.is_null() {
        return Ok(empty(wanted));
    }
    let json = Json { value: Value::from_node(&node), overflow: None };
    Ok(unmarshalled(json, wanted).unwrap_or_else(|(part, error)| {
        told(part, format!("error unmarshaling JSON: while decoding JSON: {error}"))
    }))
}

/// What `json.Unmarshal` makes of a value for a map or a list: nil stays nil, and anything else is
/// an error beside what was there before.
fn unmarshalled(json: Json, wanted: &'static Type) -> Result<Value, (Value, String)> {
    let found = match (json.value, wanted.kind) {
        (Value::Nil, _) if json.overflow.is_none() => return Ok(Value::NilOf(wanted)),
        (value @ Value::Map(_), Kind::Map) | (value @ Value::List(_), Kind::Slice) => {
            return json.overflow.map_or(Ok(value.clone()), |error| Err((value, error)));
        }
        (Value::Map(_), _) => "object",
        (Value::List(_), _) => "array",
        (Value::Text(_), _) => "string",
        (Value::Bool(_), _) => "bool",
        _ => "number",
    };
    let error = format!("json: cannot unmarshal {found} into Go value of type {wanted}");
    Err((empty(wanted), error))
}

fn empty(wanted: &'static Type) -> Value {
    if wanted.kind == Kind::Map { Value::map(Entries::new()) } else { Value::list([]) }
}

/// An error beside what could be read of a map, or in the place of a list.
fn told(part: Value, error: impl Into<Text>) -> Value {
    match part {
        Value::Map(map) => {
            map.set("Error", Value::text(error));
            Value::Map(map)
        }
        _ => Value::list([Value::text(error)]),
    }
}
