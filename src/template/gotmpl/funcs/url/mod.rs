//! URLs taken apart and put together, as Go's `net/url` does.

mod address;

use super::lists::NIL;
use super::strval::kind_of;
use crate::template::gotmpl::fmt::quote::quote;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY_MAP, STRING};
use crate::template::gotmpl::value::{Entries, Text, Value};

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("urlJoin", &[&ANY_MAP], url_join),
    Function::new("urlParse", &[&STRING], url_parse),
];

/// The parts of a URL, unescaped, but for the query.
#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl User {
    fn text(&self) -> Vec<u8> {
        let mut out = escaped(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escaped(password, Part::User));
        }
        out
    }
}

fn url_parse(call: &mut Call<'_>) -> Result<Value, Failure> {
    let told = |error| Failure::new(format!("unable to parse url: {error}"));
    let url = parse(call.text(0)).map_err(told)?;
    let user = url.user.as_ref().map(User::text).unwrap_or_default();
    let hostname = hostname(&url.host).to_vec();
    let parts = [
        ("fragment", url.fragment),
        ("host", url.host),
        ("hostname", hostname),
        ("opaque", url.opaque),
        ("path", url.path),
        ("query", url.query),
        ("scheme", url.scheme),
        ("userinfo", user),
    ];
    let entry = |(key, part): (&str, Vec<u8>)| (Text::from(key), Value::text(part));
    Ok(Value::map(Entries::from_iter(parts.map(entry))))
}

fn url_join(call: &mut Call<'_>) -> Result<Value, Failure> {
    let map = call.map(0);
    let part = |key: &str| -> Result<Vec<u8>, Failure> {
        match map.and_then(|map| map.get(key)) {
            None => Ok(Vec::new()),
            Some(Value::Text(text)) => Ok(text.to_vec()),
            Some(Value::Nil) => Err(NIL.into()),
            Some(other) => {
                let kind = kind_of(&other).name();
                let error = format!("must be of type string, but {kind} found");
                Err(format!("unable to parse {key} key, {error}").into())
            }
        }
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let user = part("userinfo")?;
    call.templates.pay_text(url.path.len() + url.fragment.len() + url.host.len() + user.len())?;
    if !user.is_empty() {
        let told = |error| Failure::new(format!("unable to parse userinfo in dict: {error}"));
        url.user = parse(&[b"proto://", &user[..], b"@host"].concat()).map_err(told)?.user;
    }
    Ok(Value::text(url.text()))
}

impl Url {
    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escaped(&self.fragment, Part::Fragment));
        }
        out
    }

    fn hierarchy(&self, out: &mut Vec<u8>) {
        if !self.host.is_empty()
            || self.user.is_some()
            || !self.scheme.is_empty() && !self.path.is_empty()
        {
            out.extend_from_slice(b"//");
            if let Some(user) = &self.user {
                out.extend(user.text());
                out.push(b'@');
            }
            out.extend(escaped(&self.host, Part::Host));
        }
        let path =
            if *self.path == *b"*" { b"*".to_vec() } else { escaped(&self.path, Part::Path) };
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            out.push(b'/');
        }
        // a colon would make the first part a scheme
        if out.is_empty() && first(&path, b'/').contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

/// What stands before a byte, or all.
fn first(text: &[u8], byte: u8) -> &[u8] {
    text.split(|found| *found == byte).next().unwrap_or_default()
}

/// What stands before and after a byte.
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    let before = first(text, byte);
    (before, text.get(before.len() + 1..))
}

fn parse(text: &[u8]) -> Result<Url, String> {
    let (before, fragment) = cut(text, b'#');
    let told = |text: &[u8], error: String| format!("parse {}: {error}", quote(text));
    let mut url = without_fragment(before).map_err(|error| told(before, error))?;
    if let Some(fragment) = fragment {
        url.fragment = unescaped(fragment, Part::Fragment).map_err(|error| told(text, error))?;
    }
    Ok(url)
}

