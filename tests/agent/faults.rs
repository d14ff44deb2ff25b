//! The agent is killed in the midst of an apply, of a pull, and with many pods.

use super::support::{Host, condition};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// So many objects are applied at once.
const OBJECTS: usize = 300;
/// So many pods run at once.
const PODS: usize = 50;

fn apply(host: &Host) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command
        .args(["apply", "objects.yaml", "--name", "bulk", "--kubeconfig"])
        .arg(host.kubeconfig())
        .current_dir(host.folder())
        .env("HOME", host.folder())
        .stdin(Stdio::null());
    command
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_apply_whose_agent_is_killed_fails_clearly_and_is_completed_by_the_next() {
    let Some(mut host) = Host::start() else { return };
    let text = (0..OBJECTS).fold(String::new(), |mut text, number| {
        let _ = writeln!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bulk-{number}}}\n\
             data: {{number: \"{number}\"}}"
        );
        text
    });
    std::fs::write(host.folder().join("objects.yaml"), text).expect("a file");
    let count = |host: &Host| {
        let out = host.kubectl(&["get", "configmaps", "-o", "json"]);
        let list: Value = serde_json::from_str(&out).expect("kubectl prints JSON");
        let all = list["items"].as_array().cloned().unwrap_or_default();
        let mut found = 0;
        for object in all {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if let Some(number) = name.strip_prefix("bulk-") {
                assert_eq!(object["data"]["number"], number, "{name} is whole");
                found += 1;
            }
        }
        found
    };
    let mut interrupted = 0;
    for wanted in [0, 40, 150] {
        let begun = apply(&host)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wharf starts");
        let begin = Instant::now();
        // as far as the API's own words say, since the tool's come later
        while count(&host) < wanted && begin.elapsed() < Duration::from_secs(20) {}
        host.kill();
        let killed = Instant::now();
        let output = begun.wait_with_output().expect("wharf ends");
        if !output.status.success() {
            interrupted += 1;
            let error = error(&output);
            assert!(error.contains("cannot reach https://127.0.0.1:"), "{error}");
            assert_eq!(output.status.code(), Some(4), "{error}");
            assert!(killed.elapsed() < Duration::from_secs(30), "it waits for each object");
        }
        host.restart();
        let kept = count(&host);
        assert!(kept >= wanted.min(OBJECTS), "{kept} of {wanted} that were confirmed are there");
        let output = apply(&host).output().expect("wharf runs");
        assert!(output.status.success(), "{}", error(&output));
        assert_eq!(count(&host), OBJECTS);
        let releases =
            host.kubectl(&["get", "secrets", "-l", "owner=helm,status=deployed", "-o", "name"]);
        assert_eq!(releases.lines().count(), 1, "{releases}");
        let gone = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(["uninstall", "bulk", "--kubeconfig"])
            .arg(host.kubeconfig())
            .env("HOME", host.folder())
            .output()
            .expect("wharf runs");
        assert!(gone.status.success(), "{}", error(&gone));
        assert_eq!(count(&host), 0);
    }
    assert!(interrupted > 0, "no kill was in the midst of an apply");
}

/// Stands before a registry and holds large answers back until it is let go.
struct Held {
    address: SocketAddr,
    open: Arc<AtomicBool>,
    /// Answers that are held.
    waiting: Arc<AtomicUsize>,
}

impl Held {
    fn before(registry: &str) -> Held {
        /// An answer is held when it is longer than a manifest.
        const PASSES: usize = 32 << 10;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let registry: SocketAddr = registry.parse().expect("an address");
        let (open, waiting) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let held = Held { address, open: Arc::clone(&open), waiting: Arc::clone(&waiting) };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(registry) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone())
                else {
                    continue;
                };
                std::thread::spawn(move || carry(client, to_server, |_| {}));
                let (open, waiting) = (Arc::clone(&open), Arc::clone(&waiting));
                std::thread::spawn(move || {
                    carry(server, to_client, |passed| {
                        if passed > PASSES && !open.load(Ordering::Relaxed) {
                            waiting.fetch_add(1, Ordering::Relaxed);
                            while !open.load(Ordering::Relaxed) {
                                std::thread::sleep(Duration::from_millis(5));
                            }
                        }
                    });
                });
            }
        });
        held
    }
}

