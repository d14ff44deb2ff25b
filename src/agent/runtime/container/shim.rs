//! The process beside each container: starts it, keeps its output, notes its end.
//!
//! ```text
//! agent ── spawns ──> shim ── libcontainer ──> first process of the container
//!   │                  │  stdout, stderr ──> log file, attached clients
//!   │<── "running" ────┤  shim.sock <── attach, resize
//!   │                  └─ exit.json, then ends (the agent watches its pidfd)
//! ```
//!
//! It is wharf's own program again, in a session of its own, so that containers outlive the agent.
//! It never has a second thread: libcontainer forks without exec, which hangs when another thread
//! holds a lock, and one loop around `poll` is all the rest needs.

use super::super::cgroup;
use super::super::log::{Splitter, Stream, Writer};
use super::super::sys::{self, Standard};
use super::attach::Clients;
use super::process::Process;
use super::spec::{self, Mount};
use super::state::{ExitStatus, Folder, ProcessId, Record, Running};
use jiff::Timestamp;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitOptions};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What the shim writes to its standard output when the program runs.
pub(crate) const STARTED: &str = "running";
/// How long output is read on after the program ended: something outside may hold the pipe.
const DRAIN: Duration = Duration::from_millis(500);
/// A line without an end, such as a prompt, is logged after this time of silence.
const LINE_WAIT: Duration = Duration::from_millis(100);
/// How much is read at a time.
const CHUNK: usize = 32 << 10;

/// Runs the shim of the container in a folder; `arguments` are those after the hidden command.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let Some(path) = arguments.first() else { return ExitCode::FAILURE };
    let folder = Folder(path.into());
    // held to the end: as long as it is locked, the container has a shim
    let Ok(_lock) = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3) else {
        return ExitCode::FAILURE;
    };
    // fails only for a process that leads a session already
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    // so that another user of libcontainer's errors sees their causes in shim.log
    let _ = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_max_level(tracing::Level::ERROR)
        .try_init();
    match start(&folder) {
        Ok(container) => {
            let code = container.serve(&folder);
            ExitCode::from(code)
        }
        Err(reason) => {
            if let Ok(record) = folder.record() {
                let _ = cgroup::kill(&record.cgroup);
                let _ = cgroup::remove(&record.cgroup);
            }
            // the agent may be gone, and then nobody reads it
            tell(&reason);
            ExitCode::FAILURE
        }
    }
}

/// A container that runs, seen from its shim.
struct Container {
    record: Record,
    init: Pid,
    pidfd: OwnedFd,
    started: Timestamp,
    outputs: Vec<Output>,
    clients: Clients,
    log: Option<Writer>,
}

/// One stream of the program's output.
struct Output {
    fd: Option<OwnedFd>,
    stream: Stream,
    splitter: Splitter,
}

fn start(folder: &Folder) -> Result<Container, String> {
    let record = folder.record().map_err(|error| error.chain())?;
    let log = match &record.spec.log_path {
        Some(path) => {
            let spec = &record.spec;
            let writer = Writer::open(path, spec.log_max_bytes, spec.log_max_files);
            Some(writer.map_err(|error| format!("cannot write {}: {error}", path.display()))?)
        }
        None => None,
    };
    let listener = bind_socket(&folder.path("shim.sock"))?;
    let failed = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed("cannot make a pipe"));
    let (fault_reader, fault_writer) = pipe()?;
    let executor = Become {
        process: record.process.clone(),
        mounts: record.spec.mounts.clone(),
        fault: Rc::new(fault_writer),
    };
    let state = folder.path("oci");
    std::fs::create_dir_all(&state).map_err(|error| format!("cannot make a folder: {error}"))?;
    let mut builder = ContainerBuilder::new("c".to_owned(), SyscallType::default())
        .with_root_path(&state)
        .map_err(|error| chain(&error))?
        .with_executor(executor);
    let mut console = None;
    let mut input = None;
    let mut outputs = Vec::new();
    if record.spec.tty {
        let path = folder.path("console.sock");
        console = Some(bind_socket(&path)?);
        builder = builder.with_console_socket(Some(path));
    } else {
        let (out_reader, out_writer) = pipe()?;
        let (err_reader, err_writer) = pipe()?;
        builder = builder.with_stdout(out_writer).with_stderr(err_writer);
        outputs.push(Output::new(out_reader, Stream::Stdout));
        outputs.push(Output::new(err_reader, Stream::Stderr));
        let reader = if record.spec.stdin {
            let (reader, writer) = pipe()?;
            input = Some(writer);
            reader
        } else {
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(failed("cannot open /dev/null"))?
        };
        builder = builder.with_stdin(reader);
    }
    let mut container = builder
        .as_init(&folder.0)
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(|error| cause(&outputs).unwrap_or_else(|| chain(&error)))?;
    let pid = container.pid().ok_or("libcontainer gave no process")?.as_raw();
    if let Some(listener) = console {
        let master = receive_terminal(&listener)?;
        let copy = master.try_clone().map_err(|error| error.to_string())?;
        input = record.spec.stdin.then_some(copy);
        outputs.push(Output::new(master, Stream::Stdout));
    }
    let init = Pid::from_raw(pid).ok_or("libcontainer gave no process")?;
    let pidfd = rustix::process::pidfd_open(init, PidfdFlags::empty())
        .map_err(failed("cannot watch the process"))?;
    container.start().map_err(|error| chain(&error))?;
    drop(container);
    let mut fault = String::new();
    File::from(fault_reader)
        .read_to_string(&mut fault)
        .map_err(|error| format!("cannot hear from the process: {error}"))?;
    if !fault.is_empty() {
        let _ = rustix::process::waitpid(Some(init), WaitOptions::empty());
        return Err(fault);
    }
    let started = Timestamp::now();
    let identify = |pid| ProcessId::of(pid).map_err(|error| format!("cannot see process: {error}"));
    let shim = identify(std::process::id().cast_signed())?;
    // a program that is over already is still there, since nobody has waited for it yet
    let running = Running { shim, init: identify(pid)?, started };
    folder.write_running(&running).map_err(|error| error.chain())?;
    let clients = Clients::new(listener, input, record.spec.stdin_once);
    Ok(Container { record, init, pidfd, started, outputs, clients, log })
}

