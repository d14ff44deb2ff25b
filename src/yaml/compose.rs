//! Events to nodes: aliases, merge keys, keys that are no text, and markers of templates.
//!
//! Nodes are built on a stack of the composer's own. Faults of values do not stop it, so that a
//! fault of grammar further down is found too; go-yaml reads a document whole before it looks at
//! values, and so its order of faults is kept: the first of the earliest [`Stage`].

use super::fault;
use super::map::{Entry, Map};
use super::node::{Form, Node, Number, Str, Value};
use super::parse::{EventKind, Parser, Properties};
use super::problem::{Mark, Problem, Stage};
use super::resolve::{self, Dialect};
use super::scan::Style;
use super::substitute::{self, Substitute};
use super::tree;
use crate::base::source::{FileId, Span};
use std::borrow::Cow;
use std::collections::HashMap;

/// How deep collections may nest. go-yaml allows 10,000, which costs it a stack of many megabytes;
/// real documents stay below 40.
pub(super) const MAX_DEPTH: usize = 500;

/// The root of a document, and whether it is a marker's value, which may stand for several.
pub(super) struct Root {
    pub(super) node: Node,
    pub(super) substituted: bool,
}

/// Makes nodes of the documents of one text.
pub(super) struct Composer<'a> {
    parser: Parser<'a>,
    file: FileId,
    dialect: Dialect,
    markers: Option<&'a dyn Substitute>,
    stack: Vec<Frame<'a>>,
    spares: Spares,
    anchors: HashMap<&'a str, Anchored>,
    faults: Vec<Problem>,
    /// Nodes made, those of aliases counted each time; and those of aliases alone.
    made: u64,
    aliased: u64,
}

/// A collection that is being read.
struct Frame<'a> {
    anchor: Option<&'a str>,
    start: Mark,
    content: Mark,
    /// [`Composer::made`] when it began.
    made: u64,
    height: usize,
    /// It is written in brackets, or stands in such.
    flow: bool,
    /// It is written out as the value of a `<<`, where kustomize takes the first of equal keys.
    merged: bool,
    kind: FrameKind,
}

/// Room for collections that are being read. Most have a few entries: they are gathered where there
/// is room already and then moved to where they take no more than they need, which halves the
/// memory of what is read.
#[derive(Default)]
struct Spares {
    lists: Vec<Vec<Node>>,
    maps: Vec<Map>,
}

/// Collections of more entries keep the room in which they were gathered.
const MOVED: usize = 32;

impl Spares {
    fn list(&mut self) -> FrameKind {
        FrameKind::List(self.lists.pop().unwrap_or_default())
    }

    fn map(&mut self) -> FrameKind {
        let map = self.maps.pop().unwrap_or_default();
        FrameKind::Map { map, key: None, merges: Vec::new(), null_key: None }
    }

    fn finish_list(&mut self, mut items: Vec<Node>) -> Vec<Node> {
        if items.len() > MOVED {
            return items;
        }
        let mut exact = Vec::with_capacity(items.len());
        exact.append(&mut items);
        self.lists.push(items);
        exact
    }

    fn finish_map(&mut self, mut map: Map) -> Map {
        if map.len() > MOVED {
            return map;
        }
        let exact = map.take_exact();
        self.maps.push(map);
        exact
    }
}

enum FrameKind {
    List(Vec<Node>),
    Map {
        map: Map,
        key: Option<Key>,
        merges: Vec<Merge>,
        /// Where the fault of its null key is: of two such keys, Go tells the value of the last.
        null_key: Option<usize>,
    },
}

/// The value of a `<<`, and how many entries stand before it.
struct Merge {
    at: usize,
    map: Node,
}

/// A key whose value is still to come.
enum Key {
    Text(Str, Span),
    Merge(Span),
    /// It was reported already; the value is lost.
    Invalid,
    /// Go has no text for it, and its message needs the value.
    Unsupported(Number, Span),
    Null(Span),
}

/// What an anchor stands for.
struct Anchored {
    /// Nothing while its node is still being read: an alias now would hold itself.
    node: Option<Node>,
    made: u64,
    height: usize,
}

