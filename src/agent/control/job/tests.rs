//! Jobs over a store in memory, on the node of `control::tests`.

use crate::agent::control::tests::World;
use crate::agent::store::Op;
use crate::agent::store::{Key, metadata};
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use serde_json::{Value, json};

const JOBS: &str = "jobs.batch";

/// A Job whose pods run an image.
fn job(image: &str, spec: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "j", "namespace": "n"},
        "spec": {
            "completions": 1, "parallelism": 1, "backoffLimit": 6,
            "selector": {"matchLabels": {"job": "j"}},
            "template": {
                "metadata": {"labels": {"job": "j"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "c", "image": image}],
                },
            },
        },
    });
    for (key, value) in spec.as_object().expect("fields") {
        job["spec"][key] = value.clone();
    }
    job
}

async fn run(image: &str, spec: Value) -> World {
    let world = World::new();
    world.create(JOBS, job(image, &spec)).await;
    world
}

impl World {
    fn job(&self) -> Node {
        self.get(JOBS, "j").unwrap_or_default()
    }

    fn number(&self, key: &str) -> i64 {
        self.job().i64_at(&["status", key]).unwrap_or(0)
    }

    /// The reason of a condition that is true.
    fn reason(&self, kind: &str) -> Option<String> {
        let job = self.job();
        let conditions = job.items_at(&["status", "conditions"]);
        let found = conditions.iter().find(|it| {
            it.str_at(&["type"]) == Some(kind) && it.str_at(&["status"]) == Some("True")
        })?;
        found.str_at(&["reason"]).map(str::to_owned)
    }

    async fn ends(&self, kind: &str, reason: &str) {
        self.until(kind, |world| world.reason(kind).as_deref() == Some(reason)).await;
    }

    fn tracked(&self) -> usize {
        let held = |pod: &Node| !pod.items_at(&["metadata", "finalizers"]).is_empty();
        self.list("pods").iter().filter(|pod| held(&pod.object)).count()
    }
}

#[tokio::test]
async fn a_job_runs_pods_until_enough_have_succeeded() {
    let world = run("ends", json!({"completions": 5, "parallelism": 2})).await;
    world.ends("Complete", "CompletionsReached").await;
    assert_eq!(world.reason("SuccessCriteriaMet").as_deref(), Some("CompletionsReached"));
    let mut status = world.job().get("status").cloned().unwrap_or_default();
    for field in ["conditions", "startTime", "completionTime"] {
        assert!(status.remove(field).is_some(), "{field}");
    }
    let expected = json!({"succeeded": 5, "terminating": 0, "ready": 0,
        "uncountedTerminatedPods": {}});
    assert_eq!(status, Node::from(expected));
    assert_eq!((world.list("pods").len(), world.tracked()), (5, 0));
    let pod = &world.list("pods")[0];
    assert!(meta::name(&pod.object).starts_with("j-"));
}

#[tokio::test]
async fn too_many_failures_end_it() {
    let world = run("fails", json!({"backoffLimit": 0})).await;
    world.ends("Failed", "BackoffLimitExceeded").await;
    assert_eq!((world.number("failed"), world.number("active"), world.tracked()), (1, 0, 0));
    assert!(world.job().at(&["status", "completionTime"]).is_none());
}

#[tokio::test]
async fn after_a_failure_it_waits() {
    let world = run("fails", json!({})).await;
    world.until("a failure", |world| world.number("failed") == 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!((world.list("pods").len(), world.number("active")), (1, 0));
}

#[tokio::test]
async fn a_deadline_takes_what_runs_with_it() {
    let world = run("runs", json!({"activeDeadlineSeconds": 1})).await;
    world.until("a pod that is ready", |world| world.number("ready") == 1).await;
    world.ends("Failed", "DeadlineExceeded").await;
    assert_eq!((world.number("failed"), world.number("terminating")), (1, 0));
    world.until("no pods", |world| world.list("pods").is_empty()).await;
}

#[tokio::test]
async fn a_rule_about_exit_codes_ends_it_at_once() {
    let rules = json!([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}]);
    let policy = json!({"podReplacementPolicy": "Failed", "podFailurePolicy": {"rules": rules}});
    let world = run("fails", policy).await;
    world.ends("Failed", "PodFailurePolicy").await;
    assert_eq!(world.number("failed"), 1);
}

