//! `exec` and `attach`: a process in a container, over WebSocket.
//!
//! The first byte of each message names its stream (`v4.channel.k8s.io`):
//!
//! ```text
//! client ─> 0 input   4 size of the terminal   255 end of a stream (v5)
//! server ─> 1 output  2 error output           3 how it ended, as a Status
//! ```

use super::respond::{Body, Reply};
use super::status::Status;
use super::streams::{Process, ProcessRequest};
use super::verb::Request;
use super::websocket::{self, Kind};
use crate::agent::store::Key;
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

/// The protocols, the preferred one first.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Output moves in pieces of this size.
const PIECE: usize = 32 << 10;

/// So many messages wait for a client that reads slowly.
const AHEAD: usize = 8;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

type Io = TokioIo<Upgraded>;

/// A message on its way to the client.
type Outgoing = (Kind, Vec<u8>);

/// Starts or joins a process and gives the connection to it.
pub(super) fn serve(mut request: Request) -> Result<Reply, Status> {
    let key = Key::new("pods", request.namespace(), request.name());
    let pod = request.api.store.get(&key);
    let pod = pod.ok_or_else(|| Status::not_found(request.kind(), request.name()))?;
    let container = super::log::container(&request, &pod.object)?;
    let accepted = websocket::accept(&request.headers).zip(request.upgrade.take());
    let Some((accept, upgrade)) = accepted else {
        return Err(Status::bad_request("unable to upgrade: only WebSocket is spoken here"));
    };
    let offered = request.headers.get("sec-websocket-protocol");
    let offered = offered.and_then(|header| header.to_str().ok()).unwrap_or_default();
    let offers = |protocol: &&&str| offered.split(',').any(|part| part.trim() == **protocol);
    let Some(protocol) = PROTOCOLS.iter().find(offers) else {
        return Err(Status::bad_request(format!(
            "unable to upgrade: none of {} is offered",
            PROTOCOLS.join(", ")
        )));
    };
    let Some(node) = request.api.streams.clone() else {
        return Err(Status::bad_request("this agent was started without a node"));
    };
    let query = &request.query;
    let wanted = ProcessRequest {
        namespace: request.namespace().to_owned(),
        pod: request.name().to_owned(),
        container,
        command: query.all("command").map(str::to_owned).collect(),
        stdin: query.flag("stdin"),
        tty: query.flag("tty"),
    };
    let joins = request.target.subresource == "attach";
    let (stdout, stderr) = (query.flag("stdout"), query.flag("stderr"));
    let stop = request.api.stop.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (from, to) = tokio::io::split(TokioIo::new(upgraded));
        let process = if joins { node.attach(wanted).await } else { node.exec(wanted).await };
        let process = process.map(|mut process| {
            // what the client did not ask for is not sent
            process.stdout = process.stdout.take().filter(|_| stdout);
            process.stderr = process.stderr.take().filter(|_| stderr);
            process
        });
        tokio::select! {
            () = converse(from, to, process) => {}
            () = stop.cancelled() => {}
        }
    });
    let body: Body = Empty::<Bytes>::new().boxed_unsync();
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert("sec-websocket-accept", accept);
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
    Ok(reply)
}

/// Carries everything between client and process until one of them ends. Whoever leaves gives the
/// process up.
async fn converse(from: ReadHalf<Io>, to: WriteHalf<Io>, process: Result<Process, String>) {
    let (send, waiting) = mpsc::channel::<Outgoing>(AHEAD);
    let writer = tokio::spawn(write_all(to, waiting));
    match process {
        Err(reason) => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "reason": "InternalError", "code": 500,
                "message": format!("Internal error occurred: {reason}"),
            });
            end(&send, &status).await;
        }
        Ok(process) => {
            let Process { stdin, stdout, stderr, resize, exit } = process;
            let output = async {
                let ((), (), code) =
                    tokio::join!(carry(STDOUT, stdout, &send), carry(STDERR, stderr, &send), exit);
                end(&send, &ended(code)).await;
            };
            tokio::select! {
                () = output => {}
                () = listen(from, stdin, resize, &send) => {}
            }
        }
    }
    drop(send);
    // what is on its way still arrives
    let _ = writer.await;
}

async fn write_all(mut to: WriteHalf<Io>, mut waiting: mpsc::Receiver<Outgoing>) {
    while let Some((kind, payload)) = waiting.recv().await {
        if websocket::write(&mut to, kind, &payload).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn end(send: &mpsc::Sender<Outgoing>, status: &Value) {
    let mut message = vec![ERROR];
    message.extend_from_slice(status.to_string().as_bytes());
    let _ = send.send((Kind::Binary, message)).await;
    // 1000: it is done (RFC 6455, section 7.4.1)
    let _ = send.send((Kind::Close, 1000_u16.to_be_bytes().to_vec())).await;
}

/// How a process ended, as kubectl reads it.
fn ended(code: Result<i32, String>) -> Value {
    match code {
        Ok(0) => json!({"metadata": {}, "status": "Success"}),
        Ok(code) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        Err(reason) => json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": format!("Internal error occurred: {reason}"),
        }),
    }
}

/// Sends one output to its end.
async fn carry(channel: u8, output: Option<impl AsyncRead + Unpin>, send: &mpsc::Sender<Outgoing>) {
    let Some(mut output) = output else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(count) = output.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        let mut message = Vec::with_capacity(count + 1);
        message.push(channel);
        message.extend_from_slice(&buffer[..count]);
        if send.send((Kind::Binary, message)).await.is_err() {
            return;
        }
    }
}

/// Takes what the client sends until it leaves.
async fn listen(
    mut from: ReadHalf<Io>,
    mut stdin: Option<super::streams::Input>,
    resize: Option<mpsc::Sender<(u16, u16)>>,
    send: &mpsc::Sender<Outgoing>,
) {
    while let Ok(Some((kind, message))) = websocket::read(&mut from).await {
        let (channel, payload) = match (kind, message.split_first()) {
            (Kind::Close, _) => return,
            (Kind::Ping, _) => {
                let _ = send.send((Kind::Pong, message)).await;
                continue;
            }
            (Kind::Binary, Some((channel, payload))) => (*channel, payload),
            _ => continue,
        };
        match channel {
            STDIN => {
                let Some(input) = &mut stdin else { continue };
                let written = input.write_all(payload).await;
                if written.is_err() || input.flush().await.is_err() {
                    // the program reads no more; what it puts out is still wanted
                    stdin = None;
                }
            }
            CLOSE if payload == [STDIN] => {
                if let Some(mut input) = stdin.take() {
                    let _ = input.shutdown().await;
                }
            }
            RESIZE => {
                let size: Value = serde_json::from_slice(payload).unwrap_or_default();
                let number = |key: &str| size[key].as_u64().and_then(|n| u16::try_from(n).ok());
                let size = number("Width").zip(number("Height"));
                if let (Some(size), Some(resize)) = (size, &resize) {
                    let _ = resize.send(size).await;
                }
            }
            _ => {}
        }
    }
}
