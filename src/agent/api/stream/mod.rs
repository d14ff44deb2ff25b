//! Ports of a Pod, forwarded to a client.
//!
//! ```text
//! GET …/portforward            WebSocket that carries a SPDY/3.1 session         (port, spdy)
//! POST …/portforward           SPDY/3.1 at once, as older clients do it
//! ```
//!
//! A connection is upgraded before the node is asked, as in Kubernetes: what the node refuses is
//! then told in the protocol of the stream.

mod port;
mod spdy;
mod tunnel;

pub(super) use port::forward;

use super::respond::{self, Reply};
use super::status::Status;
use super::streams::NodeStreams;
use super::verb::Request;
use crate::yaml::Node;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// What a client may send in one message.
const MESSAGE_LIMIT: usize = 1 << 20;

/// A WebSocket of a client.
type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The Pod of a request, and the node that runs it.
fn pod(request: &Request) -> Result<(Node, Arc<dyn NodeStreams>), Status> {
    let kind = request.kind();
    let found = request.api.store.get(&kind.key(request.namespace(), request.name()));
    let pod = found.ok_or_else(|| Status::not_found(kind, request.name()))?;
    let node = request.api.streams.clone().ok_or_else(|| {
        Status::bad_request(format!(
            "pod {:?} does not run here: this agent was started without a node",
            request.name()
        ))
    })?;
    Ok((pod.object.clone(), node))
}

/// The first protocol that the client offers and the server speaks.
fn protocol(
    request: &Request,
    header: &HeaderName,
    spoken: &[&'static str],
) -> Option<&'static str> {
    let values = request.headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let mut offered = values.flat_map(|value| value.split(',')).map(str::trim);
    offered.find_map(|offer| spoken.iter().find(|&&known| known == offer).copied())
}

fn upgrades_to(request: &Request, protocol: &str) -> bool {
    let values = request.headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok());
    values.into_iter().any(|value| value.eq_ignore_ascii_case(protocol))
}

fn take_upgrade(request: &mut Request) -> Result<OnUpgrade, Status> {
    request.upgrade.take().ok_or_else(|| Status::bad_request("Upgrade request required"))
}

/// Accepts a WebSocket; the socket is there when the answer has been sent.
fn accept(
    request: &mut Request,
    protocol: &'static str,
) -> Result<(Reply, impl Future<Output = Option<Socket>> + use<>), Status> {
    const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    if !upgrades_to(request, "websocket") {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let key = request.headers.get(SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| Status::bad_request("the header Sec-WebSocket-Key is missing"))?;
    // RFC 6455, 4.2.2
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(MAGIC);
    let accepted = STANDARD.encode(digest.finish());
    let upgrade = take_upgrade(request)?;
    let mut reply = switching("websocket");
    let headers = reply.headers_mut();
    let accepted = HeaderValue::from_str(&accepted).expect("base64 is plain");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accepted);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    let socket = async move {
        let io = TokioIo::new(upgrade.await.ok()?);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT))
            .max_write_buffer_size(4 * MESSAGE_LIMIT);
        Some(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await)
    };
    Ok((reply, socket))
}

fn switching(protocol: &'static str) -> Reply {
    let mut reply = respond::empty(StatusCode::SWITCHING_PROTOCOLS);
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    reply.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    reply
}
