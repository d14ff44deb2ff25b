//! Documents to objects: each must say what it is and how it is called, once.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::base::suggest;
use crate::object::{Object, ObjectId, Origin};
use crate::yaml::{Map, Node};
use std::collections::HashMap;
use std::sync::Arc;

/// Hands on objects, and collects the faults of what is none.
pub(super) struct Collector<'a> {
    take: &'a mut dyn FnMut(Object),
    pub(super) faults: Diagnostics,
    seen: HashMap<ObjectId, Span>,
}

impl<'a> Collector<'a> {
    /// Makes a collector that hands its objects to `take`.
    pub(super) fn new(take: &'a mut dyn FnMut(Object)) -> Collector<'a> {
        Collector { take, faults: Diagnostics::new(), seen: HashMap::new() }
    }

    /// Takes the documents of one file.
    pub(super) fn documents(&mut self, documents: Vec<Node>, origin: &Arc<Origin>) {
        for document in documents {
            self.document(document, origin);
        }
    }

    /// Takes a document. A `List` gives its items.
    pub(super) fn document(&mut self, mut root: Node, origin: &Arc<Origin>) {
        if root.is_null() {
            return;
        }
        let is_list = root.str_at(&["kind"]) == Some("List")
            && root.str_at(&["apiVersion"]) == Some("v1")
            && root.get("items").is_some_and(|items| items.as_list().is_some());
        if is_list {
            if let Some(items) = root.get_mut("items").and_then(Node::as_list_mut) {
                self.documents(std::mem::take(items), origin);
            }
            return;
        }
        if !self.is_object(&root) {
            return;
        }
        let span = root.at(&["metadata", "name"]).map_or(root.span, |name| name.span);
        let object = Object { root, origin: origin.clone() };
        let id = object.id();
        if let Some(first) = self.seen.get(&id) {
            self.faults.push(
                Diagnostic::error("wharf::render::duplicate", format!("{id} is there twice"))
                    .at(span, "again here")
                    .at(*first, "first here")
                    .help("remove one, or give it another name or namespace"),
            );
            return;
        }
        self.seen.insert(id, span);
        (self.take)(object);
    }

    fn is_object(&mut self, root: &Node) -> bool {
        let Some(map) = root.as_map() else {
            self.faults.push(
                Diagnostic::error(
                    "wharf::render::not_an_object",
                    format!("expected a Kubernetes object, found {}", root.kind()),
                )
                .at(root.span, ""),
            );
            return false;
        };
        let before = self.faults.len();
        let mut missing = Vec::new();
        for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
            match root.at(path) {
                Some(node) if node.as_str().is_some_and(|text| !text.is_empty()) => {}
                Some(node) if !node.is_null() && node.as_str().is_none() => self.faults.push(
                    Diagnostic::error(
                        "wharf::render::not_an_object",
                        format!("`{}` must be a string, found {}", path.join("."), node.kind()),
                    )
                    .at(node.span, "")
                    .maybe_help(
                        matches!(node.kind(), "integer" | "number" | "boolean")
                            .then(|| "put it in quotes".to_owned()),
                    ),
                ),
                _ => missing.push(path),
            }
        }
        if !missing.is_empty() {
            self.faults.push(lacking(root, map, &missing));
        }
        self.faults.len() == before
    }
}

/// The fault of an object that does not say what it is.
fn lacking(root: &Node, map: &Map, missing: &[&[&str]]) -> Diagnostic {
    // the first key, as the span of the whole would mark every line
    let top = map.iter().next().map_or(root.span, |entry| entry.key_span);
    let place = match missing {
        [["metadata", "name"]] => map.entry("metadata").map_or(top, |entry| entry.key_span),
        _ => top,
    };
    let names: Vec<String> = missing.iter().map(|path| format!("`{}`", path.join("."))).collect();
    let slip = missing.iter().filter(|path| path.len() == 1).find_map(|path| {
        let near = suggest::nearest(path[0], map.keys())?;
        Some(format!("is `{near}` a slip of `{}`?", path[0]))
    });
    let text = |key| map.get(key).and_then(Node::as_str).unwrap_or_default();
    let help = if map.get("services").is_some_and(|services| services.as_map().is_some()) {
        Some("a Compose project is read when its file is called `compose.yaml`".to_owned())
    } else if text("kind") == "Package" {
        Some("a package is read when its file is called `Package.yaml`".to_owned())
    } else if text("kind") == "Kustomization" {
        Some("a Kustomization is read when its file is called `kustomization.yaml`".to_owned())
    } else {
        slip
    };
    let mut fault = Diagnostic::error(
        "wharf::render::not_an_object",
        format!("the object has no {}", names.join(" and no ")),
    )
    .at(place, "")
    .maybe_help(help);
    if root.at(&["metadata", "generateName"]).is_some() {
        fault = fault.note("a generated name would be another one each time");
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;
    use crate::yaml::{self, Dialect};

    fn check(text: &str) -> Vec<String> {
        let sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let documents = yaml::parse_documents(&sources, file, Dialect::Strict).unwrap();
        let mut found = Vec::new();
        let mut take = |object: Object| found.push(object.id().to_string());
        let mut collector = Collector::new(&mut take);
        collector.documents(documents, &Arc::default());
        let faults = collector.faults;
        let shown = |fault: &Diagnostic| {
            let place = fault.labels.first().and_then(|label| sources.place(label.span));
            let place = place.map(|place| format!("{}:{}: ", place.line, place.column));
            let help = fault.help.as_deref().map(|help| format!(" ({help})"));
            format!("{}{fault}{}", place.unwrap_or_default(), help.unwrap_or_default())
        };
        found.extend(faults.iter().map(shown));
        found
    }

    #[test]
    fn lists_are_taken_apart_and_empty_documents_left_out() {
        let list = "apiVersion: v1\nkind: List\nitems:\n\
                    - {apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n# nothing\n";
        assert_eq!(check(list), ["Pod a"]);
    }

    #[test]
    fn what_is_no_object_is_told_in_one_fault() {
        for (text, expected) in [
            ("a: 1\n", "1:1: the object has no `apiVersion` and no `kind` and no `metadata.name`"),
            ("- a\n", "1:1: expected a Kubernetes object, found list"),
            (
                "apiVersion: v1\nknd: Pod\nmetadata: {name: a}\n",
                "1:1: the object has no `kind` (is `knd` a slip of `kind`?)",
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n",
                "3:18: `metadata.name` must be a string, found integer (put it in quotes)",
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a\n",
                "3:1: the object has no `metadata.name`",
            ),
            (
                "services: {web: {image: x}}\n",
                "1:1: the object has no `apiVersion` and no `kind` and no `metadata.name` (a \
                 Compose project is read when its file is called `compose.yaml`)",
            ),
        ] {
            assert_eq!(check(text), [expected]);
        }
    }

    #[test]
    fn an_object_that_is_there_twice_is_refused() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
        let found = check(&format!("{text}---\n{text}"));
        assert_eq!(
            found,
            [
                "Pod a",
                "7:18: Pod a is there twice (remove one, or give it another name or namespace)"
            ]
        );
    }
}
