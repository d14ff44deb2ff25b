//! The Kubernetes API over the store: HTTPS, discovery, objects, watches.
//!
//! ```text
//! server ─> auth ─> route ─> negotiate ─> verb ─> body, decode ─> admission ─> store
//!                                                                        └─> respond
//! ```
//!
//! Objects are untyped nodes; what they may be is said by the schemas and by one file of rules per
//! kind (`admission`). Texts of errors are those of a Kubernetes API server, because clients and
//! people read them.
//!
//! Who is let in may do what roles grant (`auth`); the administrator may do everything.

mod admission;
mod auth;
mod body;
mod custom;
mod decode;
mod definition;
mod discovery;
mod fault;
mod json_path;
mod kind;
pub mod kubeconfig;
mod log;
mod namespace;
mod negotiate;
mod own_service;
mod pki;
mod protobuf;
mod query;
mod remote;
mod respond;
mod review;
mod route;
mod selection;
mod server;
mod status;
mod stream;
mod streams;
mod table;
mod verb;
mod websocket;

pub(crate) use server::tokens;
pub use server::{Server, ServerConfig, ServerError, ServerParts};
pub use streams::{
    Connection, Input, LogRequest, LogStream, NodeFuture, NodeStreams, Output, PortRequest,
    Process, ProcessRequest,
};

use crate::agent::entry::Entry;
use crate::agent::runtime::Subnet;
use crate::agent::store::{Op, Resource, Store, StoreError, metadata};
use crate::base::clock::Clock;
use crate::object::ssa::{self, UpdateOptions};
use crate::schema::{Schemas, Type};
use crate::yaml::Node;
use jiff::Timestamp;
use kind::{Kind, Kinds};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// Every resource that the API serves from the start.
#[must_use]
pub fn resources() -> Vec<Resource> {
    kind::resources()
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Api {
    store: Store,
    clock: Arc<dyn Clock>,
    schemas: Schemas,
    authenticator: auth::Authenticator,
    /// The kinds that are served now.
    kinds: RwLock<Arc<Kinds>>,
    streams: Option<Arc<dyn NodeStreams>>,
    /// Cancelled when the agent stops: streams end.
    stop: CancellationToken,
    /// The addresses of Services; held while one is chosen and stored.
    services: tokio::sync::Mutex<Subnet>,
    /// What new objects go through.
    entry: Entry,
}

impl Api {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The kinds that are served now.
    fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The type of a kind's objects.
    fn schema<'a>(&'a self, kind: &'a Kind) -> &'a Type {
        if let Some(definition) = &kind.definition {
            return &definition.ty;
        }
        self.schemas.kind(&kind.api_version(), &kind.kind).unwrap_or_else(|| Schemas::any())
    }

    /// Records who owns the fields of `after`.
    #[expect(clippy::unnecessary_wraps, reason = "it stands where a failing apply may stand")]
    fn own(
        &self,
        kind: &Kind,
        before: Option<&Node>,
        after: Node,
        manager: &str,
        subresource: &str,
    ) -> Result<Node, status::Status> {
        let options = UpdateOptions {
            manager,
            subresource,
            time: self.now(),
            reset: kind.reset(subresource),
        };
        Ok(ssa::update(before, after, options, Some(self.schema(kind))))
    }

    /// Makes an object of the system's own when there is none of its name. What somebody changed in
    /// one stays changed.
    async fn ensure(
        &self,
        kind: &Kind,
        name: &str,
        fields: serde_json::Value,
    ) -> Result<(), StoreError> {
        let key = kind.key("", name);
        if self.store.get(&key).is_some() {
            return Ok(());
        }
        let mut object = verb::create::headed(kind, Node::from(fields));
        object.set_at(&["metadata", "name"], name);
        (kind.rules.default)(&mut object);
        metadata::prepare_create(&mut object, self.now(), kind.generation);
        (kind.rules.create)(&mut object);
        match self.store.commit(vec![Op::Create { key, object }]).await {
            Ok(_) | Err(StoreError::Exists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives a Service its addresses and ports. Nothing else may be chosen until the guard is
    /// dropped, which is after the object has been stored.
    async fn allocate(
        &self,
        kind: &Kind,
        object: &mut Node,
        old: Option<&Node>,
    ) -> Result<Option<tokio::sync::MutexGuard<'_, Subnet>>, status::Status> {
        if kind.kind != "Service" {
            return Ok(None);
        }
        let guard = self.services.lock().await;
        admission::service::allocate(&self.store, *guard, kind, object, old)?;
        Ok(Some(guard))
    }
}
