//! Commands in a running container: for probes, hooks and `kubectl exec`.
//!
//! ```text
//! agent ── spawns ──> helper ── joins the container, forks ──> command
//!   │ ── input's descriptor, request ──> │                        │
//!   │ <── terminal's descriptor ──────── │                        │
//!   │ <── why it does not run ────────── │ <────── the same ───── │ (closed when it runs)
//! ```
//!
//! A short-lived helper, wharf's own program again, joins the container's control groups and
//! namespaces, forks into its process numbers and becomes the command, confined like the container
//! itself. Its standard streams are the agent's pipes, so nothing is copied on the way; with a
//! terminal, the helper sends the agent the terminal's own side. The helper's standard input is the
//! socket for all this: neither arguments nor environment show the request to others.

use super::super::cgroup;
use super::super::error::RuntimeError;
use super::super::sys::{self, Fork, OneThread, Standard};
use super::attach;
use super::process::{self, Process};
use super::state::{Folder, UNKNOWN_CODE};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitOptions};
use rustix::pty::OpenptFlags;
use rustix::thread::ThreadNameSpaceType;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitCode, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::unix::pipe;
use tokio::process::Child;

/// The helper's exit code when the command did not start; the reason went to the agent.
const NOT_STARTED: u8 = 255;
/// More than this is no reason.
const REASON_LIMIT: u64 = 16 << 10;

/// A command to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Variables beside those of the container.
    pub env: Vec<(String, String)>,
    /// Whether it runs on a terminal.
    pub tty: bool,
    /// Whether it gets an input; with a terminal it always does.
    pub stdin: bool,
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

/// A command that runs, with its streams. Dropping it kills the command.
#[derive(Debug)]
pub struct ExecSession {
    /// Its input; dropping it ends the input, unless it is a terminal.
    pub stdin: Option<pipe::Sender>,
    /// Its output, or all of it with a terminal.
    pub stdout: Option<ExecStream>,
    /// Its error output, without a terminal.
    pub stderr: Option<ExecStream>,
    child: Child,
    terminal: Option<OwnedFd>,
    id: String,
    command: String,
}

impl ExecSession {
    /// Waits for the end and gives the exit code; 128 and the signal when one ended it.
    ///
    /// # Cancellation
    /// Waiting may be given up and begun again.
    pub async fn wait(&mut self) -> Result<i32, RuntimeError> {
        let status = self.child.wait().await.map_err(|error| RuntimeError::Exec {
            id: self.id.clone(),
            command: self.command.clone(),
            reason: error.to_string(),
        })?;
        Ok(status.code().unwrap_or(UNKNOWN_CODE))
    }

    /// Tells the terminal its size in characters.
    pub fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = rustix::termios::tcsetwinsize(terminal, attach::window(columns, rows));
        }
    }
}

/// What a command puts out.
#[derive(Debug)]
pub struct ExecStream(pipe::Receiver);

impl AsyncRead for ExecStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(context, buffer) {
            // a terminal whose last user ended
            Poll::Ready(Err(error)) if error.raw_os_error() == Some(libc::EIO) => {
                Poll::Ready(Ok(()))
            }
            other => other,
        }
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
    let request = ExecRequest { tty: false, stdin: false, ..request.clone() };
    let run = async {
        let mut session = exec_stream(program, folder, id, &request).await?;
        let limit = options.output_limit;
        let (stdout, stderr) = (session.stdout.take(), session.stderr.take());
        let (code, stdout, stderr) =
            tokio::join!(session.wait(), bounded(stdout, limit), bounded(stderr, limit));
        Ok(ExecOutput { code: code?, stdout, stderr })
    };
    match options.timeout {
        Some(limit) => {
            tokio::time::timeout(limit, run).await.map_err(|_| RuntimeError::ExecTimeout {
                id: id.to_owned(),
                command: request.args.first().cloned().unwrap_or_default(),
                seconds: limit.as_secs_f64(),
            })?
        }
        None => run.await,
    }
}

/// Starts a command whose streams the caller carries, and waits until it runs.
pub(crate) async fn exec_stream(
    program: &Path,
    folder: &Folder,
    id: &str,
    request: &ExecRequest,
) -> Result<ExecSession, RuntimeError> {
    let command = request.args.first().cloned().unwrap_or_default();
    match launch(program, folder, request).await {
        Ok(Ok(launched)) => Ok(ExecSession {
            stdin: launched.stdin,
            stdout: launched.stdout,
            stderr: launched.stderr,
            child: launched.child,
            terminal: launched.terminal,
            id: id.to_owned(),
            command,
        }),
        Ok(Err(reason)) => Err(RuntimeError::Exec { id: id.to_owned(), command, reason }),
        Err(error) => {
            Err(RuntimeError::Exec { id: id.to_owned(), command, reason: error.to_string() })
        }
    }
}

/// What is held of a command that runs.
struct Launched {
    child: Child,
    stdin: Option<pipe::Sender>,
    stdout: Option<ExecStream>,
    stderr: Option<ExecStream>,
    terminal: Option<OwnedFd>,
}

