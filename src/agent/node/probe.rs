//! Probes: is a container started, alive, ready?
//!
//! ```text
//! start ─> startup probe, until it succeeds ─> liveness and readiness side by side
//!            │ fails too often                   │ liveness fails too often
//!            └───────────> Verdict::Kill <───────┘
//! ```
//!
//! One task per running container sends a [`Verdict`] when something changes. Until a container is
//! ready for the first time it is asked more often than its period says, so that a service that is
//! up after 100 ms serves after 100 ms and not after ten seconds; that counts as no failure.

use crate::agent::endpoints::container_port;
use crate::yaml::Node;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A body of an answer is read no further.
const BODY_LIMIT: usize = 10 << 10;

/// What a probe asks.
#[derive(Clone, Debug, PartialEq)]
enum Check {
    Http {
        scheme: String,
        host: Option<String>,
        port: u16,
        path: String,
        headers: Vec<(String, String)>,
    },
    Tcp {
        host: Option<String>,
        port: u16,
    },
    Exec {
        command: Vec<String>,
    },
    Unsupported(String),
}

/// One probe of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    check: Check,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: u32,
    failures: u32,
    /// What a container has to stop in when this probe kills it, if not the pod's own.
    grace: Option<Duration>,
}

/// The probes of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probes {
    /// Holds the others back until it succeeds.
    pub startup: Option<Probe>,
    /// Kills the container when it fails.
    pub liveness: Option<Probe>,
    /// Decides whether the container serves.
    pub readiness: Option<Probe>,
}

/// What the probes found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The startup probe succeeded.
    Started,
    /// The readiness probe changed its mind.
    Ready(bool),
    /// One probe failed once: for people.
    Unhealthy(String),
    /// The container is to be killed and started again.
    Kill {
        /// Which probe says so.
        why: &'static str,
        /// How long it has to stop, if not as long as the pod says.
        grace: Option<Duration>,
    },
}

/// What an earlier agent had found out about a container that still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its startup probe succeeded.
    pub started: bool,
    /// Its readiness probe succeeded the last time.
    pub ready: bool,
}

/// Runs a command in the container: its exit code and output.
pub type Exec = Arc<
    dyn Fn(Vec<String>, Duration) -> BoxFuture<'static, Result<(i32, String), String>>
        + Send
        + Sync,
>;

impl Probes {
    /// Reads the probes of a container.
    #[must_use]
    pub fn of(container: &Node) -> Probes {
        let probe = |key: &str| container.get(key).and_then(|probe| Probe::of(probe, container));
        Probes {
            startup: probe("startupProbe"),
            liveness: probe("livenessProbe"),
            readiness: probe("readinessProbe"),
        }
    }

    /// True when there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Probes::default()
    }

    /// Asks until it is cancelled or has said [`Verdict::Kill`]. `known` is what was found out before.
    ///
    /// # Cancellation
    /// Safe at any point.
    pub async fn run(
        self,
        known: Known,
        ip: Option<IpAddr>,
        exec: Exec,
        verdicts: UnboundedSender<Verdict>,
    ) {
        let began = Instant::now();
        let tell = |verdict: Verdict| verdicts.send(verdict).is_ok();
        if let Some(probe) = self.startup.as_ref().filter(|_| !known.started) {
            sleep_until(began + probe.delay).await;
            let mut failed = 0;
            loop {
                match probe.ask(ip, &exec).await {
                    Ok(()) => break,
                    Err(reason) => {
                        failed += 1;
                        if !tell(Verdict::Unhealthy(format!("Startup probe failed: {reason}"))) {
                            return;
                        }
                        if failed >= probe.failures {
                            tell(Verdict::Kill { why: "failed startup probe", grace: probe.grace });
                            return;
                        }
                    }
                }
                sleep(probe.period).await;
            }
        }
        tell(Verdict::Started);
        let readiness = async {
            match &self.readiness {
                Some(probe) => ready_loop(probe, known.ready, began, ip, &exec, &verdicts).await,
                None => std::future::pending().await,
            }
        };
        let liveness = async {
            match &self.liveness {
                Some(probe) => live_loop(probe, began, ip, &exec, &verdicts).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = readiness => {}
            () = liveness => {}
        }
    }
}

/// Does once what a hook says: it is written like a probe, and has all the time it needs.
///
/// # Errors
/// What went wrong, as a sentence.
pub async fn once(
    hook: &Node,
    container: &Node,
    ip: Option<IpAddr>,
    exec: &Exec,
) -> Result<(), String> {
    let day = Duration::from_secs(86_400);
    let check = Check::of(hook, container);
    let probe = Probe {
        check,
        delay: Duration::ZERO,
        period: day,
        timeout: day,
        successes: 1,
        failures: 1,
        grace: None,
    };
    probe.ask(ip, exec).await
}

