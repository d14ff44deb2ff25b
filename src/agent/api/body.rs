//! Request bodies: read with a limit and a deadline, then parsed as JSON or YAML.

use super::custom;
use super::kind::Kind;
use super::protobuf;
use super::status::Status;
use crate::base::source::Span;
use crate::yaml::{Entry, FieldPath, Map, Node, Str};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

/// No body may have more bytes.
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;

/// A body must have arrived after this time.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a body may be, as the answer to one that is not says it.
const MEDIA: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media type of Kubernetes' protobuf.
pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Reads a body. One that is too large is read on for a while, so that a client which first sends
/// and then listens gets its answer.
pub(crate) async fn read(headers: &HeaderMap, mut body: Incoming) -> Result<Bytes, Status> {
    let reading = async {
        let mut bytes = BytesMut::new();
        let mut total = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Status::bad_request("the body was cut short"))?;
            let Ok(data) = frame.into_data() else { continue };
            total += data.len();
            if total <= LIMIT {
                bytes.extend_from_slice(&data);
            } else if total > 4 * LIMIT {
                break;
            }
        }
        if total > LIMIT { Err(Status::too_large()) } else { Ok(bytes.freeze()) }
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > 4 * LIMIT) {
        return Err(Status::too_large());
    }
    tokio::time::timeout(DEADLINE, reading)
        .await
        .unwrap_or_else(|_| Err(Status::bad_request("the body took too long to arrive")))
}

/// The media type of a body, without parameters, in small letters.
pub(crate) fn media(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A parsed body.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// What strict reading finds wrong: keys that stood in their map more than once.
    pub(crate) strict: Vec<String>,
}

/// Parses the body of a create or update.
pub(crate) fn parse(kind: &Kind, headers: &HeaderMap, body: &[u8]) -> Result<Parsed, Status> {
    if !custom::is_readable(kind, headers) {
        return Err(Status::unsupported_media("application/json, application/yaml"));
    }
    let parsed = parse_as(&kind.api_version(), &kind.kind, headers, body)?;
    if kind.definition.is_some() {
        custom::require_head(kind, &parsed.node, body)?;
    }
    Ok(parsed)
}

/// Parses a body that holds an object of a kind.
pub(crate) fn parse_as(
    api_version: &str,
    kind: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Parsed, Status> {
    match media(headers).as_str() {
        "" | "application/json" | "*/*" => json(kind, body),
        "application/yaml" => yaml(kind, body),
        PROTOBUF => protobuf((api_version, kind), body),
        _ => Err(Status::unsupported_media(MEDIA)),
    }
}

/// Parses Kubernetes' protobuf.
fn protobuf(kind: (&str, &str), body: &[u8]) -> Result<Parsed, Status> {
    let (node, unknown) = protobuf::decode(body, kind).map_err(|error| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {error}",
            kind.1
        ))
    })?;
    Ok(Parsed { node, strict: unknown })
}

fn unreadable(kind: &str, why: &str) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
         json parse error: {why}"
    ))
}

/// Parses JSON; it must hold an object.
pub(crate) fn json(kind: &str, body: &[u8]) -> Result<Parsed, Status> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(unreadable(kind, "unexpected end of JSON input (<empty>)"));
    }
    let parsed = json_value(body).map_err(|error| unreadable(kind, &error.to_string()))?;
    if parsed.node.as_map().is_none() {
        let what = parsed.node.kind();
        let why = format!("json: cannot unmarshal {what} into Go value of type struct");
        return Err(unreadable(kind, &why));
    }
    for field in ["kind", "apiVersion"] {
        let said = parsed.node.get(field).filter(|node| node.as_str().is_none() && !node.is_null());
        if let Some(what) = said.map(Node::kind) {
            let why = format!(
                "json: cannot unmarshal {what} into Go struct field .{field} of type string"
            );
            return Err(unreadable(kind, &why));
        }
    }
    Ok(parsed)
}

/// Parses any JSON value.
pub(crate) fn json_value(body: &[u8]) -> Result<Parsed, serde_json::Error> {
    let reader = Reader::default();
    let mut source = serde_json::Deserializer::from_slice(body);
    let node = Seed(&reader).deserialize(&mut source)?;
    source.end()?;
    Ok(Parsed { node, strict: reader.duplicates.into_inner() })
}

/// What Go says of JSON that it cannot read.
pub(crate) fn go_error(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let found = line.and_then(|line| line.get(error.column().saturating_sub(1)));
    match found {
        Some(byte) if error.is_syntax() => {
            format!("invalid character {:?} looking for beginning of value", char::from(*byte))
        }
        _ => error.to_string(),
    }
}

/// Parses YAML; it must hold a mapping.
pub(crate) fn yaml(kind: &str, body: &[u8]) -> Result<Parsed, Status> {
    let wrong = |why: &dyn fmt::Display| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why}"
        ))
    };
    let text = std::str::from_utf8(body).map_err(|error| wrong(&error))?;
    let node = crate::yaml::parse_text(text).map_err(|faults| wrong(&faults))?;
    if node.as_map().is_none() {
        return Err(wrong(&format_args!("a mapping is expected, not a {}", node.kind())));
    }
    Ok(Parsed { node, strict: Vec::new() })
}

/// Where the reader is, and which keys it met twice.
#[derive(Default)]
struct Reader {
    path: RefCell<FieldPath>,
    duplicates: RefCell<Vec<String>>,
}

/// Reads one value as a node, like [`Node`]'s own reading, and notes keys given twice.
struct Seed<'a>(&'a Reader);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::NULL)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        loop {
            self.0.path.borrow_mut().push_index(items.len());
            let item = access.next_element_seed(Seed(self.0))?;
            self.0.path.borrow_mut().pop();
            let Some(item) = item else { return Ok(items.into()) };
            items.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<Str>()? {
            self.0.path.borrow_mut().push_key(&key);
            let value = access.next_value_seed(Seed(self.0))?;
            if map.insert_entry(Entry { key, key_span: Span::NONE, value }).is_some() {
                let path = self.0.path.borrow().to_string();
                self.0.duplicates.borrow_mut().push(format!("duplicate field {path:?}"));
            }
            self.0.path.borrow_mut().pop();
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_noted_with_their_paths() {
        let body = br#"{"data":{"k":"1","k":"2"},"rules":[{"a":1},{"a":1,"a":2}],"x":1,"x":2}"#;
        let parsed = json_value(body).expect("is JSON");
        let noted = ["data.k", "rules[1].a", "x"].map(|path| format!("duplicate field {path:?}"));
        assert_eq!(parsed.strict, noted);
        assert_eq!(parsed.node.str_at(&["data", "k"]), Some("2"));
    }

    #[test]
    fn deep_and_broken_bodies_are_refused() {
        let deep = "[".repeat(100_000);
        assert!(json_value(deep.as_bytes()).is_err());
        for bad in ["", " ", "{", "[]", "\"a\"", "{} {}", "{\"a\":}", "{\"kind\":1}"] {
            assert!(json("ConfigMap", bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
