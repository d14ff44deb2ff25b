//! Plain, quoted and block scalars.

use super::{Scanner, Style, Token, TokenKind};
use crate::yaml::problem::{Mark, Problem};
use std::borrow::Cow;

/// Bytes that may end a run of plain text.
const PLAIN_STOP: [bool; 256] = stops(b" \t\n\r:,?[]{}\xc2\xe2");
/// Bytes that may end a run inside of quotes.
const SINGLE_STOP: [bool; 256] = stops(b" \t\n\r'\xc2\xe2");
const DOUBLE_STOP: [bool; 256] = stops(b" \t\n\r\"\\\xc2\xe2");

const fn stops(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
}

/// The line breaks between two words of a plain or quoted scalar.
#[derive(Default)]
struct Breaks {
    first: &'static str,
    more: String,
}

impl Breaks {
    /// A single line break is a space; of several the first is lost.
    fn fold_into(&self, text: &mut String) {
        if self.first != "\n" {
            text.push_str(self.first);
            text.push_str(&self.more);
        } else if self.more.is_empty() {
            text.push(' ');
        } else {
            text.push_str(&self.more);
        }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn scan_plain(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.mark();
        let indent = self.indent;
        let mut end = start;
        // the text of earlier lines; this line's stays in the input
        let mut joined: Option<String> = None;
        let mut from = self.at;
        let mut breaks: Option<Breaks> = None;
        loop {
            if self.at == self.line_start && self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let word = self.at;
            self.skip_plain_word();
            if self.at > word {
                if let Some(breaks) = breaks.take() {
                    let text = joined.get_or_insert_default();
                    text.push_str(&self.text[from..end.at as usize]);
                    breaks.fold_into(text);
                    from = word;
                }
                end = self.mark();
            }
            if !self.blank_or_end(0) || self.at >= self.bytes.len() {
                break;
            }
            loop {
                match self.byte(0) {
                    b'\t' if breaks.is_some() && self.at - self.line_start < indent => {
                        return Err(self.fault(
                            "while scanning a plain scalar",
                            start,
                            "found a tab character that violates indentation",
                        ));
                    }
                    b' ' | b'\t' => self.at += 1,
                    _ if self.break_length(self.at) == 0 => break,
                    _ => {
                        let text = self.take_break();
                        match &mut breaks {
                            None => breaks = Some(Breaks { first: text, more: String::new() }),
                            Some(breaks) => breaks.more.push_str(text),
                        }
                    }
                }
            }
            if breaks.is_some() && self.flow_level == 0 && self.at - self.line_start < indent {
                break;
            }
        }
        if breaks.is_some() {
            self.simple_key_allowed = true;
        }
        let rest = &self.text[from..end.at as usize];
        let text = match joined {
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
            None => Cow::Borrowed(rest),
        };
        Ok(Token { kind: TokenKind::Scalar(text, Style::Plain), start, end })
    }

    fn skip_plain_word(&mut self) {
        let flow = self.flow_level > 0;
        loop {
            let Some(byte) = self.bytes.get(self.at) else { return };
            if !PLAIN_STOP[*byte as usize] {
                self.at += 1;
                continue;
            }
            let ends = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => true,
                b':' => self.blank_or_end(1),
                0xc2 | 0xe2 => self.break_length(self.at) > 0,
                _ => flow,
            };
            if ends {
                return;
            }
            self.at += 1;
        }
    }

