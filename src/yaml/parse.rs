//! Tokens to events, as libyaml's parser does it: YAML's grammar as a state machine.
//!
//! An event is the start or the end of something, a scalar, or an alias. The machine keeps its
//! states on a stack of its own, so that no input can exhaust the program's.

use super::problem::{Mark, Problem};
use super::scan::{Comments, Scanner, Style, TagText, TokenKind};
use std::borrow::Cow;

const DEFAULT_TAGS: [(&str, &str); 2] = [("!", "!"), ("!!", "tag:yaml.org,2002:")];

/// What stands before a node: its anchor and its tag with the handle resolved. Few nodes have any,
/// so events hold them in a box.
#[derive(Clone, Debug, Default)]
pub(super) struct Properties<'a> {
    pub(super) anchor: Option<&'a str>,
    pub(super) tag: Option<Box<str>>,
}

/// The comments of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    pub(super) head: String,
    pub(super) line: String,
    pub(super) foot: String,
}

#[derive(Clone, Debug)]
pub(super) enum EventKind<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(&'a str),
    Scalar { text: Cow<'a, str>, style: Style, properties: Option<Box<Properties<'a>>> },
    SequenceStart { flow: bool, properties: Option<Box<Properties<'a>>> },
    SequenceEnd,
    MappingStart { flow: bool, properties: Option<Box<Properties<'a>>> },
    MappingEnd,
}

#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub(super) kind: EventKind<'a>,
    /// Where it begins, its properties included.
    pub(super) start: Mark,
    /// Where its content begins.
    pub(super) content: Mark,
    pub(super) end: Mark,
}

/// What is expected next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirst,
    BlockSequence,
    IndentlessSequence,
    BlockMappingFirst,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequence,
    /// A pair `k: v` inside of `[]`.
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// Gives the events of a stream one by one.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    /// Where the open collections began, for errors.
    marks: Vec<Mark>,
    tags: Vec<(Cow<'a, str>, Box<str>)>,
    /// The comments of the last event, where they are kept.
    notes: Notes,
    /// Comments above the first entry of a collection that is an item of a sequence.
    stem: String,
}

impl<'a> Parser<'a> {
    /// Makes a parser that scans so many tokens ahead.
    pub(super) fn new(text: &'a str, ahead: usize) -> Parser<'a> {
        Parser {
            scanner: Scanner::new(text, ahead),
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            marks: Vec::new(),
            tags: Vec::new(),
            notes: Notes::default(),
            stem: String::new(),
        }
    }

    /// Makes a parser that keeps comments.
    pub(super) fn with_comments(text: &'a str) -> Parser<'a> {
        let mut parser = Parser::new(text, 2);
        parser.scanner.comments = Some(Box::default());
        parser
    }

    /// The comments of the event that [`Parser::next`] gave last.
    pub(super) fn take_notes(&mut self) -> Notes {
        std::mem::take(&mut self.notes)
    }

    /// The next event has the comments that were scanned up to it.
    #[inline]
    fn note(&mut self) {
        if let Some(comments) = &mut self.scanner.comments {
            let Comments { head, line, foot, .. } = &mut **comments;
            let [head, line, foot] = [head, line, foot].map(std::mem::take);
            self.notes = Notes { head, line, foot };
            self.stem.clear();
        }
    }

    fn head_length(&self) -> usize {
        self.scanner.comments.as_ref().map_or(0, |comments| comments.head.len())
    }

    /// A `-` was taken that had so many bytes of comments above it.
    fn split_stem(&mut self, length: usize) -> Result<(), Problem> {
        if length == 0 {
            return Ok(());
        }
        let kind = &self.scanner.peek()?.kind;
        if !matches!(kind, TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart) {
            return Ok(());
        }
        if let Some(comments) = &mut self.scanner.comments {
            let rest = comments.head.get(length + 1..).unwrap_or_default().to_owned();
            self.stem = std::mem::replace(&mut comments.head, rest);
            self.stem.truncate(length);
        }
        Ok(())
    }

    /// What stands above the first empty line belongs to the document.
    fn note_document(&mut self) {
        let Some(comments) = &mut self.scanner.comments else { return };
        let head = &mut comments.head;
        let bytes = head.as_bytes();
        let is_cut =
            |at: &usize| bytes[*at] == b'\n' && (*at == bytes.len() - 1 || bytes[at - 1] == b'\n');
        let Some(at) = (1..bytes.len()).rev().find(is_cut) else { return };
        let cut = if at == bytes.len() - 1 { at } else { at - 1 };
        let rest = head[at + 1..].to_owned();
        self.notes.head = std::mem::replace(head, rest);
        self.notes.head.truncate(cut);
    }

    /// The next event; after the end of the stream that event again and again.
    pub(super) fn next(&mut self) -> Result<Event<'a>, Problem> {
        match self.state {
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceFirst => self.block_sequence(true),
            State::BlockSequence => self.block_sequence(false),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockMappingFirst => self.block_mapping_key(true),
            State::BlockMappingKey => self.block_mapping_key(false),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst => self.flow_sequence(true),
            State::FlowSequence => self.flow_sequence(false),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                let mark = self.scanner.peek()?.start;
                self.state = State::FlowSequence;
                Ok(event(EventKind::MappingEnd, mark, mark))
            }
            State::FlowMappingFirst => self.flow_mapping_key(true),
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => {
                let mark = self.scanner.peek()?.start;
                self.state = State::FlowMappingKey;
                Ok(empty_scalar(mark))
            }
            State::End => {
                let mark = self.scanner.peek()?.start;
                Ok(event(EventKind::StreamEnd, mark, mark))
            }
        }
    }

    fn document_start(&mut self, implicit: bool) -> Result<Event<'a>, Problem> {
        while !implicit && self.scanner.peek()?.kind == TokenKind::DocumentEnd {
            self.scanner.skip();
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                Ok(event(EventKind::StreamEnd, start, end))
            }
            TokenKind::VersionDirective(..)
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart => self.explicit_document(start),
            _ if !implicit => self.explicit_document(start),
            _ => {
                self.default_tags();
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                self.note_document();
                Ok(event(EventKind::DocumentStart, start, end))
            }
        }
    }

    fn explicit_document(&mut self, start: Mark) -> Result<Event<'a>, Problem> {
        self.directives()?;
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::DocumentStart {
            let mark = token.start;
            return Err(Problem::parser("did not find expected <document start>", mark));
        }
        let end = self.scanner.take()?.end;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(event(EventKind::DocumentStart, start, end))
    }

    fn directives(&mut self) -> Result<(), Problem> {
        let mut version = false;
        loop {
            let mark = self.scanner.peek()?.start;
            match &self.scanner.peek()?.kind {
                TokenKind::VersionDirective(..) if version => {
                    return Err(Problem::parser("found duplicate %YAML directive", mark));
                }
                TokenKind::VersionDirective(1, 1) => version = true,
                TokenKind::VersionDirective(..) => {
                    return Err(Problem::parser("found incompatible YAML document", mark));
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.tags.iter().any(|(known, _)| known == handle) {
                        return Err(Problem::parser("found duplicate %TAG directive", mark));
                    }
                    self.tags.push((Cow::Borrowed(handle), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.skip();
        }
        self.default_tags();
        Ok(())
    }

    fn default_tags(&mut self) {
        for (handle, prefix) in DEFAULT_TAGS {
            if !self.tags.iter().any(|(known, _)| known == handle) {
                self.tags.push((Cow::Borrowed(handle), prefix.into()));
            }
        }
    }

    fn document_content(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::VersionDirective(..)
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let mark = token.start;
                self.pop_state();
                Ok(empty_scalar(mark))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let start = token.start;
        let mut end = start;
        if token.kind == TokenKind::DocumentEnd {
            end = self.scanner.take()?.end;
        }
        self.tags.clear();
        self.state = State::DocumentStart;
        self.note();
        if self.notes.foot.is_empty() {
            self.notes.foot = std::mem::take(&mut self.notes.head);
        }
        Ok(event(EventKind::DocumentEnd, start, end))
    }

    /// A node: an alias, or properties and content, of which either may be missing.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let start = token.start;
        match token.kind {
            TokenKind::Alias(name) => {
                let end = self.scanner.take()?.end;
                self.pop_state();
                self.note();
                Ok(event(EventKind::Alias(name), start, end))
            }
            TokenKind::Anchor(_) | TokenKind::Tag(_) => {
                let (properties, end) = self.properties(start)?;
                self.content(block, indentless, Some(Box::new(properties)), start, end)
            }
            _ => self.content(block, indentless, None, start, start),
        }
    }

    /// An anchor, a tag, or both in any order, and where they end.
    fn properties(&mut self, start: Mark) -> Result<(Properties<'a>, Mark), Problem> {
        let mut properties = Properties::default();
        let mut tag: Option<(Box<TagText<'a>>, Mark)> = None;
        let mut end = start;
        loop {
            match &self.scanner.peek()?.kind {
                TokenKind::Anchor(_) if properties.anchor.is_none() => {}
                TokenKind::Tag(_) if tag.is_none() => {}
                _ => break,
            }
            let token = self.scanner.take()?;
            end = token.end;
            match token.kind {
                TokenKind::Anchor(name) => properties.anchor = Some(name),
                TokenKind::Tag(text) => tag = Some((text, token.start)),
                _ => unreachable!("the kinds were looked at just above"),
            }
        }
        if let Some((tag, mark)) = tag {
            properties.tag = Some(self.resolve_tag(&tag, start, mark)?);
        }
        Ok((properties, end))
    }

    fn content(
        &mut self,
        block: bool,
        indentless: bool,
        properties: Option<Box<Properties<'a>>>,
        start: Mark,
        properties_end: Mark,
    ) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let (content, end) = (token.start, token.end);
        let (state, kind) = match &token.kind {
            TokenKind::Scalar(..) => {
                self.pop_state();
                return Ok(Event { start, ..self.scalar(properties)? });
            }
            TokenKind::BlockEntry if indentless => {
                let kind = EventKind::SequenceStart { flow: false, properties };
                (State::IndentlessSequence, kind)
            }
            TokenKind::FlowSequenceStart => {
                self.note();
                (State::FlowSequenceFirst, EventKind::SequenceStart { flow: true, properties })
            }
            TokenKind::FlowMappingStart => {
                self.note();
                (State::FlowMappingFirst, EventKind::MappingStart { flow: true, properties })
            }
            TokenKind::BlockSequenceStart if block => {
                self.notes.head = std::mem::take(&mut self.stem);
                (State::BlockSequenceFirst, EventKind::SequenceStart { flow: false, properties })
            }
            TokenKind::BlockMappingStart if block => {
                self.notes.head = std::mem::take(&mut self.stem);
                (State::BlockMappingFirst, EventKind::MappingStart { flow: false, properties })
            }
            _ if properties.is_some() => {
                self.pop_state();
                let kind =
                    EventKind::Scalar { text: Cow::Borrowed(""), style: Style::Plain, properties };
                let (content, end) = (properties_end, properties_end);
                return Ok(Event { kind, start, content, end });
            }
            _ => {
                let context =
                    if block { "while parsing a block node" } else { "while parsing a flow node" };
                let problem = "did not find expected node content";
                return Err(Problem::parser_in(context, start, problem, content));
            }
        };
        self.state = state;
        Ok(Event { kind, start, content, end })
    }

    /// The scalar that was just looked at.
    #[inline]
    fn scalar(&mut self, properties: Option<Box<Properties<'a>>>) -> Result<Event<'a>, Problem> {
        let token = self.scanner.take()?;
        let TokenKind::Scalar(text, style) = token.kind else {
            unreachable!("the caller looked at the kind")
        };
        self.note();
        Ok(event(EventKind::Scalar { text, style, properties }, token.start, token.end))
    }

    fn resolve_tag(&self, tag: &TagText<'a>, start: Mark, mark: Mark) -> Result<Box<str>, Problem> {
        if tag.handle.is_empty() {
            return Ok(tag.suffix.as_ref().into());
        }
        let prefix = self.tags.iter().find(|(handle, _)| handle == tag.handle);
        let Some((_, prefix)) = prefix else {
            let problem = "found undefined tag handle";
            return Err(Problem::parser_in("while parsing a node", start, problem, mark));
        };
        Ok([prefix, tag.suffix.as_ref()].concat().into())
    }

    fn block_sequence(&mut self, first: bool) -> Result<Event<'a>, Problem> {
        if first {
            self.open()?;
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::BlockEntry => {
                let above = self.head_length();
                self.scanner.skip();
                self.split_stem(above)?;
                match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => {
                        self.state = State::BlockSequence;
                        Ok(empty_scalar(end))
                    }
                    _ => {
                        self.states.push(State::BlockSequence);
                        self.node(true, false)
                    }
                }
            }
            TokenKind::BlockEnd => self.close(EventKind::SequenceEnd, false),
            _ => Err(self.unexpected(
                "while parsing a block collection",
                "did not find expected '-' indicator",
                start,
            )),
        }
    }

    fn indentless_sequence(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        if token.kind != TokenKind::BlockEntry {
            self.pop_state();
            return Ok(event(EventKind::SequenceEnd, start, start));
        }
        let above = self.head_length();
        self.scanner.skip();
        self.split_stem(above)?;
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = State::IndentlessSequence;
                Ok(empty_scalar(end))
            }
            _ => {
                self.states.push(State::IndentlessSequence);
                self.node(true, false)
            }
        }
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<Event<'a>, Problem> {
        if first {
            self.open()?;
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::Key => {
                self.scanner.skip();
                self.block_mapping_node(State::BlockMappingValue, end)
            }
            TokenKind::BlockEnd => self.close(EventKind::MappingEnd, true),
            _ => Err(self.unexpected(
                "while parsing a block mapping",
                "did not find expected key",
                start,
            )),
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        if token.kind != TokenKind::Value {
            self.state = State::BlockMappingKey;
            return Ok(empty_scalar(start));
        }
        self.scanner.skip();
        self.block_mapping_node(State::BlockMappingKey, end)
    }

    /// A key or a value of a block mapping, whose indicator ended at `end`.
    fn block_mapping_node(&mut self, next: State, end: Mark) -> Result<Event<'a>, Problem> {
        match self.scanner.peek()?.kind {
            // most are this, and need none of what a node may be
            TokenKind::Scalar(..) => {
                self.state = next;
                self.scalar(None)
            }
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = next;
                Ok(empty_scalar(end))
            }
            _ => {
                self.states.push(next);
                self.node(true, true)
            }
        }
    }

    fn flow_sequence(&mut self, first: bool) -> Result<Event<'a>, Problem> {
        if first {
            self.open()?;
        }
        if !first && self.scanner.peek()?.kind != TokenKind::FlowSequenceEnd {
            self.flow_entry("while parsing a flow sequence", "did not find expected ',' or ']'")?;
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::FlowSequenceEnd => self.close(EventKind::SequenceEnd, true),
            TokenKind::Key => {
                self.scanner.skip();
                self.state = State::FlowPairKey;
                Ok(event(EventKind::MappingStart { flow: true, properties: None }, start, end))
            }
            _ => {
                self.states.push(State::FlowSequence);
                self.node(false, false)
            }
        }
    }

    fn flow_pair_key(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let end = token.end;
        match token.kind {
            // libyaml takes this token here, so that the value that follows is lost
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                self.scanner.skip();
                self.state = State::FlowPairValue;
                Ok(empty_scalar(end))
            }
            _ => {
                self.states.push(State::FlowPairValue);
                self.node(false, false)
            }
        }
    }

    fn flow_pair_value(&mut self) -> Result<Event<'a>, Problem> {
        let token = self.scanner.peek()?;
        let start = token.start;
        if token.kind == TokenKind::Value {
            self.scanner.skip();
            let token = self.scanner.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::FlowPairEnd);
                return self.node(false, false);
            }
        }
        self.state = State::FlowPairEnd;
        Ok(empty_scalar(start))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event<'a>, Problem> {
        if first {
            self.open()?;
        }
        if !first && self.scanner.peek()?.kind != TokenKind::FlowMappingEnd {
            self.flow_entry("while parsing a flow mapping", "did not find expected ',' or '}'")?;
        }
        match self.scanner.peek()?.kind {
            TokenKind::FlowMappingEnd => self.close(EventKind::MappingEnd, true),
            TokenKind::Key => {
                self.scanner.skip();
                let token = self.scanner.peek()?;
                let start = token.start;
                match token.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        self.state = State::FlowMappingValue;
                        Ok(empty_scalar(start))
                    }
                    _ => {
                        self.states.push(State::FlowMappingValue);
                        self.node(false, false)
                    }
                }
            }
            _ => {
                self.states.push(State::FlowMappingEmptyValue);
                self.node(false, false)
            }
        }
    }

    fn flow_mapping_value(&mut self) -> Result<Event<'a>, Problem> {
        if self.scanner.peek()?.kind == TokenKind::Value {
            self.scanner.skip();
            let token = self.scanner.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(false, false);
            }
        }
        let mark = self.scanner.peek()?.start;
        self.state = State::FlowMappingKey;
        Ok(empty_scalar(mark))
    }

    /// The comma between two entries.
    fn flow_entry(&mut self, context: &'static str, problem: &'static str) -> Result<(), Problem> {
        let token = self.scanner.peek()?;
        if token.kind == TokenKind::FlowEntry {
            self.scanner.skip();
            return Ok(());
        }
        let start = token.start;
        Err(self.unexpected(context, problem, start))
    }

    fn open(&mut self) -> Result<(), Problem> {
        let mark = self.scanner.take()?.start;
        self.marks.push(mark);
        Ok(())
    }

    /// Ends a collection. The end of a block sequence leaves comments to what follows.
    fn close(&mut self, kind: EventKind<'a>, noted: bool) -> Result<Event<'a>, Problem> {
        let token = self.scanner.take()?;
        self.pop_state();
        self.marks.pop();
        if noted {
            self.note();
        }
        Ok(event(kind, token.start, token.end))
    }

    fn unexpected(&self, context: &'static str, problem: &'static str, mark: Mark) -> Problem {
        let began = self.marks.last().copied().unwrap_or_default();
        Problem::parser_in(context, began, problem, mark)
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().expect("a state for each open node");
    }
}

fn event(kind: EventKind<'_>, start: Mark, end: Mark) -> Event<'_> {
    Event { kind, start, content: start, end }
}

fn empty_scalar<'a>(mark: Mark) -> Event<'a> {
    let text = Cow::Borrowed("");
    event(EventKind::Scalar { text, style: Style::Plain, properties: None }, mark, mark)
}
