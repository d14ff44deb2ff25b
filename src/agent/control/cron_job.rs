//! `CronJob`s: a Job at each time of a schedule.
//!
//! A Job is named after the minute that it is for, so that no time has two. Of times that passed
//! while nobody looked, only the last is made up for. Without a `timeZone`, schedules are of UTC, as
//! on clusters.

use super::owner::{controller_reference, is_deleting};
use super::pod::time;
use super::{Action, Seen, View};
use crate::agent::events::Event;
use crate::agent::jobs;
use crate::base::clock::rfc3339_seconds;
use crate::object::meta;
use crate::object::schedule::Schedule;
use crate::yaml::Node;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;

/// The annotation of a Job with the time that it is for.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// So many times may be missed before it is told.
const MANY: i64 = 100;

/// How long after its time a Job is made, so that clocks that differ a little do no harm.
const LATE: Duration = Duration::from_millis(100);

/// One step of one `CronJob`.
struct Step<'a> {
    view: &'a dyn View,
    cron: &'a Node,
    now: Timestamp,
    /// Its Jobs that run.
    active: Vec<Seen>,
    last: Option<Timestamp>,
    actions: Vec<Action>,
}

/// Makes the Job that is due, and removes what is older than the history that is to be kept.
pub fn reconcile(view: &dyn View, namespace: &str, name: &str) -> Vec<Action> {
    let Some(cron) = view.get("cronjobs.batch", namespace, name) else { return Vec::new() };
    // one that was made by hand is none of the schedule's
    let mut jobs = view.owned("jobs.batch", meta::uid(&cron));
    jobs.retain(|job| meta::annotation(job, SCHEDULED).is_some());
    let (ended, active): (Vec<Seen>, Vec<Seen>) =
        jobs.into_iter().partition(|job| end(job).is_some());
    let mut step = Step {
        view,
        cron: &cron,
        now: view.now(),
        active,
        last: time(&cron, &["status", "lastScheduleTime"]),
        actions: Vec::new(),
    };
    step.notice(&ended);
    let suspended = cron.at(&["spec", "suspend"]).and_then(Node::as_bool) == Some(true);
    if !is_deleting(&cron) {
        step.forget(&ended);
        if !suspended {
            step.schedule();
        }
    }
    step.report(&ended);
    step.actions
}

/// How a Job ended: `Complete` or `Failed`.
fn end(job: &Node) -> Option<&'static str> {
    let conditions = job.items_at(&["status", "conditions"]);
    ["Complete", "Failed"].into_iter().find(|kind| {
        conditions
            .iter()
            .any(|it| it.str_at(&["type"]) == Some(kind) && it.str_at(&["status"]) == Some("True"))
    })
}

