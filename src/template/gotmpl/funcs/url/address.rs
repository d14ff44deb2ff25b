//! Whether a text is an IP address, with the words of Go's `net/netip` for why it is none.

use crate::template::gotmpl::fmt::quote::quote;

/// What kind of address a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    V4,
    V6,
}

/// The kind of an address, which may name a zone.
///
/// # Errors
/// Go's words.
pub(super) fn check(text: &[u8]) -> Result<Family, String> {
    let told = |(error, at): Wrong<'_>| {
        let at = at.map(|at| format!(" (at {})", quote(at))).unwrap_or_default();
        format!("ParseAddr({}): {error}{at}", quote(text))
    };
    match text.iter().find(|byte| b".:%".contains(byte)) {
        Some(b'.') => four(text).map(|()| Family::V4).map_err(told),
        Some(b':') => six(text).map(|()| Family::V6).map_err(told),
        Some(_) => Err(told(("missing IPv6 address", None))),
        None => Err(told(("unable to parse IP", None))),
    }
}

/// What is wrong, and the rest of the text from there.
type Wrong<'a> = (&'static str, Option<&'a [u8]>);

fn four(text: &[u8]) -> Result<(), Wrong<'_>> {
    let (mut value, mut digits, mut points) = (0, 0, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(("IPv4 field has octet with leading zero", None));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(("IPv4 field has value >255", None));
                }
            }
            b'.' => {
                if at == 0 || at + 1 == text.len() || text[at - 1] == b'.' {
                    let error = "IPv4 field must have at least one digit";
                    return Err((error, Some(&text[at..])));
                }
                if points == 3 {
                    return Err(("IPv4 address too long", None));
                }
                points += 1;
                (value, digits) = (0, 0);
            }
            _ => return Err(("unexpected character", Some(&text[at..]))),
        }
    }
    if points < 3 { Err(("IPv4 address too short", None)) } else { Ok(()) }
}

fn six(text: &[u8]) -> Result<(), Wrong<'_>> {
    let zone = text.iter().position(|byte| *byte == b'%');
    if zone == Some(text.len() - 1) {
        return Err(("zone must be a non-empty string", None));
    }
    let mut rest = &text[..zone.unwrap_or(text.len())];
    let mut gap = None;
    if let Some(after) = rest.strip_prefix(b"::") {
        gap = Some(0);
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
    let mut bytes = 0;
    while bytes < 16 {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits > 4 {
            return Err(("each group must have 4 or less digits", Some(rest)));
        }
        if digits == 0 {
            let error = "each colon-separated field must have at least one digit";
            return Err((error, Some(rest)));
        }
        if rest.get(digits) == Some(&b'.') {
            if gap.is_none() && bytes != 12 {
                let error = "embedded IPv4 address must replace the final 2 fields of the address";
                return Err((error, Some(rest)));
            }
            if bytes > 12 {
                let error = "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err((error, Some(rest)));
            }
            four(rest)?;
            rest = b"";
            bytes += 4;
            break;
        }
        bytes += 2;
        rest = &rest[digits..];
        match rest {
            [] => break,
            [b':'] => return Err(("colon must be followed by more characters", Some(rest))),
            [b':', after @ ..] => rest = after,
            _ => return Err(("unexpected character, want colon", Some(rest))),
        }
        if let Some(after) = rest.strip_prefix(b":") {
            if gap.is_some() {
                return Err(("multiple :: in address", Some(rest)));
            }
            gap = Some(bytes);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() {
        return Err(("trailing garbage after address", Some(rest)));
    }
    match gap {
        None if bytes < 16 => Err(("address string too short", None)),
        Some(_) if bytes == 16 => Err(("the :: must expand to at least one field of zeros", None)),
        _ => Ok(()),
    }
}
