//! Base64 as Go decodes it: line breaks do not count, and what is wrong is told by its place.

/// The bytes of a text in base64.
///
/// # Errors
/// Go's text.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let fault = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let line_breaks =
        |at: usize| text[at..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut at) = (0u32, 0, 0);
    while let Some(byte) = text.get(at) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'=' if count >= 2 => {
                at += 1;
                if count == 2 {
                    at += line_breaks(at);
                    match text.get(at) {
                        None => return fault(text.len()),
                        Some(b'=') => at += 1,
                        Some(_) => return fault(at - 1),
                    }
                }
                at += line_breaks(at);
                if at < text.len() {
                    return fault(at);
                }
                // the digits that are missing count as zeros
                let whole = (bits << (6 * (4 - count))).to_be_bytes();
                out.extend_from_slice(&whole[1..count]);
                return Ok(out);
            }
            _ => return fault(at),
        };
        at += 1;
        bits = bits << 6 | u32::from(digit);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    if count > 0 { fault(at - count) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn decodes_as_go_does() {
        #[track_caller]
        fn check(text: &str, expected: Result<&[u8], usize>) {
            let expected = expected
                .map(<[u8]>::to_vec)
                .map_err(|at| format!("illegal base64 data at input byte {at}"));
            assert_eq!(decode(text.as_bytes()), expected, "{text:?}");
        }
        check("", Ok(b""));
        check("YQ==", Ok(b"a"));
        check("YW\nI=\r\n", Ok(b"ab"));
        check("YWJj", Ok(b"abc"));
        check("notbase64!", Err(9));
        check("YQ=", Err(3));
        check("YQ", Err(0));
        check("YWJjZ", Err(4));
        check("YQ==x", Err(4));
        check("Y===", Err(1));
        check("YQ=x", Err(2));
    }
}
