//! Finding the log of a container: which of its runs, and until when to follow it.
//!
//! What is there to read, and what is said when there is nothing, follows the kubelet
//! (`validateContainerLogStatus`).

use super::host::Host;
use super::message::log_path;
use crate::agent::runtime::log::{LogError, LogOptions, read};
use crate::agent::store::Key;
use crate::object::meta;
use crate::yaml::Node;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;

/// A container whose log is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
    /// Its run before this one.
    pub previous: bool,
}

/// Opens the log of a container.
pub(super) fn open(
    host: &Arc<Host>,
    wanted: &Wanted,
    options: LogOptions,
) -> Result<BoxStream<'static, Result<Bytes, LogError>>, String> {
    let stored = host.store.get(&Key::new("pods", &wanted.namespace, &wanted.pod));
    let stored = stored.ok_or_else(|| format!("pod \"{}\" not found", wanted.pod))?;
    let id = run(&stored.object, wanted)?;
    let attempt = id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    let path = log_path(host, meta::uid(&stored.object), &wanted.container, attempt);
    let runtime = host.runtime.clone();
    let ended = async move {
        // one that is unknown has ended and was removed
        let _ = runtime.wait(&id).await;
    };
    let failed = |error: &dyn std::error::Error| super::start::chain(error);
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        return Err(format!("the log of container \"{}\" is gone", wanted.container));
    }
    Ok(read(&path, options, ended).map_err(|error| failed(&error))?.boxed())
}

/// The id of the run whose log is wanted.
fn run(pod: &Node, wanted: &Wanted) -> Result<String, String> {
    let (container, name) = (&wanted.container, &wanted.pod);
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let statuses = lists.iter().flat_map(|list| pod.items_at(&["status", list]));
    let status = statuses.into_iter().find(|s| s.str_at(&["name"]) == Some(container));
    let Some(status) = status else {
        return Err(format!(
            "container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating"
        ));
    };
    let id = |keys: &[&str]| {
        let id = status.str_at(keys)?.strip_prefix("wharf://")?;
        (!id.is_empty()).then(|| id.to_owned())
    };
    let last = || id(&["lastState", "terminated", "containerID"]);
    if wanted.previous {
        return last().ok_or_else(|| {
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
        });
    }
    if status.at(&["state", "running"]).is_some() {
        return id(&["containerID"]).ok_or_else(|| format!("container \"{container}\" has no id"));
    }
    if status.at(&["state", "terminated"]).is_some() {
        let own = id(&["state", "terminated", "containerID"]).or_else(last);
        return own
            .ok_or_else(|| format!("container \"{container}\" in pod \"{name}\" is terminated"));
    }
    if let Some(id) = last() {
        return Ok(id);
    }
    let why = match status.str_at(&["state", "waiting", "reason"]).unwrap_or_default() {
        "ErrImagePull" => "image can't be pulled",
        "ImagePullBackOff" => "trying and failing to pull image",
        other => other,
    };
    Err(format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_run_is_found_or_it_is_said_why_not() {
        let check = |status: serde_json::Value, previous: bool, expected: Result<&str, &str>| {
            let pod = Node::from(json!({"status": {"containerStatuses": [status]}}));
            let wanted =
                Wanted { namespace: "n".into(), pod: "p".into(), container: "c".into(), previous };
            let found = run(&pod, &wanted);
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        };
        let running = json!({"name": "c", "containerID": "wharf://u-c-1",
            "state": {"running": {}}, "lastState": {"terminated": {"containerID": "wharf://u-c-0"}}});
        check(running.clone(), false, Ok("u-c-1"));
        check(running, true, Ok("u-c-0"));
        let crashing = json!({"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"containerID": "wharf://u-c-3"}}});
        check(crashing, false, Ok("u-c-3"));
        let waiting = json!({"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}});
        let text =
            "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image";
        check(waiting.clone(), false, Err(text));
        let text = "previous terminated container \"c\" in pod \"p\" not found";
        check(waiting, true, Err(text));
    }
}
