//! Clients of a shim: they see the program's output, may write its input and resize its terminal.
//!
//! ```text
//! client ──> shim   "attach\n", then input until the client closes its half
//! shim ──> client   frames: 1 byte stream (1 output, 2 error), 4 bytes length (big endian), bytes
//! client ──> shim   "resize <columns> <rows>\n"; the shim closes
//! ```
//!
//! What a client has not read yet is kept for it, up to a limit; then it is dropped: a container
//! never waits for one.

use super::super::log::Stream;
use bytes::{Buf, Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::termios::Winsize;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// The bytes of a frame before its text, and the numbers of the streams in them.
const HEADER: usize = 5;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
/// A request line longer than this is no request.
const REQUEST_LIMIT: usize = 256;
/// A client that is further behind than this is dropped.
const BACKLOG: usize = 4 << 20;
/// Input is taken from a client in pieces of this size.
const CHUNK: usize = 8 << 10;
/// How long a client may take for what is left when the program has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Everyone who is connected to a shim.
#[derive(Debug)]
pub(super) struct Clients {
    listener: UnixListener,
    connected: Vec<Client>,
    input: Option<OwnedFd>,
    once: bool,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    attached: bool,
    /// Input that the program has not taken yet; more is read only when it has.
    pending: Vec<u8>,
    /// Output that the client has not taken yet.
    backlog: Vec<u8>,
    /// The client has closed its half.
    ended: bool,
    broken: bool,
}

impl Clients {
    /// `input` is the program's standard input or terminal, when it has one that can be written.
    pub(super) fn new(listener: UnixListener, input: Option<OwnedFd>, once: bool) -> Clients {
        let _ = listener.set_nonblocking(true);
        if let Some(input) = &input {
            let _ = rustix::io::ioctl_fionbio(input, true);
        }
        Clients { listener, connected: Vec::new(), input, once }
    }

    /// Appends what [`Clients::serve`] needs to know about.
    pub(super) fn poll_fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.push(PollFd::new(&self.listener, PollFlags::IN));
        for client in &self.connected {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, !client.ended && client.pending.is_empty());
            wanted.set(PollFlags::OUT, !client.backlog.is_empty());
            fds.push(PollFd::new(&client.stream, wanted));
        }
        if let Some(input) = &self.input
            && self.connected.iter().any(|client| !client.pending.is_empty())
        {
            fds.push(PollFd::new(input, PollFlags::OUT));
        }
    }

    /// Goes on with whatever the events of those descriptors allow.
    pub(super) fn serve(&mut self, events: &[PollFlags]) {
        for (client, events) in self.connected.iter_mut().zip(&events[1..]) {
            if events.contains(PollFlags::OUT) {
                client.send();
            }
            if events.intersects(PollFlags::HUP | PollFlags::ERR) && client.ended {
                client.broken = true;
            } else if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                client.read(&mut self.input);
            }
        }
        let mut finished = false;
        for client in &mut self.connected {
            client.pass_on(self.input.as_ref());
            if client.ended && client.pending.is_empty() && client.attached {
                finished = true;
            }
        }
        if finished && self.once {
            self.input = None;
        }
        self.connected.retain(|client| !client.broken);
        if events[0].contains(PollFlags::IN)
            && let Ok((stream, _)) = self.listener.accept()
        {
            let _ = stream.set_nonblocking(true);
            self.connected.push(Client {
                stream,
                request: Vec::new(),
                attached: false,
                pending: Vec::new(),
                backlog: Vec::new(),
                ended: false,
                broken: false,
            });
        }
    }

    /// Shows output to everyone attached.
    pub(super) fn send(&mut self, stream: Stream, bytes: &[u8]) {
        if self.connected.iter().all(|client| !client.attached) {
            return;
        }
        let mut frame = Vec::with_capacity(bytes.len() + HEADER);
        frame.push(if stream == Stream::Stdout { OUTPUT } else { ERRORS });
        let length = u32::try_from(bytes.len()).expect("a chunk is short");
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(bytes);
        for client in self.connected.iter_mut().filter(|client| client.attached) {
            client.backlog.extend_from_slice(&frame);
            client.send();
            client.broken |= client.backlog.len() > BACKLOG;
        }
        self.connected.retain(|client| !client.broken);
    }

    /// Gives clients a moment to take the last of the output.
    pub(super) fn finish(&mut self) {
        for client in &mut self.connected {
            let _ = client.stream.set_nonblocking(false);
            let _ = client.stream.set_write_timeout(Some(LAST_WORDS));
            let _ = client.stream.write_all(&client.backlog);
        }
    }
}

impl Client {
    fn send(&mut self) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        while !self.backlog.is_empty() {
            match rustix::net::send(&self.stream, &self.backlog, flags) {
                Ok(count) => drop(self.backlog.drain(..count)),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
        // a burst must not make the shim large for good
        self.backlog.shrink_to(CHUNK);
    }

    fn read(&mut self, input: &mut Option<OwnedFd>) {
        let mut buffer = [0; CHUNK];
        match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.ended = true;
                self.broken = !self.attached;
            }
            Ok(count) if self.attached => self.pending.extend_from_slice(&buffer[..count]),
            Ok(count) => self.request(&buffer[..count], input.as_ref()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
        if self.attached && input.is_none() {
            self.pending.clear();
        }
    }

    fn request(&mut self, bytes: &[u8], terminal: Option<&OwnedFd>) {
        self.request.extend_from_slice(bytes);
        let Some(end) = self.request.iter().position(|&byte| byte == b'\n') else {
            self.broken = self.request.len() > REQUEST_LIMIT;
            return;
        };
        let rest = self.request.split_off(end + 1);
        let line = String::from_utf8_lossy(&self.request).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["attach"] => {
                self.attached = true;
                self.pending = rest;
            }
            ["resize", columns, rows] => {
                if let (Some(terminal), Ok(columns), Ok(rows)) =
                    (terminal, columns.parse(), rows.parse())
                {
                    let _ = rustix::termios::tcsetwinsize(terminal, window(columns, rows));
                }
                self.broken = true;
            }
            _ => self.broken = true,
        }
    }

    fn pass_on(&mut self, input: Option<&OwnedFd>) {
        let Some(input) = input else {
            self.pending.clear();
            return;
        };
        while !self.pending.is_empty() {
            match rustix::io::write(input, &self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => self.pending.clear(),
            }
        }
    }
}

/// Takes the first whole frame out of what a client has read.
pub(super) fn take_frame(held: &mut BytesMut) -> Option<(Stream, Bytes)> {
    let (&stream, length) = held.get(..HEADER)?.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    if held.len() < HEADER + length {
        return None;
    }
    held.advance(HEADER);
    let stream = if stream == OUTPUT { Stream::Stdout } else { Stream::Stderr };
    Some((stream, held.split_to(length).freeze()))
}

/// A terminal's size in characters.
pub(super) fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Takes what another process sent: bytes, and the descriptor that came with them.
pub(super) fn receive_fd(socket: BorrowedFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 4096];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let message =
        rustix::net::recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    bytes.truncate(message.bytes);
    Ok((bytes, fd))
}

/// Sends a descriptor to another process.
pub(super) fn send_fd(socket: BorrowedFd, fd: BorrowedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(socket, &[IoSlice::new(b".")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}
