//! HTTPS by hand: requests are bytes, so that they can be wrong in any way.

use super::Agent;
use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to the agent, as its administrator.
#[derive(Clone)]
pub(super) struct Wire {
    connector: TlsConnector,
    address: SocketAddr,
}

/// A connection.
pub(super) struct Line(BufReader<TlsStream<TcpStream>>);

/// An answer: its code, its headers in small letters, its body.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Wire {
    pub(super) fn new(agent: &Agent) -> Wire {
        let text = std::fs::read_to_string(agent.kubeconfig()).expect("the agent wrote it");
        let field = |name: &str| {
            let value = text.split(&format!("{name}: ")).nth(1).expect("the field is there");
            value.split_whitespace().next().expect("it has a value").to_owned()
        };
        let pem = |name: &str| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(field(name));
            bytes.expect("the field is base64")
        };
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(&pem("certificate-authority-data"));
        roots.add(authority.expect("a certificate")).expect("an authority");
        let own = CertificateDer::from_pem_slice(&pem("client-certificate-data"));
        let key = PrivateKeyDer::from_pem_slice(&pem("client-key-data")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![own.expect("a certificate")], key)
            .expect("the key fits");
        let address = field("server").trim_start_matches("https://").parse();
        Wire {
            connector: TlsConnector::from(Arc::new(config)),
            address: address.expect("an address with a port"),
        }
    }

    /// Connects without a handshake.
    pub(super) async fn plain(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the agent listens")
    }

    pub(super) async fn connect(&self) -> Line {
        let stream = self.plain().await;
        let name = ServerName::IpAddress(self.address.ip().into());
        let tls = tokio::time::timeout(PATIENCE, self.connector.connect(name, stream)).await;
        Line(BufReader::new(tls.expect("the handshake ends").expect("the agent is trusted")))
    }

    /// One request on a connection of its own.
    pub(super) async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut line = self.connect().await;
        line.request(method, path, headers, body).await;
        line.answer().await
    }
}

impl Line {
    /// Sends bytes; a server that hangs up is no failure.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes).await;
        let _ = self.0.get_mut().flush().await;
    }

    pub(super) async fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: agent\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        self.send(&[head.as_bytes(), body].concat()).await;
    }

    /// Reads an answer; code 0 when the connection ends before one.
    pub(super) async fn answer(&mut self) -> Answer {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("the agent answers")
    }

    /// Reads up to the end of the head of an answer.
    pub(super) async fn head(&mut self) -> String {
        let mut head = String::new();
        let reading = async {
            while !head.ends_with("\r\n\r\n") {
                match self.0.read_line(&mut head).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the agent answers");
        head
    }

    async fn read(&mut self) -> Answer {
        let head = self.head().await;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let head = head.to_ascii_lowercase();
        let mut body = Vec::new();
        let length = head.split("content-length: ").nth(1);
        if let Some(length) = length.and_then(|rest| rest.split('\r').next()?.parse().ok()) {
            body.resize(length, 0);
            if self.0.read_exact(&mut body).await.is_err() {
                body.clear();
            }
        } else if head.contains("chunked") {
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
        }
        Answer { code, head, body }
    }

    /// The next chunk of a stream; nothing at its end.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let reading = async {
            let mut size = String::new();
            self.0.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
            let mut chunk = vec![0; size + 2];
            self.0.read_exact(&mut chunk).await.ok()?;
            chunk.truncate(size);
            Some(chunk)
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the stream goes on")
    }
}
