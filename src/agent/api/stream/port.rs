//! Port forwarding: a SPDY session in which each connection is a pair of streams, one for bytes
//! and one for what went wrong (k8s.io/kubernetes `pkg/kubelet/cri/streaming/portforward`).

use super::spdy::{self, Frame, FrameReader, FrameWriter};
use super::tunnel::Tunnel;
use crate::agent::api::respond::Reply;
use crate::agent::api::status::Status;
use crate::agent::api::streams::{Connection, NodeStreams, PortRequest};
use crate::agent::api::verb::Request;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{HeaderName, SEC_WEBSOCKET_PROTOCOL};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const TUNNELLED: &str = "SPDY/3.1+portforward.k8s.io";
const PLAIN: &str = "portforward.k8s.io";
const VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// So many streams are open at a time.
const STREAMS: usize = 2048;

/// So many pieces of a stream wait at most; then the session waits.
const WAITING: usize = 16;

/// `portforward`.
pub(crate) fn forward(mut request: Request) -> Result<Reply, Status> {
    let (pod, node) = super::pod(&request)?;
    if pod.str_at(&["status", "phase"]) != Some("Running") {
        let phase = pod.str_at(&["status", "phase"]).unwrap_or("Unknown");
        return Err(Status::bad_request(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let session = Session {
        node,
        namespace: request.namespace().to_owned(),
        pod: request.name().to_owned(),
        stop: request.api.stop.clone(),
    };
    if let Some(protocol) = super::protocol(&request, &SEC_WEBSOCKET_PROTOCOL, &[TUNNELLED]) {
        let (reply, socket) = super::accept(&mut request, protocol)?;
        tokio::spawn(async move {
            if let Some(socket) = socket.await {
                session.serve(Tunnel::new(socket)).await;
            }
        });
        return Ok(reply);
    }
    let spoken = super::protocol(&request, &VERSION, &[PLAIN]);
    if spoken.is_none() || !super::upgrades_to(&request, "SPDY/3.1") {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let upgrade = super::take_upgrade(&mut request)?;
    let mut reply = super::switching("SPDY/3.1");
    reply.headers_mut().insert(VERSION, HeaderValue::from_static(PLAIN));
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            session.serve(TokioIo::new(upgraded)).await;
        }
    });
    Ok(reply)
}

struct Session {
    node: Arc<dyn NodeStreams>,
    namespace: String,
    pod: String,
    stop: CancellationToken,
}

/// The two streams of a connection, as far as they are open.
#[derive(Default)]
struct Pair {
    data: Option<(u32, mpsc::Receiver<Bytes>)>,
    error: Option<u32>,
    port: Option<u16>,
}

impl Session {
    async fn serve(self, io: impl AsyncRead + AsyncWrite + Send + 'static) {
        let ended = CancellationToken::new();
        let _ends = ended.clone().drop_guard();
        let (source, mut sink) = tokio::io::split(io);
        let (out, mut frames) = mpsc::channel::<Bytes>(WAITING);
        let writer = async move {
            while let Some(frame) = frames.recv().await {
                if sink.write_all(&frame).await.is_err() || sink.flush().await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = writer => {}
            // a client that breaks off is none of the server's business
            _ = self.read(source, out, &ended) => {}
        }
    }

    async fn read(
        &self,
        source: impl AsyncRead,
        out: mpsc::Sender<Bytes>,
        ended: &CancellationToken,
    ) -> io::Result<()> {
        let mut source = std::pin::pin!(source);
        let (mut reader, mut writer) = (FrameReader::new(), FrameWriter::new());
        let mut inputs: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
        let mut pairs: HashMap<String, Pair> = HashMap::new();
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        while let Some(frame) = reader.next(&mut source).await? {
            match frame {
                Frame::Open { stream, headers } => {
                    inputs.retain(|_, input| !input.is_closed());
                    if inputs.len() + pairs.len() > STREAMS {
                        return Err(io::Error::other("too many streams are open"));
                    }
                    out.send(writer.accept(stream)).await.map_err(gone)?;
                    let header = |wanted: &str| {
                        let found = headers.iter().find(|(name, _)| name == wanted);
                        found.map(|(_, value)| value.as_str()).unwrap_or_default()
                    };
                    let id = header("requestid").to_owned();
                    let pair = pairs.entry(id.clone()).or_default();
                    pair.port = header("port").parse().ok();
                    if header("streamtype") == "data" {
                        let (input, pieces) = mpsc::channel(WAITING);
                        inputs.insert(stream, input);
                        pair.data = Some((stream, pieces));
                    } else {
                        pair.error = Some(stream);
                    }
                    if let Pair { data: Some(_), error: Some(error), port } = pair {
                        let (error, port) = (*error, *port);
                        let pair = pairs.remove(&id).expect("it was found just now");
                        let (data, input) = pair.data.expect("it was seen just now");
                        let link = Link { data, error, out: out.clone() };
                        self.connect(link, port, input, ended.clone());
                    }
                }
                Frame::Data { stream, bytes, ends } => {
                    if !bytes.is_empty()
                        && let Some(input) = inputs.get(&stream)
                    {
                        // a connection that has gone takes nothing any more
                        let _ = input.send(bytes).await;
                    }
                    if ends {
                        inputs.remove(&stream);
                    }
                }
                Frame::Reset { stream } => {
                    inputs.remove(&stream);
                }
                Frame::Ping(id) => out.send(spdy::pong(id)).await.map_err(gone)?,
                Frame::GoAway => return Ok(()),
                Frame::Other => {}
            }
        }
        Ok(())
    }

    fn connect(
        &self,
        link: Link,
        port: Option<u16>,
        input: mpsc::Receiver<Bytes>,
        ended: CancellationToken,
    ) {
        let connecting = port.map(|port| {
            self.node.connect(PortRequest {
                namespace: self.namespace.clone(),
                pod: self.pod.clone(),
                port,
            })
        });
        tokio::spawn(async move {
            let work = async {
                let connection = match connecting {
                    Some(connecting) => connecting.await,
                    None => Err("the stream names no port".to_owned()),
                };
                match connection {
                    Ok(connection) => link.copy(connection, input).await,
                    Err(why) => link.fail(&why).await,
                }
            };
            tokio::select! {
                () = ended.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// The client's side of a connection.
struct Link {
    data: u32,
    error: u32,
    out: mpsc::Sender<Bytes>,
}

impl Link {
    async fn fail(&self, why: &str) {
        let _ = self.out.send(spdy::data(self.error, why.as_bytes(), true)).await;
        let _ = self.out.send(spdy::data(self.data, &[], true)).await;
    }

    /// Copies both ways until both have ended.
    async fn copy(&self, connection: Pin<Box<dyn Connection>>, mut input: mpsc::Receiver<Bytes>) {
        let (mut source, mut sink) = tokio::io::split(connection);
        let up = async {
            while let Some(bytes) = input.recv().await {
                if sink.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = sink.shutdown().await;
        };
        let down = async {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(length @ 1..) = source.read(&mut buffer).await {
                if self.out.send(spdy::data(self.data, &buffer[..length], false)).await.is_err() {
                    return;
                }
            }
            let _ = self.out.send(spdy::data(self.data, &[], true)).await;
            let _ = self.out.send(spdy::data(self.error, &[], true)).await;
        };
        tokio::join!(up, down);
    }
}
