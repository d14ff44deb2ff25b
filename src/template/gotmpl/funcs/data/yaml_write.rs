//! Values to YAML. `toYaml` goes through JSON as `sigs.k8s.io/yaml` does, `toYamlPretty` is
//! go-yaml's own encoder.

use super::super::equal::DEPTH;
use super::super::strval::printed;
use super::json_write::unsupported;
use crate::template::gotmpl::function::Failure;
use crate::template::gotmpl::go_type::Kind;
use crate::template::gotmpl::time::Time;
use crate::template::gotmpl::unicode;
use crate::template::gotmpl::value::{Map, Text, Value};
use crate::yaml::emit::{self, Style};
use crate::yaml::{self, Node, Number, Str};
use base64::Engine;

/// What `toYaml` gives, with a line break at its end.
///
/// # Errors
/// Go's words for what JSON or YAML cannot hold.
pub(super) fn write(value: &Value) -> Result<String, String> {
    let node = Convert { through_json: true }.node(value, 0);
    let node = node.map_err(|error| format!("error marshaling into JSON: {error}"))?;
    emit::marshal(&node).map_err(|error| error.go_text)
}

/// What `toYamlPretty` gives, with a line break at its end.
pub(super) fn write_pretty(value: &Value) -> Result<String, Failure> {
    if let Some(text) = alone(value) {
        return Ok(text);
    }
    let node = Convert { through_json: false }.node(value, 0)?;
    Ok(emit::to_string(&node, &Style::pretty()))
}

/// What a node cannot tell and go-yaml writes where it stands alone: a date is written without
/// quotes, a text that is no UTF-8 with its tag.
fn alone(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) => {
            let time = object.as_any().downcast_ref::<Time>()?;
            let text = time.format(b"2006-01-02T15:04:05.999999999Z07:00");
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        Value::Text(text) if text.as_str().is_none() => {
            const WIDTH: usize = 70;
            let packed = base64::engine::general_purpose::STANDARD.encode(&**text);
            if packed.len() < WIDTH {
                return Some(format!("!!binary {packed}"));
            }
            let mut out = "!!binary |".to_owned();
            for line in packed.as_bytes().chunks(WIDTH) {
                out.push_str("\n  ");
                out.extend(line.iter().map(|byte| char::from(*byte)));
            }
            Some(out)
        }
        _ => None,
    }
}

struct Convert {
    /// JSON comes first: infinity fails, bytes are base64, what is no UTF-8 becomes U+FFFD.
    through_json: bool,
}

impl Convert {
    fn node(&self, value: &Value, depth: usize) -> Result<Node, String> {
        if depth > DEPTH {
            return Err(match value {
                Value::Map(map) => {
                    let of = map.go_type();
                    format!("json: unsupported value: encountered a cycle via {of}")
                }
                _ => "json: unsupported value: it is nested too deep".to_owned(),
            });
        }
        let value = match value {
            Value::Nil => yaml::Value::Null,
            Value::NilOf(of) => self.nil(of.kind),
            Value::Bool(bool) => yaml::Value::Bool(*bool),
            Value::Int(_, of) if !self.through_json && of.name == "time.Duration" => {
                let printed = printed(value).map_err(|failure| failure.message.to_string())?;
                yaml::Value::String(text_of(&printed))
            }
            Value::Int(int, _) => yaml::Value::Number(Number::Int(*int)),
            Value::Uint(int, _) => yaml::Value::Number(Number::UInt(*int)),
            Value::Float(float, _) if self.through_json && !float.is_finite() => {
                return Err(unsupported(*float));
            }
            Value::Float(float, _) => yaml::Value::Number(Number::Float(*float)),
            Value::Text(text) => yaml::Value::String(text_of(text)),
            Value::Bytes(bytes) if self.through_json => yaml::Value::String(base64(bytes)),
            Value::Bytes(bytes) => {
                let byte = |byte: &u8| Node::from(i64::from(*byte));
                yaml::Value::List(bytes.iter().map(byte).collect())
            }
            Value::List(list) => {
                let items = list.iter().map(|item| self.node(item, depth + 1));
                yaml::Value::List(items.collect::<Result<_, _>>()?)
            }
            Value::Map(map) => yaml::Value::Map(self.map(map, depth)?),
            Value::Object(object) => {
                let fields =
                    if self.through_json { object.encoded_fields() } else { object.fields() };
                match object.encoded().filter(|_| self.through_json || fields.is_empty()) {
                    Some(encoded) => return self.node(&encoded, depth + 1),
                    None => yaml::Value::Map(self.fields(fields, depth)?),
                }
            }
            Value::Complex(_) | Value::Function(..) => {
                let of = value.go_type().map_or("nil", |of| of.name);
                let error = if self.through_json { "json: unsupported" } else { "cannot marshal" };
                return Err(format!("{error} type: {of}"));
            }
        };
        Ok(Node::from(value))
    }
}

impl Convert {
    fn nil(&self, kind: Kind) -> yaml::Value {
        match kind {
            Kind::Slice if !self.through_json => yaml::Value::List(Vec::new()),
            Kind::Map if !self.through_json => yaml::Value::Map(yaml::Map::new()),
            _ => yaml::Value::Null,
        }
    }

    fn map(&self, map: &Map, depth: usize) -> Result<yaml::Map, String> {
        let entries = map.entries();
        let mut out = yaml::Map::with_capacity(entries.len());
        for (key, value) in entries.iter() {
            out.insert(text_of(key), self.node(value, depth + 1)?);
        }
        Ok(out)
    }

    /// go-yaml writes the names of fields in small letters.
    fn fields(&self, fields: Vec<(&str, Value)>, depth: usize) -> Result<yaml::Map, String> {
        let mut out = yaml::Map::with_capacity(fields.len());
        for (name, value) in fields {
            let name = if self.through_json { name.to_owned() } else { name.to_lowercase() };
            out.insert(name, self.node(&value, depth + 1)?);
        }
        Ok(out)
    }
}

fn text_of(text: &Text) -> Str {
    match text.as_str() {
        Some(text) => Str::from(text),
        None => unicode::chars(text).collect(),
    }
}

fn base64(bytes: &[u8]) -> Str {
    base64::engine::general_purpose::STANDARD.encode(bytes).into()
}
