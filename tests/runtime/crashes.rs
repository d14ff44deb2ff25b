//! The agent's process is killed in the midst of things; the next one finds the truth.
//!
//! The test runs itself again as the process to kill: [`victim`] does nothing unless a variable of
//! the environment asks for it.

use super::support::{Host, on_a_host, runtime_at};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wharf::agent::runtime::{ContainerSpec, ContainerState, Runtime, SandboxSpec};

/// Says what the victim is to do, as JSON.
const TASK: &str = "WHARF_TEST_VICTIM";
/// How long the victim lives in each round, in milliseconds: from before it has opened the runtime
/// to well into its third pod.
const LIVES: [u64; 14] = [5, 12, 18, 24, 30, 36, 42, 50, 58, 66, 75, 90, 120, 160];

#[derive(serde::Serialize, serde::Deserialize)]
struct Task {
    folder: std::path::PathBuf,
    number: u8,
    /// Pods to start, one after the other.
    start: Vec<(SandboxSpec, ContainerSpec)>,
    /// Sandboxes to remove after that.
    remove: Vec<String>,
}

#[test]
fn victim() {
    let Some(text) = std::env::var_os(TASK) else { return };
    let task: Task = serde_json::from_str(&text.to_string_lossy()).expect("a task");
    let threads = tokio::runtime::Runtime::new().expect("threads");
    threads.block_on(async {
        let runtime = runtime_at(&task.folder, task.number).await;
        for (sandbox, container) in &task.start {
            runtime.create_sandbox(sandbox).await.expect("a sandbox");
            runtime.start_container(container).await.expect("a container");
        }
        for id in &task.remove {
            runtime.remove_sandbox(id).await.expect("it goes");
        }
        std::future::pending::<()>().await;
    });
}

