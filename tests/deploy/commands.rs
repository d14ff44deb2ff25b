//! A release's life, command by command: what each prints and how it exits.

use super::{Host, PAIR};
use serde_json::json;

const RED: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {colour: red}\n";

#[test]
fn a_release_is_made_changed_put_back_and_removed() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["list"]).says(
        0,
        "NAME   NAMESPACE   REVISION   UPDATED   STATUS   CHART   APP VERSION\n",
        "",
    );
    host.run(&["apply", "shop.yaml"]).says(
        0,
        "",
        "create    Secret default/login\n\
         create    ConfigMap default/settings\n\
         release shop revision 1: 2 created\n",
    );
    host.run(&["apply", "shop.yaml"]).says(0, "", "release shop revision 1: nothing changed\n");
    host.write("shop.yaml", &PAIR.replace("red", "blue"));
    host.run(&["apply", "shop.yaml", "--description", "blue it is"]).says(
        0,
        "",
        "update    ConfigMap default/settings\n\
         release shop revision 2: 1 updated, 1 unchanged\n",
    );
    host.run(&["list"]).says(
        0,
        "NAME   NAMESPACE   REVISION   UPDATED                   STATUS     CHART        APP VERSION\n\
         shop   default     2          TIME   deployed   shop-0.0.0\n",
        "",
    );
    host.run(&["history", "shop"]).says(
        0,
        "REVISION   UPDATED                   STATUS       CHART        APP VERSION   DESCRIPTION\n\
         1          TIME   superseded   shop-0.0.0                 Install complete\n\
         2          TIME   deployed     shop-0.0.0                 blue it is\n",
        "",
    );
    host.run(&["status", "shop"]).says(
        0,
        "name:        shop\n\
         namespace:   default\n\
         revision:    2\n\
         status:      deployed\n\
         updated:     TIME\n\
         package:     shop-0.0.0\n\
         description: blue it is\n\
         \n\
         OBJECT                       STATE   MESSAGE\n\
         ConfigMap default/settings   ready\n\
         Secret default/login         ready\n",
        "",
    );
    host.run(&["rollback", "shop"]).says(
        0,
        "",
        "update    ConfigMap default/settings\n\
         release shop revision 3: 1 updated, 1 unchanged\n",
    );
    assert_eq!(host.statuses("shop"), ["superseded", "superseded", "deployed"]);
    host.run(&["uninstall", "shop", "--dry-run"]).says(
        0,
        "",
        "delete    ConfigMap default/settings\n\
         delete    Secret default/login\n\
         release shop: 2 to delete\n",
    );
    host.run(&["uninstall", "shop"]).says(
        0,
        "",
        "delete    ConfigMap default/settings\n\
         delete    Secret default/login\n\
         release shop is removed: 2 deleted\n",
    );
    host.run(&["uninstall", "shop", "--ignore-not-found"]).says(
        0,
        "",
        "there is no release `shop` in namespace `default`\n",
    );
}

#[test]
fn results_come_as_json_too() {
    let host = Host::start();
    host.write("c.yaml", RED);
    let applied = host.run(&["apply", "c.yaml", "-o", "json"]);
    assert_eq!(
        applied.fine().json(),
        json!({
            "target": "wharf", "release": "c", "namespace": "default", "status": "deployed",
            "revision": 1, "changed": true,
            "summary": {"create": 1, "update": 0, "recreate": 0, "delete": 0, "keep": 0,
                "unchanged": 0},
            "objects": [{"change": "create", "apiVersion": "v1", "kind": "ConfigMap",
                "namespace": "default", "name": "c"}],
        })
    );
    let listed = host.run(&["list", "-o", "json"]).fine().json();
    assert_eq!(listed[0]["name"], "c");
    let status = host.run(&["status", "c", "-o", "json"]).fine().json();
    assert_eq!(status["objects"][0]["state"], "ready");
    let failed = host.run(&["apply", "c.yaml", "--name", "other", "-o", "json"]);
    failed.fails(3, &["wharf::plan::not_owned"]);
    assert_eq!(failed.json()["errors"][0]["code"], "wharf::plan::not_owned");
    let targets = host.run(&["target", "list", "-o", "json"]).fine().json();
    assert_eq!((&targets[0]["name"], &targets[0]["current"]), (&json!("wharf"), &json!(true)));
}

