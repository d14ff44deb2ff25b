//! Bodies in Kubernetes' protobuf, as newer client libraries send them: decoded to the same nodes
//! that JSON gives. Answers are never protobuf; every reader of it also takes JSON.
//!
//! ```text
//! "k8s\0"  Unknown { typeMeta { apiVersion, kind }, raw, contentEncoding, contentType }
//!                                                    └─ the message of that kind
//! ```
//!
//! Wire types: <https://protobuf.dev/programming-guides/encoding/>. Fields that the table of
//! messages does not know come back as faults, as unknown fields of JSON do.

mod messages;

use crate::base::clock::rfc3339_seconds;
use crate::yaml::{Map, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compact_str::CompactString;
use jiff::Timestamp;
use messages::{Field, Kind, Message, Messages, Shape};

/// What every body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// Messages nested deeper than this are refused; Kubernetes' own are at most 15 deep.
const DEPTH: usize = 64;

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Prefix,
    #[error("unexpected EOF")]
    Short,
    #[error("proto: illegal wireType")]
    WireType,
    #[error("proto: integer overflow")]
    Overflow,
    #[error("the message is nested too deep")]
    Depth,
    #[error("a text is not UTF-8")]
    Utf8,
    #[error("raw JSON in the message cannot be read")]
    Json,
    #[error("no message is known for this apiVersion and kind")]
    Kind,
    #[error("the encoding of the content is not supported")]
    Encoding,
}

/// Decodes a body; without a type of its own it is taken for `default`. Unknown fields come back
/// by the number they have in their message.
pub(crate) fn decode(body: &[u8], default: (&str, &str)) -> Result<(Node, Vec<String>), Malformed> {
    let mut envelope = Reader(body.strip_prefix(MAGIC).ok_or(Malformed::Prefix)?);
    let (mut raw, mut api_version, mut kind) = (&[][..], "", "");
    while let Some((number, value)) = envelope.field()? {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                let mut meta = Reader(bytes);
                while let Some((number, value)) = meta.field()? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            (3, Wire::Bytes(bytes)) if !bytes.is_empty() => return Err(Malformed::Encoding),
            _ => {}
        }
    }
    let (wanted_version, wanted_kind) = (
        if api_version.is_empty() { default.0 } else { api_version },
        if kind.is_empty() { default.1 } else { kind },
    );
    let messages = Messages::get();
    let message = messages.of(wanted_version, wanted_kind).ok_or(Malformed::Kind)?;
    let mut decoder = Decoder { messages, unknown: Vec::new(), depth: 0 };
    let mut node = Map::new();
    node.insert("kind", wanted_kind);
    node.insert("apiVersion", wanted_version);
    decoder.fields(raw, message, &mut node)?;
    Ok((node.into(), decoder.unknown))
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

/// A value as it is on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                return Err(Malformed::Overflow);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Overflow)
    }

    /// The next field: its number and its value; nothing at the end.
    fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed::Overflow)?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Short)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            _ => return Err(Malformed::WireType),
        };
        Ok(Some((number, value)))
    }
}

struct Decoder {
    messages: &'static Messages,
    unknown: Vec<String>,
    depth: usize,
}

impl Decoder {
    /// Decodes the fields of a message into a map.
    fn fields(&mut self, bytes: &[u8], message: &Message, into: &mut Map) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Malformed::Depth);
        }
        let mut reader = Reader(bytes);
        while let Some((number, value)) = reader.field()? {
            let Some(field) = message.field(number) else {
                self.unknown.push(format!("unknown field \"{}#{number}\"", message.name));
                continue;
            };
            self.field(field, value, into)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn field(&mut self, field: &Field, value: Wire, into: &mut Map) -> Result<(), Malformed> {
        match field.shape {
            Shape::One => {
                if field.inline
                    && let (Kind::Message(name), Wire::Bytes(bytes)) = (&field.kind, value)
                {
                    return self.fields(bytes, self.message(name)?, into);
                }
                let node = self.value(&field.kind, value)?;
                let absent = node.is_null() || field.omits_zero && is_zero(&node);
                if !absent {
                    into.insert(field.name.clone(), node);
                }
            }
            Shape::List => {
                let item = self.value(&field.kind, value)?;
                let list = into.get_or_insert(&field.name, || Node::from(Vec::<Node>::new()));
                list.as_list_mut().expect("the field is a list").push(item);
            }
            Shape::Map => {
                let Wire::Bytes(bytes) = value else { return Err(Malformed::WireType) };
                let mut reader = Reader(bytes);
                let (mut key, mut entry) = (CompactString::default(), None);
                while let Some((number, value)) = reader.field()? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => key = text(bytes)?.into(),
                        (2, value) => entry = Some(self.value(&field.kind, value)?),
                        _ => {}
                    }
                }
                let entry = entry.unwrap_or_else(|| zero(&field.kind));
                into.get_or_insert(&field.name, Node::map).ensure_map().insert(key, entry);
            }
        }
        Ok(())
    }

    fn message(&self, name: &str) -> Result<&'static Message, Malformed> {
        self.messages.named(name).ok_or(Malformed::Kind)
    }

    fn value(&mut self, kind: &Kind, value: Wire) -> Result<Node, Malformed> {
        Ok(match (kind, value) {
            (Kind::Text, Wire::Bytes(bytes)) => text(bytes)?.into(),
            (Kind::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
            (Kind::Bool, Wire::Varint(number)) => (number != 0).into(),
            (Kind::Integer, Wire::Varint(number)) => number.cast_signed().into(),
            (Kind::Double, Wire::Fixed64(bits)) => f64::from_bits(bits).into(),
            (Kind::Message(name), Wire::Bytes(bytes)) => self.nested(name, bytes)?,
            _ => return Err(Malformed::WireType),
        })
    }

    fn nested(&mut self, name: &str, bytes: &[u8]) -> Result<Node, Malformed> {
        match name.rsplit('.').next().unwrap_or_default() {
            "Time" | "MicroTime" => return time(bytes, name.ends_with("MicroTime")),
            "Quantity" => return Ok(only(bytes)?.map_or("0".into(), Node::from)),
            "IntOrString" => return int_or_string(bytes),
            "FieldsV1" | "RawExtension" => {
                let raw = only(bytes)?.unwrap_or("null");
                return serde_json::from_str(raw).map_err(|_| Malformed::Json);
            }
            _ => {}
        }
        let message = self.message(name)?;
        let mut map = Map::new();
        self.fields(bytes, message, &mut map)?;
        if message.list {
            return Ok(map.remove("items").unwrap_or_else(|| Vec::<Node>::new().into()));
        }
        Ok(map.into())
    }
}

