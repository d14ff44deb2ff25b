//! Deployments: a history of ReplicaSets, of which the newest is rolled out.
//!
//! ```text
//! template ──hash──> new ReplicaSet   grows within maxSurge
//!                    old ReplicaSets  shrink within maxUnavailable, are kept for rollback
//! ```
//!
//! The arithmetic is in `rollout`; this file finds the ReplicaSets, makes the new one, and keeps
//! revisions, conditions and status as `kubectl rollout` reads them.

use super::owner::{adopted, controller_reference, is_deleting};
use super::pod::time;
use super::rollout::{Bounds, Counts, grow, scale_in_proportion, shrink};
use super::{Action, View};
use crate::agent::events::Event;
use crate::base::clock::rfc3339_seconds;
use crate::base::digest::Digest;
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::{Node, json};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// Annotations of a Deployment that its ReplicaSets do not take over.
const OWN_ANNOTATIONS: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    DESIRED,
    MOST,
    "deprecated.deployment.rollback.to",
];

/// One step of one Deployment.
struct Step<'a> {
    view: &'a dyn View,
    deployment: Node,
    /// The ReplicaSet of the current template.
    new: Option<Node>,
    /// The others, oldest first.
    old: Vec<Node>,
    actions: Vec<Action>,
}

/// Brings one Deployment nearer to its spec.
pub fn reconcile(view: &dyn View, namespace: &str, name: &str) -> Vec<Action> {
    let Some(deployment) = view.get("deployments.apps", namespace, name) else { return Vec::new() };
    let mut step = Step {
        view,
        deployment: (*deployment).clone(),
        new: None,
        old: Vec::new(),
        actions: Vec::new(),
    };
    step.find_sets();
    if !is_deleting(&step.deployment) {
        let paused = step.deployment.at(&["spec", "paused"]).and_then(Node::as_bool);
        if paused == Some(true) || step.is_scaling() {
            step.scale();
        } else if step.deployment.str_at(&["spec", "strategy", "type"]) == Some("Recreate") {
            step.recreate();
        } else {
            step.roll();
        }
        step.forget_old();
    }
    step.report();
    step.actions
}

