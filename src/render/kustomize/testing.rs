//! Builds kustomizations of files that are given as texts.

use super::{Options, SortOrder, build, print};
use crate::base::diag::Diagnostics;
use crate::base::path::SafePath;
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::package::kustomization::Files;
use std::rc::Rc;

/// Builds the top folder and prints it in the order of the files.
pub(super) fn built(files: &[(&str, &str)], options: &Options) -> Result<String, Diagnostics> {
    let mut tree = FileTree::new("");
    for (path, text) in files {
        tree.insert(SafePath::parse(path).expect("a path"), text.as_bytes().to_vec());
    }
    let files: Rc<dyn Files> = Rc::new(tree);
    let options = Options { order: SortOrder::Fifo, ..options.clone() };
    let built = build(&files, "/", &options, &Sources::new())?;
    print(&built.resources)
}

/// The code and text of the first fault.
pub(super) fn fault(files: &[(&str, &str)], options: &Options) -> (&'static str, String) {
    let faults = built(files, options).expect_err("a fault");
    let first = faults.iter().next().expect("a fault");
    (first.code, first.message.clone())
}
