//! The agent's side of `attach`: output as frames, input as it is, over the shim's socket.

use super::super::log::Stream;
use super::attach;
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// A client of a running container.
#[derive(Debug)]
pub struct AttachSession {
    /// What the program puts out from now on.
    pub output: AttachOutput,
    /// The program's input, if it has one; shutting it down ends this client's part of it.
    pub input: OwnedWriteHalf,
}

/// Output of a container as it comes.
#[derive(Debug)]
pub struct AttachOutput {
    from: OwnedReadHalf,
    /// What was read and does not make a frame yet.
    held: BytesMut,
}

impl AttachSession {
    pub(crate) async fn open(socket: &Path) -> io::Result<AttachSession> {
        let mut stream = connect(socket).await?;
        stream.write_all(b"attach\n").await?;
        let (from, input) = stream.into_split();
        Ok(AttachSession { output: AttachOutput { from, held: BytesMut::new() }, input })
    }
}

impl AttachOutput {
    /// The next piece; none when the container has ended.
    ///
    /// # Cancellation
    /// Nothing is lost when waiting is given up.
    pub async fn next(&mut self) -> io::Result<Option<(Stream, Bytes)>> {
        loop {
            if let Some(frame) = attach::take_frame(&mut self.held) {
                return Ok(Some(frame));
            }
            if self.from.read_buf(&mut self.held).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Tells the program's terminal its size.
pub(crate) async fn resize(socket: &Path, columns: u16, rows: u16) -> io::Result<()> {
    let mut stream = connect(socket).await?;
    stream.write_all(format!("resize {columns} {rows}\n").as_bytes()).await?;
    // the shim closes when it is done
    let _ = stream.read(&mut [0]).await?;
    Ok(())
}

async fn connect(socket: &Path) -> io::Result<UnixStream> {
    // a socket's address holds 107 bytes; through the folder's descriptor any path fits
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::other("no file name"));
    };
    let handle = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(handle.as_raw_fd().to_string()).join(name);
    UnixStream::connect(short).await
}
