//! Comments, for the reader that keeps them.
//!
//! go-yaml 3 gives each comment to a token: as its *head* above it, on its *line*, or as the *foot*
//! of what came before. Which it is depends on empty lines and on the column. The rules here are
//! go-yaml's, its oddities included, since its output is what must come out.

use super::{Mark, Scanner, Token, TokenKind};
use std::collections::VecDeque;

/// go-yaml looks so far ahead for a comment.
const REACH: usize = 512;

/// A comment that waits for its token. Offsets are in bytes; columns of comments above or below
/// something count from 1.
#[derive(Debug, Default)]
struct Comment {
    /// Where the white space before it began.
    scan: usize,
    /// It belongs to the first token from here on.
    token: usize,
    start: Place,
    end: usize,
    head: String,
    line: String,
    foot: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: usize,
    line: u32,
    column: usize,
}

/// Which kinds of tokens matter to comments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Kind {
    SequenceStart,
    BlockEntry,
    FlowEntry,
    Value,
    #[default]
    Other,
}

/// What was scanned, and what the parser has not yet taken.
#[derive(Debug, Default)]
pub(in crate::yaml) struct Comments {
    queue: VecDeque<Comment>,
    /// The last two tokens and where they begin, the last one first.
    recent: [(Kind, usize); 2],
    pub(in crate::yaml) head: String,
    pub(in crate::yaml) line: String,
    pub(in crate::yaml) foot: String,
}

