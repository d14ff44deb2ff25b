//! Where a container's output and last words are kept, and reading its last words.

use super::host::Host;
use super::start::container_id;
use crate::object::meta;
use crate::yaml::Node;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A termination message is cut after so many bytes.
const MESSAGE_LIMIT: u64 = 4096;

/// Of a log, at most so many lines and bytes stand for a message.
const LOG_LINES: usize = 80;
const LOG_BYTES: usize = 2048;

/// Where a container's output is kept.
pub(super) fn log_path(host: &Host, uid: &str, container: &str, attempt: u32) -> PathBuf {
    host.config
        .state_dir
        .join("pods")
        .join(uid)
        .join("logs")
        .join(container)
        .join(format!("{attempt}.log"))
}

/// Makes the file that the program may leave its last words in.
pub(super) fn make(host: &Host, pod: &Node, container: &Node, attempt: u32) -> io::Result<PathBuf> {
    let path = message_path(host, pod, container, attempt);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, b"")?;
    // whoever the program runs as may write it
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    Ok(path)
}

/// The last words of a container that ended.
pub(super) fn read(host: &Host, pod: &Node, container: &Node, attempt: u32, code: i32) -> String {
    let path = message_path(host, pod, container, attempt);
    let mut text = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        // a program could have written without end
        let _ = file.take(MESSAGE_LIMIT).read_to_end(&mut text);
    }
    let from_log = container.str_at(&["terminationMessagePolicy"]) == Some("FallbackToLogsOnError");
    if text.is_empty() && from_log && code != 0 {
        let name = container.str_at(&["name"]).unwrap_or_default();
        return log_tail(&log_path(host, meta::uid(pod), name, attempt)).unwrap_or_default();
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn message_path(host: &Host, pod: &Node, container: &Node, attempt: u32) -> PathBuf {
    let id = container_id(pod, container, attempt);
    host.config.run_dir.join("pods").join(meta::uid(pod)).join("messages").join(id)
}

/// The end of a log, without the times of its lines.
fn log_tail(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(16 << 10))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<String> = Vec::new();
    let mut is_open = false;
    for entry in text.lines() {
        let mut fields = entry.splitn(4, ' ').skip(2);
        let (Some(tag), Some(piece)) = (fields.next(), fields.next()) else { continue };
        match lines.last_mut().filter(|_| is_open) {
            Some(line) => line.push_str(piece),
            None => lines.push(piece.to_owned()),
        }
        // a piece is not a whole line
        is_open = tag.starts_with('P');
        if !is_open && let Some(line) = lines.last_mut() {
            line.push('\n');
        }
    }
    let mut size = 0;
    let kept = lines.iter().rev().take(LOG_LINES).take_while(|line| {
        size += line.len();
        size <= LOG_BYTES
    });
    let skip = lines.len() - kept.count();
    Some(lines[skip..].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_cut_by_lines_and_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let check = |text: &str, expected: &str| {
            fs::write(file.path(), text).unwrap();
            assert_eq!(log_tail(file.path()).as_deref(), Some(expected));
        };
        check("", "");
        check("t stdout P a\nt stdout F b\nt stdout P c\n", "ab\nc");
        check("t stdout F one\nt stderr F two words\n", "one\ntwo words\n");
        let lines = |from: u8, before: &str| {
            (from..200).flat_map(|n| [before.to_owned(), n.to_string(), "\n".into()]).collect()
        };
        let (many, last): (String, String) = (lines(0, "t stdout F "), lines(120, ""));
        check(&many, &last);
        let long = "x".repeat(1500);
        check(&format!("t stdout F {long}\nt stdout F {long}\n"), &format!("{long}\n"));
    }
}