async fn live_loop(
    probe: &Probe,
    began: Instant,
    ip: Option<IpAddr>,
    exec: &Exec,
    verdicts: &UnboundedSender<Verdict>,
) {
    sleep_until(began + probe.delay).await;
    let mut failed = 0;
    loop {
        match probe.ask(ip, exec).await {
            Ok(()) => failed = 0,
            Err(reason) => {
                failed += 1;
                let text = format!("Liveness probe failed: {reason}");
                if verdicts.send(Verdict::Unhealthy(text)).is_err() {
                    return;
                }
            }
        }
        if failed >= probe.failures {
            let kill = Verdict::Kill { why: "failed liveness probe", grace: probe.grace };
            let _ = verdicts.send(kill);
            return;
        }
        sleep(probe.period).await;
    }
}

async fn ready_loop(
    probe: &Probe,
    mut ready: bool,
    began: Instant,
    ip: Option<IpAddr>,
    exec: &Exec,
    verdicts: &UnboundedSender<Verdict>,
) {
    sleep_until(began + probe.delay).await;
    let (mut succeeded, mut failed) = (0, 0);
    // the first period is cut into steps that double
    let counted = began + probe.delay + probe.period;
    let mut eager = (!ready).then_some(Duration::from_millis(20));
    loop {
        match probe.ask(ip, exec).await {
            Ok(()) => {
                failed = 0;
                succeeded += 1;
                if !ready && succeeded >= probe.successes {
                    ready = true;
                    eager = None;
                    if verdicts.send(Verdict::Ready(true)).is_err() {
                        return;
                    }
                }
            }
            Err(reason) => {
                succeeded = 0;
                if eager.is_none() {
                    failed += 1;
                    let text = format!("Readiness probe failed: {reason}");
                    if verdicts.send(Verdict::Unhealthy(text)).is_err() {
                        return;
                    }
                }
                if ready && failed >= probe.failures {
                    ready = false;
                    if verdicts.send(Verdict::Ready(false)).is_err() {
                        return;
                    }
                }
            }
        }
        let Some(step) = eager else {
            sleep(probe.period).await;
            continue;
        };
        // what an answer took counts too: a program that hangs is told of after one period
        let next = Instant::now() + step;
        eager = Some(step * 2).filter(|_| next < counted);
        sleep_until(next.min(counted)).await;
    }
}

impl Probe {
    fn of(node: &Node, container: &Node) -> Option<Probe> {
        if node.is_null() {
            return None;
        }
        let number = |key: &str, default: i64, least: i64| {
            let value = node.i64_at(&[key]).unwrap_or(default).max(least);
            u32::try_from(value).unwrap_or(u32::MAX)
        };
        let seconds =
            |key: &str, default, least| Duration::from_secs(number(key, default, least).into());
        Some(Probe {
            check: Check::of(node, container),
            delay: seconds("initialDelaySeconds", 0, 0),
            period: seconds("periodSeconds", 10, 1),
            timeout: seconds("timeoutSeconds", 1, 1),
            successes: number("successThreshold", 1, 1),
            failures: number("failureThreshold", 3, 1),
            grace: node
                .i64_at(&["terminationGracePeriodSeconds"])
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        })
    }

    async fn ask(&self, ip: Option<IpAddr>, exec: &Exec) -> Result<(), String> {
        match &self.check {
            Check::Http { scheme, host, port, path, headers } => {
                let host = address(host.as_ref(), ip)?;
                let url = format!("{}://{}:{port}{path}", scheme.to_lowercase(), bracketed(&host));
                let get = get(scheme, &host, *port, path, headers);
                match timeout(self.timeout, get).await {
                    Ok(Ok(200..400)) => Ok(()),
                    Ok(Ok(status)) => Err(format!("HTTP probe failed with statuscode: {status}")),
                    Ok(Err(reason)) => Err(format!("Get \"{url}\": {reason}")),
                    Err(_) => Err(format!(
                        "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                    )),
                }
            }
            Check::Tcp { host, port } => {
                let host = address(host.as_ref(), ip)?;
                match timeout(self.timeout, dial(&host, *port)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(reason)) => Err(reason),
                    Err(_) => Err(format!("dial tcp {}:{port}: i/o timeout", bracketed(&host))),
                }
            }
            Check::Exec { command } => match exec(command.clone(), self.timeout).await {
                Ok((0, _)) => Ok(()),
                Ok((_, output)) => Err(output.chars().take(BODY_LIMIT).collect()),
                Err(reason) => Err(reason),
            },
            Check::Unsupported(kind) => Err(format!("probes of type {kind} are not supported")),
        }
    }
}

impl Check {
    fn of(node: &Node, container: &Node) -> Check {
        let text = |node: &Node, key: &str| {
            node.str_at(&[key]).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let Some(http) = node.get("httpGet") {
            let path = text(http, "path").unwrap_or_else(|| "/".to_owned());
            return Check::Http {
                scheme: text(http, "scheme").unwrap_or_else(|| "HTTP".to_owned()),
                host: text(http, "host"),
                port: container_port(http.get("port"), container),
                path: if path.starts_with('/') { path } else { format!("/{path}") },
                headers: http
                    .items_at(&["httpHeaders"])
                    .iter()
                    .filter_map(|header| Some((text(header, "name")?, text(header, "value")?)))
                    .collect(),
            };
        }
        if let Some(tcp) = node.get("tcpSocket") {
            return Check::Tcp {
                host: text(tcp, "host"),
                port: container_port(tcp.get("port"), container),
            };
        }
        if let Some(exec) = node.get("exec") {
            let words = exec.items_at(&["command"]).iter();
            let command = words.filter_map(Node::as_str).map(str::to_owned).collect();
            return Check::Exec { command };
        }
        let kind = node.get("grpc").map_or("unknown", |_| "grpc");
        Check::Unsupported(kind.to_owned())
    }
}

fn address(host: Option<&String>, ip: Option<IpAddr>) -> Result<String, String> {
    let own = ip.map(|ip| ip.to_string());
    host.cloned().or(own).ok_or_else(|| "the pod has no address".to_owned())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Connects, with Go's words when that fails.
async fn dial(host: &str, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((host, port)).await.map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            std::io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
            _ => error.to_string(),
        };
        format!("dial tcp {}:{port}: {reason}", bracketed(host))
    })
}

