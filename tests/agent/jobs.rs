//! Jobs as a person with kubectl meets them, and through the death of the agent.

use super::support::{Host, condition};
use serde_json::{Value, json};

/// Runs kubectl, which must succeed, and say all of this with any space between words.
fn says(host: &Host, command: &str, expected: &[&str]) {
    let args: Vec<&str> = command.split(' ').collect();
    let (out, error, fine) = host.try_kubectl(&args);
    assert!(fine, "kubectl {command}: {error}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in expected {
        let said = words(&out).contains(part) || words(&error).contains(part);
        assert!(said, "kubectl {command} does not say {part:?}:\n{out}{error}");
    }
}

fn job(name: &str, image: &str, args: &[&str], spec: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": image, "args": args}],
        }}},
    });
    for (key, value) in spec.as_object().expect("fields") {
        job["spec"][key] = value.clone();
    }
    job
}

#[test]
fn a_job_with_kubectl() {
    let Some(host) = Host::start() else { return };
    let image = host.image("1");
    let create = format!("create job hello --image={image} -- /demo exit --after 1s");
    says(&host, &create, &["job.batch/hello created"]);
    says(&host, "get job hello", &["NAME STATUS COMPLETIONS DURATION AGE", "hello Running 0/1"]);
    says(&host, "wait --for=condition=complete job/hello --timeout=60s", &["condition met"]);
    says(&host, "get job", &["hello Complete 1/1"]);
    says(&host, "get job -o wide", &["CONTAINERS IMAGES SELECTOR", "demo:1 batch.kubernetes.io"]);
    says(&host, "get all", &["job.batch/hello Complete 1/1"]);
    says(&host, "get job --field-selector status.successful=1", &["hello"]);
    let described = [
        "Parallelism: 1 Completions: 1 Completion Mode: NonIndexed Suspend: false Backoff Limit: 6",
        "Pods Statuses: 0 Active (0 Ready) / 1 Succeeded / 0 Failed",
        "Labels: batch.kubernetes.io/controller-uid=",
        "SuccessfulCreate",
        "Completed",
    ];
    says(&host, "describe job hello", &described);
    says(&host, "explain job.spec.backoffLimit", &["KIND: Job", "FIELD: backoffLimit <integer>"]);
    says(&host, "delete job hello", &["job.batch \"hello\" deleted"]);
    host.until("its pods are gone", || host.pods("job-name=hello").is_empty());

    host.apply(&job("wrong", &image, &["no such verb"], &json!({"backoffLimit": 0})));
    says(&host, "wait --for=condition=failed job/wrong --timeout=60s", &["condition met"]);
    says(&host, "logs job/wrong", &["usage: demo"]);
    says(&host, "get job wrong", &["wrong Failed 0/1"]);
    let described = ["0 Active (0 Ready) / 0 Succeeded / 1 Failed", "Warning BackoffLimitExceeded"];
    says(&host, "describe job wrong", &described);
    // without a word about its pods, the API leaves them
    let kept = "delete --raw /apis/batch/v1/namespaces/default/jobs/wrong";
    says(&host, kept, &["child pods are preserved by default when jobs are deleted"]);
    host.until("it is gone", || host.get("job/wrong") == Value::Null);
    assert_eq!(host.pods("job-name=wrong").len(), 1);
}

#[test]
fn a_cron_job_with_kubectl() {
    let Some(host) = Host::start() else { return };
    let image = host.image("1");
    let create = format!("create cronjob tick --image={image} --schedule=@yearly -- /demo exit");
    says(&host, &create, &["cronjob.batch/tick created"]);
    let columns = "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE";
    says(&host, "get cj", &[columns, "tick @yearly <none> False 0 <none>"]);
    says(&host, "create job now --from=cronjob/tick", &["job.batch/now created"]);
    says(&host, "wait --for=condition=complete job/now --timeout=60s", &["condition met"]);
    host.kubectl(&["patch", "cronjob", "tick", "-p", r#"{"spec": {"schedule": "@every 2s"}}"#]);
    host.until("it made a Job that succeeded", || {
        host.get("cronjob/tick")["status"]["lastSuccessfulTime"].is_string()
    });
    let described = ["Schedule: @every 2s", "Concurrency Policy: Allow", "SuccessfulCreate"];
    says(&host, "describe cronjob tick", &described);
    let wrong = r#"{"spec": {"schedule": "61 * * * *", "timeZone": "Mars/Olympus"}}"#;
    let (_, error, fine) = host.try_kubectl(&["patch", "cronjob", "tick", "-p", wrong]);
    assert!(!fine && error.contains("spec.schedule: Invalid value: \"61 * * * *\""), "{error}");
    assert!(error.contains("unknown time zone Mars/Olympus"), "{error}");
    says(&host, "delete cronjob tick", &["deleted"]);
    host.until("its Jobs are gone", || {
        host.kubectl(&["get", "jobs", "-o", "name"]).trim().is_empty()
    });
}

#[test]
fn a_job_that_cannot_be_is_refused() {
    let Some(host) = Host::start() else { return };
    let image = host.image("1");
    let refused = |job: &Value, expected: &str| {
        let (_, error, fine) = host.kubectl_with(&["apply", "-f", "-"], &job.to_string());
        assert!(!fine && error.contains(expected), "{error}");
    };
    let fine = job("fine", &image, &["sleep"], &json!({"suspend": true}));
    let mut always = fine.clone();
    always["spec"]["template"]["spec"]["restartPolicy"] = "Always".into();
    refused(
        &always,
        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
    );
    let mut labelled = fine.clone();
    labelled["spec"]["template"]["metadata"] = json!({"labels": {"job-name": "other"}});
    refused(&labelled, "spec.template.metadata.labels[job-name]: Invalid value");
    let negative = job("fine", &image, &[], &json!({"backoffLimit": -1}));
    refused(&negative, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0");
    let indexed = job("fine", &image, &[], &json!({"parallelism": 1, "completionMode": "Indexed"}));
    refused(&indexed, "spec.completions: Required value: when completion mode is Indexed");
    let rule = json!([{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [0]}}]);
    let policy = job("fine", &image, &[], &json!({"podFailurePolicy": {"rules": rule}}));
    refused(&policy, "action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex");
    refused(&policy, "values[0]: Invalid value: 0: must not be 0 for the In operator");

    host.apply(&fine);
    let mut changed = fine.clone();
    changed["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["http"]);
    refused(&changed, "field is immutable");
    changed = fine.clone();
    changed["spec"]["completions"] = json!(2);
    refused(&changed, "spec.completions: Invalid value: 2: field is immutable");
    // what says how fast, and whether it runs, may change
    changed = fine.clone();
    changed["spec"]["parallelism"] = json!(2);
    changed["spec"]["suspend"] = json!(false);
    changed["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    host.apply(&changed);
    host.until("it runs", || host.get("job/fine")["status"]["ready"] == 1);
}

#[test]
fn a_job_outlives_the_agent() {
    let Some(mut host) = Host::start() else { return };
    let args = ["exit", "--after", "3s"];
    let spec = json!({"completions": 3, "parallelism": 3});
    host.apply(&job("long", &host.image("1"), &args, &spec));
    host.until("all run", || host.get("job/long")["status"]["ready"] == 3);
    host.kill();
    host.restart();
    host.until("it is complete", || condition(&host.get("job/long"), "Complete"));
    let job = host.get("job/long");
    assert_eq!((&job["status"]["succeeded"], &job["status"]["failed"]), (&json!(3), &Value::Null));
    assert_eq!(host.pods("job-name=long").len(), 3);
}