impl Step<'_> {
    fn find_sets(&mut self) {
        let uid = meta::uid(&self.deployment).to_owned();
        let mut sets: Vec<Node> =
            self.view.owned("replicasets.apps", &uid).iter().map(|set| (**set).clone()).collect();
        let selector = self.deployment.at(&["spec", "selector"]);
        if let Some(Ok(selector)) = selector.map(Selector::from_label_selector) {
            for set in self.view.orphans("replicasets.apps", meta::namespace(&self.deployment)) {
                if selector.matches(meta::labels(&set)) && !is_deleting(&set) {
                    let set = adopted(&set, &self.deployment);
                    self.actions.push(Action::Update(set.clone()));
                    sets.push(set);
                }
            }
        }
        sets.sort_by_key(|set| {
            let created = set.str_at(&["metadata", "creationTimestamp"]).unwrap_or_default();
            (created.to_owned(), revision(set), meta::name(set).to_owned())
        });
        let template = self.deployment.at(&["spec", "template"]);
        let newest = sets.iter().position(|set| {
            template.is_some_and(|template| same_template(set.at(&["spec", "template"]), template))
        });
        self.new = newest.map(|at| sets.remove(at));
        self.old = sets;
    }

    fn replicas(&self) -> i64 {
        self.deployment.i64_at(&["spec", "replicas"]).unwrap_or(1)
    }

    fn bounds(&self) -> Bounds {
        let recreate = self.deployment.str_at(&["spec", "strategy", "type"]) == Some("Recreate");
        if recreate {
            return Bounds { surge: 0, unavailable: self.replicas() };
        }
        Bounds::of(self.deployment.at(&["spec", "strategy", "rollingUpdate"]), self.replicas())
    }

    /// True when the number of pods asked for was changed since the ReplicaSets were last scaled.
    fn is_scaling(&self) -> bool {
        self.sets().any(|set| {
            wanted(set) > 0
                && meta::annotation(set, DESIRED)
                    .and_then(|desired| desired.parse::<i64>().ok())
                    .is_some_and(|desired| desired != self.replicas())
        })
    }

    fn sets(&self) -> impl Iterator<Item = &Node> {
        self.old.iter().chain(&self.new)
    }

    fn scale(&mut self) {
        let replicas = self.replicas();
        let mut sets: Vec<Node> = self.sets().cloned().collect();
        let active: Vec<usize> = (0..sets.len()).filter(|at| wanted(&sets[*at]) > 0).collect();
        let targets: Vec<(usize, i64)> = match active.as_slice() {
            [] => self.new.is_some().then(|| (sets.len() - 1, replicas)).into_iter().collect(),
            [only] => vec![(*only, replicas)],
            many => {
                let bounds = self.bounds();
                let rolling = replicas > 0 && bounds.surge > 0;
                let allowed = replicas + if rolling { bounds.surge } else { 0 };
                let now: Vec<i64> = many.iter().map(|at| wanted(&sets[*at])).collect();
                many.iter().copied().zip(scale_in_proportion(allowed, &now)).collect()
            }
        };
        for (at, target) in targets {
            self.set_replicas(&mut sets[at], target);
        }
        self.put_back(sets);
    }

    /// Takes changed ReplicaSets back, in the order of [`Step::sets`].
    fn put_back(&mut self, mut sets: Vec<Node>) {
        if self.new.is_some() {
            self.new = sets.pop();
        }
        self.old = sets;
    }

    fn recreate(&mut self) {
        let mut old = std::mem::take(&mut self.old);
        for set in &mut old {
            self.set_replicas(set, 0);
        }
        let gone = old.iter().all(|set| {
            self.view
                .owned("pods", meta::uid(set))
                .iter()
                .all(|pod| matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")))
        });
        self.old = old;
        if gone {
            self.make_new(self.replicas());
            if let Some(mut new) = self.new.take() {
                self.set_replicas(&mut new, self.replicas());
                self.new = Some(new);
            }
        }
    }

    fn roll(&mut self) {
        let (replicas, bounds) = (self.replicas(), self.bounds());
        let all_old: i64 = self.old.iter().map(wanted).sum();
        let first = grow(replicas, bounds, Counts { wanted: 0, available: 0 }, all_old);
        self.make_new(first);
        let Some(mut new) = self.new.take() else { return };
        let counts = |set: &Node| Counts {
            wanted: wanted(set),
            available: set.i64_at(&["status", "availableReplicas"]).unwrap_or(0),
        };
        let all = all_old + wanted(&new);
        let target = grow(replicas, bounds, counts(&new), all);
        if wanted(&new) == target {
            self.keep_annotations(&mut new);
            let mut old = std::mem::take(&mut self.old);
            let now: Vec<Counts> = old.iter().map(counts).collect();
            for (set, target) in old.iter_mut().zip(shrink(replicas, bounds, counts(&new), &now)) {
                self.set_replicas(set, target);
            }
            self.old = old;
        } else {
            self.set_replicas(&mut new, target);
        }
        self.new = Some(new);
    }

    /// Makes the ReplicaSet of the current template, or gives an existing one the newest revision.
    fn make_new(&mut self, replicas: i64) {
        let last = self.old.iter().map(revision).max().unwrap_or(0);
        if let Some(mut new) = self.new.take() {
            let inherited = self.inherit(&mut new);
            if revision(&new) <= last {
                new.set_at(&["metadata", "annotations", REVISION], (last + 1).to_string());
                self.actions.push(Action::Update(new.clone()));
            } else if inherited {
                self.actions.push(Action::Update(new.clone()));
            }
            self.new = Some(new);
        } else {
            let set = self.new_set(replicas, last + 1);
            let name = meta::name(&set).to_owned();
            self.actions.push(Action::Create(set.clone()));
            if replicas > 0 {
                let message = format!("Scaled up replica set {name} from 0 to {replicas}");
                let event = Event::normal(&self.deployment, "ScalingReplicaSet", message);
                self.actions.push(Action::Event(event));
            }
            self.new = Some(set);
        }
        let current = self.new.as_ref().map_or(0, revision).to_string();
        if meta::annotation(&self.deployment, REVISION) != Some(&current) {
            self.deployment.set_at(&["metadata", "annotations", REVISION], current);
            self.actions.push(Action::Update(self.deployment.clone()));
        }
    }

    fn new_set(&self, replicas: i64, revision: i64) -> Node {
        let deployment = &self.deployment;
        let mut template = deployment.at(&["spec", "template"]).cloned().unwrap_or_default();
        let collisions = deployment.i64_at(&["status", "collisionCount"]).unwrap_or(0);
        let hash = template_hash(&template, collisions);
        template.set_at(&["metadata", "labels", HASH], hash.as_str());
        let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or_default();
        selector.set_at(&["matchLabels", HASH], hash.as_str());
        let mut set = Node::from(json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": format!("{}-{hash}", meta::name(deployment)),
                "namespace": meta::namespace(deployment),
            },
        }));
        let labels = template.at(&["metadata", "labels"]).cloned().unwrap_or_default();
        set.set_at(&["metadata", "labels"], labels);
        set.set_at(&["metadata", "ownerReferences"], vec![controller_reference(deployment)]);
        self.inherit(&mut set);
        set.set_at(&["metadata", "annotations", REVISION], revision.to_string());
        self.annotate(&mut set);
        set.set_at(&["spec", "replicas"], replicas);
        if let Some(seconds) = deployment.i64_at(&["spec", "minReadySeconds"]).filter(|s| *s > 0) {
            set.set_at(&["spec", "minReadySeconds"], seconds);
        }
        set.set_at(&["spec", "selector"], selector);
        set.set_at(&["spec", "template"], template);
        set
    }

    /// Gives a ReplicaSet the Deployment's annotations: the cause of a change among them, which
    /// `kubectl rollout history` shows. True when that changed something.
    fn inherit(&self, set: &mut Node) -> bool {
        let own = self.deployment.at(&["metadata", "annotations"]).and_then(Node::as_map);
        let mut changed = false;
        for annotation in own.into_iter().flatten() {
            let key = annotation.key.as_str();
            if OWN_ANNOTATIONS.contains(&key)
                || meta::annotation(set, key) == annotation.value.as_str()
            {
                continue;
            }
            set.set_at(&["metadata", "annotations", key], annotation.value.clone());
            changed = true;
        }
        changed
    }

    /// Notes on a ReplicaSet how many pods it was scaled for. True when that changed.
    fn annotate(&self, set: &mut Node) -> bool {
        let desired = self.replicas().to_string();
        let most = (self.replicas() + self.bounds().surge).to_string();
        let same = meta::annotation(set, DESIRED) == Some(&desired)
            && meta::annotation(set, MOST) == Some(&most);
        set.set_at(&["metadata", "annotations", DESIRED], desired);
        set.set_at(&["metadata", "annotations", MOST], most);
        !same
    }

    fn keep_annotations(&mut self, set: &mut Node) {
        if self.annotate(set) && !is_created_now(set) {
            self.actions.push(Action::Update(set.clone()));
        }
    }

    fn set_replicas(&mut self, set: &mut Node, replicas: i64) {
        let before = wanted(set);
        let annotated = (before > 0 || replicas > 0) && self.annotate(set);
        if is_created_now(set) || (before == replicas && !annotated) {
            return;
        }
        set.set_at(&["spec", "replicas"], replicas);
        self.actions.push(Action::Update(set.clone()));
        if before != replicas {
            let way = if replicas > before { "up" } else { "down" };
            let name = meta::name(set);
            let message = format!("Scaled {way} replica set {name} from {before} to {replicas}");
            let event = Event::normal(&self.deployment, "ScalingReplicaSet", message);
            self.actions.push(Action::Event(event));
        }
    }

    /// Deletes old ReplicaSets beyond the history limit, once the rollout is through.
    fn forget_old(&mut self) {
        if !self.is_complete() {
            return;
        }
        let limit = self.deployment.i64_at(&["spec", "revisionHistoryLimit"]).unwrap_or(10);
        let mut old: Vec<&Node> = self.old.iter().filter(|set| !is_deleting(set)).collect();
        let extra = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by_key(|set| revision(set));
        for set in old.into_iter().take(extra) {
            let idle = wanted(set) == 0 && set.i64_at(&["status", "replicas"]).unwrap_or(0) == 0;
            if idle {
                self.actions.push(Action::delete("replicasets.apps", set));
            }
        }
    }

    fn total(&self, key: &str) -> i64 {
        self.sets().filter_map(|set| set.i64_at(&["status", key])).sum()
    }

    fn is_complete(&self) -> bool {
        let new =
            |key: &str| self.new.as_ref().and_then(|set| set.i64_at(&["status", key])).unwrap_or(0);
        let replicas = self.replicas();
        new("replicas") == replicas
            && new("availableReplicas") == replicas
            && self.total("replicas") == replicas
    }

    fn report(&mut self) {
        let updated = self.new.as_ref().and_then(|set| set.i64_at(&["status", "replicas"]));
        let (all, available) = (self.total("replicas"), self.total("availableReplicas"));
        let asked: i64 = self.sets().map(wanted).sum();
        let mut status = Node::map();
        status.set(
            "observedGeneration",
            self.deployment.i64_at(&["metadata", "generation"]).unwrap_or(0),
        );
        for (key, count) in [
            ("replicas", all),
            ("updatedReplicas", updated.unwrap_or(0)),
            ("readyReplicas", self.total("readyReplicas")),
            ("availableReplicas", available),
            ("unavailableReplicas", (asked - available).max(0)),
        ] {
            if count > 0 {
                status.set(key, count);
            }
        }
        if let Some(collisions) = self.deployment.at(&["status", "collisionCount"]) {
            status.set("collisionCount", collisions.clone());
        }
        let mut conditions = vec![self.available_condition(available)];
        conditions.extend(self.progress_condition(&status));
        status.set("conditions", conditions);
        if self.deployment.get("status") != Some(&status) {
            let mut deployment = self.deployment.clone();
            deployment.set("status", status);
            self.actions.push(Action::UpdateStatus(deployment));
        }
    }

    fn available_condition(&self, available: i64) -> Node {
        let least = self.replicas() - self.bounds().unavailable;
        let (status, reason, message) = if available >= least {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            let message = "Deployment does not have minimum availability.";
            ("False", "MinimumReplicasUnavailable", message)
        };
        self.condition("Available", status, reason, message)
    }

    fn progress_condition(&mut self, status: &Node) -> Option<Node> {
        let paused = self.deployment.at(&["spec", "paused"]).and_then(Node::as_bool) == Some(true);
        if paused {
            return Some(self.condition(
                "Progressing",
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
            ));
        }
        let Some(new) = self.new.clone() else {
            return self.last_condition("Progressing").cloned();
        };
        let name = meta::name(&new);
        if self.is_complete() {
            let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
            return Some(self.condition("Progressing", "True", "NewReplicaSetAvailable", &message));
        }
        if is_created_now(&new) {
            let message = format!("Created new replica set \"{name}\"");
            return Some(self.condition("Progressing", "True", "NewReplicaSetReason", &message));
        }
        let before = self.deployment.get("status");
        let moved = ["updatedReplicas", "readyReplicas", "availableReplicas", "replicas"]
            .iter()
            .any(|key| before.and_then(|before| before.i64_at(&[key])) != status.i64_at(&[key]));
        let last = self.last_condition("Progressing").cloned();
        let now = self.view.now();
        let was = last.as_ref().and_then(|last| last.str_at(&["reason"])).unwrap_or_default();
        if was == "DeploymentPaused" {
            // the time that it has counts from here
            self.again_at_deadline(now, now);
            let message = "Deployment is resumed";
            return Some(self.condition("Progressing", "Unknown", "DeploymentResumed", message));
        }
        let fresh = last.is_none() || was == "NewReplicaSetAvailable";
        if moved || fresh {
            let message = format!("ReplicaSet \"{name}\" is progressing.");
            let mut condition =
                self.condition("Progressing", "True", "ReplicaSetUpdated", &message);
            condition.set("lastUpdateTime", rfc3339_seconds(now));
            self.again_at_deadline(now, now);
            return Some(condition);
        }
        let last = last?;
        let since = time(&last, &["lastUpdateTime"]).unwrap_or(now);
        if last.str_at(&["reason"]) == Some("ProgressDeadlineExceeded") {
            return Some(last);
        }
        if now.duration_since(since).as_secs() < self.deadline() {
            self.again_at_deadline(since, now);
            return Some(last);
        }
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        Some(self.condition("Progressing", "False", "ProgressDeadlineExceeded", &message))
    }

    fn deadline(&self) -> i64 {
        self.deployment.i64_at(&["spec", "progressDeadlineSeconds"]).unwrap_or(600)
    }

    fn again_at_deadline(&mut self, since: Timestamp, now: Timestamp) {
        let left = self.deadline() - now.duration_since(since).as_secs();
        // a deadline of years is no deadline: it is never waited for
        if let Some(left) = u64::try_from(left).ok().filter(|left| *left < 86_400 * 365) {
            self.actions.push(Action::Again(Duration::from_secs(left + 1)));
        }
    }

    fn last_condition(&self, kind: &str) -> Option<&Node> {
        self.deployment
            .items_at(&["status", "conditions"])
            .iter()
            .find(|condition| condition.str_at(&["type"]) == Some(kind))
    }

    /// A condition; its times move only when its status or reason does.
    fn condition(&self, kind: &str, status: &str, reason: &str, message: &str) -> Node {
        let last = self.last_condition(kind);
        let kept = |key: &str, same: bool| {
            last.filter(|_| same).and_then(|last| last.str_at(&[key])).map(str::to_owned)
        };
        let same_status = last.and_then(|last| last.str_at(&["status"])) == Some(status);
        let same_reason =
            same_status && last.and_then(|last| last.str_at(&["reason"])) == Some(reason);
        let now = rfc3339_seconds(self.view.now());
        Node::from(json!({
            "type": kind,
            "status": status,
            "lastUpdateTime": kept("lastUpdateTime", same_reason).unwrap_or_else(|| now.clone()),
            "lastTransitionTime": kept("lastTransitionTime", same_status).unwrap_or(now),
            "reason": reason,
            "message": message,
        }))
    }
}

