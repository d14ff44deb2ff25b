//! Plain manifests: files of documents, taken as they are.

use super::Rendered;
use super::documents::Collector;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::object::{Object, Origin};
use crate::yaml::{self, Dialect};
use rayon::prelude::*;
use std::sync::Arc;

/// From so many files on, they are read on several threads.
const PARALLEL: usize = 24;

/// So many of them are held at the same time.
const BATCH: usize = 512;

/// Reads every `.yaml`, `.yml` and `.json` file of a tree, in the order of their paths.
///
/// # Errors
/// Every fault of every file.
pub fn render(tree: &FileTree, sources: &Sources) -> Result<Rendered, Diagnostics> {
    let mut objects = Vec::new();
    for_each(tree, sources, &mut |object| objects.push(object))?;
    Ok(Rendered { objects, ..Rendered::default() })
}

/// Hands on the same objects one by one and keeps none of them. When there are faults, some may
/// have been handed on before.
///
/// # Errors
/// Every fault of every file.
pub fn for_each(
    tree: &FileTree,
    sources: &Sources,
    take: &mut dyn FnMut(Object),
) -> Result<(), Diagnostics> {
    let mut collector = Collector::new(take);
    let mut files = Vec::new();
    for (path, bytes) in tree.iter().filter(|(path, _)| is_manifest(path.as_str())) {
        let shown = tree.display(path.as_str());
        match yaml::decode(bytes) {
            Ok(text) => {
                let origin = Origin { package: tree.label().to_owned(), file: path.to_string() };
                files.push((Arc::new(origin), sources.add(shown, text.as_ref())));
            }
            Err(error) => collector.faults.push(
                Diagnostic::error("wharf::render::encoding", format!("`{shown}` is no text"))
                    .note(error.to_string()),
            ),
        }
    }
    if files.len() < PARALLEL {
        for (origin, file) in files {
            let document = |node| collector.document(node, &origin);
            if let Err(faults) = yaml::each_document(sources, file, Dialect::Strict, document) {
                collector.faults.extend(faults);
            }
        }
    } else {
        let read = |(_, file): &(_, _)| yaml::parse_documents(sources, *file, Dialect::Strict);
        for batch in files.chunks(BATCH) {
            let documents: Vec<_> = batch.par_iter().map(read).collect();
            for ((origin, _), documents) in batch.iter().zip(documents) {
                match documents {
                    Ok(documents) => collector.documents(documents, origin),
                    Err(faults) => collector.faults.extend(faults),
                }
            }
        }
    }
    collector.faults.finish(()).map(|_| ())
}

/// True for files that are read as manifests.
fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end))
}
