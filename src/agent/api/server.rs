//! HTTPS: accepts connections, checks who is there, hands requests to their route.
//!
//! Clients may be slow, greedy or hostile: handshakes, headers and bodies have deadlines and
//! limits, and there is a limit to how many connections are served at a time.

use super::admission::{priority_class, storage};
use super::auth::authorize::{self, Action};
use super::auth::{Authenticator, Identity, bootstrap, identify, impersonate, subject};
use super::kind::Kinds;
use super::pki::{self, PkiError};
use super::query::Query;
use super::respond::{self, Reply};
use super::route::{Route, route};
use super::status::Status;
use super::verb::{self, Request};
use super::{Api, NodeStreams, definition, discovery, kubeconfig, namespace, own_service};
use crate::agent::entry::Entry;
use crate::agent::runtime::Subnet;
use crate::agent::store::{Store, StoreError};
use crate::agent::token::Tokens;
use crate::base::clock::Clock;
use crate::schema::{Schemas, openapi};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// So many connections are served at a time.
const CONNECTIONS: usize = 1024;

/// A handshake, and the headers of a request, must be done after this time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Parts of a Pod that are streams: whatever the client accepts, it gets what it asked for.
const STREAMED: [&str; 4] = ["log", "exec", "attach", "portforward"];

/// Requests under way may go on so long when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The media type of OpenAPI 2 as protobuf, the one form in which kubectl takes it.
const OPENAPI_V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// An OpenAPI 2 document that describes nothing: `swagger: "2.0"`, `info: {title, version}` and no
/// paths. kubectl reads it for kinds that are not described elsewhere, to learn that it cannot
/// check them.
const EMPTY_OPENAPI_V2: &[u8] = b"\x0a\x032.0\x12\x0d\x0a\x05wharf\x12\x04v1.0\x42\x00";

/// How the API is served.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder of certificates and keys.
    pub pki: PathBuf,
    /// The kubeconfig that gets a context, if any.
    pub kubeconfig: Option<PathBuf>,
    /// The address of this host that pods reach, if there are pods.
    pub inside: Option<Ipv4Addr>,
    /// The addresses of Services.
    pub services: Subnet,
}

/// What a server stands on.
#[derive(Clone, Debug)]
pub struct ServerParts {
    /// The objects.
    pub store: Store,
    /// What new objects go through.
    pub entry: Entry,
    /// Issues and checks tokens of ServiceAccounts.
    pub tokens: Arc<Tokens>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where logs, commands and ports of containers are, if there are containers.
    pub streams: Option<Arc<dyn NodeStreams>>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ServerError {
    /// The address is not free, or not this host's.
    #[error("cannot listen on {address}")]
    #[diagnostic(
        code(wharf::agent::listen),
        help("see whether another agent runs, or choose another address with `--listen`")
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Keys or certificates cannot be made or read.
    #[error("cannot prepare the agent's certificates")]
    #[diagnostic(code(wharf::agent::certificates))]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The first objects cannot be stored.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Prepare(StoreError),
    /// The kubeconfig cannot be written.
    #[error("cannot write a context to {}", path.display())]
    #[diagnostic(
        code(wharf::agent::kubeconfig),
        help("name another file with `--kubeconfig`, or mend this one")
    )]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<PkiError> for ServerError {
    fn from(error: PkiError) -> ServerError {
        ServerError::Certificates(error.into())
    }
}

