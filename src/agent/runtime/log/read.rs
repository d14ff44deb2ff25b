//! Reading: the last lines, since a time, across files that were put aside, and following.
//!
//! The tail is found by reading backwards, so that the end of a large log costs little. Following
//! waits for inotify events of the log's folder, and reads a renamed file to its end before it
//! goes on with the new one.

use super::super::sys;
use super::Stream;
use super::write::rotated;
use bytes::Bytes;
use futures::stream::Stream as Items;
use jiff::Timestamp;
use rustix::fs::inotify;
use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// How much is sent at a time.
const CHUNK: usize = 32 << 10;
/// How much is read at a time when going backwards.
const BLOCK: u64 = 64 << 10;

/// Which part of a log is wanted, and how.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Only the last lines.
    pub tail: Option<u64>,
    /// Only lines of this time or later.
    pub since: Option<Timestamp>,
    /// At most this many bytes.
    pub limit_bytes: Option<u64>,
    /// Put the time before each line.
    pub timestamps: bool,
    /// Wait for more until the container has ended.
    pub follow: bool,
    /// Only one of the two outputs.
    pub stream: Option<Stream>,
}

/// A log that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the log `{}`", path.display())]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// Reads a log as its readers see it: text without the format's own columns.
///
/// With `follow`, goes on until `ended` completes and everything written by then was read.
pub fn read<E: Future<Output = ()> + Send + 'static>(
    path: &Path,
    options: LogOptions,
    ended: E,
) -> Result<impl Items<Item = Result<Bytes, LogError>> + Send + use<E>, LogError> {
    let path = path.to_owned();
    let fault = |source| LogError { path: path.clone(), source };
    // before the first look, so that nothing written in between is missed
    let watch = if options.follow { Some(Watch::new(&path).map_err(fault)?) } else { None };
    let files = open_all(&path).map_err(fault)?;
    let reader = Reader {
        left: options.limit_bytes.unwrap_or(u64::MAX),
        path,
        options,
        files,
        current: None,
        watch,
        ended: Some(Box::pin(ended)),
        line_start: true,
    };
    Ok(futures::stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(reader))),
            Ok(None) => None,
            Err(source) => Some((Err(LogError { path: reader.path, source }), None)),
        }
    }))
}

struct Reader {
    path: PathBuf,
    options: LogOptions,
    /// Files to read, the oldest first.
    files: VecDeque<File>,
    current: Option<(BufReader<File>, Vec<u8>)>,
    watch: Option<Watch>,
    /// `None` when the container has ended.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes that may still be sent.
    left: u64,
    /// Whether the next piece begins a line, and so gets a time.
    line_start: bool,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(lines) = self.options.tail.take() {
            skip_to_tail(&mut self.files, lines, self.options.stream)?;
        }
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let bytes = self.read_some()?;
            if !bytes.is_empty() {
                self.left -= bytes.len() as u64;
                return Ok(Some(bytes.into()));
            }
            if let Some(file) = self.files.pop_front() {
                self.current = Some((BufReader::with_capacity(CHUNK, file), Vec::new()));
                continue;
            }
            if self.watch.is_some() && self.open_successor()? {
                continue;
            }
            let Some(watch) = &self.watch else { return Ok(None) };
            let Some(ended) = &mut self.ended else { return Ok(None) };
            tokio::select! {
                () = ended => self.ended = None,
                result = watch.wait() => result?,
            }
        }
    }

    /// Reads on in the current file; nothing when it is at its end.
    fn read_some(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let Some((file, line)) = &mut self.current else { return Ok(out) };
        while out.len() < CHUNK {
            file.read_until(b'\n', line)?;
            if line.last() != Some(&b'\n') {
                // a line that is being written is kept for later
                break;
            }
            if let Some(entry) = Entry::parse(line)
                && self.options.stream.is_none_or(|stream| stream == entry.stream)
                && self.options.since.is_none_or(|since| entry.time >= since)
            {
                if self.options.timestamps && self.line_start {
                    out.extend_from_slice(entry.time_text);
                    out.push(b' ');
                }
                out.extend_from_slice(entry.text);
                if entry.full {
                    out.push(b'\n');
                }
                self.line_start = entry.full;
            }
            line.clear();
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        out.truncate(left);
        Ok(out)
    }

    /// When the log was put aside, goes on with what came after it.
    fn open_successor(&mut self) -> io::Result<bool> {
        let own = match &self.current {
            Some((file, _)) => Some(file.get_ref().metadata()?.ino()),
            None => None,
        };
        let files = open_all(&self.path)?;
        let mut inodes = Vec::with_capacity(files.len());
        for file in &files {
            inodes.push(file.metadata()?.ino());
        }
        let after = inodes.iter().position(|inode| Some(*inode) == own).map_or(0, |at| at + 1);
        self.files = files.into_iter().skip(after).collect();
        Ok(!self.files.is_empty())
    }
}