/// A node that was just read.
struct Done<'a> {
    node: Node,
    about: About,
    /// [`Composer::made`] before it.
    made: u64,
    anchor: Option<&'a str>,
    substituted: bool,
}

/// What the collection around a node has to know of it.
#[derive(Clone, Copy)]
struct About {
    start: Mark,
    height: usize,
    merge_key: bool,
    alias: bool,
}

impl About {
    /// That of a scalar.
    fn new(start: Mark) -> About {
        About { start, height: 0, merge_key: false, alias: false }
    }
}

impl<'a> Composer<'a> {
    pub(super) fn new(
        text: &'a str,
        file: FileId,
        dialect: Dialect,
        markers: Option<&'a dyn Substitute>,
    ) -> Composer<'a> {
        Composer {
            // go-yaml 3 looks two tokens ahead, and so finds faults of tokens sooner
            parser: Parser::new(text, if dialect == Dialect::GoYamlV3 { 2 } else { 0 }),
            file,
            dialect,
            markers,
            stack: Vec::new(),
            spares: Spares::default(),
            anchors: HashMap::new(),
            faults: Vec::new(),
            made: 0,
            aliased: 0,
        }
    }

    /// The root of the next document, or nothing at the end.
    pub(super) fn document(&mut self) -> Result<Option<Root>, Vec<Problem>> {
        let result = self.read_document();
        let root = result.map_err(|problem| vec![problem])?;
        if self.faults.is_empty() {
            return Ok(root);
        }
        let mut faults = std::mem::take(&mut self.faults);
        if self.dialect != Dialect::Strict {
            // stable: the first of the earliest stage
            faults.sort_by_key(|fault| fault.stage);
            faults.truncate(1);
        }
        Err(faults)
    }

    fn read_document(&mut self) -> Result<Option<Root>, Problem> {
        let event = self.parser.next()?;
        if matches!(event.kind, EventKind::StreamEnd) {
            return Ok(None);
        }
        self.anchors.clear();
        (self.made, self.aliased) = (1, 0);
        let mut root = None;
        loop {
            let event = self.parser.next()?;
            let done = match event.kind {
                EventKind::DocumentEnd | EventKind::StreamEnd => break,
                EventKind::DocumentStart => continue,
                // most are this, and go straight into the collection around them
                EventKind::Scalar { text, style, properties: None }
                    if self.markers.is_none() && !self.stack.is_empty() =>
                {
                    self.made += 1;
                    let span = self.span(event.start.at, event.end.at);
                    let merge_key = style == Style::Plain && text == "<<";
                    let (value, form) = self.untagged(text, style, span, false);
                    let about = About { merge_key, ..About::new(event.start) };
                    self.attach(Node { value, span, form }, about)?;
                    continue;
                }
                EventKind::Scalar { text, style, properties } => {
                    let marks = (event.start, event.content, event.end);
                    self.scalar(text, style, properties.as_deref(), marks)
                }
                EventKind::Alias(name) => self.alias(name, event.start, event.end)?,
                EventKind::SequenceStart { flow, properties } => {
                    let kind = self.spares.list();
                    let anchor = properties.and_then(|it| it.anchor);
                    self.open(kind, anchor, flow, event.start, event.content)?;
                    continue;
                }
                EventKind::MappingStart { flow, properties } => {
                    let kind = self.spares.map();
                    let anchor = properties.and_then(|it| it.anchor);
                    self.open(kind, anchor, flow, event.start, event.content)?;
                    continue;
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => self.close(event.end),
            };
            if let Some(anchor) = done.anchor.and_then(|anchor| self.anchors.get_mut(anchor))
                // unless it was defined anew inside of its own node
                && anchor.node.is_none()
                && anchor.made == done.made
            {
                anchor.node = Some(done.node.clone());
                anchor.made = self.made - done.made;
                anchor.height = done.about.height;
            }
            if self.stack.is_empty() {
                check_number(&done.node, &mut self.faults);
                root = Some(Root { node: done.node, substituted: done.substituted });
            } else {
                self.attach(done.node, done.about)?;
            }
        }
        Ok(root)
    }

    fn open(
        &mut self,
        kind: FrameKind,
        anchor: Option<&'a str>,
        flow: bool,
        start: Mark,
        content: Mark,
    ) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(fault::too_deep(content));
        }
        self.made += 1;
        if let Some(anchor) = anchor {
            let open = Anchored { node: None, made: self.made - 1, height: 0 };
            self.anchors.insert(anchor, open);
        }
        // one with a name may be read again, one inside of another is no longer as it was written
        let merged = self.dialect == Dialect::GoYamlV3
            && self.is_merged()
            && anchor.is_none()
            && !self.stack.last().is_some_and(|it| it.merged && is_map(it));
        self.stack.push(Frame {
            anchor,
            start,
            content,
            made: self.made - 1,
            height: 0,
            flow: flow || self.stack.last().is_some_and(|outer| outer.flow),
            merged,
            kind,
        });
        Ok(())
    }

    /// Whether what comes next is the value of a `<<`, or an item of such a list.
    fn is_merged(&self) -> bool {
        self.stack.last().is_some_and(|frame| match &frame.kind {
            FrameKind::List(_) => frame.merged,
            FrameKind::Map { key, .. } => matches!(key, Some(Key::Merge(_))),
        })
    }

    /// Whether an alias would merge the innermost map into itself, which changes nothing.
    fn merges_itself(&self, name: &str) -> bool {
        let map = self.stack.iter().rev().find(|frame| is_map(frame));
        self.dialect == Dialect::GoYamlV3
            && self.is_merged()
            && map.is_some_and(|map| map.anchor == Some(name))
    }

    fn close(&mut self, end: Mark) -> Done<'a> {
        let frame = self.stack.pop().expect("the parser balances starts and ends");
        let (value, last) = match frame.kind {
            FrameKind::List(items) => {
                let last = items.last().map(|item| item.span);
                (Value::List(self.spares.finish_list(items)), last)
            }
            FrameKind::Map { map, merges, .. } => {
                let last = map.iter().last().map(|entry| entry.key_span.to(entry.value.span));
                let map = self.spares.finish_map(map);
                (Value::Map(if merges.is_empty() { map } else { merged(map, merges) }), last)
            }
        };
        // a block collection ends with its last child, not where the next token begins
        let end = match last {
            Some(last) if last.file == self.file && frame.content.line != end.line => {
                last.end.max(frame.content.at)
            }
            _ => end.at,
        };
        let span = self.span(frame.content.at, end);
        Done {
            node: Node::new(value, span),
            about: About { height: frame.height + 1, ..About::new(frame.start) },
            made: frame.made,
            anchor: frame.anchor,
            substituted: false,
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: Style,
        properties: Option<&Properties<'a>>,
        (start, content, end): (Mark, Mark, Mark),
    ) -> Done<'a> {
        self.made += 1;
        let span = self.span(content.at, end.at);
        // version 3 takes `!` for no tag at all
        let none = |tag: &&str| *tag == "!" && self.dialect == Dialect::GoYamlV3;
        let tag = properties.and_then(|it| it.tag.as_deref()).filter(|tag| !none(tag));
        let anchor = properties.and_then(|it| it.anchor);
        let merge_key = text == "<<"
            && match tag {
                None => style == Style::Plain,
                Some(tag) => tag == "!" || resolve::is_merge_tag(tag),
            };
        let mut done = Done {
            node: Node::new(Value::Null, span),
            about: About { merge_key, ..About::new(start) },
            made: self.made - 1,
            anchor,
            substituted: false,
        };
        if let Some(anchor) = anchor {
            let open = Anchored { node: None, made: self.made - 1, height: 0 };
            self.anchors.insert(anchor, open);
        }
        if let Some(markers) = self.markers.filter(|_| substitute::has_marker(&text)) {
            let whole = (style == Style::Plain && tag.is_none())
                .then(|| substitute::whole(&text, markers))
                .flatten();
            if let Some(node) = whole {
                done.about.height = substitute::height(&node);
                done.node.value = node.value;
                if !node.span.is_none() {
                    done.node.span = node.span;
                }
                done.substituted = true;
                return done;
            }
            if style != Style::Plain {
                done.node.form = Form::Quoted;
            }
            let text = substitute::text(&text, markers);
            done.node.value = match tag {
                Some(tag) => self.tagged(tag, &text, span),
                None => Value::from(text),
            };
            return done;
        }
        (done.node.value, done.node.form) = match tag {
            Some(tag) => (self.tagged(tag, &text, span), self.form(&text, style)),
            None => self.untagged(text, style, span, anchor.is_some()),
        };
        done
    }

    /// How a scalar was written.
    fn form(&self, text: &str, style: Style) -> Form {
        match style {
            Style::Plain if text.is_empty() && self.is_in_brackets() => Form::Blank,
            Style::Plain if text.is_empty() => Form::Nothing,
            Style::Plain => Form::Plain,
            _ => Form::Quoted,
        }
    }

    /// The value of a scalar without a tag, and how it was written.
    #[inline]
    fn untagged(
        &mut self,
        text: Cow<'a, str>,
        style: Style,
        span: Span,
        anchored: bool,
    ) -> (Value, Form) {
        let mut form = self.form(&text, style);
        let value = match style {
            Style::Plain if self.takes_raw_key(&text, span, anchored) => Value::from(text.as_ref()),
            // kustomize writes it in quotes before it reads it again, because of the colon
            Style::Plain if form != Form::Blank && self.is_in_brackets() && text.contains(':') => {
                Value::from(text.as_ref())
            }
            Style::Plain => resolve::plain(&text, self.dialect),
            Style::Folded if self.dialect == Dialect::GoYamlV3 => {
                if self.is_annotation() {
                    form = Form::Folded;
                    Value::from(text.as_ref())
                } else {
                    Value::from(tree::refolded(&text).as_ref())
                }
            }
            _ => match text {
                Cow::Borrowed(text) => Value::from(text),
                Cow::Owned(text) => Value::from(text),
            },
        };
        (value, form)
    }

    /// Whether a value is an annotation of the document: kustomize sets these anew, so that they are
    /// no more written as they were.
    fn is_annotation(&self) -> bool {
        let is_at = |frame: &Frame<'_>, name: &str| match &frame.kind {
            FrameKind::Map { key: Some(Key::Text(key, _)), .. } => key == name,
            _ => false,
        };
        let [root, metadata, _] = &self.stack[..] else { return false };
        is_at(root, "metadata") && is_at(metadata, "annotations")
    }

    /// Whether kustomize writes what is read in brackets before it reads it again.
    fn is_in_brackets(&self) -> bool {
        self.dialect == Dialect::GoYamlV3 && self.stack.last().is_some_and(|it| it.flow)
    }

    /// Whether a text is the key of a map and stays what it is, for all that it means a number or
    /// a boolean. To kustomize it is so at the root; further in, such a map cannot become JSON.
    fn takes_raw_key(&mut self, text: &str, span: Span, anchored: bool) -> bool {
        let is_key = |frame: &Frame<'_>| matches!(frame.kind, FrameKind::Map { key: None, .. });
        if self.dialect != Dialect::GoYamlV3 || !self.stack.last().is_some_and(is_key) {
            return false;
        }
        match resolve::implicit_tag(text) {
            "!!str" | "!!merge" => false,
            // for which nothing is written, it is written in quotes
            "!!null" if text.is_empty() => self.stack.len() > 1 || anchored,
            "!!null" if self.stack.len() == 1 => false,
            _ => {
                if self.stack.len() > 1 {
                    self.faults.push(fault::no_text_key(text, span));
                }
                true
            }
        }
    }

    fn tagged(&mut self, tag: &str, text: &str, span: Span) -> Value {
        resolve::tagged(tag, text, self.dialect).unwrap_or_else(|words| {
            self.faults.push(fault::bad_tag(words, span));
            Value::Null
        })
    }

    fn alias(&mut self, name: &'a str, start: Mark, end: Mark) -> Result<Done<'a>, Problem> {
        self.made += 1;
        let span = self.span(start.at, end.at);
        let mut done = Done {
            node: Node::new(Value::Null, span),
            about: About { alias: true, ..About::new(start) },
            made: self.made,
            anchor: None,
            substituted: false,
        };
        let Some(anchored) = self.anchors.get(name) else {
            return Err(fault::unknown_anchor(name, span, self.anchors.keys().copied()));
        };
        let Some(node) = &anchored.node else {
            if self.merges_itself(name) {
                done.node.value = Value::Map(Map::new());
                return Ok(done);
            }
            self.faults.push(fault::holds_itself(name, span));
            return Ok(done);
        };
        // after a fault nothing comes of this document: expanding more would be for nothing
        if self.faults.iter().any(|fault| fault.stage == Stage::Decode) {
            return Ok(done);
        }
        self.made += anchored.made;
        self.aliased += anchored.made;
        if exceeds_alias_ratio(self.made, self.aliased) {
            self.faults.push(fault::alias_bomb(name, span, self.aliased));
            return Ok(done);
        }
        if self.stack.len() + anchored.height > MAX_DEPTH {
            return Err(fault::too_deep(start));
        }
        done.about.height = anchored.height;
        done.node = node.clone();
        Ok(done)
    }

    /// Gives a node that was read to the collection around it.
    #[inline]
    fn attach(&mut self, node: Node, about: About) -> Result<(), Problem> {
        let depth = self.stack.len();
        let frame = self.stack.last_mut().expect("the caller looked");
        frame.height = frame.height.max(about.height);
        if depth + about.height > MAX_DEPTH {
            return Err(fault::too_deep(about.start));
        }
        match &mut frame.kind {
            FrameKind::List(items) => {
                check_number(&node, &mut self.faults);
                items.push(node);
            }
            FrameKind::Map { key: pending @ None, .. } => {
                *pending = Some(key(node, about.merge_key, &mut self.faults));
            }
            FrameKind::Map { map, key, merges, null_key } => {
                match key.take().expect("checked just above") {
                    // kustomize removes what is named like a merge key
                    Key::Text(key, _) if key == "<<" && self.dialect == Dialect::GoYamlV3 => {}
                    Key::Text(key, key_span) => {
                        check_number(&node, &mut self.faults);
                        let entry = Entry { key, key_span, value: node };
                        if frame.merged && map.contains_key(&entry.key) {
                            return Ok(());
                        }
                        insert(map, entry, self.dialect, &mut self.faults);
                    }
                    Key::Merge(span) if about.alias && node.as_list().is_some() => {
                        self.faults.push(fault::no_merge_map(span.to(node.span)));
                    }
                    Key::Merge(span) if !merges.is_empty() && self.dialect == Dialect::GoYamlV3 => {
                        self.faults.push(fault::second_merge(span));
                    }
                    Key::Merge(span) => {
                        merge(map, merges, node, span, self.dialect, &mut self.faults);
                    }
                    Key::Invalid => {}
                    Key::Null(span) => {
                        let fault = fault::null_key(&node, span);
                        match *null_key {
                            Some(told) => self.faults[told] = fault,
                            None => {
                                *null_key = Some(self.faults.len());
                                self.faults.push(fault);
                            }
                        }
                    }
                    Key::Unsupported(number, span) => {
                        self.faults.push(fault::big_key(number, &node, span));
                    }
                }
            }
        }
        Ok(())
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start, end }
    }
}

