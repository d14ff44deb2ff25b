//! Values to TOML, with the bytes of BurntSushi's encoder: what is no table comes first, each table
//! is indented below its own, and nil is left out.

use super::super::equal::DEPTH;
use super::super::strval::{kind_of, printed};
use crate::template::gotmpl::fmt;
use crate::template::gotmpl::function::Failure;
use crate::template::gotmpl::go_type::{self, Kind};
use crate::template::gotmpl::time::Time;
use crate::template::gotmpl::time::zone::Zone;
use crate::template::gotmpl::value::{Text, Value};
use std::fmt::Write;

/// Writes a value.
///
/// # Errors
/// The inner error is the encoder's, which `toToml` gives as its text; the outer one is a panic.
pub(super) fn write(value: &Value) -> Result<Result<Vec<u8>, String>, Failure> {
    if matches!(value, Value::Nil) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let mut writer = Writer::default();
    Ok(writer.encode(&Key::default(), value).map(|()| writer.out))
}

/// What the encoder takes a value for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Nil,
    Scalar,
    Array,
    Tables,
    Table,
}

/// The path to a value.
#[derive(Clone, Default)]
struct Key(Vec<Text>);

impl Key {
    fn with(&self, part: &Text) -> Key {
        Key(self.0.iter().chain([part]).cloned().collect())
    }

    fn indent(&self) -> String {
        "  ".repeat(self.0.len().saturating_sub(1))
    }
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    depth: usize,
}

impl Writer {
    fn encode(&mut self, key: &Key, value: &Value) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("toml: the value is nested too deep or holds itself".to_owned());
        }
        if matches!(value, Value::Complex(_) | Value::Function(..)) {
            let kind = kind_of(value).name();
            return Err(format!("unsupported type for key '{}': {kind}", path(&key.0)));
        }
        match of(value)? {
            Type::Nil if kind_of(value) == Kind::Slice => self.pair(key, value, false)?,
            Type::Nil => {}
            Type::Scalar | Type::Array => self.pair(key, value, false)?,
            Type::Tables => self.tables(key, value)?,
            Type::Table => {
                if key.0.len() == 1 {
                    self.new_line();
                }
                if !key.0.is_empty() {
                    let _ = write!(self.text(), "{}[{}]", key.indent(), path(&key.0));
                    self.new_line();
                }
                self.entries(key, value)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn tables(&mut self, key: &Key, value: &Value) -> Result<(), String> {
        if key.0.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        for table in super::super::lists::items(value).unwrap_or_default().iter() {
            self.new_line();
            let _ = write!(self.text(), "{}[[{}]]", key.indent(), path(&key.0));
            self.new_line();
            self.entries(key, table)?;
        }
        Ok(())
    }

    /// The entries of a table, each in a line of its own or below a header.
    fn entries(&mut self, key: &Key, value: &Value) -> Result<(), String> {
        let (direct, tables) = divided(value)?;
        for (name, value) in direct.iter().chain(&tables) {
            if !is_nil(value) {
                self.encode(&key.with(name), value)?;
            }
        }
        Ok(())
    }

    /// The entries of a table in braces. Where nil is left out, its comma may stay.
    fn inline(&mut self, value: &Value) -> Result<(), String> {
        let (direct, tables) = divided(value)?;
        self.out.push(b'{');
        for (entries, more) in [(&direct, !tables.is_empty()), (&tables, false)] {
            for (index, (name, value)) in entries.iter().enumerate() {
                if is_nil(value) {
                    continue;
                }
                self.pair(&Key(vec![name.clone()]), value, true)?;
                if more || index + 1 < entries.len() {
                    self.out.extend_from_slice(b", ");
                }
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn pair(&mut self, key: &Key, value: &Value, inline: bool) -> Result<(), String> {
        let Some(name) = key.0.last() else { return self.element(value) };
        let _ = write!(self.text(), "{}{} = ", key.indent(), path(std::slice::from_ref(name)));
        self.element(value)?;
        if !inline {
            self.new_line();
        }
        Ok(())
    }

    fn element(&mut self, value: &Value) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("toml: the value is nested too deep or holds itself".to_owned());
        }
        match value {
            Value::Text(text) => quote(text, self.text()),
            Value::Bool(bool) => self.out.extend_from_slice(if *bool { b"true" } else { b"false" }),
            Value::Int(_, of) if of.name == "time.Duration" => {
                let printed = printed(value).map_err(|failure| failure.message.to_string())?;
                quote(&printed, self.text());
            }
            Value::Int(int, _) => {
                let _ = write!(self.text(), "{int}");
            }
            Value::Uint(int, _) => {
                let _ = write!(self.text(), "{int}");
            }
            Value::Float(number, _) => self.out.extend_from_slice(float(*number).as_bytes()),
            Value::Map(_) => self.inline(value)?,
            Value::Object(object) => match object.encoded() {
                Some(Value::Text(text)) => match object.as_any().downcast_ref::<Time>() {
                    Some(time) => self.out.extend(date(time)),
                    None => quote(&text, self.text()),
                },
                _ => self.inline(value)?,
            },
            _ => match super::super::lists::items(value) {
                Some(items) => {
                    self.out.push(b'[');
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            self.out.extend_from_slice(b", ");
                        }
                        self.element(item)?;
                    }
                    self.out.push(b']');
                }
                None => return Err(format!("unexpected type: {}", type_name(value))),
            },
        }
        self.depth -= 1;
        Ok(())
    }

    /// Ends a line, if there is one.
    fn new_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn text(&mut self) -> Output<'_> {
        Output(&mut self.out)
    }
}

