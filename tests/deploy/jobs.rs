//! Jobs in releases: as hooks, as tests, and as objects of their own.

use super::charts::{helm, node, steps, write};
use super::{Host, Run, has};
use serde_json::{Value, json};

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
    ("values.yaml", "image: none\ncolour: red\nmigrate: echo migrated\nping: 'true'\n"),
    (
        "templates/_job.tpl",
        "{{- define \"shop.job\" -}}
backoffLimit: 0
template:
  spec:
    restartPolicy: Never
    terminationGracePeriodSeconds: 1
    containers: [{name: main, image: {{ .image }}, args: [{{ .args | quote }}]}]
{{- end }}
",
    ),
    (
        "templates/shop.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {colour: {{ .Values.colour }}}
",
    ),
    (
        "templates/migrate.yaml",
        "apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
spec: {{- include \"shop.job\" (dict \"image\" .Values.image \"args\" .Values.migrate) | nindent 2 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: seed
  annotations:
    helm.sh/hook: post-install
    helm.sh/hook-delete-policy: hook-succeeded
spec: {{- include \"shop.job\" (dict \"image\" .Values.image \"args\" \"echo sown\") | nindent 2 }}
",
    ),
    (
        "templates/tests/test.yaml",
        "apiVersion: batch/v1
kind: Job
metadata:
  name: sells
  annotations: {helm.sh/hook: test, helm.sh/hook-weight: '5'}
spec: {{- include \"shop.job\" (dict \"image\" .Values.image \"args\" \"echo sold\") | nindent 2 }}
---
apiVersion: v1
kind: Pod
metadata:
  name: answers
  annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: hook-succeeded}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: {{ .Values.image }}, args: [{{ .Values.ping | quote }}]}]
",
    ),
];

fn apply(host: &Host, image: &str, more: &[&str]) -> Run {
    let base = ["apply", "shop", "--set", image, "--timeout", "60s"];
    host.run(&[&base[..], more].concat())
}

#[test]
fn job_hooks_are_waited_for_and_say_what_they_did() {
    let Some((node, _server, image)) = node() else { return };
    let host = &node.host;
    write(host, CHART);
    let installed = apply(host, &image, &[]);
    assert_eq!(
        steps(installed.fine()),
        [
            "hook      Job default/migrate (pre-install)",
            "create    ConfigMap default/shop",
            "hook      Job default/seed (post-install)",
        ]
    );
    let logs: Vec<&str> = installed.err.lines().filter(|line| line.starts_with("log ")).collect();
    assert!(logs.len() == 1 && logs[0].starts_with("log       migrate-"), "{installed:#?}");
    assert!(logs[0].ends_with(": migrated"), "{installed:#?}");
    // one is kept until it runs again, the other asked to be deleted, and its pod went with it
    let there = || host.kubectl(&["get", "jobs,pods", "-o", "name"]).out;
    assert!(there().contains("job.batch/migrate") && !there().contains("seed"), "{}", there());
    let uid = || host.kubectl(&["get", "job", "migrate", "-o", "jsonpath={.metadata.uid}"]).out;
    let first = uid();
    apply(host, &image, &["--set", "colour=blue"]).fine();
    assert_ne!(uid(), first, "it did not run again");

    let broken = ["--set", "colour=green", "--set", "migrate=echo no such table; exit 3"];
    let failed = apply(host, &image, &broken);
    failed.fails(
        1,
        &[
            "wharf::deploy::hook",
            "the pre-upgrade hook Job migrate of shop/templates/migrate.yaml failed: failed \
             (BackoffLimitExceeded: Job has reached the specified backoff limit)",
            "container `main` ended with code 3 (Error)",
            "the last lines of container `main`:",
            "  no such table",
        ],
    );
    let colour = host.kubectl(&["get", "configmap", "shop", "-o", "jsonpath={.data.colour}"]);
    assert_eq!(colour.out, "blue");
    assert_eq!(host.statuses("shop"), ["superseded", "deployed", "failed"]);
    host.run(&["uninstall", "shop"]).fine();
}

#[test]
fn tests_of_a_release_run_when_they_are_asked_for() {
    let Some((node, _server, image)) = node() else { return };
    let host = &node.host;
    write(host, CHART);
    apply(host, &image, &["--no-hooks"]).fine();
    let test = |more: &[&str]| host.run(&[&["test", "--release", "shop"][..], more].concat());

    let all = test(&["--logs"]);
    assert_eq!(
        steps(all.fine()),
        ["hook      Pod default/answers (test)", "hook      Job default/sells (test)"]
    );
    assert!(all.err.contains(": sold\n") && all.err.contains("2 tests passed"), "{all:#?}");
    let left = host.kubectl(&["get", "pods", "-o", "name"]).out;
    assert!(left.starts_with("pod/sells-") && left.lines().count() == 1, "{left}");
    let told = test(&["-o", "json"]).fine().json();
    let outcome = |told: &Value| -> Vec<String> {
        let tests = told["tests"].as_array().expect("a list").iter();
        tests.map(|it| format!("{} {} {}", it["kind"], it["name"], it["status"])).collect()
    };
    assert_eq!((&told["release"], &told["status"]), (&json!("shop"), &json!("passed")), "{told}");
    assert_eq!(
        outcome(&told),
        [r#""Pod" "answers" "passed""#, r#""Job" "sells" "passed""#],
        "{told}"
    );
    for filter in ["name=answers", "!name=sells"] {
        let one = test(&["--filter", filter]);
        assert_eq!(steps(one.fine()), ["hook      Pod default/answers (test)"]);
    }
    test(&["--filter", "name=sleeps"]).fails(
        1,
        &[
            "wharf::deploy::no_test",
            "release `shop` has no test `sleeps`",
            "there are: answers, sells",
        ],
    );
    test(&["--filter", "sleeps"]).fails(2, &["neither `name=NAME` nor `!name=NAME`"]);

    apply(host, &image, &["--no-hooks", "--set", "ping=echo nobody there; exit 1"]).fine();
    let failed = test(&[]);
    failed.fails(
        1,
        &[
            "the test hook Pod answers of shop/templates/tests/test.yaml failed: ",
            "nobody there",
            "wharf::deploy::hook",
        ],
    );
    assert_eq!(steps(&failed), ["hook      Pod default/answers (test)"]);
    let failed = test(&["-o", "json"]);
    failed.fails(1, &["wharf::deploy::hook"]);
    let told = failed.json();
    assert_eq!(
        (&told["status"], outcome(&told)),
        (&json!("failed"), vec![r#""Pod" "answers" "failed""#.to_owned()])
    );
    assert_eq!(told["errors"][0]["code"], "wharf::deploy::hook", "{told}");
    if has("helm") {
        let status = helm(host, &["status", "shop"]).out;
        assert!(status.contains("answers") && status.contains("Failed"), "{status}");
        helm(host, &["test", "shop", "--filter", "name=sells"]).fine();
    }
    host.write("plain.yaml", super::PAIR);
    host.run(&["apply", "plain.yaml"]).fine();
    let none = host.run(&["test", "--release", "plain"]);
    assert!(none.fine().err.contains("release plain has no tests"), "{none:#?}");
    let none = host.run(&["test", "--release", "plain", "-o", "json"]).fine().json();
    assert_eq!((&none["status"], &none["tests"]), (&json!("passed"), &json!([])));
}

#[test]
fn an_apply_waits_for_jobs_when_asked_and_says_at_once_that_one_failed() {
    let Some((node, _server, image)) = node() else { return };
    let host = &node.host;
    let image = image.trim_start_matches("image=");
    let job = |args: &str| {
        let text = format!(
            "apiVersion: batch/v1
kind: Job
metadata: {{name: work}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{{name: main, image: '{image}', args: ['{args}']}}]
"
        );
        host.write("work.yaml", &text);
    };
    let apply =
        |more: &[&str]| host.run(&[&["apply", "work.yaml", "--timeout", "60s"][..], more].concat());
    job("/bin/busybox sleep 2");
    let begun = apply(&[]);
    assert!(begun.fine().err.contains("Job default/work: 1 running, 0 succeeded"), "{begun:#?}");
    let complete = apply(&["--wait-for-jobs"]);
    assert!(complete.fine().err.contains("ready     Job default/work: complete"), "{complete:#?}");

    // a Job's pods cannot be changed, so it has to be made anew
    job("echo broken; exit 7");
    apply(&[]).fails(3, &["Job default/work", "immutable", "--force-recreate"]);
    let failed = apply(&["--force-recreate", "--wait-for-jobs"]);
    failed.fails(
        1,
        &[
            "not ready, and it will not become so by itself",
            "Job default/work: failed (BackoffLimitExceeded",
            "container `main` ended with code 7",
            "broken",
        ],
    );
}

#[test]
fn kinds_of_hooks_matter_only_when_they_run() {
    let host = Host::start();
    let hook = |event: &str| {
        let text = format!(
            "apiVersion: example.com/v1\nkind: Unknown\nmetadata:\n  name: hook\n  annotations: \
             {{helm.sh/hook: {event}}}\n"
        );
        write(&host, &[CHART[0], ("templates/hook.yaml", &text)]);
    };
    hook("pre-install");
    host.run(&["apply", "shop"]).fails(4, &["no kind `Unknown` in `example.com/v1`"]);
    host.run(&["apply", "shop", "--no-hooks"]).fine();
    hook("test");
    host.run(&["apply", "shop"]).fine();
    hook("post-upgrade");
    host.run(&["diff", "shop"]).fails(2, &["no kind `Unknown` in `example.com/v1`"]);
}
