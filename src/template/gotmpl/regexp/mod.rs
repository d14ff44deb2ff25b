//! Regular expressions as Go's package `regexp` has them: RE2's syntax, the leftmost match, of the
//! first alternative that leads to one.
//!
//! Patterns are translated and matched by the `regex` crate, which has the same semantics. A text
//! that is no UTF-8 is matched as Go does it, each wrong byte being U+FFFD.

mod classes;
mod translate;

#[cfg(test)]
mod tests;

use super::fmt::quote;
use super::value::Text;
use hashbrown::HashMap;
use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    names: Vec<Vec<u8>>,
    source: Text,
    cost: usize,
}

/// A compiled pattern may take so much memory.
const SIZE: usize = 32 << 20;
/// Groups may be nested so deep in what is compiled: more than in what is translated.
const NESTING: u32 = 4000;
/// A text may become so large by replacing.
const LARGEST: usize = 64 << 20;
/// So many patterns are kept.
const KEPT: usize = 256;

type Compiled = Result<Rc<Pattern>, Text>;

thread_local! {
    static CACHE: RefCell<HashMap<Text, Compiled>> = RefCell::default();
}

/// The pattern, compiled once for all calls that use it.
///
/// # Errors
/// Go's text.
pub fn compile(source: &Text) -> Compiled {
    if let Some(known) = CACHE.with_borrow(|cache| cache.get(source).cloned()) {
        return known;
    }
    let compiled = Pattern::new(source).map(Rc::new);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= KEPT {
            cache.clear();
        }
        cache.insert(source.clone(), compiled.clone());
    });
    compiled
}

/// The pattern as an automaton for texts that are UTF-8, which threads may share.
///
/// # Errors
/// Go's text.
pub fn automaton(pattern: &str) -> Result<regex::Regex, String> {
    let fault = |(what, part): translate::Fault<'_>| {
        format!("error parsing regexp: {what}: `{}`", String::from_utf8_lossy(part))
    };
    let translated = translate::translate(pattern.as_bytes()).map_err(fault)?;
    regex::RegexBuilder::new(&translated.pattern)
        .size_limit(SIZE)
        .nest_limit(NESTING)
        .build()
        .map_err(|_| fault(("expression too large", pattern.as_bytes())))
}

/// As [`compile`], with the text of the panic that Go's `regexp.MustCompile` ends in.
///
/// # Errors
/// Go's text.
pub fn must_compile(source: &Text) -> Compiled {
    compile(source).map_err(|message| {
        let shown = if quote::fits_backquotes(source) {
            [b"`", &source[..], b"`"].concat()
        } else {
            quote::quoted(source, false)
        };
        [b"regexp: Compile(", &shown[..], b"): ", &message].concat().into()
    })
}

/// The text with a backslash before whatever has a meaning in patterns.
#[must_use]
pub fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

