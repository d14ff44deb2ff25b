//! Nodes to text, with go-yaml's bytes.
//!
//! Collections are written in block style with two spaces, lists under a key without indentation,
//! empty ones as `[]` and `{}`. A text of several lines becomes a literal block, any other is plain
//! or quoted as [`super::quote`] says. The two flavors agree on all that and differ in how they
//! sort keys and in tabs.

use super::json;
use super::map::Entry;
use super::node::{self, Node, Number, Value};
use super::order;
use super::quote::{self, Form};
use super::{Dialect, YamlError};
use crate::base::source::FileId;
use std::fmt::Write;

/// Whose bytes are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flavor {
    /// `sigs.k8s.io/yaml` on go-yaml 2: Kubernetes' own tools, and Helm's `toYaml`.
    #[default]
    Kubernetes,
    /// kyaml on go-yaml 3: kustomize's own writer, and Helm's `toYamlPretty`.
    Kustomize,
}

/// How to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Keys in go-yaml's natural order (`a9` before `a10`), or as they stand.
    pub sort_keys: bool,
    /// Plain and quoted texts go on in a new line after this column, at a single space.
    pub fold: Option<usize>,
    /// A list under a key is indented by two columns.
    pub indent_lists: bool,
    /// A double without a fraction is written as an integer, as if it had gone through JSON.
    pub integers: bool,
    /// Whose bytes.
    pub flavor: Flavor,
}

impl Default for Style {
    /// The keys' own order, nothing folded: what wharf shows to people.
    fn default() -> Style {
        Style {
            sort_keys: false,
            fold: None,
            indent_lists: false,
            integers: true,
            flavor: Flavor::Kubernetes,
        }
    }
}

impl Style {
    /// What `sigs.k8s.io/yaml` writes: sorted keys, folded after column 80.
    #[must_use]
    pub fn kubernetes() -> Style {
        Style { sort_keys: true, fold: Some(80), ..Style::default() }
    }

    /// What kyaml's encoder writes: sorted keys, nothing folded.
    #[must_use]
    pub fn kustomize() -> Style {
        Style {
            sort_keys: true,
            fold: None,
            indent_lists: false,
            integers: false,
            flavor: Flavor::Kustomize,
        }
    }

    /// What Helm's `toYamlPretty` writes: kyaml's encoder with indented lists.
    #[must_use]
    pub fn pretty() -> Style {
        Style { indent_lists: true, ..Style::kustomize() }
    }
}

/// Writes one document; it ends with a line break.
#[must_use]
pub fn to_string(node: &Node, style: &Style) -> String {
    let mut out = String::new();
    append(node, style, &mut out);
    out
}

/// Writes documents one after the other, with `---` between them.
#[must_use]
pub fn documents<'a>(nodes: impl IntoIterator<Item = &'a Node>, style: &Style) -> String {
    let mut out = String::new();
    for node in nodes {
        if !out.is_empty() {
            out.push_str("---\n");
        }
        append(node, style, &mut out);
    }
    out
}

/// Writes one document behind what `out` holds, which must be nothing or whole lines.
pub fn append(node: &Node, style: &Style, out: &mut String) {
    let line_start = out.len();
    let mut emitter = Emitter { out, line_start, style };
    match &node.value {
        Value::Map(map) if !map.is_empty() => emitter.map(map.iter(), map.len(), 0, Place::Here),
        Value::List(items) if !items.is_empty() => emitter.list(items, 0, Place::Here),
        _ => emitter.leaf(node, 2),
    }
    if emitter.out.len() > emitter.line_start {
        emitter.out.push('\n');
    }
}

/// Writes what `sigs.k8s.io/yaml` gives for a Go value: it goes through JSON, which some texts do
/// not survive.
///
/// # Errors
/// What go-yaml says of the JSON: a control character beyond ASCII's first 32 stands in a text, or
/// a key is longer than 1,024 characters.
pub fn marshal(node: &Node) -> Result<String, YamlError> {
    let style = Style::kubernetes();
    if survives_json(node) {
        return Ok(to_string(node, &style));
    }
    let json = json::go_string(node);
    let node = super::read::parse_first(&json, FileId::NONE, Dialect::GoYamlV2)?;
    Ok(to_string(&node, &style))
}

/// True when a value is the same after it was written as JSON and read as YAML.
fn survives_json(node: &Node) -> bool {
    let key = |key: &str| key.len() < 1000 && text_survives_json(key);
    match &node.value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => number.as_f64().is_finite(),
        Value::String(text) => text_survives_json(text),
        Value::List(items) => items.iter().all(survives_json),
        Value::Map(map) => map.iter().all(|e| key(&e.key) && survives_json(&e.value)),
    }
}

fn text_survives_json(text: &str) -> bool {
    // most are short and plain; the greatest byte is found many at a time
    text.bytes().fold(0, u8::max) < 0x7f
        || text.chars().all(|c| {
            quote::is_printable(c) && !quote::is_break(c)
                || matches!(c, '\n' | '\r' | '\t' | '\u{10000}'..)
        })
}

