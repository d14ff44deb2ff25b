//! Jobs: pods that run to their end, until enough of them have succeeded or too many have failed.
//!
//! ```text
//! count what ended ──> verdict? ─ yes ─> active pods go ──> all gone ──> Complete or Failed ──> ttl
//!                         └─ no ─> make or remove pods, again after a change or a wait
//! ```
//!
//! A finalizer holds each pod until it is counted. Counting it and letting it go is one commit, so
//! no end is lost or counted twice, whoever deletes the pod, and nothing stays uncounted. A verdict
//! is stored as `SuccessCriteriaMet` or `FailureTarget` before it is final, as Kubernetes does
//! since 1.31. Jobs that `managedBy` gives to another controller are left alone.

mod backoff;
mod indexes;
mod pods;
mod policy;

#[cfg(test)]
mod tests;

use super::owner::{TRACKING, is_deleting};
use super::pod::{self, is_active, is_finished, is_ready, time};
use super::{Action, Seen, View};
use crate::agent::events::Event;
use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::yaml::Node;
use indexes::Indexes;
use jiff::{SignedDuration, Timestamp};
use pods::{is_tracked, on_node};
use policy::Failure;
use serde_json::json;
use std::time::Duration;

/// Who runs Jobs here.
const MANAGER: &str = "kubernetes.io/job-controller";

/// How a Job ends.
#[derive(Clone, Debug)]
struct Verdict {
    met: bool,
    reason: String,
    message: String,
}

impl Verdict {
    fn failed(reason: &str, message: impl Into<String>) -> Verdict {
        Verdict { met: false, reason: reason.into(), message: message.into() }
    }

    fn met(reason: &str, message: impl Into<String>) -> Verdict {
        Verdict { met: true, ..Verdict::failed(reason, message) }
    }
}

/// One step of one Job.
struct Step<'a> {
    view: &'a dyn View,
    job: &'a Node,
    now: Timestamp,
    pods: &'a [Seen],
    conditions: Vec<Node>,
    start: Option<String>,
    /// What has succeeded, in an indexed Job.
    completed: Indexes,
    /// What has failed for good, in an indexed Job with a limit for each index.
    lost: Indexes,
    succeeded: i64,
    failed: i64,
    active: i64,
    ready: i64,
    terminating: i64,
    /// Why a pod that failed fails the whole Job.
    fatal: Option<String>,
    actions: Vec<Action>,
}

/// Brings one Job nearer to its end.
pub fn reconcile(view: &dyn View, namespace: &str, name: &str) -> Vec<Action> {
    let Some(job) = view.get("jobs.batch", namespace, name) else { return Vec::new() };
    if job.str_at(&["spec", "managedBy"]).is_some_and(|manager| manager != MANAGER) {
        return Vec::new();
    }
    let conditions = job.items_at(&["status", "conditions"]);
    if is_true(conditions, "Complete") || is_true(conditions, "Failed") {
        return expire(&job, view.now());
    }
    let mut pods = view.owned("pods", meta::uid(&job));
    let mut actions = Vec::new();
    if !is_deleting(&job) {
        let wants = |pod: &Node| !is_deleting(pod);
        pod::claim(view, &job, &mut pods, wants, Some(TRACKING), &mut actions);
        if !actions.is_empty() {
            // what was taken or let go is counted once that is stored
            return actions;
        }
    }
    Step::new(view, &job, &pods).run()
}

/// Deletes a Job when its time after the end is over.
fn expire(job: &Node, now: Timestamp) -> Vec<Action> {
    let Some(ttl) = job.i64_at(&["spec", "ttlSecondsAfterFinished"]) else { return Vec::new() };
    let conditions = job.items_at(&["status", "conditions"]).iter();
    let ended = conditions
        .filter(|it| matches!(it.str_at(&["type"]), Some("Complete" | "Failed")))
        .find_map(|it| time(it, &["lastTransitionTime"]));
    let Some(ended) = ended.filter(|_| !is_deleting(job)) else { return Vec::new() };
    let left = SignedDuration::from_secs(ttl) - now.duration_since(ended);
    if left.is_positive() { vec![again(left)] } else { vec![Action::delete("jobs.batch", job)] }
}

/// Runs the controller again when a time has passed.
fn again(after: SignedDuration) -> Action {
    let after = Duration::try_from(after).unwrap_or_default();
    // a little later, so that rounding does not bring it back too early
    Action::Again(after + Duration::from_millis(5))
}

fn find<'a>(conditions: &'a [Node], kind: &str) -> Option<&'a Node> {
    conditions.iter().find(|condition| condition.str_at(&["type"]) == Some(kind))
}

fn is_true(conditions: &[Node], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|it| it.str_at(&["status"]) == Some("True"))
}

