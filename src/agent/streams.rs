//! What the API streams from the node: logs, commands, terminals, connections.

use super::api::{
    Connection, LogRequest, LogStream, NodeFuture, NodeStreams, PortRequest, Process,
    ProcessRequest,
};
use super::node::Containers;
use super::node::logs::Wanted;
use super::runtime::log::{LogOptions, Stream};
use super::runtime::{AttachOutput, AttachSession, ExecRequest};
use futures::StreamExt;
use std::pin::Pin;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

/// So much output waits for a client that reads slowly.
const AHEAD: usize = 64 << 10;

impl NodeStreams for Containers {
    fn log(&self, request: LogRequest) -> NodeFuture<LogStream> {
        let containers = self.clone();
        Box::pin(async move {
            let options = LogOptions {
                tail: request.tail_lines,
                since: request.since,
                limit_bytes: request.limit_bytes,
                timestamps: request.timestamps,
                follow: request.follow,
                stream: None,
            };
            let wanted = Wanted {
                namespace: request.namespace,
                pod: request.pod,
                container: request.container,
                previous: request.previous,
            };
            let log = containers.log(&wanted, options)?;
            // a log that breaks off ends; there is no way left to say why
            Ok(log.filter_map(|piece| std::future::ready(piece.ok())).boxed())
        })
    }

    fn exec(&self, request: ProcessRequest) -> NodeFuture<Process> {
        let containers = self.clone();
        Box::pin(async move {
            let ProcessRequest { namespace, pod, container, command, stdin, tty } = request;
            let request = ExecRequest { args: command, tty, stdin, ..ExecRequest::default() };
            let mut session = containers.exec(&namespace, &pod, &container, request).await?;
            let (resize, mut sizes) = mpsc::channel::<(u16, u16)>(1);
            Ok(Process {
                stdin: session.stdin.take().filter(|_| stdin).map(|input| Box::pin(input) as _),
                stdout: session.stdout.take().map(|output| Box::pin(output) as _),
                stderr: session.stderr.take().map(|output| Box::pin(output) as _),
                resize: tty.then_some(resize),
                exit: Box::pin(async move {
                    loop {
                        tokio::select! {
                            code = session.wait() => return code.map_err(|error| error.chain()),
                            Some((columns, rows)) = sizes.recv() => session.resize(columns, rows),
                        }
                    }
                }),
            })
        })
    }

    fn attach(&self, request: ProcessRequest) -> NodeFuture<Process> {
        let containers = self.clone();
        Box::pin(async move {
            let ProcessRequest { namespace, pod, container, stdin, tty, .. } = request;
            let (session, window) = containers.attach(&namespace, &pod, &container).await?;
            let AttachSession { output, input } = session;
            let (stdout, to_stdout) = tokio::io::duplex(AHEAD);
            let (stderr, to_stderr) = tokio::io::duplex(AHEAD);
            let ended = tokio::spawn(carry(output, to_stdout, to_stderr));
            let (resize, mut sizes) = mpsc::channel::<(u16, u16)>(1);
            tokio::spawn(async move {
                while let Some((columns, rows)) = sizes.recv().await {
                    window.resize(columns, rows).await;
                }
            });
            Ok(Process {
                stdin: stdin.then(|| Box::pin(input) as _),
                stdout: Some(Box::pin(stdout)),
                stderr: (!tty).then(|| Box::pin(stderr) as _),
                resize: tty.then_some(resize),
                // whoever joined is not told how the program ended, as with the kubelet
                exit: Box::pin(async move {
                    let _ = ended.await;
                    Ok(0)
                }),
            })
        })
    }

    fn connect(&self, request: PortRequest) -> NodeFuture<Pin<Box<dyn Connection>>> {
        let containers = self.clone();
        Box::pin(async move {
            let PortRequest { namespace, pod, port } = request;
            let stream = containers.connect(&namespace, &pod, port).await?;
            Ok(Box::pin(stream) as _)
        })
    }
}

/// Carries what a program puts out to whoever joined it, until one of the two ends.
async fn carry(mut output: AttachOutput, mut stdout: DuplexStream, mut stderr: DuplexStream) {
    while let Ok(Some((stream, bytes))) = output.next().await {
        let written = match stream {
            Stream::Stdout => stdout.write_all(&bytes).await,
            Stream::Stderr => stderr.write_all(&bytes).await,
        };
        if written.is_err() {
            return;
        }
    }
}
