//! Unmodified Helm charts from end to end: installed, upgraded, rolled back and removed, with their
//! hooks, beside Helm on the same releases.

use super::node::{Node, image};
use super::{Host, has, run};
use crate::prerequisites::skip;
use std::path::Path;
use std::process::Command;

const BUSYBOX: &str = "/bin/busybox";

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.2.0\nappVersion: '7'\n"),
    ("values.yaml", "colour: red\nimage: none\nbefore: 'true'\n"),
    (
        "crds/gadgets.yaml",
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object,
      properties: {size: {type: integer}}}}}}
",
    ),
    (
        "templates/_names.tpl",
        "{{- define \"shop.labels\" -}}
app: {{ .Release.Name }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
",
    ),
    (
        "templates/web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{- include \"shop.labels\" . | nindent 4 }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {{- include \"shop.labels\" . | nindent 8 }}
      annotations: {colour: {{ .Values.colour }}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {{ .Values.image }}
        args: [exec /bin/busybox sleep 1000]
",
    ),
    (
        "templates/settings.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {colour: {{ .Values.colour }}}
---
apiVersion: shop.example/v1
kind: Gadget
metadata: {name: {{ .Release.Name }}}
spec: {size: 3}
",
    ),
    (
        "templates/before.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: before-settings
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: \"-5\"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
data: {colour: {{ .Values.colour }}}
---
apiVersion: v1
kind: Pod
metadata:
  name: before
  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {{ .Values.image }}
    args: [{{ .Values.before | quote }}]
    env: [{name: COLOUR, valueFrom: {configMapKeyRef: {name: before-settings, key: colour}}}]
",
    ),
    (
        "templates/after.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: after
  annotations: {helm.sh/hook: \"post-install,post-upgrade,post-rollback\"}
data: {colour: {{ .Values.colour }}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: farewell
  annotations: {helm.sh/hook: pre-delete}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: check
  annotations: {helm.sh/hook: test}
",
    ),
    ("templates/NOTES.txt", "The shop {{ .Release.Name }} is {{ .Values.colour }}.\n"),
];

pub(super) fn write(host: &Host, chart: &[(&str, &str)]) {
    for (name, text) in chart {
        host.write(&format!("shop/{name}"), text);
    }
}

pub(super) fn helm(host: &Host, args: &[&str]) -> super::Run {
    let mut command = Command::new("helm");
    command.args(args).current_dir(host.path(".")).env("HOME", host.path("."));
    command.env("KUBECONFIG", host.path("kubeconfig"));
    run(command)
}

/// The lines that tell what was done, without what was waited for.
pub(super) fn steps(run: &super::Run) -> Vec<&str> {
    let told = ["hook", "create", "update", "delete", "undo"];
    run.err.lines().filter(|line| told.iter().any(|word| line.starts_with(word))).collect()
}

/// A host that runs containers, and the address of an image on it.
pub(super) fn node() -> Option<(Node, super::scale::Server, String)> {
    if !Path::new(BUSYBOX).exists() {
        skip("/bin/busybox is not there");
        return None;
    }
    let node = Node::start()?;
    let (server, address) = node.registry();
    let program = std::fs::read(BUSYBOX).expect("busybox");
    image(&node.host.path("image"), "bin/busybox", &program, &[BUSYBOX, "sh", "-c"], "");
    node.host.run(&["push", "image", &format!("oci://{address}/demo:1")]).fine();
    Some((node, server, format!("image={address}/demo:1")))
}

#[test]
fn a_chart_is_installed_upgraded_rolled_back_and_removed_with_its_hooks() {
    let Some((node, _server, image)) = node() else { return };
    let host = &node.host;
    write(host, CHART);
    let with = |more: &[&'static str]| {
        let base = ["apply", "shop", "--set", &image, "--timeout", "60s"];
        host.run(&base.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let installed = with(&[]);
    assert_eq!(installed.fine().out, "The shop shop is red.\n");
    assert_eq!(
        steps(&installed),
        [
            "create    CustomResourceDefinition gadgets.shop.example",
            "hook      ConfigMap default/before-settings (pre-install)",
            "hook      Pod default/before (pre-install)",
            "create    ConfigMap default/shop",
            "create    Deployment default/shop",
            "create    Gadget default/shop",
            "hook      ConfigMap default/after (post-install)",
        ]
    );
    // policies: one was removed, the other stays
    let kubectl = |name: &str| host.kubectl(&["get", name, "-o", "name", "--ignore-not-found"]).out;
    assert_eq!(kubectl("configmap/before-settings"), "");
    assert_eq!(kubectl("pod/before"), "pod/before\n");
    assert_eq!(kubectl("configmap/check"), "");
    let again = with(&[]);
    assert!(again.fine().err.contains("nothing changed") && steps(&again).is_empty(), "{again:#?}");
    host.run(&["diff", "shop", "--set", &image]).fine();

    let diff = host.run(&["diff", "shop", "--set", &image, "--set", "colour=blue"]);
    diff.fails(1, &["hook      Pod before (pre-upgrade)", "2 to update"]);
    let upgraded = with(&["--set", "colour=blue"]);
    assert_eq!(upgraded.fine().out, "The shop shop is blue.\n");
    assert_eq!(
        steps(&upgraded),
        [
            "hook      ConfigMap default/before-settings (pre-upgrade)",
            "hook      Pod default/before (pre-upgrade)",
            "update    ConfigMap default/shop",
            "update    Deployment default/shop",
            "hook      ConfigMap default/after (post-upgrade)",
        ]
    );
    if has("helm") {
        let listed = helm(host, &["list", "-o", "json"]).fine().json();
        assert_eq!(
            (&listed[0]["revision"], &listed[0]["chart"]),
            (&"2".into(), &"shop-1.2.0".into())
        );
        assert!(helm(host, &["get", "notes", "shop"]).fine().out.contains("is blue"));
        let hooks = helm(host, &["get", "hooks", "shop"]);
        assert!(hooks.fine().out.contains("# Source: shop/templates/before.yaml"), "{hooks:#?}");
        let green = [image.as_str(), "colour=green"];
        let args = ["upgrade", "shop", "shop", "--set", green[0], "--set", green[1], "--wait"];
        helm(host, &args).fine();
        assert_eq!(host.statuses("shop"), ["superseded", "superseded", "deployed"]);
        host.run(&["diff", "shop", "--set", &image, "--set", "colour=green"]).fails(0, &[]);
        helm(host, &["rollback", "shop", "2", "--wait"]).fine();
    }
    let back = host.run(&["rollback", "shop", "1", "--timeout", "60s"]);
    let steps_back = steps(back.fine());
    assert_eq!(steps_back.last(), Some(&"hook      ConfigMap default/after (post-rollback)"));
    let colour = host.kubectl(&["get", "configmap", "shop", "-o", "jsonpath={.data.colour}"]);
    assert_eq!(colour.out, "red");
    let removed = host.run(&["uninstall", "shop"]);
    assert_eq!(steps(removed.fine())[0], "hook      ConfigMap default/farewell (pre-delete)");
    // definitions of kinds stay, as do hooks that nothing removes
    let left = host.kubectl(&["get", "crd", "gadgets.shop.example", "-o", "name"]);
    assert!(left.fine().out.contains("gadgets.shop.example"), "{left:#?}");
    assert_eq!(kubectl("configmap/farewell"), "configmap/farewell\n");
    assert_eq!(kubectl("deployment/shop"), "");
}

#[test]
fn a_hook_that_fails_stops_the_release_and_says_why() {
    let Some((node, _server, image)) = node() else { return };
    let host = &node.host;
    write(host, CHART);
    let with = |before: &str, more: &[&'static str]| {
        let before = format!("before={before}");
        let base = ["apply", "shop", "--set", &image, "--set", &before];
        host.run(&base.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let broken = "echo no such table; exit 3";
    let failed = with(broken, &["--timeout", "30s"]);
    failed.fails(
        1,
        &[
            "wharf::deploy::hook",
            "the pre-install hook Pod before of shop/templates/before.yaml failed: ",
            "no such table",
        ],
    );
    assert_eq!(host.statuses("shop"), ["failed"]);
    // nothing came of the rest; the hook before it succeeded, and asked to be deleted then
    let there = host.kubectl(&["get", "deployments,configmaps", "-o", "name"]);
    assert!(!there.fine().out.contains("deployment.apps/shop"), "{there:#?}");
    assert!(!there.out.contains("before-settings"), "{there:#?}");

    with(broken, &["--no-hooks", "--timeout", "60s"]).fine();
    assert_eq!(host.statuses("shop"), ["failed", "deployed"]);
    let slow = with(
        "exec /bin/busybox sleep 1000",
        &["--timeout", "3s", "--atomic", "--set", "colour=blue"],
    );
    slow.fails(
        1,
        &[
            "undo      it failed; rolling back to revision 2",
            "hook Pod before",
            "is not done after 3 s",
        ],
    );
    assert_eq!(host.statuses("shop"), ["failed", "superseded", "failed", "deployed"]);
    host.run(&["uninstall", "shop", "--no-hooks"]).fine();
    assert_eq!(host.kubectl(&["get", "configmap", "farewell", "--ignore-not-found"]).out, "");
}

#[test]
fn a_plan_carries_its_hooks_and_unknown_kinds_are_found_first() {
    let host = Host::start();
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: before\n  annotations: \
                {helm.sh/hook: 'pre-install,pre-upgrade'}\n";
    write(&host, &[CHART[0], ("templates/before.yaml", hook)]);
    let plan = host.run(&["plan", "shop", "--out", "shop.plan"]);
    assert_eq!(steps(plan.fine()), ["hook      ConfigMap before (pre-install)"]);
    let applied = host.run(&["apply", "shop.plan"]);
    assert_eq!(steps(applied.fine()), ["hook      ConfigMap default/before (pre-install)"]);
    // a policy of Helm's own kind does not count as a change
    host.run(&["diff", "shop"]).fine();
    host.write(
        "shop/templates/before.yaml",
        &hook.replace("v1\nkind: ConfigMap", "policy/v1\nkind: PodDisruptionBudget"),
    );
    let unknown = host.run(&["apply", "shop"]);
    let said = "no kind `PodDisruptionBudget` in `policy/v1`";
    unknown.fails(4, &["wharf::cluster::unknown_kind", said]);
    assert_eq!(host.statuses("shop"), ["deployed"]);
}

#[test]
fn what_is_random_stays_the_same_with_a_seed() {
    let host = Host::start();
    let secret = "{{- $ca := genCA \"shop\" 365 }}
{{- $cert := genSignedCert \"web\" nil (list \"web\") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: random}
stringData:
  password: {{ randAlphaNum 32 }}
  time: {{ now | date \"2006-01-02T15:04:05.000\" | quote }}
  bcrypt: {{ htpasswd \"user\" \"secret\" | quote }}
  uuid: {{ uuidv4 }}
  ca: {{ $ca.Cert | quote }}
  cert: {{ $cert.Cert | quote }}
  key: {{ $cert.Key | quote }}
";
    write(&host, &[CHART[0], ("templates/secret.yaml", secret)]);
    let seeded = |verb, seed| host.run(&[verb, "shop", "--seed", seed]);
    seeded("apply", "one").fine();
    let diff = seeded("diff", "one");
    assert_eq!(diff.fine().out, "", "{diff:#?}");
    assert!(seeded("apply", "one").fine().err.contains("nothing changed"));
    seeded("diff", "two").fails(1, &["1 to update"]);
    host.run(&["diff", "shop"]).fails(1, &["1 to update"]);
    assert_eq!(host.statuses("shop"), ["deployed"]);
}