/// A server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// The certificate of the authority that signed the server's, as PEM.
    authority: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Binds the address, writes the kubeconfig, and serves from then on.
    pub async fn start(config: &ServerConfig, parts: ServerParts) -> Result<Server, ServerError> {
        let ServerParts { store, entry, tokens, clock, streams } = parts;
        let (listener, address) = listen(config.listen).await?;
        let mut listeners = vec![listener];
        let service = own_service::address(&store, config.services.gateway());
        let mut hosts = vec![address.ip().to_string(), service.to_string()];
        // a server that listens everywhere is reached from pods as well
        let inside = config.inside.map(|ip| SocketAddr::from((ip, address.port())));
        if let Some(inside) = inside.filter(|_| !address.ip().is_unspecified()) {
            listeners.push(listen(inside).await?.0);
        }
        hosts.extend(inside.map(|inside| inside.ip().to_string()));
        let pki = pki::open(&config.pki, &hosts)?;
        let acceptor = acceptor(&pki).map_err(ServerError::Certificates)?;
        if let Some(path) = &config.kubeconfig {
            let server = format!("https://{}", reachable(address));
            kubeconfig::write(path, &server, &pki)
                .map_err(|source| ServerError::Kubeconfig { path: path.clone(), source })?;
        }
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let schemas = Schemas::kubernetes("1.36").unwrap_or_else(Schemas::latest);
        let api = Arc::new(Api {
            store,
            clock,
            schemas: schemas.clone(),
            authenticator: Authenticator::new(&pki.token, tokens),
            kinds: RwLock::new(Arc::new(Kinds::built_in(schemas))),
            streams,
            stop: stop.clone(),
            services: tokio::sync::Mutex::new(config.services),
            entry: entry.clone(),
        });
        let prepared = async {
            namespace::ensure(&api).await?;
            own_service::ensure(&api, service, address.port(), inside).await?;
            priority_class::ensure(&api).await?;
            storage::ensure(&api).await?;
            bootstrap::ensure(&api).await
        };
        prepared.await.map_err(ServerError::Prepare)?;
        definition::load(&api);
        tasks.spawn(definition::run(Arc::clone(&api)));
        tasks.spawn(namespace::run(Arc::clone(&api)));
        tasks.spawn(entry.keep_quotas(stop.clone()));
        for listener in listeners {
            let (acceptor, api) = (acceptor.clone(), Arc::clone(&api));
            tasks.spawn(accept(listener, acceptor, api, address, tasks.clone()));
        }
        Ok(Server { address, authority: pki.authority, stop, tasks })
    }

    /// The certificate of the authority that signed the server's, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new connections, watches end, requests under way are finished.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        // what is not done by then is cut
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
    }
}

/// Listens on an address; beside the listener the address with its port.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listening.await.map_err(|source| ServerError::Listen { address, source })
}

/// The key that signs tokens of ServiceAccounts, from a folder of keys and certificates.
///
/// # Errors
/// When it can neither be read nor made.
pub(crate) fn tokens(folder: &Path) -> Result<Tokens, ServerError> {
    Ok(pki::tokens(folder)?)
}

/// The address under which a server that listens everywhere is reached.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    address
}

