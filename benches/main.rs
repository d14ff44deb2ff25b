//! The figures that wharf holds itself to, measured; beside it, in turn with it and on the same
//! machine, the tools that do the same work.
//!
//! `cargo bench` measures all cases, `cargo bench -- NAME…` those whose name contains one of the
//! names. A case is a file of this folder with a function `figures`, and a line in [`CASES`]. A
//! peer that is not installed is named as such. Exit code 1 means that a bound does not hold or a
//! case could not be measured.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is the product")]

mod binary;
mod charts;
mod configmaps;
mod corpora;
mod harness;
mod idle;
mod overlays;
mod pods;
mod render;
mod validate;
mod yaml;

use harness::Figure;
use std::process::ExitCode;

/// As in the binary, or the library's cases would measure another allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What measures a case.
type Measure = fn() -> Vec<Figure>;

/// Each case by its name on the command line.
const CASES: &[(&str, Measure)] = &[
    ("binary", binary::figures),
    ("yaml", yaml::figures),
    ("render", render::figures),
    ("charts", charts::figures),
    ("overlays", overlays::figures),
    ("validate", validate::figures),
    ("configmaps", configmaps::figures),
    ("pods", pods::figures),
    ("idle", idle::figures),
    ("helm corpus", corpora::charts),
    ("kustomize corpus", corpora::kustomizations),
];

fn main() -> ExitCode {
    // cargo passes `--bench`
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut figures = Vec::new();
    for (name, measure) in CASES {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            eprintln!("measuring {name}");
            figures.extend(measure());
        }
    }
    print!("{}", harness::table(&figures));
    if figures.iter().all(Figure::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