impl Container {
    /// Keeps the container until it ends, and notes how. Gives the shim's own exit code.
    fn serve(mut self, folder: &Folder) -> u8 {
        tell(STARTED);
        if detach_streams().is_err() {
            return 1;
        }
        let status = self.pump();
        let oom = cgroup::oom_kills(&self.record.cgroup) > 0;
        // processes that shared the host's numbers live on without the first one
        let _ = cgroup::kill(&self.record.cgroup);
        let _ = cgroup::remove(&self.record.cgroup);
        let exit = ExitStatus {
            code: status
                .exit_status()
                .or(status.terminating_signal().map(|n| 128 + n))
                .unwrap_or(255),
            signal: status.terminating_signal(),
            oom,
            started: self.started,
            finished: Timestamp::now(),
            unknown: false,
        };
        u8::from(folder.write_exit(&exit).is_err())
    }

    /// Carries output and input until the program has ended and its output is read.
    fn pump(&mut self) -> rustix::process::WaitStatus {
        let mut buffer = vec![0; CHUNK];
        let mut status = None;
        let mut deadline: Option<Instant> = None;
        loop {
            if let Some(status) = status
                && (self.outputs.iter().all(|output| output.fd.is_none())
                    || deadline.is_some_and(|deadline| Instant::now() >= deadline))
            {
                self.finish();
                return status;
            }
            let holding = self.outputs.iter().any(|output| output.splitter.is_holding());
            let left = match deadline {
                Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
                None => holding.then_some(LINE_WAIT),
            };
            let timeout = left.map(|left| Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(left.subsec_nanos().max(1_000_000)),
            });
            let (ended, readable) = self.wait(timeout, status.is_none());
            if holding && !ended && readable.is_empty() && deadline.is_none() {
                self.write_held();
            }
            if ended
                && let Ok(Some((_, how))) =
                    rustix::process::waitpid(Some(self.init), WaitOptions::empty())
            {
                status = Some(how);
                deadline = Some(Instant::now() + DRAIN);
            }
            for index in readable {
                self.read_output(index, &mut buffer);
            }
            if self.record.spec.host_pid {
                // orphans of the container become children of the shim
                while let Ok(Some((pid, how))) = rustix::process::waitpid(None, WaitOptions::NOHANG)
                {
                    if pid == self.init {
                        status = Some(how);
                        deadline = Some(Instant::now() + DRAIN);
                    }
                }
            }
        }
    }

    /// Waits for something to do, and lets clients go on; says whether the program ended and which
    /// outputs have something to read.
    fn wait(&mut self, timeout: Option<Timespec>, watch_program: bool) -> (bool, Vec<usize>) {
        let mut fds = Vec::with_capacity(8);
        let mut open = Vec::with_capacity(2);
        if watch_program {
            fds.push(PollFd::new(&self.pidfd, PollFlags::IN));
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let Some(fd) = &output.fd {
                open.push(index);
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        let own = fds.len();
        self.clients.poll_fds(&mut fds);
        if rustix::event::poll(&mut fds, timeout.as_ref()).is_err() {
            return (false, Vec::new());
        }
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        drop(fds);
        self.clients.serve(&events[own..]);
        let first = usize::from(watch_program);
        let readable = open
            .into_iter()
            .zip(&events[first..own])
            .filter(|(_, events)| !events.is_empty())
            .map(|(index, _)| index)
            .collect();
        (watch_program && !events[0].is_empty(), readable)
    }

    fn read_output(&mut self, index: usize, buffer: &mut [u8]) {
        let output = &mut self.outputs[index];
        let Some(fd) = &output.fd else { return };
        let mut lines = Vec::new();
        match rustix::io::read(fd, &mut *buffer) {
            Ok(count) if count > 0 => {
                self.clients.send(output.stream, &buffer[..count]);
                output.splitter.feed(&buffer[..count], Timestamp::now(), &mut lines);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            // a terminal whose last user ended says EIO
            Ok(_) | Err(_) => output.fd = None,
        }
        self.write_log(&lines);
    }

    /// Logs the rest and lets clients go.
    fn finish(&mut self) {
        self.write_held();
        self.clients.finish();
    }

    /// Logs what has no line end.
    fn write_held(&mut self) {
        let mut lines = Vec::new();
        for output in &mut self.outputs {
            output.splitter.finish(Timestamp::now(), &mut lines);
        }
        self.write_log(&lines);
    }

    /// A full disk loses log lines; the program must not hang on it.
    fn write_log(&mut self, lines: &[u8]) {
        if let Some(log) = &mut self.log
            && !lines.is_empty()
        {
            let _ = log.write(lines);
        }
    }
}

impl Output {
    fn new(fd: OwnedFd, stream: Stream) -> Output {
        Output { fd: Some(fd), stream, splitter: Splitter::new(stream) }
    }
}

/// Becomes the program at the end of libcontainer's preparations.
#[derive(Clone)]
struct Become {
    process: Process,
    mounts: Vec<Mount>,
    /// Closed by the kernel when the program runs; before that, the reason why it does not.
    fault: Rc<OwnedFd>,
}

impl Executor for Become {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        let reason = match spec::separate(&self.mounts) {
            Ok(()) => self.process.become_program(),
            Err(reason) => reason,
        };
        let _ = rustix::io::write(&*self.fault, reason.as_bytes());
        Err(ExecutorError::Other(reason))
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        // the program gets its environment when it is executed
        Ok(())
    }
}

fn bind_socket(path: &Path) -> Result<UnixListener, String> {
    // a socket's address holds 107 bytes; through the folder's descriptor any path fits
    let failed = |error: io::Error| format!("cannot listen on {}: {error}", path.display());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::Error::other("no file name")));
    };
    let handle = File::open(folder).map_err(failed)?;
    let short = Path::new("/proc/self/fd")
        .join(std::os::fd::AsRawFd::as_raw_fd(&handle).to_string())
        .join(name);
    UnixListener::bind(short).map_err(failed)
}

