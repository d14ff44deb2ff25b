//! Rendered texts to manifests and hooks, in the order in which they are installed.

use crate::base::source::FileId;
use crate::base::source::Span;
use crate::object::hook::{UnknownEvent, When};
use crate::object::order;
use crate::package::chart::decode::{Fields, Mismatch};
use crate::yaml::{self, Dialect, Node};
use bytes::Bytes;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// So many bytes are worth more than one thread.
const LARGE: usize = 256 * 1024;

/// One document of a rendered file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name of the file, with those of its charts.
    pub path: String,
    /// The document, as it was rendered.
    pub text: String,
    /// The document, as it was read; null where only its text is wanted.
    pub root: Node,
    /// Where its text begins in the rendered file.
    pub offset: usize,
    /// When and how it runs, if it is a hook.
    pub hook: Option<When>,
    kind: String,
}

/// A file that is no YAML, or a document that is no object.
pub(super) struct Unreadable {
    /// Helm's text.
    pub(super) text: String,
    /// Where in the rendered file.
    pub(super) span: Span,
    pub(super) notes: Vec<String>,
}

/// A rendered file.
#[derive(Debug)]
pub(super) struct Rendering {
    pub(super) name: String,
    pub(super) text: Bytes,
    /// The file in the table of sources, where spans are wanted.
    pub(super) file: FileId,
}

/// Cuts files into documents and sorts them: manifests, then hooks.
pub(super) fn sorted(files: &[Rendering]) -> Result<Vec<Manifest>, Unreadable> {
    let size: usize = files.iter().map(|file| file.text.len()).sum();
    let read: Vec<_> = if size < LARGE {
        files.iter().map(Rendering::manifests).collect()
    } else {
        files.par_iter().map(Rendering::manifests).collect()
    };
    let mut manifests = Vec::new();
    let mut hooks = Vec::new();
    for file in read {
        for manifest in file? {
            match manifest.hook {
                Some(_) => hooks.push(manifest),
                None => manifests.push(manifest),
            }
        }
    }
    order::sort_install_by(&mut manifests, |manifest: &Manifest| &manifest.kind);
    order::sort_install_by(&mut hooks, |hook: &Manifest| &hook.kind);
    manifests.append(&mut hooks);
    Ok(manifests)
}

/// The documents of a text that are not blank: every line that begins with `---` ends one, also
/// when something follows on it.
pub(super) fn documents(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_start();
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let mut search = from;
        let cut = loop {
            let is_line = search == 0 || text.as_bytes()[search - 1] == b'\n';
            if is_line && text[search..].starts_with("---") {
                break Some(search);
            }
            let Some(line) = text[search..].find('\n') else { break None };
            search += line + 1;
        };
        start = cut.map(|at| {
            let after = &text[at + 3..];
            text.len() - after.trim_start_matches([' ', '\t']).len()
        });
        Some(&text[from..cut.unwrap_or(text.len())])
    })
    .map(str::trim_start)
    .filter(|document| !document.is_empty())
}

impl Rendering {
    /// The manifests in the file; those of partials count for nothing.
    fn manifests(&self) -> Result<Vec<Manifest>, Unreadable> {
        let base = self.name.rsplit('/').next().unwrap_or(&self.name);
        if base.starts_with('_') {
            return Ok(Vec::new());
        }
        let text = yaml::decode(&self.text).map_err(|error| self.broken(&error, 0))?;
        let read = documents(&text).filter_map(|document| {
            let offset = document.as_ptr() as usize - text.as_ptr() as usize;
            self.manifest(document, offset).transpose()
        });
        read.collect()
    }

    fn broken(&self, error: &yaml::YamlError, offset: usize) -> Unreadable {
        let span = error.diagnostic.labels.first().map_or(Span::NONE, |label| label.span);
        Unreadable {
            text: format!(
                "YAML parse error on {}: error converting YAML to JSON: {}",
                self.name, error.go_text
            ),
            span: shifted(span, self.file, offset),
            notes: error.advice(),
        }
    }

    fn manifest(&self, text: &str, offset: usize) -> Result<Option<Manifest>, Unreadable> {
        let root = yaml::parse_first(text, self.file, Dialect::GoYamlV2)
            .map_err(|error| self.broken(&error, offset))?;
        let head = Head::read(&root).map_err(|mismatch| Unreadable {
            text: format!(
                "YAML parse error on {}: error unmarshaling JSON: while decoding JSON: {}",
                self.name, mismatch.text
            ),
            span: shifted(mismatch.span, self.file, offset),
            notes: Vec::new(),
        })?;
        let hook = match head.hook() {
            Some(Ok(hook)) => Some(hook),
            // of an unknown kind: it is dropped
            Some(Err(UnknownEvent)) => return Ok(None),
            None => None,
        };
        Ok(Some(Manifest {
            path: self.name.clone(),
            text: text.to_owned(),
            // a tree takes many times the memory of its text
            root: if self.file == FileId::NONE { Node::NULL } else { root },
            offset,
            hook,
            kind: head.kind,
        }))
    }
}

/// A span in a document as one in its file.
pub(super) fn shifted(span: Span, file: FileId, offset: usize) -> Span {
    if span.is_none() {
        return span;
    }
    Span::new(file, span.start as usize + offset, span.end as usize + offset)
}

/// What Helm reads of a manifest.
struct Head {
    kind: String,
    annotations: BTreeMap<String, String>,
}

impl Head {
    fn read(root: &Node) -> Result<Head, Mismatch> {
        let fields = Fields::root(root, "SimpleHead", "util.SimpleHead")?;
        fields.text("apiVersion")?;
        let kind = fields.text("kind")?;
        let mut annotations = BTreeMap::new();
        if let Some(node) = fields.get("metadata") {
            let of = (
                "",
                "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
            );
            let inner = fields.inner(node, "metadata", "metadata.", of)?;
            annotations = inner.text_map("annotations")?.unwrap_or_default();
            inner.text("name")?;
        }
        Ok(Head { kind, annotations })
    }

    /// The hook that it is, or that Helm does not know.
    fn hook(&self) -> Option<Result<When, UnknownEvent>> {
        When::read(|key| self.annotations.get(key).map(String::as_str))
    }
}
