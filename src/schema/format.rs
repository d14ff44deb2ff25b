//! The texts that a format or a kind of value allows. A format that is not known allows any text,
//! as in an API server.

use std::net::{Ipv4Addr, Ipv6Addr};

/// True when a text is what the format says.
pub(super) fn holds(format: &str, text: &str) -> bool {
    match format {
        "byte" => is_base64(text),
        "date-time" | "datetime" => is_time(text),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "ip" => text.parse::<std::net::IpAddr>().is_ok(),
        "cidr" => is_cidr(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text),
        "duration" => is_duration(text),
        "mac" => {
            let pairs: Vec<&str> = text.split([':', '-']).collect();
            matches!(pairs.len(), 6 | 8 | 20)
                && pairs.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
        }
        _ => true,
    }
}

/// What a text of the format looks like, for messages.
pub(super) fn describe(format: &str) -> &'static str {
    match format {
        "byte" => "base64 with padding",
        "date-time" | "datetime" => "a time such as `2024-01-31T12:00:00Z`",
        "date" => "a date such as `2024-01-31`",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "ip" => "an IP address",
        "cidr" => "a network such as `10.0.0.0/8`",
        "uuid" | "uuid3" | "uuid4" | "uuid5" => "a UUID",
        "duration" => "a duration such as `1h30m`",
        "mac" => "a MAC address",
        _ => "another text",
    }
}

/// An amount as Kubernetes writes it: a signed decimal number and a suffix.
pub(super) fn is_quantity(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let (digits, suffix) = number.split_at(end);
    let dots = digits.bytes().filter(|byte| *byte == b'.').count();
    if digits.len() == dots || dots > 1 {
        return false;
    }
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti"
        | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !power.is_empty() && power.len() < 10 && power.bytes().all(|b| b.is_ascii_digit())
        }),
    }
}

/// Standard base64 as Go reads it: line breaks are passed over, padding is needed.
fn is_base64(text: &str) -> bool {
    let mut length = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'\r' | b'\n' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        length += 1;
    }
    length.is_multiple_of(4) && padding <= 2
}

/// RFC 3339 with a zone.
fn is_time(text: &str) -> bool {
    let zoned = text.ends_with(['Z', 'z'])
        || text.len() > 6 && matches!(text.as_bytes()[text.len() - 6], b'+' | b'-');
    zoned
        && text.get(10..11).is_some_and(|t| t == "T" || t == "t" || t == " ")
        && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits <= most
}

fn is_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A duration as Go writes it: `1h30m`, `-1.5s`, `0`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut parts = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let units = ["ns", "us", "µs", "ms", "s", "m", "h", "d", "w"];
        // `ms` before `m`
        let unit = units.iter().filter(|unit| tail.starts_with(**unit)).max_by_key(|u| u.len());
        let Some(unit) = unit.filter(|_| number.parse::<f64>().is_ok()) else { return false };
        rest = &tail[unit.len()..];
        parts += 1;
    }
    parts > 0
}

#[cfg(test)]
mod tests {
    use super::{holds, is_quantity};

    #[test]
    fn quantities() {
        for good in ["1", "100m", "0.5", "1.5Gi", "1e3", "1E-2", "+5", "-1k", ".5", "5.", "12E"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "m", "1 Gi", "1gi", "1GB", "1.2.3", "1e", "0x1", "one", ".", "500mb"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn formats() {
        for (format, good, bad) in [
            ("byte", "aGVsbG8=", "aGVsbG8"),
            ("byte", "aGVs\nbG8=\n", "a b="),
            ("date-time", "2024-01-31T12:00:00Z", "2024-01-31"),
            ("date-time", "2024-01-31T12:00:00.5+02:00", "2024-01-31T12:00:00"),
            ("date", "2024-02-29", "2023-02-29"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("duration", "1h30m", "1x"),
            ("duration", "250ms", "5"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ] {
            assert!(holds(format, good), "{format}: {good}");
            assert!(!holds(format, bad), "{format}: {bad}");
        }
        assert!(holds("something else", "any"));
    }
}
