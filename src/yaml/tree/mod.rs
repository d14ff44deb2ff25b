//! Documents with all that was written: comments, quotes, anchors and tags.
//!
//! A [`Tree`] is what kustomize works on where others work on values. Values are all that most of
//! wharf needs, so a tree is made only where the writing matters: for a text inside of a text that
//! is changed and must look as before, and to say what kustomize would say of a faulty document.
//! [`Tree::encode`] writes it as kustomize's encoder does.

mod encode;
mod resolve;
#[cfg(test)]
mod tests;

pub(super) use resolve::build_fault;

use super::compose::MAX_DEPTH;
use super::fault;
use super::parse::{Event, EventKind, Notes, Parser, Properties};
use super::problem::Problem;
use super::problem::YamlError;
use super::reader;
use super::resolve::{Dialect, implicit_tag, short_tag};
use super::scan::Style;
use crate::base::source::{FileId, Span};
use std::borrow::Cow;
use std::collections::HashSet;

/// What a part of a tree is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TreeKind {
    /// A text of any meaning.
    #[default]
    Scalar,
    /// A list; its items are the content.
    Sequence,
    /// A map; keys and values alternate in the content.
    Mapping,
    /// A reference to an anchor, whose name is the text.
    Alias,
}

/// A part of a document as it was written.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// What it is.
    pub kind: TreeKind,
    /// Its tag in short form, such as `!!str`; that of a plain text is what the text means.
    pub tag: String,
    /// The tag was written out.
    tagged: bool,
    style: Style,
    /// A collection in brackets.
    flow: bool,
    /// The text of a scalar.
    pub text: String,
    anchor: Option<String>,
    /// Items, or keys and values in turn.
    pub content: Vec<Tree>,
    notes: Notes,
    /// The line where it begins, from 1.
    line: u32,
}

/// A document.
#[derive(Clone, Debug)]
pub struct TreeDocument {
    /// Its content.
    pub root: Tree,
    /// Comments above and below it.
    notes: Notes,
}

impl Tree {
    /// Reads the first document of a text; nothing when there is none.
    ///
    /// # Errors
    /// What makes the text no YAML; values are not looked at.
    pub fn parse(text: &str) -> Result<Option<TreeDocument>, YamlError> {
        let error = |problem: Problem| problem.into_error(Dialect::GoYamlV3, text, FileId::NONE);
        if let Some((_, problem)) = reader::check(text) {
            return Err(error(problem));
        }
        let mut reading = Reading {
            parser: Parser::with_comments(text),
            anchors: HashSet::new(),
            open: Vec::new(),
        };
        reading.document().map_err(error)
    }
}

/// A folded text as it is after kustomize has written and read it: an indented line in it, and the
/// one behind it, get an empty line before them.
#[must_use]
pub fn refolded(text: &str) -> Cow<'_, str> {
    let odd = ["\n ", "\n\t", "\n\n"].iter().any(|part| text.contains(part));
    if !odd && !text.starts_with([' ', '\t', '\n']) {
        return Cow::Borrowed(text);
    }
    let scalar = |text: &str, style| Tree {
        text: text.to_owned(),
        tag: "!!str".to_owned(),
        style,
        ..Tree::default()
    };
    let content = vec![scalar("k", Style::Plain), scalar(text, Style::Folded)];
    let kind = TreeKind::Mapping;
    let map = Tree { kind, tag: "!!map".to_owned(), content, ..Tree::default() };
    let read = Tree::parse(&map.encode()).ok().flatten();
    let value = read.and_then(|mut document| document.root.content.pop());
    value.map_or(Cow::Borrowed(text), |value| Cow::Owned(value.text))
}

struct Reading<'a> {
    parser: Parser<'a>,
    anchors: HashSet<&'a str>,
    /// The collections that are open.
    open: Vec<Tree>,
}

impl<'a> Reading<'a> {
    fn document(&mut self) -> Result<Option<TreeDocument>, Problem> {
        let start = self.parser.next()?;
        if matches!(start.kind, EventKind::StreamEnd) {
            return Ok(None);
        }
        let mut notes = self.parser.take_notes();
        let root = self.root()?;
        self.parser.next()?;
        notes.foot = self.parser.take_notes().foot;
        Ok(Some(TreeDocument { root, notes }))
    }

