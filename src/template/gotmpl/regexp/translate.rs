//! From RE2's syntax, as Go reads it, to that of the `regex` crate. Every fault is found here, with
//! Go's text; what comes out holds nothing that the other syntax takes differently.

use super::classes;
use crate::template::gotmpl::fmt::quote;
use std::fmt::Write as _;

/// A translated pattern.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The name of each group, from the first; empty for those without one.
    pub(super) names: Vec<Vec<u8>>,
    /// How large it is when its repetitions are written out, in characters.
    pub(super) cost: usize,
}

/// What is wrong, and with which part of the pattern.
pub(super) type Fault<'p> = (&'static str, &'p [u8]);

type Parsed<'p, T> = Result<T, Fault<'p>>;

const BAD_RANGE: &str = "invalid character class range";
const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_REPEAT: &str = "invalid repeat count";
const BAD_NAME: &str = "invalid named capture";
const BAD_PERL: &str = "invalid or unsupported Perl syntax";
const NO_ARGUMENT: &str = "missing argument to repetition operator";

/// Groups and repetitions may be nested so deep.
const DEPTH: usize = 1000;
/// The most that counted repetitions may multiply to.
const REPEATS: u64 = 1000;

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_all: bool,
    lazy: bool,
}

/// The last thing that can be repeated.
#[derive(Clone, Copy)]
struct Atom {
    start: usize,
    repeated: bool,
    /// What the counted repetitions in it multiply to.
    repeats: u64,
    depth: usize,
}

/// An open group, or the whole pattern.
struct Group {
    start: usize,
    flags: Flags,
    capture: bool,
    atom: Option<Atom>,
    repeats: u64,
    depth: usize,
}

impl Group {
    fn new(start: usize, flags: Flags, capture: bool) -> Group {
        Group { start, flags, capture, atom: None, repeats: 1, depth: 1 }
    }
}

struct Translator<'p> {
    whole: &'p [u8],
    rest: &'p [u8],
    out: String,
    flags: Flags,
    names: Vec<Vec<u8>>,
    groups: Vec<Group>,
    /// Classes by name that were seen; each stands for many ranges.
    tables: usize,
}

pub(super) fn translate(pattern: &[u8]) -> Parsed<'_, Translated> {
    let flags = Flags::default();
    let mut translator = Translator {
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        flags,
        names: Vec::new(),
        tables: 0,
        groups: vec![Group::new(0, flags, false)],
    };
    translator.run()?;
    if translator.groups.len() > 1 {
        return Err(("missing closing )", pattern));
    }
    let repeats = usize::try_from(translator.groups[0].repeats).unwrap_or(usize::MAX);
    let cost = (pattern.len() + 100 * translator.tables).saturating_mul(repeats);
    Ok(Translated { pattern: translator.out, names: translator.names, cost })
}

impl<'p> Translator<'p> {
    fn run(&mut self) -> Parsed<'p, ()> {
        let mut last_repeat: Option<&'p [u8]> = None;
        while let Some(first) = self.rest.first() {
            let before = self.rest;
            let mut repeat = None;
            match first {
                b'(' if self.rest.get(1) == Some(&b'?') => self.perl_group()?,
                b'(' => {
                    self.rest = &self.rest[1..];
                    self.open(Vec::new());
                }
                b'|' => {
                    self.rest = &self.rest[1..];
                    self.out.push('|');
                    self.group().atom = None;
                }
                b')' => self.close()?,
                b'^' => {
                    let text = if self.flags.multi_line { "(?m:^)" } else { r"\A" };
                    self.atom(1, text);
                }
                b'$' => {
                    let text = if self.flags.multi_line { "(?m:$)" } else { r"\z" };
                    self.atom(1, text);
                }
                b'.' => {
                    let text = if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" };
                    self.atom(1, text);
                }
                b'[' => self.class()?,
                b'*' | b'+' | b'?' => {
                    let operator = char::from(*first).to_string();
                    self.rest = &self.rest[1..];
                    self.repeat(&operator, None, before, last_repeat)?;
                    repeat = Some(before);
                }
                b'{' => match counts(self.rest) {
                    None => {
                        self.rest = &self.rest[1..];
                        self.literal(u32::from(b'{'));
                    }
                    Some((min, max, length)) => {
                        self.rest = &self.rest[length..];
                        let most = max.unwrap_or(min);
                        let written = &before[..length];
                        if min > REPEATS || most > REPEATS || max.is_some_and(|max| min > max) {
                            return Err((BAD_REPEAT, written));
                        }
                        let operator =
                            std::str::from_utf8(written).expect("braces and digits").to_owned();
                        self.repeat(&operator, Some((min, max)), before, last_repeat)?;
                        repeat = Some(before);
                    }
                },
                b'\\' => self.escape()?,
                _ => {
                    let char = self.next_char()?;
                    self.literal(char.into());
                }
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the whole pattern is a group")
    }

    fn next_char(&mut self) -> Parsed<'p, char> {
        let (char, rest) = next_char(self.rest)?;
        self.rest = rest;
        Ok(char)
    }

