//! Processes: the binary under measurement, its peers, and how long they take.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A peer that is installed.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    /// Name and version.
    pub(crate) version: String,
}

impl Tool {
    /// Looks for a program in `PATH` and where `go install` puts it. `version` are the arguments
    /// that make it say its version.
    pub(crate) fn find(name: &str, version: &[&str]) -> Result<Tool, String> {
        let listed = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&listed).collect();
        folders.extend(std::env::var_os("GOBIN").map(PathBuf::from));
        folders.extend(std::env::home_dir().map(|home| home.join("go/bin")));
        let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        let path = path.ok_or_else(|| "not installed".to_owned())?;
        let said = Command::new(&path).args(version).output();
        let said = said.map_err(|error| format!("does not start: {error}"))?;
        let text = String::from_utf8_lossy(&said.stdout);
        let number = text
            .split_whitespace()
            .find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
        let version = format!("{name} {}", number.unwrap_or("of unknown version"));
        Ok(Tool { path, version })
    }

    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

/// The release binary that was built together with the benchmarks.
pub(crate) fn wharf() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_wharf"))
}

/// The milliseconds that a process takes; it must succeed.
pub(crate) fn wall(command: &mut Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().expect("the program starts");
    let took = start.elapsed().as_secs_f64() * 1e3;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    took
}

/// Runs something with all processes that it starts kept on one core.
pub(crate) fn on_one_core<T>(run: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).expect("a process may ask for its cores");
    let last =
        (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core)).expect("one core is there");
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).expect("a process may leave cores");
    let result = run();
    sched_setaffinity(None, &all).expect("a process may come back to its cores");
    result
}
