//! The binary itself: how fast it starts, how large it is.

use crate::harness::{Bound, Figure, Race, Samples, Tool, Unit, megabytes, wall, wharf};
use std::process::Command;

pub(crate) fn figures() -> Vec<Figure> {
    let kubectl = Tool::find("kubectl", &["version", "--client"]);
    let helm = Tool::find("helm", &["version", "--short"]);
    let start = Race::new("start: --version", Unit::Milliseconds, Bound::AtMost(10.0), || {
        wall(Command::new(wharf()).arg("--version"))
    })
    .rounds(40)
    .beside("version --client", &kubectl, |tool| wall(tool.command().args(["version", "--client"])))
    .beside("version", &helm, |tool| wall(tool.command().arg("version")))
    .run();
    let size = std::fs::metadata(wharf()).expect("the binary was built").len();
    let size = megabytes(usize::try_from(size).expect("a binary fits the memory"));
    let size = Figure {
        name: "size of the binary".to_owned(),
        unit: Unit::Megabytes,
        bound: Bound::AtMost(40.0),
        ours: Ok(Samples::new(vec![size])),
        peers: Vec::new(),
    };
    vec![start, size]
}
