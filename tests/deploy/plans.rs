//! Plans in files: what was shown is what is done, or nothing is.

use super::{Host, PAIR};

#[test]
fn a_plan_is_carried_out_as_it_was_made() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["plan", "shop.yaml", "--out", "shop.plan", "-n", "new", "--create-namespace"]).says(
        0,
        "",
        "3 to create; written to shop.plan\n",
    );
    // the source no longer counts
    std::fs::remove_file(host.path("shop.yaml")).expect("it is there");
    host.run(&["apply", "shop.plan"]).says(
        0,
        "",
        "create    Namespace new\ncreate    Secret new/login\ncreate    ConfigMap new/settings\n\
         ready     Namespace new: active\nrelease shop revision 1: 3 created\n",
    );
    host.run(&["apply", "shop.plan"]).fails(
        3,
        &[
            "wharf::deploy::drift",
            "release shop\n",
            "revision: 0 when planned, 1 now",
            "Secret new/login came into being",
            "nothing was changed; make the plan anew",
        ],
    );
}

#[cfg(unix)]
#[test]
fn a_plan_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["plan", "shop.yaml", "--out", "shop.plan"]).fine();
    let mode = std::fs::metadata(host.path("shop.plan")).expect("a plan").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_plan_is_refused_when_something_moved() {
    if !super::has("kubectl") {
        return;
    }
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    host.write("shop.yaml", &PAIR.replace("red", "blue").replace("hunter2", "swordfish"));
    host.run(&["plan", "shop.yaml", "--out", "shop.plan"]).fine();
    let patch = r#"{"data":{"colour":"pink"}}"#;
    host.kubectl(&["patch", "configmap", "settings", "--type=merge", "-p", patch]).fine();
    let patch = r#"{"stringData":{"password":"other"}}"#;
    host.kubectl(&["patch", "secret", "login", "--type=merge", "-p", patch]).fine();
    let refused = host.run(&["apply", "shop.plan"]);
    refused.fails(
        3,
        &[
            "ConfigMap default/settings\n",
            "data.colour: \"red\" when planned, \"pink\" now",
            "Secret default/login\n",
            "\"*** (before)\" when planned, \"*** (after)\" now",
        ],
    );
    assert!(!refused.err.contains("b3RoZXI="), "{refused:?}");
    assert_eq!(host.statuses("shop"), ["deployed"]);
    // a status that moved would be no reason
    host.run(&["plan", "shop.yaml", "--force-conflicts", "--out", "again.plan"]).fine();
    host.run(&["apply", "again.plan"]).fine();
    host.run(&["diff", "shop.yaml"]).says(0, "", "2 unchanged\n");
}

#[test]
fn a_plan_takes_no_flags_and_no_other_cluster() {
    let (host, other) = (Host::start(), Host::start());
    host.write("shop.yaml", PAIR);
    host.run(&["plan", "shop.yaml", "--out", "shop.plan"]).fine();
    for flags in [["--set", "a=1"], ["-n", "other"], ["--name", "other"]] {
        let mut args = vec!["apply", "shop.plan"];
        args.extend(flags);
        host.run(&args).fails(2, &["`shop.plan` is a plan and is carried out as it is"]);
    }
    let text = std::fs::read_to_string(host.path("shop.plan")).expect("a plan");
    other.write("shop.plan", &text);
    other.run(&["apply", "shop.plan"]).fails(
        1,
        &["wharf::deploy::other_cluster", "the plan was made for https://127.0.0.1:PORT"],
    );
    host.write(
        "shop.plan",
        &text.replace("\"actions\"", "\"acts\"").replace("\"manifest\"", "\"m\""),
    );
    host.run(&["apply", "shop.plan"]).fails(1, &["wharf::plan::bad_file", "`manifest` is missing"]);
    assert_eq!(host.run(&["list", "-o", "json"]).json(), serde_json::json!([]));
}