async fn get(
    scheme: &str,
    host: &str,
    port: u16,
    path: &str,
    headers: &[(String, String)],
) -> Result<u16, String> {
    let stream = dial(host, port).await?;
    let _ = stream.set_nodelay(true);
    let mut request = hyper::Request::get(path).header("User-Agent", "kube-probe/1.36");
    let is_set = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    if !is_set("Host") {
        request = request.header("Host", format!("{}:{port}", bracketed(host)));
    }
    if !is_set("Accept") {
        request = request.header("Accept", "*/*");
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request
        .header("Connection", "close")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    if scheme.eq_ignore_ascii_case("https") {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = trusting_connector().connect(name, stream).await.map_err(|e| e.to_string())?;
        return exchange(stream, request).await;
    }
    exchange(stream, request).await
}

async fn exchange<S>(stream: S, request: hyper::Request<Empty<bytes::Bytes>>) -> Result<u16, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        // the server should see its whole answer taken, within reason
        let mut body = http_body_util::Limited::new(response.into_body(), BODY_LIMIT);
        while let Some(Ok(_)) = body.frame().await {}
        Ok(status)
    };
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // the connection ends when the whole answer is there, too
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

/// A probe trusts any certificate, as the kubelet's does: it asks its own pod.
fn trusting_connector() -> tokio_rustls::TlsConnector {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Trusting(Arc::clone(&provider)));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config).into()
}

#[derive(Debug)]
struct Trusting(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls::pki_types::CertificateDer<'_>,
        _intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::unbounded_channel;

    fn no_exec() -> Exec {
        Arc::new(|_, _| Box::pin(async { Ok((0, String::new())) }))
    }

    /// A server that answers each request with the next status, the last one for ever.
    async fn server(statuses: &'static [u16]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for at in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let status = statuses[at.min(statuses.len() - 1)];
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    fn container(port: u16) -> Node {
        let get = json!({"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1, "failureThreshold": 2});
        Node::from(json!({
            "ports": [{"name": "web", "containerPort": port}],
            "startupProbe": get, "livenessProbe": get, "readinessProbe": get,
        }))
    }

    #[tokio::test]
    async fn a_server_that_comes_up_late_is_started_then_ready() {
        let port = server(&[503, 200]).await;
        let (tell, mut told) = unbounded_channel();
        let probes = Probes::of(&container(port));
        tokio::spawn(probes.run(Known::default(), Some([127, 0, 0, 1].into()), no_exec(), tell));
        let expected = "Startup probe failed: HTTP probe failed with statuscode: 503";
        assert_eq!(told.recv().await, Some(Verdict::Unhealthy(expected.into())));
        assert_eq!(told.recv().await, Some(Verdict::Started));
        assert_eq!(told.recv().await, Some(Verdict::Ready(true)));
    }

    #[tokio::test]
    async fn a_dead_server_is_killed_after_the_threshold() {
        let mut container = container(1);
        container.remove("startupProbe");
        container.remove("readinessProbe");
        let (tell, mut told) = unbounded_channel();
        let probes = Probes::of(&container);
        tokio::spawn(probes.run(Known::default(), Some([127, 0, 0, 1].into()), no_exec(), tell));
        assert_eq!(told.recv().await, Some(Verdict::Started));
        let refused = "Liveness probe failed: Get \"http://127.0.0.1:1/\": \
                       dial tcp 127.0.0.1:1: connect: connection refused";
        for _ in 0..2 {
            assert_eq!(told.recv().await, Some(Verdict::Unhealthy(refused.into())));
        }
        assert_eq!(
            told.recv().await,
            Some(Verdict::Kill { why: "failed liveness probe", grace: None })
        );
    }
}
