//! Tar streams: a reader that trusts nothing, and headers for a writer.
//!
//! Packages and image layers come from strangers, so the reader keeps memory bounded whatever the
//! stream says: names, link targets and extended attributes (GNU `L`/`K` and pax `x` entries) are
//! taken up to [`META_LIMIT`] bytes, and file contents are only ever streamed. It understands v7,
//! ustar, GNU and pax archives as container tools write them: pax `path`, `linkpath`, `size`,
//! `uid`, `gid`, `mtime` and `SCHILY.xattr.*` records, and base-256 numbers.
//!
//! It does not judge names: whoever unpacks decides which paths, links and devices are acceptable.
//! Sparse files and multi-volume archives are refused; registries do not hold them.

use std::io::{self, Read};

/// Size of a header, and the unit that contents are padded to.
pub const BLOCK: usize = 512;

/// Most bytes of names and attributes of one entry.
pub const META_LIMIT: u64 = 1 << 20;

/// Why a stream is no tar archive that can be read.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The bytes could not be read.
    #[error("the archive cannot be read")]
    Io(#[from] io::Error),
    /// The stream ends inside an entry.
    #[error("the archive is cut off{}", after(.0))]
    Truncated(String),
    /// A header makes no sense.
    #[error("the archive has a damaged header ({reason}){}", after(.entry))]
    Header {
        /// What is wrong with it.
        reason: &'static str,
        /// The entry before it, or the entry itself when its name is known.
        entry: String,
    },
    /// An entry of a kind that is not supported.
    #[error("entry `{entry}` is {kind}, which is not supported")]
    Unsupported {
        /// Name of the entry.
        entry: String,
        /// What it is.
        kind: String,
    },
}

fn after(entry: &str) -> String {
    if entry.is_empty() { String::new() } else { format!(" at `{entry}`") }
}

/// What an entry makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of an entry before.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// How messages name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::HardLink => "a hard link",
            Kind::Symlink => "a symbolic link",
            Kind::CharDevice => "a character device",
            Kind::BlockDevice => "a block device",
            Kind::Directory => "a folder",
            Kind::Fifo => "a named pipe",
        }
    }
}

/// One entry's header, with the extended headers before it worked in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Name as written: may be absolute, hold `..`, or be no UTF-8.
    pub path: Vec<u8>,
    /// What it makes.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Time of change: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Target of a link.
    pub link: Vec<u8>,
    /// Device numbers: major, minor.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// The name for messages: no control characters, of bounded length.
    #[must_use]
    pub fn display(&self) -> String {
        printable(&self.path)
    }
}

/// Bytes as text for messages.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    let clean: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if bytes.len() > 300 { format!("{clean}…") } else { clean }
}

#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads entries one after the other. Between two calls of [`Reader::next_entry`], reading from it
/// gives the content of the entry.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    left: u64,
    padding: u64,
    last: String,
}

impl<R: Read> Reader<R> {
    /// Starts at the beginning of a stream.
    pub fn new(inner: R) -> Reader<R> {
        Reader { inner, left: 0, padding: 0, last: String::new() }
    }