impl Pattern {
    fn new(source: &Text) -> Result<Pattern, Text> {
        let fault = |(what, part): translate::Fault<'_>| -> Text {
            [b"error parsing regexp: ", what.as_bytes(), b": `", part, b"`"].concat().into()
        };
        let translated = translate::translate(source).map_err(fault)?;
        let regex = RegexBuilder::new(&translated.pattern)
            .size_limit(SIZE)
            .nest_limit(NESTING)
            .build()
            .map_err(|_| fault(("expression too large", source)))?;
        Ok(Pattern {
            regex,
            names: translated.names,
            source: source.clone(),
            cost: translated.cost,
        })
    }

    /// How large it is when its repetitions are written out, in characters.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// True when it matches anywhere.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    /// The first match.
    #[must_use]
    pub fn find<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let whole = Whole::new(text);
        let found = self.find_at(&whole.text, 0)?;
        Some(&text[whole.original(found)])
    }

    /// The matches, at most `limit` of them.
    #[must_use]
    pub fn find_all(&self, text: &[u8], limit: usize) -> Vec<Range<usize>> {
        let whole = Whole::new(text);
        self.matches(&whole.text).take(limit).map(|found| whole.original(found)).collect()
    }

    /// The parts between matches: at most `limit` of them, all when it is negative, and nothing at
    /// all when it is 0.
    #[must_use]
    pub fn split<'t>(&self, text: &'t [u8], limit: i64) -> Option<Vec<&'t [u8]>> {
        if limit == 0 {
            return None;
        }
        if !self.source.is_empty() && text.is_empty() {
            return Some(vec![text]);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut begin, mut end) = (0, 0);
        let mut parts = Vec::new();
        for found in self.find_all(text, limit) {
            if parts.len() + 1 == limit {
                break;
            }
            end = found.start;
            if found.end != 0 {
                parts.push(&text[begin..end]);
            }
            begin = found.end;
        }
        if end != text.len() {
            parts.push(&text[begin..]);
        }
        Some(parts)
    }

    /// The text with all matches replaced. Unless it is `literal`, `$1` and `${name}` in the
    /// replacement are groups of the match.
    ///
    /// # Errors
    /// When the text would be immense.
    pub fn replace_all(
        &self,
        text: &[u8],
        replacement: &[u8],
        literal: bool,
    ) -> Result<Vec<u8>, &'static str> {
        let whole = Whole::new(text);
        let plain = literal || !replacement.contains(&b'$');
        let mut out = Vec::with_capacity(text.len());
        let mut end = 0;
        for place in self.matches(&whole.text) {
            let found = whole.original(place.clone());
            out.extend_from_slice(&text[end..found.start]);
            end = found.end;
            if out.len() > LARGEST {
                return Err("text with its matches replaced is larger than 64 MiB");
            }
            if plain {
                out.extend_from_slice(replacement);
            } else if let Some(captures) = self.regex.captures_at(&whole.text, place.start) {
                self.expand(&mut out, replacement, |index| {
                    let group = captures.get(index)?;
                    Some(&text[whole.original(group.range())])
                });
            }
        }
        out.extend_from_slice(&text[end..]);
        Ok(out)
    }

    /// All matches; an empty one that touches the one before does not count.
    fn matches(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        let mut last_end = None;
        std::iter::from_fn(move || {
            loop {
                let found = self.find_at(text, at)?;
                at = if found.end > at { found.end } else { after_char(text, at) };
                let touches = found.is_empty() && last_end == Some(found.start);
                last_end = Some(found.end);
                if !touches {
                    return Some(found);
                }
            }
        })
    }

    fn find_at(&self, text: &[u8], mut at: usize) -> Option<Range<usize>> {
        while at <= text.len() {
            let found = self.regex.find_at(text, at)?.range();
            // only between characters there can be nothing
            if !found.is_empty() || !is_inside_char(text, found.start) {
                return Some(found);
            }
            at = found.end + 1;
        }
        None
    }

    fn expand<'t>(
        &self,
        out: &mut Vec<u8>,
        mut template: &[u8],
        group: impl Fn(usize) -> Option<&'t [u8]>,
    ) {
        while let Some(dollar) = template.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(&template[..dollar]);
            template = &template[dollar + 1..];
            if let Some(rest) = template.strip_prefix(b"$") {
                out.push(b'$');
                template = rest;
                continue;
            }
            let Some((name, rest)) = reference(template) else {
                out.push(b'$');
                continue;
            };
            template = rest;
            let found = match number(name) {
                Some(index) => group(index),
                None => {
                    let same = self.names.iter().enumerate().filter(|(_, known)| *known == name);
                    same.map(|(index, _)| group(index + 1)).find_map(|found| found)
                }
            };
            out.extend_from_slice(found.unwrap_or_default());
        }
        out.extend_from_slice(template);
    }
}

fn is_inside_char(text: &[u8], at: usize) -> bool {
    // bytes after the first of a character
    text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80)
}

fn after_char(text: &[u8], at: usize) -> usize {
    (at + 1..=text.len()).find(|at| !is_inside_char(text, *at)).unwrap_or(text.len() + 1)
}

/// The name in `name…` or `{name}…` after a dollar sign, and what follows.
fn reference(template: &[u8]) -> Option<(&[u8], &[u8])> {
    let braced = template.strip_prefix(b"{");
    let text = braced.unwrap_or(template);
    let length: usize = quote::runes(text)
        .take_while(|(_, rune)| rune.is_some_and(|char| char == '_' || char.is_alphanumeric()))
        .map(|(bytes, _)| bytes.len())
        .sum();
    if length == 0 {
        return None;
    }
    let (name, rest) = text.split_at(length);
    if braced.is_some() { Some((name, rest.strip_prefix(b"}")?)) } else { Some((name, rest)) }
}

/// The number of a group; a name otherwise.
fn number(name: &[u8]) -> Option<usize> {
    if name.len() > 1 && name[0] == b'0' {
        return None;
    }
    std::str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
}

/// A text as characters, with a way back where it is no UTF-8.
struct Whole<'t> {
    text: Cow<'t, [u8]>,
    /// For each byte of the text and its end, where it was; empty when nothing was replaced.
    origin: Vec<usize>,
}

impl<'t> Whole<'t> {
    fn new(text: &'t [u8]) -> Whole<'t> {
        if std::str::from_utf8(text).is_ok() {
            return Whole { text: Cow::Borrowed(text), origin: Vec::new() };
        }
        let mut out = Vec::with_capacity(text.len() + 16);
        let mut origin = Vec::with_capacity(text.len() + 16);
        let mut at = 0;
        for (bytes, rune) in quote::runes(text) {
            let replaced = if rune.is_some() { bytes } else { "\u{FFFD}".as_bytes() };
            out.extend_from_slice(replaced);
            origin.extend((0..replaced.len()).map(|offset| at + offset.min(bytes.len())));
            at += bytes.len();
        }
        origin.push(at);
        Whole { text: Cow::Owned(out), origin }
    }

    fn original(&self, range: Range<usize>) -> Range<usize> {
        if self.origin.is_empty() {
            return range;
        }
        self.origin[range.start]..self.origin[range.end]
    }
}