fn spawn(task: &Task) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["runtime::crashes::victim", "--exact", "--test-threads=1"])
        .current_dir("/")
        .env(TASK, serde_json::to_string(task).expect("JSON"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs")
}

/// What is found agrees with the processes that there are. One that was told to end just before
/// may still be on its way.
fn agrees(host: &Host, runtime: &Runtime, context: &str) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while let Some(found) = disagreement(host, runtime) {
        assert!(Instant::now() < deadline, "{context}: {found}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn disagreement(host: &Host, runtime: &Runtime) -> Option<String> {
    let listed: Vec<_> = runtime.list();
    for container in &listed {
        let id = &container.spec.id;
        let processes = host.processes(id);
        let agrees = match &container.state {
            ContainerState::Running { .. } => processes.len() == 1,
            ContainerState::Exited(_) => processes.is_empty(),
            ContainerState::Created => false,
        };
        if !agrees {
            return Some(format!("{id} is {:?}, and there is {processes:?}", container.state));
        }
    }
    let known: BTreeSet<&str> = listed.iter().map(|found| found.spec.id.as_str()).collect();
    for run in 0..8 {
        let id = format!("c-{run}");
        let processes = host.processes(&id);
        if !known.contains(id.as_str()) && !processes.is_empty() {
            return Some(format!("nobody knows {id}: {processes:?}"));
        }
    }
    let sandboxes: BTreeSet<String> =
        runtime.sandboxes().iter().map(|sandbox| sandbox.id().to_owned()).collect();
    let links = host.links();
    (links.len() != sandboxes.len()).then(|| format!("{links:?} for {sandboxes:?}"))
}

#[test]
fn a_kill_while_pods_start_leaves_no_half_pods_and_no_doubles() {
    on_a_host(|host| async move {
        let pods = |number: usize| {
            let id = format!("pod-{number}");
            (host.pod(&id), host.script(&id, &format!("c-{number}"), "exec sleep 600"))
        };
        for life in LIVES {
            let task = Task {
                folder: host.folder.clone(),
                number: host.number,
                start: (0..8).map(pods).collect(),
                remove: Vec::new(),
            };
            let mut victim = spawn(&task);
            tokio::time::sleep(Duration::from_millis(life)).await;
            victim.kill().expect("killed");
            victim.wait().expect("gone");
            let runtime = host.reopen().await;
            agrees(&host, &runtime, &format!("after {life} ms"));
            // whoever wanted the pods asks again, and gets each of them once
            for (sandbox, container) in (0..8).map(pods) {
                runtime.create_sandbox(&sandbox).await.expect("a sandbox");
                if runtime.status(&container.id).is_none() {
                    runtime.start_container(&container).await.expect("a container");
                }
            }
            agrees(&host, &runtime, &format!("complete after {life} ms"));
            assert_eq!(runtime.list().len(), 8);
            assert_eq!(host.links().len(), 8);
            runtime.shut_down().await.expect("all goes");
        }
    });
}

#[test]
fn a_kill_while_pods_go_lets_the_next_one_finish() {
    on_a_host(|host| async move {
        for life in [40_u64, 80, 120, 160, 200, 260, 320, 400] {
            let runtime = host.reopen().await;
            for number in 0..4 {
                let id = format!("pod-{number}");
                runtime.create_sandbox(&host.pod(&id)).await.expect("a sandbox");
                let spec = host.script(&id, &format!("c-{number}"), "exec sleep 600");
                runtime.start_container(&spec).await.expect("a container");
            }
            drop(runtime);
            let task = Task {
                folder: host.folder.clone(),
                number: host.number,
                start: Vec::new(),
                remove: (0..4).map(|number| format!("pod-{number}")).collect(),
            };
            let mut victim = spawn(&task);
            tokio::time::sleep(Duration::from_millis(life)).await;
            victim.kill().expect("killed");
            victim.wait().expect("gone");
            let runtime = host.reopen().await;
            agrees(&host, &runtime, &format!("after {life} ms"));
            runtime.shut_down().await.expect("all goes");
            assert!(host.links().is_empty());
        }
    });
}

#[test]
fn containers_go_on_without_an_agent_and_their_ends_are_found() {
    on_a_host(|host| async move {
        let pod = |id: &str, script: &str| (host.pod(id), host.script(id, id, script));
        let task = Task {
            folder: host.folder.clone(),
            number: host.number,
            start: vec![
                pod("stays", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"),
                pod("lost", "exec sleep 600"),
                pod("ends", "sleep 1; echo over; exit 9"),
            ],
            remove: Vec::new(),
        };
        let mut victim = spawn(&task);
        host.eventually("the pods run", || {
            ["stays", "ends", "lost"].iter().all(|id| !host.processes(id).is_empty())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        victim.kill().expect("killed");
        victim.wait().expect("gone");
        let before = host.output("stays").lines().count();
        host.eventually("it ends", || host.processes("ends").is_empty()).await;
        // and one whose shim is killed as well
        let shim = host.shim("lost");
        rustix::process::kill_process(shim, rustix::process::Signal::KILL).expect("killed");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(host.output("stays").lines().count() > before + 3, "it puts out more");
        let runtime = host.reopen().await;
        assert!(matches!(runtime.status("stays"), Some(ContainerState::Running { .. })));
        let Some(ContainerState::Exited(status)) = runtime.status("ends") else {
            panic!("{:?}", runtime.status("ends"))
        };
        assert_eq!((status.code, status.unknown), (9, false));
        assert_eq!(host.output("ends"), "over\n");
        let Some(ContainerState::Exited(status)) = runtime.status("lost") else {
            panic!("{:?}", runtime.status("lost"))
        };
        assert_eq!((status.code, status.unknown), (137, true));
        assert!(host.processes("lost").is_empty(), "nobody would see it end");
        // the new agent sees the end of what the old one started
        let mut exits = runtime.exits();
        runtime.stop_container("stays", None, Duration::ZERO).await.expect("it stops");
        let exit = tokio::time::timeout(Duration::from_secs(5), exits.recv()).await;
        assert_eq!(exit.expect("in time").expect("an exit").container, "stays");
        runtime.shut_down().await.expect("all goes");
    });
}

#[test]
fn damaged_records_are_no_reason_not_to_begin() {
    on_a_host(|host| async move {
        let runtime = host.reopen().await;
        runtime.create_sandbox(&host.pod("pod")).await.expect("a sandbox");
        let spec = host.script("pod", "good", "exec sleep 600");
        runtime.start_container(&spec).await.expect("a container");
        drop(runtime);
        let write = |path: &str, text: &str| {
            let path = host.folder.join("run").join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("containers/half/container.json", "{\"spec\": {");
        write("containers/empty/nothing", "");
        write("sandboxes/half/sandbox.json", "{}");
        write("sandboxes/empty/nothing", "");
        let runtime = host.reopen().await;
        assert_eq!(runtime.list().len(), 1);
        assert_eq!(runtime.sandboxes().len(), 1);
        for name in ["containers/half", "containers/empty", "sandboxes/half", "sandboxes/empty"] {
            assert!(!host.folder.join("run").join(name).exists(), "{name} stays");
        }
        runtime.shut_down().await.expect("all goes");
    });
}
