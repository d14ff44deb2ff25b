//! What the API streams from the node: logs, commands, terminals, connections.
//!
//! The API speaks the protocols of clients; the node gives plain readers and writers.

use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// What of a log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Go on as the container writes.
    pub follow: bool,
    /// The log of the container's run before this one.
    pub previous: bool,
    /// Put the time before each line.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only what was written since then.
    pub since: Option<Timestamp>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
}

/// A command to run in a container, or, when it is empty, the container's own process to join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessRequest {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whether the client sends an input.
    pub stdin: bool,
    /// Whether the process has a terminal.
    pub tty: bool,
}

/// A port inside of a Pod's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRequest {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// The TCP port.
    pub port: u16,
}

/// A log as it comes.
pub type LogStream = BoxStream<'static, Bytes>;

/// What a process puts out.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;

/// What a process reads; dropping it ends the input.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A connection to a port.
pub trait Connection: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Connection for T {}

/// A process with its streams. Dropping it gives the process up.
pub struct Process {
    /// Its input, when one was asked for.
    pub stdin: Option<Input>,
    /// Its output, or all of it with a terminal.
    pub stdout: Option<Output>,
    /// Its error output, without a terminal.
    pub stderr: Option<Output>,
    /// Takes the size of the terminal: columns and rows.
    pub resize: Option<mpsc::Sender<(u16, u16)>>,
    /// Its exit code; the error says why there is none.
    pub exit: NodeFuture<i32>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// A future that a node returns. The error is a sentence for the client.
pub type NodeFuture<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// What the API streams from the node.
pub trait NodeStreams: Send + Sync + fmt::Debug {
    /// Opens the log of a container; the error says why there is none.
    fn log(&self, request: LogRequest) -> NodeFuture<LogStream>;

    /// Runs a command in a container.
    fn exec(&self, request: ProcessRequest) -> NodeFuture<Process>;

    /// Joins the process of a container; `command` is empty.
    fn attach(&self, request: ProcessRequest) -> NodeFuture<Process>;

    /// Connects to a port inside of a Pod's network.
    fn connect(&self, request: PortRequest) -> NodeFuture<Pin<Box<dyn Connection>>>;
}
