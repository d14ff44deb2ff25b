//! The node side: serves the Kubernetes API on this host and runs what is applied to it.
//!
//! ```text
//! api ──> store <── control, node ──> runtime
//! ```

pub mod api;
pub mod claims;
pub mod control;
pub mod endpoints;
pub mod entry;
pub mod events;
pub mod jobs;
pub mod node;
pub mod reset;
pub mod runtime;
pub mod store;
mod streams;
pub mod token;

use crate::base::clock::{Clock, SystemClock};
use api::{NodeStreams, Server, ServerConfig, ServerError, ServerParts};
use entry::Entry;
use node::{LocalNode, NodeConfig, NodeError};
use runtime::Subnet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Op, Store, StoreError};
use tokio::task::JoinHandle;

/// How an agent is run.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The folder of objects, keys and certificates.
    pub state: PathBuf,
    /// Where to serve HTTPS; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The kubeconfig that gets a context named `wharf`, if any.
    pub kubeconfig: Option<PathBuf>,
    /// The addresses of Services.
    pub services: Subnet,
    /// How pods are run; without it the agent only keeps objects.
    pub node: Option<NodeConfig>,
}

/// Why an agent does not start.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum AgentError {
    /// The objects cannot be opened.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The API cannot be served.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Server(#[from] ServerError),
    /// Containers cannot be run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Node(#[from] NodeError),
}

/// A running agent: store, node, controllers and API.
#[derive(Debug)]
pub struct Agent {
    store: Store,
    server: Server,
    controllers: JoinHandle<()>,
    node: Option<LocalNode>,
}

impl Agent {
    /// Starts an agent; when this returns, the API answers.
    pub async fn start(config: AgentConfig) -> Result<Agent, AgentError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Store::open(&config.state)?;
        let entry = Entry::new(store.clone());
        let server = ServerConfig {
            listen: config.listen,
            pki: config.state.join("pki"),
            kubeconfig: config.kubeconfig,
            inside: config.node.as_ref().map(|node| node.network.pod_subnet.gateway()),
            services: config.services,
        };
        let volumes = config.node.as_ref().map(NodeConfig::volumes);
        let tokens = Arc::new(api::tokens(&server.pki)?);
        let node = match config.node {
            Some(node) => {
                let tokens = Arc::clone(&tokens);
                Some(LocalNode::start(node, store.clone(), tokens, Arc::clone(&clock)).await?)
            }
            None => None,
        };
        let streams = node.as_ref().map(|node| Arc::new(node.containers()) as Arc<dyn NodeStreams>);
        let parts = ServerParts {
            store: store.clone(),
            entry: entry.clone(),
            tokens,
            clock: Arc::clone(&clock),
            streams,
        };
        let server = Server::start(&server, parts).await?;
        let authority = server.authority().to_owned();
        let facts = control::runner::Facts { authority, volumes };
        let runner =
            control::runner::Runner::new(store.clone(), entry, clock, api::resources(), facts);
        let controllers = tokio::spawn(runner.run());
        Ok(Agent { store, server, controllers, node })
    }

    /// The address of the API.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The objects.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The name of this host's Node, when pods are run.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_ref().map(LocalNode::name)
    }

    /// Stops: containers run on, streams end, requests under way are finished, everything stored is on the disk.
    pub async fn stop(self) {
        self.server.stop().await;
        self.controllers.abort();
        // it was aborted just above
        let _ = self.controllers.await;
        if let Some(node) = self.node {
            node.stop().await;
        }
    }

    /// Stops, and takes everything off the host that the agent brought there: pods, their network,
    /// mounts, control groups and rules. Only the state folder stays, without the pods.
    ///
    /// # Errors
    /// When something could not be removed; the rest is.
    pub async fn remove(self) -> Result<(), AgentError> {
        self.server.stop().await;
        self.controllers.abort();
        // it was aborted just above
        let _ = self.controllers.await;
        let Some(node) = self.node else { return Ok(()) };
        let (pods, _) = self.store.list(&"pods".into(), None);
        let gone = pods.iter().map(|pod| Op::Delete { key: pod.key.clone(), expect: None });
        self.store.commit(gone.collect()).await?;
        Ok(node.remove().await?)
    }
}
