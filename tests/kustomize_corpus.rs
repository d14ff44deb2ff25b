//! Kustomizations of public projects and kustomize's own scenarios: `wharf kustomize` must print
//! what kustomize 5.8.1 prints, or fail where it fails.

use crate::prerequisites;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Roots of projects that come out as they should.
const PROJECTS: usize = 775;

/// The same of kustomize's own scenarios. The other one names a schema that leads on into what
/// kustomize has built in, which stays apart here.
const SCENARIOS: usize = 179;

/// One root of a project.
#[derive(Deserialize)]
struct Case {
    root: String,
    args: Vec<String>,
    rc: i32,
    expected: Option<String>,
}

fn kustomize(folder: &Path, root: &str, args: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["kustomize", root])
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .expect("wharf runs")
}

/// Nothing when a run came out as it should, else what differs.
fn difference(output: &Output, expected: Option<&[u8]>) -> Option<String> {
    let said = || String::from_utf8_lossy(&output.stderr).lines().take(4).collect::<String>();
    match (output.status.success(), expected) {
        (false, None) => None,
        (true, None) => Some("should fail".to_owned()),
        (false, Some(_)) => Some(format!("fails: {}", said())),
        (true, Some(bytes)) => (output.stdout != bytes).then(|| "prints something else".to_owned()),
    }
}

/// All but those that came out as they should, which must be so many at least.
fn finish(what: &str, outcomes: Vec<(String, Option<String>)>, least: usize) {
    let count = outcomes.len();
    let mut text = String::new();
    let mut equal = 0;
    for (name, difference) in outcomes {
        match difference {
            None => equal += 1,
            Some(difference) => {
                let _ = writeln!(text, "{name}: {difference}");
            }
        }
    }
    eprintln!("{what}: {equal} of {count} as kustomize builds them");
    assert!(equal >= least, "{equal} of {count}, and there were {least}\n{text}");
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder of the corpus");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders
}

fn bytes(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("what kustomize printed");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes.as_slice());
    reader.read_to_end(&mut unpacked).expect("a packed file");
    unpacked
}

#[test]
fn projects_build_to_kustomizes_bytes() {
    let Some(corpus) = prerequisites::folder("WHARF_CORPUS") else { return };
    let mut roots = Vec::new();
    for project in folders(&corpus.join("kustomize")) {
        let cases = fs::read(project.join("cases.json")).expect("the roots of a project");
        let cases: Vec<Case> = serde_json::from_slice(&cases).expect("a list of roots");
        roots.extend(cases.into_iter().map(|root| (project.clone(), root)));
    }
    let outcomes = roots.par_iter().map(|(project, root)| {
        let output = kustomize(&project.join("tree"), &root.root, &root.args);
        let expected = root.expected.as_ref().filter(|_| root.rc == 0);
        let expected = expected.map(|path| bytes(&project.join(path)));
        let name = format!("{} {}", project.display(), root.root);
        (name, difference(&output, expected.as_deref()))
    });
    finish("projects", outcomes.collect(), PROJECTS);
}

#[test]
fn scenarios_build_to_kustomizes_bytes() {
    let Some(corpus) = prerequisites::folder("WHARF_CORPUS") else { return };
    let outcomes = folders(&corpus.join("krusty")).into_par_iter().map(|folder| {
        let meta = fs::read(folder.join("meta.json")).expect("what the scenario is");
        let meta: Value = serde_json::from_slice(&meta).expect("JSON");
        let option = |name: &str| meta["options"][name].as_str().unwrap_or_default();
        let mut args = Vec::new();
        match option("Reorder") {
            "unspecified" => {}
            "legacy" => args.push("--reorder=legacy".to_owned()),
            _ => args.push("--reorder=none".to_owned()),
        }
        if option("LoadRestrictions") == "LoadRestrictionsNone" {
            args.push("--load-restrictor=LoadRestrictionsNone".to_owned());
        }
        if meta["options"]["AddManagedbyLabel"] == true {
            args.push("--enable-managedby-label".to_owned());
        }
        let root = meta["dir"].as_str().expect("a folder");
        let output = kustomize(&folder.join("input"), root, &args);
        let expected = (meta["kind"] == "ok").then(|| bytes(&folder.join("expected.yaml")));
        (folder.display().to_string(), difference(&output, expected.as_deref()))
    });
    finish("scenarios", outcomes.collect(), SCENARIOS);
}

#[test]
fn a_kustomization_is_a_source_that_overlays_change() {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("base/kustomization.yaml", "configMapGenerator: [{name: conf, literals: [a=b]}]\n"),
        ("shop/kustomization.yaml", "namePrefix: shop-\nresources: [../base]\n"),
        (
            "shop/overlays/eu/overlay.yaml",
            "nameSuffix: -eu\nsecretGenerator: [{name: key, literals: [k=v]}]\n",
        ),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("its folder");
        fs::write(path, text).expect("a file");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["render", "shop", "--overlay", "eu"])
        .current_dir(folder.path())
        .output()
        .expect("wharf runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let names = text.lines().filter_map(|line| line.strip_prefix("  name: "));
    assert_eq!(names.collect::<Vec<_>>(), ["shop-conf-4h2mbtbbt6-eu", "key-eu-ftgtgc4t9f"]);
}
