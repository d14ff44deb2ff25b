//! A rendered chart as `helm template` prints it.

use super::{Manifest, Release, manifest};
use crate::base::suggest;
use crate::package::chart::glob::Pattern;

/// What is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Custom resource definitions, too.
    pub crds: bool,
    /// Hooks, too.
    pub hooks: bool,
    /// Hooks that are tests, too.
    pub tests: bool,
}

/// Everything that is printed, in pieces: what is large need not be in memory once more.
#[must_use]
pub fn all(release: &Release, choice: Choice) -> Vec<&[u8]> {
    let mut out = Vec::new();
    if choice.crds {
        for crd in &release.crds {
            out.extend(pieces(&crd.path, &crd.text));
        }
    }
    for manifest in release.manifests.iter().filter(|manifest| manifest.hook.is_none()) {
        out.extend(pieces(&manifest.path, manifest.text.as_bytes()));
    }
    while let Some(last) = out.pop() {
        let kept = trimmed_end(last);
        if kept > 0 {
            out.push(&last[..kept]);
            break;
        }
    }
    out.push(b"\n");
    for hook in hooks(release, choice) {
        out.extend(pieces(&hook.path, hook.text.as_bytes()));
    }
    out
}

/// The hooks that are printed.
pub fn hooks(release: &Release, choice: Choice) -> impl Iterator<Item = &Manifest> {
    release.manifests.iter().filter(move |manifest| {
        manifest.hook.as_ref().is_some_and(|hook| choice.hooks && (choice.tests || !hook.is_test()))
    })
}

/// One document with its source.
pub fn document(path: &str, text: &[u8], out: &mut Vec<u8>) {
    for piece in pieces(path, text) {
        out.extend_from_slice(piece);
    }
}

fn pieces<'a>(path: &'a str, text: &'a [u8]) -> [&'a [u8]; 5] {
    [b"---\n# Source: ", path.as_bytes(), b"\n", text, b"\n"]
}

/// A pattern of `--show-only` that no manifest comes from.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("could not find template {pattern} in chart")]
#[diagnostic(code("wharf::render::show_only"))]
pub struct NotFound {
    /// The pattern.
    pub pattern: String,
    /// A path that is meant, perhaps.
    #[help]
    pub help: Option<String>,
}

/// Of what is printed, only what comes from the given files.
///
/// # Errors
/// When nothing comes from one of them.
pub fn only(printed: &[u8], patterns: &[String]) -> Result<Vec<u8>, NotFound> {
    let text = String::from_utf8_lossy(printed);
    let documents: Vec<(&str, Option<&str>)> =
        manifest::documents(&text).map(|document| (document, source(document))).collect();
    let mut out = Vec::new();
    for pattern in patterns {
        let before = out.len();
        for (document, source) in &documents {
            if source.is_some_and(|source| matches(pattern, source)) {
                out.extend_from_slice(b"---\n");
                out.extend_from_slice(document.as_bytes());
                out.push(b'\n');
            }
        }
        if out.len() == before {
            let sources = documents.iter().filter_map(|(_, source)| *source);
            let help = suggest::did_you_mean(pattern, sources);
            return Err(NotFound { pattern: pattern.clone(), help });
        }
    }
    Ok(out)
}

/// The path in the chart that the first line with a source names.
fn source(document: &str) -> Option<&str> {
    let mut lines = document.lines().filter_map(|line| {
        let at = line.find("# Source: ")?;
        let (chart, path) = line[at + "# Source: ".len()..].split_once('/')?;
        (!chart.is_empty() && !path.is_empty()).then_some(path)
    });
    lines.next()
}

/// True when a file pattern matches the whole path: `*` and `?` stop at slashes.
fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern).is_some_and(|pattern| pattern.matches(path))
}

/// Where the white space at the end begins.
fn trimmed_end(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_end().len(),
        Err(_) => bytes.trim_ascii_end().len(),
    }
}
