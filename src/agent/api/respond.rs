//! Answers: JSON or YAML bodies, compressed when they are large, with warnings in headers.

use super::negotiate::Encoding;
use super::status::Status;
use crate::yaml::Node;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY, WARNING};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::convert::Infallible;
use std::io::Write;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub(crate) type Reply = Response<Body>;

/// Smaller bodies are not compressed; the limit is Kubernetes' own.
const COMPRESS_FROM: usize = 128 * 1024;

/// An answer of some bytes.
pub(crate) fn bytes(code: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()).boxed_unsync());
    *reply.status_mut() = code;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    reply
}

/// An answer without a body.
pub(crate) fn empty(code: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default().boxed_unsync());
    *reply.status_mut() = code;
    reply
}

/// An answer in plain text.
pub(crate) fn text(code: StatusCode, body: impl Into<Bytes>) -> Reply {
    bytes(code, "text/plain; charset=utf-8", body)
}

/// An answer with an object.
pub(crate) fn node(code: StatusCode, encoding: Encoding, node: &Node) -> Reply {
    match encoding {
        Encoding::Json => json(code, node),
        Encoding::Yaml => {
            let text = crate::yaml::emit::to_string(node, &crate::yaml::emit::Style::default());
            bytes(code, "application/yaml", text)
        }
    }
}

/// An answer with anything that serializes to JSON.
pub(crate) fn json(code: StatusCode, value: &impl Serialize) -> Reply {
    let mut body = serde_json::to_vec(value).expect("a node has text keys only");
    body.push(b'\n');
    bytes(code, "application/json", body)
}

/// An answer that says why not.
pub(crate) fn status(status: &Status) -> Reply {
    json(status.code, &status.to_node())
}

/// Adds warnings, each once.
pub(crate) fn warn(reply: &mut Reply, warnings: &[String]) {
    /// So many bytes of warnings are sent at most.
    const LIMIT: usize = 4096;
    let mut total = 0;
    let mut seen: Vec<&str> = Vec::new();
    for warning in warnings {
        total += warning.len();
        if seen.contains(&warning.as_str()) || total > LIMIT {
            continue;
        }
        seen.push(warning);
        let plain: String = warning.chars().filter(|c| !c.is_control()).collect();
        let quoted = plain.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            reply.headers_mut().append(WARNING, value);
        }
    }
}

/// Compresses the body of an answer that is known whole and large.
pub(crate) async fn compress(reply: Reply) -> Reply {
    let size = hyper::body::Body::size_hint(reply.body()).exact().unwrap_or(0);
    if size < COMPRESS_FROM as u64 {
        return reply;
    }
    let (mut parts, body) = reply.into_parts();
    let Ok(body) = body.collect().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(&body.to_bytes()).and_then(|()| encoder.finish());
    let packed = packed.expect("writing to memory does not fail");
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(parts, Full::new(Bytes::from(packed)).boxed_unsync())
}

/// An object as an item of a list: without `apiVersion` and `kind`, which the list tells.
pub(crate) struct Item<'a>(pub(crate) &'a Node);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for entry in self.0.as_map().into_iter().flatten() {
            if entry.key != "kind" && entry.key != "apiVersion" {
                map.serialize_entry(entry.key.as_str(), &entry.value)?;
            }
        }
        map.end()
    }
}
