//! The pods of a Job: which are to be made, which to go, and what an indexed one is given.

use super::indexes::Indexes;
use super::policy::{self, Failure};
use super::{Step, again, backoff};
use crate::agent::control::owner::{TRACKING, is_deleting, set_list, without_finalizer};
use crate::agent::control::pod::{self, is_active, is_finished, is_ready};
use crate::agent::control::{Action, Seen};
use crate::agent::events::Event;
use crate::object::meta;
use crate::yaml::Node;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The annotation and label with a pod's index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How many pods of its index failed before it.
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How many pods of its index failed before it without being counted.
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// The variable with a pod's index.
const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Most pods made or removed in one step, as Kubernetes' limit.
const BURST: usize = 500;

/// The longest prefix of a generated name.
const PREFIX: usize = 58;

/// True for a pod that is not counted yet.
pub(super) fn is_tracked(pod: &Node) -> bool {
    let finalizers = pod.items_at(&["metadata", "finalizers"]);
    finalizers.iter().any(|finalizer| finalizer.as_str() == Some(TRACKING))
}

/// True for a pod that takes its time to go.
pub(super) fn on_node(pod: &Node) -> bool {
    pod.str_at(&["spec", "nodeName"]).is_some_and(|node| !node.is_empty())
}

fn annotated(pod: &Node, key: &str) -> i64 {
    meta::annotation(pod, key).and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl<'a> Step<'a> {
    /// The index of a pod, if it has one that is wanted.
    pub(super) fn index(&self, pod: &Node) -> Option<i64> {
        let index: i64 = meta::annotation(pod, INDEX)?.parse().ok()?;
        (0 <= index && index < self.completions()?).then_some(index)
    }

    /// True for a pod that failed, or that somebody deleted before it came to its end.
    pub(super) fn has_failed(&self, pod: &Node) -> bool {
        match pod.str_at(&["status", "phase"]) {
            Some("Failed") => true,
            Some("Succeeded") => false,
            _ => {
                let stopped = pod.i64_at(&["metadata", "deletionGracePeriodSeconds"]) == Some(0);
                is_deleting(pod) && (stopped || !self.replaces_ended_only())
            }
        }
    }

    /// Takes the finalizer off a pod.
    pub(super) fn let_go(&mut self, pod: &Seen) {
        if !is_tracked(pod) {
            return;
        }
        self.actions.push(Action::Update(without_finalizer(pod, TRACKING)));
    }

    /// Deletes an active pod, which does not count as failed.
    fn remove(&mut self, pod: &Seen) {
        self.let_go(pod);
        self.actions.push(Action::delete("pods", pod));
        let message = format!("Deleted pod: {}", meta::name(pod));
        self.actions.push(Action::Event(Event::normal(self.job, "SuccessfulDelete", message)));
        self.active -= 1;
        self.ready -= i64::from(is_ready(pod));
        self.terminating += i64::from(on_node(pod));
    }

    /// Ends what runs, since the Job has ended. When it has failed, so have they.
    pub(super) fn end_pods(&mut self, met: bool) {
        for pod in self.pods.iter().filter(|pod| !is_finished(pod)) {
            let counts = !met && is_tracked(pod) && !self.has_failed(pod);
            if counts && policy::judge(self.job, pod) != Failure::Ignored {
                self.failed += 1;
            }
            if is_active(pod) {
                self.remove(pod);
            } else if !self.has_failed(pod) {
                self.let_go(pod);
            }
        }
    }

    /// Makes the pods that are missing, or removes those that are too many.
    pub(super) fn manage(&mut self) {
        let active: Vec<&'a Seen> = self.pods.iter().filter(|pod| is_active(pod)).collect();
        let parallelism = self.number("parallelism").unwrap_or(1);
        let wanted = match self.completions() {
            _ if self.is_suspended() => 0,
            Some(completions) => (completions - self.succeeded).clamp(0, parallelism),
            // once one has succeeded the others come to their end
            None if self.succeeded > 0 => self.active,
            None => parallelism,
        };
        let extra = self.extra(&active, usize::try_from(self.active - wanted).unwrap_or(0));
        if !extra.is_empty() {
            for pod in extra.into_iter().take(BURST) {
                self.remove(pod);
            }
            return;
        }
        let leaving = if self.replaces_ended_only() { self.terminating } else { 0 };
        let missing = usize::try_from(wanted - self.active - leaving).unwrap_or(0).min(BURST);
        if missing > 0 {
            self.make(missing);
        }
    }

    /// The active pods that are to go: those with no index or one that another has, then as many
    /// as there are too many.
    fn extra(&self, active: &[&'a Seen], count: usize) -> Vec<&'a Seen> {
        let ranked = pod::least_useful(active, self.now);
        if !self.is_indexed() {
            return ranked.into_iter().take(count).collect();
        }
        let mut taken = BTreeSet::new();
        let (mut kept, mut extra) = (Vec::new(), Vec::new());
        // of two with one index the better one stays
        for pod in ranked.into_iter().rev() {
            let stays = self.index(pod).is_some_and(|index| taken.insert(index));
            if stays { kept.push(pod) } else { extra.push(pod) }
        }
        let more = count.saturating_sub(extra.len());
        extra.extend(kept.into_iter().rev().take(more));
        extra
    }

    fn make(&mut self, missing: usize) {
        let per_index = self.number("backoffLimitPerIndex").is_some();
        if !per_index {
            let ended = self.pods.iter().filter(|pod| is_finished(pod) || self.has_failed(pod));
            let left = backoff::remaining(ended, |pod| self.has_failed(pod), self.now);
            if left.is_positive() {
                self.actions.push(again(left));
                return;
            }
        }
        let template = self.job.at(&["spec", "template"]).cloned().unwrap_or_default();
        let prefix = format!("{}-", meta::name(self.job));
        let (room, _) = self.view.room(&pod::make(self.job, &template, &prefix), missing);
        let most = self.active + i64::try_from(room).unwrap_or(i64::MAX);
        // the first that is refused is told as an event, and does not count
        let missing = missing.min(room + 1);
        if self.is_indexed() {
            self.make_indexed(missing, &template);
        } else {
            for _ in 0..missing {
                self.create(&template, &prefix);
            }
        }
        self.active = self.active.min(most);
    }

    fn make_indexed(&mut self, missing: usize, template: &Node) {
        let per_index = self.number("backoffLimitPerIndex").is_some();
        let failures = if per_index { self.failures() } else { BTreeMap::new() };
        let mut waits = Vec::new();
        for index in self.pending(missing) {
            let before = failures.get(&index).map_or(&[][..], Vec::as_slice);
            let left = backoff::remaining(before.iter().copied(), |_| true, self.now);
            if left.is_positive() {
                waits.push(left);
                continue;
            }
            let mut template = self.indexed(template, index);
            if per_index {
                let (counted, ignored) = self.failed_before(before);
                template.set_at(&["metadata", "annotations", FAILURES], counted.to_string());
                if ignored > 0 {
                    template.set_at(&["metadata", "annotations", IGNORED], ignored.to_string());
                }
            }
            let (end, start) = (format!("-{index}-"), meta::name(self.job));
            let start = &start[..start.len().min(PREFIX - end.len())];
            self.create(&template, &format!("{start}{end}"));
        }
        self.actions.extend(waits.into_iter().min().map(again));
    }

    fn create(&mut self, template: &Node, prefix: &str) {
        let mut pod = pod::make(self.job, template, prefix);
        if !is_tracked(&pod) {
            let mut finalizers = pod.items_at(&["metadata", "finalizers"]).to_vec();
            finalizers.push(TRACKING.into());
            set_list(&mut pod, "finalizers", finalizers);
        }
        self.actions.push(Action::Create(pod));
        self.active += 1;
    }

    /// The first indexes that no pod has and that have neither succeeded nor failed.
    fn pending(&self, count: usize) -> Vec<i64> {
        let holds = |pod: &&Seen| {
            is_active(pod) || self.replaces_ended_only() && is_deleting(pod) && !is_finished(pod)
        };
        let held: BTreeSet<i64> =
            self.pods.iter().filter(holds).filter_map(|pod| self.index(pod)).collect();
        (0..self.completions().unwrap_or(0))
            .filter(|index| {
                !held.contains(index)
                    && !self.completed.contains(*index)
                    && !self.lost.contains(*index)
            })
            .take(count)
            .collect()
    }

    /// What a pod of an index gets besides the template.
    fn indexed(&self, template: &Node, index: i64) -> Node {
        let mut template = template.clone();
        for field in ["annotations", "labels"] {
            template.set_at(&["metadata", field, INDEX], index.to_string());
        }
        let host = format!("{}-{index}", meta::name(self.job));
        template.set_at(&["spec", "hostname"], host);
        let variable = Node::from(json!({
            "name": VARIABLE,
            "valueFrom": {"fieldRef": {
                "apiVersion": "v1",
                "fieldPath": format!("metadata.labels['{INDEX}']"),
            }},
        }));
        for list in ["initContainers", "containers"] {
            let containers = template.at_mut(&["spec", list]).and_then(Node::as_list_mut);
            for container in containers.into_iter().flatten() {
                let mut env = container.items_at(&["env"]).to_vec();
                if env.iter().all(|known| known.str_at(&["name"]) != Some(VARIABLE)) {
                    env.push(variable.clone());
                    container.set("env", env);
                }
            }
        }
        template
    }

    /// The pods that failed, by their indexes.
    fn failures(&self) -> BTreeMap<i64, Vec<&'a Seen>> {
        let mut failures: BTreeMap<i64, Vec<&'a Seen>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| self.has_failed(pod)) {
            if let Some(index) = self.index(pod) {
                failures.entry(index).or_default().push(pod);
            }
        }
        failures
    }

    /// How many pods of an index have failed, those that count and those that do not; each tells of
    /// the ones before it, so that it does not matter which are still there.
    fn failed_before(&self, pods: &[&Seen]) -> (i64, i64) {
        let both = pods.iter().map(|pod| {
            let ignored = i64::from(policy::judge(self.job, pod) == Failure::Ignored);
            (annotated(pod, FAILURES) + 1 - ignored, annotated(pod, IGNORED) + ignored)
        });
        both.max_by_key(|(counted, ignored)| counted + ignored).unwrap_or((0, 0))
    }

    /// The indexes that have failed for good, where each has a limit of its own.
    pub(super) fn lost_indexes(&self, completions: i64) -> Indexes {
        let Some(limit) = self.number("backoffLimitPerIndex") else { return Indexes::default() };
        let before = self.job.str_at(&["status", "failedIndexes"]).unwrap_or_default();
        let failures = self.failures();
        let more = failures.iter().filter(|(_, pods)| {
            let fatal = |pod: &&&Seen| policy::judge(self.job, pod) == Failure::FailsIndex;
            self.failed_before(pods).0 > limit || pods.iter().any(|pod| fatal(&pod))
        });
        Indexes::parse(before, completions).with(more.map(|(index, _)| *index))
    }
}
