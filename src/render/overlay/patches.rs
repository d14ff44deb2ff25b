//! The patches of an overlay: texts and files to documents, targets to expressions.

use super::{Layer, invalid};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources, Span};
use crate::base::suggest;
use crate::object::patch::json6902;
use crate::package::kustomization::join;
use crate::transform::patches::{Change, Field, Patch};
use crate::transform::set::{Select, SelectError};
use crate::yaml::{self, Dialect, Node, Value};

/// Reads the items of `patches`, whose fields have the right types.
pub(super) fn read(
    items: &[Node],
    layer: &Layer,
    sources: &Sources,
    faults: &mut Diagnostics,
) -> Vec<Patch> {
    let mut reader = Reader { layer, sources, faults };
    items.iter().filter_map(|item| reader.patch(item)).collect()
}

struct Reader<'a> {
    layer: &'a Layer,
    sources: &'a Sources,
    faults: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn patch(&mut self, item: &Node) -> Option<Patch> {
        let target = item.get("target").map(|value| self.target(value));
        let option = |key: &str| item.at(&["options", key]).and_then(Node::as_bool) == Some(true);
        let (file, text) = match (item.get("path"), item.get("patch")) {
            (Some(path), None) => self.file(path)?,
            (None, Some(patch)) => {
                let text = patch.as_str().unwrap_or_default();
                (self.sources.add_scalar(patch.span, text), text.to_owned())
            }
            (Some(_), Some(patch)) => {
                self.fault(patch.span, "a patch has either `path` or `patch`, not both");
                return None;
            }
            (None, None) => {
                self.fault(item.span, "a patch needs `path` or `patch`");
                return None;
            }
        };
        let documents = match yaml::parse_documents(self.sources, file, Dialect::Strict) {
            Ok(documents) => documents,
            Err(faults) => {
                self.faults.extend(faults);
                return None;
            }
        };
        let is_operations = matches!(documents.as_slice(), [Node { value: Value::List(_), .. }]);
        let change = if is_operations {
            let operations = documents.into_iter().next().unwrap_or_default();
            if let Err(error) = json6902::check(&operations) {
                self.fault(error.span(), &error.to_string());
                return None;
            }
            if target.is_none() {
                self.fault(item.span, "a JSON patch needs a `target`");
                return None;
            }
            Change::Operations(operations)
        } else {
            if documents.is_empty() {
                let span = Span::new(file, 0, text.len());
                self.fault(if text.is_empty() { item.span } else { span }, "the patch is empty");
            }
            for document in documents.iter().filter(|document| document.as_map().is_none()) {
                let kind = document.kind();
                let message =
                    format!("a patch must be a map, or a list of operations, found {kind}");
                self.fault(document.span, &message);
            }
            Change::Merge(documents)
        };
        Some(Patch {
            field: Field::Patches,
            change,
            target,
            doubt: None,
            table: None,
            span: item.span,
            shown: String::new(),
            renames: option("allowNameChange"),
            changes_kind: option("allowKindChange"),
        })
    }

    fn target(&mut self, node: &Node) -> Select {
        let (select, errors) = Select::read_all(node);
        for (key, error) in errors {
            let message = match error {
                SelectError::Expression(_) => {
                    format!("`{key}` must be a regular expression, found string")
                }
                SelectError::Selector(error) => format!("`{key}`: {error}"),
            };
            self.fault(node.get(key).map_or(node.span, |value| value.span), &message);
        }
        select
    }

    /// A file that the overlay names.
    fn file(&mut self, node: &Node) -> Option<(FileId, String)> {
        let Layer { tree, folder } = self.layer;
        let text = node.as_str().unwrap_or_default();
        let leaves = text.starts_with('/') || leaves(folder, text);
        let path = join(folder, text);
        let path = path.trim_start_matches('/');
        let Some(content) = tree.text(path).filter(|_| !leaves) else {
            let here: Vec<&str> = tree
                .under(folder)
                .filter_map(|(path, _)| path.as_str().strip_prefix(folder)?.strip_prefix('/'))
                .collect();
            self.faults.push(
                Diagnostic::error(
                    "wharf::transform::file_not_found",
                    format!("there is no file `{text}` beside the overlay"),
                )
                .at(node.span, "named here")
                .maybe_help(suggest::did_you_mean(text, here.iter().copied())),
            );
            return None;
        };
        let content = content.to_owned();
        Some((self.sources.add(tree.display(path), content.as_str()), content))
    }

    fn fault(&mut self, span: Span, message: &str) {
        self.faults.push(invalid(span, message));
    }
}

/// True when a path leads out of the tree that a folder is in.
fn leaves(folder: &str, path: &str) -> bool {
    let mut depth = 0_i32;
    let parts = folder.split('/').chain(path.split('/'));
    parts.filter(|part| !["", "."].contains(part)).any(|part| {
        depth += if part == ".." { -1 } else { 1 };
        depth < 0
    })
}
