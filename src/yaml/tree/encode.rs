//! Trees to text, as kustomize's encoder writes them: two spaces a level, the `-` of a list below
//! its key, no line folded.
//!
//! libyaml's emitter works through events with a state for each; here the states are functions, and
//! what remains is what it remembers between events: whether a space or an indentation was written
//! last, and which comments still wait.

use super::{Notes, Style, Tree, TreeDocument, TreeKind};
use crate::yaml::emit::{self, Emitter, Flavor};
use crate::yaml::quote;
use crate::yaml::resolve::implicit_tag;

/// Longer keys are written with `?`.
const LONGEST_SIMPLE_KEY: usize = 128;

impl TreeDocument {
    /// The text of the document.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut writer = Writer::default();
        if !self.notes.head.is_empty() {
            writer.pending.head.clone_from(&self.notes.head);
            writer.head();
            writer.put_break();
        }
        writer.event(&self.root.notes, &self.root);
        writer.head();
        writer.node(&self.root, Place::default());
        writer.foot_indent = Some(0);
        writer.pending.foot.clone_from(&self.notes.foot);
        writer.foot();
        writer.foot_indent = None;
        writer.indent_line();
        writer.out
    }
}

impl Tree {
    /// The text of this part as a document of its own.
    #[must_use]
    pub fn encode(&self) -> String {
        TreeDocument { root: self.clone(), notes: Notes::default() }.encode()
    }

    /// The tag that has to be written, and whether quotes must tell that a text is one.
    fn shown_tag(&self) -> (&str, bool) {
        if self.tagged || self.tag.is_empty() {
            return (&self.tag, false);
        }
        match self.kind {
            TreeKind::Scalar if self.tag == "!!str" && self.style != Style::Plain => ("", false),
            TreeKind::Scalar => match implicit_tag(&self.text) {
                // a merge key is a text to whoever resolves it
                own if own == self.tag && own != "!!merge" => ("", false),
                _ if self.tag == "!!str" => ("", true),
                _ => (&self.tag, false),
            },
            TreeKind::Mapping if self.tag == "!!map" => ("", false),
            TreeKind::Sequence if self.tag == "!!seq" => ("", false),
            _ => (&self.tag, false),
        }
    }
}

/// Where a node stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// In a map, as key or value.
    mapping: bool,
    /// As a key on one line.
    simple_key: bool,
    /// As an item of a block sequence.
    block_item: bool,
}

#[derive(Default)]
struct Pending {
    head: String,
    line: String,
    foot: String,
    tail: String,
    /// The line comment of a key, which has to wait for the value.
    key_line: String,
}

struct Writer {
    out: String,
    /// Nothing before the root.
    indent: Option<usize>,
    indents: Vec<Option<usize>>,
    flow: usize,
    whitespace: bool,
    indention: bool,
    foot_indent: Option<usize>,
    pending: Pending,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer {
            out: String::new(),
            indent: None,
            indents: Vec::new(),
            flow: 0,
            whitespace: true,
            indention: true,
            foot_indent: None,
            pending: Pending::default(),
        }
    }
}

impl Writer {
    /// Takes the comments of an event that begins a node. Those on the line of a collection and
    /// below it come with its end.
    fn event(&mut self, notes: &Notes, tree: &Tree) {
        set(&mut self.pending.head, &notes.head);
        if matches!(tree.kind, TreeKind::Scalar | TreeKind::Alias) {
            set(&mut self.pending.line, &notes.line);
            set(&mut self.pending.foot, &notes.foot);
        }
    }

    fn end_event(&mut self, notes: &Notes) {
        set(&mut self.pending.line, &notes.line);
        set(&mut self.pending.foot, &notes.foot);
    }

    /// A node and what is in it; its comments were taken already.
    fn node(&mut self, tree: &Tree, place: Place) {
        self.begin(tree, place);
        self.line();
        self.foot();
        self.content(tree, place);
    }

    /// Anchor and tag, and the text of a scalar.
    fn begin(&mut self, tree: &Tree, place: Place) {
        if tree.kind == TreeKind::Alias {
            self.indicator("*", true, false, false);
            self.out.push_str(&tree.text);
            return;
        }
        if let Some(anchor) = &tree.anchor {
            self.indicator("&", true, false, false);
            self.out.push_str(anchor);
            (self.whitespace, self.indention) = (false, false);
        }
        let (tag, forced) = tree.shown_tag();
        if !tag.is_empty() {
            self.tag(tag);
        }
        if tree.kind == TreeKind::Scalar {
            self.deeper(true, place);
            self.scalar(tree, forced, place);
            self.shallower();
        }
    }

