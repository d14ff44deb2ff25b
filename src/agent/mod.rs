//! The node side: serves the Kubernetes API on this host and runs what is applied to it.
//!
//! ```text
//! api ──> store <── control, node ──> runtime
//! ```

pub mod api;
pub mod control;
pub mod events;
pub mod node;
pub mod runtime;
pub mod store;

use crate::base::clock::{Clock, SystemClock};
use api::{Server, ServerConfig, ServerError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Store, StoreError};
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
}

/// A running agent: store, controllers and API.
#[derive(Debug)]
pub struct Agent {
    store: Store,
    server: Server,
    controllers: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent; when this returns, the API answers.
    pub async fn start(config: AgentConfig) -> Result<Agent, AgentError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Store::open(&config.state)?;
        let server = ServerConfig {
            listen: config.listen,
            pki: config.state.join("pki"),
            kubeconfig: config.kubeconfig,
        };
        let server = Server::start(&server, store.clone(), Arc::clone(&clock), None).await?;
        let runner = control::runner::Runner::new(store.clone(), clock, api::resources());
        let controllers = tokio::spawn(runner.run());
        Ok(Agent { store, server, controllers })
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

    /// Stops: streams end, requests under way are finished, everything stored is on the disk.
    pub async fn stop(self) {
        self.server.stop().await;
        self.controllers.abort();
        // it was aborted just above
        let _ = self.controllers.await;
    }
}
