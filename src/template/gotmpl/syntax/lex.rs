//! Text to tokens, one at a time, as the parser asks for them.
//!
//! A faulty text gives one token of the kind [`Kind::Error`] with Go's words for it. Trim markers
//! and comments are dealt with here; the parser never sees them.

use super::super::fmt::quote::is_printable;
use memchr::arch::all::memchr::One;
use regex::Regex;
use std::sync::LazyLock;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Error,
    Bool,
    /// Any other printable character.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    End,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Keyword(Keyword),
}

/// Words with a meaning of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keyword {
    Dot,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Nil,
    Template,
    With,
}

/// A token: what it is and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The line on which it starts.
    pub(super) line: usize,
}

/// Where in a text the lexer is.
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    position: usize,
    start: usize,
    line: usize,
    start_line: usize,
    depth: usize,
    inside_action: bool,
    /// What is wrong, once there was a token of [`Kind::Error`]; it is the only one.
    pub(super) fault: String,
}

const SPACE: &[u8] = b" \t\r\n";

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8]) -> Lexer<'a> {
        Lexer {
            input,
            position: 0,
            start: 0,
            line: 1,
            start_line: 1,
            depth: 0,
            inside_action: false,
            fault: String::new(),
        }
    }

    /// The next token. After an error or the end there is only the end.
    pub(super) fn next(&mut self) -> Token {
        if self.inside_action { self.action() } else { self.text() }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.position..]
    }

    /// The character at the position and its length; nothing at the end.
    fn peek(&self) -> Option<(char, usize)> {
        decode(self.rest())
    }

    fn advance(&mut self) -> Option<char> {
        let (c, length) = self.peek()?;
        self.position += length;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|byte| valid.contains(byte));
        self.position += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn emit(&mut self, kind: Kind) -> Token {
        let token = Token { kind, start: self.start, end: self.position, line: self.start_line };
        self.start = self.position;
        self.start_line = self.line;
        token
    }

    /// Passes over bytes without looking at them one by one.
    fn skip(&mut self, length: usize) {
        self.line += lines(&self.input[self.position..self.position + length]);
        self.position += length;
    }

    fn ignore(&mut self) {
        self.start = self.position;
        self.start_line = self.line;
    }

    fn fault(&mut self, message: impl Into<String>) -> Token {
        let token = Token {
            kind: Kind::Error,
            start: self.start,
            end: self.position,
            line: self.start_line,
        };
        self.fault = message.into();
        self.input = &[];
        self.position = 0;
        self.start = 0;
        self.inside_action = false;
        token
    }

    /// Outside of actions: text up to the next one, or the delimiter that opens it.
    fn text(&mut self) -> Token {
        loop {
            let Some(found) = find(self.rest(), b"{{") else {
                let length = self.rest().len();
                self.skip(length);
                let kind = if self.position > self.start { Kind::Text } else { Kind::End };
                return self.emit(kind);
            };
            if found > 0 {
                let text = &self.rest()[..found];
                let trimmed = match self.rest()[found + 2..] {
                    [b'-', space, ..] if SPACE.contains(&space) => trailing_spaces(text),
                    _ => 0,
                };
                self.skip(found - trimmed);
                let token = self.emit(Kind::Text);
                self.skip(trimmed);
                self.ignore();
                if token.end > token.start {
                    return token;
                }
            }
            if let Some(token) = self.left_delimiter() {
                return token;
            }
        }
    }

    /// The opening delimiter, unless it opens a comment, which is passed over.
    fn left_delimiter(&mut self) -> Option<Token> {
        self.position += 2;
        let marker = match self.rest() {
            [b'-', space, ..] if SPACE.contains(space) => 2,
            _ => 0,
        };
        if self.rest()[marker..].starts_with(b"/*") {
            self.skip(marker);
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.inside_action = true;
        self.skip(marker);
        self.ignore();
        self.depth = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        let Some(end) = find(&self.rest()[2..], b"*/") else {
            return Some(self.fault("unclosed comment"));
        };
        self.skip(2 + end + 2);
        let Some(trim) = self.at_right_delimiter() else {
            return Some(self.fault("comment ends before closing delimiter"));
        };
        self.skip(if trim { 4 } else { 2 });
        if trim {
            self.skip(leading_spaces(self.rest()));
        }
        self.ignore();
        None
    }

    /// Whether the action ends here, and if so whether it trims the text that follows.
    fn at_right_delimiter(&self) -> Option<bool> {
        match self.rest() {
            [space, b'-', b'}', b'}', ..] if SPACE.contains(space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    fn right_delimiter(&mut self, trim: bool) -> Token {
        if trim {
            self.skip(2);
            self.ignore();
        }
        self.position += 2;
        let token = self.emit(Kind::RightDelim);
        if trim {
            self.skip(leading_spaces(self.rest()));
            self.ignore();
        }
        self.inside_action = false;
        token
    }

    fn action(&mut self) -> Token {
        if let Some(trim) = self.at_right_delimiter() {
            if self.depth == 0 {
                return self.right_delimiter(trim);
            }
            return self.fault("unclosed left paren");
        }
        let Some((c, _)) = self.peek() else {
            return self.fault("unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => return self.space(),
            '+' | '-' | '0'..='9' => return self.number(),
            '.' if self.rest().get(1).is_some_and(u8::is_ascii_digit) => return self.number(),
            c if is_alphanumeric(c) => return self.identifier(),
            _ => self.advance(),
        };
        match c {
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.advance() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.fault("expected :=")
                }
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted(b'"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            '`' => match find(self.rest(), b"`") {
                Some(end) => {
                    self.skip(end + 1);
                    self.emit(Kind::RawString)
                }
                None => self.fault("unterminated raw quoted string"),
            },
            '$' => self.name(Kind::Variable, Kind::Variable),
            // A point that ends the text is for Go a number, which the parser refuses.
            '.' if self.rest().is_empty() => self.emit(Kind::Number),
            '.' => self.name(Kind::Field, Kind::Keyword(Keyword::Dot)),
            '(' => {
                self.depth += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.depth == 0 => self.fault("unexpected right paren"),
            ')' => {
                self.depth -= 1;
                self.emit(Kind::RightParen)
            }
            ' '..='~' => self.emit(Kind::Char),
            c => self.fault(format!("unrecognized character in action: {}", code_point(c))),
        }
    }

    fn space(&mut self) -> Token {
        let spaces = leading_spaces(self.rest());
        // The last space may belong to a trim marker.
        let last = self.position + spaces - 1;
        if self.input[last..].get(1..4) == Some(b"-}}") {
            if spaces == 1 {
                return self.right_delimiter(true);
            }
            self.skip(spaces - 1);
        } else {
            self.skip(spaces);
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token {
        self.word();
        if let Some(fault) = self.not_terminated() {
            return fault;
        }
        let kind = match &self.input[self.start..self.position] {
            b"block" => Kind::Keyword(Keyword::Block),
            b"break" => Kind::Keyword(Keyword::Break),
            b"continue" => Kind::Keyword(Keyword::Continue),
            b"define" => Kind::Keyword(Keyword::Define),
            b"else" => Kind::Keyword(Keyword::Else),
            b"end" => Kind::Keyword(Keyword::End),
            b"if" => Kind::Keyword(Keyword::If),
            b"range" => Kind::Keyword(Keyword::Range),
            b"nil" => Kind::Keyword(Keyword::Nil),
            b"template" => Kind::Keyword(Keyword::Template),
            b"with" => Kind::Keyword(Keyword::With),
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind)
    }

    /// A field or a variable, whose first character is passed; `alone` is what that is by itself.
    fn name(&mut self, kind: Kind, alone: Kind) -> Token {
        if self.at_terminator() {
            return self.emit(alone);
        }
        self.word();
        match self.not_terminated() {
            Some(fault) => fault,
            None => self.emit(kind),
        }
    }

    fn word(&mut self) {
        let is_usual = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        self.position += self.rest().iter().take_while(is_usual).count();
        while let Some((c, length)) = self.peek()
            && is_alphanumeric(c)
        {
            self.position += length;
        }
    }

    fn not_terminated(&mut self) -> Option<Token> {
        if self.at_terminator() {
            return None;
        }
        let c = self.peek().map_or(' ', |(c, _)| c);
        Some(self.fault(format!("bad character {}", code_point(c))))
    }

    fn at_terminator(&self) -> bool {
        match self.rest() {
            [] | [b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => {
                true
            }
            rest => rest.starts_with(b"}}"),
        }
    }

    /// A text in quotes, or a character, whose first quote is passed.
    fn quoted(&mut self, quote: u8, kind: Kind, unterminated: &str) -> Token {
        loop {
            let is_usual = |byte: &&u8| ![quote, b'\\', b'\n'].contains(byte);
            self.position += self.rest().iter().take_while(is_usual).count();
            let next = self.advance();
            let next = if next == Some('\\') {
                match self.advance() {
                    Some('\n') | None => None,
                    Some(_) => continue,
                }
            } else {
                next
            };
            match next {
                None | Some('\n') => return self.fault(unterminated),
                Some(c) if c == char::from(quote) => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Token {
        let mut good = self.scan_number();
        let mut kind = Kind::Number;
        if good && matches!(self.rest().first(), Some(b'+' | b'-')) {
            kind = Kind::Complex;
            good = self.scan_number() && self.input[self.position - 1] == b'i';
        }
        if good {
            return self.emit(kind);
        }
        let text = super::quote(&self.input[self.start..self.position]);
        self.fault(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        let mut digits: &[u8] = b"0123456789_";
        self.accept(b"+-");
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => self.accept(b"eE"),
            23 => self.accept(b"pP"),
            _ => false,
        };
        if exponent {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if let Some((c, _)) = self.peek()
            && is_alphanumeric(c)
        {
            self.advance();
            return false;
        }
        true
    }
}

/// The first character of bytes that should be UTF-8, and how many bytes it takes.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let longest = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(longest) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&longest[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())))
}

/// Go's letters, digits and underscore.
fn is_alphanumeric(c: char) -> bool {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]$").expect("the pattern is constant"));
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    WORD.is_match(c.encode_utf8(&mut [0; 4]))
}

/// A character as Go's `%#U` tells it.
fn code_point(c: char) -> String {
    let code = u32::from(c);
    if is_printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

/// Where something first is, looked for without asking the processor what it is able to, which takes
/// longer than to go through a usual template.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    One::new(what[0]).iter(bytes).find(|at| bytes[*at..].starts_with(what))
}

fn lines(bytes: &[u8]) -> usize {
    One::new(b'\n').iter(bytes).count()
}

fn leading_spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| SPACE.contains(byte)).count()
}

fn trailing_spaces(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| SPACE.contains(byte)).count()
}
