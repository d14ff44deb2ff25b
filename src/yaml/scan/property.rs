//! Anchors, aliases, tags and directives.

use super::{Scanner, TagText, Token, TokenKind};
use crate::yaml::problem::{Mark, Problem};
use std::borrow::Cow;

/// What a tag is scanned for; go-yaml names it in errors.
const IN_TAG: &str = "while parsing a tag";
const IN_TAG_DIRECTIVE: &str = "while parsing a %TAG directive";

impl<'a> Scanner<'a> {
    pub(super) fn scan_anchor(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.mark();
        let anchor = self.byte(0) == b'&';
        self.at += 1;
        let name = self.word();
        let follows = matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !(follows || self.blank_or_end(0)) {
            let context =
                if anchor { "while scanning an anchor" } else { "while scanning an alias" };
            return Err(self.fault(
                context,
                start,
                "did not find expected alphabetic or numeric character",
            ));
        }
        let kind = if anchor { TokenKind::Anchor(name) } else { TokenKind::Alias(name) };
        Ok(Token { kind, start, end: self.mark() })
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.mark();
        let tag = if self.byte(1) == b'<' {
            self.at += 2;
            let suffix = self.scan_uri("", IN_TAG, start)?;
            if self.byte(0) != b'>' {
                return Err(self.fault(
                    "while scanning a tag",
                    start,
                    "did not find the expected '>'",
                ));
            }
            self.at += 1;
            TagText { handle: "", suffix }
        } else {
            let handle = self.scan_handle(IN_TAG, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                TagText { handle, suffix: self.scan_uri("", IN_TAG, start)? }
            } else {
                let suffix = self.scan_uri(handle, IN_TAG, start)?;
                if suffix.is_empty() {
                    TagText { handle: "", suffix: Cow::Borrowed("!") }
                } else {
                    TagText { handle: "!", suffix }
                }
            }
        };
        if !self.blank_or_end(0) {
            return Err(self.fault(
                "while scanning a tag",
                start,
                "did not find expected whitespace or line break",
            ));
        }
        Ok(Token { kind: TokenKind::Tag(Box::new(tag)), start, end: self.mark() })
    }