fn wanted(set: &Node) -> i64 {
    set.i64_at(&["spec", "replicas"]).unwrap_or(0)
}

/// True for a ReplicaSet that this step creates, which has no version to update yet.
fn is_created_now(set: &Node) -> bool {
    meta::uid(set).is_empty()
}

fn revision(set: &Node) -> i64 {
    meta::annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// True when a ReplicaSet's template is the Deployment's, its hash label aside.
fn same_template(of_set: Option<&Node>, template: &Node) -> bool {
    let Some(of_set) = of_set else { return false };
    let without_hash = |template: &Node| {
        let mut template = template.clone();
        template.remove_at(&["metadata", "labels", HASH]);
        let labels = template.at(&["metadata", "labels"]).and_then(Node::as_map);
        if labels.is_some_and(crate::yaml::Map::is_empty) {
            template.remove_at(&["metadata", "labels"]);
        }
        template
    };
    without_hash(of_set) == without_hash(template)
}

/// A short name for a template: ten letters and digits that spell no words.
fn template_hash(template: &Node, collisions: i64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = json::to_string(template);
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    let hex = Digest::of(text.as_bytes()).hex();
    let letter = |pair: &[u8]| {
        let value = pair.iter().fold(0, |value, digit| value * 16 + usize::from(*digit));
        char::from(LETTERS[value % LETTERS.len()])
    };
    hex.as_bytes().chunks(4).take(10).map(letter).collect()
}