/// Where the first entry of a collection goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the text ends.
    Here,
    /// After a space: behind `-`, and behind the `:` of a key that was written with `?`.
    AfterSpace,
    /// In a new line.
    NewLine,
}

/// go-yaml writes longer keys with `?`.
const LONGEST_SIMPLE_KEY: usize = 128;

const SPACES: &str = "                                                                ";

pub(super) struct Emitter<'a> {
    out: &'a mut String,
    line_start: usize,
    style: &'a Style,
}

impl<'a> Emitter<'a> {
    /// An emitter that goes on behind a text.
    pub(super) fn new(out: &'a mut String, style: &'a Style) -> Emitter<'a> {
        let line_start = out.rfind('\n').map_or(0, |at| at + 1);
        Emitter { out, line_start, style }
    }

    fn map<'n>(
        &mut self,
        entries: impl Iterator<Item = &'n Entry>,
        count: usize,
        indent: usize,
        first: Place,
    ) {
        if !self.style.sort_keys {
            let mut place = first;
            for entry in entries {
                self.entry(entry, indent, place);
                place = Place::NewLine;
            }
            return;
        }
        let mut sorted = Vec::with_capacity(count);
        sorted.extend(entries);
        let less = order::less(self.style.flavor);
        order::sort(&mut sorted, &|a, b| less(&a.key, &b.key));
        let mut place = first;
        for entry in sorted {
            self.entry(entry, indent, place);
            place = Place::NewLine;
        }
    }

    fn entry(&mut self, entry: &Entry, indent: usize, place: Place) {
        self.start(indent, place);
        let key = entry.key.as_str();
        if key.len() <= LONGEST_SIMPLE_KEY && !quote::is_multiline(key) {
            self.text(key, indent + 2, true);
            self.out.push(':');
            match &entry.value.value {
                Value::Map(map) if !map.is_empty() => {
                    self.map(map.iter(), map.len(), indent + 2, Place::NewLine);
                }
                Value::List(items) if !items.is_empty() => {
                    let inner = if self.style.indent_lists { indent + 2 } else { indent };
                    self.list(items, inner, Place::NewLine);
                }
                _ => {
                    self.out.push(' ');
                    self.leaf(&entry.value, indent + 2);
                }
            }
        } else {
            self.out.push_str("? ");
            self.text(key, indent + 2, false);
            self.start(indent, Place::NewLine);
            self.out.push(':');
            self.nested(&entry.value, indent + 2);
        }
    }

    fn list(&mut self, items: &[Node], indent: usize, first: Place) {
        let mut place = first;
        for item in items {
            self.start(indent, place);
            self.out.push('-');
            self.nested(item, indent + 2);
            place = Place::NewLine;
        }
    }

    /// A value behind `-` or `:`, its first entry on the same line.
    fn nested(&mut self, node: &Node, indent: usize) {
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                self.map(map.iter(), map.len(), indent, Place::AfterSpace);
            }
            Value::List(items) if !items.is_empty() => {
                self.list(items, indent, Place::AfterSpace);
            }
            _ => {
                self.out.push(' ');
                self.leaf(node, indent);
            }
        }
    }

    /// Goes to where an entry begins.
    fn start(&mut self, indent: usize, place: Place) {
        match place {
            Place::Here => {}
            Place::AfterSpace => self.out.push(' '),
            Place::NewLine => {
                // a literal block ends with its line
                if self.out.len() > self.line_start {
                    self.new_line();
                }
                self.pad(indent);
            }
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.line_start = self.out.len();
    }

    fn pad(&mut self, mut count: usize) {
        while count > SPACES.len() {
            self.out.push_str(SPACES);
            count -= SPACES.len();
        }
        self.out.push_str(&SPACES[..count]);
    }

    /// A value that is written in one go. Its further lines begin at `indent`.
    fn leaf(&mut self, node: &Node, indent: usize) {
        match &node.value {
            Value::Null if node.form == node::Form::Blank => self.out.push_str("\"\""),
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Number(Number::Int(int)) => {
                let _ = write!(self.out, "{int}");
            }
            Value::Number(Number::UInt(int)) => {
                let _ = write!(self.out, "{int}");
            }
            Value::Number(Number::Float(float)) if self.style.integers && is_integer(*float) => {
                let _ = write!(self.out, "{}", float + 0.0);
            }
            Value::Number(Number::Float(float)) => self.out.push_str(&json::general(*float)),
            Value::String(text) => self.text(text, indent, false),
            Value::List(_) => self.out.push_str("[]"),
            Value::Map(_) => self.out.push_str("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize, simple_key: bool) {
        let form = quote::form(text, simple_key, self.style.flavor);
        // a line that cannot get longer than the limit needs no look at its columns; escapes are
        // longer than what they stand for
        let length = self.out.len() - self.line_start + text.len();
        let fold = self.style.fold.filter(|_| !simple_key);
        let fold = fold.filter(|width| length > *width || form == Form::Double);
        match (form, fold) {
            (Form::Plain, None) => self.out.push_str(text),
            (Form::Plain, Some(width)) => self.plain_folded(text, indent, width),
            (Form::Single, fold) => self.single(text, indent, fold),
            (Form::Double, fold) => self.double(text, indent, fold),
            (Form::Literal, _) => self.literal(text, indent),
        }
    }

    fn plain_folded(&mut self, text: &str, indent: usize, width: usize) {
        let mut column = self.column();
        let mut spaces = false;
        let mut from = 0;
        let bytes = text.as_bytes();
        for (at, byte) in text.bytes().enumerate() {
            if byte != b' ' {
                spaces = false;
                column += usize::from(byte & 0xc0 != 0x80);
                continue;
            }
            if !spaces && column > width && bytes.get(at + 1) != Some(&b' ') {
                self.out.push_str(&text[from..at]);
                self.new_line();
                self.pad(indent);
                from = at + 1;
                column = indent;
            } else {
                column += 1;
            }
            spaces = true;
        }
        self.out.push_str(&text[from..]);
    }

    pub(super) fn single(&mut self, text: &str, indent: usize, fold: Option<usize>) {
        self.out.push('\'');
        let width = fold.unwrap_or(usize::MAX);
        let mut column = if fold.is_some() { self.column() } else { 0 };
        let (mut spaces, mut breaks) = (false, false);
        for (at, character) in text.char_indices() {
            if character == ' ' {
                let inner = at > 0 && at + 1 < text.len();
                if !spaces && column > width && inner && !text[at + 1..].starts_with(' ') {
                    self.new_line();
                    self.pad(indent);
                    column = indent;
                } else {
                    self.out.push(' ');
                    column += 1;
                }
                spaces = true;
                continue;
            }
            if quote::is_break(character) {
                if character == '\n' && !breaks {
                    self.out.push('\n');
                }
                self.out.push(character);
                self.line_start = self.out.len();
                column = 0;
                breaks = true;
                continue;
            }
            if breaks {
                self.pad(indent);
                column = indent;
            }
            if character == '\'' {
                self.out.push('\'');
                column += 1;
            }
            self.out.push(character);
            column += 1;
            (spaces, breaks) = (false, false);
        }
        self.out.push('\'');
    }

    pub(super) fn double(&mut self, text: &str, indent: usize, fold: Option<usize>) {
        self.out.push('"');
        let width = fold.unwrap_or(usize::MAX);
        let mut column = if fold.is_some() { self.column() } else { 0 };
        let mut spaces = false;
        // go-yaml looks for the byte order mark at the start, whichever character it is at
        let escape_all = text.starts_with('\u{feff}');
        for (at, character) in text.char_indices() {
            if character == ' ' && !escape_all {
                let inner = at > 0 && at + 1 < text.len();
                if !spaces && column > width && inner {
                    self.new_line();
                    self.pad(indent);
                    column = indent;
                    if text[at + 1..].starts_with(' ') {
                        self.out.push('\\');
                        column += 1;
                    }
                } else {
                    self.out.push(' ');
                    column += 1;
                }
                spaces = true;
                continue;
            }
            spaces = false;
            let plain = !escape_all
                && quote::is_printable(character)
                && !quote::is_break(character)
                && !matches!(character, '"' | '\\');
            if plain {
                self.out.push(character);
                column += 1;
            } else {
                let before = self.out.len();
                self.escape(character);
                column += self.out.len() - before;
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, character: char) {
        let short = match character {
            '\0' => "\\0",
            '\x07' => "\\a",
            '\x08' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\x0b' => "\\v",
            '\x0c' => "\\f",
            '\r' => "\\r",
            '\x1b' => "\\e",
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{85}' => "\\N",
            '\u{2028}' => "\\L",
            '\u{2029}' => "\\P",
            _ => "",
        };
        let code = u32::from(character);
        let _ = match (short, code) {
            ("", ..=0xff) => write!(self.out, "\\x{code:02X}"),
            ("", ..=0xffff) => write!(self.out, "\\u{code:04X}"),
            ("", _) => write!(self.out, "\\U{code:08X}"),
            (short, _) => self.out.write_str(short),
        };
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        self.out.push_str(quote::block_indicators(text));
        self.new_line();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(quote::is_break).unwrap_or(rest.len());
            if end > 0 {
                self.pad(indent);
                self.out.push_str(&rest[..end]);
            }
            rest = &rest[end..];
            if let Some(line_break) = rest.chars().next() {
                self.out.push(line_break);
                self.line_start = self.out.len();
                rest = &rest[line_break.len_utf8()..];
            }
        }
    }

    /// Characters of the last line.
    fn column(&self) -> usize {
        self.out[self.line_start..].chars().count()
    }
}

/// True for a double whose shortest digits are an integer of 64 bits, with or without sign.
fn is_integer(float: f64) -> bool {
    const BELOW: f64 = -9_223_372_036_854_775_808.0;
    const ABOVE: f64 = 18_446_744_073_709_551_616.0;
    float.fract() == 0.0 && BELOW < float && float < ABOVE
}