fn without_fragment(text: &[u8]) -> Result<Url, String> {
    if text.iter().any(u8::is_ascii_control) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if text == b"*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, rest) = scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (rest, query) = cut(rest, b'?');
    url.query = query.unwrap_or_default().to_vec();
    let rooted = rest.starts_with(b"/");
    if !rooted && !url.scheme.is_empty() {
        url.opaque = rest.to_vec();
        return Ok(url);
    }
    if !rooted && first(rest, b'/').contains(&b':') {
        return Err("first path segment in URL cannot contain colon".to_owned());
    }
    let mut path = rest;
    if rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///")) {
        let authority = first(&rest[2..], b'/');
        path = &rest[2 + authority.len()..];
        (url.user, url.host) = parse_authority(&url.scheme, authority)?;
    }
    url.path = unescaped(path, Part::Path)?;
    Ok(url)
}

/// A scheme, which may be empty, and what follows it.
fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_authority(scheme: &[u8], text: &[u8]) -> Result<(Option<User>, Vec<u8>), String> {
    let Some(at) = text.iter().rposition(|byte| *byte == b'@') else {
        return Ok((None, parse_host(scheme, text)?));
    };
    let host = parse_host(scheme, &text[at + 1..])?;
    let user = &text[..at];
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
    if !user.iter().all(allowed) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = cut(user, b':');
    let user = User {
        name: unescaped(name, Part::User)?,
        password: password.map(|password| unescaped(password, Part::User)).transpose()?,
    };
    Ok((Some(user), host))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let check_port = |port: &[u8]| {
        let error = || format!("invalid port {} after host", quote(port));
        if is_port(port) { Ok(()) } else { Err(error()) }
    };
    let position = |byte: u8| host.iter().position(|found| *found == byte);
    match host.iter().rposition(|byte| *byte == b'[') {
        None => {}
        Some(0) => {
            let close = host.iter().rposition(|byte| *byte == b']').ok_or("missing ']' in host")?;
            let port = &host[close + 1..];
            check_port(port)?;
            let port = unescaped(port, Part::Host)?;
            let name = &host[1..close];
            let zone = name.windows(3).position(|part| part == b"%25").unwrap_or(name.len());
            let mut name_text = unescaped(&name[..zone], Part::Host)?;
            name_text.extend(unescaped(&name[zone..], Part::Zone)?);
            match address::check(&name_text) {
                Ok(address::Family::V6) => {}
                Ok(address::Family::V4) => return Err("invalid IP-literal".to_owned()),
                Err(error) => return Err(format!("invalid host: {error}")),
            }
            return Ok([b"[", &name_text[..], b"]", &port[..]].concat());
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
    }
    if let Some(colon) = position(b':') {
        // lists of hosts are let pass, except on the web
        let web = matches!(scheme, b"http" | b"https");
        let last = host.iter().rposition(|byte| *byte == b':').unwrap_or(colon);
        check_port(&host[if web { colon } else { last }..])?;
    }
    unescaped(host, Part::Host)
}

/// True for nothing, and for a colon with digits or none.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The host without its port, and without the brackets of an address.
fn hostname(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let host = match colon {
        Some(colon) if is_port(&host[colon..]) => &host[..colon],
        _ => host,
    };
    host.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(host)
}

/// Where a text stands decides what has to be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

impl Part {
    fn keeps(self, byte: u8) -> bool {
        let also: &[u8] = match self {
            Part::Path => b"$&+,/:;=@",
            Part::User => b"$&+,;=",
            Part::Host | Part::Zone => b"!\"$&'()*+,:;<=>[]",
            Part::Fragment => b"!$&()*+,/:;=?@",
        };
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte)
    }
}

fn escaped(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if part.keeps(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescaped(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let wrong = |found: &[u8]| format!("invalid URL escape {}", quote(found));
    let in_host = matches!(part, Part::Host | Part::Zone);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if byte != b'%' {
            if in_host && byte.is_ascii() && !part.keeps(byte) {
                let found = quote(&rest[..1]);
                return Err(format!("invalid character {found} in host name"));
            }
            out.push(byte);
            rest = &rest[1..];
            continue;
        }
        let found = &rest[..rest.len().min(3)];
        let digits = found.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| wrong(found))?;
        let refused = match part {
            Part::Host => code.is_ascii(),
            Part::Zone => code != b' ' && !Part::Host.keeps(code),
            _ => false,
        };
        if refused && found != b"%25" {
            return Err(wrong(found));
        }
        out.push(code);
        rest = &rest[3..];
    }
    Ok(out)
}