fn acceptor(pki: &pki::Pki) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pki.authority.as_bytes())?)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
    let chain = vec![CertificateDer::from_pem_slice(pki.server.certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(pki.server.key.as_bytes())?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    api: Arc<Api>,
    address: SocketAddr,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = api.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // out of file descriptors, most likely: wait for some to come free
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (acceptor, api) = (acceptor.clone(), Arc::clone(&api));
        tasks.spawn(async move {
            connection(stream, acceptor, api, address).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, api: Arc<Api>, address: SocketAddr) {
    // small answers must not wait for more
    let _ = stream.set_nodelay(true);
    let Ok(Ok(tls)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    let certificate = tls.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
    let identity = certificate.and_then(|certificate| subject(&certificate));
    let stop = api.stop.clone();
    let service = hyper::service::service_fn(move |request| {
        let (api, identity) = (Arc::clone(&api), identity.clone());
        async move { Ok::<_, Infallible>(serve(api, identity, request, address).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(64 * 1024)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(250)
        .max_header_list_size(64 * 1024);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(tls), service);
    tokio::pin!(connection);
    tokio::select! {
        // a client that breaks off is none of the server's business
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(FAREWELL, connection).await;
        }
    }
}

async fn serve(
    api: Arc<Api>,
    certificate: Option<Identity>,
    request: http::Request<Incoming>,
    address: SocketAddr,
) -> Reply {
    let (mut parts, body) = request.into_parts();
    let kinds = api.kinds();
    let route = route(parts.uri.path(), &kinds);
    let user = match identify(&api, certificate.as_ref(), &parts.headers) {
        Some(caller) => impersonate(&api, caller, &parts.headers).map(Some),
        None if parts.headers.contains_key(http::header::AUTHORIZATION) => {
            return respond::status(&Status::unauthorized());
        }
        None => Ok(None),
    };
    let user = match user {
        Ok(user) => user,
        Err(status) => return respond::status(&status),
    };
    // whoever asks may know whether the server is well, and what it is
    match &route {
        Route::Health => return respond::text(StatusCode::OK, "ok"),
        Route::Version => return respond::json(StatusCode::OK, &discovery::version()),
        _ => {}
    }
    let Some(user) = user else { return respond::status(&Status::unauthorized()) };
    let query = Query::parse(parts.uri.query());
    let action = match &route {
        Route::Resource(target) => target.action(&parts.method, &query),
        _ => Action::Path {
            verb: parts.method.as_str().to_ascii_lowercase(),
            path: parts.uri.path().to_owned(),
        },
    };
    if let Err(status) = authorize::require(&api, &user, &action) {
        return respond::status(&status);
    }
    if let Route::Resource(target) = route {
        let accepted = match super::negotiate::accepted(&parts.headers) {
            // the log of a container is text, whatever the client says
            Err(status) if !STREAMED.contains(&target.subresource.as_str()) => {
                return respond::status(&status);
            }
            Err(_) => super::negotiate::Accepted::JSON,
            Ok(accepted) => accepted,
        };
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let headers = parts.headers;
        let request = Request { api, target, query, headers, user, accepted, upgrade };
        return match verb::serve(request, &parts.method, body).await {
            Ok(reply) => reply,
            Err(status) => respond::status(&status),
        };
    }
    if parts.method != Method::GET {
        return match route {
            Route::Nothing => nothing(),
            Route::NoResource => respond::status(&Status::no_resource()),
            _ => respond::status(&Status::method_not_allowed()),
        };
    }
    let reply = match route {
        Route::Core => discovery::core(&kinds, &parts.headers, &reachable(address).to_string()),
        Route::Groups => discovery::groups(&kinds, &parts.headers),
        Route::Group(group) => discovery::one_group(&kinds, &group),
        Route::GroupVersion(group, version) => discovery::resources(&kinds, &group, &version),
        Route::OpenApiIndex => {
            let index = openapi::index(&kinds.schemas, &discovery::described(&kinds));
            respond::bytes(StatusCode::OK, "application/json", index)
        }
        // what is asked for in this form is described in the third version
        Route::OpenApiV2 => respond::bytes(StatusCode::OK, OPENAPI_V2, EMPTY_OPENAPI_V2),
        Route::OpenApi(path) => document(&kinds, &path),
        Route::Root => respond::json(StatusCode::OK, &discovery::paths(&kinds)),
        Route::NoResource => respond::status(&Status::no_resource()),
        _ => nothing(),
    };
    if super::negotiate::gzip(&parts.headers) { respond::compress(reply).await } else { reply }
}

fn nothing() -> Reply {
    respond::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn document(kinds: &Kinds, path: &str) -> Reply {
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return nothing(),
    };
    match openapi::document(&kinds.schemas, &discovery::described(kinds), &group, &version) {
        Some(document) => respond::bytes(StatusCode::OK, "application/json", document),
        None => nothing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_codes_and_say_what_cannot_be_used() {
        let source = || std::io::Error::other("no");
        for (error, code, text) in [
            (
                ServerError::Listen { address: ([127, 0, 0, 1], 80).into(), source: source() },
                "wharf::agent::listen",
                "cannot listen on 127.0.0.1:80",
            ),
            (
                ServerError::Certificates(source().into()),
                "wharf::agent::certificates",
                "cannot prepare the agent's certificates",
            ),
            (
                ServerError::Kubeconfig { path: "/a".into(), source: source().into() },
                "wharf::agent::kubeconfig",
                "cannot write a context to /a",
            ),
        ] {
            assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
            assert_eq!(error.to_string(), text);
        }
    }
}
