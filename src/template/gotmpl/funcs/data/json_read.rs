//! JSON to values, with the words of Go's `encoding/json` for what is wrong.
//!
//! Go feeds its scanner a space at the end of the text, which is why a text that ends too early is
//! told as one that goes on with a space.

use crate::template::gotmpl::unicode;
use crate::template::gotmpl::value::{Entries, Text, Value};

/// A value that was read.
#[derive(Debug)]
pub(super) struct Json {
    /// The value; nil in the place of a number that is too large.
    pub(super) value: Value,
    /// Go's words for the first number that is too large.
    pub(super) overflow: Option<String>,
}

/// Reads one value.
///
/// # Errors
/// Go's words.
pub(super) fn read(text: &[u8]) -> Result<Json, String> {
    let mut reader = Reader { text, at: 0, overflow: None };
    let value = reader.document()?;
    Ok(Json { value, overflow: reader.overflow })
}

/// Go's limit of lists and maps within each other.
const DEPTH: usize = 10_000;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    overflow: Option<String>,
}

/// A list or map of which a part has been read.
enum Open {
    List(Vec<Value>),
    Map(Entries, Text),
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, String> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let Some(mut value) = self.begin(&mut open)? else { continue };
            // what the value ends
            loop {
                let next = self.next();
                match open.last_mut() {
                    None => match next {
                        None => return Ok(value),
                        Some(byte) => return Err(wrong(byte, "after top-level value")),
                    },
                    Some(Open::List(items)) => {
                        items.push(value);
                        match self.expect(next, "after array element", b",]")? {
                            b',' => break,
                            _ => value = Value::list(std::mem::take(items)),
                        }
                    }
                    Some(Open::Map(entries, key)) => {
                        entries.insert(std::mem::take(key), value);
                        match self.expect(next, "after object key:value pair", b",}")? {
                            b',' => {
                                *key = self.key(b"\"")?.unwrap_or_default();
                                break;
                            }
                            _ => value = Value::map(std::mem::take(entries)),
                        }
                    }
                }
                open.pop();
            }
        }
    }

    /// A value, or nothing where a list or map begins that is not empty.
    fn begin(&mut self, open: &mut Vec<Open>) -> Result<Option<Value>, String> {
        let Some(byte) = self.next() else { return Err(too_short()) };
        if matches!(byte, b'{' | b'[') && open.len() >= DEPTH {
            return Err(wrong(byte, "exceeded max depth"));
        }
        Ok(Some(match byte {
            b'{' => match self.key(b"\"}")? {
                None => Value::map(Entries::new()),
                Some(key) => {
                    open.push(Open::Map(Entries::new(), key));
                    return Ok(None);
                }
            },
            b'[' => {
                if self.next() == Some(b']') {
                    Value::list([])
                } else {
                    self.at -= 1;
                    open.push(Open::List(Vec::new()));
                    return Ok(None);
                }
            }
            b'"' => Value::Text(self.string()?),
            b't' => self.literal("true", Value::Bool(true))?,
            b'f' => self.literal("false", Value::Bool(false))?,
            b'n' => self.literal("null", Value::Nil)?,
            b'-' | b'0'..=b'9' => self.number(byte)?,
            other => return Err(wrong(other, "looking for beginning of value")),
        }))
    }

    /// The key and the colon behind it, or nothing at the end of an empty map.
    fn key(&mut self, allowed: &[u8]) -> Result<Option<Text>, String> {
        let next = self.next();
        if self.expect(next, "looking for beginning of object key string", allowed)? == b'}' {
            return Ok(None);
        }
        let key = self.string()?;
        let next = self.next();
        self.expect(next, "after object key", b":")?;
        Ok(Some(key))
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*byte);
            }
        }
        self.at += 1;
        None
    }

    #[expect(clippy::unused_self, reason = "reads as what the reader does")]
    fn expect(&self, next: Option<u8>, context: &str, allowed: &[u8]) -> Result<u8, String> {
        let byte = next.ok_or_else(too_short)?;
        if allowed.contains(&byte) { Ok(byte) } else { Err(wrong(byte, context)) }
    }

    /// The byte at this place, and the space that Go sees behind the end.
    fn here(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.bytes().skip(1) {
            let found = self.here();
            if found != expected {
                let expected = char::from(expected);
                return Err(wrong(found, &format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self, first: u8) -> Result<Value, String> {
        let start = self.at - 1;
        let first = if first == b'-' { self.digit("in numeric literal")? } else { first };
        if first != b'0' {
            self.digits();
        }
        if self.here() == b'.' {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
            self.digits();
        }
        if matches!(self.here(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.here(), b'+' | b'-') {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.digits();
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).expect("digits are ASCII");
        let float: f64 = text.parse().expect("it has the form of a number");
        if float.is_infinite() {
            self.overflow.get_or_insert_with(|| {
                format!("json: cannot unmarshal number {text} into Go value of type float64")
            });
            return Ok(Value::Nil);
        }
        Ok(Value::float(float))
    }

    fn digit(&mut self, context: &str) -> Result<u8, String> {
        let byte = self.here();
        self.at += 1;
        if byte.is_ascii_digit() { Ok(byte) } else { Err(wrong(byte, context)) }
    }

    fn digits(&mut self) {
        while self.here().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// The text up to the closing quote; the opening one has been read.
    fn string(&mut self) -> Result<Text, String> {
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.at.min(self.text.len())..];
            let plain = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'));
            let plain = plain.unwrap_or(rest.len());
            push(&mut out, &rest[..plain]);
            self.at += plain;
            let Some(byte) = self.text.get(self.at) else { return Err(too_short()) };
            self.at += 1;
            match byte {
                b'"' => return Ok(out.into()),
                b'\\' => self.escape(&mut out)?,
                control => return Err(wrong(*control, "in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let byte = self.here();
        self.at += 1;
        out.push(match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'/' => byte,
            b'u' => {
                let mut code = self.code()?;
                if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
                    // the second half of a pair, or another escape
                    let before = self.at;
                    self.at += 2;
                    let low = self.code()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = before;
                    }
                }
                let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            other => return Err(wrong(other, "in string escape code")),
        });
        Ok(())
    }

    fn code(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.here();
            let digit = char::from(byte).to_digit(16);
            let in_escape = || wrong(byte, "in \\u hexadecimal character escape");
            code = code << 4 | digit.ok_or_else(in_escape)?;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Appends a text, U+FFFD in the place of each byte that is no UTF-8.
fn push(out: &mut Vec<u8>, text: &[u8]) {
    if std::str::from_utf8(text).is_ok() {
        out.extend_from_slice(text);
    } else {
        let text: String = unicode::chars(text).collect();
        out.extend_from_slice(text.as_bytes());
    }
}

fn too_short() -> String {
    "unexpected end of JSON input".to_owned()
}

/// Go shows a byte as the character of that number.
fn wrong(byte: u8, context: &str) -> String {
    let shown = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let char = char::from(byte);
            let quoted = crate::template::gotmpl::fmt::quote::quote(
                char.encode_utf8(&mut [0; 4]).as_bytes(),
            );
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    };
    format!("invalid character {shown} {context}")
}