impl<'a> Step<'a> {
    fn new(view: &'a dyn View, job: &'a Node, pods: &'a [Seen]) -> Step<'a> {
        let count = |key: &str| job.i64_at(&["status", key]).unwrap_or(0);
        let active = pods.iter().filter(|pod| is_active(pod));
        let terminating = |pod: &&Seen| is_deleting(pod) && !is_finished(pod) && on_node(pod);
        let as_count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Step {
            view,
            job,
            now: view.now(),
            pods,
            conditions: job.items_at(&["status", "conditions"]).to_vec(),
            start: job.str_at(&["status", "startTime"]).map(str::to_owned),
            completed: Indexes::default(),
            lost: Indexes::default(),
            succeeded: count("succeeded"),
            failed: count("failed"),
            active: as_count(active.clone().count()),
            ready: as_count(active.filter(|pod| is_ready(pod)).count()),
            terminating: as_count(pods.iter().filter(terminating).count()),
            fatal: None,
            actions: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<Action> {
        self.begin();
        self.count();
        let mut verdict = self.verdict();
        if let Some(verdict) = &verdict {
            self.end_pods(verdict.met);
        } else {
            if !is_deleting(self.job) {
                self.manage();
            }
            if self.is_complete() {
                let message = "Reached expected number of succeeded pods";
                verdict = Some(Verdict::met("CompletionsReached", message));
            } else if !is_deleting(self.job) && self.is_suspended() {
                self.suspend();
            }
        }
        if let Some(verdict) = verdict {
            self.close(&verdict);
        }
        self.report();
        self.actions
    }

    fn number(&self, field: &str) -> Option<i64> {
        self.job.i64_at(&["spec", field])
    }

    fn completions(&self) -> Option<i64> {
        self.number("completions")
    }

    fn is_suspended(&self) -> bool {
        self.job.at(&["spec", "suspend"]).and_then(Node::as_bool) == Some(true)
    }

    fn is_indexed(&self) -> bool {
        self.job.str_at(&["spec", "completionMode"]) == Some("Indexed")
    }

    /// True when a pod is replaced only when it has ended, not when its deletion is asked for.
    fn replaces_ended_only(&self) -> bool {
        self.job.str_at(&["spec", "podReplacementPolicy"]) == Some("Failed")
    }

    /// Notes when the Job began, or went on after it was suspended.
    fn begin(&mut self) {
        if self.is_suspended() {
            return;
        }
        let resumed = is_true(&self.conditions, "Suspended");
        if resumed {
            self.set_condition("Suspended", "False", "JobResumed", "Job resumed");
            self.actions.push(Action::Event(Event::normal(self.job, "Resumed", "Job resumed")));
        }
        if resumed || self.start.is_none() {
            self.start = Some(rfc3339_seconds(self.now));
        }
    }

    fn suspend(&mut self) {
        if !is_true(&self.conditions, "Suspended") {
            self.set_condition("Suspended", "True", "JobSuspended", "Job suspended");
            self.actions.push(Action::Event(Event::normal(self.job, "Suspended", "Job suspended")));
        }
    }

    /// Counts the pods that have ended since the last step, and lets them go.
    fn count(&mut self) {
        let mut succeeded = Vec::new();
        for pod in self.pods.iter().filter(|pod| is_tracked(pod)) {
            let valid = !self.is_indexed() || self.index(pod).is_some();
            if pod.str_at(&["status", "phase"]) == Some("Succeeded") {
                succeeded.extend(self.index(pod));
                self.succeeded += i64::from(valid);
            } else if self.has_failed(pod) {
                match policy::judge(self.job, pod) {
                    Failure::Ignored => {}
                    Failure::FailsJob(message) => {
                        self.fatal.get_or_insert(message);
                        self.failed += i64::from(valid);
                    }
                    Failure::Counts | Failure::FailsIndex => self.failed += i64::from(valid),
                }
            } else if !is_deleting(self.job) {
                continue;
            }
            self.let_go(pod);
        }
        if self.is_indexed() {
            let completions = self.completions().unwrap_or(0);
            let before = self.job.str_at(&["status", "completedIndexes"]).unwrap_or_default();
            self.completed = Indexes::parse(before, completions).with(succeeded);
            self.succeeded = self.completed.total();
            self.lost = self.lost_indexes(completions);
        }
    }

    /// How the Job ends, if it is known already or follows from what has failed.
    fn verdict(&mut self) -> Option<Verdict> {
        for (kind, met) in [("SuccessCriteriaMet", true), ("FailureTarget", false)] {
            if let Some(known) =
                find(&self.conditions, kind).filter(|_| is_true(&self.conditions, kind))
            {
                let text = |key: &str| known.str_at(&[key]).unwrap_or_default().to_owned();
                return Some(Verdict { met, reason: text("reason"), message: text("message") });
            }
        }
        if let Some(message) = self.fatal.take() {
            return Some(Verdict::failed("PodFailurePolicy", message));
        }
        let limit = self.number("backoffLimit").unwrap_or(6);
        if self.failed > limit || self.restarts().is_some_and(|count| count >= limit.max(1)) {
            let message = "Job has reached the specified backoff limit";
            return Some(Verdict::failed("BackoffLimitExceeded", message));
        }
        let start: Option<Timestamp> = self.start.as_ref().and_then(|start| start.parse().ok());
        let deadline = self.number("activeDeadlineSeconds").filter(|_| !self.is_suspended());
        if let (Some(seconds), Some(start)) = (deadline, start) {
            let left = SignedDuration::from_secs(seconds) - self.now.duration_since(start);
            if !left.is_positive() {
                let message = "Job was active longer than specified deadline";
                return Some(Verdict::failed("DeadlineExceeded", message));
            }
            self.actions.push(again(left));
        }
        if !self.is_indexed() {
            return None;
        }
        let completions = self.completions().unwrap_or(0);
        let lost = self.lost.total();
        if self.number("maxFailedIndexes").is_some_and(|most| lost > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(Verdict::failed("MaxFailedIndexesExceeded", message));
        }
        if lost > 0 && lost + self.completed.total() >= completions {
            return Some(Verdict::failed("FailedIndexes", "Job has failed indexes"));
        }
        let enough = policy::enough(self.job, completions, &self.completed)?;
        Some(Verdict::met("SuccessPolicy", enough))
    }

    /// How often containers were restarted in place, where that is what pods do.
    fn restarts(&self) -> Option<i64> {
        let policy = self.job.str_at(&["spec", "template", "spec", "restartPolicy"]);
        let running = self.pods.iter().filter(|pod| !is_finished(pod));
        let statuses = running.flat_map(|pod| {
            let lists = ["containerStatuses", "initContainerStatuses"];
            lists.into_iter().flat_map(|list| pod.items_at(&["status", list]))
        });
        (policy == Some("OnFailure"))
            .then(|| statuses.filter_map(|status| status.i64_at(&["restartCount"])).sum())
    }

    fn is_complete(&self) -> bool {
        let enough = match self.completions() {
            Some(completions) => self.succeeded >= completions,
            // pods share one work queue: the first success says that it is empty
            None => self.succeeded > 0,
        };
        enough && self.active == 0
    }

    /// Stores the verdict, and makes it final when the last pod is gone.
    fn close(&mut self, verdict: &Verdict) {
        let (interim, last) = if verdict.met {
            ("SuccessCriteriaMet", "Complete")
        } else {
            ("FailureTarget", "Failed")
        };
        if !is_true(&self.conditions, interim) {
            self.set_condition(interim, "True", &verdict.reason, &verdict.message);
        }
        if self.terminating > 0 {
            return;
        }
        self.set_condition(last, "True", &verdict.reason, &verdict.message);
        let event = if verdict.met {
            Event::normal(self.job, "Completed", "Job completed")
        } else {
            Event::warning(self.job, &verdict.reason, verdict.message.clone())
        };
        self.actions.push(Action::Event(event));
        if let Some(ttl) = self.number("ttlSecondsAfterFinished") {
            self.actions.push(again(SignedDuration::from_secs(ttl)));
        }
    }

    fn set_condition(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let now = rfc3339_seconds(self.now);
        let condition = Node::from(json!({
            "type": kind,
            "status": status,
            "lastProbeTime": now,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }));
        let same = |it: &&mut Node| it.str_at(&["type"]) == Some(kind);
        match self.conditions.iter_mut().find(same) {
            Some(known) => *known = condition,
            None => self.conditions.push(condition),
        }
    }

    fn report(&mut self) {
        let mut status = Node::map();
        if !self.conditions.is_empty() {
            status.set("conditions", self.conditions.clone());
        }
        if let Some(start) = &self.start {
            status.set("startTime", start.as_str());
        }
        if let Some(done) = find(&self.conditions, "Complete") {
            let end = done.str_at(&["lastTransitionTime"]).unwrap_or_default();
            status.set("completionTime", end);
        }
        let counts =
            [("active", self.active), ("succeeded", self.succeeded), ("failed", self.failed)];
        for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status.set(key, count);
        }
        status.set("terminating", self.terminating);
        let completed = self.completed.to_string();
        if !completed.is_empty() {
            status.set("completedIndexes", completed);
        }
        if self.number("backoffLimitPerIndex").is_some() {
            status.set("failedIndexes", self.lost.to_string());
        }
        status.set("uncountedTerminatedPods", Node::map());
        status.set("ready", self.ready);
        if self.job.get("status") != Some(&status) {
            let mut job = self.job.clone();
            job.set("status", status);
            self.actions.push(Action::UpdateStatus(job));
        }
    }
}
