//! Reading YAML: the entry points.

use super::compose::{Composer, Root};
use super::node::{Node, Value};
use super::problem::{Problem, YamlError};
use super::reader;
use super::resolve::Dialect;
use super::substitute::Substitute;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources, Span};
use std::sync::Arc;

/// How to read a text.
#[derive(Clone, Copy, Default)]
pub struct ReadOptions<'a> {
    /// The rules for scalars and keys.
    pub dialect: Dialect,
    /// The values of markers, when the text was rendered by the native engine.
    pub markers: Option<&'a dyn Substitute>,
}

impl std::fmt::Debug for ReadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOptions")
            .field("dialect", &self.dialect)
            .field("markers", &self.markers.is_some())
            .finish()
    }
}

/// Reads every document of a file that is not empty.
pub fn parse_documents(
    sources: &Sources,
    file: FileId,
    dialect: Dialect,
) -> Result<Vec<Node>, Diagnostics> {
    parse_documents_with(sources, file, &ReadOptions { dialect, markers: None })
}

/// Reads every document of a file that is not empty, with options.
pub fn parse_documents_with(
    sources: &Sources,
    file: FileId,
    options: &ReadOptions<'_>,
) -> Result<Vec<Node>, Diagnostics> {
    let text = text_of(sources, file);
    Documents::new(&text, file, options).collect_all().map_err(diagnostics)
}

/// Hands on every document of a file that is not empty as soon as it is read, so that of a large
/// file only what is wanted has to be kept.
pub fn each_document(
    sources: &Sources,
    file: FileId,
    dialect: Dialect,
    mut take: impl FnMut(Node),
) -> Result<(), Diagnostics> {
    let text = text_of(sources, file);
    let options = ReadOptions { dialect, markers: None };
    let mut documents = Documents::new(&text, file, &options);
    while let Some(node) = documents.next_document().map_err(diagnostics)? {
        if !node.is_null() {
            take(node);
        }
    }
    Ok(())
}

/// Reads a file of one document. No document is null; a second one is an error.
pub fn parse_one(sources: &Sources, file: FileId, dialect: Dialect) -> Result<Node, Diagnostics> {
    let text = text_of(sources, file);
    let options = ReadOptions { dialect, markers: None };
    one(Documents::new(&text, file, &options).collect_all().map_err(diagnostics)?)
}

/// Reads a text of one document that came from no file, such as the body of a request. Spans are
/// [`Span::NONE`].
pub fn parse_text(text: &str) -> Result<Node, Diagnostics> {
    let options = ReadOptions { dialect: Dialect::GoYamlV2, markers: None };
    one(Documents::new(text, FileId::NONE, &options).collect_all().map_err(diagnostics)?)
}

/// Reads the first document of a text, as `sigs.k8s.io/yaml` and so Helm do: what follows it is
/// not even looked at. No document is null.
pub fn parse_first(text: &str, file: FileId, dialect: Dialect) -> Result<Node, YamlError> {
    let options = ReadOptions { dialect, markers: None };
    let first = Documents::new(text, file, &options).next_document();
    first.map(Option::unwrap_or_default).map_err(|mut errors| errors.swap_remove(0))
}

/// The text of bytes that should be YAML: UTF-8, or UTF-16 with a byte order mark.
pub fn decode(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, YamlError> {
    reader::decode(bytes).map_err(|problem| problem.into_error(Dialect::GoYamlV2, "", FileId::NONE))
}

fn text_of(sources: &Sources, file: FileId) -> Arc<str> {
    sources.get(file).map_or_else(|| Arc::from(""), |file| file.text().clone())
}

fn diagnostics(errors: Vec<YamlError>) -> Diagnostics {
    errors.into_iter().map(Diagnostic::from).collect()
}

fn one(mut documents: Vec<Node>) -> Result<Node, Diagnostics> {
    match documents.len() {
        0 => Ok(Node::NULL),
        1 => Ok(documents.swap_remove(0)),
        count => Err(Diagnostic::error(
            "wharf::yaml::documents",
            format!("expected one document, found {count}"),
        )
        .at(documents[1].span, "the second begins here")
        .help("remove it, or the `---` before it")
        .into()),
    }
}

/// The documents of one text, one after the other.
pub struct Documents<'a> {
    composer: Composer<'a>,
    text: &'a str,
    file: FileId,
    dialect: Dialect,
    /// A byte that no YAML may hold, which go-yaml finds a block of input ahead.
    bad: Option<(usize, Problem)>,
    failed: bool,
    /// Documents of a list that a marker stood for.
    more: std::vec::IntoIter<Node>,
}

impl std::fmt::Debug for Documents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").field("file", &self.file).finish_non_exhaustive()
    }
}

impl<'a> Documents<'a> {
    /// Makes a reader of a text's documents.
    #[must_use]
    pub fn new(text: &'a str, file: FileId, options: &ReadOptions<'a>) -> Documents<'a> {
        let bad = reader::check(text);
        let readable = bad.as_ref().map_or(text.len(), |(limit, _)| *limit);
        Documents {
            composer: Composer::new(&text[..readable], file, options.dialect, options.markers),
            text,
            file,
            dialect: options.dialect,
            bad,
            failed: false,
            more: Vec::new().into_iter(),
        }
    }

    /// The next document, also when it is empty; nothing at the end or after an error.
    pub fn next_document(&mut self) -> Result<Option<Node>, Vec<YamlError>> {
        if let Some(node) = self.more.next() {
            return Ok(Some(node));
        }
        if self.failed {
            return Ok(None);
        }
        let root = self.composer.document().and_then(|root| match (&self.bad, root) {
            // the text was cut there: what was read is not what stands there
            (Some((_, problem)), None) => Err(vec![problem.clone()]),
            (_, root) => Ok(root),
        });
        match root {
            Ok(None) => Ok(None),
            Ok(Some(Root { node: Node { value: Value::List(items), .. }, substituted: true })) => {
                self.more = items.into_iter();
                self.next_document()
            }
            Ok(Some(root)) => Ok(Some(root.node)),
            Err(problems) => {
                self.failed = true;
                Err(self.errors(problems))
            }
        }
    }

    /// Every document that is not empty.
    fn collect_all(mut self) -> Result<Vec<Node>, Vec<YamlError>> {
        let mut documents = Vec::new();
        while let Some(node) = self.next_document()? {
            if !node.is_null() {
                documents.push(node);
            }
        }
        if self.file == FileId::NONE {
            for node in &mut documents {
                node.respan(Span::NONE);
            }
        }
        Ok(documents)
    }

    fn errors(&self, problems: Vec<Problem>) -> Vec<YamlError> {
        let problems = match &self.bad {
            Some((limit, bad))
                if problems.iter().all(|found| found.mark.at as usize + 4 >= *limit) =>
            {
                vec![bad.clone()]
            }
            _ => problems,
        };
        problems
            .into_iter()
            .map(|problem| problem.into_error(self.dialect, self.text, self.file))
            .collect()
    }
}
