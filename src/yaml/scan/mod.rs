//! Text to tokens, as libyaml's scanner does it.
//!
//! YAML's grammar needs one trick at this level: that a scalar is a key shows only at the `:` after
//! it. The scanner remembers where a *simple key* may have begun, and when the `:` comes it puts a
//! key token (and, in block context, the start of a mapping) in front of tokens that it already
//! holds. Everything else is one pass over bytes; texts are slices of the input unless an escape or
//! a line break forces a copy.
//!
//! The order of checks, the marks and the texts of problems are go-yaml's, because Kubernetes tools
//! print them and their users search for them. Comments are skipped, unless the reader keeps them.

mod comment;
mod property;
mod scalar;

pub(super) use comment::Comments;

use super::problem::{Mark, Problem};
use super::reader;
use std::borrow::Cow;
use std::collections::VecDeque;

/// How many characters a key without `?` may have, its quotes included.
const MAX_KEY: usize = 1024;

/// How deep go-yaml lets collections nest.
const GO_MAX_DEPTH: usize = 10_000;

/// How a scalar was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Style {
    #[default]
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// A tag as written: `!handle!suffix`, or the suffix alone for `!<uri>` and `!`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TagText<'a> {
    pub(super) handle: &'a str,
    pub(super) suffix: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum TokenKind<'a> {
    StreamEnd,
    VersionDirective(u8, u8),
    TagDirective { handle: &'a str, prefix: Box<str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag(Box<TagText<'a>>),
    Scalar(Cow<'a, str>, Style),
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// A place where a key without `?` may have begun.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// Tokens from here on are held back. go-yaml forgets this for a key that is an empty flow
    /// collection: `[]: x` is a list, and what follows is seen only by who reads on.
    held: bool,
    /// Nothing but a key may stand here: it is at the indentation of a block mapping.
    required: bool,
    token_number: usize,
    mark: Mark,
    column: usize,
}

