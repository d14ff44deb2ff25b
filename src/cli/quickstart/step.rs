//! Telling and running the steps.

use crate::cli::exit::Failure;
use crate::cli::ui::Ui;
use anstyle::{AnsiColor, Style};
use miette::MietteDiagnostic;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Why the tour ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Ctrl-C, or a request to terminate.
    Interrupted,
    /// A step did not do what it should.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// Tells what happens, and runs the commands that it shows.
pub(super) struct Narrator<'a> {
    ui: &'a Ui,
    folder: PathBuf,
    program: PathBuf,
    steps: u32,
    interrupted: watch::Receiver<bool>,
}

impl Narrator<'_> {
    /// A narrator for the tour in a folder; from here on Ctrl-C ends the tour, not the process.
    pub(super) fn new(ui: &Ui, folder: PathBuf) -> Result<Narrator<'_>, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::failed(MietteDiagnostic::new(format!("cannot find this program: {error}")))
        })?;
        let (tell, interrupted) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                interruption().await;
                tell.send_replace(true);
            }
        });
        Ok(Narrator { ui, folder, program, steps: 0, interrupted })
    }

    /// The folder of the tour.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens a step.
    pub(super) fn step(&mut self, title: &str, what: &str) {
        self.steps += 1;
        let bold = Style::new().bold();
        self.tell(&format!("\n{bold}{} · {title}{bold:#}\n{what}", self.steps));
    }

    /// Shows a command that the tour itself stands in for.
    pub(super) fn by_hand(&self, command: &str) {
        let green = Style::new().fg_color(Some(AnsiColor::Green.into()));
        self.tell(&format!("{green}$ {command}{green:#}"));
    }

    /// Says something beside the steps.
    pub(super) fn remark(&self, text: &str) {
        self.tell(text);
    }

    /// Shows and runs a wharf command; its exit code must be the one expected.
    pub(super) async fn run(&mut self, command: &str, expected: u8) -> Result<(), Stop> {
        self.by_hand(&format!("wharf {command}"));
        let mut child = self.spawn(command).map_err(|error| {
            let message = format!("cannot run `wharf {command}`: {error}");
            Failure::failed(MietteDiagnostic::new(message))
        })?;
        let status = tokio::select! {
            status = child.wait() => status,
            () = told(&mut self.interrupted) => {
                end(&mut child).await;
                return Err(Stop::Interrupted);
            }
        };
        // a child on the same terminal hears of Ctrl-C first
        if *self.interrupted.borrow() {
            return Err(Stop::Interrupted);
        }
        let code = status.ok().and_then(|status| status.code());
        if code == Some(i32::from(expected)) {
            return Ok(());
        }
        let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        let message = format!("`wharf {command}` ended with {code}, expected {expected}");
        Err(Stop::Failed(Failure::Remote(Box::new(
            MietteDiagnostic::new(message)
                .with_help("`wharf quickstart --keep` leaves the folder of the tour to look at"),
        ))))
    }

    /// Waits for something of the tour's own, unless it is interrupted.
    pub(super) async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = what => Ok(done),
            () = told(&mut self.interrupted) => Err(Stop::Interrupted),
        }
    }

    /// Starts a wharf command in the folder, with the tour's own target and cache.
    fn spawn(&self, command: &str) -> std::io::Result<Child> {
        let global = &self.ui.global;
        let mut args: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        args.push(format!("--color={}", global.color).into());
        if global.quiet {
            args.push("--quiet".into());
        }
        Command::new(&self.program)
            .args(args)
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env_remove("WHARF_TARGET")
            .stdin(Stdio::null())
            .spawn()
    }

    fn tell(&self, text: &str) {
        if !self.ui.global.quiet {
            // what commands print goes to standard output, and this must stay in order with it
            let mut out = self.ui.out();
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    }
}

/// Resolves when the process is told to stop.
#[cfg(unix)]
async fn interruption() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        }
        // without a handler the process ends as every other does
        _ => std::future::pending().await,
    }
}

/// Resolves when the process is told to stop.
#[cfg(not(unix))]
async fn interruption() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn told(interrupted: &mut watch::Receiver<bool>) {
    if interrupted.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends a command: it may end by itself, as it hears of Ctrl-C too.
async fn end(child: &mut Child) {
    let patience = std::time::Duration::from_secs(5);
    if tokio::time::timeout(patience, child.wait()).await.is_err() {
        // it may have ended meanwhile
        let _ = child.kill().await;
    }
}

/// What the agent or the registry of the tour did not do.
pub(super) fn trouble(message: String) -> Stop {
    Stop::Failed(Failure::remote(MietteDiagnostic::new(message)))
}
