//! Gives each pod of this host a worker, and each worker what concerns it.
//!
//! ```text
//! store: pods, ConfigMaps, Secrets ─┐
//! runtime: containers that ended ───┼─> dispatch ─> one worker per pod, known by its uid
//! workers that are done ────────────┘
//! ```
//!
//! A pod that is deleted and made again under the same name has another uid, so its worker does not
//! wait for the former one's end.

use super::host::Host;
use super::pod::{Input, Worker, remove_volumes};
use super::references::References;
use crate::agent::runtime::{Container, Exit, Sandbox};
use crate::agent::store::{Change, Event, Expired, Stored};
use crate::object::meta;
use crate::yaml::Node;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The worker of one pod.
#[derive(Debug)]
struct Assigned {
    namespace: String,
    references: References,
    tell: UnboundedSender<Input>,
}

/// What is found on this host when the agent starts, by the pod's uid.
type Found = HashMap<String, (Option<Sandbox>, Vec<Container>)>;

/// Everything that the loop knows.
#[derive(Debug)]
struct Dispatch {
    host: Arc<Host>,
    workers: HashMap<String, Assigned>,
    /// Workers say here that they have ended.
    ended: UnboundedSender<String>,
}

/// Keeps workers for all pods until it is dropped.
///
/// # Cancellation
/// Containers go on; the next agent finds them.
pub(super) async fn run(host: Arc<Host>) {
    // before anything is looked at, so that no end is missed
    let exits = host.runtime.exits();
    let found = found(&host);
    let (ended, gone) = unbounded_channel();
    let dispatch = Dispatch { host, workers: HashMap::new(), ended };
    dispatch.run(found, exits, gone).await;
}

impl Dispatch {
    async fn run(
        mut self,
        mut found: Found,
        mut exits: UnboundedReceiver<Exit>,
        mut gone: UnboundedReceiver<String>,
    ) {
        loop {
            let store = self.host.store.clone();
            let (pods, revision) = store.list(&"pods".into(), None);
            let watch = |resource: &str| store.watch(&resource.into(), None, revision);
            let (Ok(mut pod_watch), Ok(mut map_watch), Ok(mut secret_watch)) =
                (watch("pods"), watch("configmaps"), watch("secrets"))
            else {
                continue;
            };
            for pod in &pods {
                self.assign(pod, &mut found);
            }
            // nothing came in between: what no pod claims belongs to none
            self.remove_orphans(&mut found);
            for worker in self.workers.values() {
                let _ = worker.tell.send(Input::Changed);
                let _ = worker.tell.send(Input::Configured);
            }
            loop {
                let expired = tokio::select! {
                    event = pod_watch.next() => event.map(|event| self.pod(&event)),
                    event = map_watch.next() => event.map(|event| self.configured(&event)),
                    event = secret_watch.next() => event.map(|event| self.configured(&event)),
                    Some(exit) = exits.recv() => {
                        self.exited(exit);
                        Ok(())
                    }
                    Some(uid) = gone.recv() => {
                        self.workers.remove(&uid);
                        Ok(())
                    }
                };
                if let Err(Expired { .. }) = expired {
                    tracing::info!("the node fell behind and looks at everything again");
                    break;
                }
            }
        }
    }

    fn pod(&mut self, event: &Event) {
        let uid = meta::uid(&event.object.object);
        let Some(worker) = self.workers.get(uid) else {
            if event.change != Change::Deleted {
                self.assign(&event.object, &mut Found::new());
            }
            return;
        };
        let before = event.previous.as_ref().map(|stored| &stored.object);
        if before.is_none_or(|before| concerns(before, &event.object.object))
            || event.change == Change::Deleted
        {
            let _ = worker.tell.send(Input::Changed);
        }
    }

    fn configured(&mut self, event: &Event) {
        let key = &event.object.key;
        for worker in self.workers.values() {
            if worker.namespace == *key.namespace && worker.references.contains(key) {
                let _ = worker.tell.send(Input::Configured);
            }
        }
    }

    fn exited(&self, exit: Exit) {
        let sandbox = self.host.runtime.container(&exit.container).map(|c| c.spec.sandbox);
        if let Some(worker) = sandbox.and_then(|sandbox| self.workers.get(&sandbox)) {
            let _ = worker.tell.send(Input::Exited { id: exit.container, exit: exit.status });
        }
    }

    /// Starts a worker for a pod of this host that has none.
    fn assign(&mut self, stored: &Arc<Stored>, found: &mut Found) {
        let pod = &stored.object;
        let uid = meta::uid(pod);
        let node = pod.str_at(&["spec", "nodeName"]).unwrap_or_default();
        if self.workers.contains_key(uid)
            || !(node.is_empty() || node == self.host.config.node_name)
        {
            return;
        }
        let (sandbox, containers) = found.remove(uid).unwrap_or_default();
        let (tell, inputs) = unbounded_channel();
        let worker = Worker::new(
            Arc::clone(&self.host),
            stored.key.clone(),
            pod.clone(),
            sandbox,
            containers,
            tell.clone(),
        );
        let (ended, id) = (self.ended.clone(), uid.to_owned());
        tokio::spawn(async move {
            worker.run(inputs).await;
            let _ = ended.send(id);
        });
        let assigned = Assigned {
            namespace: stored.key.namespace.to_string(),
            references: References::of(pod),
            tell,
        };
        self.workers.insert(uid.to_owned(), assigned);
    }

    /// Takes away what belongs to pods that are gone.
    fn remove_orphans(&self, found: &mut Found) {
        let folders = self.host.config.state_dir.join("pods");
        let mut uids: Vec<String> = found.drain().map(|(uid, _)| uid).collect();
        let entries = std::fs::read_dir(folders).into_iter().flatten().flatten();
        uids.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        uids.retain(|uid| !self.workers.contains_key(uid));
        uids.sort();
        uids.dedup();
        for uid in uids {
            let host = Arc::clone(&self.host);
            tokio::spawn(async move {
                if let Err(error) = host.runtime.remove_sandbox(&uid).await {
                    tracing::warn!(%uid, error = %error.chain(), "a former pod's sandbox remains");
                }
                remove_volumes(&host, &uid).await;
            });
        }
    }
}

fn found(host: &Host) -> Found {
    let mut found = Found::new();
    for sandbox in host.runtime.sandboxes() {
        let uid = sandbox.id().to_owned();
        found.entry(uid).or_default().0 = Some(sandbox);
    }
    for container in host.runtime.list() {
        found.entry(container.spec.sandbox.clone()).or_default().1.push(container);
    }
    found
}

/// True when a change of a pod is one that its worker must see: not its own writing of the status.
fn concerns(before: &Node, after: &Node) -> bool {
    const METADATA: [&str; 5] =
        ["labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers"];
    let gated = !after.items_at(&["spec", "readinessGates"]).is_empty();
    gated
        || METADATA.iter().any(|key| before.at(&["metadata", key]) != after.at(&["metadata", key]))
        || before.get("spec") != after.get("spec")
}