/// Takes the terminal that libcontainer sends to the console socket.
fn receive_terminal(listener: &UnixListener) -> Result<OwnedFd, String> {
    let (stream, _) = listener.accept().map_err(|error| format!("no terminal: {error}"))?;
    let (_, terminal) = super::attach::receive_fd(stream.as_fd())
        .map_err(|error| format!("no terminal: {error}"))?;
    terminal.ok_or_else(|| "no terminal came".to_owned())
}

/// Says something to the agent.
fn tell(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Lets go of the agent's pipe; what libcontainer says later has no reader.
fn detach_streams() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    sys::set_standard(Standard::Input, &null)?;
    sys::set_standard(Standard::Output, &null)
}

/// Why libcontainer's preparations failed: its last process says so where the program's errors go.
fn cause(outputs: &[Output]) -> Option<String> {
    const ENOUGH: usize = 4 << 10;
    let errors = outputs.iter().find(|output| output.stream == Stream::Stderr)?.fd.as_ref()?;
    rustix::io::ioctl_fionbio(errors, true).ok()?;
    let mut text = vec![0; ENOUGH];
    let count = rustix::io::read(errors, &mut text[..]).ok()?;
    let text = String::from_utf8_lossy(&text[..count]).into_owned();
    // a line of the log: time, level, place, text; the first is nearest to the cause
    let line = text.lines().next()?;
    let (_, message) = line.split_once(": ")?;
    Some(message.to_owned())
}

/// An error of libcontainer with its causes, which hold what it does not say itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
