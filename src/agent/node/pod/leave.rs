//! The end of a pod: its work is done, or it was deleted.

use super::{Activity, Input, Role, SandboxState, Worker, log_fault};
use crate::agent::events::Event;
use crate::agent::node::hook;
use crate::agent::node::host::Host;
use crate::agent::node::volume::Volumes;
use crate::agent::store::{Key, Op, StoreError};
use crate::object::meta;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Worker {
    /// The pod has done its work: what still runs is stopped, its network is given back.
    pub(super) fn finish(&mut self) {
        if self.sandbox == SandboxState::Gone || self.stopper.is_some() || self.is_making() {
            return;
        }
        let running = self.running_containers();
        if !running.is_empty() {
            let grace = self.pod.i64_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
            self.stop_all(running, Duration::from_secs(grace.unsigned_abs()), None);
            return;
        }
        self.sandbox = SandboxState::Gone;
        self.facts.sandboxed = false;
        let (host, uid) = (Arc::clone(&self.host), self.uid.clone());
        tokio::spawn(async move {
            log_fault("sandbox", &uid, host.runtime.remove_sandbox(&uid).await);
        });
    }

    /// Stops everything, once nothing is half started.
    pub(super) fn leave(&mut self) {
        if self.stopper.is_some() || self.is_making() {
            return;
        }
        let Some(leaving) = self.leaving else { return };
        for slot in &mut self.slots {
            if let Some(prober) = slot.prober.take() {
                prober.abort();
            }
            if let Some(killer) = slot.killer.take() {
                killer.abort();
            }
        }
        for at in 0..self.slots.len() {
            if self.slots[at].activity == Activity::Running {
                let message = format!("Stopping container {}", self.slots[at].name());
                let event = Event::normal(&self.pod, "Killing", message);
                self.host.tell(event.of_field(self.field_path(at)));
            }
        }
        let running = self.running_containers();
        self.stop_all(running, Duration::from_secs(leaving.grace), Some(leaving.revision));
    }

    /// True while something is half done that must come to its end first.
    fn is_making(&self) -> bool {
        let starting = self.slots.iter().any(|slot| slot.activity == Activity::Starting);
        starting || self.sandbox == SandboxState::Making
    }

    fn running_containers(&mut self) -> Vec<(hook::Stop, Role)> {
        let mut running = Vec::new();
        for at in 0..self.slots.len() {
            if self.slots[at].activity == Activity::Running {
                running.push((self.stop_of(at), self.slots[at].role));
            }
        }
        running
    }

    /// Stops containers beside each other, then sidecars in the reverse of their order, and says
    /// when all have ended. With a revision, only after services know it.
    fn stop_all(
        &mut self,
        running: Vec<(hook::Stop, Role)>,
        grace: Duration,
        revision: Option<u64>,
    ) {
        let (host, tell) = (Arc::clone(&self.host), self.tell.clone());
        let stopper = tokio::spawn(async move {
            if let Some(revision) = revision.filter(|_| !running.is_empty()) {
                // no new connection comes once the rules are without this pod
                host.proxy.settled(revision).await;
            }
            let began = Instant::now();
            let (sidecars, others): (Vec<_>, Vec<_>) =
                running.into_iter().partition(|(_, role)| *role == Role::Sidecar);
            join_all(others.into_iter().map(|(stop, _)| stop.run(grace))).await;
            for (stop, _) in sidecars.into_iter().rev() {
                stop.run(grace.saturating_sub(began.elapsed())).await;
            }
            let _ = tell.send(Input::Stopped);
        });
        self.stopper = Some(stopper.abort_handle());
    }

    /// Removes all that the pod had on this host, then the object.
    pub(super) async fn clean_up(&mut self) {
        let host = Arc::clone(&self.host);
        log_fault("sandbox", &self.uid, host.runtime.remove_sandbox(&self.uid).await);
        remove_volumes(&host, &self.uid).await;
        host.forget(&self.key, &self.uid).await;
    }
}

/// Removes the volumes and logs of a pod.
pub(in super::super) async fn remove_volumes(host: &Host, uid: &str) {
    let volumes = Volumes::new(&host.config.state_dir, &host.config.run_dir, uid);
    let removed = tokio::task::spawn_blocking(move || volumes.remove()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%uid, %error, "volumes could not be removed");
    }
}

impl Host {
    /// Deletes a pod's object, unless a finalizer holds it: then it is left without grace.
    async fn forget(&self, key: &Key, uid: &str) {
        loop {
            let Some(stored) = self.store.get(key) else { return };
            if meta::uid(&stored.object) != uid {
                return;
            }
            let expect = Some(stored.revision);
            let op = if stored.object.items_at(&["metadata", "finalizers"]).is_empty() {
                Op::Delete { key: key.clone(), expect }
            } else {
                let mut object = stored.object.clone();
                object.set_at(&["metadata", "deletionGracePeriodSeconds"], 0);
                Op::Update { key: key.clone(), object, expect }
            };
            match self.store.commit(vec![op]).await {
                Err(StoreError::Changed { .. }) => {}
                Err(StoreError::Write(error)) => {
                    tracing::warn!(pod = %key, %error, "a pod could not be removed from the store");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                _ => return,
            }
        }
    }
}
