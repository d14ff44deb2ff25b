//! Plain manifests: files of documents, taken as they are.

use super::Rendered;
use super::documents::Collector;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::object::Origin;
use crate::yaml::{self, Dialect};
use rayon::prelude::*;
use std::sync::Arc;

/// From so many files on, they are read on several threads.
const PARALLEL: usize = 24;

/// Reads every `.yaml`, `.yml` and `.json` file of a tree, in the order of their paths.
///
/// # Errors
/// Every fault of every file.
pub fn render(tree: &FileTree, sources: &Sources) -> Result<Rendered, Diagnostics> {
    let mut collector = Collector::default();
    let mut files = Vec::new();
    for (path, bytes) in tree.iter().filter(|(path, _)| is_manifest(path.as_str())) {
        let shown = tree.display(path.as_str());
        match yaml::decode(bytes) {
            Ok(text) => files.push((path.to_string(), sources.add(shown, text.as_ref()))),
            Err(error) => collector.faults.push(
                Diagnostic::error("wharf::render::encoding", format!("`{shown}` is no text"))
                    .note(error.to_string()),
            ),
        }
    }
    let read = |(_, file): &(String, _)| yaml::parse_documents(sources, *file, Dialect::Strict);
    let documents: Vec<_> = if files.len() >= PARALLEL {
        files.par_iter().map(read).collect()
    } else {
        files.iter().map(read).collect()
    };
    for ((path, _), documents) in files.into_iter().zip(documents) {
        let origin = Arc::new(Origin { package: tree.label().to_owned(), file: path });
        match documents {
            Ok(documents) => collector.take(documents, &origin),
            Err(faults) => collector.faults.extend(faults),
        }
    }
    let rendered = Rendered { objects: collector.objects, ..Rendered::default() };
    collector.faults.finish(rendered).map(|(rendered, _)| rendered)
}

/// True for files that are read as manifests.
fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end))
}
