//! Timestamps, as far as go-yaml knows them.
//!
//! Four layouts of Go's `time.Parse`: `2006-1-2T15:4:5.999999999Z07:00` (also with `t`),
//! `2006-1-2 15:4:5.999999999`, and `2006-1-2`.

use std::fmt::Write;

/// The instant as Go's `RFC3339Nano` writes it, when the text is a timestamp.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let mut reader = Reader { rest: text };
    let year = reader.fixed(4)?;
    reader.expect('-')?;
    let month = reader.short()?;
    reader.expect('-')?;
    let day = reader.short()?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let mut out = format!("{year:04}-{month:02}-{day:02}T");
    if reader.rest.is_empty() {
        out.push_str("00:00:00Z");
        return Some(out);
    }
    let zoned = match reader.next()? {
        'T' | 't' => true,
        ' ' => false,
        _ => return None,
    };
    let hour = reader.short()?;
    reader.expect(':')?;
    let minute = reader.short()?;
    reader.expect(':')?;
    let second = reader.short()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = reader.fraction()?;
    write!(out, "{hour:02}:{minute:02}:{second:02}").ok()?;
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        write!(out, ".{fraction}").ok()?;
    }
    if zoned {
        out.push_str(&reader.zone()?);
    } else {
        out.push('Z');
    }
    reader.rest.is_empty().then_some(out)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn digits(&mut self, most: usize) -> &'a str {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    fn fixed(&mut self, count: usize) -> Option<u32> {
        let digits = self.digits(count);
        (digits.len() == count).then(|| digits.parse().ok()).flatten()
    }

    /// One digit or two.
    fn short(&mut self) -> Option<u32> {
        self.digits(2).parse().ok()
    }

    /// The digits after a point, at most nine of which count.
    fn fraction(&mut self) -> Option<&'a str> {
        let Some(rest) = self.rest.strip_prefix(['.', ',']) else { return Some("") };
        self.rest = rest;
        let digits = self.digits(usize::MAX);
        if digits.is_empty() { None } else { Some(&digits[..digits.len().min(9)]) }
    }

    fn zone(&mut self) -> Option<String> {
        if self.expect('Z').is_some() {
            return Some("Z".to_owned());
        }
        let sign = self.next().filter(|sign| matches!(sign, '+' | '-'))?;
        let hours = self.fixed(2)?;
        self.expect(':')?;
        let minutes = self.fixed(2)?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        Some(if hours == 0 && minutes == 0 {
            "Z".to_owned()
        } else {
            format!("{sign}{hours:02}:{minutes:02}")
        })
    }
}
