//! From rendered text back to what the user can edit: the template, and the values it names.

use super::data::{Owned, Templates};
use crate::base::source::{FileId, RenderMap, Segment, Sources, Span};
use crate::package::chart::Chart;
use crate::template::gotmpl::{Place, Rendered};
use crate::yaml::Node;
use regex::Regex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

/// What names a value in a template.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\.Values((?:\.[A-Za-z0-9_]+)+)").expect("the pattern is one"));

/// Where values are written: by the user, and in the charts.
pub(super) struct Written<'a> {
    user: &'a Node,
    chart: Values,
}

struct Values {
    name: String,
    node: Rc<Node>,
    inside: Vec<Values>,
}

impl Values {
    fn of(chart: &Chart) -> Values {
        Values {
            name: chart.metadata.name.clone(),
            node: chart.written.clone(),
            inside: chart.dependencies.iter().map(Values::of).collect(),
        }
    }
}

impl<'a> Written<'a> {
    pub(super) fn new(chart: &Chart, user: &'a Node) -> Written<'a> {
        Written { user, chart: Values::of(chart) }
    }

    /// Where the value at a path is written, as the chart sees it that the names lead to: the
    /// user's values count before those of charts, and those of outer charts before inner ones.
    pub(super) fn value(&self, charts: &[String], path: &[&str]) -> Option<Span> {
        self.node(charts, path).map(|node| node.span).filter(|span| !span.is_none())
    }

    /// As [`Written::value`]: the value itself.
    pub(super) fn node(&self, charts: &[String], path: &[&str]) -> Option<&Node> {
        let global = path.first() == Some(&"global");
        let whole = |charts: &[String]| -> Vec<String> {
            let prefix = charts.iter().filter(|_| !global).cloned();
            prefix.chain(path.iter().map(|&key| key.to_owned())).collect()
        };
        let mut found = find(self.user, &whole(charts));
        let (mut here, mut left) = (Some(&self.chart), charts);
        while let (None, Some(values)) = (found, here) {
            found = find(&values.node, &whole(left));
            let Some((name, rest)) = left.split_first() else { break };
            here = values.inside.iter().find(|inner| inner.name == *name);
            left = rest;
        }
        found
    }

    /// Where the values are written that a piece of a template names.
    pub(super) fn named_in(&self, charts: &[String], text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        for found in NAMED.captures_iter(text) {
            let names = found.get(1).map_or("", |names| names.as_str());
            let path: Vec<&str> = names.split('.').skip(1).collect();
            // of a value that is missing, what stands nearest to it
            let value = (1..=path.len()).rev().find_map(|end| self.value(charts, &path[..end]));
            spans.extend(value.filter(|span| !spans.contains(span)));
        }
        spans
    }
}

/// The value at a path, unless it is null.
fn find<'n>(node: &'n Node, path: &[String]) -> Option<&'n Node> {
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    node.at(&keys).filter(|node| !node.is_null())
}

/// The files of templates in the table of sources, each added when it is first asked for.
pub(super) struct Origins<'a, 'c> {
    by_name: HashMap<&'a str, &'a Owned<'c>>,
    added: RefCell<HashMap<String, FileId>>,
    written: &'a Written<'a>,
    sources: &'a Sources,
}

impl<'a, 'c> Origins<'a, 'c> {
    pub(super) fn new(
        templates: &'a Templates<'c>,
        written: &'a Written<'a>,
        sources: &'a Sources,
    ) -> Origins<'a, 'c> {
        let by_name = templates.files.iter().map(|owned| (owned.name.as_str(), owned)).collect();
        Origins { by_name, added: RefCell::default(), written, sources }
    }

    fn file(&self, name: &str) -> Option<(FileId, &'a Owned<'c>)> {
        let owned = *self.by_name.get(name)?;
        let mut added = self.added.borrow_mut();
        let id = *added.entry(name.to_owned()).or_insert_with(|| {
            let text = String::from_utf8_lossy(&owned.file.bytes);
            self.sources.add(&*owned.file.shown, text.as_ref())
        });
        Some((id, owned))
    }

    /// The span of what stands at a place, and the values that are named there.
    pub(super) fn place(&self, place: &Place, node: &str) -> Option<(Span, Vec<Span>)> {
        let (id, owned) = self.file(&place.template)?;
        let text = owned.file.text()?;
        let stands_at = |start: usize| {
            !node.is_empty() && text.get(start..).is_some_and(|rest| rest.starts_with(node))
        };
        // of a chain of fields, Go tells where the second begins
        let first = place.offset.saturating_sub(node.len());
        let start = (first..=place.offset).rev().find(|at| stands_at(*at)).unwrap_or(place.offset);
        let rest = text.get(start..)?;
        let line = rest.lines().next().unwrap_or_default();
        let end = if stands_at(start) { node.len() } else { line.len() };
        let values = self.written.named_in(&owned.charts, &rest[..end.max(line.len())]);
        Some((Span::new(id, start, start + end), values))
    }

    /// The charts that lead to the one with the template.
    pub(super) fn charts(&self, template: &str) -> Option<&'a [String]> {
        self.by_name.get(template).map(|owned| &*owned.charts)
    }

    /// Adds a rendered file with its way back.
    pub(super) fn add(&self, name: &str, rendered: &Rendered) -> FileId {
        let text = String::from_utf8_lossy(&rendered.text);
        let parts: Vec<_> = rendered.trace.stretches().collect();
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let end = parts.get(index + 1).map_or(text.len(), |next| next.start);
            let Some((id, owned)) = self.file(&part.template.lossy()) else { continue };
            let from = part.offset;
            let length = end - part.start;
            let (to, values) = if part.action {
                let rest = owned.file.text().and_then(|text| text.get(from..)).unwrap_or_default();
                let action = &rest[..rest.find("}}").unwrap_or(rest.len())];
                (from + action.trim_end_matches(['-', ' ']).len(), self.named_in(owned, action))
            } else {
                (from + length, Vec::new())
            };
            let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            segments.push(Segment {
                start: clamp(part.start),
                end: clamp(end),
                template: Span::new(id, from, to),
                values,
            });
        }
        self.sources.add_rendered(
            format!("{name} (rendered)"),
            text.as_ref(),
            RenderMap::new(segments),
        )
    }

    fn named_in(&self, owned: &Owned<'_>, action: &str) -> Vec<Span> {
        self.written.named_in(&owned.charts, action)
    }
}