    /// The stream behind the archive, to read what follows the end mark.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The next entry, or nothing at the end. What was not read of the entry before is skipped.
    ///
    /// # Errors
    /// When the stream is no archive, is cut off, or cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extension = Extension::default();
        loop {
            self.skip_content()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let flag = header.0[156];
            let size = header.number(124, 12).ok_or_else(|| self.damaged("its size"))?;
            match flag {
                b'L' => extension.path = Some(trim_nul(self.meta(size)?)),
                b'K' => extension.link = Some(trim_nul(self.meta(size)?)),
                b'x' => {
                    let records = self.meta(size)?;
                    self.extend(&mut extension, &records)?;
                }
                // a global header says nothing that matters for unpacking (git's commit id)
                b'g' => drop(self.meta(size)?),
                _ => return self.entry(&header, flag, size, extension).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        flag: u8,
        size: u64,
        extension: Extension,
    ) -> Result<Entry, TarError> {
        let path = extension.path.unwrap_or_else(|| header.path());
        self.last = printable(&path);
        let kind = match flag {
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => {
                let kind = match other {
                    b'S' => "a sparse file".to_owned(),
                    b'M' | b'V' => "part of a multi-volume archive".to_owned(),
                    other => format!("of the unknown type {:?}", char::from(other)),
                };
                return Err(TarError::Unsupported { entry: self.last.clone(), kind });
            }
        };
        let size = if kind == Kind::File { extension.size.unwrap_or(size) } else { 0 };
        let number = |at, length| header.number(at, length);
        let id = |pax: Option<u64>, at| pax.or_else(|| number(at, 8));
        let entry = Entry {
            kind,
            size,
            mode: number(100, 8)
                .and_then(|mode| u32::try_from(mode & 0o7777).ok())
                .ok_or_else(|| self.damaged("its mode"))?,
            uid: id(extension.uid, 108).ok_or_else(|| self.damaged("its owner"))?,
            gid: id(extension.gid, 116).ok_or_else(|| self.damaged("its group"))?,
            mtime: extension.mtime.unwrap_or_else(|| (header.signed(136, 12), 0)),
            link: extension.link.unwrap_or_else(|| trim_nul(header.0[157..257].to_vec())),
            device: (device(number(329, 8)), device(number(337, 8))),
            xattrs: extension.xattrs,
            path,
        };
        if entry.path.is_empty() || entry.path.contains(&0) || entry.link.contains(&0) {
            return Err(self.damaged("its name"));
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(entry)
    }

    fn header(&mut self) -> Result<Option<Header>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Truncated(self.last.clone())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        if !header.checksum_holds() {
            return Err(self.damaged("its checksum does not hold"));
        }
        Ok(Some(header))
    }

    fn damaged(&self, reason: &'static str) -> TarError {
        TarError::Header { reason, entry: self.last.clone() }
    }

    fn meta(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > META_LIMIT {
            return Err(self.damaged("a name or attribute that is too long"));
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        let skip = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        let skipped = io::copy(&mut (&mut self.inner).take(skip), &mut io::sink())?;
        if skipped < skip {
            return Err(TarError::Truncated(self.last.clone()));
        }
        Ok(())
    }

    /// Reads pax records: `<length> <key>=<value>\n`, the length counting the whole record.
    fn extend(&self, extension: &mut Extension, mut records: &[u8]) -> Result<(), TarError> {
        let bad = || self.damaged("a pax record");
        while !records.is_empty() {
            let space = records.iter().take(8).position(|byte| *byte == b' ').ok_or_else(bad)?;
            let length: usize = std::str::from_utf8(&records[..space])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(bad)?;
            let record = records.get(space + 1..length).ok_or_else(bad)?;
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            let number = || {
                std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)
            };
            match key {
                b"path" => extension.path = Some(value.to_vec()),
                b"linkpath" => extension.link = Some(value.to_vec()),
                b"size" => extension.size = Some(number()?),
                b"uid" => extension.uid = Some(number()?),
                b"gid" => extension.gid = Some(number()?),
                b"mtime" => extension.mtime = Some(pax_time(value).ok_or_else(bad)?),
                _ if key.starts_with(b"GNU.sparse.") => {
                    let entry =
                        extension.path.as_deref().map_or_else(|| self.last.clone(), printable);
                    return Err(TarError::Unsupported { entry, kind: "a sparse file".to_owned() });
                }
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        extension.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
            records = &records[length..];
        }
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut off"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn trim_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn device(number: Option<u64>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// `1700000000.123456789`, perhaps negative, to seconds and nanoseconds after them.
fn pax_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().ok()?;
    if whole.starts_with('-') && nanos > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos));
    }
    Some((seconds, nanos))
}

struct Header([u8; BLOCK]);

impl Header {
    fn path(&self) -> Vec<u8> {
        let name = trim_nul(self.0[..100].to_vec());
        // GNU archives ("ustar  ") use the prefix for other things
        if &self.0[257..263] == b"ustar\0" {
            let prefix = trim_nul(self.0[345..500].to_vec());
            if !prefix.is_empty() {
                return [prefix.as_slice(), b"/", &name].concat();
            }
        }
        name
    }

