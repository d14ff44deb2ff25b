//! Netlink: messages with nested attributes, and a socket that sends several and waits for all.
//!
//! Blocking, since the kernel answers at once; the network and nf_tables encoders are built on it.

use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt,
};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The message is a request (linux/netlink.h).
pub(super) const REQUEST: u16 = 0x1;
/// The kernel acknowledges it.
pub(super) const ACK: u16 = 0x4;
/// The kernel answers with everything there is.
pub(super) const DUMP: u16 = 0x300;
/// It must not exist yet.
pub(super) const EXCLUSIVE: u16 = 0x200;
/// It is made when it does not exist.
pub(super) const CREATE: u16 = 0x400;
/// It is put behind what exists.
pub(super) const APPEND: u16 = 0x800;
/// What exists is replaced.
pub(super) const REPLACE: u16 = 0x100;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NESTED: u16 = 0x8000;
const HEADER: usize = 16;

/// Attributes, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<u8>);

impl Attributes {
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("an attribute is shorter than 64 KiB");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A text with the NUL that the kernel wants.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    /// A number in the byte order of the network, as netfilter has it.
    pub(super) fn big(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A number in the byte order of the host, as rtnetlink has it.
    pub(super) fn host(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub(super) fn nest(self, kind: u16, inner: &Attributes) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// Messages to send together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// What each numbered message does, for its error.
    labels: Vec<(u32, String)>,
    /// The numbers of the messages that are answered in any case.
    acknowledged: Vec<u32>,
    /// Where the last message begins.
    last: usize,
    sequence: u32,
}

impl Batch {
    /// Appends a message that the kernel acknowledges; `header` is the protocol's own.
    pub(super) fn push(
        &mut self,
        label: impl Into<String>,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: &Attributes,
    ) {
        self.push_silent(label, kind, flags | ACK, header, attributes);
        self.acknowledged.push(self.sequence);
    }

    /// Appends a message that the kernel answers only when it fails.
    pub(super) fn push_silent(
        &mut self,
        label: impl Into<String>,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: &Attributes,
    ) {
        self.plain(kind, flags, header, attributes);
        self.labels.push((self.sequence, label.into()));
    }

    /// Lets the kernel answer the last message in any case.
    pub(super) fn acknowledge_last(&mut self) {
        const FLAGS: usize = 6;
        let at = self.last + FLAGS;
        let flags = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) | ACK;
        self.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
        self.acknowledged.push(self.sequence);
    }

    /// Appends a message without an answer.
    pub(super) fn plain(&mut self, kind: u16, flags: u16, header: &[u8], attributes: &Attributes) {
        self.sequence += 1;
        self.last = self.bytes.len();
        let length = HEADER + header.len() + attributes.0.len();
        let length = u32::try_from(length).expect("a message is shorter than 4 GiB");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(&attributes.0);
    }
}

/// A message that failed.
#[derive(Debug)]
pub(super) struct Refused {
    /// What it was to do.
    pub(super) label: String,
    /// What the kernel said.
    pub(super) error: io::Error,
}

/// A socket to one of the kernel's netlink families, in the network namespace it was opened in.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    /// Held during one conversation, so that nobody reads another's answers.
    turn: Mutex<()>,
}

impl Socket {
    /// Opens a socket; no protocol means rtnetlink.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Socket> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        Ok(Socket { fd, turn: Mutex::new(()) })
    }

    /// The descriptor, for calls that take any socket of a namespace.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a batch and waits for every answer.
    ///
    /// # Errors
    /// The first message that failed; those after it were tried as well.
    pub(super) fn transact(&self, batch: &Batch) -> Result<(), Refused> {
        let _turn = self.turn();
        let whole = |error: io::Error| Refused { label: "talk to the kernel".to_owned(), error };
        // large batches need room: as much as the batch, twice for the kernel's own headers
        let room = batch.bytes.len().saturating_mul(2).max(1 << 20);
        let _ = sockopt::set_socket_send_buffer_size_force(&self.fd, room);
        let _ = sockopt::set_socket_recv_buffer_size_force(&self.fd, room);
        rustix::net::send(&self.fd, &batch.bytes, SendFlags::empty())
            .map_err(|error| whole(error.into()))?;
        let mut waiting = batch.acknowledged.len();
        let mut first = None;
        let mut buffer = vec![0; 64 << 10];
        while waiting > 0 {
            let (count, _) = rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::empty())
                .map_err(|error| whole(error.into()))?;
            for answer in messages(&buffer[..count]) {
                if answer.kind != ERROR {
                    continue;
                }
                let at = batch.labels.binary_search_by_key(&answer.sequence, |(number, _)| *number);
                let label = at.ok().map(|at| batch.labels[at].1.as_str());
                if batch.acknowledged.binary_search(&answer.sequence).is_ok() {
                    waiting = waiting.saturating_sub(1);
                }
                if let Some(error) = answer.error() {
                    if label.is_none() {
                        // the batch as a whole was refused: nothing else is answered
                        waiting = 0;
                    }
                    let label = label.unwrap_or("use a batch").to_owned();
                    first.get_or_insert(Refused { label, error });
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Asks for everything of a kind and gives the messages' bodies.
    pub(super) fn dump(
        &self,
        kind: u16,
        header: &[u8],
        attributes: &Attributes,
    ) -> io::Result<Vec<Vec<u8>>> {
        let _turn = self.turn();
        let mut batch = Batch::default();
        batch.plain(kind, DUMP, header, attributes);
        rustix::net::send(&self.fd, &batch.bytes, SendFlags::empty())?;
        let mut found = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let (count, _) = rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::empty())?;
            for answer in messages(&buffer[..count]) {
                match answer.kind {
                    DONE => return Ok(found),
                    ERROR => {
                        return match answer.error() {
                            Some(error) => Err(error),
                            None => Ok(found),
                        };
                    }
                    _ => found.push(answer.body.to_vec()),
                }
            }
        }
    }
}

struct Answer<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl Answer<'_> {
    fn error(&self) -> Option<io::Error> {
        let number = i32::from_ne_bytes(self.body.get(..4)?.try_into().ok()?);
        (number != 0).then(|| io::Error::from_raw_os_error(-number))
    }
}

fn messages(mut bytes: &[u8]) -> Vec<Answer<'_>> {
    let mut found = Vec::new();
    while bytes.len() >= HEADER {
        let number = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let length = number(0) as usize;
        if length < HEADER || length > bytes.len() {
            break;
        }
        found.push(Answer {
            kind: u16::from_ne_bytes(bytes[4..6].try_into().expect("2 bytes")),
            sequence: number(8),
            body: &bytes[HEADER..length],
        });
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

/// The attributes in a body, by kind.
pub(super) fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 4 {
        let length = u16::from_ne_bytes(bytes[..2].try_into().expect("2 bytes")) as usize;
        let kind = u16::from_ne_bytes(bytes[2..4].try_into().expect("2 bytes")) & !NESTED;
        if length < 4 || length > bytes.len() {
            break;
        }
        found.push((kind, &bytes[4..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_read_back() {
        let inner = Attributes::default().text(1, "ab").host(2, 7);
        let outer = Attributes::default().bytes(5, &[9]).nest(6, &inner);
        let read = attributes(&outer.0);
        assert_eq!(read[0], (5, &[9_u8][..]));
        assert_eq!(read[1].0, 6);
        assert_eq!(attributes(read[1].1), [(1, &b"ab\0"[..]), (2, &7_u32.to_ne_bytes()[..])]);
        assert_eq!(outer.0.len() % 4, 0);
    }
}
