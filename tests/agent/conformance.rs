//! What Kubernetes' own end-to-end tests assert of a node, as scenarios for kubectl.
//!
//! `tests/conformance/node.txt` names the scenarios that pass; one that falls back fails here. The
//! scenarios are not part of this repository: `WHARF_SHARED` names the folder with them.

use super::support::Host;
use crate::prerequisites;
use std::path::PathBuf;
use std::process::Command;

/// What making the images of the scenarios takes.
const TOOLS: [&str; 4] = ["python3", "busybox", "umoci", "skopeo"];

/// kubectl checks a List only by `OpenAPI` v2, which the agent does not serve.
const KUBECTL: &str = r#"#!/bin/sh
case " $* " in *" apply -f - "*) exec kubectl "$@" --validate=false;; esac
exec kubectl "$@"
"#;

/// A scenario runs a program that Debian's static busybox does not have.
const PRINTENV: &str = r#"[ -e "$1/bin/printenv" ] || {
    printf '%s\n' '#!/bin/sh' 'eval "echo \"\$$1\""' > "$1/bin/printenv"
    chmod 755 "$1/bin/printenv"
}
"#;

#[test]
fn the_node_does_what_kubernetes_tests_of_nodes() {
    let Some(shared) = prerequisites::folder("WHARF_SHARED") else { return };
    if !TOOLS.iter().all(|tool| prerequisites::has(tool)) {
        return;
    }
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/node.txt");
    let list = std::fs::read_to_string(list).expect("the list is there");
    let listed: Vec<&str> = list.lines().filter(|line| !line.is_empty()).collect();
    let Some(host) = Host::start() else { return };
    let folder = shared.join("conformance/node");
    let script = folder.join("images/make-images");
    let text = std::fs::read_to_string(&script).expect("the suite has it");
    let (before, after) = text.split_once("    echo 'hosts: files dns'").expect("its root folder");
    let made = Command::new("bash")
        .args(["-c", &format!("{before}{PRINTENV}    echo 'hosts: files dns'{after}")])
        .arg(script)
        .arg(host.registry())
        .output()
        .expect("bash runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let place = tempfile::tempdir().expect("a folder");
    let kubectl = place.path().join("kubectl");
    std::fs::write(&kubectl, KUBECTL).expect("a script");
    std::fs::set_permissions(&kubectl, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a program");
    let output = Command::new("python3")
        .arg(folder.join("run.py"))
        .arg("--kubectl")
        .arg(&kubectl)
        .arg("--kubeconfig")
        .arg(host.kubeconfig())
        .args(["--registry", host.registry(), "--jobs", "6"])
        .args(["--only", &format!("^({})$", listed.join("|"))])
        .arg(folder.join("cases"))
        .output()
        .expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let summary = format!("{} passed, 0 failed", listed.len());
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.lines().last(), Some(summary.as_str()), "{text}{trouble}");
}