    pub(super) fn scan_directive(&mut self) -> Result<Token<'a>, Problem> {
        const CONTEXT: &str = "while scanning a directive";
        let start = self.mark();
        self.at += 1;
        let name = self.word();
        if name.is_empty() {
            return Err(self.fault(CONTEXT, start, "could not find expected directive name"));
        }
        if !self.blank_or_end(0) {
            return Err(self.fault(CONTEXT, start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.fault(CONTEXT, start, "found unknown directive name")),
        };
        let end = self.mark();
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_to_line_end();
        }
        if self.at < self.bytes.len() && !self.skip_break() {
            return Err(self.fault(CONTEXT, start, "did not find expected comment or line break"));
        }
        Ok(Token { kind, start, end })
    }

    fn scan_version(&mut self, start: Mark) -> Result<TokenKind<'a>, Problem> {
        self.skip_blanks();
        let major = self.scan_version_number(start)?;
        if self.byte(0) != b'.' {
            return Err(self.fault(
                "while scanning a %YAML directive",
                start,
                "did not find expected digit or '.' character",
            ));
        }
        self.at += 1;
        Ok(TokenKind::VersionDirective(major, self.scan_version_number(start)?))
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, Problem> {
        const CONTEXT: &str = "while scanning a %YAML directive";
        let from = self.at;
        let mut value = 0;
        while self.byte(0).is_ascii_digit() {
            if self.at - from == 2 {
                return Err(self.fault(CONTEXT, start, "found extremely long version number"));
            }
            value = value * 10 + (self.byte(0) - b'0');
            self.at += 1;
        }
        if self.at == from {
            return Err(self.fault(CONTEXT, start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<TokenKind<'a>, Problem> {
        const CONTEXT: &str = "while scanning a %TAG directive";
        self.skip_blanks();
        let handle = self.scan_handle(IN_TAG_DIRECTIVE, start)?;
        if !matches!(self.byte(0), b' ' | b'\t') {
            return Err(self.fault(CONTEXT, start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.scan_uri("", IN_TAG_DIRECTIVE, start)?;
        if !self.blank_or_end(0) {
            return Err(self.fault(
                CONTEXT,
                start,
                "did not find expected whitespace or line break",
            ));
        }
        Ok(TokenKind::TagDirective { handle, prefix: prefix.into() })
    }

    /// `!`, `!!` or `!name!`; in a tag also `!name`, which is a suffix in truth.
    fn scan_handle(&mut self, context: &'static str, start: Mark) -> Result<&'a str, Problem> {
        const PROBLEM: &str = "did not find expected '!'";
        let from = self.at;
        if self.byte(0) != b'!' {
            return Err(self.fault(context, start, PROBLEM));
        }
        self.at += 1;
        self.word();
        if self.byte(0) == b'!' {
            self.at += 1;
        } else if context == IN_TAG_DIRECTIVE && self.at - from > 1 {
            return Err(self.fault(context, start, PROBLEM));
        }
        Ok(&self.text[from..self.at])
    }

    /// The rest of a tag. `head` is what was taken for a handle and belongs to it.
    fn scan_uri(
        &mut self,
        head: &'a str,
        context: &'static str,
        start: Mark,
    ) -> Result<Cow<'a, str>, Problem> {
        let from = self.at - head.len().saturating_sub(1);
        let mut decoded: Option<Vec<u8>> = None;
        let first = self.at;
        loop {
            let byte = self.byte(0);
            if byte == b'%' {
                let mut bytes =
                    decoded.take().unwrap_or_else(|| self.text.as_bytes()[from..self.at].to_vec());
                self.scan_uri_escape(&mut bytes, context, start)?;
                decoded = Some(bytes);
            } else if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                if let Some(bytes) = &mut decoded {
                    bytes.push(byte);
                }
                self.at += 1;
            } else {
                break;
            }
        }
        if head.is_empty() && self.at == first {
            return Err(self.fault(context, start, "did not find expected tag URI"));
        }
        Ok(match decoded {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Borrowed(&self.text[from..self.at]),
        })
    }

    /// The `%XX` of one character.
    fn scan_uri_escape(
        &mut self,
        bytes: &mut Vec<u8>,
        context: &'static str,
        start: Mark,
    ) -> Result<(), Problem> {
        let mut left = None;
        while left != Some(0) {
            let digits = self.text.get(self.at + 1..self.at + 3);
            let octet = digits
                .filter(|digits| {
                    self.byte(0) == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
                })
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let Some(octet) = octet else {
                return Err(self.fault(context, start, "did not find URI escaped octet"));
            };
            left = Some(match left {
                None => match octet {
                    0..0x80 => 0,
                    0xc0..0xe0 => 1,
                    0xe0..0xf0 => 2,
                    0xf0..0xf8 => 3,
                    _ => {
                        let problem = "found an incorrect leading UTF-8 octet";
                        return Err(self.fault(context, start, problem));
                    }
                },
                Some(_) if octet & 0xc0 != 0x80 => {
                    let problem = "found an incorrect trailing UTF-8 octet";
                    return Err(self.fault(context, start, problem));
                }
                Some(left) => left - 1,
            });
            bytes.push(octet);
            self.at += 3;
        }
        Ok(())
    }

    fn word(&mut self) -> &'a str {
        let from = self.at;
        while is_word(self.byte(0)) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.byte(0), b' ' | b'\t') {
            self.at += 1;
        }
    }

    pub(super) fn fault(
        &self,
        context: &'static str,
        start: Mark,
        problem: &'static str,
    ) -> Problem {
        Problem::scanner(context, start, problem, self.mark())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
