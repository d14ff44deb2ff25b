//! GET of one object, lists, logs.

use super::Request;
use crate::agent::api::negotiate::{Encoding, Form};
use crate::agent::api::query::{Match, list_options};
use crate::agent::api::respond::{self, Item, Reply};
use crate::agent::api::selection::Selection;
use crate::agent::api::status::Status;
use crate::agent::api::table::{self, Include};
use crate::agent::store::{Key, Stored};
use crate::yaml::Node;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// How long a reader waits for a version that is yet to come.
const PATIENCE: Duration = Duration::from_secs(3);

/// GET of one object.
pub(crate) async fn get(request: &Request) -> Result<Reply, Status> {
    let asked = request.query.get("resourceVersion");
    if !asked.is_empty() {
        let version = asked.parse().map_err(|_| crate::agent::api::query::bad_version(asked))?;
        reach(request, version).await?;
    }
    let kind = request.kind();
    let found = request.api.store.get(&kind.key(request.namespace(), request.name()));
    let stored = found.ok_or_else(|| Status::not_found(kind, request.name()))?;
    request.answer(StatusCode::OK, &stored.object)
}

/// Waits for a version; an error when it does not come soon.
pub(super) async fn reach(request: &Request, version: u64) -> Result<(), Status> {
    let store = &request.api.store;
    if version <= store.revision() {
        return Ok(());
    }
    tokio::time::timeout(PATIENCE, store.reached(version))
        .await
        .map_err(|_| Status::version_ahead(version, store.revision()))
}

/// Where a list goes on: the version it shows, and the last key that was shown.
struct Token {
    version: u64,
    namespace: String,
    name: String,
}

impl Token {
    fn parse(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let node: Node = serde_json::from_slice(&bytes).ok()?;
        let (namespace, name) = node.str_at(&["start"])?.split_once('/')?;
        let version = u64::try_from(node.i64_at(&["rv"])?).ok()?;
        let marked = node.str_at(&["v"]) == Some("meta.k8s.io/v1");
        marked.then(|| Token { version, namespace: namespace.into(), name: name.into() })
    }

    fn text(version: u64, last: &Key) -> String {
        let mut node = Node::map();
        node.set("v", "meta.k8s.io/v1");
        node.set("rv", version);
        node.set("start", format!("{}/{}", last.namespace, last.name));
        URL_SAFE_NO_PAD.encode(crate::yaml::json::to_string(&node))
    }
}

/// One page of a list.
struct Page {
    items: Vec<Arc<Stored>>,
    version: u64,
    resume: Option<String>,
    remaining: Option<usize>,
}

/// GET of a collection.
pub(crate) async fn list(request: &Request) -> Result<Reply, Status> {
    let options = list_options(&request.query)?;
    let kind = request.kind();
    let selection = Selection::new(kind, &options)?;
    if options.watch {
        return super::watch::watch(request, &options, selection).await;
    }
    if options.version_match != Match::Exact {
        reach(request, options.version.unwrap_or(0)).await?;
    }
    let namespace = (!request.namespace().is_empty()).then(|| request.namespace());
    let store = &request.api.store;
    let resource = kind.resource();
    let token = match options.resume.as_str() {
        "" => None,
        text => Some(Token::parse(text).ok_or_else(|| {
            Status::bad_request("continue key is not valid: the token cannot be read")
        })?),
    };
    // version 0 in a token: whatever is there now
    let exact = match &token {
        Some(token) if token.version > 0 => Some(token.version),
        Some(_) => None,
        None => options.version.filter(|_| options.version_match == Match::Exact),
    };
    let (mut items, version) = match exact {
        None => store.list(&resource, namespace),
        Some(version) => {
            reach(request, version).await?;
            let items = store
                .list_at(&resource, namespace, version)
                .map_err(|_| expired(token.as_ref()))?;
            (items, version)
        }
    };
    if let Some(token) = &token {
        let last = Key::new(resource, &token.namespace, &token.name);
        let start = items.partition_point(|stored| stored.key <= last);
        items.drain(..start);
    }
    if !selection.is_everything() {
        items.retain(|stored| selection.matches(&stored.object));
    }
    let mut page = Page { items, version, resume: None, remaining: None };
    if options.limit > 0 && page.items.len() > options.limit {
        let more = page.items.len() - options.limit;
        page.items.truncate(options.limit);
        let last = page.items.last().expect("the limit is greater than 0");
        page.resume = Some(Token::text(version, &last.key));
        page.remaining = selection.is_everything().then_some(more);
    }
    page.items = page.items.into_iter().map(|stored| super::update::seen(kind, stored)).collect();
    answer(request, &page)
}

