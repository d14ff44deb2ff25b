//! Helm and wharf on the same releases.

use super::{Host, PAIR, Run, has, run};
use crate::prerequisites::folder;
use std::path::{Path, PathBuf};
use std::process::Command;
use wharf::cluster::ClusterError;
use wharf::yaml::Node;

/// A folder beside the project with records that Helm wrote, and charts.
fn fixtures() -> Option<PathBuf> {
    Some(folder("WHARF_SHARED")?.join("fixtures/helm-releases"))
}

fn helm(host: &Host, args: &[&str]) -> Run {
    let mut command = Command::new("helm");
    command
        .args(args)
        .current_dir(host.folder.path())
        .env("KUBECONFIG", host.path("kubeconfig"))
        .env("HOME", host.folder.path());
    run(command)
}

/// The JSON files of a folder, in order, that begin with a text.
fn documents(folder: &Path, prefix: &str) -> Vec<Node> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
    };
    paths.iter().map(read).collect()
}

/// Every history that Helm left is listed with its statuses, and its release can be removed.
#[tokio::test]
async fn histories_of_helm_are_read_and_removed() {
    let Some(root) = fixtures() else { return };
    let host = Host::start();
    let mut count = 0;
    for tool in ["helm3", "helm4", "mixed"] {
        for case in std::fs::read_dir(root.join(tool)).expect("a folder") {
            let case = case.expect("an entry");
            let name = case.file_name().to_string_lossy().into_owned();
            let records = documents(&case.path(), "sh.helm.");
            let Some(first) = records.first() else { continue };
            // ConfigMaps are where Helm keeps records only when it is told to, and then alone
            if first.str_at(&["kind"]) != Some("Secret") {
                continue;
            }
            let namespace = first.str_at(&["metadata", "namespace"]).unwrap_or_default().to_owned();
            let name = format!("{tool} {name} in {namespace}");
            let client = host.client(&namespace).await;
            let object = |text: &str| -> Node { serde_json::from_str(text).expect("JSON") };
            let home = format!(
                r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{namespace}"}}}}"#
            );
            // several cases have the same one
            let _ = client.create(&object(&home), "test").await;
            let mut statuses = Vec::new();
            for record in records {
                let status = record.str_at(&["metadata", "labels", "status"]);
                let version = record.str_at(&["metadata", "labels", "version"]);
                let version: u32 = version.unwrap_or_default().parse().expect("a number");
                statuses.push((version, status.unwrap_or_default().to_owned()));
                client.create(&record, "helm").await.expect("a record");
            }
            statuses.sort();
            let statuses: Vec<String> = statuses.into_iter().map(|(_, status)| status).collect();
            let history = host.run(&["history", "shop", "-n", &namespace, "-o", "json"]);
            let rows = history.fine().json();
            let seen: Vec<&str> = rows
                .as_array()
                .expect("a list")
                .iter()
                .map(|row| row["status"].as_str().unwrap_or_default())
                .collect();
            assert_eq!(seen, statuses, "{name}");
            host.run(&["get", "all", "shop", "-n", &namespace]).fine();
            let removed = host.run(&["uninstall", "shop", "-n", &namespace]);
            removed.fine();
            host.run(&["history", "shop", "-n", &namespace])
                .fails(1, &["wharf::release::not_found"]);
            count += 1;
        }
    }
    assert!(count > 40, "only {count} histories");
}

#[test]
fn helm_reads_and_goes_on_from_what_wharf_made() {
    if !has("helm") {
        return;
    }
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    host.write("shop.yaml", &PAIR.replace("red", "blue"));
    host.run(&["apply", "shop.yaml"]).fine();
    let listed = helm(&host, &["list", "-o", "json"]).fine().json();
    assert_eq!(listed[0]["name"], "shop");
    assert_eq!((&listed[0]["revision"], &listed[0]["status"]), (&"2".into(), &"deployed".into()));
    let status = helm(&host, &["status", "shop"]);
    assert!(status.fine().out.contains("STATUS: deployed\nREVISION: 2\n"), "{status:?}");
    let manifest = helm(&host, &["get", "manifest", "shop"]);
    assert!(manifest.fine().out.contains("colour: blue"), "{manifest:?}");
    helm(&host, &["get", "values", "shop"]).fine();
    helm(&host, &["rollback", "shop", "1"]).fine();
    assert_eq!(host.statuses("shop"), ["superseded", "superseded", "deployed"]);
    host.run(&["diff", "shop.yaml", "--format", "json"]).fails(1, &["1 to update, 1 unchanged"]);
    // and back again
    host.run(&["apply", "shop.yaml"]).fine();
    host.run(&["rollback", "shop", "3"]).fine();
    let history = helm(&host, &["history", "shop", "-o", "json"]).fine().json();
    let statuses: Vec<_> =
        history.as_array().expect("a list").iter().map(|row| &row["status"]).collect();
    assert_eq!(statuses, ["superseded", "superseded", "superseded", "superseded", "deployed"]);
    helm(&host, &["uninstall", "shop"]).fine();
    assert_eq!(host.run(&["list", "-o", "json"]).json(), serde_json::json!([]));
    host.run(&["apply", "shop.yaml"]).fine();
}

#[test]
fn wharf_goes_on_from_what_helm_made() {
    let Some(root) = fixtures() else { return };
    if !has("helm") {
        return;
    }
    let host = Host::start();
    let chart = root.join("charts/plain").display().to_string();
    helm(&host, &["install", "shop", &chart]).fine();
    let listed = host.run(&["list", "-o", "json"]).fine().json();
    assert_eq!((&listed[0]["name"], &listed[0]["status"]), (&"shop".into(), &"deployed".into()));
    host.run(&["status", "shop"]).fine();
    helm(&host, &["upgrade", "shop", &chart, "--set", "colour=blue"]).fine();
    host.run(&["rollback", "shop"]).fine();
    let statuses = host.statuses("shop");
    assert_eq!(statuses, ["superseded", "superseded", "deployed"]);
    helm(&host, &["upgrade", "shop", &chart]).fine();
    host.run(&["uninstall", "shop"]).fine();
    assert_eq!(helm(&host, &["list", "-o", "json"]).fine().json(), serde_json::json!([]));
    let hooks = root.join("charts/hooks").display().to_string();
    helm(&host, &["install", "shop", &hooks, "--no-hooks"]).fine();
    let farewell = "hook      ConfigMap default/shop-farewell (pre-delete)";
    host.run(&["uninstall", "shop"]).fails(0, &[farewell]);
}

#[tokio::test]
async fn records_can_be_read_by_anyone_with_the_format() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    let client = host.client("default").await;
    let id = wharf::object::ObjectId {
        gvk: wharf::object::Gvk::new("v1", "Secret"),
        namespace: "default".into(),
        name: "sh.helm.release.v1.shop.v1".into(),
    };
    let secret: Result<Option<Node>, ClusterError> = client.get(&id).await;
    let secret = secret.expect("an answer").expect("a record");
    assert_eq!(secret.str_at(&["type"]), Some("helm.sh/release.v1"));
    for (label, value) in
        [("owner", "helm"), ("name", "shop"), ("status", "deployed"), ("version", "1")]
    {
        assert_eq!(secret.str_at(&["metadata", "labels", label]), Some(value), "{label}");
    }
}