impl Step<'_> {
    fn tell(&mut self, reason: &str, message: impl Into<String>) {
        self.actions.push(Action::Event(Event::normal(self.cron, reason, message)));
    }

    fn warn(&mut self, reason: &str, message: impl Into<String>) {
        self.actions.push(Action::Event(Event::warning(self.cron, reason, message)));
    }

    /// Tells of Jobs that ran when this was looked at last, and do no longer.
    fn notice(&mut self, ended: &[Seen]) {
        for known in self.cron.items_at(&["status", "active"]) {
            let name = known.str_at(&["name"]).unwrap_or_default();
            let same = |job: &&Seen| known.str_at(&["uid"]) == Some(meta::uid(job));
            if let Some(job) = ended.iter().find(same) {
                let how = end(job).unwrap_or_default();
                let message = format!("Saw completed job: {name}, condition: {how}");
                self.tell("SawCompletedJob", message);
            } else if !self.active.iter().any(|job| same(&job)) {
                self.tell("MissingJob", format!("Active job went missing: {name}"));
            }
        }
    }

    /// Deletes the oldest Jobs that have ended, as many as are too many.
    fn forget(&mut self, ended: &[Seen]) {
        for (kind, field) in
            [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")]
        {
            let Some(limit) = self.cron.i64_at(&["spec", field]) else { continue };
            let mut jobs: Vec<&Seen> =
                ended.iter().filter(|job| end(job) == Some(kind) && !is_deleting(job)).collect();
            jobs.sort_by_cached_key(|job| {
                let start = job.str_at(&["status", "startTime"]).map(str::to_owned);
                (start.is_none(), start, meta::name(job).to_owned())
            });
            let extra = jobs.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in jobs.into_iter().take(extra) {
                self.delete(job);
            }
        }
    }

    fn delete(&mut self, job: &Seen) {
        self.actions.push(Action::delete("jobs.batch", job));
        self.tell("SuccessfulDelete", format!("Deleted job {}", meta::name(job)));
    }

    /// Makes the Job that is due, and comes again when the next one is.
    fn schedule(&mut self) {
        let text = self.cron.str_at(&["spec", "schedule"]).unwrap_or_default();
        let schedule = match Schedule::parse(text) {
            Ok(schedule) => schedule,
            Err(fault) => {
                return self.warn(
                    "UnparseableSchedule",
                    format!("unparseable schedule: {text:?} : {fault}"),
                );
            }
        };
        let zone = match self.cron.str_at(&["spec", "timeZone"]).map(TimeZone::get) {
            None => TimeZone::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(error)) => return self.warn("UnknownTimeZone", error.to_string()),
        };
        if let Some(due) = self.due(&schedule, &zone) {
            self.start(due, &zone);
        }
        if let Some(next) = schedule.after(self.now, &zone) {
            let wait = Duration::try_from(next.duration_since(self.now)).unwrap_or_default();
            self.actions.push(Action::Again(wait + LATE));
        }
    }

    /// The last time that has passed since the last Job, unless it passed too long ago.
    fn due(&mut self, schedule: &Schedule, zone: &TimeZone) -> Option<Timestamp> {
        let created = time(self.cron, &["metadata", "creationTimestamp"]);
        let mut earliest = self.last.or(created)?;
        if let Some(seconds) = self.cron.i64_at(&["spec", "startingDeadlineSeconds"]) {
            let deadline = self.now.checked_sub(SignedDuration::from_secs(seconds)).ok()?;
            earliest = earliest.max(deadline);
        }
        let passed = |time: &Timestamp| *time <= self.now;
        let first = schedule.after(earliest, zone).filter(passed)?;
        let Some(second) = schedule.after(first, zone).filter(passed) else { return Some(first) };
        let pause = second.duration_since(first).as_secs().max(1);
        let missed = self.now.duration_since(first).as_secs() / pause + 1;
        let from = if missed > MANY {
            let message = "too many missed start times. Set or decrease \
                           .spec.startingDeadlineSeconds or check clock skew";
            self.warn("TooManyMissedTimes", message);
            first.checked_add(SignedDuration::from_secs((missed - 2) * pause)).ok()?
        } else {
            first
        };
        let times = std::iter::successors(Some(from), |time| schedule.after(*time, zone));
        times.skip(1).take_while(|time| *time <= self.now).last()
    }

    fn start(&mut self, due: Timestamp, zone: &TimeZone) {
        let name = format!("{}-{}", meta::name(self.cron), due.as_second() / 60);
        match self.cron.str_at(&["spec", "concurrencyPolicy"]) {
            Some("Forbid") if !self.active.is_empty() => {
                let message = "Not starting job because prior execution is running and \
                               concurrency policy is Forbid";
                return self.tell("JobAlreadyActive", message);
            }
            Some("Replace") => {
                for job in std::mem::take(&mut self.active) {
                    self.delete(&job);
                }
            }
            _ => {}
        }
        if self.view.get("jobs.batch", meta::namespace(self.cron), &name).is_some() {
            self.last = Some(due);
            return;
        }
        let job = self.job(&name, due, zone);
        // one that is not let in is told as an event, and its time is still to come
        if self.view.room(&job, 1).0 > 0 {
            self.last = Some(due);
        }
        self.actions.push(Action::Create(job));
    }

    fn job(&self, name: &str, due: Timestamp, zone: &TimeZone) -> Node {
        let mut job = Node::from(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": meta::namespace(self.cron)},
        }));
        let template = self.cron.at(&["spec", "jobTemplate"]);
        for key in ["labels", "annotations"] {
            if let Some(value) = template.and_then(|template| template.at(&["metadata", key])) {
                job.set_at(&["metadata", key], value.clone());
            }
        }
        let local = due.to_zoned(zone.clone()).strftime("%FT%T").to_string();
        let offset = match zone.to_offset(due).seconds() {
            0 => "Z".to_owned(),
            _ => due.to_zoned(zone.clone()).strftime("%:z").to_string(),
        };
        job.set_at(&["metadata", "annotations", SCHEDULED], format!("{local}{offset}"));
        job.set_at(&["metadata", "ownerReferences"], vec![controller_reference(self.cron)]);
        let spec = template.and_then(|template| template.get("spec")).cloned();
        let mut spec = spec.unwrap_or_else(Node::map);
        jobs::fill(&mut spec);
        job.set("spec", spec);
        job
    }

    fn report(&mut self, ended: &[Seen]) {
        let mut status = Node::map();
        let reference = |job: &Seen| {
            Node::from(json!({
                "kind": "Job",
                "namespace": meta::namespace(job),
                "name": meta::name(job),
                "uid": meta::uid(job),
                "apiVersion": "batch/v1",
            }))
        };
        let active: Vec<Node> = self.active.iter().map(reference).collect();
        if !active.is_empty() {
            status.set("active", active);
        }
        if let Some(last) = self.last {
            status.set("lastScheduleTime", rfc3339_seconds(last));
        }
        let done = ended.iter().filter_map(|job| time(job, &["status", "completionTime"]));
        let before = time(self.cron, &["status", "lastSuccessfulTime"]);
        if let Some(last) = done.chain(before).max() {
            status.set("lastSuccessfulTime", rfc3339_seconds(last));
        }
        if self.cron.get("status") != Some(&status) {
            let mut cron = self.cron.clone();
            cron.set("status", status);
            self.actions.push(Action::UpdateStatus(cron));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::{Key, Stored};
    use serde_json::Value;
    use std::sync::Arc;

    /// A `CronJob` and its Jobs at a moment.
    struct Moment {
        now: Timestamp,
        cron: Value,
        jobs: Vec<Value>,
    }

    impl View for Moment {
        fn get(&self, resource: &str, _: &str, name: &str) -> Option<Seen> {
            let all = std::iter::once(&self.cron).chain(&self.jobs);
            let resources =
                std::iter::once("cronjobs.batch").chain(std::iter::repeat("jobs.batch"));
            let mut found = all.zip(resources);
            let same =
                |(it, its): &(&Value, &str)| it["metadata"]["name"] == name && *its == resource;
            found.find(same).map(|(it, _)| seen(it))
        }

        fn owned(&self, _: &str, _: &str) -> Vec<Seen> {
            self.jobs.iter().map(seen).collect()
        }

        fn orphans(&self, _: &str, _: &str) -> Vec<Seen> {
            Vec::new()
        }

        fn all(&self, _: &str, _: &str) -> Vec<Seen> {
            Vec::new()
        }

        fn room(&self, _: &Node, wanted: usize) -> (usize, Option<String>) {
            (wanted, None)
        }

        fn now(&self) -> Timestamp {
            self.now
        }
    }

    fn seen(object: &Value) -> Seen {
        let object = Node::from(object.clone());
        let key = Key::new("jobs.batch", "n", meta::name(&object));
        Arc::new(Stored { key, object, revision: 1 }).into()
    }

    fn job(name: &str, ended: &str) -> Value {
        let conditions = json!([{"type": ended, "status": "True"}]);
        json!({"metadata": {"name": name, "namespace": "n", "uid": name, "annotations": {SCHEDULED: "x"}},
            "status": {"conditions": if ended.is_empty() { json!([]) } else { conditions },
                "completionTime": "2026-01-01T00:30:00Z"}})
    }

    /// What a step of an hourly `CronJob` of midnight does at a time, one action a line.
    fn step(now: &str, spec: &Value, status: &Value, jobs: &[Value]) -> Vec<String> {
        let mut cron = json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "c", "namespace": "n", "uid": "u",
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"schedule": "0 * * * *", "jobTemplate": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}}},
            "status": status});
        for (key, value) in spec.as_object().expect("fields") {
            cron["spec"][key] = value.clone();
        }
        let moment = Moment { now: now.parse().expect("a time"), cron, jobs: jobs.to_vec() };
        let told = |action: &Action| match action {
            Action::Create(job) => {
                let at = meta::annotation(job, SCHEDULED).unwrap_or_default();
                Some(format!("create {} for {at}", meta::name(job)))
            }
            Action::Delete { name, .. } => Some(format!("delete {name}")),
            Action::Event(event) => Some(event.reason.clone()),
            Action::UpdateStatus(cron) => {
                let time = cron.str_at(&["status", "lastScheduleTime"]).unwrap_or("-");
                let active = cron.items_at(&["status", "active"]).len();
                Some(format!("last {time}, {active} active"))
            }
            _ => None,
        };
        reconcile(&moment, "n", "c").iter().filter_map(told).collect()
    }

    #[test]
    fn the_last_time_that_passed_gets_its_job() {
        let none = json!({});
        let first = "create c-29453820 for 2026-01-01T01:00:00Z";
        let last = "last 2026-01-01T01:00:00Z, 0 active";
        assert_eq!(step("2026-01-01T00:59:59Z", &none, &none, &[]), [""; 0]);
        assert_eq!(step("2026-01-01T01:00:00Z", &none, &none, &[]), [first, last]);
        // of several times that were missed only the last is made up for
        let late = step("2026-01-01T03:30:00Z", &none, &none, &[]);
        assert_eq!(late[0], "create c-29453940 for 2026-01-01T03:00:00Z");
        let zone = json!({"timeZone": "Asia/Kolkata"});
        let there = step("2026-01-01T00:30:00Z", &zone, &none, &[]);
        assert_eq!(there[0], "create c-29453790 for 2026-01-01T06:00:00+05:30");
        let deadline = json!({"startingDeadlineSeconds": 60});
        assert_eq!(step("2026-01-01T01:30:00Z", &deadline, &none, &[]), [""; 0]);
        let years = step("2027-01-01T00:30:00Z", &none, &none, &[]);
        assert_eq!(
            years[..2],
            ["TooManyMissedTimes", "create c-29979360 for 2027-01-01T00:00:00Z"]
        );
        let suspended = json!({"suspend": true});
        assert_eq!(step("2026-01-01T01:00:00Z", &suspended, &none, &[]), [""; 0]);
        // one that was made already is not made again
        let made = [job("c-29453820", "")];
        let again = step("2026-01-01T01:00:00Z", &none, &none, &made);
        assert_eq!(again, ["last 2026-01-01T01:00:00Z, 1 active"]);
    }

    #[test]
    fn a_job_that_still_runs_is_joined_awaited_or_replaced() {
        let running = [job("c-1", "")];
        let now = "2026-01-01T01:00:00Z";
        let with = |policy: &str| {
            let spec = json!({"concurrencyPolicy": policy});
            step(now, &spec, &json!({}), &running)
        };
        assert!(with("Allow")[0].starts_with("create"));
        assert_eq!(with("Forbid"), ["JobAlreadyActive", "last -, 1 active"]);
        assert_eq!(with("Replace")[..2], ["delete c-1", "SuccessfulDelete"]);
    }

    #[test]
    fn what_ended_is_noticed_and_forgotten_in_time() {
        let status = json!({"active": [{"name": "c-3", "uid": "c-3"}, {"name": "gone", "uid": "x"}],
            "lastScheduleTime": "2026-01-01T01:00:00Z"});
        let spec = json!({"successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 0});
        let jobs = [job("c-1", "Complete"), job("c-2", "Failed"), job("c-3", "Complete")];
        assert_eq!(
            step("2026-01-01T01:10:00Z", &spec, &status, &jobs),
            [
                "SawCompletedJob",
                "MissingJob",
                "delete c-1",
                "SuccessfulDelete",
                "delete c-2",
                "SuccessfulDelete",
                "last 2026-01-01T01:00:00Z, 0 active",
            ]
        );
    }
}
