//! What does not become ready, is interrupted, or dies: said, recorded, and mended by the next apply.

use super::{Host, PAIR, STUCK, finished};
use std::time::{Duration, Instant};

/// Ends a process as Ctrl-C does.
fn interrupt(child: &std::process::Child) {
    let pid = i32::try_from(child.id()).expect("a process id");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}

#[test]
fn what_is_not_ready_in_time_is_a_failure_with_its_cause() {
    let host = Host::start();
    host.write("stuck.yaml", STUCK);
    host.run(&["apply", "stuck.yaml", "--timeout", "1s"]).fails(
        1,
        &[
            "create    Pod default/stuck",
            "waiting   Pod default/stuck",
            "wharf::deploy::not_ready",
            "not ready after 1 s",
            "Pod default/stuck: in progress",
        ],
    );
    assert_eq!(host.statuses("stuck"), ["failed"]);
    let description =
        host.run(&["history", "stuck", "-o", "json"]).json()[0]["description"].clone();
    let description = description.as_str().expect("a text");
    assert!(description.starts_with("Release \"stuck\" failed: not ready after"), "{description}");
    host.write("stuck.yaml", &STUCK.replace("stuck", "other"));
    host.run(&["apply", "stuck.yaml", "--no-wait"]).says(
        0,
        "",
        "create    Pod default/other\ndelete    Pod default/stuck\n\
         release stuck revision 2: 1 created, 1 deleted\n",
    );
}

#[test]
fn atomic_removes_a_first_release_that_fails() {
    let host = Host::start();
    host.write("shop.yaml", &format!("{PAIR}---\n{STUCK}"));
    host.run(&["apply", "shop.yaml", "--atomic", "--timeout", "1s"]).fails(
        1,
        &[
            "undo      it failed; removing the release again",
            "wharf::deploy::undone",
            "the release was removed again, since it failed: not ready after 1 s",
        ],
    );
    assert_eq!(host.run(&["list", "-A", "-o", "json"]).json(), serde_json::json!([]));
    let (settings, _) = PAIR.split_once("---\n").expect("two documents");
    host.write("settings.yaml", settings);
    // nothing is left that would be in the way
    host.run(&["apply", "settings.yaml"]).fine();
}

#[test]
fn atomic_goes_back_to_what_was_deployed() {
    let host = Host::start();
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).fine();
    host.write("next.yaml", &format!("{}---\n{STUCK}", PAIR.replace("red", "blue")));
    host.run(&["apply", "next.yaml", "--name", "shop", "--atomic", "--timeout", "1s"]).fails(
        1,
        &[
            "undo      it failed; rolling back to revision 1",
            "rolled back to revision 1 as revision 3",
        ],
    );
    assert_eq!(host.statuses("shop"), ["superseded", "failed", "deployed"]);
    host.run(&["diff", "shop.yaml"]).says(0, "", "2 unchanged\n");
}

#[test]
fn an_interrupted_apply_ends_in_order_and_the_next_one_goes_on() {
    let host = Host::start();
    host.write("shop.yaml", &format!("{PAIR}---\n{STUCK}"));
    let child = host.spawn(&["apply", "shop.yaml"]);
    host.until(&["list", "-o", "json"], "pending-install");
    host.until(&["status", "shop", "-o", "json"], "in progress");
    // someone else must wait
    host.run(&["apply", "shop.yaml"]).fails(
        3,
        &["wharf::deploy::busy", "revision 1 of release `shop` is pending-install: process"],
    );
    interrupt(&child);
    let run = finished(&child.wait_with_output().expect("it ends"));
    run.fails(
        130,
        &[
            "wharf::deploy::interrupted",
            "interrupted after 3 of 3 changes",
            "create ConfigMap default/settings",
            "the same command goes on",
        ],
    );
    assert_eq!(host.statuses("shop"), ["failed"]);
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).says(
        0,
        "",
        "delete    Pod default/stuck\nrelease shop revision 2: 1 deleted, 2 unchanged\n",
    );
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let host = Host::start();
    host.write("stuck.yaml", STUCK);
    let child = host.spawn(&["apply", "stuck.yaml", "--atomic"]);
    host.until(&["status", "stuck", "-o", "json"], "in progress");
    // stop the agent, so that nothing can be brought to its end
    let agent = rustix::process::Pid::from_raw(i32::try_from(host.agent.id()).expect("an id"));
    let agent = agent.expect("an id");
    rustix::process::kill_process(agent, rustix::process::Signal::STOP).expect("it runs");
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    interrupt(&child);
    let run = finished(&child.wait_with_output().expect("it ends"));
    rustix::process::kill_process(agent, rustix::process::Signal::CONT).expect("it runs");
    assert_eq!(run.code, Some(130), "{run:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // what it left behind is taken over
    host.write("stuck.yaml", PAIR);
    host.run(&["apply", "stuck.yaml"]).fine();
}

#[test]
fn what_a_killed_process_left_pending_is_taken_over() {
    let host = Host::start();
    host.write("shop.yaml", &format!("{PAIR}---\n{STUCK}"));
    let mut child = host.spawn(&["apply", "shop.yaml"]);
    host.until(&["status", "shop", "-o", "json"], "in progress");
    child.kill().expect("it runs");
    child.wait().expect("it is a child");
    assert_eq!(host.statuses("shop"), ["pending-install"]);
    host.write("shop.yaml", PAIR);
    host.run(&["apply", "shop.yaml"]).says(
        0,
        "",
        "note      revision 1 was left pending-install by a process that is gone; going on from it\n\
         delete    Pod default/stuck\nrelease shop revision 2: 1 deleted, 2 unchanged\n",
    );
    assert_eq!(host.statuses("shop"), ["failed", "deployed"]);
}

#[test]
fn a_killed_agent_is_waited_for_and_nothing_is_lost() {
    let mut host = Host::start();
    let source: String = (0..200).map(|n| super::scale::config(n, "a")).collect();
    host.write("many.yaml", &source);
    let port = std::fs::read_to_string(host.path("kubeconfig")).expect("a kubeconfig");
    let port = port.split("127.0.0.1:").nth(1).expect("a port");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let child = host.spawn(&["apply", "many.yaml"]);
    std::thread::sleep(Duration::from_millis(150));
    host.agent.kill().expect("it runs");
    host.agent.wait().expect("it is a child");
    host.agent = super::agent_at(host.folder.path(), &port);
    let first = finished(&child.wait_with_output().expect("it ends"));
    let again = host.run(&["apply", "many.yaml"]);
    again.fine();
    let diff = host.run(&["diff", "many.yaml"]);
    assert_eq!((diff.code, diff.err.as_str()), (Some(0), "200 unchanged\n"), "{first:?} {again:?}");
}
