//! 500 ConfigMaps against the agent: applied for the first time, and compared when nothing differs.

use crate::harness::{Agent, Bound, Figure, Race, Tool, Unit, wall};
use std::fmt::Write as _;
use std::fs;

pub(crate) fn figures() -> Vec<Figure> {
    let agent = Agent::of_objects();
    let kubectl = Tool::find("kubectl", &["version", "--client"]);
    let input = agent.folder().join("configmaps.yaml");
    fs::write(&input, configmaps(500)).expect("the input can be written");
    let wharf = |verb: &str| wall(agent.wharf().args([verb, "--name", "bench"]).arg(&input));
    let theirs = |tool: &Tool, args: &[&str]| {
        wall(agent.kubectl(tool).args(args).arg("--filename").arg(&input))
    };
    let apply =
        Race::new("apply: 500 ConfigMaps", Unit::Milliseconds, Bound::AtMost(1000.0), || {
            let took = wharf("apply");
            wall(agent.wharf().args(["uninstall", "bench"]));
            took
        })
        .rounds(5)
        .beside("apply --server-side", &kubectl, |tool| {
            let took = theirs(tool, &["apply", "--server-side"]);
            theirs(tool, &["delete", "--wait=false"]);
            took
        })
        .run();
    wharf("apply");
    let diff =
        Race::new("diff: the same 500", Unit::Milliseconds, Bound::AtMost(500.0), || wharf("diff"))
            .beside("diff --server-side", &kubectl, |tool| theirs(tool, &["diff", "--server-side"]))
            .run();
    vec![apply, diff]
}

fn configmaps(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "---
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-{number:03}
  labels:
    app: bench
data:
  number: \"{number}\"
  settings.properties: |
    server.port=8080
    server.name=config-{number}
    log.level=info
"
        );
    }
    text
}
