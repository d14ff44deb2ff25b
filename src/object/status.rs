//! Is an object ready? Decided from the object alone, per kind, as kstatus does.
//!
//! Kinds without a rule of their own are judged by `observedGeneration` and the conditions `Ready`,
//! `Stalled` and `Reconciling`; what has none of these is ready as soon as it exists.
//!
//! *Why* something is not ready (events, logs) is not decided here: that needs more than the object.

use crate::yaml::Node;
use std::fmt;

/// How far an object has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// What was asked for is there.
    Current,
    /// On its way.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// Being deleted.
    Terminating,
    /// Not there.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Current => "ready",
            State::InProgress => "in progress",
            State::Failed => "failed",
            State::Terminating => "terminating",
            State::Missing => "missing",
        })
    }
}

/// A state and what it was decided by, such as `1 of 3 updated`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// How far it has come.
    pub state: State,
    /// In a few words, what is there or lacking; may be empty.
    pub message: String,
}

impl Readiness {
    /// That of an object which is not there.
    #[must_use]
    pub fn missing() -> Readiness {
        Readiness { state: State::Missing, message: "not found".to_owned() }
    }

    /// True when nothing more is to be waited for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Current
    }

    fn current(message: impl Into<String>) -> Readiness {
        Readiness { state: State::Current, message: message.into() }
    }

    /// On its way, in these words.
    #[must_use]
    pub fn in_progress(message: impl Into<String>) -> Readiness {
        Readiness { state: State::InProgress, message: message.into() }
    }

    fn failed(message: impl Into<String>) -> Readiness {
        Readiness { state: State::Failed, message: message.into() }
    }
}

/// Judges a live object.
#[must_use]
pub fn readiness(object: &Node) -> Readiness {
    if object.at(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null()) {
        return Readiness { state: State::Terminating, message: "being deleted".to_owned() };
    }
    let generation = object.i64_at(&["metadata", "generation"]);
    let observed = object.i64_at(&["status", "observedGeneration"]);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && observed < generation
    {
        return Readiness::in_progress(format!(
            "generation {generation} not seen yet, the last was {observed}"
        ));
    }
    let group = object.str_at(&["apiVersion"]).unwrap_or_default();
    let group = group.split_once('/').map_or("", |(group, _)| group);
    match (group, object.str_at(&["kind"]).unwrap_or_default()) {
        ("", "Pod") => pod(object),
        ("", "Service") => service(object),
        ("", "PersistentVolumeClaim") => bound(object),
        ("", "Namespace") => Readiness::current("active"),
        ("apps", "Deployment") => deployment(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replicas(object, "readyReplicas"),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => established(object),
        _ => by_conditions(object),
    }
}

/// Judges a live object like [`readiness`], but a Job that runs is not ready: it must be complete.
#[must_use]
pub fn completion(object: &Node) -> Readiness {
    let state = readiness(object);
    let is_job = object.str_at(&["kind"]) == Some("Job")
        && object.str_at(&["apiVersion"]).is_some_and(|version| version.starts_with("batch/"));
    if !is_job || !state.is_ready() || is_complete(object) {
        return state;
    }
    Readiness::in_progress(state.message)
}

/// The condition of a type: status, reason, message.
fn condition<'a>(object: &'a Node, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = object
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some(kind))?;
    let text = |key| found.str_at(&[key]).unwrap_or_default();
    Some((text("status"), text("reason"), text("message")))
}