/// Starts the helper and hears it out; the inner error is the reason why the command does not run.
async fn launch(
    program: &Path,
    folder: &Folder,
    request: &ExecRequest,
) -> io::Result<Result<Launched, String>> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut helper = super::helper(program, "__exec", folder);
    helper.stdin(OwnedFd::from(theirs)).kill_on_drop(true);
    let (mut stdin, mut stdout, mut stderr) = (None, None, None);
    let mut input = None;
    if request.tty {
        helper.stdout(Stdio::null()).stderr(Stdio::null());
    } else {
        let (out_reader, out_writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (err_reader, err_writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        helper.stdout(out_writer).stderr(err_writer);
        stdout = Some(ExecStream(pipe::Receiver::from_owned_fd(out_reader)?));
        stderr = Some(ExecStream(pipe::Receiver::from_owned_fd(err_reader)?));
        if request.stdin {
            let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            input = Some(reader);
            stdin = Some(pipe::Sender::from_owned_fd(writer)?);
        }
    }
    let child = helper.spawn()?;
    // lets go of its ends of the streams
    drop(helper);
    let input = match input {
        Some(input) => input,
        None => rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?,
    };
    attach::send_fd(ours.as_fd(), input.as_fd())?;
    drop(input);
    ours.set_nonblocking(true)?;
    let mut ours = tokio::net::UnixStream::from_std(ours)?;
    ours.write_all(&serde_json::to_vec(request)?).await?;
    ours.shutdown().await?;
    let mut terminal = None;
    if request.tty {
        let (reason, fd) =
            ours.async_io(Interest::READABLE, || attach::receive_fd(ours.as_fd())).await?;
        let Some(fd) = fd else {
            return Ok(Err(String::from_utf8_lossy(&reason).into_owned()));
        };
        rustix::io::ioctl_fionbio(&fd, true)?;
        stdin = Some(pipe::Sender::from_owned_fd_unchecked(fd.try_clone()?)?);
        stdout = Some(ExecStream(pipe::Receiver::from_owned_fd_unchecked(fd.try_clone()?)?));
        terminal = Some(fd);
    }
    let mut reason = String::new();
    ours.take(REASON_LIMIT).read_to_string(&mut reason).await?;
    if reason.is_empty() {
        return Ok(Ok(Launched { child, stdin, stdout, stderr, terminal }));
    }
    Ok(Err(reason))
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
    let Ok(mut agent) = take_agent() else { return ExitCode::from(NOT_STARTED) };
    match join(arguments, &agent) {
        Ok(command) => {
            // the command alone holds the socket now, and its start closes it
            drop(agent);
            ExitCode::from(wait(command))
        }
        Err(reason) => {
            let _ = agent.write_all(reason.as_bytes());
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// Moves the socket out of the place of the standard input, which becomes the command's.
fn take_agent() -> io::Result<UnixStream> {
    const ABOVE_STANDARD: i32 = 3;
    let fd = rustix::io::fcntl_dupfd_cloexec(io::stdin(), ABOVE_STANDARD)?;
    let (_, input) = attach::receive_fd(fd.as_fd())?;
    let input = input.ok_or_else(|| io::Error::other("the agent sent no input"))?;
    sys::set_standard(Standard::Input, &input)?;
    Ok(UnixStream::from(fd))
}

/// Joins the container and forks. Gives the command's process to the helper; the command itself
/// comes back only with the reason why it does not run.
fn join(arguments: &[String], mut agent: &UnixStream) -> Result<Pid, String> {
    let path = arguments.first().ok_or("no container is named")?;
    let mut text = Vec::new();
    agent.read_to_end(&mut text).map_err(|error| error.to_string())?;
    let request: ExecRequest = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
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
    // the container's /proc does not show this process
    let alone = OneThread::check().map_err(|error| error.to_string())?;
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
    let terminal = if request.tty { Some(open_terminal(agent)?) } else { None };
    match alone.fork().map_err(|error| format!("cannot fork: {error}"))? {
        Fork::Child => Err(become_command(&process, terminal.as_deref())),
        Fork::Parent(child) => Ok(child),
    }
}

/// Opens a terminal of the container's own and sends the other side to the agent.
fn open_terminal(agent: &UnixStream) -> Result<PathBuf, String> {
    let failed = |error: Errno| format!("cannot open a terminal: {error}");
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags).map_err(failed)?;
    rustix::pty::unlockpt(&ours).map_err(failed)?;
    let name = rustix::pty::ptsname(&ours, Vec::new()).map_err(failed)?;
    attach::send_fd(agent.as_fd(), ours.as_fd())
        .map_err(|error| format!("cannot send the terminal: {error}"))?;
    Ok(PathBuf::from(name.to_string_lossy().into_owned()))
}

/// Becomes the command, in a session of its own. Returns only the reason why not.
fn become_command(process: &Process, terminal: Option<&Path>) -> String {
    if let Err(error) = rustix::process::setsid() {
        return format!("cannot begin a session: {error}");
    }
    if let Some(terminal) = terminal
        && let Err(error) = process::standard_streams(terminal)
    {
        return format!("cannot use the terminal: {error}");
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
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return NOT_STARTED,
        }
    };
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_STARTED)
}
