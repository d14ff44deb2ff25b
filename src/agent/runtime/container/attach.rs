//! Clients of a shim: they see the program's output, may write its input and resize its terminal.
//!
//! ```text
//! client ──> shim   "attach\n", then input until the client closes its half
//! shim ──> client   frames: 1 byte stream (1 output, 2 error), 4 bytes length (big endian), bytes
//! client ──> shim   "resize <columns> <rows>\n"; the shim closes
//! ```
//!
//! A client that does not read is dropped: a container never waits for one.

use super::super::log::Stream;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::termios::Winsize;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::{UnixListener, UnixStream};

/// A request line longer than this is no request.
const REQUEST_LIMIT: usize = 256;
/// Input is taken from a client in pieces of this size.
const CHUNK: usize = 8 << 10;

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
            let waits = client.ended || !client.pending.is_empty();
            fds.push(PollFd::new(
                &client.stream,
                if waits { PollFlags::empty() } else { PollFlags::IN },
            ));
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
            if events.intersects(PollFlags::HUP | PollFlags::ERR) && client.ended {
                client.broken = true;
            } else if !events.is_empty() {
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
        let mut frame = Vec::with_capacity(bytes.len() + 5);
        frame.push(if stream == Stream::Stdout { 1 } else { 2 });
        let length = u32::try_from(bytes.len()).expect("a chunk is short");
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(bytes);
        for client in self.connected.iter_mut().filter(|client| client.attached) {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let sent = rustix::net::send(&client.stream, &frame, flags);
            client.broken |= sent != Ok(frame.len());
        }
        self.connected.retain(|client| !client.broken);
    }
}

impl Client {
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
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                Err(_) => self.pending.clear(),
            }
        }
    }
}

/// A terminal's size in characters.
pub(super) fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Takes a descriptor that another process sent.
pub(super) fn receive_fd(socket: BorrowedFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 4096];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    rustix::net::recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    ancillary
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        })
        .ok_or_else(|| io::Error::other("the message holds no descriptor"))
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