fn said(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", text) | (text, "") => text.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

fn by_conditions(object: &Node) -> Readiness {
    if let Some(("True", reason, message)) = condition(object, "Stalled") {
        return Readiness::failed(said(reason, message));
    }
    if let Some(("True", reason, message)) = condition(object, "Reconciling") {
        return Readiness::in_progress(said(reason, message));
    }
    match condition(object, "Ready") {
        Some(("False" | "Unknown", reason, message)) => {
            Readiness::in_progress(said(reason, message))
        }
        Some((_, reason, _)) => Readiness::current(reason),
        None => Readiness::current(""),
    }
}

fn count(object: &Node, key: &str) -> i64 {
    object.i64_at(&["status", key]).unwrap_or(0)
}

fn wanted(object: &Node) -> i64 {
    object.i64_at(&["spec", "replicas"]).unwrap_or(1)
}

fn deployment(object: &Node) -> Readiness {
    if let Some((_, reason @ "ProgressDeadlineExceeded", message)) =
        condition(object, "Progressing")
    {
        return Readiness::failed(said(reason, message));
    }
    let want = wanted(object);
    let (all, updated) = (count(object, "replicas"), count(object, "updatedReplicas"));
    let (ready, available) = (count(object, "readyReplicas"), count(object, "availableReplicas"));
    if object.i64_at(&["status", "observedGeneration"]).is_none() {
        return Readiness::in_progress(format!("0 of {want} ready"));
    }
    if updated < want {
        return Readiness::in_progress(format!("{updated} of {want} updated"));
    }
    if all > want {
        return Readiness::in_progress(format!("{} old to be removed", all - want));
    }
    if ready < want {
        return Readiness::in_progress(format!("{ready} of {want} ready"));
    }
    if available < want {
        return Readiness::in_progress(format!("{available} of {want} available"));
    }
    if let Some(("False", reason, message)) = condition(object, "Available") {
        return Readiness::in_progress(said(reason, message));
    }
    Readiness::current(format!("{ready} of {want} ready"))
}

fn replicas(object: &Node, ready_key: &str) -> Readiness {
    if let Some(("True", reason, message)) = condition(object, "ReplicaFailure") {
        return Readiness::in_progress(said(reason, message));
    }
    let (want, ready) = (wanted(object), count(object, ready_key));
    let all = count(object, "replicas");
    if all > want {
        return Readiness::in_progress(format!("{} to be removed", all - want));
    }
    let message = format!("{ready} of {want} ready");
    if ready < want { Readiness::in_progress(message) } else { Readiness::current(message) }
}

fn stateful_set(object: &Node) -> Readiness {
    if object.str_at(&["spec", "updateStrategy", "type"]) == Some("OnDelete") {
        return Readiness::current("updated when its pods are deleted");
    }
    let judged = replicas(object, "readyReplicas");
    if !judged.is_ready() {
        return judged;
    }
    let want = wanted(object);
    let partition =
        object.i64_at(&["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0);
    let updated = count(object, "updatedReplicas");
    if partition > 0 {
        if updated < want - partition {
            return Readiness::in_progress(format!("{updated} of {} updated", want - partition));
        }
        return judged;
    }
    let revision = |key| object.str_at(&["status", key]).unwrap_or_default();
    if revision("currentRevision") != revision("updateRevision") {
        return Readiness::in_progress(format!("{updated} of {want} updated"));
    }
    judged
}

fn daemon_set(object: &Node) -> Readiness {
    if object.i64_at(&["status", "observedGeneration"]).is_none() {
        return Readiness::in_progress("not seen yet");
    }
    let want = count(object, "desiredNumberScheduled");
    for (key, word) in [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ] {
        let have = count(object, key);
        if have < want {
            return Readiness::in_progress(format!("{have} of {want} {word}"));
        }
    }
    Readiness::current(format!("{want} of {want} ready"))
}

fn job(object: &Node) -> Readiness {
    for failed in ["Failed", "FailureTarget"] {
        if let Some(("True", reason, message)) = condition(object, failed) {
            return Readiness::failed(said(reason, message));
        }
    }
    if is_complete(object) {
        return Readiness::current("complete");
    }
    if let Some(("True", ..)) = condition(object, "Suspended") {
        return Readiness::current("suspended");
    }
    if object.at(&["status", "startTime"]).is_none() {
        return Readiness::in_progress("not started");
    }
    Readiness::current(format!(
        "{} running, {} succeeded, {} failed",
        count(object, "active"),
        count(object, "succeeded"),
        count(object, "failed")
    ))
}

fn is_complete(job: &Node) -> bool {
    let holds = |kind| matches!(condition(job, kind), Some(("True", ..)));
    holds("Complete") || holds("SuccessCriteriaMet")
}

fn pod(object: &Node) -> Readiness {
    let phase = object.str_at(&["status", "phase"]).unwrap_or("Pending");
    let trouble = waiting_reason(object);
    match phase {
        "Succeeded" => Readiness::current("completed"),
        "Failed" => {
            let text = |key| object.str_at(&["status", key]).unwrap_or_default();
            let message = said(text("reason"), text("message"));
            Readiness::failed(if message.is_empty() { "failed".to_owned() } else { message })
        }
        "Running" => match (condition(object, "Ready"), trouble) {
            (Some(("True", ..)), _) => Readiness::current("running"),
            (_, Some((reason @ "CrashLoopBackOff", message))) => {
                Readiness::failed(said(reason, message))
            }
            (_, Some((reason, message))) | (Some((_, reason, message)), None) => {
                Readiness::in_progress(said(reason, message))
            }
            (None, None) => Readiness::in_progress("running, not ready"),
        },
        _ => match (trouble, condition(object, "PodScheduled")) {
            (Some((reason, message)), _) => Readiness::in_progress(said(reason, message)),
            (None, Some(("False", reason, message))) => {
                Readiness::in_progress(said(reason, message))
            }
            _ => Readiness::in_progress("pending"),
        },
    }
}

/// Why the first waiting container of a pod waits: reason and message. The reasons of a normal
/// start are left out.
fn waiting_reason(pod: &Node) -> Option<(&str, &str)> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod.items_at(&["status", list]))
        .filter_map(|container| container.at(&["state", "waiting"]))
        .map(|waiting| {
            let text = |key| waiting.str_at(&[key]).unwrap_or_default();
            (text("reason"), text("message"))
        })
        .find(|(reason, _)| !matches!(*reason, "" | "ContainerCreating" | "PodInitializing"))
}

fn service(object: &Node) -> Readiness {
    let balanced = object.str_at(&["spec", "type"]) == Some("LoadBalancer");
    if balanced && object.items_at(&["status", "loadBalancer", "ingress"]).is_empty() {
        return Readiness::in_progress("no external address yet");
    }
    Readiness::current("")
}

fn bound(object: &Node) -> Readiness {
    match object.str_at(&["status", "phase"]) {
        Some("Bound") => Readiness::current("bound"),
        Some("Lost") => Readiness::failed("its volume is lost"),
        _ => Readiness::in_progress("not bound"),
    }
}

fn established(object: &Node) -> Readiness {
    if let Some(("False", reason, message)) = condition(object, "NamesAccepted") {
        return Readiness::failed(said(reason, message));
    }
    match condition(object, "Established") {
        Some(("True", ..)) => Readiness::current("established"),
        _ => Readiness::in_progress("not established"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(object: Value, state: State, message: &str) {
        let text = object.to_string();
        let found = readiness(&Node::from(object));
        assert_eq!((found.state, found.message.as_str()), (state, message), "{text}");
    }

    fn deployment(generation: i64, status: impl Into<Value>) -> Value {
        let status = status.into();
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"generation": generation}, "spec": {"replicas": 2}, "status": status})
    }

    #[test]
    fn workloads_are_ready_when_all_their_pods_are() {
        use State::{Current, Failed, InProgress};
        let full = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2,
            "readyReplicas": 2, "availableReplicas": 2});
        let with = |key: &str, value: Value| {
            let mut status = full.clone();
            status[key] = value;
            deployment(2, status)
        };
        check(deployment(2, json!({})), InProgress, "0 of 2 ready");
        check(deployment(2, full.clone()), Current, "2 of 2 ready");
        check(deployment(3, full.clone()), InProgress, "generation 3 not seen yet, the last was 2");
        check(with("updatedReplicas", json!(1)), InProgress, "1 of 2 updated");
        check(with("replicas", json!(3)), InProgress, "1 old to be removed");
        check(with("availableReplicas", json!(0)), InProgress, "0 of 2 available");
        check(
            with(
                "conditions",
                json!([{"type": "Progressing", "status": "False",
                    "reason": "ProgressDeadlineExceeded", "message": "too slow"}]),
            ),
            Failed,
            "ProgressDeadlineExceeded: too slow",
        );
        check(
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "status": {
                "observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                "updatedNumberScheduled": 1}}),
            InProgress,
            "1 of 2 updated",
        );
        check(
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 1},
                "status": {"replicas": 1, "readyReplicas": 1, "currentRevision": "a",
                    "updateRevision": "b"}}),
            InProgress,
            "0 of 1 updated",
        );
    }

    #[test]
    fn pods_tell_why_they_wait() {
        use State::{Current, Failed, InProgress};
        let pod = |status: Value| json!({"apiVersion": "v1", "kind": "Pod", "status": status});
        let waiting = |reason: &str| json!([{"state": {"waiting": {"reason": reason}}}]);
        check(pod(json!({})), InProgress, "pending");
        check(
            pod(json!({"phase": "Pending", "containerStatuses": waiting("ContainerCreating")})),
            InProgress,
            "pending",
        );
        check(
            pod(json!({"phase": "Pending", "containerStatuses": waiting("ImagePullBackOff")})),
            InProgress,
            "ImagePullBackOff",
        );
        check(
            pod(json!({"phase": "Running", "containerStatuses": waiting("CrashLoopBackOff")})),
            Failed,
            "CrashLoopBackOff",
        );
        check(
            pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})),
            Current,
            "running",
        );
        check(pod(json!({"phase": "Failed", "reason": "Evicted"})), Failed, "Evicted");
    }

    #[test]
    fn other_kinds_are_judged_by_their_conditions() {
        use State::{Current, Failed, InProgress, Terminating};
        let custom = |kind: &str, status: &str| {
            json!({"apiVersion": "a.b/v1", "kind": "Gadget",
                "status": {"conditions": [{"type": kind, "status": status, "reason": "Why"}]}})
        };
        check(json!({"apiVersion": "v1", "kind": "ConfigMap"}), Current, "");
        check(custom("Ready", "False"), InProgress, "Why");
        check(custom("Ready", "True"), Current, "Why");
        check(custom("Stalled", "True"), Failed, "Why");
        check(custom("Reconciling", "True"), InProgress, "Why");
        check(
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"deletionTimestamp": "2026-11-21T12:00:00Z"}}),
            Terminating,
            "being deleted",
        );
        check(
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}),
            InProgress,
            "no external address yet",
        );
        check(
            json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": [
                {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}),
            Failed,
            "BackoffLimitExceeded",
        );
        check(
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}),
            InProgress,
            "not established",
        );
    }
}
