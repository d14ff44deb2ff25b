//! What stands against an apply: found beforehand, said in full, and nothing is changed.

use super::{Host, PAIR};

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {colour: red}\n";

/// Applies a source to a fresh agent and checks code and texts.
#[track_caller]
fn refused(source: &str, args: &[&str], code: i32, texts: &[&str]) {
    let host = Host::start();
    host.write("src.yaml", source);
    let mut all = vec!["apply", "src.yaml"];
    all.extend(args);
    host.run(&all).fails(code, texts);
    assert_eq!(host.run(&["list", "-A", "-o", "json"]).json(), serde_json::json!([]));
}

#[test]
fn faults_of_the_source_are_found_by_a_dry_run() {
    refused(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatta: {a: b}\n",
        &[],
        1,
        &["wharf::plan::rejected", "ConfigMap default/c (from src.yaml)", "datta"],
    );
    refused(
        "apiVersion: acme.io/v1\nkind: Gadget\nmetadata: {name: g}\n",
        &[],
        4,
        &["wharf::cluster::unknown_kind", "Gadget", "acme.io/v1"],
    );
    refused(
        &format!("{CONFIG}---\n{}", CONFIG.replace("name: c", "name: c, namespace: default")),
        &[],
        1,
        &["wharf::plan::duplicate", "ConfigMap default/c is there twice"],
    );
    refused(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: C_1}\n---\napiVersion: v1\nkind: \
         ConfigMap\nmetadata: {name: D_1}\n",
        &[],
        1,
        &["wharf::plan::refused", "2 objects cannot be applied; nothing was changed", "D_1"],
    );
    refused(CONFIG, &["--name", "No"], 1, &["wharf::release::bad_name", "`No` cannot be the name"]);
}

#[test]
fn what_does_not_fit_a_record_is_refused_before_anything_is_made() {
    // text that does not pack: a counter run through a multiplicative hash
    let noise: String = (0_u64..60_000)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7))
        .flat_map(|n| n.to_string().into_bytes())
        .map(char::from)
        .collect();
    let half = noise.len() / 2;
    let source = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: '{}'}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b}}\ndata: {{x: '{}'}}\n",
        &noise[..half],
        &noise[half..]
    );
    let more = source.replace("name: a", "name: e").replace("name: b", "name: f");
    refused(&format!("{source}---\n{more}"), &[], 1, &["wharf::release::too_large"]);
}

#[test]
fn objects_of_others_are_not_touched_unless_asked_for() {
    let host = Host::start();
    host.write("c.yaml", CONFIG);
    host.run(&["apply", "c.yaml", "--name", "one"]).fine();
    host.run(&["apply", "c.yaml", "--name", "two"]).fails(
        3,
        &[
            "wharf::plan::not_owned",
            "ConfigMap default/c is there already and belongs to release `one` in namespace",
            "--take-ownership",
        ],
    );
    host.run(&["apply", "c.yaml", "--name", "two", "--take-ownership"]).fine();
    // it is no longer the first one's to delete
    host.run(&["uninstall", "one"]).says(0, "", "release one is removed: 0 deleted\n");
    host.run(&["diff", "c.yaml", "--name", "two", "-q"]).says(0, "", "");
}

#[test]
fn fields_of_others_are_named_and_taken_only_when_asked_for() {
    if !super::has("kubectl") {
        return;
    }
    let host = Host::start();
    host.write("c.yaml", CONFIG);
    host.run(&["apply", "c.yaml"]).fine();
    host.kubectl(&[
        "patch",
        "configmap",
        "c",
        "--type=merge",
        "-p",
        r#"{"data":{"colour":"pink"}}"#,
    ])
    .fine();
    let text = "wharf::plan::conflict\n\n  × ConfigMap default/c: a field belongs to another \
                manager\n  │   .data.colour is owned by kubectl-patch\n  help: leave these fields \
                out of the package, or take them over with `--force-conflicts`\n";
    host.run(&["apply", "c.yaml"]).says(3, "", text);
    host.run(&["diff", "c.yaml"]).says(2, "", text);
    host.run(&["apply", "c.yaml", "--force-conflicts"]).fine();
    host.run(&["diff", "c.yaml", "-q"]).says(0, "", "");
    host.kubectl(&["create", "-f", "c.yaml", "--namespace", "default"])
        .fails(1, &["AlreadyExists"]);
}

#[test]
fn what_cannot_be_changed_is_made_anew_only_when_asked_for() {
    let host = Host::start();
    host.write("c.yaml", &format!("{CONFIG}immutable: true\n"));
    host.run(&["apply", "c.yaml"]).fine();
    host.write("c.yaml", &format!("{CONFIG}immutable: true\n").replace("red", "blue"));
    host.run(&["apply", "c.yaml"]).fails(
        3,
        &["wharf::plan::immutable", "ConfigMap default/c cannot be changed in place", "immutable"],
    );
    host.run(&["apply", "c.yaml", "--force-recreate"]).says(
        0,
        "",
        "recreate  ConfigMap default/c\nrelease c revision 2: 1 made anew\n",
    );
}

#[test]
fn releases_and_targets_that_are_not_there_are_named() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    for command in [
        vec!["status", "shp"],
        vec!["history", "shp"],
        vec!["get", "manifest", "shp"],
        vec!["rollback", "shp"],
        vec!["uninstall", "shp"],
    ] {
        host.run(&command).fails(
            1,
            &[
                "wharf::release::not_found",
                "there is no release `shp` in namespace `default`",
                "did you mean `shop`?",
            ],
        );
    }
    host.run(&["rollback", "shop"]).fails(
        1,
        &["wharf::deploy::no_earlier", "release `shop` has no earlier revision to go back to"],
    );
    host.run(&["rollback", "shop", "7"])
        .fails(1, &["wharf::release::no_revision", "no revision 7", "there are: 1"]);
    host.run(&["list", "--kubeconfig", "nothing"]).fails(4, &["wharf::cluster::kubeconfig"]);
    host.write("empty", "apiVersion: v1\nkind: Config\n");
    host.run(&["list", "--kubeconfig", "empty"]).fails(4, &["wharf::cluster::no_target"]);
    host.run(&["target", "use", "nope"])
        .fails(1, &["wharf::cluster::unknown_target", "there are: wharf"]);
    host.run(&["target", "use", "wharf"]).fine();
    host.run(&["target", "current"]).says(0, "wharf\n", "");
    let kubeconfig = std::fs::read_to_string(host.path("kubeconfig")).expect("a kubeconfig");
    drop(host);
    let host = Host::start();
    host.write("gone", &kubeconfig);
    host.run(&["list", "--kubeconfig", "gone"]).fails(
        4,
        &["wharf::cluster::unreachable", "is the agent running? `wharf agent run` starts it"],
    );
}
