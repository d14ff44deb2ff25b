//! The letters of TOML: what a text is cut into, with the words of BurntSushi's lexer for what is
//! wrong. It is asked for the next piece by the parser, so that faults come in the order of the
//! text.

use crate::template::gotmpl::fmt::quote::{quote, quoted_char};
use crate::template::gotmpl::unicode;

/// The end of the text: real zeros are an error.
pub(super) const END: char = '\0';

/// A fault and the line it is told for.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

/// A value or a part of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// As it stands.
    Raw,
    /// With escapes.
    Escaped,
    /// In three double quotes.
    Lines,
    /// In three single quotes.
    RawLines,
    Integer,
    Float,
    Bool,
    Datetime,
    /// The beginning of a list.
    List,
    /// The beginning of a table in braces.
    Table,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    /// Where the lexer stood behind it: its line is the one that faults tell.
    pub(super) end: usize,
}

/// Reads a text from the front.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    pub(super) at: usize,
    /// Where the piece began.
    start: usize,
    /// Bytes of the last character.
    width: usize,
    /// The end was read, and not put back.
    at_end: bool,
}

type Lexed<T> = Result<T, Fault>;

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Lexer<'a> {
        Lexer { text, at: 0, start: 0, width: 0, at_end: false }
    }

    /// The line of an offset.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text[..at].split(|byte| *byte == b'\n').count()
    }

    /// A fault at the place that was reached.
    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Lexed<T> {
        let after_break = self.at_end && self.text[..self.at].ends_with(b"\n");
        let line = self.line(self.at) - usize::from(after_break);
        Err(Fault { line, message: message.into() })
    }

    /// A fault in the line before.
    pub(super) fn fault_before<T>(&self, message: impl Into<String>) -> Lexed<T> {
        Err(Fault { line: self.line(self.at) - 1, message: message.into() })
    }

    pub(super) fn next(&mut self) -> Lexed<char> {
        let Some((char, width)) = unicode::runes(&self.text[self.at..]).next() else {
            self.at_end = true;
            return Ok(END);
        };
        if char == char::REPLACEMENT_CHARACTER && width == 1 {
            let byte = self.text[self.at];
            return self.fault(format!("invalid UTF-8 byte: 0x{byte:02x}"));
        }
        let alone = char == '\r' && self.text.get(self.at + 1) != Some(&b'\n');
        if alone || char.is_ascii_control() && !matches!(char, '\t' | '\r' | '\n') {
            let code = u32::from(char);
            let line = self.line(self.at);
            let message = format!("TOML files cannot contain control characters: '0x{code:02x}'");
            return Err(Fault { line, message });
        }
        self.at += width;
        self.width = width;
        Ok(char)
    }

    pub(super) fn back(&mut self) {
        if !std::mem::replace(&mut self.at_end, false) {
            self.at -= self.width;
        }
    }

    pub(super) fn peek(&mut self) -> Lexed<char> {
        let char = self.next()?;
        self.back();
        Ok(char)
    }

    fn accept(&mut self, char: char) -> Lexed<bool> {
        let found = self.next()? == char;
        if !found {
            self.back();
        }
        Ok(found)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> Lexed<()> {
        while belongs(self.next()?) {}
        self.back();
        Ok(())
    }

    pub(super) fn skip_spaces(&mut self) -> Lexed<()> {
        self.take_while(|char| matches!(char, ' ' | '\t'))
    }

    /// The rest of a comment; its line break stays.
    pub(super) fn comment(&mut self) -> Lexed<()> {
        self.take_while(|char| !matches!(char, '\r' | '\n' | END))
    }

    fn current(&self) -> &'a [u8] {
        &self.text[self.start..self.at]
    }

    fn piece(&self, kind: Kind) -> Piece<'a> {
        Piece { kind, text: self.current(), end: self.at }
    }

    /// A part of a key or of the name of a table.
    pub(super) fn name(&mut self) -> Lexed<Piece<'a>> {
        match self.peek()? {
            '"' | '\'' => {
                let raw = self.next()? == '\'';
                if raw { self.raw_text() } else { self.basic_text() }
            }
            _ => {
                self.start = self.at;
                self.take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-'))?;
                Ok(self.piece(Kind::Raw))
            }
        }
    }

    /// A value, or the bracket that begins one.
    pub(super) fn value(&mut self) -> Lexed<Piece<'a>> {
        self.skip_spaces()?;
        self.start = self.at;
        let char = self.next()?;
        match char {
            '0'..='9' => return self.number(char),
            '[' => return Ok(self.piece(Kind::List)),
            '{' => return Ok(self.piece(Kind::Table)),
            '"' | '\'' => {
                let three = self.accept(char)? && {
                    let three = self.accept(char)?;
                    // the second quote is put back
                    self.at -= usize::from(!three);
                    three
                };
                return match (char, three) {
                    ('"', true) => self.lines(),
                    ('"', false) => self.basic_text(),
                    (_, true) => self.raw_lines(),
                    (_, false) => self.raw_text(),
                };
            }
            '.' => return self.fault("floats must start with a digit, not '.'"),
            'i' | 'n' => {
                let infinity = self.accept('n')? && self.accept('f')?;
                if infinity || self.accept('a')? && self.accept('n')? {
                    return Ok(self.piece(Kind::Float));
                }
                self.at -= 1;
                return self.word();
            }
            '-' | '+' => return self.signed(),
            _ => {}
        }
        if unicode::is_letter(char) {
            self.back();
            return self.word();
        }
        match char {
            END => self.fault("unexpected EOF; expected value"),
            '\n' => self.fault_before("expected value but found '\\n' instead"),
            _ => {
                self.fault(format!("expected value but found {} instead", quoted_char(char, false)))
            }
        }
    }

    fn word(&mut self) -> Lexed<Piece<'a>> {
        let start = self.at;
        self.take_while(unicode::is_letter)?;
        let word = &self.text[start..self.at];
        if matches!(word, b"true" | b"false") {
            return Ok(self.piece(Kind::Bool));
        }
        self.fault(format!("expected value but found {} instead", quote(word)))
    }

    fn basic_text(&mut self) -> Lexed<Piece<'a>> {
        self.start = self.at;
        let mut kind = Kind::Raw;
        loop {
            match self.next()? {
                END => return self.fault("unexpected EOF; expected '\"'"),
                '\r' | '\n' => return self.fault_before("strings cannot contain newlines"),
                '\\' => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                '"' => return Ok(self.without_quotes(kind, 1)),
                _ => {}
            }
        }
    }

    fn raw_text(&mut self) -> Lexed<Piece<'a>> {
        self.start = self.at;
        loop {
            match self.next()? {
                END => return self.fault("unexpected EOF; expected \"'\""),
                '\r' | '\n' => return self.fault_before("strings cannot contain newlines"),
                '\'' => return Ok(self.without_quotes(Kind::Raw, 1)),
                _ => {}
            }
        }
    }

    fn without_quotes(&self, kind: Kind, quotes: usize) -> Piece<'a> {
        let end = self.at - quotes;
        Piece { kind, text: &self.text[self.start..end], end }
    }

    fn lines(&mut self) -> Lexed<Piece<'a>> {
        self.start = self.at;
        loop {
            match self.next()? {
                END => return self.fault("unexpected EOF; expected '\"\"\"'"),
                '\\' if !matches!(self.next()?, '\r' | '\n') => {
                    self.back();
                    self.escape()?;
                }
                '"' if self.closes('"')? => return Ok(self.without_quotes(Kind::Lines, 3)),
                _ => {}
            }
        }
    }

    fn raw_lines(&mut self) -> Lexed<Piece<'a>> {
        self.start = self.at;
        loop {
            match self.next()? {
                END => return self.fault("unexpected EOF; expected \"'''\""),
                '\'' if self.closes('\'')? => return Ok(self.without_quotes(Kind::RawLines, 3)),
                _ => {}
            }
        }
    }

    /// True where the quote that was read is the first of the three that end the text: two more may
    /// stand before them.
    fn closes(&mut self, quote: char) -> Lexed<bool> {
        if !self.accept(quote)? {
            return Ok(false);
        }
        if !self.accept(quote)? {
            self.at -= 1;
            return Ok(false);
        }
        if self.peek()? != quote {
            return Ok(true);
        }
        let current = self.current();
        if quote == '"' && current.ends_with(b"\"\"\"\"\"") && !current.ends_with(b"\\\"\"\"\"\"") {
            return self.fault("unexpected '\"\"\"\"\"\"'");
        }
        if quote == '\'' && current.ends_with(b"'''''") {
            return self.fault("unexpected \"''''''\"");
        }
        self.at -= 2;
        Ok(false)
    }

    fn escape(&mut self) -> Lexed<()> {
        let (count, words, letter) = match self.next()? {
            'e' | 'b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\' => return Ok(()),
            'x' => (2, "two", 'x'),
            'u' => (4, "four", 'u'),
            'U' => (8, "eight", 'U'),
            other => {
                let message = format!("invalid escape in string '\\{other}'");
                let at_end = self.at_end;
                return if at_end { self.fault_before(message) } else { self.fault(message) };
            }
        };
        for _ in 0..count {
            if !self.next()?.is_ascii_hexdigit() {
                let found = quote(self.current());
                return self.fault(format!(
                    "expected {words} hexadecimal digits after '\\{letter}', but got {found} instead"
                ));
            }
        }
        Ok(())
    }

    /// A number without a sign, or a date.
    fn number(&mut self, first: char) -> Lexed<Piece<'a>> {
        if first == '0' {
            match self.next()? {
                '_' => return self.decimal(),
                '.' | 'e' | 'E' => return self.float(),
                'b' => return self.based("a binary", |char| matches!(char, '0' | '1')),
                'o' => return self.based("an octal", |char| matches!(char, '0'..='7')),
                'x' => return self.based("a hexadecimal", |char| char.is_ascii_hexdigit()),
                '0'..='9' => {}
                _ => {
                    self.back();
                    return Ok(self.piece(Kind::Integer));
                }
            }
        }
        self.take_while(|char| char.is_ascii_digit())?;
        match self.next()? {
            '-' | ':' => {
                self.take_while(|char| {
                    char.is_ascii_digit()
                        || matches!(char, '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+')
                })?;
                let piece = self.piece(Kind::Datetime);
                Ok(Piece { text: piece.text.trim_ascii(), ..piece })
            }
            '_' => self.decimal(),
            '.' | 'e' | 'E' => self.float(),
            _ => {
                self.back();
                Ok(self.piece(Kind::Integer))
            }
        }
    }

    fn based(&mut self, what: &str, digit: impl Fn(char) -> bool) -> Lexed<Piece<'a>> {
        let next = self.peek()?;
        if !digit(next) {
            let found = String::from_utf8_lossy(self.current());
            return self.fault(format!("not {what} number: '{found}{next}'"));
        }
        self.take_while(|char| digit(char) || char == '_')?;
        Ok(self.piece(Kind::Integer))
    }

    fn decimal(&mut self) -> Lexed<Piece<'a>> {
        self.take_while(|char| char.is_ascii_digit() || char == '_')?;
        match self.next()? {
            '.' | 'e' | 'E' => self.float(),
            _ => {
                self.back();
                Ok(self.piece(Kind::Integer))
            }
        }
    }

    fn float(&mut self) -> Lexed<Piece<'a>> {
        self.take_while(|char| {
            char.is_ascii_digit() || matches!(char, '_' | '.' | '-' | '+' | 'e' | 'E')
        })?;
        Ok(self.piece(Kind::Float))
    }

    fn signed(&mut self) -> Lexed<Piece<'a>> {
        let char = self.next()?;
        let rest = match char {
            'i' => ['n', 'f'],
            'n' => ['a', 'n'],
            '0' => {
                let next = self.peek()?;
                if matches!(next, 'b' | 'o' | 'x') {
                    let found = String::from_utf8_lossy(self.current());
                    return self.fault(format!(
                        "cannot use sign with non-decimal numbers: '{found}{next}'"
                    ));
                }
                return self.decimal();
            }
            '1'..='9' => return self.decimal(),
            '.' => return self.fault("floats must start with a digit, not '.'"),
            _ => {
                return self
                    .fault(format!("expected a digit but got {}", quoted_char(char, false)));
            }
        };
        if !self.accept(rest[0])? || !self.accept(rest[1])? {
            let found = String::from_utf8_lossy(self.current());
            return self.fault(format!("invalid float: '{found}'"));
        }
        Ok(self.piece(Kind::Float))
    }
}
