//! Every chart and kustomization of the corpora, one run each, beside Helm and kustomize: what all of
//! them take together, which one gains least, and which one takes most memory beside its peer.
//!
//! The corpora are read from the folder that `WHARF_CORPUS` names. Both tools run in turn on each
//! case, after a run that only brings its files into memory; memory is what `time` reports. A case
//! that seems to gain less than all before it is run five times more, of which the medians count.

use crate::harness::{Bound, Figure, Peer, Samples, Tool, Unit, peak, wall_of_any, wharf};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One run of a tool and of its peer.
struct Case {
    name: String,
    folder: PathBuf,
    args: Vec<String>,
}

impl Case {
    fn command(&self, program: &Path, verb: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(verb).args(&self.args).current_dir(&self.folder);
        command.env("KUBECONFIG", "/dev/null").env("HOME", "/nonexistent");
        command
    }
}

pub(crate) fn charts() -> Vec<Figure> {
    let helm = Tool::find("helm", &["version", "--short"]);
    let cases = corpus().map(|corpus| {
        let folder = corpus.join("helm/charts");
        let case = |case: &Value| {
            let args = [text(&case["case"])].into_iter().chain(texts(&case["args"]));
            Case {
                name: format!("{} {}", text(&case["case"]), text(&case["variant"])),
                folder: folder.clone(),
                args: args.collect(),
            }
        };
        read(&corpus.join("helm/cases.json")).iter().map(case).collect::<Vec<_>>()
    });
    let verb = ["template", "release"];
    compare("charts", &cases, (&verb, &helm, &verb), [20.0, 8.0, 1.0])
}

pub(crate) fn kustomizations() -> Vec<Figure> {
    let kustomize = Tool::find("kustomize", &["version"]);
    let cases = corpus().map(|corpus| {
        let repositories = fs::read_dir(corpus.join("kustomize")).expect("the corpus is unpacked");
        let mut repositories: Vec<PathBuf> =
            repositories.flatten().map(|entry| entry.path()).collect();
        repositories.sort();
        let of_one = |repository: &PathBuf| {
            let case = |case: &Value| Case {
                name: format!("{} {}", repository.display(), text(&case["root"])),
                folder: repository.join("tree"),
                args: [text(&case["root"])].into_iter().chain(texts(&case["args"])).collect(),
            };
            read(&repository.join("cases.json")).iter().map(case).collect::<Vec<_>>()
        };
        repositories.iter().flat_map(of_one).collect::<Vec<_>>()
    });
    compare("kustomizations", &cases, (&["kustomize"], &kustomize, &["build"]), [12.0, 1.0, 1.0])
}

/// Three figures of many runs. The bounds: how many times faster all of them are together, how many
/// times the one is that gains least, and how many times smaller the one that takes most memory.
fn compare(
    what: &str,
    cases: &Result<Vec<Case>, String>,
    (ours, peer, theirs): (&[&str], &Result<Tool, String>, &[&str]),
    bounds: [f64; 3],
) -> Vec<Figure> {
    let names = ["all of them together", "the one that gains least", "the one of most memory"];
    let figure = |index: usize, ours, peers| Figure {
        name: format!("{what} of the corpus: {}", names[index]),
        unit: Unit::Times,
        bound: Bound::AtLeast(bounds[index]),
        ours,
        peers,
    };
    let missing = |why: &String| {
        (0..3).map(|index| figure(index, Err(why.clone()), Vec::new())).collect::<Vec<_>>()
    };
    let (cases, peer) = match (cases, peer) {
        (Ok(cases), Ok(peer)) => (cases, peer),
        (Err(why), _) | (_, Err(why)) => return missing(why),
    };
    let mut total = [0.0; 2];
    let mut time = (f64::MAX, String::new());
    let mut memory = (f64::MAX, String::new());
    for case in cases {
        let ours = || case.command(wharf(), ours);
        let theirs = || case.command(&peer.path, theirs);
        // this brings the files into memory, and tells of the memory too
        let sizes = [peak(&ours()), peak(&theirs())];
        let took = [wall_of_any(&mut ours()), wall_of_any(&mut theirs())];
        total = [total[0] + took[0], total[1] + took[1]];
        if took[1] / took[0] < time.0 {
            // one run may have been disturbed
            let again = |of: &dyn Fn() -> Command| (0..5).map(|_| wall_of_any(&mut of())).collect();
            let took = [again(&ours), again(&theirs)].map(|took| Samples::new(took).median());
            if took[1] / took[0] < time.0 {
                time = (took[1] / took[0], note(case, took, "ms"));
            }
        }
        if let [Some(ours), Some(theirs)] = sizes
            && theirs / ours < memory.0
        {
            memory = (theirs / ours, note(case, [ours, theirs], "MB"));
        }
    }
    let all =
        format!("{} runs: {:.0} ms, {} {:.0} ms", cases.len(), total[0], peer.version, total[1]);
    let found = [(total[1] / total[0], all), time, memory];
    let line = |(index, (ratio, note)): (usize, (f64, String))| {
        let ours = match ratio {
            f64::MAX => Err("`time` is not installed".to_owned()),
            ratio => Ok(Samples::new(vec![ratio])),
        };
        figure(index, ours, vec![Peer { name: note, samples: Err(String::new()) }])
    };
    found.into_iter().enumerate().map(line).collect()
}

fn note(case: &Case, [ours, theirs]: [f64; 2], unit: &str) -> String {
    format!("{}: {ours:.1} and {theirs:.1} {unit}", case.name)
}

fn corpus() -> Result<PathBuf, String> {
    let folder = std::env::var_os("WHARF_CORPUS").ok_or("`WHARF_CORPUS` is not set")?;
    fs::canonicalize(folder).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read(path).expect("the corpus is unpacked");
    serde_json::from_slice(&text).expect("cases are JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a case has the form of its corpus").to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|items| items.iter().map(text).collect()).unwrap_or_default()
}
