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
use super::schedule::{self, Obstacle, Requests};
use super::volume::Volumes;
use crate::agent::claims::{self, CLAIMS};
use crate::agent::events::Event as Occurrence;
use crate::agent::runtime::{Container, Exit, Sandbox};
use crate::agent::store::{Change, Event, Expired, Key, Stored};
use crate::object::meta;
use crate::yaml::Node;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The worker of one pod.
#[derive(Debug)]
struct Assigned {
    namespace: String,
    references: References,
    /// What the pod takes of this host, until it has ended.
    requests: Option<Requests>,
    tell: UnboundedSender<Input>,
}

/// What is found on this host when the agent starts, by the pod's uid.
type Found = HashMap<String, (Option<Sandbox>, Vec<Container>)>;

/// Everything that the loop knows.
#[derive(Debug)]
struct Dispatch {
    host: Arc<Host>,
    workers: HashMap<String, Assigned>,
    /// Pods that cannot run now, by their uids.
    waiting: HashMap<String, Key>,
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
    let dispatch = Dispatch { host, workers: HashMap::new(), waiting: HashMap::new(), ended };
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
            let (
                Ok(mut pod_watch),
                Ok(mut map_watch),
                Ok(mut secret_watch),
                Ok(mut claim_watch),
                Ok(mut node_watch),
            ) = (
                watch("pods"),
                watch("configmaps"),
                watch("secrets"),
                watch(CLAIMS),
                watch("nodes"),
            )
            else {
                continue;
            };
            self.waiting.clear();
            // those that were bound before take their room first
            let is_bound = |pod: &Stored| pod.object.at(&["spec", "nodeName"]).is_some();
            for pod in pods.iter().filter(|pod| is_bound(pod)) {
                self.assign(pod, &mut found).await;
            }
            for pod in pods.iter().filter(|pod| !is_bound(pod)) {
                self.assign(pod, &mut found).await;
            }
            // nothing came in between: what no pod claims belongs to none
            self.remove_orphans(&mut found);
            for worker in self.workers.values() {
                let _ = worker.tell.send(Input::Changed);
                let _ = worker.tell.send(Input::Configured);
            }
            loop {
                let expired = tokio::select! {
                    event = pod_watch.next() => match event {
                        Ok(event) => {
                            self.pod(&event).await;
                            Ok(())
                        }
                        Err(expired) => Err(expired),
                    },
                    event = node_watch.next() => match event {
                        Ok(_) => {
                            self.retry().await;
                            Ok(())
                        }
                        Err(expired) => Err(expired),
                    },
                    event = claim_watch.next() => match event {
                        Ok(event) => {
                            self.configured(&event);
                            self.retry().await;
                            Ok(())
                        }
                        Err(expired) => Err(expired),
                    },
                    event = map_watch.next() => event.map(|event| self.configured(&event)),
                    event = secret_watch.next() => event.map(|event| self.configured(&event)),
                    Some(exit) = exits.recv() => {
                        self.exited(exit);
                        Ok(())
                    }
                    Some(uid) = gone.recv() => {
                        self.workers.remove(&uid);
                        self.retry().await;
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

    async fn pod(&mut self, event: &Event) {
        let uid = meta::uid(&event.object.object);
        let Some(worker) = self.workers.get_mut(uid) else {
            if event.change == Change::Deleted {
                self.waiting.remove(uid);
            } else {
                self.assign(&event.object, &mut Found::new()).await;
            }
            return;
        };
        let freed = has_ended(&event.object.object) && worker.requests.take().is_some();
        let before = event.previous.as_ref().map(|stored| &stored.object);
        if before.is_none_or(|before| concerns(before, &event.object.object))
            || event.change == Change::Deleted
        {
            let _ = worker.tell.send(Input::Changed);
        }
        if freed {
            self.retry().await;
        }
    }

    /// Looks again at pods that could not run: room or a label may have come. The most important
    /// ones, and of these those that wait longest, take it.
    async fn retry(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut pods: Vec<_> =
            waiting.values().filter_map(|key| self.host.store.get(key)).collect();
        pods.sort_by_cached_key(|pod| {
            let priority = pod.object.i64_at(&["spec", "priority"]).unwrap_or(0);
            let since = pod.object.str_at(&["metadata", "creationTimestamp"]);
            (Reverse(priority), since.map(str::to_owned))
        });
        for pod in pods {
            self.assign(&pod, &mut Found::new()).await;
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

    /// Starts a worker for a pod of this host that has none, if it may run here.
    async fn assign(&mut self, stored: &Arc<Stored>, found: &mut Found) {
        let pod = &stored.object;
        let uid = meta::uid(pod);
        let node = pod.str_at(&["spec", "nodeName"]).unwrap_or_default();
        if self.workers.contains_key(uid)
            || !(node.is_empty() || node == self.host.config.node_name)
        {
            return;
        }
        let requests = Requests::of(pod);
        if node.is_empty() {
            let used = self.workers.values().filter_map(|worker| worker.requests.as_ref());
            let used = Requests::sum(used);
            let own = self.host.store.get(&Key::new("nodes", "", &self.host.config.node_name));
            let obstacle = self.without_volume(stored);
            let obstacle = obstacle
                .or_else(|| own.and_then(|own| schedule::obstacle(pod, &own.object, &used)));
            if let Some(obstacle) = obstacle {
                self.waiting.insert(uid.to_owned(), stored.key.clone());
                self.hold_back(stored, &obstacle).await;
                return;
            }
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
            requests: (!has_ended(pod)).then_some(requests),
            tell,
        };
        self.workers.insert(uid.to_owned(), assigned);
    }

    /// What keeps a pod waiting whose claims have no volumes.
    fn without_volume(&self, stored: &Stored) -> Option<Obstacle> {
        let namespace = stored.key.namespace.as_str();
        let found = claims::of_pod(&stored.object)
            .find_map(|name| claims::folder(&self.host.store, namespace, name).err())?;
        let message = format!("0/1 nodes are available: {found}.");
        Some(Obstacle { reason: "Unschedulable", message })
    }

    /// Says in the status why a pod does not run.
    async fn hold_back(&self, stored: &Stored, obstacle: &Obstacle) {
        let now = self.host.clock.now();
        let mut told = false;
        let written = self.host.store.modify(&stored.key, |pod| {
            let condition = obstacle.condition(pod.items_at(&["status", "conditions"]), now);
            let conditions = vec![condition];
            if pod.items_at(&["status", "conditions"]) == conditions {
                return false;
            }
            told = true;
            pod.set_at(&["status", "phase"], "Pending");
            pod.set_at(&["status", "conditions"], conditions);
            true
        });
        if let Err(error) = written.await {
            tracing::warn!(pod = %stored.key, %error, "a status could not be stored");
        }
        if told && obstacle.reason == "Unschedulable" {
            let event = Occurrence::warning(&stored.object, "FailedScheduling", &obstacle.message);
            self.host.tell_as("default-scheduler", event);
        }
    }

    /// Takes away what belongs to pods that are gone.
    fn remove_orphans(&self, found: &mut Found) {
        let config = &self.host.config;
        let mut uids = Volumes::all(&config.state_dir, &config.run_dir);
        uids.extend(found.drain().map(|(uid, _)| uid));
        uids.retain(|uid| !self.workers.contains_key(uid));
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

fn has_ended(pod: &Node) -> bool {
    matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"))
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
