//! Pods on this host: how soon one runs that is applied, and what fifty of them take.

use crate::harness::{Agent, Bound, Figure, Image, Race, Samples, Tool, Unit, wall};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANY: u8 = 50;

pub(crate) fn figures() -> Vec<Figure> {
    let agent = Agent::of_pods();
    let image = agent.as_ref().map_err(Clone::clone).and_then(|it| Image::serve(it.folder()));
    match (&agent, &image) {
        (Ok(agent), Ok(image)) => {
            let mut figures = vec![one(agent, image)];
            figures.extend(many(agent, image));
            figures
        }
        (Err(why), _) | (_, Err(why)) => vec![Figure {
            name: "pods".to_owned(),
            unit: Unit::Milliseconds,
            bound: Bound::None,
            ours: Err(why.clone()),
            peers: Vec::new(),
        }],
    }
}

/// From the start of the command to its end, which is when the pod is ready.
fn one(agent: &Agent, image: &Image) -> Figure {
    let input = agent.folder().join("pod.yaml");
    fs::write(&input, pod("bench", image)).expect("the input can be written");
    let podman = Podman::find(agent.folder(), image);
    let tool = podman.as_ref().map(|podman| podman.tool.clone()).map_err(Clone::clone);
    Race::new("apply to ready: one pod", Unit::Milliseconds, Bound::AtMost(80.0), || {
        let took = wall(agent.wharf().args(["apply", "--name", "bench"]).arg(&input));
        wall(agent.wharf().args(["uninstall", "bench"]));
        took
    })
    .rounds(20)
    .beside("kube play", &tool, |_| {
        let podman = podman.as_ref().expect("it was found");
        let took = wall(podman.command().args(["kube", "play"]).arg(&input));
        wall(podman.command().args(["kube", "down"]).arg(&input));
        took
    })
    .run()
}

/// Many pods at once; each takes the memory of the process that keeps it and its share of the agent.
fn many(agent: &Agent, image: &Image) -> [Figure; 2] {
    let input = agent.folder().join("pods.yaml");
    let pods = (0..MANY).map(|number| pod(&format!("bench-{number}"), image));
    fs::write(&input, pods.collect::<String>()).expect("the input can be written");
    let before = agent.resident() + agent.keepers();
    let took = wall(agent.wharf().args(["apply", "--name", "many"]).arg(&input));
    let each = (agent.resident() + agent.keepers() - before) / f64::from(MANY);
    wall(agent.wharf().args(["uninstall", "many"]));
    let figure = |name: &str, unit, value| Figure {
        name: format!("{MANY} pods: {name}"),
        unit,
        bound: Bound::None,
        ours: Ok(Samples::new(vec![value])),
        peers: Vec::new(),
    };
    [
        figure("apply to all ready", Unit::Milliseconds, took),
        figure("memory of one", Unit::Megabytes, each),
    ]
}

fn pod(name: &str, image: &Image) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: {}
    imagePullPolicy: IfNotPresent
    args: [sleep]
",
        image.reference
    );
    text
}

/// podman with storage of its own, and settings that work on hosts with low limits.
struct Podman {
    tool: Tool,
    folder: PathBuf,
}

impl Podman {
    fn find(folder: &Path, image: &Image) -> Result<Podman, String> {
        let tool = Tool::find("podman", &["--version"])?;
        let podman = Podman { tool, folder: folder.join("podman") };
        fs::create_dir(&podman.folder).expect("a folder of our own");
        let settings = "[containers]
default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]
[engine]
runtime = \"runc\"
";
        fs::write(podman.folder.join("containers.conf"), settings).expect("it can be written");
        let pull = ["pull", "--tls-verify=false", &image.reference];
        let pulled = podman.command().args(pull).output().map_err(|error| error.to_string())?;
        if pulled.status.success() {
            return Ok(podman);
        }
        Err(format!("cannot pull: {}", String::from_utf8_lossy(&pulled.stderr).trim()))
    }

    fn command(&self) -> Command {
        let mut command = self.tool.command();
        command.env("CONTAINERS_CONF", self.folder.join("containers.conf"));
        command.arg("--root").arg(self.folder.join("root"));
        command.arg("--runroot").arg(self.folder.join("run"));
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // what a failed run left, and the mount that podman makes of its storage
        let _ = self.command().args(["pod", "rm", "--all", "--force"]).output();
        let _ = Command::new("umount").arg(self.folder.join("root/overlay")).output();
    }
}