    fn content(&mut self, tree: &Tree, place: Place) {
        let brackets = self.flow > 0 || tree.flow || tree.content.is_empty();
        match tree.kind {
            TreeKind::Sequence if brackets => self.flow_sequence(tree, place),
            TreeKind::Sequence => self.block_sequence(tree, place),
            TreeKind::Mapping if brackets => self.flow_mapping(tree, place),
            TreeKind::Mapping => self.block_mapping(tree, place),
            TreeKind::Scalar | TreeKind::Alias => {}
        }
    }

    fn block_sequence(&mut self, tree: &Tree, place: Place) {
        let compact = place.mapping && (self.column() == 0 || !self.indention);
        self.deeper(false, place);
        if compact && !place.block_item {
            self.indent = self.indent.map(|indent| indent.saturating_sub(2));
        }
        for item in &tree.content {
            self.event(&item.notes, item);
            self.head();
            self.indent_line();
            self.indicator("-", true, false, true);
            self.node(item, Place { block_item: true, ..Place::default() });
        }
        self.end_event(&tree.notes);
        self.shallower();
    }

    fn block_mapping(&mut self, tree: &Tree, place: Place) {
        self.deeper(false, place);
        let mut tail = "";
        for entry in tree.content.chunks_exact(2) {
            let (key, value) = (&entry[0], &entry[1]);
            self.key_event(key, tail);
            tail = &key.notes.foot;
            self.head();
            self.indent_line();
            if !self.pending.line.is_empty() {
                self.pending.key_line = std::mem::take(&mut self.pending.line);
            }
            if is_simple_key(key) {
                let place = Place { mapping: true, simple_key: true, ..Place::default() };
                self.begin(key, place);
                self.content(key, place);
                self.event(&value.notes, value);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                let place = Place { mapping: true, ..Place::default() };
                self.begin(key, place);
                self.content(key, place);
                self.event(&value.notes, value);
                self.indent_line();
                self.indicator(":", true, false, true);
            }
            self.place_key_line(value);
            self.node(value, Place { mapping: true, ..Place::default() });
        }
        set(&mut self.pending.tail, tail);
        self.end_event(&tree.notes);
        self.head();
        self.shallower();
    }

    /// A comment on the line of a key stands behind a scalar, and above a block.
    fn place_key_line(&mut self, value: &Tree) {
        if self.pending.key_line.is_empty() {
            return;
        }
        match value.kind {
            TreeKind::Scalar if self.pending.line.is_empty() => {
                self.pending.line = std::mem::take(&mut self.pending.key_line);
            }
            TreeKind::Sequence | TreeKind::Mapping if !value.flow => {
                std::mem::swap(&mut self.pending.line, &mut self.pending.key_line);
                self.line();
                std::mem::swap(&mut self.pending.line, &mut self.pending.key_line);
            }
            _ => {}
        }
    }

    fn key_event(&mut self, key: &Tree, tail: &str) {
        set(&mut self.pending.head, &key.notes.head);
        if matches!(key.kind, TreeKind::Scalar | TreeKind::Alias) {
            set(&mut self.pending.line, &key.notes.line);
        }
        if matches!(key.kind, TreeKind::Scalar | TreeKind::Mapping) {
            set(&mut self.pending.tail, tail);
        }
    }

    fn flow_sequence(&mut self, tree: &Tree, place: Place) {
        self.indicator("[", true, true, false);
        self.deeper(true, place);
        self.flow += 1;
        let mut comma = false;
        for item in &tree.content {
            self.event(&item.notes, item);
            self.next_in_brackets(comma);
            comma = !self.noted();
            self.begin(item, Place::default());
            self.behind_in_brackets();
            self.content(item, Place::default());
        }
        self.end_event(&tree.notes);
        self.flow -= 1;
        self.shallower();
        if self.column() == 0 {
            self.indent_line();
        }
        self.indicator("]", false, false, false);
        self.line();
        self.foot();
    }