/// Copies until either side is at its end; `pause` hears how much was copied.
fn carry(mut from: TcpStream, mut to: TcpStream, pause: impl Fn(usize)) {
    let mut buffer = [0; 8 << 10];
    let mut passed = 0;
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        passed += count;
        pause(passed);
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn a_pull_whose_agent_is_killed_begins_anew_and_leaves_no_rest() {
    let Some(mut host) = Host::start() else { return };
    let image = host.image("1");
    let (registry, name) = image.split_once('/').expect("a registry");
    let held = Held::before(registry);
    host.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "slow"},
        "spec": {"containers": [{
            "name": "main", "image": format!("{}/{name}", held.address), "args": ["http"]}]}}));
    host.until("the layer is on its way", || held.waiting.load(Ordering::Relaxed) > 0);
    let rest = host.folder().join("state/images/tmp");
    let count = || std::fs::read_dir(&rest).map_or(0, Iterator::count);
    host.until("it is being unpacked", || count() > 0);
    host.kill();
    assert!(count() > 0, "the pull was interrupted");
    held.open.store(true, Ordering::Relaxed);
    host.restart();
    let pod = host.ready("slow");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(host.processes().len(), 1, "{:?}", host.processes());
    assert_eq!(count(), 0, "the unfinished layer stays");
    host.kubectl(&["delete", "pod", "slow"]);
    assert!(host.processes().is_empty());
}

/// What must be the same after a restart, by pod.
fn identities(host: &Host) -> BTreeMap<String, Value> {
    host.pods("app=many")
        .into_iter()
        .map(|pod| {
            let container = &pod["status"]["containerStatuses"][0];
            let identity = json!([
                pod["metadata"]["uid"],
                pod["status"]["podIP"],
                container["containerID"],
                container["restartCount"],
                container["state"],
            ]);
            (pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(), identity)
        })
        .collect()
}

#[test]
fn fifty_pods_outlive_their_agent() {
    let Some(mut host) = Host::start() else { return };
    let begin = Instant::now();
    host.apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many"},
        "spec": {"replicas": PODS, "selector": {"matchLabels": {"app": "many"}},
            "template": {"metadata": {"labels": {"app": "many"}}, "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": host.image("1"), "args": ["http"],
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}]}}}}));
    host.until("all are available", || {
        let deployment = host.get("deployment/many");
        deployment["status"]["availableReplicas"] == PODS && condition(&deployment, "Available")
    });
    let ready = begin.elapsed();
    let (agent, shims) = (memory(&[host.agent()]), memory(&shims(&host)));
    eprintln!(
        "{PODS} pods: ready after {ready:.1?}; the agent holds {agent} KiB, the processes beside \
         containers {} KiB each",
        shims / PODS
    );
    let before = identities(&host);
    assert_eq!((before.len(), host.processes().len()), (PODS, PODS));
    host.kill();
    host.restart();
    // long enough to do something wrong
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(identities(&host), before);
    assert_eq!(host.processes().len(), PODS);
    host.kubectl(&["delete", "deployment", "many"]);
    host.until("all are gone", || host.pods("app=many").is_empty());
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

/// The processes beside this host's containers.
fn shims(host: &Host) -> Vec<u32> {
    let folder = host.folder().join("run/containers").display().to_string();
    std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            command.is_ok_and(|text| text.contains("__shim") && text.contains(&folder))
        })
        .collect()
}

/// Memory of processes that nobody shares, in KiB.
fn memory(processes: &[u32]) -> usize {
    processes
        .iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .filter_map(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
        })
        .sum()
}
