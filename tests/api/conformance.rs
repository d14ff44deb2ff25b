//! What a genuine Kubernetes API server answers: its recorded scenarios run against an agent.
//!
//! `tests/conformance/{api,cli}.txt` name the scenarios that pass; one that falls back fails here.
//! The recordings are not part of this repository: `WHARF_SHARED` names the folder with them.

use crate::prerequisites::{folder, has};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Runs the listed scenarios of a suite and gives what is said of those that failed.
fn failures(suite: &str, listed: &BTreeSet<&str>) -> Vec<String> {
    let Some(shared) = folder("WHARF_SHARED") else { return Vec::new() };
    if !has("python3") || !has("kubectl") {
        return Vec::new();
    }
    let folder = shared.join("conformance").join(suite);
    let agent = super::Agent::start();
    let only: Vec<String> = listed.iter().map(|name| escape(name)).collect();
    let mut command = Command::new("python3");
    command.arg(folder.join("run.py"));
    if suite == "api" {
        command.arg(folder.join("cases"));
    }
    let output = command
        .arg("--kubeconfig")
        .arg(agent.kubeconfig())
        .args(["--jobs", "4", "--only", &format!("^({})$", only.join("|"))])
        .output()
        .expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);

    assert!(text.contains(" passed, "), "the suite did not run: {text}{trouble}");
    text.lines().filter(|line| line.starts_with("FAIL")).map(str::to_owned).collect()
}

fn escape(name: &str) -> String {
    name.replace('.', "\\.")
}

fn check(suite: &str) {
    let list =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/conformance/{suite}.txt"));
    let text = std::fs::read_to_string(&list).expect("the list is there");
    let listed: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let failed = failures(suite, &listed);
    assert!(failed.is_empty(), "scenarios that passed before:\n{}", failed.join("\n"));
}

#[test]
fn the_api_answers_as_recorded() {
    check("api");
}

#[test]
fn kubectl_prints_as_recorded() {
    check("cli");
}
