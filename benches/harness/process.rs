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
        let version = format!("{name} {}", number.unwrap_or_default()).trim_end().to_owned();
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

/// The milliseconds that a process takes, whether it succeeds or not.
pub(crate) fn wall_of_any(command: &mut Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    command.status().expect("the program starts");
    start.elapsed().as_secs_f64() * 1e3
}

/// The most megabytes that a process has resident at once, as the program `time` tells; nothing where
/// that is not installed.
pub(crate) fn peak(command: &Command) -> Option<f64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    timed.current_dir(command.get_current_dir()?);
    for (name, value) in command.get_envs() {
        timed.env(name, value?);
    }
    let output = timed.stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().last()?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
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

/// The milliseconds of processor time that a process takes; it must succeed. What else the machine
/// does makes no difference to it.
#[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^52")]
pub(crate) fn processor(command: &mut Command) -> f64 {
    let before = ticks("/proc/self/stat", 13);
    wall(command);
    let used = ticks("/proc/self/stat", 13) - before;
    used as f64 * 1e3 / rustix::param::clock_ticks_per_second() as f64
}

/// The sum of two fields of a process's `stat`: counted after its name, 11 are its own times in user
/// and kernel mode, 13 those of the children that it waited for.
pub(crate) fn ticks(stat: &str, first: usize) -> u64 {
    let stat = std::fs::read_to_string(stat).expect("the process runs");
    // the name in parentheses may hold spaces
    let (_, fields) = stat.rsplit_once(')').expect("proc(5)");
    let fields = fields.split_whitespace().skip(first).take(2);
    fields.map(|field| field.parse::<u64>().expect("proc(5)")).sum()
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
