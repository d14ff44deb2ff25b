//! `wharf agent reset`: nothing of an agent stays on its host, and what is stored only as asked.

use super::node::{Node, image};
use super::run;
use crate::prerequisites::{has, skip};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const BUSYBOX: &str = "/bin/busybox";

fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec:
  containers:
  - {{name: main, image: '{image}', args: ['exec /bin/busybox sleep 1000']}}
  - {{name: side, image: '{image}', args: ['exec /bin/busybox sleep 1000']}}
  volumes:
  - {{name: memory, emptyDir: {{medium: Memory}}}}
"
    )
}

/// What is left of the agent on the host, its state folder aside.
fn remains(node: &Node) -> Vec<String> {
    let folder = node.host.path("run").display().to_string();
    let mut found = Vec::new();
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    found.extend(mounts.lines().filter(|line| line.contains(&folder)).map(str::to_owned));
    for process in std::fs::read_dir("/proc").expect("processes").flatten() {
        let groups = std::fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        if groups.contains(&format!("/{}/", node.bridge())) {
            found.push(process.path().display().to_string());
        }
    }
    let places = ["/sys/class/net", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"];
    let places = places.map(|place| Path::new(place).join(node.bridge()));
    let run = node.host.path("run");
    let there = places.iter().chain([&run]).filter(|path| path.exists());
    found.extend(there.map(|path| path.display().to_string()));
    let tables = Command::new("nft").args(["list", "tables"]).output().expect("nft runs");
    let tables = String::from_utf8_lossy(&tables.stdout).into_owned();
    let is_ours = |line: &&str| line.split_whitespace().last() == Some(node.bridge());
    found.extend(tables.lines().filter(is_ours).map(str::to_owned));
    found
}

#[test]
fn an_agent_is_taken_off_its_host() {
    if !Path::new(BUSYBOX).exists() {
        skip("/bin/busybox is not there");
        return;
    }
    if !has("nft") {
        return;
    }
    let Some(mut node) = Node::start() else { return };
    let (_registry, address) = node.registry();
    let program = std::fs::read(BUSYBOX).expect("busybox");
    image(&node.host.path("image"), "bin/busybox", &program, &[BUSYBOX, "sh", "-c"], "");
    node.host.run(&["push", "image", &format!("oci://{address}/demo:1")]).fine();
    node.host.write("web.yaml", &pod(&format!("{address}/demo:1")));
    node.host.run(&["apply", "web.yaml", "--timeout", "60s"]).fine();

    run(node.reset(&["--yes"]))
        .fails(4, &["wharf::agent::store_unusable", "if another agent runs"]);
    node.kill();
    run(node.reset(&[])).says(
        2,
        "",
        "error: nobody can be asked here whether to go on: say `--yes`\n",
    );
    let bridge = node.bridge().to_owned();
    let network = format!("removed   bridge {bridge}, its rules, control groups and mounts\n");
    let removed = format!("removed   pod default/web: main, side\n{network}");
    run(node.reset(&["--yes"])).says(0, "", &removed);
    assert_eq!(remains(&node), Vec::<String>::new());

    // the object is there, so its pod comes back with the agent
    node.restart();
    node.host.until(&["status", "web", "-o", "json"], "\"ready\"");
    node.kill();
    let state = node.host.path("state");
    let removed = format!("{removed}removed   data in {}\n", state.display());
    run(node.reset(&["--yes", "--data"])).says(0, "", &removed);
    assert_eq!(remains(&node), Vec::<String>::new());
    assert!(!state.exists(), "data is left");
    let nothing = format!("there is nothing of an agent on bridge {bridge}\n");
    run(node.reset(&["--yes"])).says(0, "", &nothing);
}

#[test]
fn on_a_terminal_it_is_asked_first() {
    if !has("script") {
        return;
    }
    let Some(mut node) = Node::start() else { return };
    node.kill();
    let command = node.reset(&[]);
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let answer = |text: &str| {
        let mut child = Command::new("script")
            .args(["-qec", &words.join(" "), "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let stdin = child.stdin.take().expect("it is piped");
        (&stdin).write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = answer("no\n");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Remove this and the pod network from this host? [y/N]"), "{said}");
    assert!(said.contains("nothing was removed"), "{said}");
    let (code, said) = answer("y\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("removed   bridge {}", node.bridge())), "{said}");
    assert_eq!(remains(&node), Vec::<String>::new());
}
