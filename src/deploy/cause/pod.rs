//! What one pod that is not ready has to say: its containers, its events, the end of a log.

use super::{joined, printable, told};
use crate::cluster::{Client, LogOptions};
use crate::object::meta;
use crate::yaml::Node;
use futures::AsyncReadExt;

/// Log lines that are shown of one container.
const LINES: u64 = 10;

/// Longest log text that is read.
const LOG_BYTES: u64 = 64 << 10;

/// The first thing that is wrong with a pod, in one line; nothing while it starts as usual.
pub(super) fn first_trouble(pod: &Node) -> Option<String> {
    statuses(pod).find_map(|status| ended(status).or_else(|| waits(status)))
}

/// What distinguishes the trouble of this pod from that of others.
pub(super) fn kinds_of_trouble(pod: &Node) -> Vec<String> {
    let text = |status: &Node, path: &[&str]| status.str_at(path).unwrap_or_default().to_owned();
    let scheduled = condition(pod, "PodScheduled").map(|(reason, _)| reason);
    statuses(pod)
        .map(|status| {
            let waits = text(status, &["state", "waiting", "reason"]);
            let code = exit_code(status).unwrap_or(0);
            format!("{} {waits} {code}", text(status, &["name"]))
        })
        .chain(scheduled)
        .collect()
}

/// All that is known of why a pod is not ready.
pub(super) async fn troubles(client: &Client, pod: &Node, events: &[Node]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((reason, message)) = condition(pod, "PodScheduled") {
        lines.push(joined(&reason, &message));
    }
    for status in statuses(pod) {
        lines.extend(ended(status));
        lines.extend(waits(status));
    }
    for event in events {
        let line = told(event);
        if !is_echo(event, &lines) && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.extend(log(client, pod).await);
    lines
}

/// True for events that tell what the state of a container tells already.
fn is_echo(event: &Node, lines: &[String]) -> bool {
    match event.str_at(&["reason"]) {
        Some("BackOff") => true,
        // of an image that cannot be pulled or a container that cannot be started
        Some("Failed") => lines.iter().any(|line| line.contains(" waits: ")),
        Some("FailedScheduling") => !lines.is_empty(),
        _ => false,
    }
}

fn statuses(pod: &Node) -> impl Iterator<Item = &Node> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod.items_at(&["status", list]))
}

/// Reason and message of a condition that does not hold.
fn condition(pod: &Node, name: &str) -> Option<(String, String)> {
    let conditions = pod.items_at(&["status", "conditions"]).iter();
    let mut failing = conditions.filter(|condition| {
        condition.str_at(&["type"]) == Some(name) && condition.str_at(&["status"]) == Some("False")
    });
    let condition = failing.next()?;
    let text = |key| condition.str_at(&[key]).unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

fn name(status: &Node) -> &str {
    status.str_at(&["name"]).unwrap_or_default()
}

/// The code of the last bad end of a container.
fn exit_code(status: &Node) -> Option<i64> {
    ["state", "lastState"]
        .into_iter()
        .filter_map(|state| status.i64_at(&[state, "terminated", "exitCode"]))
        .find(|code| *code != 0)
}

/// How a container ended that ended badly, and how often it was started again.
fn ended(status: &Node) -> Option<String> {
    let code = exit_code(status)?;
    let reason = ["state", "lastState"]
        .into_iter()
        .find_map(|state| status.str_at(&[state, "terminated", "reason"]))
        .unwrap_or("Error");
    let again = match status.i64_at(&["restartCount"]).unwrap_or(0) {
        0 => String::new(),
        1 => ", started again once".to_owned(),
        times => format!(", started again {times} times"),
    };
    Some(format!("container `{}` ended with code {code} ({reason}){again}", name(status)))
}

/// What a container waits for, unless that is part of each start or of each end.
fn waits(status: &Node) -> Option<String> {
    let text = |key| status.str_at(&["state", "waiting", key]).unwrap_or_default();
    match text("reason") {
        "" | "ContainerCreating" | "PodInitializing" => None,
        "CrashLoopBackOff" if exit_code(status).is_some() => None,
        reason => {
            Some(format!("container `{}` waits: {}", name(status), joined(reason, text("message"))))
        }
    }
}

/// The last log lines of the first container that ended badly or is not ready.
async fn log(client: &Client, pod: &Node) -> Vec<String> {
    let unready = |status: &&Node| {
        status.get("ready").and_then(Node::as_bool) == Some(false)
            && status.at(&["state", "running"]).is_some()
    };
    let bad = statuses(pod).find(|status| exit_code(status).is_some());
    let Some(status) = bad.or_else(|| statuses(pod).find(unready)) else { return Vec::new() };
    let container = name(status).to_owned();
    let restarted = status.i64_at(&["restartCount"]).unwrap_or(0) > 0
        && status.at(&["state", "running"]).is_none()
        && status.at(&["state", "terminated"]).is_none();
    let options = LogOptions {
        container: Some(container.clone()),
        previous: restarted,
        tail: Some(LINES),
        ..LogOptions::default()
    };
    let Ok(stream) = client.logs(meta::namespace(pod), meta::name(pod), &options).await else {
        return Vec::new();
    };
    let mut text = Vec::new();
    if stream.take(LOG_BYTES).read_to_end(&mut text).await.is_err() || text.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("the last lines of container `{container}`:")];
    for line in String::from_utf8_lossy(&text).lines() {
        lines.push(format!("  {}", printable(line)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: &Value) -> Node {
        Node::from(json!({"status": {"containerStatuses": [status]}}))
    }

    #[test]
    fn a_container_says_how_it_ended_before_what_it_waits_for() {
        let crashed = json!({"name": "main", "restartCount": 2, "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        let pulling = json!({"name": "main", "restartCount": 0, "ready": false,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image\nat all"}}});
        let starting = json!({"name": "main", "restartCount": 0, "ready": false,
            "state": {"waiting": {"reason": "ContainerCreating"}}});
        for (status, expected) in [
            (crashed, Some("container `main` ended with code 3 (Error), started again 2 times")),
            (pulling, Some("container `main` waits: ErrImagePull: no such image")),
            (starting, None),
        ] {
            assert_eq!(first_trouble(&pod(&status)).as_deref(), expected);
        }
    }
}
