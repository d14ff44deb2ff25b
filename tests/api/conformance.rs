//! What a genuine Kubernetes API server answers: its recorded scenarios run against an agent.
//!
//! `tests/conformance/{api,cli}.txt` name the scenarios that pass; one that falls back fails here.
//! Text after a name says why the recording holds only when the clock plays along; such a scenario
//! is tried again.
//! The recordings are not part of this repository: `WHARF_SHARED` names the folder with them.

use crate::prerequisites::{folder, has};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// So often a scenario that hangs on the clock is run.
const TRIES: usize = 8;

/// Runs the listed scenarios of a suite and gives what is said of those that failed.
fn failures(suite: &str, listed: &BTreeMap<&str, &str>) -> Vec<String> {
    let Some(shared) = folder("WHARF_SHARED") else { return Vec::new() };
    if !has("python3") || !has("kubectl") {
        return Vec::new();
    }
    let folder = shared.join("conformance").join(suite);
    let agent = super::Agent::start();
    let mut failed = run(suite, &folder, &agent, listed.keys().copied());
    let hangs_on_the_clock =
        |line: &str| listed.iter().any(|(name, why)| !why.is_empty() && line.ends_with(name));
    for _ in 1..TRIES {
        let (again, lasting): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|line| hangs_on_the_clock(line));
        failed = lasting;
        let names = again.iter().filter_map(|line| line.split_whitespace().last());
        if !again.is_empty() {
            failed.extend(run(suite, &folder, &agent, names));
        }
    }
    failed
}

/// Runs scenarios and gives the lines of those that failed.
fn run<'a>(
    suite: &str,
    folder: &Path,
    agent: &super::Agent,
    names: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let only: Vec<String> = names.map(escape).collect();
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
    let entries = text.lines().filter(|line| !line.is_empty());
    let listed: BTreeMap<&str, &str> =
        entries.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
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
