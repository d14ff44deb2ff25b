//! ConfigMaps and Secrets out of literals, files and lists of variables.

use super::loader::Loader;
use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::object::Origin;
use crate::transform::set::{Behavior, Resource};
use crate::yaml::{Map, Node};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

/// Longest line of encoded bytes.
const LINE: usize = 70;

/// Makes the resource of one generator; `global` are the options of all of them.
pub(super) fn generate(
    kind: Kind,
    args: &Node,
    global: Option<&Node>,
    loader: &Loader,
    origin: &Arc<Origin>,
) -> Result<Resource, Diagnostic> {
    let text = |key: &str| args.str_at(&[key]).filter(|text| !text.is_empty());
    let Some(name) = text("name") else {
        return Err(fault(args.span, "a configmap must have a name").help("add `name: …`"));
    };
    let span = args.get("name").map_or(args.span, |node| node.span);
    let mut root = Node::new(Map::new(), args.span);
    root.set("apiVersion", "v1");
    root.set("kind", if kind == Kind::Secret { "Secret" } else { "ConfigMap" });
    root.set_at(&["metadata", "name"], Node::new(name, span));
    if let Some(namespace) = args.get("namespace").filter(|_| text("namespace").is_some()) {
        root.set_at(&["metadata", "namespace"], namespace.clone());
    }
    if kind == Kind::Secret {
        root.set("type", text("type").unwrap_or("Opaque"));
        root.set("data", Node::map());
    }
    let mut pairs = pairs(kind, args, loader)?;
    pairs.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some(twice) = pairs.windows(2).find(|pair| pair[0].key == pair[1].key) {
        let message = format!("configmap {name} illegally repeats the key `{}`", twice[1].key);
        return Err(fault(twice[1].span, &message).at(twice[0].span, "the first"));
    }
    for pair in pairs {
        let (field, value) = match (kind, String::from_utf8(pair.value)) {
            (Kind::ConfigMap, Ok(text)) => ("data", text),
            (Kind::ConfigMap, Err(bytes)) => ("binaryData", encode(bytes.as_bytes())),
            (Kind::Secret, Ok(text)) => ("data", encode(text.as_bytes())),
            (Kind::Secret, Err(bytes)) => ("data", encode(bytes.as_bytes())),
        };
        root.set_at(&[field, &pair.key], Node::new(value, pair.span));
    }
    let options = args.get("options");
    for field in ["labels", "annotations"] {
        // what the generator says of itself wins over what is said for all
        for from in [options, global].into_iter().flatten() {
            for entry in from.get(field).and_then(Node::as_map).into_iter().flatten() {
                let path = ["metadata", field, entry.key.as_str()];
                if root.at(&path).is_none() {
                    root.set_at(&path, entry.value.clone());
                }
            }
        }
    }
    let says = |key: &str| {
        let flag = |node: &Node| node.get(key).and_then(Node::as_bool);
        [options, global].into_iter().flatten().any(|node| flag(node) == Some(true))
    };
    if says("immutable") {
        root.set("immutable", true);
    }
    Ok(Resource {
        behavior: Behavior::of(text("behavior").unwrap_or_default()),
        needs_hash: !says("disableNameSuffixHash"),
        ..Resource::new(root, origin.clone())
    })
}

struct Pair {
    key: String,
    value: Vec<u8>,
    span: Span,
}

fn pairs(kind: Kind, args: &Node, loader: &Loader) -> Result<Vec<Pair>, Diagnostic> {
    let mut pairs = Vec::new();
    let read = |path: &str, span: Span| {
        loader.load(path).map(|(_, bytes)| bytes).map_err(|error| {
            let message = format!("loading KV pairs: {error}");
            let advice = loader.advice(path, &message);
            Diagnostic::error("wharf::render::kustomize_file", message)
                .at(span, "asked for here")
                .maybe_help(advice)
        })
    };
    let envs = args.items_at(&["envs"]).iter();
    for source in envs.chain(args.get("env").filter(|it| it.as_str() != Some(""))) {
        let bytes = read(source.as_str().unwrap_or_default(), source.span)?;
        variables(&bytes, source.span, &mut pairs)?;
    }
    for source in args.items_at(&["literals"]) {
        let text = source.as_str().unwrap_or_default();
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                let value = unquoted(value).as_bytes().to_vec();
                pairs.push(Pair { key: key.to_owned(), value, span: source.span });
            }
            _ => {
                // what is secret is not repeated
                let (all, one) = match kind {
                    Kind::ConfigMap => (shown(args, "literals"), text),
                    Kind::Secret => ("[…]".to_owned(), "…"),
                };
                let message = format!(
                    "loading KV pairs: literal sources {all}: invalid literal source {one}, \
                     expected key=value"
                );
                return Err(fault(source.span, &message));
            }
        }
    }
    for source in args.items_at(&["files"]) {
        let text = source.as_str().unwrap_or_default();
        let (key, path) = file_source(text).map_err(|problem| {
            let sources = shown(args, "files");
            fault(source.span, &format!("loading KV pairs: file sources: {sources}: {problem}"))
        })?;
        let value = read(path, source.span)?.to_vec();
        pairs.push(Pair { key: key.to_owned(), value, span: source.span });
    }
    Ok(pairs)
}

fn shown(args: &Node, key: &str) -> String {
    let items = args.items_at(&[key]).iter().filter_map(Node::as_str);
    format!("[{}]", items.collect::<Vec<_>>().join(" "))
}

/// Lines of `KEY=value`; empty ones and comments are nothing.
fn variables(bytes: &[u8], span: Span, pairs: &mut Vec<Pair>) -> Result<(), Diagnostic> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            let message = format!("line {number} has invalid utf8 bytes");
            return Err(fault(span, &message));
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push(Pair { key: key.to_owned(), value: value.as_bytes().to_vec(), span });
        }
    }
    Ok(())
}

/// `[key=]path`: the key is the name of the file when it is not given.
fn file_source(source: &str) -> Result<(&str, &str), String> {
    match source.split_once('=') {
        None => Ok((source.trim_end_matches('/').rsplit('/').next().unwrap_or(source), source)),
        Some((_, rest)) if rest.contains('=') => {
            Err(format!("source {source:?} key name or file path contains '='"))
        }
        Some(("", path)) => {
            Err(format!("missing key name for file path {path:?} in source {source:?}"))
        }
        Some((key, "")) => {
            Err(format!("missing file path for key name {key:?} in source {source:?}"))
        }
        Some((key, path)) => Ok((key, path)),
    }
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if text.len() >= 2 && text.starts_with(quote) && text.ends_with(quote) {
            return &text[1..text.len() - 1];
        }
    }
    text
}

/// Base64; what does not fit one line has lines.
fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

fn fault(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error("wharf::render::generator", message).at(span, "in this generator")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_cut_as_kustomize_cuts_them() {
        assert_eq!(file_source("a/b.txt"), Ok(("b.txt", "a/b.txt")));
        assert_eq!(file_source("k=a/b.txt"), Ok(("k", "a/b.txt")));
        let fault = file_source("k==a").expect_err("two signs");
        assert_eq!(fault, "source \"k==a\" key name or file path contains '='");
        assert_eq!((unquoted("'a'"), unquoted("'a\""), unquoted("\"")), ("a", "'a\"", "\""));
        assert_eq!(encode(&[0; 60]).lines().count(), 2);
    }
}
