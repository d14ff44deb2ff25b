//! The life of namespaces: the first ones, and emptying those that are deleted.

use super::Api;
use super::kind::{self, Kind};
use crate::agent::store::{Change, Op, Resource, Store, StoreError, metadata};
use crate::yaml::Node;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Namespaces that are there from the start.
const FIRST: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];

/// A namespace whose content waits for finalizers is looked at again after this time.
const RETRY: Duration = Duration::from_millis(200);

fn spaces() -> &'static Kind {
    kind::built_in("namespaces")
}

/// Makes the first namespaces.
pub(super) async fn ensure(api: &Api) -> Result<(), StoreError> {
    for name in FIRST {
        api.ensure(spaces(), name, json!({})).await?;
    }
    Ok(())
}

/// Empties namespaces that are being deleted, until the server stops.
pub(super) async fn run(api: Arc<Api>) {
    let resource = Resource::new("namespaces");
    loop {
        let (all, revision) = api.store.list(&resource, None);
        let mut going: Vec<String> = all
            .iter()
            .filter(|stored| metadata::is_deleted(&stored.object))
            .map(|stored| stored.key.name.to_string())
            .collect();
        let Ok(mut watch) = api.store.watch(&resource, None, revision) else { continue };
        loop {
            let mut waiting = Vec::new();
            for name in going.drain(..) {
                if !matches!(empty(&api, &name).await, Ok(true)) {
                    waiting.push(name);
                }
            }
            going = waiting;
            let pause = if going.is_empty() { Duration::MAX } else { RETRY };
            tokio::select! {
                () = api.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                event = watch.next() => {
                    let Ok(event) = event else { break };
                    let name = event.object.key.name.to_string();
                    let gone = event.change == Change::Deleted;
                    if !gone && metadata::is_deleted(&event.object.object) && !going.contains(&name) {
                        going.push(name);
                    }
                }
            }
        }
    }
}

/// Deletes what is in a namespace, then the namespace. True when it is gone.
async fn empty(api: &Api, name: &str) -> Result<bool, StoreError> {
    let mut left = 0;
    let kinds = api.kinds();
    for resource in api.store.resources() {
        let namespaced = kinds.by_resource(&resource).is_none_or(|kind| kind.namespaced);
        if namespaced {
            left += clear(api, &resource, Some(name)).await?;
        }
    }
    if left > 0 {
        return Ok(false);
    }
    let key = spaces().key("", name);
    let Some(stored) = api.store.get(&key) else { return Ok(true) };
    if !stored.object.items_at(&["metadata", "finalizers"]).is_empty() {
        let done = api.store.modify(&key, |object| {
            object.set("spec", Node::map());
            true
        });
        done.await?;
        return Ok(true);
    }
    // somebody may set a finalizer meanwhile: then the next look finds it
    match api.store.commit(vec![Op::Delete { key, expect: Some(stored.revision) }]).await {
        Ok(_) | Err(StoreError::Missing(_)) => Ok(true),
        Err(StoreError::Changed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes or marks the objects of a resource, in all namespaces or in one; the number of those
/// that wait for a finalizer or a node.
pub(super) async fn clear(
    api: &Api,
    resource: &Resource,
    namespace: Option<&str>,
) -> Result<usize, StoreError> {
    let store: &Store = &api.store;
    let (objects, _) = store.list(resource, namespace);
    let mut left = 0;
    for stored in objects {
        let object = &stored.object;
        let pod = resource.as_str() == "pods"
            && !object.str_at(&["spec", "nodeName"]).unwrap_or_default().is_empty()
            && !matches!(object.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
        let held = pod || !object.items_at(&["metadata", "finalizers"]).is_empty();
        let key = stored.key.clone();
        let expect = Some(stored.revision);
        if held {
            left += 1;
            if metadata::is_deleted(object) {
                continue;
            }
            let grace = if pod {
                object.i64_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30)
            } else {
                0
            };
            let mut object = object.clone();
            metadata::mark_deleted(&mut object, api.now(), grace);
            match store.commit(vec![Op::Update { key, object, expect }]).await {
                Ok(_) | Err(StoreError::Changed { .. } | StoreError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
            continue;
        }
        match store.commit(vec![Op::Delete { key, expect }]).await {
            Ok(_) | Err(StoreError::Missing(_)) => {}
            Err(StoreError::Changed { .. }) => left += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}
