//! The tour of `wharf quickstart`, as a user runs it: to its end, and interrupted.

use crate::prerequisites::root;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn quickstart(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.arg("quickstart").env("TMPDIR", temporary).env("HOME", temporary.join("home"));
    command.env_remove("KUBECONFIG").stdin(Stdio::null());
    command
}

/// What a tour could leave: processes of containers, mounts, network devices below its own folder.
fn leftovers(temporary: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(temporary).expect("the folder") {
        found.insert(entry.expect("an entry").path().display().to_string());
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let below = temporary.display().to_string();
    found.extend(mounts.lines().filter(|line| line.contains(&below)).map(str::to_owned));
    for process in std::fs::read_dir("/proc").expect("processes").flatten() {
        let line = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        if line.contains(&below) {
            found.insert(line.replace('\0', " "));
        }
    }
    found
}

fn text(output: &Output) -> String {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", read(&output.stdout), read(&output.stderr))
}

#[test]
fn the_tour_ends_well_and_leaves_nothing() {
    if !root() {
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let output = quickstart(temporary.path()).output().expect("it runs");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for step in [
        "$ wharf registry serve",
        "$ wharf agent run",
        "$ wharf push image oci://127.0.0.1:",
        "$ wharf validate shop",
        "$ wharf push shop oci://127.0.0.1:",
        "$ wharf plan oci://127.0.0.1:",
        "$ wharf apply shop.plan",
        "Welcome to the shop",
        "-  greeting: Welcome to the shop",
        "+  greeting: Bonjour",
        "Bonjour from ",
        "$ wharf rollback shop",
        "$ wharf uninstall shop",
        "Everything was stopped and removed.",
    ] {
        assert!(text.contains(step), "`{step}` is missing in:\n{text}");
    }
    assert_eq!(leftovers(temporary.path()), BTreeSet::new());
}

#[test]
fn an_interrupted_tour_leaves_nothing() {
    if !root() {
        return;
    }
    // one while it builds up, one when containers run
    for wait_for in ["$ wharf push image", "$ wharf status shop"] {
        let temporary = tempfile::tempdir().expect("a folder");
        let log = temporary.path().with_extension("log");
        let out = std::fs::File::create(&log).expect("a log");
        let mut child = quickstart(temporary.path())
            .stdout(out.try_clone().expect("a handle"))
            .stderr(out)
            .spawn()
            .expect("it runs");
        let deadline = Instant::now() + Duration::from_secs(90);
        let seen = || std::fs::read_to_string(&log).expect("the log");
        while !seen().contains(wait_for) {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < deadline, "{}", seen());
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it lives");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(130), "{}", seen());
        assert!(seen().contains("Interrupted. Everything was stopped and removed."), "{}", seen());
        assert_eq!(leftovers(temporary.path()), BTreeSet::new());
        std::fs::remove_file(&log).expect("the log");
    }
}
