//! Writing: splitting output into log lines, and putting full files aside.

use super::Stream;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The longest piece in one line, as containerd and dockershim cut them.
const LONGEST_PIECE: usize = 16 << 10;

/// A log file that is put aside when it is full.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
    max_files: u32,
}

impl Writer {
    /// Opens a log for appending.
    pub(crate) fn open(path: &Path, max_bytes: u64, max_files: u32) -> io::Result<Writer> {
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Writer { path: path.to_owned(), file, size, max_bytes, max_files: max_files.max(1) })
    }

    /// Appends whole lines. A file takes no more than its size, but always one line.
    pub(crate) fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let room = self.max_bytes.saturating_sub(self.size);
            let mut fits = whole_lines(lines, usize::try_from(room).unwrap_or(usize::MAX));
            if fits == 0 && self.size > 0 {
                self.rotate()?;
                continue;
            }
            if fits == 0 {
                fits = lines.iter().position(|&b| b == b'\n').map_or(lines.len(), |at| at + 1);
            }
            let (now, rest) = lines.split_at(fits);
            self.file.write_all(now)?;
            self.size += now.len() as u64;
            lines = rest;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(Timestamp::now().strftime(".%Y%m%d-%H%M%S.%9f").to_string());
        std::fs::rename(&self.path, &name)?;
        let mut old = rotated(&self.path)?;
        let keep = usize::try_from(self.max_files - 1).unwrap_or(usize::MAX);
        let surplus = old.len().saturating_sub(keep);
        for path in old.drain(..surplus) {
            std::fs::remove_file(path)?;
        }
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

/// How many bytes the whole lines have that fit into so much room.
fn whole_lines(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    lines[..room].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// The files of this log that were put aside, the oldest first.
pub(super) fn rotated(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let mut prefix = name.to_owned();
    prefix.push(".");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Cuts one stream into lines.
#[derive(Debug)]
pub(crate) struct Splitter {
    stream: Stream,
    held: Vec<u8>,
}

impl Splitter {
    pub(crate) fn new(stream: Stream) -> Splitter {
        Splitter { stream, held: Vec::new() }
    }

    /// Takes output that was read at a time, and appends the log lines that are complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], now: Timestamp, lines: &mut Vec<u8>) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.pieces(&bytes[..end], now, lines);
            let held = std::mem::take(&mut self.held);
            self.line('F', &held, now, lines);
            bytes = &bytes[end + 1..];
        }
        self.pieces(bytes, now, lines);
    }

    /// Whether something waits for the end of its line.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Appends what has no line end, when none is to be expected.
    pub(crate) fn finish(&mut self, now: Timestamp, lines: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.line('P', &held, now, lines);
        }
    }

    /// Holds bytes back, but never more than one piece of them.
    fn pieces(&mut self, mut bytes: &[u8], now: Timestamp, lines: &mut Vec<u8>) {
        while self.held.len() + bytes.len() > LONGEST_PIECE {
            let (piece, rest) = bytes.split_at(LONGEST_PIECE - self.held.len());
            self.held.extend_from_slice(piece);
            let held = std::mem::take(&mut self.held);
            self.line('P', &held, now, lines);
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
    }

    fn line(&self, tag: char, text: &[u8], now: Timestamp, lines: &mut Vec<u8>) {
        let name = self.stream.name();
        write!(lines, "{now:.9} {name} {tag} ").expect("a vector takes every byte");
        lines.extend_from_slice(text);
        lines.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[&str]) -> Vec<String> {
        let now = Timestamp::new(1, 5).expect("a time");
        let mut splitter = Splitter::new(Stream::Stdout);
        let mut lines = Vec::new();
        for part in parts {
            splitter.feed(part.as_bytes(), now, &mut lines);
        }
        splitter.finish(now, &mut lines);
        String::from_utf8(lines)
            .expect("text")
            .lines()
            .map(|line| {
                line.strip_prefix("1970-01-01T00:00:01.000000005Z stdout ")
                    .expect("a prefix")
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn lines_and_pieces() {
        assert_eq!(split(&["a\nb", "c\n", "\nend"]), ["F a", "F bc", "F ", "P end"]);
        let long = "x".repeat(LONGEST_PIECE + 3);
        let lines = split(&[&long, "y\n"]);
        assert_eq!(lines, [format!("P {}", "x".repeat(LONGEST_PIECE)), "F xxxy".to_owned()]);
    }

    #[test]
    fn full_files_are_put_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("0.log");
        let mut writer = Writer::open(&path, 10, 3).expect("a log");
        for line in ["aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n"] {
            writer.write(line.as_bytes()).expect("written");
        }
        let texts: Vec<String> = rotated(&path)
            .expect("names")
            .iter()
            .chain([&path])
            .map(|path| std::fs::read_to_string(path).expect("text"))
            .collect();
        assert_eq!(texts, ["cccc\ndddd\n", "eeee\nffff\n", "gggg\n"]);
    }
}
