//! `format`: what a text must look like. Drafts before 2019-09 insist on it, later ones do not.

use crate::template::gotmpl::regexp;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is wrong with a text of a format; nothing for formats that are not known.
pub(super) fn fault(format: &str, text: &str) -> Option<String> {
    let fault = match format {
        "ipv4" if text.matches('.').count() != 3 => Some("expected four decimals"),
        "ipv4" => text.parse::<Ipv4Addr>().is_err().then_some("invalid ipv4 address"),
        "ipv6" => text.parse::<Ipv6Addr>().is_err().then_some("invalid ipv6 address"),
        "hostname" => hostname(text),
        "email" => email(text),
        "date" => return date(text).map(|why| format!("parsing time {text:?}: {why}")),
        "time" => time(text),
        "date-time" => match text.split_at_checked(10) {
            Some((day, rest)) if rest.starts_with(['T', 't']) => {
                date(day).or_else(|| time(&rest[1..]))
            }
            _ => Some("invalid date-time"),
        },
        "uri" | "iri" => match text.split_once(':') {
            Some((scheme, rest)) => {
                let plain = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                (!plain || !is_reference(rest)).then_some("invalid uri")
            }
            None => Some("relative url"),
        },
        "uri-reference" | "iri-reference" => (!is_reference(text)).then_some("invalid uri"),
        "uuid" => uuid(text),
        "json-pointer" => {
            (!text.is_empty() && !text.starts_with('/')).then_some("not starting with /")
        }
        "regex" => return regexp::automaton(text).err(),
        _ => None,
    };
    fault.map(ToOwned::to_owned)
}

fn is_reference(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || " <>\"{}|\\^`".contains(c))
}

fn hostname(text: &str) -> Option<&'static str> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return Some("more than 253 characters long");
    }
    for label in text.split('.') {
        if !(1..=63).contains(&label.len()) {
            return Some("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return Some("label starts with hyphen");
        }
        if label.ends_with('-') {
            return Some("label ends with hyphen");
        }
        if !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Some("invalid character");
        }
    }
    None
}

fn email(text: &str) -> Option<&'static str> {
    if text.len() > 254 {
        return Some("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return Some("missing @") };
    if local.len() > 64 {
        return Some("local part more than 64 characters long");
    }
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    if !quoted {
        if local.starts_with('.') {
            return Some("starts with dot");
        }
        if local.ends_with('.') {
            return Some("ends with dot");
        }
        if local.contains("..") {
            return Some("consecutive dots");
        }
        let fine = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        if local.is_empty() || !local.chars().all(fine) {
            return Some("invalid character");
        }
    }
    if domain.starts_with('[') && domain.ends_with(']') { None } else { hostname(domain) }
}

fn date(text: &str) -> Option<&'static str> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return Some("cannot parse it as \"2006-01-02\"");
    }
    let month = text[5..7].parse::<u8>().is_ok_and(|month| (1..=12).contains(&month));
    match text.parse::<jiff::civil::Date>() {
        Ok(_) => None,
        Err(_) if !month => Some("month out of range"),
        Err(_) => Some("day out of range"),
    }
}

fn time(text: &str) -> Option<&'static str> {
    let digits = |at: usize| text.get(at..at + 2).and_then(|two| two.parse::<u32>().ok());
    let (Some(hour), Some(minute), Some(second)) = (digits(0), digits(3), digits(6)) else {
        return Some("invalid time");
    };
    let colons = text.get(2..3) == Some(":") && text.get(5..6) == Some(":");
    let zone = text[8..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let zoned = matches!(zone, "Z" | "z") || (zone.len() == 6 && zone.starts_with(['+', '-']));
    (!colons || hour > 23 || minute > 59 || second > 60 || !zoned).then_some("invalid time")
}

fn uuid(text: &str) -> Option<&'static str> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    if groups != [8, 4, 4, 4, 12] {
        return Some("invalid length");
    }
    (!text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())).then_some("non-hex character")
}
