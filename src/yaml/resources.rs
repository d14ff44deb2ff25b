//! Files of resources as kustomize reads them.
//!
//! kustomize cuts a file at every line that begins with `---` before it looks at it as YAML, and
//! reads the first document of each piece. Only a comment may follow on such a line. A piece that
//! is another line of that kind, directly below the first, is part of the next document.

use super::node::Node;
use super::problem::YamlError;
use super::read::{Documents, ReadOptions};
use super::resolve::Dialect;
use super::tree;
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Span};
use std::ops::Range;

/// Reads the documents of a file that are not empty, in kustomize's way. A `List` that is alone
/// stands for its items.
///
/// # Errors
/// Every document that is no YAML. The texts of Go count lines from the start of the document, as
/// kustomize does; places are those in the file.
pub fn resources(text: &str, file: FileId) -> Result<Vec<Node>, Vec<YamlError>> {
    let mut nodes = Vec::new();
    let mut faults = Vec::new();
    for piece in ranges(text, file).map_err(|error| vec![error])? {
        match first(text, piece, file) {
            Ok(Some(node)) if !node.is_null() => nodes.push(node),
            Ok(_) => {}
            Err(errors) => faults.extend(errors),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if let [node] = nodes.as_slice()
        && matches!(node.str_at(&["kind"]), Some("List" | "ResourceList"))
        && let Some(items) = node.get("items")
    {
        nodes = items.as_list().unwrap_or_default().to_vec();
    }
    Ok(nodes)
}

fn first(text: &str, piece: Range<usize>, file: FileId) -> Result<Option<Node>, Vec<YamlError>> {
    let options = ReadOptions { dialect: Dialect::GoYamlV3, markers: None };
    let from = u32::try_from(piece.start).unwrap_or(u32::MAX);
    match Documents::new(&text[piece.clone()], file, &options).next_document() {
        Ok(node) => Ok(node.map(|mut node| {
            if from > 0 {
                node.shift(from);
            }
            node
        })),
        Err(mut errors) => {
            if let [error] = errors.as_mut_slice()
                && let Some(words) = tree::build_fault(&text[piece])
            {
                error.go_text = words;
            }
            for label in errors.iter_mut().flat_map(|error| &mut error.diagnostic.labels) {
                label.span = label.span.shifted(from);
            }
            Err(errors)
        }
    }
}

/// The texts between the separators of a file, each of which is a document to kustomize.
///
/// # Errors
/// What kustomize says of a line that is no separator.
pub fn pieces(text: &str) -> Result<Vec<&str>, String> {
    let ranges = ranges(text, FileId::NONE).map_err(|error| error.go_text)?;
    Ok(ranges.into_iter().map(|range| &text[range]).collect())
}

fn ranges(text: &str, file: FileId) -> Result<Vec<Range<usize>>, YamlError> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(here) = text[at..].find("\n---") {
        let line = at + here + 1;
        let Some(length) = text[line..].find('\n') else { break };
        let rest = text[line + 3..line + length].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(no_separator(text[line..line + length].trim(), line, file));
        }
        found.push(start..line);
        start = line + length + 1;
        at = start;
    }
    found.push(start..text.len());
    Ok(found)
}

fn no_separator(line: &str, at: usize, file: FileId) -> YamlError {
    let go_text = format!("invalid document separator: {line}");
    let diagnostic = Diagnostic::error("wharf::yaml::separator", go_text.clone())
        .at(Span::new(file, at, at + line.len()), "only a comment may follow `---`")
        .help("put what follows on the next line");
    YamlError { go_text, diagnostic: Box::new(diagnostic) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;

    #[test]
    fn a_file_is_cut_where_a_line_begins_with_three_dashes() {
        for (text, expected) in [
            ("a: 1\n---\nb: 2\n", vec!["{\"a\": 1}", "{\"b\": 2}"]),
            ("a: 1\n--- # c\n---\nb: 2\n---\n", vec!["{\"a\": 1}", "{\"b\": 2}"]),
            ("a: 1\r\n---\r\nb: 2", vec!["{\"a\": 1}", "{\"b\": 2}"]),
            ("---\n# c\n", vec![]),
        ] {
            let nodes = resources(text, FileId::NONE).expect(text);
            assert_eq!(nodes.iter().map(|node| format!("{node:?}")).collect::<Vec<_>>(), expected);
        }
        let errors = resources("a: 1\n--- b\n", FileId::NONE).expect_err("no separator");
        assert_eq!(errors[0].go_text, "invalid document separator: --- b");
        assert_eq!(errors[0].diagnostic.code, "wharf::yaml::separator");
    }

    #[test]
    fn places_are_those_in_the_file() {
        let text = "a: 1\n---\nb: 2\n---\nc: [\n";
        let errors = resources(text, FileId::NONE).expect_err("an open list");
        assert_eq!(errors.len(), 1);
        let file = Sources::default().add("a.yaml", text);
        let nodes = resources(&text[..14], file).expect("two documents");
        assert_eq!(nodes[1].span.start, 9);
        assert_eq!(nodes[1].as_map().and_then(|map| map.entry("b")).expect("b").key_span.start, 9);
    }
}
