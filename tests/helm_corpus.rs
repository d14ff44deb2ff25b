//! Charts of public projects: `wharf template` must print what Helm 4.3.1 prints, or fail for the
//! same cause. The runs and what Helm made of them are in the corpus, in `helm/cases.json`.

use crate::prerequisites;
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// One run of Helm.
#[derive(Deserialize)]
struct Run {
    case: String,
    variant: String,
    args: Vec<String>,
    exit: i32,
    /// False when two runs of Helm differ.
    deterministic: bool,
    /// The lines that differ, counted from 1.
    #[serde(default)]
    unstable_lines: HashSet<usize>,
}

/// How a run came out: nothing when it is as it should be, else what differs.
fn outcome(run: &Run, helm: &Path) -> Option<String> {
    let expected = helm.join("expected").join(&run.case).join(format!(
        "{}.{}",
        run.variant,
        if run.exit == 0 { "yaml" } else { "err" }
    ));
    let expected = fs::read(expected).expect("what Helm printed");
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["template", "release", &run.case])
        .args(&run.args)
        .current_dir(helm.join("charts"))
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .expect("wharf runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if run.exit != 0 {
        let cause = cause(&String::from_utf8_lossy(&expected));
        return match output.status.code() {
            Some(0) => Some(format!("should fail: {cause}")),
            _ if said.contains(&cause) => None,
            _ => Some(format!("another cause than `{cause}`: {said}")),
        };
    }
    if !output.status.success() {
        return Some(format!("fails: {said}"));
    }
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let (found, wanted) = (lines(&output.stdout), lines(&expected));
    let unstable = |line: usize| !run.deterministic && run.unstable_lines.contains(&(line + 1));
    let differs = |line: &usize| found.get(*line) != wanted.get(*line) && !unstable(*line);
    let line = (0..found.len().max(wanted.len())).find(differs)?;
    let shown = |lines: &[Vec<u8>]| {
        lines.get(line).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    Some(format!("line {}: `{}` instead of `{}`", line + 1, shown(&found), shown(&wanted)))
}

/// The end of what Helm says, which is the cause.
fn cause(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.rfind(|line| !line.starts_with("Use --debug")).unwrap_or_default();
    last.rsplit(": ").next().unwrap_or_default().chars().take(80).collect()
}

#[test]
fn charts_render_to_helms_bytes() {
    let Some(corpus) = prerequisites::folder("WHARF_CORPUS") else { return };
    let helm = corpus.join("helm");
    let runs = fs::read(helm.join("cases.json")).expect("the runs");
    let runs: Vec<Run> = serde_json::from_slice(&runs).expect("a list of runs");
    let failed: BTreeMap<String, String> = runs
        .par_iter()
        .filter_map(|run| {
            let why = outcome(run, &helm)?;
            Some((format!("{} {}", run.case, run.variant), why))
        })
        .collect();
    eprintln!("{} of {} runs are as Helm's", runs.len() - failed.len(), runs.len());
    for (name, why) in &failed {
        eprintln!("{name}: {}", why.trim());
    }
    assert!(failed.is_empty(), "{} runs differ from Helm's", failed.len());
}