fn join(text: &mut String, more: &str) {
    if more.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

impl Comments {
    /// A token was fetched.
    pub(super) fn seen(&mut self, token: &Token<'_>) {
        let kind = match token.kind {
            TokenKind::BlockSequenceStart => Kind::SequenceStart,
            TokenKind::BlockEntry => Kind::BlockEntry,
            TokenKind::FlowEntry => Kind::FlowEntry,
            TokenKind::Value => Kind::Value,
            _ => Kind::Other,
        };
        self.recent = [(kind, token.start.at as usize), self.recent[0]];
    }

    /// Gives the parser what belongs to the next token.
    pub(super) fn unfold(&mut self, token: &Token<'_>) {
        while let Some(comment) = self.queue.front() {
            if (token.start.at as usize) < comment.token {
                return;
            }
            // an end has nothing above it
            if !comment.head.is_empty() && token.kind == TokenKind::BlockEnd {
                return;
            }
            let comment = self.queue.pop_front().unwrap_or_default();
            join(&mut self.head, &comment.head);
            join(&mut self.foot, &comment.foot);
            join(&mut self.line, &comment.line);
        }
    }
}

impl Scanner<'_> {
    /// Line breaks since the last character that is no space.
    fn newlines(&self) -> usize {
        let mut count = 0;
        let mut before = &self.text[..self.at];
        while let Some(last) = before.chars().next_back() {
            match last {
                ' ' | '\t' => {}
                '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => count += 1,
                _ => break,
            }
            before = &before[..before.len() - last.len_utf8()];
        }
        count
    }

    /// Where the token that comes next has its comments: with the one before it, if it is only the
    /// sign behind that.
    pub(super) fn comment_mark(&self) -> usize {
        let Some(comments) = &self.comments else { return 0 };
        let sign = if self.flow_level == 0 { b':' } else { b',' };
        if self.taken + self.tokens.len() > 0 && self.byte(0) == sign {
            return comments.recent[0].1;
        }
        self.at
    }

    /// The comment behind a token that was just fetched.
    pub(super) fn line_comment_after(&mut self, mark: usize) {
        let entry = |it: &Comments| it.recent[0].0 == Kind::BlockEntry;
        if self.comments.as_deref().is_some_and(|comments| !entry(comments)) {
            self.scan_line_comment(mark);
        }
    }

    /// The comment on the rest of the line, which is of the token at `mark`.
    pub(super) fn scan_line_comment(&mut self, mark: usize) {
        if self.comments.is_none() || self.newlines() > 0 {
            return;
        }
        let ahead = (0..REACH).find(|ahead| !matches!(self.byte(*ahead), b' ' | b'\t'));
        let Some(ahead) = ahead.filter(|ahead| self.byte(*ahead) == b'#') else { return };
        self.at += ahead;
        let start = Place { at: self.at, line: self.line, column: self.column() };
        let from = self.at;
        self.skip_to_line_end();
        let line = self.text[from..self.at].to_owned();
        let comment = Comment { token: mark, start, line, ..Comment::default() };
        self.keep(comment);
    }

    fn keep(&mut self, comment: Comment) {
        if let Some(comments) = &mut self.comments {
            comments.queue.push_back(comment);
        }
    }

    /// Keeps a text as the comment below what came before; what follows begins at `end`.
    fn keep_foot(
        &mut self,
        text: &mut String,
        [scan, token]: [&mut usize; 2],
        start: Place,
        end: usize,
    ) {
        let foot = std::mem::take(text);
        self.keep(Comment { scan: *scan, token: *token, start, end, foot, ..Comment::default() });
        (*scan, *token) = (end, end);
    }

    /// A comment behind the first `-` of a sequence is above what follows, not on the line of the
    /// sign.
    pub(super) fn lift_line_comment(&mut self) {
        let (at, line) = (self.at, self.line);
        let blank = self.break_length(self.at) > 0;
        let Some(comments) = &mut self.comments else { return };
        let begins =
            comments.recent[1].0 == Kind::SequenceStart && comments.recent[0].0 == Kind::BlockEntry;
        let Some(comment) = comments.queue.back_mut() else { return };
        if begins && !comment.line.is_empty() && !blank {
            comment.head = std::mem::take(&mut comment.line);
            if comment.start.line + 1 == line {
                comment.token = at;
            }
        }
    }

    /// Comments that stand alone on their lines, up to the next token.
    pub(super) fn scan_comments(&mut self, scan: Mark) {
        let Some(comments) = &self.comments else { return };
        let [last, before] = comments.recent;
        let first = self.taken + self.tokens.len() < 2;
        let (kind, mark) = if last.0 == Kind::FlowEntry && !first { before } else { last };
        let mut token = mark;
        let mut scan_at = scan.at as usize;
        let mut start = Place::default();
        let mut text = String::new();
        let indent = |scanner: &Self| scanner.indent.saturating_sub(1);
        let mut next_indent = indent(self);
        let newlines = self.newlines();
        let mut recent_empty = false;
        let mut first_empty = newlines <= 1;
        let mut line = self.line;
        let mut column = self.column();
        let mut foot_line = None;
        if scan.line > 0 {
            let inline = newlines == 0 && column > 1;
            let above = i64::try_from(newlines).unwrap_or(i64::MAX);
            foot_line = Some(i64::from(self.line) + 1 + i64::from(inline) - above);
        }
        let mut peek = 0;
        while peek < REACH {
            column += 1;
            let byte = self.byte(peek);
            if matches!(byte, b' ' | b'\t') {
                peek += 1;
                continue;
            }
            let at = self.at + peek;
            let is_break = self.break_length(at) > 0;
            let is_end = is_break || at >= self.bytes.len();
            let closes = self.flow_level > 0 && matches!(byte, b']' | b'}');
            // columns count from 1 once there is a comment; before, 0 is left of everything
            let dedented = start.column == 0 || start.column - 1 < next_indent;
            if closes || is_end {
                if closes || !recent_empty {
                    let below = foot_line == Some(i64::from(start.line)) && kind != Kind::Value;
                    if closes || first_empty && (below || dedented) {
                        if !text.is_empty() {
                            if dedented {
                                token = start.at;
                            }
                            self.keep_foot(&mut text, [&mut scan_at, &mut token], start, at);
                        }
                    } else if !text.is_empty() && at < self.bytes.len() {
                        text.push('\n');
                    }
                }
                if !is_break {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                peek += 1;
                continue;
            }
            if !text.is_empty() && (closes || column - 1 < next_indent && column != start.column) {
                // at another column it is below what came before, not above what follows
                self.keep_foot(&mut text, [&mut scan_at, &mut token], start, at);
            }
            if byte != b'#' {
                break;
            }
            if text.is_empty() {
                start = Place { at, line, column };
            } else {
                text.push('\n');
            }
            recent_empty = false;
            while self.at < at {
                if !self.skip_break() {
                    self.at += 1;
                }
            }
            let from = self.at;
            self.skip_to_line_end();
            text.push_str(&self.text[from..self.at]);
            // the line break of the comment itself is passed over
            peek = 1;
            column = 0;
            line = self.line;
            next_indent = indent(self);
        }
        if !text.is_empty() {
            let end = (self.at + peek).saturating_sub(1);
            let token = start.at;
            self.keep(Comment {
                scan: scan_at,
                token,
                start,
                end,
                head: text,
                ..Comment::default()
            });
        }
    }

    /// Where a block that ends here really ended: before comments at its own column.
    pub(super) fn block_end(&self, mark: Mark) -> Mark {
        let Some(comments) = &self.comments else { return mark };
        let mut found = mark;
        let mut stop = mark.at as usize;
        for comment in comments.queue.iter().rev() {
            if comment.end < stop {
                break;
            }
            if comment.start.column == self.indent {
                found = Mark::new(comment.start.at, comment.start.line);
            }
            stop = comment.scan;
        }
        found
    }
}