/// Where texts are written to.
struct Output<'a>(&'a mut Vec<u8>);

impl Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Entries of a table, and those that are tables themselves.
type Entries = Vec<(Text, Value)>;

fn divided(value: &Value) -> Result<(Entries, Entries), String> {
    let all: Entries = match value {
        Value::Map(map) => {
            map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        Value::Object(object) => {
            object.fields().into_iter().map(|(name, value)| (Text::from(name), value)).collect()
        }
        _ => Vec::new(),
    };
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for entry in all {
        match of(&entry.1)? {
            Type::Table | Type::Tables => tables.push(entry),
            _ => direct.push(entry),
        }
    }
    Ok((direct, tables))
}

fn of(value: &Value) -> Result<Type, String> {
    Ok(match value {
        Value::Nil => Type::Nil,
        Value::NilOf(_) if is_nil(value) => Type::Nil,
        Value::Map(_) => Type::Table,
        Value::Object(object) if !matches!(object.encoded(), Some(Value::Text(_))) => Type::Table,
        Value::Complex(_) | Value::Function(..) => {
            return Err(format!("unsupported type: {}", kind_of(value).name()));
        }
        Value::List(list) => {
            let mut tables = !list.is_empty();
            for item in list.iter() {
                match of(item)? {
                    Type::Nil => {
                        return Err("toml: cannot encode array with nil element".to_owned());
                    }
                    found => tables &= found == Type::Table,
                }
            }
            if tables { Type::Tables } else { Type::Array }
        }
        Value::Bytes(_) => Type::Array,
        _ => Type::Scalar,
    })
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::NilOf(of) => {
            matches!(of.kind, Kind::Map | Kind::Slice | Kind::Ptr | Kind::Interface)
        }
        _ => false,
    }
}

fn type_name(value: &Value) -> &'static str {
    value.go_type().unwrap_or(&go_type::ANY).name
}

/// A number that has a point or an exponent.
fn float(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = fmt::float::shortest(number);
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

/// A date; one that was read without an offset is written without.
fn date(time: &Time) -> Vec<u8> {
    let layout: &[u8] = match time.zone.name() {
        "datetime-local" => b"2006-01-02T15:04:05.999999999",
        "date-local" => b"2006-01-02",
        "time-local" => b"15:04:05.999999999",
        _ => return time.format(b"2006-01-02T15:04:05.999999999Z07:00"),
    };
    time.to(Zone::Utc).format(layout)
}

/// A path with dots, its parts in quotes where they need them.
pub(super) fn path(parts: &[Text]) -> String {
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !part.is_empty() && part.iter().all(bare) {
            out.extend_from_slice(part);
        } else {
            quote(part, Output(&mut out));
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn quote(text: &[u8], out: Output<'_>) {
    let out = out.0;
    out.push(b'"');
    for byte in text {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            8 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            12 => "\\f",
            b'\r' => "\\r",
            0..=0x1f | 0x7f => {
                let _ = write!(Output(out), "\\u{byte:04x}");
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(short.as_bytes());
    }
    out.push(b'"');
}
