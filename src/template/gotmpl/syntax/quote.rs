//! Texts in quotes: Go's `strconv.Unquote`.

use super::lex::decode;

/// The text in quotes or backquotes; nothing when it is not well-formed.
pub(super) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let (quote, inner) = match text {
        [first, inner @ .., last] if first == last => (*first, inner),
        _ => return None,
    };
    if quote == b'`' {
        return Some(inner.iter().copied().filter(|byte| *byte != b'\r').collect());
    }
    if !inner.contains(&b'\\') && std::str::from_utf8(inner).is_ok() {
        return Some(inner.to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (code, is_byte, tail) = unquote_char(rest, quote)?;
        match u8::try_from(code) {
            Ok(byte) if is_byte || byte < 0x80 => out.push(byte),
            _ => {
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = tail;
    }
    Some(out)
}

/// The first character or escape: its code, whether that is a byte rather than a character, and
/// what follows.
pub(super) fn unquote_char(text: &[u8], quote: u8) -> Option<(u32, bool, &[u8])> {
    let (first, rest) = text.split_first()?;
    if *first == quote || *first == b'\n' {
        return None;
    }
    if *first != b'\\' {
        let (c, length) = decode(text)?;
        return Some((u32::from(c), false, &text[length..]));
    }
    let (escape, rest) = rest.split_first()?;
    let simple = match escape {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => 10,
        b'r' => 13,
        b't' => 9,
        b'v' => 11,
        b'\\' => 92,
        b'\'' | b'"' if *escape == quote => u32::from(quote),
        b'x' => return digits(rest, 2, 16, 0xff).map(|(code, rest)| (code, true, rest)),
        b'u' => return character(rest, 4),
        b'U' => return character(rest, 8),
        b'0'..=b'7' => {
            let whole = &text[1..];
            return digits(whole, 3, 8, 0xff).map(|(code, rest)| (code, true, rest));
        }
        _ => return None,
    };
    Some((simple, false, rest))
}

fn character(text: &[u8], length: usize) -> Option<(u32, bool, &[u8])> {
    let (code, rest) = digits(text, length, 16, 0x0010_ffff)?;
    char::from_u32(code)?;
    Some((code, false, rest))
}

fn digits(text: &[u8], length: usize, base: u32, limit: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(length)?;
    let mut code = 0u32;
    for byte in digits {
        code = code.checked_mul(base)?.checked_add(char::from(*byte).to_digit(base)?)?;
    }
    (code <= limit).then_some((code, rest))
}