    pub(super) fn scan_quoted(&mut self, single: bool) -> Result<Token<'a>, Problem> {
        const CONTEXT: &str = "while scanning a quoted scalar";
        let start = self.mark();
        let quote = if single { b'\'' } else { b'"' };
        self.at += 1;
        let mut joined: Option<String> = None;
        let mut from = self.at;
        loop {
            if self.at == self.line_start && self.at_document_indicator() {
                return Err(self.fault(CONTEXT, start, "found unexpected document indicator"));
            }
            if self.at >= self.bytes.len() {
                return Err(self.fault(CONTEXT, start, "found unexpected end of stream"));
            }
            let escaped_break = self.scan_quoted_word(single, &mut joined, &mut from, start)?;
            if self.byte(0) == quote {
                break;
            }
            self.scan_quoted_space(escaped_break, &mut joined, &mut from);
        }
        let rest = &self.text[from..self.at];
        let text = match joined {
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
            None => Cow::Borrowed(rest),
        };
        self.at += 1;
        let style = if single { Style::SingleQuoted } else { Style::DoubleQuoted };
        Ok(Token { kind: TokenKind::Scalar(text, style), start, end: self.mark() })
    }

    /// Text up to a space, a line break or the closing quote. True when it ended with an escaped
    /// line break.
    fn scan_quoted_word(
        &mut self,
        single: bool,
        joined: &mut Option<String>,
        from: &mut usize,
        start: Mark,
    ) -> Result<bool, Problem> {
        let table = if single { &SINGLE_STOP } else { &DOUBLE_STOP };
        loop {
            let Some(byte) = self.bytes.get(self.at) else { return Ok(false) };
            if !table[*byte as usize] {
                self.at += 1;
                continue;
            }
            match byte {
                b'\'' if self.byte(1) == b'\'' => {
                    let text = joined.get_or_insert_default();
                    text.push_str(&self.text[*from..=self.at]);
                    self.at += 2;
                    *from = self.at;
                }
                b'\\' => {
                    let text = joined.get_or_insert_default();
                    text.push_str(&self.text[*from..self.at]);
                    if self.break_length(self.at + 1) > 0 {
                        self.at += 1;
                        self.skip_break();
                        *from = self.at;
                        return Ok(true);
                    }
                    let character = self.scan_escape(start)?;
                    text.push(character);
                    *from = self.at;
                }
                0xc2 | 0xe2 if self.break_length(self.at) == 0 => self.at += 1,
                _ => return Ok(false),
            }
        }
    }

    /// Spaces and line breaks between two words.
    fn scan_quoted_space(
        &mut self,
        escaped_break: bool,
        joined: &mut Option<String>,
        from: &mut usize,
    ) {
        let word_end = self.at;
        let mut breaks: Option<Breaks> = None;
        loop {
            match self.byte(0) {
                b' ' | b'\t' => self.at += 1,
                _ if self.break_length(self.at) == 0 => break,
                _ => {
                    let text = self.take_break();
                    match &mut breaks {
                        // the escaped break was the first: this one stands for itself
                        None if escaped_break => {
                            breaks = Some(Breaks { first: "", more: text.to_owned() });
                        }
                        None => breaks = Some(Breaks { first: text, more: String::new() }),
                        Some(breaks) => breaks.more.push_str(text),
                    }
                }
            }
        }
        if let Some(breaks) = breaks {
            let text = joined.get_or_insert_default();
            if !escaped_break {
                text.push_str(&self.text[*from..word_end]);
            }
            breaks.fold_into(text);
            *from = self.at;
        } else if escaped_break {
            *from = self.at;
        }
    }

    fn scan_escape(&mut self, start: Mark) -> Result<char, Problem> {
        const CONTEXT: &str = "while parsing a quoted scalar";
        let (character, digits) = match self.byte(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0b', 0),
            b'f' => ('\x0c', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1b', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return Err(self.fault(CONTEXT, start, "found unknown escape character")),
        };
        self.at += 2;
        if digits == 0 {
            return Ok(character);
        }
        let code = self
            .bytes
            .get(self.at..self.at + digits)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .map(|digits| {
                digits.iter().fold(0_u32, |code, digit| {
                    code << 4 | char::from(*digit).to_digit(16).unwrap_or(0)
                })
            });
        let Some(code) = code else {
            return Err(self.fault(CONTEXT, start, "did not find expected hexdecimal number"));
        };
        let Some(character) = char::from_u32(code) else {
            return Err(self.fault(CONTEXT, start, "found invalid Unicode character escape code"));
        };
        self.at += digits;
        Ok(character)
    }

    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<Token<'a>, Problem> {
        let start = self.mark();
        let (chomp, increment) = self.scan_block_header(start)?;
        // columns count from 0 here; 0 means that the first line decides
        let mut indent = if increment > 0 { self.indent.saturating_sub(1) + increment } else { 0 };
        let mut text = String::new();
        let mut first_break = "";
        let mut more_breaks = String::new();
        let mut end = self.scan_block_breaks(&mut indent, &mut more_breaks, start)?;
        let mut was_blank = false;
        while self.at - self.line_start == indent && self.at < self.bytes.len() {
            let blank = matches!(self.byte(0), b' ' | b'\t');
            if !literal && !was_blank && !blank && first_break == "\n" {
                if more_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(first_break);
            }
            text.push_str(&more_breaks);
            more_breaks.clear();
            was_blank = blank;
            let from = self.at;
            self.skip_to_line_end();
            text.push_str(&self.text[from..self.at]);
            first_break = if self.at < self.bytes.len() { self.take_break() } else { "" };
            end = self.scan_block_breaks(&mut indent, &mut more_breaks, start)?;
        }
        if chomp != Chomp::Strip {
            text.push_str(first_break);
        }
        if chomp == Chomp::Keep {
            text.push_str(&more_breaks);
        }
        let style = if literal { Style::Literal } else { Style::Folded };
        Ok(Token { kind: TokenKind::Scalar(Cow::Owned(text), style), start, end })
    }

    /// `|` or `>` with its indicators, up to the end of the line.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomp, usize), Problem> {
        const CONTEXT: &str = "while scanning a block scalar";
        self.at += 1;
        let mut chomp = self.scan_chomp();
        let mut increment = 0;
        if self.byte(0).is_ascii_digit() {
            increment = usize::from(self.byte(0) - b'0');
            if increment == 0 {
                return Err(self.fault(
                    CONTEXT,
                    start,
                    "found an indentation indicator equal to 0",
                ));
            }
            self.at += 1;
            if chomp.is_none() {
                chomp = self.scan_chomp();
            }
        }
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.scan_line_comment(start.at as usize);
            self.skip_to_line_end();
        }
        if self.at < self.bytes.len() && !self.skip_break() {
            return Err(self.fault(CONTEXT, start, "did not find expected comment or line break"));
        }
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    fn scan_chomp(&mut self) -> Option<Chomp> {
        let chomp = match self.byte(0) {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return None,
        };
        self.at += 1;
        Some(chomp)
    }

    /// Empty lines of a block scalar; finds out its indentation when that is not known yet. Gives
    /// the end of what belongs to the scalar.
    fn scan_block_breaks(
        &mut self,
        indent: &mut usize,
        breaks: &mut String,
        start: Mark,
    ) -> Result<Mark, Problem> {
        let mut end = self.mark();
        let mut deepest = 0;
        loop {
            let inside = |scanner: &Self, indent: usize| {
                indent == 0 || scanner.at - scanner.line_start < indent
            };
            while inside(self, *indent) && self.byte(0) == b' ' {
                self.at += 1;
            }
            deepest = deepest.max(self.at - self.line_start);
            if inside(self, *indent) && self.byte(0) == b'\t' {
                return Err(self.fault(
                    "while scanning a block scalar",
                    start,
                    "found a tab character where an indentation space is expected",
                ));
            }
            if self.break_length(self.at) == 0 {
                break;
            }
            breaks.push_str(self.take_break());
            end = self.mark();
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent).max(1);
        }
        Ok(end)
    }
}

/// What becomes of the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}
