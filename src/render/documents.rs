//! Documents to objects: each must say what it is and how it is called, once.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::base::suggest;
use crate::object::{Object, ObjectId, Origin};
use crate::yaml::Node;
use std::collections::HashMap;
use std::sync::Arc;

/// Collects objects and the faults of what is none.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub(super) objects: Vec<Object>,
    pub(super) faults: Diagnostics,
    seen: HashMap<ObjectId, Span>,
}

impl Collector {
    /// Takes the documents of one file. A `List` gives its items.
    pub(super) fn take(&mut self, documents: Vec<Node>, origin: &Arc<Origin>) {
        for document in documents {
            self.document(document, origin);
        }
    }

    fn document(&mut self, mut root: Node, origin: &Arc<Origin>) {
        if root.is_null() {
            return;
        }
        let is_list = root.str_at(&["kind"]) == Some("List")
            && root.str_at(&["apiVersion"]) == Some("v1")
            && root.get("items").is_some_and(|items| items.as_list().is_some());
        if is_list {
            if let Some(items) = root.get_mut("items").and_then(Node::as_list_mut) {
                self.take(std::mem::take(items), origin);
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
        self.objects.push(object);
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
        // the first key, as the span of the whole would mark every line
        let top = map.iter().next().map_or(root.span, |entry| entry.key_span);
        for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
            let shown = path.join(".");
            match root.at(path) {
                Some(node) if node.as_str().is_some_and(|text| !text.is_empty()) => {}
                Some(node) if !node.is_null() => self.faults.push(
                    Diagnostic::error(
                        "wharf::render::not_an_object",
                        format!("`{shown}` must be a string, found {}", node.kind()),
                    )
                    .at(node.span, "")
                    .maybe_help(
                        matches!(node.kind(), "integer" | "number" | "boolean")
                            .then(|| "put it in quotes".to_owned()),
                    ),
                ),
                _ => {
                    let mut fault = Diagnostic::error(
                        "wharf::render::not_an_object",
                        format!("the object has no `{shown}`"),
                    )
                    .at(
                        root.at(&path[..path.len() - 1])
                            .filter(|_| path.len() > 1)
                            .map_or(top, |n| n.span),
                        "",
                    )
                    .maybe_help(
                        path.first().filter(|_| path.len() == 1).and_then(|key| {
                            suggest::nearest(key, map.keys())
                                .map(|near| format!("is `{near}` a slip of `{key}`?"))
                        }),
                    );
                    if root.at(&["metadata", "generateName"]).is_some() && path.len() > 1 {
                        fault = fault.note("a generated name would be another one each time");
                    }
                    self.faults.push(fault);
                }
            }
        }
        self.faults.len() == before
    }
}
