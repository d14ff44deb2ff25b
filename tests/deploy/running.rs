//! Real containers: what becomes ready, and why something does not. Needs root and a static busybox.

use super::node::{Node, image};
use crate::prerequisites::skip;
use std::path::Path;
use std::time::Instant;

const BUSYBOX: &str = "/bin/busybox";

fn deployment(image: &str, script: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {image}
        args: ['{script}']
        readinessProbe: {{exec: {{command: [/bin/busybox, 'true']}}, periodSeconds: 1}}
"
    )
}

#[test]
fn a_deployment_becomes_ready_or_the_cause_is_told() {
    if !Path::new(BUSYBOX).exists() {
        skip("/bin/busybox is not there");
        return;
    }
    let Some(node) = Node::start() else { return };
    let host = &node.host;
    let (_registry, address) = node.registry();
    let program = std::fs::read(BUSYBOX).expect("busybox");
    image(&host.path("image"), "bin/busybox", &program, &[BUSYBOX, "sh", "-c"], "");
    host.run(&["push", "image", &format!("oci://{address}/demo:1")]).fine();
    let good = format!("{address}/demo:1");
    host.write("web.yaml", &deployment(&good, "exec /bin/busybox sleep 1000"));
    let started = Instant::now();
    let applied = host.run(&["apply", "web.yaml", "--timeout", "60s"]);
    let took = started.elapsed();
    for line in
        ["waiting   Deployment default/web: ", "ready     Deployment default/web: 2 of 2 ready"]
    {
        assert!(applied.fine().err.contains(line), "{applied:#?}");
    }
    eprintln!("two replicas were ready after {} ms", took.as_millis());
    host.run(&["status", "web"]).fine();

    let script = "echo cannot open the database; exit 3";
    host.write("web.yaml", &deployment(&good, script));
    host.run(&["apply", "web.yaml", "--timeout", "8s", "--atomic"]).fails(
        1,
        &[
            "trouble   Deployment default/web: container `main` ended with code 3 (Error)",
            "undo      it failed; rolling back to revision 1",
            "rolled back to revision 1 as revision 3, since it failed: not ready after 8 s",
            "container `main` ended with code 3 (Error)",
            "the last lines of container `main`:",
            "cannot open the database",
        ],
    );
    assert_eq!(host.statuses("web"), ["superseded", "failed", "deployed"]);

    host.write("web.yaml", &deployment(&format!("{address}/nothing:1"), script));
    let missing = host.run(&["apply", "web.yaml", "--timeout", "5s"]);
    missing.fails(1, &["wharf::deploy::not_ready", "container `main` waits: ", "nothing:1"]);
    assert_eq!(missing.err.matches("does not exist in registry").count(), 2, "{missing:#?}");
    // the replicas of before go on, and the state tells what is wrong
    let status = host.run(&["status", "web"]);
    assert!(status.out.contains("container `main` waits: "), "{status:#?}");

    host.run(&["rollback", "web", "1", "--timeout", "60s"]).fine();
    host.run(&["uninstall", "web"]).fine();
    node.is_empty();
}