#[test]
fn values_are_used_again_when_asked_for_and_revisions_are_counted_without_a_name() {
    let host = Host::start();
    host.write(
        "shop/Package.yaml",
        "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.0.0\n",
    );
    host.write("shop/values.yaml", "colour: red\nsize: 1\n");
    host.write(
        "shop/templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  \
         all: \"{{ values.colour }} {{ values.size | default('no size') }} {{ release.revision }} {{ release.isUpgrade }}\"\n",
    );
    let applied = |flags: &[&str], values: &str, all: &str| {
        host.run(&[&["apply", "shop"], flags].concat()).fine();
        host.run(&["get", "values", "shop"]).says(0, values, "");
        let manifest = &host.run(&["get", "manifest", "shop"]).out;
        assert!(manifest.contains(&format!("all: {all}\n")), "{flags:?}: {manifest}");
    };
    applied(&["--set", "colour=green", "--reuse-values"], "colour: green\n", "green 1 1 false");
    applied(&["--set", "size=2", "--reuse-values"], "colour: green\nsize: 2\n", "green 2 2 true");
    // what a new version of the package has as defaults counts, under the values that are kept
    host.write("shop/values.yaml", "colour: blue\nsize: 9\n");
    applied(
        &["--reuse-values", "--set", "size=null"],
        "colour: green\nsize: null\n",
        "green no size 3 true",
    );
    applied(&["--set", "size=4"], "size: 4\n", "blue 4 4 true");
    host.run(&["apply", "shop", "--reuse-values", "--reset-values"]).fails(2, &["cannot be used"]);
}

#[test]
fn parts_of_a_record_are_printed_and_secrets_only_when_asked_for() {
    let host = Host::start();
    host.write(
        "shop/Package.yaml",
        "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.2.0\nappVersion: '7'\n",
    );
    host.write("shop/values.yaml", "colour: red\nsize: 3\n");
    host.write(
        "shop/templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {colour: \"{{ values.colour }}\"}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n",
    );
    host.write(
        "shop/templates/NOTES.md",
        "It is {{ values.colour }} in {{ release.namespace }}.\n",
    );
    let applied = host.run(&["apply", "shop", "--set", "colour=green"]);
    assert_eq!(applied.fine().out, "It is green in default.\n");
    host.run(&["get", "notes", "shop"]).says(0, "It is green in default.\n", "");
    host.run(&["get", "values", "shop"]).says(0, "colour: green\n", "");
    host.run(&["get", "values", "shop", "--all", "-o", "json"]).fine();
    assert_eq!(
        host.run(&["get", "values", "shop", "--all", "-o", "json"]).json(),
        json!({"colour": "green", "size": 3})
    );
    let manifest = "---\n\
        # Source: shop/templates/all.yaml\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  colour: green\n---\n\
        # Source: shop/templates/all.yaml\n\
        apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  password: hunter2\n";
    host.run(&["get", "manifest", "shop", "--show-secrets"]).says(0, manifest, "");
    let masked = manifest.replace("hunter2", "'***'");
    host.run(&["get", "manifest", "shop"]).says(0, &masked, "");
    let all =
        format!("VALUES:\ncolour: green\nMANIFEST:\n{masked}NOTES:\nIt is green in default.\n");
    host.run(&["get", "all", "shop"]).says(0, &all, "");
    let listed = host.run(&["list", "-o", "json"]).json();
    assert_eq!(
        (&listed[0]["chart"], &listed[0]["app_version"]),
        (&json!("shop-1.2.0"), &json!("7"))
    );
    host.run(&["get", "values", "shop", "--revision", "9"])
        .fails(1, &["wharf::release::no_revision", "release `shop` has no revision 9"]);
}

#[test]
fn folders_files_archives_and_standard_input_are_sources() {
    let host = Host::start();
    host.write("folder/one.yaml", RED);
    host.write("folder/two.yaml", &RED.replace("name: c", "name: d"));
    let applied = host.run(&["apply", "folder"]);
    applied.says(
        0,
        "",
        "create    ConfigMap default/c\ncreate    ConfigMap default/d\n\
         release folder revision 1: 2 created\n",
    );
    // the second file is gone, and with it its object
    std::fs::remove_file(host.path("folder/two.yaml")).expect("it is there");
    host.run(&["apply", "folder"]).says(
        0,
        "",
        "delete    ConfigMap default/d\nrelease folder revision 2: 1 deleted, 1 unchanged\n",
    );
    host.run(&["apply", "folder", "--no-prune"]).fine();
    host.pipe(&["apply", "-", "--name", "piped"], &RED.replace("name: c", "name: e")).says(
        0,
        "",
        "create    ConfigMap default/e\nrelease piped revision 1: 1 created\n",
    );
    host.pipe(&["apply", "-"], RED).says(
        2,
        "",
        "error: `-` gives the release no name; name it with `--name NAME`\n",
    );
    host.write(
        "shop/Package.yaml",
        "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.2.0\n",
    );
    host.write("shop/templates/c.yaml", &RED.replace("name: c", "name: \"{{ release.name }}\""));
    host.run(&["package", "shop"]).fine();
    host.run(&["apply", "shop-1.2.0.tgz"]).says(
        0,
        "",
        "create    ConfigMap default/shop\nrelease shop revision 1: 1 created\n",
    );
}

