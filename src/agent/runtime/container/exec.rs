//! Commands in a running container: for probes, hooks and `kubectl exec`.
//!
//! A short-lived helper, wharf's own program again, joins the container's control groups and
//! namespaces, forks into its process numbers and becomes the command, confined like the container
//! itself. Its standard streams are the agent's pipes, so nothing is copied on the way; with a
//! terminal, the helper sends the agent the terminal's own side.

use super::super::cgroup;
use super::super::error::RuntimeError;
use super::super::sys::{self, Fork, Standard};
use super::attach;
use super::process::{self, Process};
use super::state::{Folder, UNKNOWN_CODE};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, WaitOptions};
use rustix::pty::OpenptFlags;
use rustix::thread::ThreadNameSpaceType;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Holds the request: the environment of a root process is private, its arguments are not.
const REQUEST: &str = "WHARF_EXEC";
/// The helper's exit code when the command did not start; the reason is on its standard error.
const NOT_STARTED: u8 = 255;
/// Marks that reason, so that a command's own code 255 is not taken for it.
const MARK: &str = "\u{1}wharf-exec\u{1}";

/// A command to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Variables beside those of the container.
    pub env: Vec<(String, String)>,
    /// Whether it runs on a terminal.
    pub tty: bool,
}

/// Limits of a command.
#[derive(Clone, Copy, Debug)]
pub struct ExecOptions {
    /// How long it may take; it is killed after that.
    pub timeout: Option<Duration>,
    /// How much of each output is kept.
    pub output_limit: usize,
}

impl Default for ExecOptions {
    fn default() -> Self {
        ExecOptions { timeout: None, output_limit: 64 << 10 }
    }
}

/// What a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code; 128 and the signal when one ended it.
    pub code: i32,
    /// The beginning of its output.
    pub stdout: Vec<u8>,
    /// The beginning of its error output.
    pub stderr: Vec<u8>,
}

/// A command that runs, with its streams.
#[derive(Debug)]
pub struct ExecSession {
    child: Child,
    /// Its input, without a terminal; dropping it ends the input.
    pub stdin: Option<ChildStdin>,
    /// Its output, without a terminal.
    pub stdout: Option<ChildStdout>,
    /// Its error output, without a terminal.
    pub stderr: Option<ChildStderr>,
    /// Our side of its terminal, with one; not blocking.
    pub terminal: Option<OwnedFd>,
    id: String,
    command: String,
}

impl ExecSession {
    /// Waits for the end and gives the exit code. Dropping the session kills the command.
    ///
    /// # Cancellation
    /// Waiting may be given up and begun again.
    pub async fn wait(&mut self) -> Result<i32, RuntimeError> {
        let status = self.child.wait().await.map_err(|error| self.fault(error.to_string()))?;
        Ok(status.code().unwrap_or(UNKNOWN_CODE))
    }

    /// Tells the terminal its size in characters.
    pub fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = rustix::termios::tcsetwinsize(terminal, attach::window(columns, rows));
        }
    }

    fn fault(&self, reason: String) -> RuntimeError {
        RuntimeError::Exec { id: self.id.clone(), command: self.command.clone(), reason }
    }
}

/// Runs a command to its end.
pub(crate) async fn exec(
    program: &Path,
    folder: &Folder,
    id: &str,
    request: &ExecRequest,
    options: ExecOptions,
) -> Result<ExecOutput, RuntimeError> {
    let command = request.args.first().cloned().unwrap_or_default();
    let fault =
        |reason: String| RuntimeError::Exec { id: id.to_owned(), command: command.clone(), reason };
    let request = ExecRequest { tty: false, ..request.clone() };
    let mut child = helper(program, folder, &request)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| fault(error.to_string()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let run = async {
        let limit = options.output_limit;
        let (status, stdout, stderr) =
            tokio::join!(child.wait(), bounded(stdout, limit), bounded(stderr, limit));
        status.map(|status| (status, stdout, stderr))
    };
    let finished = match options.timeout {
        Some(limit) => {
            tokio::time::timeout(limit, run).await.map_err(|_| RuntimeError::ExecTimeout {
                id: id.to_owned(),
                command: command.clone(),
                seconds: limit.as_secs_f64(),
            })?
        }
        None => run.await,
    };
    let (status, stdout, stderr) = finished.map_err(|error| fault(error.to_string()))?;
    let code = status.code().unwrap_or(UNKNOWN_CODE);
    if code == i32::from(NOT_STARTED)
        && let Some(reason) = String::from_utf8_lossy(&stderr).strip_prefix(MARK)
    {
        return Err(fault(reason.to_owned()));
    }
    Ok(ExecOutput { code, stdout, stderr })
}

/// Starts a command whose streams the caller carries.
pub(crate) async fn exec_stream(
    program: &Path,
    folder: &Folder,
    id: &str,
    request: &ExecRequest,
) -> Result<ExecSession, RuntimeError> {
    let command = request.args.first().cloned().unwrap_or_default();
    let fault =
        |reason: String| RuntimeError::Exec { id: id.to_owned(), command: command.clone(), reason };
    let mut helper = helper(program, folder, request);
    if !request.tty {
        let mut child =
            helper.stdin(Stdio::piped()).spawn().map_err(|error| fault(error.to_string()))?;
        return Ok(ExecSession {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            terminal: None,
            child,
            id: id.to_owned(),
            command,
        });
    }
    let (ours, theirs) = UnixStream::pair().map_err(|error| fault(error.to_string()))?;
    let mut child = helper
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| fault(error.to_string()))?;
    drop(helper);
    let received = tokio::task::spawn_blocking(move || attach::receive_fd(ours.as_fd())).await;
    let terminal = match received {
        Ok(Ok(terminal)) => terminal,
        _ => {
            let reason = bounded(child.stderr.take(), 4096).await;
            let reason = String::from_utf8_lossy(&reason).replace(MARK, "");
            return Err(fault(reason));
        }
    };
    rustix::io::ioctl_fionbio(&terminal, true).map_err(|error| fault(error.to_string()))?;
    Ok(ExecSession {
        stdin: None,
        stdout: None,
        stderr: None,
        terminal: Some(terminal),
        child,
        id: id.to_owned(),
        command,
    })
}

