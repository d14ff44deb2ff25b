//! The node: one state machine per pod, its volumes, probes, names and service addresses.
//!
//! ```text
//! dispatch ─> pod (one task each) ─┬─> start, hook, probe ─> runtime
//!    │                             └─> status ─> store
//!    └─ machine: the Node object      service: addresses ─> runtime      dns: names
//! ```
//!
//! It meets the API and the controllers only in the store: a pod that nobody has bound is taken,
//! since there is one host.

pub mod backoff;
mod dispatch;
pub mod dns;
pub mod environment;
mod hook;
mod host;
mod inside;
pub mod logs;
mod machine;
mod message;
mod pod;
pub mod probe;
mod references;
pub mod request;
mod schedule;
pub mod service;
mod start;
pub mod status;
mod storage;
pub mod volume;

use super::runtime::image::{ImageError, ImageStore};
use super::runtime::log::{LogError, LogOptions};
use super::runtime::{
    AttachSession, ExecRequest, ExecSession, NetworkConfig, Runtime, RuntimeConfig, RuntimeError,
};
use super::store::Store;
use super::token::Tokens;
use crate::base::clock::Clock;
use bytes::Bytes;
use futures::stream::BoxStream;
use host::{Config, Host};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use volume::Volumes;

/// How a node is run.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The name of the Node object; the host's own when it is absent.
    pub name: Option<String>,
    /// The folder of images, volumes and logs.
    pub state_dir: PathBuf,
    /// The folder of what a reboot takes away; best in memory.
    pub run_dir: PathBuf,
    /// The network of pods. Its bridge's name is that of the control group and rules too.
    pub network: NetworkConfig,
}

impl NodeConfig {
    /// The folder of the volumes that claims get.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.state_dir.join("volumes")
    }

    /// What the runtime of such a node needs.
    #[must_use]
    pub fn runtime(&self) -> RuntimeConfig {
        RuntimeConfig {
            root: self.state_dir.clone(),
            run_dir: self.run_dir.clone(),
            cgroup_parent: format!("/{}", self.network.bridge),
            network: self.network.clone(),
            ..RuntimeConfig::default()
        }
    }
}

/// Why there is no node.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum NodeError {
    /// Containers cannot be run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Runtime(#[from] RuntimeError),
    /// The image store cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Images(#[from] ImageError),
}

/// A node that runs. Dropping it leaves all containers running.
#[derive(Debug)]
pub struct LocalNode {
    host: Arc<Host>,
    /// Dispatch, DNS and the Node object; workers of pods end with the process.
    tasks: JoinSet<()>,
}

impl LocalNode {
    /// Starts a node; when this returns, it has found what runs.
    ///
    /// # Errors
    /// When the host cannot run containers, or folders cannot be used.
    pub async fn start(
        config: NodeConfig,
        store: Store,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Result<LocalNode, NodeError> {
        config.network.check()?;
        let images = ImageStore::open(config.state_dir.join("images"))?;
        let dns_ip = config.network.pod_subnet.gateway();
        let runtime = Runtime::open(config.runtime()).await?;
        let capacity = machine::capacity(&config.state_dir);
        let volumes = config.volumes();
        let config = Config {
            node_name: config.name.unwrap_or_else(machine::host_name),
            host_ip: machine::host_ip(),
            state_dir: config.state_dir,
            run_dir: config.run_dir,
            dns_ip,
        };
        let host =
            Arc::new(Host::new(config, store.clone(), runtime, images, tokens, clock, capacity));
        // pods are measured by the Node object
        machine::register(&host).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(dispatch::run(Arc::clone(&host)));
        tasks.spawn(machine::keep(Arc::clone(&host)));
        tasks.spawn(answer_names(Arc::clone(&host)));
        tasks.spawn(storage::run(store, volumes));
        Ok(LocalNode { host, tasks })
    }

    /// The name of the Node object.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.host.config.node_name
    }

    /// What streams logs; it may outlive the node.
    #[must_use]
    pub fn containers(&self) -> Containers {
        Containers { host: Arc::clone(&self.host) }
    }

    /// Stops looking after pods. Containers run on.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Stops, once the pods that are no longer in the store have ended, and takes the network and
    /// what is left of pods off the host.
    ///
    /// # Errors
    /// When something could not be removed; the rest is.
    pub async fn remove(mut self) -> Result<(), NodeError> {
        // workers end containers at once when their pod is gone from the store
        let patience = tokio::time::Instant::now() + Duration::from_secs(10);
        while !self.host.runtime.sandboxes().is_empty() && tokio::time::Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.tasks.shutdown().await;
        self.host.runtime.shut_down().await?;
        let Config { state_dir, run_dir, .. } = &self.host.config;
        for uid in Volumes::all(state_dir, run_dir) {
            pod::remove_volumes(&self.host, &uid).await;
        }
        Ok(())
    }
}

/// The containers of this host, for those who look into them.
#[derive(Clone, Debug)]
pub struct Containers {
    host: Arc<Host>,
}

impl Containers {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    pub fn log(
        &self,
        wanted: &logs::Wanted,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<Bytes, LogError>>, String> {
        logs::open(&self.host, wanted, options)
    }

    /// Starts a command in a container that runs.
    ///
    /// # Errors
    /// Why it does not run, as a sentence.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        request: ExecRequest,
    ) -> Result<ExecSession, String> {
        let id = inside::running(&self.host.store, namespace, pod, container)?;
        self.host.runtime.exec_stream(&id, &request).await.map_err(|error| error.chain())
    }

    /// Joins the program of a container that runs; beside it the way to tell its terminal a size.
    ///
    /// # Errors
    /// Why that cannot be, as a sentence.
    pub async fn attach(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<(AttachSession, Window), String> {
        let id = inside::running(&self.host.store, namespace, pod, container)?;
        let session = self.host.runtime.attach(&id).await.map_err(|error| error.chain())?;
        Ok((session, Window { runtime: self.host.runtime.clone(), id }))
    }

    /// Connects to a port inside of a pod's network, where only the pod itself may listen.
    ///
    /// # Errors
    /// Why there is no connection, as a sentence.
    pub async fn connect(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<TcpStream, String> {
        inside::connect(&self.host, namespace, pod, port).await
    }
}

/// The terminal of a container's program.
#[derive(Clone, Debug)]
pub struct Window {
    runtime: Runtime,
    id: String,
}

impl Window {
    /// Tells it its size in characters; a program that has ended needs none.
    pub async fn resize(&self, columns: u16, rows: u16) {
        if let Err(error) = self.runtime.resize(&self.id, columns, rows).await {
            tracing::debug!(id = self.id, error = %error.chain(), "a terminal keeps its size");
        }
    }
}

async fn answer_names(host: Arc<Host>) {
    let (upstream, _) = dns::read_resolv_conf(&host.resolv_conf);
    let address = SocketAddr::from((host.config.dns_ip, 53));
    let resolver = dns::Resolver::new(host.store.clone(), upstream);
    if let Err(error) = resolver.serve(address).await {
        tracing::error!(%address, %error, "pods have no name server");
    }
}