#[test]
fn a_package_is_applied_from_a_registry() {
    let host = Host::start();
    let registry = ["registry", "serve", "--addr", "127.0.0.1:0", "--root", "registry"];
    let (_registry, address) = super::scale::serving(host.command(&registry));
    host.write(
        "shop/Package.yaml",
        "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.2.0\n",
    );
    host.write("shop/templates/c.yaml", RED);
    host.run(&["push", "shop", &format!("oci://{address}/packages")]).fine();
    let source = format!("oci://{address}/packages/shop:1.2.0");
    for command in ["render", "validate", "pull"] {
        host.run(&[command, &source]).fine();
    }
    assert_eq!(host.run(&["diff", &source]).code, Some(1));
    let applied = host.run(&["apply", &source]);
    assert!(applied.fine().err.ends_with("release shop revision 1: 1 created\n"), "{applied:?}");
    host.run(&["diff", &source, "-q"]).says(0, "", "");
}

#[test]
fn several_targets_are_worked_on_one_after_the_other() {
    let (one, two) = (Host::start(), Host::start());
    let text =
        |host: &Host| std::fs::read_to_string(host.path("kubeconfig")).expect("a kubeconfig");
    one.write("other", &text(&two).replace("wharf", "second"));
    let both = format!("{}:{}", one.path("kubeconfig").display(), one.path("other").display());
    let run = |args: &[&str]| {
        let mut command = one.command(args);
        command.env("KUBECONFIG", &both);
        super::run(command)
    };
    one.write("c.yaml", RED);
    run(&["apply", "c.yaml", "--target", "wharf", "--target", "second"]).says(
        0,
        "",
        "target wharf:\ncreate    ConfigMap default/c\nrelease c revision 1: 1 created\n\
         target second:\ncreate    ConfigMap default/c\nrelease c revision 1: 1 created\n",
    );
    let listed = run(&["list", "--target", "wharf,second"]);
    assert!(listed.out.starts_with("TARGET   NAME"), "{listed:?}");
    assert_eq!(listed.out.lines().count(), 3);
    two.run(&["uninstall", "c"]).fine();
    let diff = run(&["diff", "c.yaml", "--target", "wharf", "--target", "second"]);
    assert_eq!(diff.code, Some(1), "{diff:?}");
    run(&["apply", "c.yaml", "--target", "nope,second"])
        .fails(4, &["there is no target `nope`", "it failed; left out: second"]);
    run(&["history", "c", "--target", "wharf,second"]).says(
        2,
        "",
        "error: this command works on one target, not on 2: wharf, second\n",
    );
}

#[test]
fn only_so_many_revisions_are_kept() {
    let host = Host::start();
    for n in 1..=5 {
        host.write("c.yaml", &RED.replace("red", &format!("n{n}")));
        host.run(&["apply", "c.yaml", "--history-max", "3"]).fine();
    }
    let history = host.run(&["history", "c", "-o", "json"]).json();
    let revisions: Vec<_> =
        history.as_array().expect("a list").iter().map(|r| &r["revision"]).collect();
    assert_eq!(revisions, [3, 4, 5]);
    host.run(&["uninstall", "c", "--keep-history"]).fine();
    assert_eq!(host.statuses("c"), ["superseded", "superseded", "uninstalled"]);
    host.run(&["apply", "c.yaml"]).fine();
    assert_eq!(host.statuses("c").last().map(String::as_str), Some("deployed"));
}

#[test]
fn the_namespace_of_a_release_is_made_when_asked_for_and_stays() {
    let host = Host::start();
    host.write("c.yaml", RED);
    host.run(&["apply", "c.yaml", "-n", "shop"]).fails(
        1,
        &["wharf::deploy::no_namespace", "namespace `shop` does not exist", "--create-namespace"],
    );
    let diff = host.run(&["diff", "c.yaml", "-n", "shop"]);
    assert!(diff.out.contains("+kind: Namespace"), "{diff:?}");
    diff.fails(1, &["namespace `shop` does not exist; `wharf apply` makes it with"]);
    host.run(&["apply", "c.yaml", "-n", "shop", "--create-namespace"]).says(
        0,
        "",
        "create    Namespace shop\ncreate    ConfigMap shop/c\n\
         ready     Namespace shop: active\nrelease c revision 1: 2 created\n",
    );
    host.run(&["uninstall", "c", "-n", "shop"]).fine();
    host.until(&["apply", "c.yaml", "-n", "shop", "-o", "json"], "\"deployed\"");
    assert_eq!(host.run(&["list", "-A", "-o", "json"]).json()[0]["namespace"], "shop");
}