/// Reads tokens one by one; holds back those that a later `:` may turn into a key.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// Whether bytes are characters.
    ascii: bool,
    /// A position on the current line and the characters before it, so that counting goes on there.
    counted: (usize, usize),
    tokens: VecDeque<Token<'a>>,
    /// The first token can no longer become a key.
    ready: bool,
    /// How many tokens were taken.
    taken: usize,
    simple_keys: Vec<SimpleKey>,
    simple_key_allowed: bool,
    flow_level: usize,
    /// Column of the current block collection; 0 for none, else the column plus one.
    indent: usize,
    indents: Vec<usize>,
    ended: bool,
    /// How many tokens go-yaml holds behind the next one.
    ahead: usize,
    /// Comments, when they are kept.
    pub(super) comments: Option<Box<Comments>>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, ahead: usize) -> Scanner<'a> {
        // go-yaml skips the mark once while it decodes and once while it scans
        let marks = text.chars().take(2).take_while(|c| *c == '\u{feff}');
        let start = marks.map(char::len_utf8).sum();
        Scanner {
            text,
            bytes: text.as_bytes(),
            at: start,
            line: 0,
            line_start: start,
            ascii: text.is_ascii(),
            counted: (start, 0),
            tokens: VecDeque::with_capacity(16),
            ready: false,
            taken: 0,
            simple_keys: vec![SimpleKey::default()],
            simple_key_allowed: true,
            flow_level: 0,
            indent: 0,
            indents: Vec::new(),
            ended: false,
            ahead,
            comments: None,
        }
    }

    /// The next token, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<&Token<'a>, Problem> {
        if !self.ready {
            self.fill()?;
        }
        let token = self.tokens.front().expect("fill leaves a token");
        if let Some(comments) = &mut self.comments {
            comments.unfold(token);
        }
        Ok(token)
    }

    /// Takes the next token. After the end of the stream that token comes again and again.
    #[inline]
    pub(super) fn take(&mut self) -> Result<Token<'a>, Problem> {
        if !self.ready {
            self.fill()?;
        }
        if self.tokens.len() == 1 && self.ended {
            return Ok(self.tokens[0].clone());
        }
        self.taken += 1;
        self.ready = false;
        Ok(self.tokens.pop_front().expect("fill leaves a token"))
    }

    /// Drops the token that was looked at.
    #[inline]
    pub(super) fn skip(&mut self) {
        if self.tokens.len() > 1 || !self.ended {
            self.taken += 1;
            self.ready = false;
            self.tokens.pop_front();
        }
    }

    /// Fetches tokens until the first can no longer become a key.
    fn fill(&mut self) -> Result<(), Problem> {
        loop {
            if self.tokens.len() > self.ahead {
                let taken = self.taken;
                let mut keys = self.simple_keys.iter();
                let first = |key: &SimpleKey| key.possible && key.held && key.token_number == taken;
                let Some(index) = keys.position(first) else { break };
                if !self.key_still_possible(index)? {
                    break;
                }
            }
            // the end is looked at too: it ends the line of a key
            if self.ended {
                break;
            }
            self.fetch()?;
        }
        self.ready = true;
        Ok(())
    }

    #[inline(never)]
    fn fetch(&mut self) -> Result<(), Problem> {
        let scan = self.mark();
        self.skip_to_token();
        self.unroll_indent(scan);
        let byte = self.byte(0);
        if self.at >= self.bytes.len() {
            return self.fetch_stream_end();
        }
        if self.at == self.line_start {
            match byte {
                b'%' => return self.fetch_directive(),
                b'-' if self.at_document_indicator() => {
                    return self.fetch_document_indicator(TokenKind::DocumentStart);
                }
                b'.' if self.at_document_indicator() => {
                    return self.fetch_document_indicator(TokenKind::DocumentEnd);
                }
                _ => {}
            }
        }
        if self.comments.is_none() {
            return self.fetch_content(byte);
        }
        let mark = self.comment_mark();
        self.fetch_content(byte)?;
        self.line_comment_after(mark);
        Ok(())
    }

    fn fetch_content(&mut self, byte: u8) -> Result<(), Problem> {
        let flow = self.flow_level > 0;
        match byte {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.blank_or_end(1) => self.fetch_block_entry(),
            b'?' if flow || self.blank_or_end(1) => self.fetch_key(),
            b':' if flow || self.blank_or_end(1) => self.fetch_value(),
            b'*' | b'&' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let token = self.scan_anchor()?;
                self.push(token);
                Ok(())
            }
            b'!' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let token = self.scan_tag()?;
                self.push(token);
                Ok(())
            }
            b'|' | b'>' if !flow => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                let token = self.scan_block_scalar(byte == b'|')?;
                self.push(token);
                Ok(())
            }
            b'\'' | b'"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let token = self.scan_quoted(byte == b'\'')?;
                self.push(token);
                Ok(())
            }
            // a tab here stands where a key may begin, so indentation may not be made of it
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                let mark = self.mark();
                Err(Problem::scanner(
                    "while scanning for the next token",
                    mark,
                    "found character that cannot start any token",
                    mark,
                ))
            }
            _ => self.fetch_plain(),
        }
    }

    /// A plain scalar. Most are keys, with the `:` right behind them: these tokens are put into
    /// their order at once, without holding the scalar back until the `:` is found.
    fn fetch_plain(&mut self) -> Result<(), Problem> {
        let may_be_key = self.simple_key_allowed;
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_plain()?;
        let is_key = may_be_key
            && self.flow_level == 0
            && self.comments.is_none()
            && self.byte(0) == b':'
            && self.blank_or_end(1)
            && token.start.line == self.line
            && self.at - (token.start.at as usize) < MAX_KEY;
        if is_key {
            let key = self.simple_keys.last_mut().expect("one for each level");
            key.possible = false;
            let (mark, column) = (key.mark, key.column);
            if self.roll_indent(column)? {
                self.push(Token { kind: TokenKind::BlockMappingStart, start: mark, end: mark });
            }
            self.push(Token { kind: TokenKind::Key, start: mark, end: mark });
            self.push(token);
            self.push_indicator(TokenKind::Value, 1);
        } else {
            self.push(token);
        }
        Ok(())
    }

    fn fetch_stream_end(&mut self) -> Result<(), Problem> {
        if self.at != self.line_start {
            self.line += 1;
            self.start_line();
        }
        self.close_blocks();
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push_here(TokenKind::StreamEnd);
        self.ended = true;
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), Problem> {
        self.close_blocks();
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.push(token);
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: TokenKind<'a>) -> Result<(), Problem> {
        self.close_blocks();
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push_indicator(kind, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), Problem> {
        self.save_simple_key()?;
        let mark = self.mark();
        let token_number = self.taken + self.tokens.len();
        self.simple_keys.push(SimpleKey { token_number, mark, ..SimpleKey::default() });
        self.flow_level += 1;
        if self.flow_level > GO_MAX_DEPTH {
            return Err(Problem::scanner(
                "while increasing flow level",
                mark,
                "exceeded max depth of 10000",
                mark,
            ));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), Problem> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let inner = self.simple_keys.pop().map(|key| key.token_number);
            if let Some(outer) = self.simple_keys.last_mut()
                && Some(outer.token_number) == inner
            {
                outer.held = false;
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), Problem> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Problem> {
        if self.flow_level == 0 {
            self.block_indicator(
                TokenKind::BlockSequenceStart,
                "block sequence entries are not allowed in this context",
            )?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Problem> {
        if self.flow_level == 0 {
            self.block_indicator(
                TokenKind::BlockMappingStart,
                "mapping keys are not allowed in this context",
            )?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Problem> {
        let last = self.simple_keys.len() - 1;
        if self.key_still_possible(last)? {
            let key = self.simple_keys[last];
            self.insert(key, TokenKind::Key);
            if self.roll_indent(key.column)? {
                self.insert(key, TokenKind::BlockMappingStart);
            }
            self.simple_keys[last].possible = false;
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.block_indicator(
                    TokenKind::BlockMappingStart,
                    "mapping values are not allowed in this context",
                )?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }

    /// An indicator that begins a block collection, or goes on with one, stands here.
    fn block_indicator(
        &mut self,
        start: TokenKind<'a>,
        otherwise: &'static str,
    ) -> Result<(), Problem> {
        if !self.simple_key_allowed {
            let mark = self.mark();
            return Err(Problem::scanner("", mark, otherwise, mark));
        }
        let column = self.column();
        if self.roll_indent(column)? {
            self.push_here(start);
        }
        Ok(())
    }

    /// Begins a block collection at `column` when it is deeper than the current one.
    fn roll_indent(&mut self, column: usize) -> Result<bool, Problem> {
        if self.flow_level > 0 || self.indent > column {
            return Ok(false);
        }
        self.indents.push(self.indent);
        self.indent = column + 1;
        if self.indents.len() > GO_MAX_DEPTH {
            let context = self.simple_keys.last().map_or_else(|| self.mark(), |key| key.mark);
            return Err(Problem::scanner(
                "while increasing indent level",
                context,
                "exceeded max depth of 10000",
                self.mark(),
            ));
        }
        Ok(true)
    }

    /// Ends the block collections that are deeper than the current column.
    #[inline]
    fn unroll_indent(&mut self, scan: Mark) {
        if self.flow_level > 0 || self.indent == 0 {
            return;
        }
        // the usual case first: nothing but spaces before it, or clearly deeper
        let column = self.column();
        if self.comments.is_some() && self.indent > column + 1 {
            self.close_blocks_from(scan, column + 1);
        }
        while self.indent > column + 1 {
            self.push_here(TokenKind::BlockEnd);
            self.indent = self.indents.pop().unwrap_or_default();
        }
    }

    /// Ends the block collections that are deeper than `indent` where their comments end.
    fn close_blocks_from(&mut self, scan: Mark, indent: usize) {
        let mut mark = Mark { at: scan.at.saturating_sub(1), ..scan };
        while self.flow_level == 0 && self.indent > indent {
            mark = self.block_end(mark);
            self.push(Token { kind: TokenKind::BlockEnd, start: mark, end: mark });
            self.indent = self.indents.pop().unwrap_or_default();
        }
    }

    /// Ends all block collections.
    fn close_blocks(&mut self) {
        if self.comments.is_some() {
            let mark = self.mark();
            self.close_blocks_from(mark, 0);
        }
        while self.flow_level == 0 && self.indent > 0 {
            self.push_here(TokenKind::BlockEnd);
            self.indent = self.indents.pop().unwrap_or_default();
        }
    }

    /// A simple key must end on its line and within 1,024 characters.
    fn key_still_possible(&mut self, index: usize) -> Result<bool, Problem> {
        let key = self.simple_keys[index];
        if !key.possible {
            return Ok(false);
        }
        let from = key.mark.at as usize;
        let distance = self.at - from;
        let too_far = distance > MAX_KEY
            && (self.ascii
                || distance > 4 * MAX_KEY
                || count_chars(&self.bytes[from..self.at]) > MAX_KEY);
        if key.mark.line < self.line || too_far {
            if key.required {
                return Err(self.no_colon(key));
            }
            self.simple_keys[index].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Result<(), Problem> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let (column, required) = if self.flow_level == 0 {
            let column = self.column();
            (column, self.indent == column + 1)
        } else {
            (0, false)
        };
        self.remove_simple_key()?;
        let key = SimpleKey {
            possible: true,
            held: true,
            required,
            token_number: self.taken + self.tokens.len(),
            mark: self.mark(),
            column,
        };
        *self.simple_keys.last_mut().expect("one for each level") = key;
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), Problem> {
        let key = self.simple_keys.last_mut().expect("one for each level");
        if key.possible && key.required {
            let key = *key;
            return Err(self.no_colon(key));
        }
        key.possible = false;
        Ok(())
    }

    fn no_colon(&self, key: SimpleKey) -> Problem {
        Problem::scanner(
            "while scanning a simple key",
            key.mark,
            "could not find expected ':'",
            self.mark(),
        )
    }

    /// Skips spaces, comments and line breaks. Tabs count as space only where no key may begin.
    fn skip_to_token(&mut self) {
        let scan = self.mark();
        loop {
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.byte(0) == b' ' || tabs && self.byte(0) == b'\t' {
                self.at += 1;
            }
            if self.comments.is_some() {
                self.lift_line_comment();
            }
            if self.byte(0) == b'#' {
                if self.comments.is_some() {
                    self.scan_comments(scan);
                } else {
                    self.skip_to_line_end();
                }
            }
            if !self.skip_break() {
                return;
            }
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Puts a token in front of those of a key; behind all when those were taken already.
    fn insert(&mut self, key: SimpleKey, kind: TokenKind<'a>) {
        let token = Token { kind, start: key.mark, end: key.mark };
        let index = key.token_number.checked_sub(self.taken).unwrap_or(self.tokens.len());
        self.tokens.insert(index, token);
    }

    fn push(&mut self, token: Token<'a>) {
        if let Some(comments) = &mut self.comments {
            comments.seen(&token);
        }
        self.tokens.push_back(token);
    }

    fn push_here(&mut self, kind: TokenKind<'a>) {
        let mark = self.mark();
        self.push(Token { kind, start: mark, end: mark });
    }

    fn push_indicator(&mut self, kind: TokenKind<'a>, length: usize) {
        let start = self.mark();
        self.at += length;
        let end = self.mark();
        self.push(Token { kind, start, end });
    }

    #[inline]
    fn mark(&self) -> Mark {
        Mark::new(self.at, self.line)
    }

    /// The byte `ahead` of the current one; 0 after the end.
    #[inline]
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Characters before the current position on its line.
    fn column(&mut self) -> usize {
        if self.ascii {
            return self.at - self.line_start;
        }
        let (from, count) = self.counted;
        let (from, count) = if from < self.line_start || from > self.at {
            (self.line_start, 0)
        } else {
            (from, count)
        };
        let count = count + count_chars(&self.bytes[from..self.at]);
        self.counted = (self.at, count);
        count
    }

    /// `---` or `...` at the start of a line, followed by space or an end.
    fn at_document_indicator(&self) -> bool {
        let rest = &self.bytes[self.at..];
        (rest.starts_with(b"---") || rest.starts_with(b"...")) && self.blank_or_end(3)
    }

    /// Length in bytes of the line break at `at`; 0 when there is none.
    #[inline]
    fn break_length(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(b'\r') if self.bytes.get(at + 1) == Some(&b'\n') => 2,
            Some(b'\n' | b'\r') => 1,
            Some(0xc2) if self.bytes.get(at + 1) == Some(&0x85) => 2,
            Some(0xe2) if matches!(self.bytes.get(at + 1..at + 3), Some([0x80, 0xa8 | 0xa9])) => 3,
            _ => 0,
        }
    }

    #[inline]
    fn blank_or_end(&self, ahead: usize) -> bool {
        let at = self.at + ahead;
        match self.bytes.get(at) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
            Some(0xc2 | 0xe2) => self.break_length(at) > 0,
            _ => false,
        }
    }

    #[inline]
    fn skip_break(&mut self) -> bool {
        let length = self.break_length(self.at);
        if length == 0 {
            return false;
        }
        self.at += length;
        self.line += 1;
        self.start_line();
        true
    }

    fn start_line(&mut self) {
        self.line_start = self.at;
        self.counted = (self.at, 0);
    }

    /// Takes a line break and gives the text that it stands for.
    fn take_break(&mut self) -> &'static str {
        let text = match self.bytes.get(self.at..self.at + 3) {
            Some([0xe2, 0x80, 0xa8]) => "\u{2028}",
            Some([0xe2, 0x80, 0xa9]) => "\u{2029}",
            _ => "\n",
        };
        self.skip_break();
        text
    }

    fn skip_to_line_end(&mut self) {
        #[expect(
            clippy::needless_bitwise_bool,
            reason = "branches would have bytes looked at singly"
        )]
        let may_end = |byte| (byte == b'\n') | (byte == b'\r') | (byte == 0xc2) | (byte == 0xe2);
        loop {
            let Some(run) = reader::position(&self.bytes[self.at..], may_end) else {
                self.at = self.bytes.len();
                return;
            };
            self.at += run;
            if self.break_length(self.at) > 0 {
                return;
            }
            self.at += 1;
        }
    }
}

fn count_chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}