    fn root(&mut self) -> Result<Tree, Problem> {
        loop {
            let event = self.parser.next()?;
            let content = event.content;
            let done = match event.kind {
                EventKind::SequenceStart { .. } | EventKind::MappingStart { .. } => {
                    if self.open.len() >= MAX_DEPTH {
                        return Err(fault::too_deep(content));
                    }
                    let tree = self.begin(event)?;
                    self.open.push(tree);
                    continue;
                }
                EventKind::Scalar { .. } | EventKind::Alias(_) => self.begin(event)?,
                _ => {
                    let notes = self.parser.take_notes();
                    finish(self.open.pop().unwrap_or_default(), notes)
                }
            };
            let Some(parent) = self.open.last_mut() else { return Ok(done) };
            attach(parent, done);
        }
    }

    /// The node that an event is or begins.
    fn begin(&mut self, event: Event<'a>) -> Result<Tree, Problem> {
        let mut tree =
            Tree { notes: self.parser.take_notes(), line: event.start.line + 1, ..Tree::default() };
        match event.kind {
            EventKind::Scalar { text, style, properties } => {
                tree.style = style;
                let own = if style == Style::Plain { implicit_tag(&text) } else { "!!str" };
                tree.text = text.into_owned();
                self.describe(&mut tree, properties.as_deref(), own);
            }
            EventKind::Alias(name) => {
                tree.kind = TreeKind::Alias;
                name.clone_into(&mut tree.text);
                if !self.anchors.contains(name) {
                    let known = self.anchors.iter().copied();
                    return Err(fault::unknown_anchor(name, Span::NONE, known));
                }
            }
            EventKind::SequenceStart { flow, properties } => {
                tree.flow = flow;
                tree.kind = TreeKind::Sequence;
                self.describe(&mut tree, properties.as_deref(), "!!seq");
            }
            EventKind::MappingStart { flow, properties } => {
                tree.flow = flow;
                tree.kind = TreeKind::Mapping;
                self.describe(&mut tree, properties.as_deref(), "!!map");
            }
            _ => {}
        }
        Ok(tree)
    }

    fn describe(&mut self, tree: &mut Tree, properties: Option<&Properties<'a>>, own: &str) {
        match properties.and_then(|it| it.tag.as_deref()) {
            None | Some("!" | "") => own.clone_into(&mut tree.tag),
            Some(tag) => {
                tree.tag = short_tag(tag).into_owned();
                tree.tagged = true;
            }
        }
        if let Some(anchor) = properties.and_then(|it| it.anchor) {
            self.anchors.insert(anchor);
            tree.anchor = Some(anchor.to_owned());
        }
    }
}

/// Puts a node into a collection, and comments of a map where go-yaml puts them.
fn attach(parent: &mut Tree, child: Tree) {
    parent.content.push(child);
    if parent.kind != TreeKind::Mapping {
        return;
    }
    let count = parent.content.len();
    if count % 2 == 1 {
        // below a key that is further left is below the value before it
        if !parent.flow && count > 2 && !parent.content[count - 1].notes.foot.is_empty() {
            let foot = std::mem::take(&mut parent.content[count - 1].notes.foot);
            parent.content[count - 3].notes.foot = foot;
        }
    } else if parent.content[count - 2].notes.foot.is_empty() {
        let foot = std::mem::take(&mut parent.content[count - 1].notes.foot);
        parent.content[count - 2].notes.foot = foot;
    }
}

/// Ends a collection with the comments of its end.
fn finish(mut tree: Tree, notes: Notes) -> Tree {
    tree.notes.line = notes.line;
    tree.notes.foot = notes.foot;
    let count = tree.content.len();
    let is_block = tree.kind == TreeKind::Mapping && !tree.flow;
    if is_block && count > 1 && !tree.notes.foot.is_empty() {
        tree.content[count - 2].notes.foot = std::mem::take(&mut tree.notes.foot);
    }
    tree
}
