//! An agent that was killed: what runs goes on, and afterwards all is as it was.

use super::support::{Host, http};
use serde_json::json;

#[test]
fn containers_outlive_the_agent_and_are_found_again() {
    let Some(mut host) = Host::start() else { return };
    let pod = |name: &str, args: &[&str], policy: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "restartPolicy": policy,
            "containers": [{"name": "main", "image": host.image("1"), "args": args}]}})
    };
    host.apply(&pod("stays", &["http"], "Always"));
    host.apply(&pod("ends", &["exit", "--code", "0", "--after", "4s"], "Never"));
    let before = host.ready("stays");
    host.ready("ends");
    let address = before["status"]["podIP"].as_str().expect("an address").to_owned();
    host.kill();
    assert!(http(&address, 8080, "/").is_ok(), "it stopped with the agent");
    // longer than one of them runs
    std::thread::sleep(std::time::Duration::from_secs(5));
    host.restart();
    host.until("the end that nobody saw is known", || {
        host.get("pod/ends")["status"]["phase"] == "Succeeded"
    });
    let after = host.ready("stays");
    assert_eq!(after["status"], before["status"]);
    assert!(http(&address, 8080, "/").is_ok());
    assert_eq!(host.kubectl(&["logs", "stays"]), "listening on port 8080\n");
    host.kubectl(&["delete", "pod", "stays", "ends"]);
    assert!(http(&address, 8080, "/").is_err(), "it runs on");
}

#[test]
fn an_agent_killed_at_any_moment_neither_doubles_nor_loses_a_pod() {
    let Some(mut host) = Host::start() else { return };
    for (round, wait) in [0, 15, 40, 80, 150].into_iter().enumerate() {
        let name = format!("p{round}");
        host.apply(&json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "p"}},
            "spec": {"containers": [{
                "name": "main", "image": host.image("1"), "args": ["http"]}]}}));
        std::thread::sleep(std::time::Duration::from_millis(wait));
        host.kill();
        host.restart();
    }
    for round in 0..5 {
        let pod = host.ready(&format!("p{round}"));
        let address = pod["status"]["podIP"].as_str().expect("an address");
        let body = http(address, 8080, "/").expect("an answer");
        assert_eq!(body, format!("hello from p{round}\n"));
    }
    host.kubectl(&["delete", "pods", "--all"]);
    assert!(host.pods("app=p").is_empty());
}

#[test]
fn what_an_interrupted_cleanup_left_is_taken_away_at_the_next_start() {
    let Some(mut host) = Host::start() else { return };
    host.kill();
    // what lies on the disk goes first, so an agent that was killed may leave what is in memory
    let pods = host.folder().join("run/pods");
    let volume = pods.join("d1b05cb2-5f0c-4a51-9a2f-6c4c1f7f0001/volumes/token");
    std::fs::create_dir_all(&volume).expect("a folder");
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&volume).status();
    assert!(mounted.expect("mount runs").success());
    std::fs::write(volume.join("token"), "secret").expect("a file");
    host.restart();
    let left = || std::fs::read_dir(&pods).map_or(0, Iterator::count);
    host.until("nothing is left", || left() == 0);
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains(volume.to_str().expect("a path of text")));
}
