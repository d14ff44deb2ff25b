//! An overlay before anything in it is read but its base: its files, and where it is in them.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::yaml::{self, Dialect, Node};

/// An overlay before it is read: its files, and the folder that its `overlay.yaml` is in.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The files that it may name.
    pub tree: FileTree,
    /// Its folder in the tree; empty for the top.
    pub folder: String,
}

impl Layer {
    /// The overlay of a name in a package.
    ///
    /// # Errors
    /// When there is none; names the others.
    pub fn named(tree: &FileTree, name: &str) -> Result<Layer, Diagnostic> {
        let folder = format!("overlays/{name}");
        let path = format!("{folder}/overlay.yaml");
        if tree.get(&path).is_some() {
            return Ok(Layer { tree: tree.clone(), folder });
        }
        let names: Vec<&str> = tree
            .under("overlays")
            .filter_map(|(path, _)| {
                path.as_str().strip_prefix("overlays/")?.strip_suffix("/overlay.yaml")
            })
            .collect();
        let near = suggest::did_you_mean(name, names.iter().copied());
        let known = match names.as_slice() {
            [] => format!("an overlay is a file `{path}`"),
            some => format!("there is {}", some.join(", ")),
        };
        Err(Diagnostic::error(
            "wharf::transform::overlay_not_found",
            format!("`{}` has no overlay `{name}`", tree.label()),
        )
        .help(near.unwrap_or(known)))
    }

    /// Where its `overlay.yaml` is in its tree.
    #[must_use]
    pub fn path(&self) -> String {
        match self.folder.as_str() {
            "" => "overlay.yaml".to_owned(),
            folder => format!("{folder}/overlay.yaml"),
        }
    }

    /// The text of `base`, with where it is written.
    ///
    /// # Errors
    /// When `overlay.yaml` is no YAML.
    pub fn base(&self, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
        let root = self.document(sources)?;
        Ok(root.get("base").filter(|base| base.as_str().is_some()).cloned())
    }

    /// What stands in `overlay.yaml`.
    ///
    /// # Errors
    /// When it is missing, or no YAML.
    pub fn document(&self, sources: &Sources) -> Result<Node, Diagnostics> {
        let path = self.path();
        let shown = self.tree.display(&path);
        let Some(text) = self.tree.text(&path) else {
            let message = format!("`{shown}` is missing or is not UTF-8 text");
            return Err(Diagnostic::error("wharf::transform::file_not_found", message).into());
        };
        let file = sources.add(shown, text);
        yaml::parse_one(sources, file, Dialect::Strict)
    }
}