/// What an expired list says; with its token the rest can be had, as it is now.
fn expired(token: Option<&Token>) -> Status {
    let Some(token) = token else {
        return Status::expired("The resourceVersion for the provided list is too old.");
    };
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can \
         start a new list without the continue parameter, or use the continue token in this \
         response to retrieve the remainder of the results. Continuing with the provided token \
         results in an inconsistent list - objects that were created, modified, or deleted between \
         the time the first chunk was returned and now may show up in the list.",
    );
    let last = Key::new("", &token.namespace, &token.name);
    status.resume = Some(Token::text(0, &last));
    status
}

fn metadata(page: &Page) -> Node {
    let mut metadata = Node::map();
    metadata.set("resourceVersion", page.version.to_string());
    if let Some(resume) = &page.resume {
        metadata.set("continue", resume.as_str());
    }
    if let Some(remaining) = page.remaining {
        metadata.set("remainingItemCount", u64::try_from(remaining).unwrap_or(u64::MAX));
    }
    metadata
}

fn answer(request: &Request, page: &Page) -> Result<Reply, Status> {
    let kind = request.kind();
    let objects = page.items.iter().map(|stored| &stored.object);
    let list = match request.accepted.form {
        Form::Plain => {
            let list = List {
                kind: format!("{}List", kind.kind),
                api_version: kind.api_version(),
                metadata: metadata(page),
                items: &page.items,
                told: kind.definition.is_some(),
            };
            if request.accepted.encoding == Encoding::Json {
                return Ok(respond::json(StatusCode::OK, &list));
            }
            let json = serde_json::to_vec(&list).expect("a node has text keys only");
            serde_json::from_slice(&json).expect("it was JSON just now")
        }
        Form::Partial(version) => {
            let mut list = Node::map();
            list.set("kind", "PartialObjectMetadataList");
            list.set("apiVersion", version);
            list.set("metadata", metadata(page));
            list.set("items", objects.map(|o| table::partial(version, o)).collect::<Vec<_>>());
            list
        }
        Form::Table(version) => {
            let include = Include::parse(request.query.get("includeObject"))?;
            let now = request.api.now();
            table::table(kind, version, metadata(page), objects, include, true, now)
        }
    };
    Ok(respond::node(StatusCode::OK, request.accepted.encoding, &list))
}

/// A list that is written without being copied.
pub(super) struct List<'a> {
    pub(super) kind: String,
    pub(super) api_version: String,
    pub(super) metadata: Node,
    pub(super) items: &'a [Arc<Stored>],
    /// Items say what they are, as custom objects do; built-in ones leave that to the list.
    pub(super) told: bool,
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Items<'a>(&'a [Arc<Stored>], bool);
        impl Serialize for Items<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let items = self.0.iter();
                if self.1 {
                    return serializer.collect_seq(items.map(|stored| &stored.object));
                }
                serializer.collect_seq(items.map(|stored| Item(&stored.object)))
            }
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("apiVersion", &self.api_version)?;
        map.serialize_entry("metadata", &self.metadata)?;
        map.serialize_entry("items", &Items(self.items, self.told))?;
        map.end()
    }
}

/// GET of a Pod's log.
pub(crate) async fn log(request: &Request) -> Result<Reply, Status> {
    let kind = request.kind();
    let key = kind.key(request.namespace(), request.name());
    let pod = request.api.store.get(&key).ok_or_else(|| Status::not_found(kind, request.name()))?;
    super::super::log::stream(request, &pod.object).await
}
