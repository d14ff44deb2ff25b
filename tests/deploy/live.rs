//! Charts that ask a live target while they are rendered, beside what Helm prints.

use super::{Host, has};
use std::process::Command;

const ASKS: &str = r#"
{{- $settings := lookup "v1" "ConfigMap" "default" "settings" }}
colour: {{ ($settings.data | default dict).colour | default "none" }}
kind: {{ kindOf $settings }}
items: {{ kindOf (lookup "v1" "ConfigMap" "default" "").items }}
list: {{ (lookup "v1" "ConfigMap" "default" "").kind }}
everywhere: {{ (lookup "v1" "ConfigMap" "" "").apiVersion }}
missing: {{ lookup "v1" "ConfigMap" "default" "nothing" | toJson }}
unknown: {{ lookup "v1" "Gadget" "default" "nothing" | toJson }}
wide: {{ with lookup "v1" "Namespace" "ignored" "default" }}{{ .metadata.name }}{{ end }}
port: {{ with lookup "v1" "Service" "default" "web" }}{{ kindOf (index .spec.ports 0).port }}{{ end }}
version: {{ .Capabilities.KubeVersion.Version }}
apps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" }}
old: {{ .Capabilities.APIVersions.Has "extensions/v1beta1" }}
namespace: {{ .Release.Namespace }}
"#;

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
";

fn asks(host: &Host, text: &str) {
    host.write("asks/Chart.yaml", "apiVersion: v2\nname: asks\nversion: 1.0.0\n");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: answers}\ndata:\n  all: |-\n";
    let template = format!(
        "{{{{- define \"all\" }}}}{text}{{{{- end }}}}{map}{{{{ include \"all\" . | indent 4 }}}}\n"
    );
    host.write("asks/templates/map.yaml", &template);
}

#[test]
fn templates_look_objects_up_as_in_helm() {
    let host = Host::start();
    host.write("settings.yaml", SETTINGS);
    host.run(&["apply", "settings.yaml"]).fine();
    asks(&host, ASKS);
    let flags = ["template", "shop", "asks", "--dry-run=server"];
    let ours = host.run(&flags);
    for line in [
        "colour: red",
        "kind: map",
        "list: ConfigMapList",
        "missing: {}",
        "unknown: {}",
        "port: int64",
        "apps: true",
        "old: false",
        "namespace: default",
    ] {
        assert!(ours.fine().out.contains(&format!("\n    {line}\n")), "no `{line}` in {ours:#?}");
    }
    // without a target nothing is found, and nothing is asked
    let alone = host.run(&["template", "shop", "asks", "--kubeconfig", "nowhere"]);
    assert!(alone.fine().out.contains("colour: none"), "{alone:#?}");
    // a group that is not there is an error, as is a right that is lacking
    asks(&host, "{{ lookup \"gadgets.example/v1\" \"Gadget\" \"default\" \"one\" }}");
    let unknown = host.run(&flags);
    let why = "error calling lookup: unable to get apiresource from unstructured: \
               gadgets.example/v1, Kind=Gadget: the server could not find the requested resource";
    unknown.fails(1, &["wharf::render::template", why]);
    host.run(&["template", "shop", "asks", "--validate"]).fails(1, &[why]);
    if has("helm") {
        let helm = |args: &[&str]| {
            let mut command = Command::new("helm");
            command.args(args).current_dir(host.path(".")).env("HOME", host.path("."));
            super::run({
                command.env("KUBECONFIG", host.path("kubeconfig"));
                command
            })
        };
        helm(&flags).fails(1, &[why]);
        asks(&host, ASKS);
        assert_eq!(helm(&flags).fine().out, ours.out);
    }
}

#[test]
fn apply_and_diff_look_up_what_is_there() {
    let host = Host::start();
    host.write("settings.yaml", SETTINGS);
    host.run(&["apply", "settings.yaml"]).fine();
    asks(&host, ASKS);
    host.run(&["apply", "asks", "--name", "shop"]).fine();
    let answers = host.run(&["get", "manifest", "shop"]);
    assert!(answers.fine().out.contains("colour: red"), "{answers:#?}");
    host.write("settings.yaml", &SETTINGS.replace("red", "blue"));
    host.run(&["apply", "settings.yaml"]).fine();
    let diff = host.run(&["diff", "asks", "--name", "shop"]);
    diff.fails(1, &["1 to update"]);
    assert!(diff.out.contains("-    colour: red\n+    colour: blue\n"), "{diff:#?}");
}

#[test]
fn a_dry_run_on_the_server_judges_what_comes_out() {
    let host = Host::start();
    host.write("odd/Chart.yaml", "apiVersion: v2\nname: odd\nversion: 1.0.0\n");
    host.write(
        "odd/templates/a.yaml",
        "apiVersion: a.example/v1\nkind: Odd\nmetadata: {name: a}\n",
    );
    let flags = ["template", "odd", "--dry-run=server"];
    host.run(&flags).fails(4, &["wharf::cluster::unknown_kind", "no kind `Odd` in `a.example/v1`"]);
    host.write("odd/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    host.run(&flags).fine();
    host.run(&["apply", "odd", "--name", "other"]).fine();
    host.run(&flags).fails(3, &["wharf::plan::not_owned", "ConfigMap default/a"]);
    host.run(&["template", "odd", "--dry-run=server", "--take-ownership"]).fine();
}