    /// A number that is not negative: octal text, or base-256 with the top bit set.
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let field = &self.0[at..at + length];
        if field[0] & 0x80 != 0 {
            if field[0] & 0x40 != 0 {
                return None;
            }
            return field.iter().enumerate().try_fold(0u64, |value, (index, byte)| {
                let byte = if index == 0 { byte & 0x3f } else { *byte };
                value.checked_mul(256)?.checked_add(u64::from(byte))
            });
        }
        octal(field)
    }

    /// A number that may be negative; zero when it is too large to matter.
    fn signed(&self, at: usize, length: usize) -> i64 {
        let field = &self.0[at..at + length];
        if field[0] & 0xc0 == 0xc0 {
            return field.iter().fold(-1i64, |value, byte| value << 8 | i64::from(*byte));
        }
        self.number(at, length).and_then(|value| i64::try_from(value).ok()).unwrap_or(0)
    }

    fn checksum_holds(&self) -> bool {
        let Some(stated) = octal(&self.0[148..156]) else { return false };
        let bytes = self.0[..148].iter().chain(b"        ").chain(&self.0[156..]);
        let unsigned: u64 = bytes.clone().map(|byte| u64::from(*byte)).sum();
        // old archivers summed signed bytes
        let signed: i64 = bytes.map(|byte| i64::from(byte.cast_signed())).sum();
        stated == unsigned || i64::try_from(stated) == Ok(signed)
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let end = text.iter().position(|byte| *byte == 0 || *byte == b' ').unwrap_or(text.len());
    text[..end].iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// The header of a regular file, owned by root, with fixed mode and time; a name that ustar cannot
/// hold gets a pax header before it.
///
/// # Errors
/// When the file is larger than a ustar header can say (8 GiB).
pub fn file_header(path: &str, size: u64, mtime: u64) -> io::Result<Vec<u8>> {
    header(path, size, mtime, *b"0000644\0")
}

/// The header of a program: as [`file_header`], and everyone may execute it.
///
/// # Errors
/// When the file is larger than a ustar header can say (8 GiB).
pub fn program_header(path: &str, size: u64, mtime: u64) -> io::Result<Vec<u8>> {
    header(path, size, mtime, *b"0000755\0")
}

fn header(path: &str, size: u64, mtime: u64, mode: [u8; 8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(BLOCK);
    let (prefix, name) = if let Some(parts) = split_name(path) {
        parts
    } else {
        let record = pax_record("path", path);
        let head = ustar_header("", "pax", record.len() as u64, (mtime, mode), b'x')?;
        out.extend_from_slice(&head);
        out.extend_from_slice(record.as_bytes());
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        ("", "long")
    };
    out.extend_from_slice(&ustar_header(prefix, name, size, (mtime, mode), b'0')?);
    Ok(out)
}

/// Splits a path so that it fits into the prefix and the name of a ustar header.
fn split_name(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= 155 && name.len() <= 100)
}

fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn ustar_header(
    prefix: &str,
    name: &str,
    size: u64,
    (mtime, mode): (u64, [u8; 8]),
    flag: u8,
) -> io::Result<[u8; BLOCK]> {
    if size >= 1 << 33 {
        return Err(io::Error::other("a file of 8 GiB or more does not fit into an archive"));
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, &mode);
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{mtime:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, &[flag]);
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: (u64, [u8; 8]) = (0, *b"0000644\0");

    fn archive(path: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = file_header(path, content.len() as u64, 7).expect("a small file");
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
        bytes
    }

    #[test]
    fn names_of_any_length_read_back() {
        for path in [
            "a".to_owned(),
            "d/".repeat(40) + "file",
            "d/".repeat(120) + "file",
            "x".repeat(300),
            "grüße.yaml".to_owned(),
        ] {
            let mut reader = Reader::new(&*archive(&path, b"hello").leak());
            let entry = reader.next_entry().expect("an archive").expect("an entry");
            assert_eq!(String::from_utf8_lossy(&entry.path), path);
            assert_eq!((entry.size, entry.mode, entry.mtime), (5, 0o644, (7, 0)));
            let mut content = String::new();
            reader.read_to_string(&mut content).expect("content");
            assert_eq!(content, "hello");
            assert_eq!(reader.next_entry().expect("the end"), None);
        }
    }

    #[test]
    fn damaged_archives_are_refused() {
        fn check(bytes: &[u8], expected: &str) {
            let mut reader = Reader::new(bytes);
            let error = loop {
                match reader.next_entry() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("read to its end"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains(expected), "{error}");
        }
        let good = archive("a", &[b'x'; 2000]);
        check(&good[..1000], "cut off at `a`");
        check(&good[..300], "cut off");
        check(b"no archive, but long enough to be one block".repeat(20).as_slice(), "checksum");
        let mut bomb = ustar_header("", "name", 1 << 32, PLAIN, b'L').expect("a header").to_vec();
        bomb.resize(4096, b'a');
        check(&bomb, "too long");
        let sparse = ustar_header("", "hole", 0, PLAIN, b'S').expect("a header");
        check(&sparse, "entry `hole` is a sparse file");
    }

    #[test]
    fn pax_times_may_be_negative_and_fractional() {
        assert_eq!(pax_time(b"12.5"), Some((12, 500_000_000)));
        assert_eq!(pax_time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(pax_time(b"x"), None);
    }
}
