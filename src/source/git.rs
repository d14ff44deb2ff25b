//! Folders of git repositories, fetched with the `git` of this machine.
//!
//! One commit of a repository is fetched without its history, into a folder of the cache that is
//! named after the commit. A commit that is there is not fetched again; branches and tags are asked
//! for each time, unless the caller knows their commit.
//!
//! Addresses come from files of others, so `git` asks nobody for passwords, runs no hooks, and
//! speaks only the protocols that addresses may have.

use crate::base::digest::Digest;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How much of what `git` says is kept.
const OUTPUT: u64 = 64 << 10;

/// Why a repository could not be fetched.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum GitError {
    /// There is no `git`.
    #[error("no 'git' program on path")]
    #[diagnostic(code("wharf::source::git"), help("install git"))]
    NoGit,
    /// `git` says no.
    #[error("failed to run 'git {command}' for {address}: {said}")]
    #[diagnostic(code("wharf::source::git"))]
    Failed {
        /// What it was told.
        command: String,
        /// The repository.
        address: String,
        /// What it said.
        said: String,
    },
    /// It takes longer than it may.
    #[error("hit {} timeout running 'git {command}' for {address}", seconds(.limit))]
    #[diagnostic(
        code("wharf::source::git_timeout"),
        help("give it longer with `&timeout=120s` in the address")
    )]
    Timeout {
        /// What it was told.
        command: String,
        /// The repository.
        address: String,
        /// How long it had.
        limit: Duration,
    },
    /// The reference would be taken for a flag.
    #[error("`{0}` is no branch, tag or commit")]
    #[diagnostic(code("wharf::source::git_reference"))]
    Reference(String),
    /// The cache cannot be written.
    #[error("the cache of repositories cannot be written")]
    #[diagnostic(code("wharf::source::git_cache"))]
    Cache(#[source] io::Error),
}

fn seconds(limit: &Duration) -> String {
    format!("{}s", limit.as_secs_f64())
}

/// What to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where the repository is.
    pub address: &'a str,
    /// A branch, tag or commit; empty for the default branch.
    pub reference: &'a str,
    /// The commit that it stands for, when that is known.
    pub commit: Option<&'a str>,
    /// How long each step may take.
    pub timeout: Duration,
    /// Fetch its submodules too.
    pub submodules: bool,
}

/// A commit in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its files.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

/// The cache of repositories of the user, or a folder that goes away with the machine's temporary
/// files when there is no home.
#[must_use]
pub fn user_cache() -> PathBuf {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("wharf").join("git")
}

/// Fetches one commit into a cache.
///
/// # Errors
/// When there is no `git`, it fails or takes too long, or the cache cannot be written.
pub fn fetch(request: &Request<'_>, cache: &Path) -> Result<Checkout, GitError> {
    let wanted = request.commit.unwrap_or(request.reference);
    if wanted.starts_with('-') {
        return Err(GitError::Reference(wanted.to_owned()));
    }
    // submodules make another folder of the same commit
    let modules = if request.submodules { "" } else { "-plain" };
    let name = format!("{}{modules}", &Digest::of(request.address.as_bytes()).hex()[..16]);
    let repository = cache.join(name);
    if is_commit(wanted) && repository.join(wanted).is_dir() {
        return Ok(Checkout { folder: repository.join(wanted), commit: wanted.to_owned() });
    }
    fs::create_dir_all(&repository).map_err(GitError::Cache)?;
    let work = tempfile::TempDir::with_prefix_in("fetch-", &repository).map_err(GitError::Cache)?;
    let git = Git { folder: work.path(), request };
    git.run(&["init", "--quiet"])?;
    git.run(&["remote", "add", "origin", "--", request.address])?;
    let wanted = if wanted.is_empty() { "HEAD" } else { wanted };
    git.run(&["fetch", "--quiet", "--depth=1", "--", request.address, wanted])?;
    git.run(&["checkout", "--quiet", "FETCH_HEAD"])?;
    if request.submodules && work.path().join(".gitmodules").exists() {
        git.run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])?;
    }
    let commit = git.run(&["rev-parse", "HEAD"])?.trim().to_owned();
    let folder = repository.join(&commit);
    // what Kustomize reads are files, not history
    fs::remove_dir_all(work.path().join(".git")).map_err(GitError::Cache)?;
    match fs::rename(work.path(), &folder) {
        Ok(()) => {}
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(GitError::Cache(error)),
    }
    Ok(Checkout { folder, commit })
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Git<'a> {
    folder: &'a Path,
    request: &'a Request<'a>,
}

impl Git<'_> {
    /// Runs `git` and gives what it writes.
    fn run(&self, arguments: &[&str]) -> Result<String, GitError> {
        let command = arguments.join(" ");
        let failed = |said: String| GitError::Failed {
            command: command.clone(),
            address: self.request.address.to_owned(),
            said,
        };
        let mut child = Command::new("git")
            .args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"])
            .args(arguments)
            .current_dir(self.folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "https:http:ssh:file")
            .env("GIT_SSH_COMMAND", ssh())
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => GitError::NoGit,
                _ => failed(error.to_string()),
            })?;
        let out = listen(child.stdout.take().expect("stdout was asked for"));
        let err = listen(child.stderr.take().expect("stderr was asked for"));
        let limit = self.request.timeout;
        let started = Instant::now();
        let status: ExitStatus = loop {
            match child.try_wait().map_err(|error| failed(error.to_string()))? {
                Some(status) => break status,
                None if started.elapsed() > limit => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let address = self.request.address.to_owned();
                    return Err(GitError::Timeout { command, address, limit });
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let text = |listener: std::thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&listener.join().unwrap_or_default()).into_owned()
        };
        let (out, err) = (text(out), text(err));
        if status.success() { Ok(out) } else { Err(failed(err.trim().to_owned())) }
    }
}

/// How `git` calls ssh: as the user says, else without questions.
fn ssh() -> std::ffi::OsString {
    std::env::var_os("GIT_SSH_COMMAND")
        .unwrap_or_else(|| OsStr::new("ssh -o BatchMode=yes").to_owned())
}

fn listen(from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut from = from;
        let mut bytes = Vec::new();
        // the rest is read as well, so that the writer does not wait
        let _ = from.by_ref().take(OUTPUT).read_to_end(&mut bytes);
        let _ = io::copy(&mut from, &mut io::sink());
        bytes
    })
}