fn is_map(frame: &Frame<'_>) -> bool {
    matches!(frame.kind, FrameKind::Map { .. })
}

/// go-yaml's rule: of few nodes almost all may come from aliases, of many only a tenth.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more")]
fn exceeds_alias_ratio(made: u64, aliased: u64) -> bool {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let (all, aliased) = (made as f64, aliased as f64);
    let share = ((all - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    aliased > 100.0 && all > 1000.0 && aliased / all > 0.99 - 0.89 * share
}

/// JSON's data model has no infinity.
#[inline]
fn check_number(node: &Node, faults: &mut Vec<Problem>) {
    if let Value::Number(Number::Float(float)) = node.value
        && !float.is_finite()
    {
        faults.push(fault::no_json_number(float, node.span));
    }
}

fn key(node: Node, merge_key: bool, faults: &mut Vec<Problem>) -> Key {
    let span = node.span;
    if merge_key {
        return Key::Merge(span);
    }
    match node.value {
        Value::String(text) => Key::Text(text, span),
        Value::Bool(value) => Key::Text(if value { "true" } else { "false" }.into(), span),
        Value::Number(Number::Int(int)) => Key::Text(int.to_string().into(), span),
        Value::Number(Number::Float(float)) => Key::Text(resolve::float_key(float).into(), span),
        Value::Number(number @ Number::UInt(_)) => Key::Unsupported(number, span),
        Value::Null => Key::Null(span),
        Value::List(_) | Value::Map(_) => {
            // what stands in this key may have been told already: `{{ a }}: b` is a key in a key
            let within = |inner: Span| inner.start >= span.start && inner.end <= span.end;
            let told = faults.iter().filter_map(|fault| fault.advice.as_ref()?.labels.first());
            if !told.map(|label| label.span).any(within) {
                faults.push(fault::collection_key(&node));
            }
            Key::Invalid
        }
    }
}

fn insert(map: &mut Map, entry: Entry, dialect: Dialect, faults: &mut Vec<Problem>) {
    if dialect == Dialect::GoYamlV2 {
        map.insert_entry(entry);
    } else if let Some(first) = map.entry(&entry.key) {
        faults.push(fault::duplicate_key(&entry.key, entry.key_span, first.key_span));
    } else {
        map.push_unchecked(entry);
    }
}

/// The value of `<<`: a map, or a list of maps of which earlier ones count more.
fn merge(
    map: &mut Map,
    merges: &mut Vec<Merge>,
    value: Node,
    key_span: Span,
    dialect: Dialect,
    faults: &mut Vec<Problem>,
) {
    let span = value.span;
    let maps = match value.value {
        Value::Map(_) => vec![value],
        Value::List(items) if items.iter().all(|item| item.as_map().is_some()) => items,
        _ => {
            faults.push(fault::no_merge_map(key_span.to(span)));
            return;
        }
    };
    if dialect == Dialect::GoYamlV2 {
        // version 2 puts the entries in as if they stood here
        for merged in maps.into_iter().rev() {
            if let Value::Map(merged) = merged.value {
                for entry in merged {
                    map.insert_entry(entry);
                }
            }
        }
    } else {
        let at = map.len();
        merges.extend(maps.into_iter().map(|map| Merge { at, map }));
    }
}

/// Puts the entries of merged maps where each `<<` stands. Entries that are written out count more,
/// then those of earlier maps.
fn merged(map: Map, merges: Vec<Merge>) -> Map {
    let entries = |merge: Merge| {
        let inner = match merge.map.value {
            Value::Map(inner) => inner,
            _ => Map::new(),
        };
        inner.into_iter().map(move |entry| (merge.at, entry))
    };
    let added: Vec<(usize, Entry)> = merges
        .into_iter()
        .flat_map(entries)
        .filter(|(_, entry)| !map.contains_key(&entry.key))
        .collect();
    let mut added = added.into_iter().peekable();
    let mut out = Map::with_capacity(map.len() + added.len());
    let place = |out: &mut Map, entry: Entry| {
        if !out.contains_key(&entry.key) {
            out.insert_entry(entry);
        }
    };
    for (index, entry) in map.into_iter().enumerate() {
        while let Some((_, earlier)) = added.next_if(|(at, _)| *at <= index) {
            place(&mut out, earlier);
        }
        out.insert_entry(entry);
    }
    added.for_each(|(_, entry)| place(&mut out, entry));
    out
}
