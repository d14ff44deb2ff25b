//! What all pods of this host share: objects, runtime, images, rules of services, events.

use super::service::Proxy;
use crate::agent::events::{self, Event};
use crate::agent::runtime::Runtime;
use crate::agent::runtime::image::ImageStore;
use crate::agent::store::{Key, Store};
use crate::agent::token::Tokens;
use crate::base::clock::Clock;
use crate::object::meta;
use crate::oci::Keyring;
use crate::yaml::Node;
use base64::Engine as _;
use futures::future::join_all;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Who says what happens to pods.
const KUBELET: &str = "kubelet";

/// So many events are stored at once.
const EVENTS_AT_ONCE: usize = 64;

/// How this host is known and where it keeps things.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) node_name: String,
    pub(super) host_ip: Ipv4Addr,
    /// What outlives a reboot.
    pub(super) state_dir: PathBuf,
    /// What does not.
    pub(super) run_dir: PathBuf,
    /// Where pods ask for names.
    pub(super) dns_ip: Ipv4Addr,
}

/// What all pods share.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) runtime: Runtime,
    pub(super) images: ImageStore,
    pub(super) clock: Arc<dyn Clock>,
    /// Issues tokens to pods.
    pub(super) tokens: Arc<Tokens>,
    /// CPU, memory and disk as quantities.
    pub(super) capacity: Node,
    /// The text of the host's own.
    pub(super) resolv_conf: String,
    pub(super) proxy: Proxy,
    events: UnboundedSender<(Event, &'static str)>,
}

impl Host {
    /// Brings everything together. The task that stores events ends with the host.
    pub(super) fn new(
        config: Config,
        store: Store,
        runtime: Runtime,
        images: ImageStore,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        capacity: Node,
    ) -> Host {
        let (events, told) = unbounded_channel();
        tokio::spawn(record(store.clone(), Arc::clone(&clock), told));
        let proxy = Proxy::start(store.clone(), runtime.clone());
        // a host without one resolves nothing, and so do its pods
        let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Host { config, store, runtime, images, clock, tokens, capacity, resolv_conf, proxy, events }
    }

    /// Tells people that something happened; returns at once.
    pub(super) fn tell(&self, event: Event) {
        self.tell_as(KUBELET, event);
    }

    /// Tells it in another component's name.
    pub(super) fn tell_as(&self, component: &'static str, event: Event) {
        // the receiver lives until the host is dropped
        let _ = self.events.send((event, component));
    }

    /// What a pod may show to registries. A secret that is missing or broken is told and left out,
    /// as the kubelet does it.
    pub(super) fn credentials(&self, pod: &Node) -> Keyring {
        let mut keyring = Keyring::docker();
        for reference in pod.items_at(&["spec", "imagePullSecrets"]) {
            let name = reference.str_at(&["name"]).unwrap_or_default();
            let key = Key::new("secrets", meta::namespace(pod), name);
            let added = self.store.get(&key).is_some_and(|stored| {
                let data = |key: &str| {
                    let text = stored.object.str_at(&["data", key])?;
                    base64::engine::general_purpose::STANDARD.decode(text).ok()
                };
                let found = data(".dockerconfigjson").map(|bytes| (bytes, false));
                let found = found.or_else(|| data(".dockercfg").map(|bytes| (bytes, true)));
                found.is_some_and(|(json, legacy)| keyring.add_pull_secret(&json, legacy).is_ok())
            });
            if !added {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({name}); attempting to pull the \
                     image may not succeed."
                );
                self.tell(Event::warning(pod, "FailedToRetrieveImagePullSecret", message));
            }
        }
        keyring
    }
}

/// Stores events as they are told, many at once, in the order of telling.
async fn record(
    store: Store,
    clock: Arc<dyn Clock>,
    mut told: UnboundedReceiver<(Event, &'static str)>,
) {
    let mut batch = Vec::new();
    while told.recv_many(&mut batch, EVENTS_AT_ONCE).await > 0 {
        let now = clock.now();
        let commits = batch.drain(..).map(|(event, from)| events::record(&store, event, from, now));
        for result in join_all(commits).await {
            if let Err(error) = result {
                tracing::warn!(%error, "an event could not be stored");
            }
        }
    }
}
