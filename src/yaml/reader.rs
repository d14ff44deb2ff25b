//! Bytes to characters, and which characters YAML allows.

use super::problem::{Mark, Problem, Stage};
use std::borrow::Cow;

/// go-yaml reads its input in blocks of so many bytes, and so finds a character that is not allowed
/// before it looks at anything else in its block.
const BLOCK: usize = 512;

fn problem(text: &'static str, at: usize) -> Problem {
    let mark = Mark::new(at, 0);
    let mut problem = Problem::parser(text, mark);
    problem.stage = Stage::Reader;
    problem
}

/// The first character that YAML does not allow, if there is one, and where its block begins.
pub(super) fn check(text: &str) -> Option<(usize, Problem)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += position(&bytes[at..], suspicious)?;
        let character = text[at..].chars().next()?;
        if !allowed(character) {
            let mut limit = at / BLOCK * BLOCK;
            while !text.is_char_boundary(limit) {
                limit -= 1;
            }
            return Some((limit, problem("control characters are not allowed", at)));
        }
        at += character.len_utf8();
    }
}

#[expect(clippy::needless_bitwise_bool, reason = "branches would have bytes looked at singly")]
fn suspicious(byte: u8) -> bool {
    let space = (byte == b'\t') | (byte == b'\n') | (byte == b'\r');
    (byte < 0x20) & !space | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xef)
}

/// Where the first byte is for which `wanted` holds. Many bytes are looked at together, which is
/// fast for long runs of others when `wanted` has no branches.
#[inline]
pub(super) fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<32>();
    let none = |chunk: &&[u8; 32]| !chunk.iter().fold(false, |any, byte| any | wanted(*byte));
    let skipped = 32 * chunks.iter().take_while(none).count();
    let here = &bytes[skipped..];
    here.iter().position(|byte| wanted(*byte)).map(|at| skipped + at)
}

fn allowed(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' | '\u{85}' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        character => !character.is_control(),
    }
}

/// The text of bytes: UTF-8, or UTF-16 with a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(bad_utf8(bytes, error.valid_up_to())),
        },
    }
}

fn bad_utf8(bytes: &[u8], at: usize) -> Problem {
    // a control character further up is found first
    if let Ok(text) = std::str::from_utf8(&bytes[..at])
        && let Some((_, problem)) = check(text)
    {
        return problem;
    }
    let rest = &bytes[at..];
    let width = match rest[0] {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return problem("invalid leading UTF-8 octet", at),
    };
    if rest.len() < width {
        return problem("incomplete UTF-8 octet sequence", at);
    }
    if rest[1..width].iter().any(|octet| octet & 0xc0 != 0x80) {
        return problem("invalid trailing UTF-8 octet", at);
    }
    let overlong = match width {
        2 => true,
        3 => rest[0] == 0xe0 && rest[1] < 0xa0,
        _ => rest[0] == 0xf0 && rest[1] < 0x90,
    };
    let text =
        if overlong { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" };
    problem(text, at)
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Problem> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len());
    let mut units = units.enumerate().peekable();
    while let Some((index, first)) = units.next() {
        let at = 2 + index * 2;
        let character = match first {
            0xdc00..=0xdfff => return Err(problem("unexpected low surrogate area", at)),
            0xd800..=0xdbff => {
                let Some((_, second)) = units.next() else {
                    return Err(problem("incomplete UTF-16 surrogate pair", at));
                };
                match char::decode_utf16([first, second]).next() {
                    Some(Ok(character)) => character,
                    _ => return Err(problem("expected low surrogate area", at)),
                }
            }
            unit => char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}'),
        };
        if !allowed(character) {
            return Err(problem("control characters are not allowed", at));
        }
        text.push(character);
    }
    if bytes.len() % 2 == 1 {
        return Err(problem("incomplete UTF-16 character", bytes.len() + 1));
    }
    Ok(text)
}
