//! What the containers of a hook print, where somebody asks for it.

use super::cause::printable;
use super::progress::{Event, Progress};
use crate::cluster::{Client, ListOptions, LogOptions};
use crate::object::{Gvk, ObjectId, meta};
use crate::yaml::Node;
use futures::io::{AsyncBufReadExt, AsyncReadExt};

/// The most that is shown of one container.
const MOST: u64 = 1 << 20;

/// Shows the logs of a Job's pods or of a Pod, oldest pod first. What cannot be read is left out,
/// for it is no reason to fail.
pub(super) async fn show(client: &Client, id: &ObjectId, progress: &dyn Progress) {
    for pod in pods(client, id).await {
        let lists = ["initContainers", "containers"].into_iter();
        let containers: Vec<&str> = lists
            .flat_map(|list| pod.items_at(&["spec", list]))
            .filter_map(|container| container.str_at(&["name"]))
            .collect();
        for container in &containers {
            // the only container needs no name
            let shown = (containers.len() > 1).then_some(*container);
            lines(client, &pod, container, |line| {
                progress.event(Event::Log { pod: meta::name(&pod), container: shown, line });
            })
            .await;
        }
    }
}

async fn pods(client: &Client, id: &ObjectId) -> Vec<Node> {
    let kind = Gvk::new("v1", "Pod");
    if id.gvk == kind {
        return client.get(id).await.ok().flatten().into_iter().collect();
    }
    if id.gvk != Gvk::new("batch/v1", "Job") {
        return Vec::new();
    }
    let labels = Some(format!("job-name={}", id.name));
    let Ok(resource) = client.resource(&kind).await else { return Vec::new() };
    let options = ListOptions { labels, fields: None };
    let found = client.list(&resource, Some(&id.namespace), &options).await;
    let mut pods = found.map(|list| list.items).unwrap_or_default();
    pods.sort_by_cached_key(|pod| {
        let created = pod.str_at(&["metadata", "creationTimestamp"]).unwrap_or_default();
        (created.to_owned(), meta::name(pod).to_owned())
    });
    pods
}

/// Tells the lines of a container's log, without what would change a terminal.
async fn lines(client: &Client, pod: &Node, container: &str, tell: impl Fn(&str)) {
    let options = LogOptions { container: Some(container.to_owned()), ..LogOptions::default() };
    let log = client.logs(meta::namespace(pod), meta::name(pod), &options).await;
    let Ok(log) = log else { return };
    let (mut log, mut line) = (log.take(MOST), Vec::new());
    while log.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        tell(&printable(&String::from_utf8_lossy(&line)));
        line.clear();
    }
}
