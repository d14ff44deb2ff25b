//! PEM: bytes as text between lines that say what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block of the kind.
pub(super) fn encode(kind: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {kind}-----\n");
    for start in (0..text.len()).step_by(64) {
        out.push_str(&text[start..text.len().min(start + 64)]);
        out.push('\n');
    }
    out + "-----END " + kind + "-----\n"
}

/// The kind and the bytes of the first block in a text.
pub(super) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let mut rest = &*text;
    loop {
        let begin = rest.find("-----BEGIN ")?;
        let starts_line = begin == 0 || rest.as_bytes()[begin - 1] == b'\n';
        rest = &rest[begin + "-----BEGIN ".len()..];
        if !starts_line {
            continue;
        }
        let (kind, after) = rest.split_once('\n')?;
        let Some(kind) = kind.trim_end().strip_suffix("-----") else { continue };
        let Some((body, _)) = after.split_once(&format!("-----END {kind}-----")) else { continue };
        // lines with a colon are headers
        let body: String = body
            .lines()
            .filter(|line| !line.contains(':'))
            .flat_map(str::chars)
            .filter(|char| !char.is_ascii_whitespace())
            .collect();
        if let Ok(bytes) = STANDARD.decode(body) {
            return Some((kind.to_owned(), bytes));
        }
    }
}
