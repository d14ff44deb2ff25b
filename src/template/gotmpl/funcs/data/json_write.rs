//! Values to JSON, with the bytes of Go's `encoding/json`.

use super::super::equal::DEPTH;
use crate::template::gotmpl::fmt;
use crate::template::gotmpl::value::{Map, Value};
use crate::yaml::json::{float, write_escaped};
use base64::Engine;
use std::fmt::Write;

/// How to write.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    /// Leaves `<`, `>` and `&` as they are.
    pub(super) raw: bool,
    /// Each item and entry in a line of its own.
    pub(super) pretty: bool,
}

/// Writes a value.
///
/// # Errors
/// Go's words for what JSON cannot hold.
pub(super) fn write(value: &Value, style: Style) -> Result<String, String> {
    let mut writer = Writer { out: String::new(), style, depth: 0, open: Vec::new() };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    style: Style,
    depth: usize,
    /// The maps around what is written, once they are suspiciously many.
    open: Vec<Map>,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Nil | Value::NilOf(_) => self.out.push_str("null"),
            Value::Bool(bool) => self.out.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int, _) => {
                let _ = write!(self.out, "{int}");
            }
            Value::Uint(int, _) => {
                let _ = write!(self.out, "{int}");
            }
            Value::Float(number, _) if !number.is_finite() => return Err(unsupported(*number)),
            Value::Float(number, _) => self.out.push_str(&float(*number)),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => {
                let packed = base64::engine::general_purpose::STANDARD.encode(&**bytes);
                let _ = write!(self.out, "\"{packed}\"");
            }
            Value::List(list) => {
                self.open('[')?;
                for (index, item) in list.iter().enumerate() {
                    self.separate(index);
                    self.value(item)?;
                }
                self.close(']', list.is_empty());
            }
            Value::Map(map) => self.map(map)?,
            Value::Object(object) => match object.encoded() {
                Some(encoded) => self.value(&encoded)?,
                None => {
                    let fields = object.encoded_fields();
                    self.open('{')?;
                    for (index, (name, value)) in fields.iter().enumerate() {
                        self.separate(index);
                        self.key(name.as_bytes());
                        self.value(value)?;
                    }
                    self.close('}', fields.is_empty());
                }
            },
            Value::Complex(_) | Value::Function(..) => {
                let of = value.go_type().map_or("nil", |of| of.name);
                return Err(format!("json: unsupported type: {of}"));
            }
        }
        Ok(())
    }

    fn map(&mut self, map: &Map) -> Result<(), String> {
        let suspicious = self.depth > DEPTH;
        if suspicious {
            if self.open.iter().any(|open| open.is(map)) {
                let of = map.go_type();
                return Err(format!("json: unsupported value: encountered a cycle via {of}"));
            }
            self.open.push(map.clone());
        }
        let entries = map.entries();
        self.open('{')?;
        for (index, (key, value)) in entries.iter().enumerate() {
            self.separate(index);
            self.key(key);
            self.value(value)?;
        }
        self.close('}', entries.is_empty());
        if suspicious {
            self.open.pop();
        }
        Ok(())
    }

    fn open(&mut self, bracket: char) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH * 10 {
            return Err("json: unsupported value: it is nested too deep".to_owned());
        }
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: char, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.new_line();
        }
        self.out.push(bracket);
    }

    /// Goes to the place of an item or entry.
    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if self.style.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn key(&mut self, key: &[u8]) {
        self.text(key);
        self.out.push_str(if self.style.pretty { ": " } else { ":" });
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push('"');
        for chunk in text.utf8_chunks() {
            write_escaped(chunk.valid(), !self.style.raw, &mut self.out);
            for _ in chunk.invalid() {
                self.out.push_str("\\ufffd");
            }
        }
        self.out.push('"');
    }
}

/// Go's words for a number that JSON has not.
pub(super) fn unsupported(number: f64) -> String {
    format!("json: unsupported value: {}", fmt::float::shortest(number))
}