/// The files of a log, the oldest first.
fn open_all(path: &Path) -> io::Result<VecDeque<File>> {
    let mut files = VecDeque::new();
    for path in rotated(path)?.iter().map(PathBuf::as_path).chain([path]) {
        match File::open(path) {
            Ok(file) => files.push_back(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// Drops or winds forward files until the given number of lines is left.
fn skip_to_tail(files: &mut VecDeque<File>, lines: u64, only: Option<Stream>) -> io::Result<()> {
    let mut missing = lines;
    let mut keep = files.len();
    while keep > 0 && missing > 0 {
        keep -= 1;
        let file = &mut files[keep];
        let (offset, found) = tail_offset(file, missing, only)?;
        file.seek(SeekFrom::Start(offset))?;
        missing -= found;
    }
    if missing == 0 && lines == 0 {
        if let Some(file) = files.back_mut() {
            file.seek(SeekFrom::End(0))?;
        }
        keep = files.len().saturating_sub(1);
    }
    files.drain(..keep);
    Ok(())
}

/// Where the last lines of a file begin, and how many there are, up to the number asked for.
fn tail_offset(file: &mut File, lines: u64, only: Option<Stream>) -> io::Result<(u64, u64)> {
    let mut end = file.metadata()?.len();
    let mut found = 0;
    // the beginning of the line that goes on in the block after
    let mut rest: Vec<u8> = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).expect("a block is small")];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.append(&mut rest);
        let mut upto = block.len();
        while let Some(at) = block[..upto.saturating_sub(1)].iter().rposition(|&b| b == b'\n') {
            found += u64::from(counts(&block[at + 1..upto], only));
            if found > lines {
                // the line before the wanted ones was seen whole: they begin after it
                return Ok((start + upto as u64, lines));
            }
            upto = at + 1;
        }
        rest = block[..upto].to_vec();
        end = start;
    }
    if !rest.is_empty() {
        found += u64::from(counts(&rest, only));
        if found > lines {
            return Ok((rest.len() as u64, lines));
        }
    }
    Ok((0, found))
}

/// Whether an entry ends a line; pieces belong to the line that they begin.
fn counts(line: &[u8], only: Option<Stream>) -> bool {
    Entry::parse(line)
        .is_some_and(|entry| entry.full && only.is_none_or(|stream| stream == entry.stream))
}

/// One line of the format.
struct Entry<'a> {
    time: Timestamp,
    time_text: &'a [u8],
    stream: Stream,
    full: bool,
    text: &'a [u8],
}

impl Entry<'_> {
    fn parse(line: &[u8]) -> Option<Entry<'_>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut fields = line.splitn(4, |&byte| byte == b' ');
        let time_text = fields.next()?;
        let time = std::str::from_utf8(time_text).ok()?.parse().ok()?;
        let stream = match fields.next()? {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        let full = !fields.next()?.starts_with(b"P");
        Some(Entry { time, time_text, stream, full, text: fields.next()? })
    }
}

/// Tells when something happens in the log's folder.
#[derive(Debug)]
struct Watch(AsyncFd<rustix::fd::OwnedFd>);

impl Watch {
    fn new(path: &Path) -> io::Result<Watch> {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let events = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::MOVED_TO;
        let folder = path.parent().unwrap_or(Path::new("/"));
        inotify::add_watch(&fd, folder, events)?;
        Ok(Watch(sys::readable(fd)?))
    }

    async fn wait(&self) -> io::Result<()> {
        let mut guard = self.0.readable().await?;
        let mut events = [0; 4096];
        // what happened does not matter: the files tell
        while rustix::io::read(self.0.get_ref(), &mut events[..]).is_ok_and(|count| count > 0) {}
        guard.clear_ready();
        Ok(())
    }
}
