//! Ways into a pod that runs: its containers' ids, and its network.

use super::host::Host;
use crate::agent::store::{Key, Store};
use crate::object::meta;
use tokio::net::TcpStream;

/// The id of a container that runs.
pub(super) fn running(
    store: &Store,
    namespace: &str,
    pod: &str,
    container: &str,
) -> Result<String, String> {
    let stored = store.get(&Key::new("pods", namespace, pod));
    let stored = stored.ok_or_else(|| format!("pod \"{pod}\" not found"))?;
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = lists.iter().flat_map(|list| stored.object.items_at(&["status", list]));
    let status = statuses.find(|status| status.str_at(&["name"]) == Some(container));
    status
        .filter(|status| status.at(&["state", "running"]).is_some())
        .and_then(|status| status.str_at(&["containerID"])?.strip_prefix("wharf://"))
        .map(str::to_owned)
        .ok_or_else(|| format!("container not found (\"{container}\")"))
}

/// Connects to a port of a pod, from inside of its network: some programs listen only there.
pub(super) async fn connect(
    host: &Host,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<TcpStream, String> {
    let stored = host.store.get(&Key::new("pods", namespace, pod));
    let stored = stored.ok_or_else(|| format!("pod \"{pod}\" not found"))?;
    let connected = host.runtime.connect(meta::uid(&stored.object), port).await;
    connected.map_err(|error| error.chain())
}