fn helper(program: &Path, folder: &Folder, request: &ExecRequest) -> Command {
    let mut command = Command::new(program);
    command
        .arg("__exec")
        .arg(&folder.0)
        .env_clear()
        .env(REQUEST, serde_json::to_string(request).expect("texts are JSON"))
        .current_dir("/")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Reads to the end and keeps the beginning, so that a talkative command does not hang.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut buffer = vec![0; 8 << 10];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = limit.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    kept
}

/// Runs the helper; `arguments` are those after the hidden command.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match join(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(reason) => not_started(&reason),
    }
}

fn not_started(reason: &str) -> ExitCode {
    let _ = io::stderr().write_all(format!("{MARK}{reason}").as_bytes());
    ExitCode::from(NOT_STARTED)
}

fn join(arguments: &[String]) -> Result<u8, String> {
    let path = arguments.first().ok_or("no container is named")?;
    let text = std::env::var(REQUEST).map_err(|error| error.to_string())?;
    let request: ExecRequest = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let folder = Folder(PathBuf::from(path));
    let record = folder.record().map_err(|error| error.chain())?;
    let running = folder.running().map_err(|error| error.chain())?.ok_or("it does not run")?;
    let init = Pid::from_raw(running.init.pid).ok_or("it does not run")?;
    let pidfd = rustix::process::pidfd_open(init, PidfdFlags::empty())
        .map_err(|error| format!("it does not run: {error}"))?;
    if !running.init.is_alive() {
        return Err("it does not run".to_owned());
    }
    let mut process = record.process.clone();
    process.args = request.args;
    process.env.extend(request.env);
    process.tty = request.tty;
    process.die_with_parent = true;
    cgroup::join(&record.cgroup).map_err(|error| error.chain())?;
    let mut kinds = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::PROCESS_ID;
    if cgroup::version() == cgroup::Version::V2 {
        kinds |= ThreadNameSpaceType::CONTROL_GROUP;
    }
    rustix::thread::move_into_thread_name_spaces(pidfd.as_fd(), kinds)
        .map_err(|error| format!("cannot enter the container: {error}"))?;
    let terminal = if request.tty { Some(open_terminal()?) } else { None };
    match sys::fork().map_err(|error| format!("cannot fork: {error}"))? {
        Fork::Child => Err(become_command(&process, terminal.as_deref())),
        Fork::Parent(child) => Ok(wait(child)),
    }
}

/// Opens a terminal of the container's own and sends the other side to the agent.
fn open_terminal() -> Result<PathBuf, String> {
    let failed = |error: rustix::io::Errno| format!("cannot open a terminal: {error}");
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags).map_err(failed)?;
    rustix::pty::unlockpt(&ours).map_err(failed)?;
    let name = rustix::pty::ptsname(&ours, Vec::new()).map_err(failed)?;
    attach::send_fd(io::stdin().as_fd(), ours.as_fd())
        .map_err(|error| format!("cannot send the terminal: {error}"))?;
    Ok(PathBuf::from(name.to_string_lossy().into_owned()))
}

/// Becomes the command, in a session of its own. Returns only the reason why not.
fn become_command(process: &Process, terminal: Option<&Path>) -> String {
    if let Err(error) = rustix::process::setsid() {
        return format!("cannot begin a session: {error}");
    }
    if let Some(terminal) = terminal {
        if let Err(error) = process::standard_streams(terminal) {
            return format!("cannot use the terminal: {error}");
        }
    }
    process.become_program()
}

/// Waits for the command and passes its end on as an exit code.
fn wait(child: Pid) -> u8 {
    // the command alone holds its streams, so that the agent sees them end with it
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = sys::set_standard(Standard::Input, &null);
        let _ = sys::set_standard(Standard::Output, &null);
        let _ = sys::set_standard(Standard::Error, &null);
    }
    let status = loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => break status,
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return NOT_STARTED,
        }
    };
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_STARTED)
}
