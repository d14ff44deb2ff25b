//! The client: one method per verb, bounded parallelism, retries where a repeat does no harm.

use super::discovery::{self, Found, Resource};
use super::error::{ClusterError, Rejection};
use super::kubeconfig;
use super::path::{self, Query};
use super::watch::Watch;
use crate::base::retry::Backoff;
use crate::object::{Gvk, ObjectId, meta};
use crate::yaml::Node;
use bytes::Bytes;
use futures::AsyncBufRead;
use futures::TryStreamExt;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// Requests under way at one time; each has a connection of its own.
const PARALLEL: usize = 16;

/// Objects per page of a list.
const PAGE: &str = "500";

/// Which cluster, and where in it.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Kubeconfig file, in place of `KUBECONFIG` and the default one.
    pub kubeconfig: Option<PathBuf>,
    /// Context, in place of the current one.
    pub target: Option<String>,
    /// Namespace, in place of the context's.
    pub namespace: Option<String>,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Label selector.
    pub labels: Option<String>,
    /// Field selector.
    pub fields: Option<String>,
}

/// A list and the revision it was true at.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The objects; each has `apiVersion` and `kind`.
    pub items: Vec<Node>,
    /// Where a watch continues.
    pub resource_version: String,
}

/// How to apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Take fields over from other managers.
    pub force: bool,
    /// Only tell what would come of it.
    pub dry_run: bool,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Propagation {
    /// They are deleted afterwards.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Copy, Debug)]
pub struct DeleteOptions<'a> {
    /// What becomes of dependents.
    pub propagation: Propagation,
    /// Delete only the object with this uid.
    pub uid: Option<&'a str>,
    /// Only tell what would come of it.
    pub dry_run: bool,
}

impl Default for DeleteOptions<'_> {
    fn default() -> Self {
        DeleteOptions { propagation: Propagation::Background, uid: None, dry_run: false }
    }
}

/// The form of a patch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatchKind {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
}

/// Which lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// The container; needed when the pod has several.
    pub container: Option<String>,
    /// Go on as lines are written.
    pub follow: bool,
    /// The run before the current one.
    pub previous: bool,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
    /// Only lines of so many seconds.
    pub since_seconds: Option<u64>,
    /// Put the time before each line.
    pub timestamps: bool,
}