#[tokio::test]
async fn an_ignored_failure_does_not_count() {
    let rules = json!([{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]);
    let world = run("fails", json!({"podFailurePolicy": {"rules": rules}})).await;
    let ended = |world: &World| world.list("pods").len() == 1 && world.tracked() == 0;
    world.until("a failure", ended).await;
    world.until("it is known", |world| world.number("active") == 0).await;
    assert_eq!(world.number("failed"), 0);
}

#[tokio::test]
async fn each_index_succeeds_once() {
    let spec = json!({"completions": 4, "parallelism": 3, "completionMode": "Indexed"});
    let world = run("ends", spec).await;
    world.ends("Complete", "CompletionsReached").await;
    assert_eq!(world.job().str_at(&["status", "completedIndexes"]), Some("0-3"));
    let mut hosts: Vec<String> = Vec::new();
    for pod in world.list("pods") {
        let text = |path: &[&str]| pod.object.str_at(path).unwrap_or_default().to_owned();
        let index = text(&["metadata", "labels", "batch.kubernetes.io/job-completion-index"]);
        assert!(text(&["metadata", "name"]).starts_with(&format!("j-{index}-")));
        let env = pod.object.items_at(&["spec", "containers"])[0].items_at(&["env"]);
        assert_eq!(env[0].str_at(&["name"]), Some("JOB_COMPLETION_INDEX"));
        hosts.push(text(&["spec", "hostname"]));
    }
    hosts.sort();
    assert_eq!(hosts, ["j-0", "j-1", "j-2", "j-3"]);
}

#[tokio::test]
async fn an_index_with_a_limit_of_its_own_fails_alone() {
    let spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed",
        "backoffLimitPerIndex": 0, "backoffLimit": i32::MAX});
    let world = run("fails", spec.clone()).await;
    world.ends("Failed", "FailedIndexes").await;
    assert_eq!(world.job().str_at(&["status", "failedIndexes"]), Some("0,1"));

    let mut spec = spec;
    spec["maxFailedIndexes"] = json!(0);
    spec["parallelism"] = json!(1);
    let world = run("fails", spec).await;
    world.ends("Failed", "MaxFailedIndexesExceeded").await;
}

#[tokio::test]
async fn some_successes_may_be_enough() {
    let spec = json!({"completions": 3, "parallelism": 1, "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededCount": 2}]}});
    let world = run("ends", spec).await;
    world.ends("Complete", "SuccessPolicy").await;
    assert_eq!(world.number("succeeded"), 2);
}

#[tokio::test]
async fn without_a_number_the_first_success_is_the_last() {
    let world = run("ends", json!({"completions": null, "parallelism": 1})).await;
    world.ends("Complete", "CompletionsReached").await;
    assert_eq!(world.number("succeeded"), 1);
}

#[tokio::test]
async fn a_suspended_job_has_no_pods() {
    let world = run("runs", json!({"suspend": true})).await;
    world.ends("Suspended", "JobSuspended").await;
    assert!(world.list("pods").is_empty());
    assert!(world.job().at(&["status", "startTime"]).is_none());

    world.change(JOBS, "j", |job| job.set_at(&["spec", "suspend"], false)).await;
    world.until("it runs", |world| world.number("ready") == 1).await;
    assert_eq!(world.reason("Suspended"), None);

    world.change(JOBS, "j", |job| job.set_at(&["spec", "suspend"], true)).await;
    world.ends("Suspended", "JobSuspended").await;
    world.until("no pods", |world| world.list("pods").is_empty()).await;
    world.until("it is known", |world| world.number("terminating") == 0).await;
    assert_eq!((world.number("failed"), world.number("active")), (0, 0));
}

#[tokio::test]
async fn a_pod_that_is_deleted_counts_as_failed() {
    let world = run("runs", json!({"backoffLimit": 1})).await;
    world.until("it runs", |world| world.number("ready") == 1).await;
    let name = world.list("pods")[0].key.name.to_string();
    world.change("pods", &name, |pod| metadata::mark_deleted(pod, Timestamp::now(), 30)).await;
    world.until("it is counted", |world| world.number("failed") == 1).await;
    world.until("it is gone", |world| world.get("pods", &name).is_none()).await;
}

#[tokio::test]
async fn a_finished_job_goes_after_its_time() {
    let world = run("ends", json!({"ttlSecondsAfterFinished": 1})).await;
    world.ends("Complete", "CompletionsReached").await;
    world
        .until("nothing left", |world| world.list(JOBS).is_empty() && world.list("pods").is_empty())
        .await;
}

#[tokio::test]
async fn a_job_that_is_deleted_takes_its_pods_along() {
    let world = run("runs", json!({"completions": 2, "parallelism": 2})).await;
    world.until("it runs", |world| world.number("ready") == 2).await;
    let key = Key::new(JOBS, "n", "j");
    world.store.commit(vec![Op::Delete { key, expect: None }]).await.expect("it is there");
    world.until("no pods", |world| world.list("pods").is_empty()).await;
}

#[tokio::test]
async fn a_job_of_another_controller_is_left_alone() {
    let world = run("ends", json!({"managedBy": "example.com/other"})).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(world.list("pods").is_empty() && world.job().get("status").is_none());
}

#[tokio::test]
async fn a_cron_job_makes_jobs_that_run() {
    let world = World::new();
    let job = job("ends", &json!({}));
    let mut spec = job["spec"].clone();
    spec.as_object_mut().expect("fields").remove("selector");
    let cron = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "c", "namespace": "n"},
        "spec": {"schedule": "@every 1s", "jobTemplate": {"spec": spec}},
    });
    world.create("cronjobs.batch", cron).await;
    let succeeded = |world: &World| {
        let cron = world.get("cronjobs.batch", "c").unwrap_or_default();
        cron.at(&["status", "lastSuccessfulTime"]).is_some()
    };
    world.until("a Job succeeded", succeeded).await;
    let job = world.list(JOBS)[0].object.clone();
    let uid = ["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"];
    assert_eq!(job.str_at(&uid), Some(meta::uid(&job)));
    assert!(meta::name(&job).starts_with("c-") && job.i64_at(&["spec", "backoffLimit"]) == Some(6));
    let key = Key::new("cronjobs.batch", "n", "c");
    world.store.commit(vec![Op::Delete { key, expect: None }]).await.expect("it is there");
    world
        .until("nothing left", |world| world.list(JOBS).is_empty() && world.list("pods").is_empty())
        .await;
}