    /// Writes something that can be repeated, and takes its bytes off the pattern.
    fn atom(&mut self, length: usize, text: &str) {
        self.rest = &self.rest[length..];
        let start = self.out.len();
        self.out.push_str(text);
        self.group().atom = Some(Atom { start, repeated: false, repeats: 1, depth: 1 });
    }

    fn literal(&mut self, code: u32) {
        let mut text = String::new();
        match char::from_u32(code) {
            Some(char) => write_char(&mut text, char),
            None => text.push_str(classes::NOTHING),
        }
        if self.flags.fold {
            text = format!("(?i:{text})");
        }
        self.atom(0, &text);
    }

    fn open(&mut self, name: Vec<u8>) {
        self.names.push(name);
        let group = Group::new(self.out.len(), self.flags, true);
        self.groups.push(group);
        self.out.push('(');
    }

    fn close(&mut self) -> Parsed<'p, ()> {
        if self.groups.len() < 2 {
            return Err(("unexpected )", self.whole));
        }
        let group = self.groups.pop().expect("there are two");
        self.rest = &self.rest[1..];
        self.out.push(')');
        self.flags = group.flags;
        let depth = group.depth + usize::from(group.capture);
        self.nested(Atom { start: group.start, repeated: false, repeats: group.repeats, depth })
    }

    /// Takes an atom that holds others.
    fn nested(&mut self, atom: Atom) -> Parsed<'p, ()> {
        if atom.depth > DEPTH {
            return Err(("expression nests too deeply", self.whole));
        }
        let group = self.group();
        group.repeats = group.repeats.max(atom.repeats);
        group.depth = group.depth.max(atom.depth + 1);
        group.atom = Some(atom);
        Ok(())
    }

    /// A repetition operator, which has been taken off; it began at `before`.
    fn repeat(
        &mut self,
        operator: &str,
        counts: Option<(u64, Option<u64>)>,
        before: &'p [u8],
        last: Option<&'p [u8]>,
    ) -> Parsed<'p, ()> {
        let mut lazy = self.flags.lazy;
        if self.rest.first() == Some(&b'?') {
            self.rest = &self.rest[1..];
            lazy = !lazy;
        }
        if let Some(last) = last {
            let written = &last[..last.len() - self.rest.len()];
            return Err(("invalid nested repetition operator", written));
        }
        let written = &before[..before.len() - self.rest.len()];
        let Some(mut atom) = self.group().atom else { return Err((NO_ARGUMENT, written)) };
        if let Some((min, max)) = counts {
            let most = max.unwrap_or(min);
            if max == Some(0) {
                atom.repeats = 1;
            } else {
                atom.repeats *= most.max(1);
            }
            if atom.repeats > REPEATS && (min >= 2 || max.is_some_and(|max| max >= 2)) {
                return Err((BAD_REPEAT, written));
            }
        }
        if atom.repeated {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.nested(Atom { repeated: true, depth: atom.depth + 1, ..atom })
    }

    /// What begins with `(?`.
    fn perl_group(&mut self) -> Parsed<'p, ()> {
        let whole = self.rest;
        let prefix = if whole.len() > 4 && whole.starts_with(b"(?P<") {
            4
        } else if whole.len() > 3 && whole.starts_with(b"(?<") {
            3
        } else {
            return self.flags_group();
        };
        let Some(end) = whole.iter().position(|byte| *byte == b'>') else {
            check(whole)?;
            return Err((BAD_NAME, whole));
        };
        let name = &whole[prefix..end];
        check(name)?;
        if name.is_empty() || !name.iter().all(|byte| is_word(*byte)) {
            return Err((BAD_NAME, &whole[..=end]));
        }
        self.rest = &whole[end + 1..];
        self.open(name.to_vec());
        Ok(())
    }

    /// `(?flags)` and `(?flags:`.
    fn flags_group(&mut self) -> Parsed<'p, ()> {
        let whole = self.rest;
        self.rest = &whole[2..];
        let mut flags = self.flags;
        let mut on = true;
        let mut seen = false;
        while !self.rest.is_empty() {
            let char = self.next_char()?;
            let flag = match char {
                'i' => &mut flags.fold,
                'm' => &mut flags.multi_line,
                's' => &mut flags.dot_all,
                'U' => &mut flags.lazy,
                '-' if on => {
                    on = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if on || seen => {
                    if char == ':' {
                        let group = Group::new(self.out.len(), self.flags, false);
                        self.groups.push(group);
                        self.out.push_str("(?:");
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *flag = on;
            seen = true;
        }
        Err((BAD_PERL, &whole[..whole.len() - self.rest.len()]))
    }

    /// What begins with a backslash, outside of a class.
    fn escape(&mut self) -> Parsed<'p, ()> {
        match self.rest.get(1) {
            Some(b'A') => self.atom(2, r"\A"),
            Some(b'z') => self.atom(2, r"\z"),
            Some(b'b') => self.atom(2, r"(?-u:\b)"),
            Some(b'B') => self.atom(2, r"(?-u:\B)"),
            Some(b'C') => return Err((BAD_ESCAPE, &self.rest[..2])),
            Some(b'Q') => {
                let quoted = &self.rest[2..];
                let end = quoted.windows(2).position(|pair| pair == br"\E");
                let mut literal = &quoted[..end.unwrap_or(quoted.len())];
                self.rest = end.map_or(&[], |end| &quoted[end + 2..]);
                while !literal.is_empty() {
                    let (char, rest) = next_char(literal)?;
                    literal = rest;
                    self.literal(char.into());
                }
            }
            Some(b'p' | b'P') => {
                let item = self.unicode_class()?;
                self.class_atom(&format!("[{item}]"));
            }
            Some(letter) if classes::perl(*letter).is_some() => {
                let (set, negated) = classes::perl(*letter).expect("it is one");
                self.rest = &self.rest[2..];
                self.class_atom(&class_item(set, negated));
            }
            _ => {
                let code = self.escaped_char()?;
                self.literal(code);
            }
        }
        Ok(())
    }

    fn class_atom(&mut self, class: &str) {
        if self.flags.fold {
            self.atom(0, &format!("(?i:{class})"));
        } else {
            self.atom(0, class);
        }
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}` as an item of a class.
    fn unicode_class(&mut self) -> Parsed<'p, String> {
        let whole = self.rest;
        let mut negated = whole[1] == b'P';
        let after = &whole[2..];
        let (name, length) = if after.first() == Some(&b'{') {
            let Some(end) = whole.iter().position(|byte| *byte == b'}') else {
                check(whole)?;
                return Err((BAD_RANGE, whole));
            };
            check(&whole[3..end])?;
            (&whole[3..end], end + 1)
        } else if after.is_empty() {
            (after, 2)
        } else {
            let (_, rest) = next_char(after)?;
            (&after[..after.len() - rest.len()], whole.len() - rest.len())
        };
        self.rest = &whole[length..];
        self.tables += 1;
        let name = name.strip_prefix(b"^").map_or(name, |name| {
            negated = !negated;
            name
        });
        let set = std::str::from_utf8(name).ok().and_then(classes::unicode);
        let set = set.ok_or((BAD_RANGE, &whole[..length]))?;
        Ok(class_item(&set, negated))
    }

    /// A class in brackets.
    fn class(&mut self) -> Parsed<'p, ()> {
        let whole = self.rest;
        self.rest = &whole[1..];
        let mut class = String::from("[");
        if self.rest.first() == Some(&b'^') {
            self.rest = &self.rest[1..];
            class.push('^');
        }
        // a bracket is a character at the first place
        let mut first = true;
        while self.rest.first() != Some(&b']') || first {
            first = false;
            if self.rest.len() > 2
                && self.rest.starts_with(b"[:")
                && let Some(end) = self.rest[2..].windows(2).position(|pair| pair == b":]")
            {
                let written = &self.rest[..end + 4];
                let name = std::str::from_utf8(&written[2..end + 2]).unwrap_or("");
                let (set, negated) = classes::posix(name).ok_or((BAD_RANGE, written))?;
                class.push_str(&class_item(set, negated));
                self.rest = &self.rest[end + 4..];
                continue;
            }
            if let [b'\\', letter, ..] = self.rest {
                if matches!(letter, b'p' | b'P') {
                    class.push_str(&self.unicode_class()?);
                    continue;
                }
                if let Some((set, negated)) = classes::perl(*letter) {
                    class.push_str(&class_item(set, negated));
                    self.rest = &self.rest[2..];
                    continue;
                }
            }
            let range = self.rest;
            let low = self.class_char(whole)?;
            let mut high = low;
            if self.rest.len() >= 2 && self.rest[0] == b'-' && self.rest[1] != b']' {
                self.rest = &self.rest[1..];
                high = self.class_char(whole)?;
                if high < low {
                    return Err((BAD_RANGE, &range[..range.len() - self.rest.len()]));
                }
            }
            write_range(&mut class, low, high);
        }
        self.rest = &self.rest[1..];
        class.push(']');
        self.class_atom(&class);
        Ok(())
    }

    fn class_char(&mut self, whole: &'p [u8]) -> Parsed<'p, u32> {
        match self.rest.first() {
            None => Err(("missing closing ]", whole)),
            Some(b'\\') => self.escaped_char(),
            Some(_) => Ok(self.next_char()?.into()),
        }
    }

    /// A character that is written with a backslash.
    fn escaped_char(&mut self) -> Parsed<'p, u32> {
        let whole = self.rest;
        self.rest = &whole[1..];
        if self.rest.is_empty() {
            return Err(("trailing backslash at end of expression", b""));
        }
        let char = self.next_char()?;
        let octal = |byte: Option<&u8>| byte.is_some_and(|byte| (b'0'..=b'7').contains(byte));
        let number = match char {
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            'x' => self.hex()?,
            // a single digit would be a reference back
            '0'..='7' if char == '0' || octal(self.rest.first()) => {
                let mut number = u32::from(char) - u32::from('0');
                for _ in 1..3 {
                    if !octal(self.rest.first()) {
                        break;
                    }
                    number = number * 8 + u32::from(self.rest[0] - b'0');
                    self.rest = &self.rest[1..];
                }
                Some(number)
            }
            _ if char.is_ascii() && !char.is_ascii_alphanumeric() => Some(u32::from(char)),
            _ => None,
        };
        let written = &whole[..whole.len() - self.rest.len()];
        number.ok_or((BAD_ESCAPE, written))
    }

    /// The number after `\x`; nothing when it is none.
    fn hex(&mut self) -> Parsed<'p, Option<u32>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let first = self.next_char()?;
        if first != '{' {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let second = self.next_char()?;
            return Ok(first.to_digit(16).zip(second.to_digit(16)).map(|(a, b)| a * 16 + b));
        }
        let mut number = None;
        while !self.rest.is_empty() {
            let char = self.next_char()?;
            if char == '}' {
                return Ok(number);
            }
            let Some(digit) = char.to_digit(16) else { return Ok(None) };
            let sum = number.unwrap_or(0) * 16 + digit;
            if sum > u32::from(char::MAX) {
                return Ok(None);
            }
            number = Some(sum);
        }
        Ok(None)
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn class_item(set: &str, negated: bool) -> String {
    format!("[{}{set}]", if negated { "^" } else { "" })
}

/// The first character of a text.
fn next_char(text: &[u8]) -> Parsed<'_, (char, &[u8])> {
    match quote::runes(text).next() {
        Some((bytes, Some(char))) => Ok((char, &text[bytes.len()..])),
        _ => Err(("invalid UTF-8", text)),
    }
}

fn check(text: &[u8]) -> Parsed<'_, ()> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(("invalid UTF-8", &text[error.valid_up_to()..])),
    }
}

/// A character that stands for itself.
fn write_char(out: &mut String, char: char) {
    if char.is_ascii_alphanumeric() || !char.is_ascii() {
        out.push(char);
    } else {
        write!(out, "\\x{:02X}", u32::from(char)).expect("a text takes all that is written");
    }
}

/// A range in a class. Surrogates can be written, but no text holds them.
fn write_range(out: &mut String, low: u32, high: u32) {
    let low = (low..=high).find_map(char::from_u32);
    let high = char::from_u32(high).or_else(|| char::from_u32(0xD7FF));
    match (low, high) {
        (Some(low), Some(high)) if low <= high => {
            write_char(out, low);
            if high > low {
                out.push('-');
                write_char(out, high);
            }
        }
        _ => out.push_str(classes::NOTHING),
    }
}

/// `{2}`, `{2,}` or `{2,5}`: least, most, and how long it is. A number that is too large counts as
/// one more than is allowed.
fn counts(text: &[u8]) -> Option<(u64, Option<u64>, usize)> {
    let (min, length) = number(&text[1..])?;
    let mut at = 1 + length;
    let mut max = Some(min);
    if text.get(at) == Some(&b',') {
        at += 1;
        if text.get(at) == Some(&b'}') {
            max = None;
        } else {
            let (most, length) = number(&text[at..])?;
            max = Some(most);
            at += length;
        }
    }
    (text.get(at) == Some(&b'}')).then_some((min, max, at + 1))
}

fn number(text: &[u8]) -> Option<(u64, usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > 1 && text[0] == b'0' {
        return None;
    }
    let number = text[..length]
        .iter()
        .fold(0, |number: u64, digit| (number * 10 + u64::from(digit - b'0')).min(REPEATS + 1));
    Some((number, length))
}