    fn flow_mapping(&mut self, tree: &Tree, place: Place) {
        self.indicator("{", true, true, false);
        self.deeper(true, place);
        self.flow += 1;
        let mut comma = false;
        let mut tail = "";
        for entry in tree.content.chunks_exact(2) {
            let (key, value) = (&entry[0], &entry[1]);
            self.key_event(key, tail);
            tail = &key.notes.foot;
            self.next_in_brackets(comma);
            let place = Place { mapping: true, ..Place::default() };
            if is_simple_key(key) {
                let key_place = Place { simple_key: true, ..place };
                self.begin(key, key_place);
                self.content(key, key_place);
                self.event(&value.notes, value);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, false);
                self.begin(key, place);
                self.content(key, place);
                self.event(&value.notes, value);
                self.indicator(":", true, false, false);
            }
            comma = !self.noted();
            self.begin(value, place);
            self.behind_in_brackets();
            self.content(value, place);
        }
        set(&mut self.pending.tail, tail);
        self.end_event(&tree.notes);
        let waits = !(self.pending.head.is_empty()
            && self.pending.foot.is_empty()
            && self.pending.tail.is_empty());
        if waits && comma && !tree.content.is_empty() {
            self.indicator(",", false, false, false);
        }
        self.head();
        self.flow -= 1;
        self.shallower();
        self.indicator("}", false, false, false);
        self.line();
        self.foot();
    }

    /// The comma behind the item before, and what stands above this one.
    fn next_in_brackets(&mut self, comma: bool) {
        if comma {
            self.indicator(",", false, false, false);
        }
        self.head();
        if self.column() == 0 {
            self.indent_line();
        }
    }

    /// With a comment behind an item the comma goes before it.
    fn behind_in_brackets(&mut self) {
        if self.noted() {
            self.indicator(",", false, false, false);
        }
        self.line();
        self.foot();
    }

    fn noted(&self) -> bool {
        !(self.pending.line.is_empty()
            && self.pending.foot.is_empty()
            && self.pending.tail.is_empty())
    }

    fn scalar(&mut self, tree: &Tree, forced: bool, place: Place) {
        let text = tree.text.as_str();
        let analysis = (!text.is_empty()).then(|| quote::analyze(text, Flavor::Kustomize));
        let multiline = analysis.is_some_and(|it| it.multiline);
        let in_brackets = self.flow > 0;
        let mut style = match tree.style {
            Style::Plain if text.contains('\n') => Style::Literal,
            Style::Plain if forced => Style::DoubleQuoted,
            style => style,
        };
        if place.simple_key && multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain {
            let plain = match analysis {
                None => !(in_brackets || place.simple_key),
                Some(it) if in_brackets => {
                    it.plain && !text.contains([',', '?', '[', ']', '{', '}', ':'])
                }
                Some(it) => it.plain,
            };
            if !plain {
                style = Style::SingleQuoted;
            }
        }
        if style == Style::SingleQuoted && analysis.is_some_and(|it| !it.single) {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Literal | Style::Folded) {
            let block = analysis.is_some_and(|it| it.block);
            if !block || in_brackets || place.simple_key {
                style = Style::DoubleQuoted;
            }
        }
        match style {
            Style::Plain => {
                if !text.is_empty() {
                    self.space();
                    self.out.push_str(text);
                    self.whitespace = false;
                }
                self.indention = false;
            }
            Style::SingleQuoted | Style::DoubleQuoted => {
                self.space();
                let indent = self.indent.unwrap_or_default();
                let style_of = emit::Style::kustomize();
                let mut emitter = Emitter::new(&mut self.out, &style_of);
                if style == Style::SingleQuoted {
                    emitter.single(text, indent, None);
                } else {
                    emitter.double(text, indent, None);
                }
                (self.whitespace, self.indention) = (false, false);
            }
            Style::Literal => self.literal(text),
            Style::Folded => self.folded(text),
        }
    }

    fn block_header(&mut self, sign: &str, text: &str) {
        self.indicator(sign, true, false, false);
        self.out.push_str(quote::block_indicators(text));
        if self.pending.line.is_empty() {
            self.put_break();
        } else {
            self.whitespace = false;
            self.line();
        }
        self.whitespace = true;
    }

    fn literal(&mut self, text: &str) {
        self.block_header("|", text);
        let mut breaks = true;
        for character in text.chars() {
            if quote::is_break(character) {
                self.write_break(character);
                breaks = true;
                continue;
            }
            if breaks {
                self.indent_line();
            }
            self.out.push(character);
            (self.indention, breaks) = (false, false);
        }
    }

    fn folded(&mut self, text: &str) {
        self.block_header(">", text);
        let blank = |c: Option<char>| {
            c.is_none_or(|c| matches!(c, ' ' | '\t' | '\0') || quote::is_break(c))
        };
        // libyaml looks behind the breaks at the start of the text, wherever it is
        let leading = text.chars().find(|c| !quote::is_break(*c));
        let (mut breaks, mut leading_spaces) = (true, true);
        for character in text.chars() {
            if quote::is_break(character) {
                if !breaks && !leading_spaces && character == '\n' && !blank(leading) {
                    self.put_break();
                }
                self.write_break(character);
                breaks = true;
                continue;
            }
            if breaks {
                self.indent_line();
                leading_spaces = matches!(character, ' ' | '\t');
            }
            self.out.push(character);
            (self.indention, breaks) = (false, false);
        }
    }

    fn tag(&mut self, tag: &str) {
        self.space();
        if let Some(rest) = tag.strip_prefix("!!") {
            self.out.push_str("!!");
            self.tag_content(rest);
        } else if let Some(rest) = tag.strip_prefix('!') {
            self.out.push('!');
            self.tag_content(rest);
        } else {
            self.out.push_str("!<");
            self.tag_content(tag);
            self.out.push('>');
        }
        (self.whitespace, self.indention) = (false, false);
    }

    fn tag_content(&mut self, text: &str) {
        use std::fmt::Write;
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-;/?:@&=+$,_.!~*'()[]".contains(&byte) {
                self.out.push(char::from(byte));
            } else {
                let _ = write!(self.out, "%{byte:02X}");
            }
        }
    }

    /// What stands above a node, and below the value before it.
    fn head(&mut self) {
        let tail = std::mem::take(&mut self.pending.tail);
        if !tail.is_empty() {
            self.indent_line();
            self.comment(&tail);
            self.foot_indent = Some(self.indent.unwrap_or_default());
        }
        let head = std::mem::take(&mut self.pending.head);
        if !head.is_empty() {
            self.indent_line();
            self.comment(&head);
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.pending.line);
        if !line.is_empty() {
            self.space();
            self.comment(&line);
        }
    }

    fn foot(&mut self) {
        let foot = std::mem::take(&mut self.pending.foot);
        if !foot.is_empty() {
            self.indent_line();
            self.comment(&foot);
            self.foot_indent = Some(self.indent.unwrap_or_default());
        }
    }

    fn comment(&mut self, text: &str) {
        let (mut breaks, mut pound) = (false, false);
        for character in text.chars() {
            if quote::is_break(character) {
                self.write_break(character);
                (breaks, pound) = (true, false);
                continue;
            }
            if breaks {
                self.indent_line();
            }
            if !pound {
                if character != '#' {
                    self.out.push_str("# ");
                }
                pound = true;
            }
            self.out.push(character);
            (self.indention, breaks) = (false, false);
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }

    fn deeper(&mut self, flow: bool, place: Place) {
        self.indents.push(self.indent);
        self.indent = Some(match self.indent {
            None if flow => 2,
            None => 0,
            Some(indent) if place.block_item => indent + 2,
            Some(indent) => (indent / 2 + 1) * 2,
        });
    }

    fn shallower(&mut self) {
        self.indent = self.indents.pop().unwrap_or_default();
    }

    /// Goes to the indentation, in a new line unless this one is as good as new.
    fn indent_line(&mut self) {
        let indent = self.indent.unwrap_or_default();
        let column = self.column();
        if !self.indention || column > indent || column == indent && !self.whitespace {
            self.put_break();
        }
        if self.foot_indent == Some(indent) {
            self.put_break();
        }
        for _ in self.column()..indent {
            self.out.push(' ');
        }
        self.whitespace = true;
        self.foot_indent = None;
    }

    fn indicator(&mut self, sign: &str, needs_space: bool, space: bool, indention: bool) {
        if needs_space {
            self.space();
        }
        self.out.push_str(sign);
        self.whitespace = space;
        self.indention &= indention;
    }

    fn space(&mut self) {
        if !self.whitespace {
            self.out.push(' ');
        }
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.indention = true;
    }

    fn write_break(&mut self, character: char) {
        self.out.push(character);
        self.indention = true;
    }

    /// Characters of the last line.
    fn column(&self) -> usize {
        let start = self
            .out
            .rfind(quote::is_break)
            .map_or(0, |at| at + self.out[at..].chars().next().map_or(1, char::len_utf8));
        self.out[start..].chars().count()
    }
}

fn set(slot: &mut String, text: &str) {
    if !text.is_empty() {
        text.clone_into(slot);
    }
}

fn is_simple_key(key: &Tree) -> bool {
    let (tag, _) = key.shown_tag();
    let extra = key.anchor.as_deref().map_or(0, str::len) + tag.len();
    match key.kind {
        TreeKind::Alias => key.text.len() <= LONGEST_SIMPLE_KEY,
        TreeKind::Scalar => {
            !quote::is_multiline(&key.text) && extra + key.text.len() <= LONGEST_SIMPLE_KEY
        }
        TreeKind::Sequence | TreeKind::Mapping => {
            key.content.is_empty() && extra <= LONGEST_SIMPLE_KEY
        }
    }
}