/// A connection to one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: kube::Client,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    server: String,
    namespace: String,
    slots: Semaphore,
    /// Set by the first answer: before it, an unreachable server is worth no second try.
    reached: AtomicBool,
    /// The groups that the server told of when it was asked.
    found: OnceCell<Found>,
    /// `Warning` headers of answers, each once.
    warnings: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.shared.server).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads the kubeconfig. The server is not asked anything yet.
    ///
    /// # Errors
    /// When there is no kubeconfig or no such context, or its certificates cannot be used.
    pub async fn connect(options: &ConnectOptions) -> Result<Client, ClusterError> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (config, target) =
            kubeconfig::config(options.kubeconfig.as_deref(), options.target.as_deref()).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace =
            options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let inner = kube::Client::try_from(config).map_err(|error| ClusterError::Kubeconfig {
            message: format!("target `{target}`: {}", root_cause(&error)),
            help: None,
        })?;
        let shared = Shared {
            target,
            server,
            namespace,
            slots: Semaphore::new(PARALLEL),
            reached: AtomicBool::new(false),
            found: OnceCell::new(),
            warnings: Mutex::default(),
        };
        Ok(Client { inner, shared: Arc::new(shared) })
    }

    /// The context's name.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.shared.target
    }

    /// Where the cluster is.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.shared.server
    }

    /// The namespace to work in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// The warnings that came with answers since the last call.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        let mut warnings =
            self.shared.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *warnings).into_iter().collect()
    }

    /// The server's version document.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn version(&self) -> Result<Node, ClusterError> {
        self.call("get", "its version", Method::GET, "/version".to_owned(), None, Body::empty).await
    }

    /// What the server has: each `group/version`, and each `group/version/Kind`, in order. Nothing
    /// from a server that has no aggregated discovery, or does not let this user see it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn api_versions(&self) -> Result<Vec<String>, ClusterError> {
        let found = match self.shared.found.get_or_try_init(|| self.discover()).await {
            Ok(found) => found,
            Err(ClusterError::Rejected { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let versions = found.keys().flat_map(|gvk| {
            let version = gvk.api_version();
            [format!("{version}/{}", gvk.kind), version]
        });
        let versions: BTreeSet<String> = versions.collect();
        Ok(versions.into_iter().collect())
    }

    /// How a kind is served.
    ///
    /// # Errors
    /// [`ClusterError::UnknownKind`] when the server has no such kind.
    pub async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        // once the server has told what it has, that counts
        let may_be = |found: &Found| found.is_empty() || found.contains_key(gvk);
        if let Some(resource) = discovery::well_known(gvk)
            && self.shared.found.get().is_none_or(may_be)
        {
            return Ok(resource);
        }
        let found = self.shared.found.get_or_try_init(|| self.discover()).await?;
        if let Some(resource) = found.get(gvk) {
            return Ok(resource.clone());
        }
        // a kind that came after the server was asked, or a server without aggregated discovery
        let mut late = Found::new();
        let root = match gvk.group.as_str() {
            "" => format!("/api/{}", gvk.version),
            group => format!("/apis/{group}/{}", gvk.version),
        };
        match self.call("get", "the kinds of", Method::GET, root, None, Body::empty).await {
            Ok(list) => discovery::read_plain(&gvk.group, &gvk.version, &list, &mut late),
            Err(error) if error.is_code(404) => {}
            Err(error) => return Err(error),
        }
        late.remove(gvk).ok_or_else(|| ClusterError::UnknownKind {
            api_version: gvk.api_version(),
            kind: gvk.kind.to_string(),
        })
    }

    async fn discover(&self) -> Result<Found, ClusterError> {
        const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
             application/json";
        let mut found = Found::new();
        for path in ["/apis", "/api"] {
            let request = || {
                Request::get(path)
                    .header(http::header::ACCEPT, ACCEPT)
                    .body(Body::empty())
                    .expect("a fixed path makes a request")
            };
            let answer = self.ask("get", "its kinds", true, request).await?;
            let document = parse("get", "its kinds", &answer)?;
            discovery::read_aggregated(&document, &mut found);
        }
        Ok(found)
    }

    /// One object, or nothing when it is not there.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Node>, ClusterError> {
        let resource = self.resource(&id.gvk).await?;
        let path = path::of(&resource, Some(&id.namespace), Some(&id.name));
        match self.call("get", &id.to_string(), Method::GET, path, None, Body::empty).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_code(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, in one namespace or in all.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<List, ClusterError> {
        let base = path::of(resource, namespace, None);
        let mut list = List::default();
        let mut more: Option<String> = None;
        loop {
            let path = Query::default()
                .add("labelSelector", options.labels.as_deref())
                .add("fieldSelector", options.fields.as_deref())
                .add("limit", Some(PAGE))
                .add("continue", more.as_deref())
                .after(&base);
            let mut page =
                self.call("list", &resource.plural, Method::GET, path, None, Body::empty).await?;
            let api_version = resource.gvk().api_version();
            let items = page.get_mut("items").and_then(Node::as_list_mut).map(std::mem::take);
            for mut item in items.unwrap_or_default() {
                // items of a list carry neither
                item.set("apiVersion", api_version.as_str());
                item.set("kind", resource.kind.clone());
                list.items.push(item);
            }
            let text = |key: &str| page.str_at(&["metadata", key]).filter(|text| !text.is_empty());
            text("resourceVersion").unwrap_or_default().clone_into(&mut list.resource_version);
            more = text("continue").map(str::to_owned);
            if more.is_none() {
                return Ok(list);
            }
        }
    }

    /// Server-side apply. Gives the object as it is, or would be, afterwards.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses; conflicts are
    /// [`Rejection::is_ownership_conflict`].
    pub async fn apply(
        &self,
        object: &Node,
        options: ApplyOptions<'_>,
    ) -> Result<Node, ClusterError> {
        let id = id_of(object);
        let resource = self.resource(&id.gvk).await?;
        let path = Query::default()
            .add("fieldManager", Some(options.manager))
            .add("force", Some(if options.force { "true" } else { "false" }))
            .add("fieldValidation", Some("Strict"))
            .add("dryRun", options.dry_run.then_some("All"))
            .after(&path::of(&resource, Some(&id.namespace), Some(&id.name)));
        self.send_json(
            "apply",
            &id,
            Method::PATCH,
            path,
            Some("application/apply-patch+yaml"),
            object,
        )
        .await
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses; 409 when it is there already.
    pub async fn create(&self, object: &Node, manager: &str) -> Result<Node, ClusterError> {
        let id = id_of(object);
        let resource = self.resource(&id.gvk).await?;
        let path = Query::default().add("fieldManager", Some(manager)).after(&path::of(
            &resource,
            Some(&id.namespace),
            None,
        ));
        self.send_json("create", &id, Method::POST, path, Some("application/json"), object).await
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses; 409 when it was changed meanwhile.
    pub async fn replace(&self, object: &Node, manager: &str) -> Result<Node, ClusterError> {
        let id = id_of(object);
        let resource = self.resource(&id.gvk).await?;
        let path = Query::default().add("fieldManager", Some(manager)).after(&path::of(
            &resource,
            Some(&id.namespace),
            Some(&id.name),
        ));
        self.send_json("replace", &id, Method::PUT, path, Some("application/json"), object).await
    }

    /// Patches an object.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn patch(
        &self,
        id: &ObjectId,
        kind: PatchKind,
        patch: &Node,
        manager: &str,
    ) -> Result<Node, ClusterError> {
        let resource = self.resource(&id.gvk).await?;
        let path = Query::default().add("fieldManager", Some(manager)).after(&path::of(
            &resource,
            Some(&id.namespace),
            Some(&id.name),
        ));
        let media = match kind {
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Json => "application/json-patch+json",
        };
        self.send_json("patch", id, Method::PATCH, path, Some(media), patch).await
    }

    /// Deletes an object; false when it was not there.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn delete(
        &self,
        id: &ObjectId,
        options: DeleteOptions<'_>,
    ) -> Result<bool, ClusterError> {
        let resource = self.resource(&id.gvk).await?;
        let path = path::of(&resource, Some(&id.namespace), Some(&id.name));
        let mut body = Node::map();
        body.set("apiVersion", "v1");
        body.set("kind", "DeleteOptions");
        body.set(
            "propagationPolicy",
            match options.propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
            },
        );
        if let Some(uid) = options.uid {
            body.set_at(&["preconditions", "uid"], uid);
        }
        if options.dry_run {
            body.set("dryRun", vec![Node::from("All")]);
        }
        let media = Some("application/json");
        match self.send_json("delete", id, Method::DELETE, path, media, &body).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_code(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Follows the changes of a kind from a revision on.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn watch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        from: &str,
    ) -> Result<Watch, ClusterError> {
        let mut watch = Watch::new(self.clone(), resource, namespace, from);
        watch.open().await?;
        Ok(watch)
    }

    /// The log of a container, as it comes.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        options: &LogOptions,
    ) -> Result<impl AsyncBufRead + Send + Unpin + use<>, ClusterError> {
        let pods = discovery::well_known(&Gvk::new("v1", "Pod")).expect("pods are well known");
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let path = Query::default()
            .add("container", options.container.as_deref())
            .flag("follow", options.follow)
            .flag("previous", options.previous)
            .add("tailLines", number(options.tail))
            .add("sinceSeconds", number(options.since_seconds))
            .flag("timestamps", options.timestamps)
            .after(&format!("{}/log", path::of(&pods, Some(namespace), Some(pod))));
        let what = format!("the log of {namespace}/{pod}");
        let body = self.open("read", &what, &path).await?;
        let stream = body.into_data_stream().map_err(std::io::Error::other);
        Ok(Box::pin(stream).into_async_read())
    }

    /// The events about one object, oldest first.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn events(&self, id: &ObjectId) -> Result<Vec<Node>, ClusterError> {
        let events = discovery::well_known(&Gvk::new("v1", "Event")).expect("events are known");
        let fields = format!("involvedObject.kind={},involvedObject.name={}", id.gvk.kind, id.name);
        let options = ListOptions { fields: Some(fields), labels: None };
        let namespace = if id.namespace.is_empty() { "default" } else { &id.namespace };
        let mut items = self.list(&events, Some(namespace), &options).await?.items;
        let time = |event: &Node| {
            ["lastTimestamp", "eventTime", "firstTimestamp"]
                .into_iter()
                .find_map(|key| event.str_at(&[key]))
                .unwrap_or_default()
                .to_owned()
        };
        items.sort_by_cached_key(time);
        Ok(items)
    }

    /// Opens a stream; the answer's body comes as it is written.
    pub(super) async fn open(
        &self,
        verb: &'static str,
        what: &str,
        path: &str,
    ) -> Result<Body, ClusterError> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json, */*")
            // events must come one by one, not when a compressed block is full
            .header(http::header::ACCEPT_ENCODING, "identity")
            .body(Body::empty())
            .map_err(|error| bad(verb, what, &error))?;
        let answer = self.inner.send(request).await.map_err(|error| self.unreachable(&error))?;
        self.shared.reached.store(true, Ordering::Relaxed);
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| self.unreachable(&error))?;
        Err(rejected(verb, what, code, &body.to_bytes()))
    }

    async fn send_json(
        &self,
        verb: &'static str,
        id: &ObjectId,
        method: Method,
        path: String,
        media: Option<&'static str>,
        body: &Node,
    ) -> Result<Node, ClusterError> {
        let bytes = Bytes::from(serde_json::to_vec(body).expect("a node can be written as JSON"));
        self.call(verb, &id.to_string(), method, path, media, || Body::from(bytes.to_vec())).await
    }

    async fn call(
        &self,
        verb: &'static str,
        what: &str,
        method: Method,
        path: String,
        media: Option<&'static str>,
        body: impl Fn() -> Body,
    ) -> Result<Node, ClusterError> {
        // a second POST would find what the first one made
        let repeatable = method != Method::POST;
        let uri: http::Uri =
            path.parse().map_err(|error: http::uri::InvalidUri| bad(verb, what, &error))?;
        let request = || {
            let mut request = Request::new(body());
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            let headers = request.headers_mut();
            headers
                .insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
            if let Some(media) = media {
                headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media));
            }
            request
        };
        let answer = self.ask(verb, what, repeatable, request).await?;
        parse(verb, what, &answer)
    }

    /// Sends a request and gives the body of the answer. A lost connection is tried again when the
    /// server was there before: it may be restarting.
    async fn ask(
        &self,
        verb: &'static str,
        what: &str,
        repeatable: bool,
        request: impl Fn() -> Request<Body>,
    ) -> Result<Bytes, ClusterError> {
        let _slot = self.shared.slots.acquire().await.expect("the semaphore is never closed");
        let mut waits = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 2, 7);
        loop {
            match self.once(verb, what, request()).await {
                Err(ClusterError::Unreachable { .. })
                    if repeatable && self.shared.reached.load(Ordering::Relaxed) =>
                {
                    let Some(wait) = waits.next() else {
                        let last = self.once(verb, what, request()).await;
                        if matches!(last, Err(ClusterError::Unreachable { .. })) {
                            // whoever asks next need not wait as long to hear the same
                            self.shared.reached.store(false, Ordering::Relaxed);
                        }
                        return last;
                    };
                    tokio::time::sleep(wait).await;
                }
                answer => return answer,
            }
        }
    }

    async fn once(
        &self,
        verb: &'static str,
        what: &str,
        request: Request<Body>,
    ) -> Result<Bytes, ClusterError> {
        let answer = self.inner.send(request).await.map_err(|error| self.unreachable(&error))?;
        self.note_warnings(&answer);
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| self.unreachable(&error))?;
        let body = body.to_bytes();
        self.shared.reached.store(true, Ordering::Relaxed);
        if status.is_success() {
            return Ok(body);
        }
        Err(rejected(verb, what, status.as_u16(), &body))
    }

    fn note_warnings<B>(&self, answer: &Response<B>) {
        for header in answer.headers().get_all(http::header::WARNING) {
            // 299 - "text", with quotes and backslashes escaped
            let Ok(text) = header.to_str() else { continue };
            let Some((_, quoted)) = text.split_once('"') else { continue };
            let text = quoted.trim_end().trim_end_matches('"');
            let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
            let warnings = self.shared.warnings.lock();
            warnings.unwrap_or_else(std::sync::PoisonError::into_inner).insert(text);
        }
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ClusterError {
        let message = root_cause(error);
        let local = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|host| self.shared.server.contains(host));
        let help = if message.contains("onnection refused") && local {
            "is the agent running? `wharf agent run` starts it".to_owned()
        } else if message.contains("certificate") || message.contains("Certificate") {
            "the server's certificate does not fit the kubeconfig; was the agent set up anew?"
                .to_owned()
        } else {
            "`wharf target list` shows where targets are".to_owned()
        };
        ClusterError::Unreachable {
            server: self.shared.server.clone(),
            target: self.shared.target.clone(),
            message,
            help: Some(help),
        }
    }
}

fn rejected(verb: &'static str, what: &str, code: u16, body: &[u8]) -> ClusterError {
    ClusterError::rejected(verb, what, Rejection::of(code, body))
}

fn bad(verb: &'static str, what: &str, error: &dyn std::error::Error) -> ClusterError {
    ClusterError::BadAnswer { verb, what: what.to_owned(), message: error.to_string() }
}

fn parse(verb: &'static str, what: &str, body: &[u8]) -> Result<Node, ClusterError> {
    serde_json::from_slice(body).map_err(|error| bad(verb, what, &error))
}

/// The innermost of a chain of errors: the outer ones say only that something went wrong.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn id_of(object: &Node) -> ObjectId {
    ObjectId {
        gvk: meta::gvk(object).unwrap_or_default(),
        namespace: meta::namespace(object).into(),
        name: meta::name(object).into(),
    }
}