/// The first field of a message, as text.
fn only(bytes: &[u8]) -> Result<Option<&str>, Malformed> {
    let mut reader = Reader(bytes);
    while let Some((number, value)) = reader.field()? {
        if let (1, Wire::Bytes(bytes)) = (number, value) {
            return text(bytes).map(Some);
        }
    }
    Ok(None)
}

/// A time; that of an empty message is none.
fn time(bytes: &[u8], micro: bool) -> Result<Node, Malformed> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader(bytes);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Wire::Varint(value)) => seconds = value.cast_signed(),
            (2, Wire::Varint(value)) => nanos = value.cast_signed(),
            _ => {}
        }
    }
    if bytes.is_empty() {
        return Ok(Node::NULL);
    }
    let nanos = i32::try_from(nanos).map_err(|_| Malformed::Overflow)?;
    let time = Timestamp::new(seconds, nanos).map_err(|_| Malformed::Overflow)?;
    if micro {
        return Ok(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into());
    }
    Ok(rfc3339_seconds(time).into())
}

fn int_or_string(bytes: &[u8]) -> Result<Node, Malformed> {
    let (mut is_text, mut number, mut said) = (false, 0_i64, "");
    let mut reader = Reader(bytes);
    while let Some((field, value)) = reader.field()? {
        match (field, value) {
            (1, Wire::Varint(value)) => is_text = value == 1,
            (2, Wire::Varint(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => said = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { said.into() } else { number.into() })
}

fn is_zero(node: &Node) -> bool {
    node.as_str() == Some("") || node.as_bool() == Some(false) || node.as_i64() == Some(0)
}

fn zero(kind: &Kind) -> Node {
    match kind {
        Kind::Text | Kind::Bytes => "".into(),
        Kind::Bool => false.into(),
        Kind::Integer | Kind::Double => 0.into(),
        Kind::Message(_) => Node::map(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).expect("a short field")];
        out.extend(bytes);
        out
    }

    fn body(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &meta), &field(2, raw)].concat()
    }

    #[test]
    fn messages_become_objects() {
        let metadata =
            [field(1, b"a"), field(2, b""), field(8, b""), field(11, &field(1, b"k"))].concat();
        let pair = [field(1, b"user"), field(2, b"me")].concat();
        let raw = [field(1, &metadata), field(2, &pair), vec![5 << 3, 0], field(3, b"Opaque")];
        let raw = [raw.concat(), field(9, b"?")].concat();
        let (node, unknown) = decode(&body("v1", "Secret", &raw), ("", "")).expect("decodes");
        let expected = serde_json::json!({
            "kind": "Secret", "apiVersion": "v1", "immutable": false, "type": "Opaque",
            "metadata": {"name": "a", "labels": {"k": ""}}, "data": {"user": "bWU="},
        });
        assert_eq!(node, Node::from(expected));
        assert_eq!(unknown, ["unknown field \"io.k8s.api.core.v1.Secret#9\""]);
    }

    #[test]
    fn no_bytes_panic() {
        let raw = [field(1, &field(8, &[8, 1, 16, 2])), field(2, b"\x0a\x01k")].concat();
        let whole = body("v1", "ConfigMap", &raw);
        assert!(decode(&whole, ("", "")).is_ok());
        for cut in 0..whole.len() {
            let _ = decode(&whole[..cut], ("v1", "ConfigMap"));
            for byte in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[cut] = byte;
                let _ = decode(&changed, ("v1", "ConfigMap"));
            }
        }
        assert_eq!(decode(b"{}", ("", "")), Err(Malformed::Prefix));
        assert_eq!(decode(&body("v1", "None", b""), ("", "")), Err(Malformed::Kind));
        let endless = [&b"k8s\0"[..], &[0x12; 12]].concat();
        assert!(decode(&endless, ("v1", "Pod")).is_err());
    }

    #[test]
    fn every_reference_leads_to_a_message() {
        let messages = Messages::get();
        let pod = messages.of("v1", "Pod").expect("a pod is known");
        assert_eq!(pod.field(2).map(|field| field.name.as_str()), Some("spec"));
        assert!(messages.of("v1", "DeleteOptions").is_some());
    }
}
