//! The files of a chart to a [`Chart`], with the charts inside of it.

use super::decode::Mismatch;
use super::metadata::{self, Metadata};
use crate::base::archive;
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Sources, Span};
use crate::base::suggest;
use crate::base::tree::{FileTree, Limits};
use crate::template::gotmpl::{Map, Value};
use crate::yaml::{self, Dialect, Entry, Node, YamlError};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How deep charts may be nested.
const MAX_DEPTH: usize = 64;

/// Bytes that a chart and all archives in it may hold, as in Helm.
const MAX_BYTES: u64 = 100 << 20;

/// What begins a text of some editors, which Helm drops.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it says of itself.
    pub metadata: Metadata,
    /// Its values; with those that it imports, once dependencies are settled.
    pub values: Map,
    /// `values.yaml` as it is written, to find where a value came from.
    pub written: Rc<Node>,
    /// `values.schema.json`.
    pub schema: Option<File>,
    /// What is under `templates/`.
    pub templates: Rc<[File]>,
    /// What is none of the above, in the order of the folder.
    pub files: Rc<[File]>,
    /// The charts inside of it.
    pub dependencies: Vec<Chart>,
}

/// A file of a chart.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path in the chart.
    pub name: String,
    /// What messages call it.
    pub shown: Rc<str>,
    /// What it holds.
    pub bytes: Bytes,
}

impl File {
    /// The text, or nothing where it is no UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// Reads a chart out of its files.
///
/// # Errors
/// The first fault that keeps it from being one.
pub fn load(tree: &FileTree, sources: &Sources) -> Result<Chart, Diagnostic> {
    let files = files_of(tree);
    let mut loader = Loader { sources, left: MAX_BYTES, root: true, chart_yaml: Node::NULL };
    loader.spend(&files).map_err(Fault::into_diagnostic)?;
    loader.chart(files, 0).map_err(Fault::into_diagnostic)
}

/// The name of a chart, or nothing where it says none.
#[must_use]
pub fn name(tree: &FileTree) -> String {
    let text = tree.text("Chart.yaml").unwrap_or_default();
    let root = yaml::parse_first(text, FileId::NONE, Dialect::GoYamlV2).unwrap_or_default();
    root.str_at(&["name"]).unwrap_or_default().to_owned()
}

/// The files of a tree as a walk through its folders finds them: names sorted in each folder.
fn files_of(tree: &FileTree) -> Vec<File> {
    let mut files: Vec<File> = tree
        .iter()
        .map(|(path, bytes)| File {
            name: path.as_str().to_owned(),
            shown: tree.display(path.as_str()).into(),
            bytes: if bytes.starts_with(BOM) { bytes.slice(BOM.len()..) } else { bytes.clone() },
        })
        .collect();
    files.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    files
}

/// What follows the last dot of a path.
fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// A fault: Helm's text, and where it is.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Helm's text.
    pub text: String,
    /// Where it is.
    pub span: Span,
    /// What it means, and what to do.
    pub notes: Vec<String>,
}

impl Fault {
    fn new(text: impl Into<String>) -> Fault {
        Fault { text: text.into(), span: Span::NONE, notes: Vec::new() }
    }

    fn yaml(what: &str, error: &YamlError) -> Fault {
        Fault {
            text: format!("{what}: error converting YAML to JSON: {}", error.go_text),
            span: error.diagnostic.labels.first().map_or(Span::NONE, |label| label.span),
            notes: error.advice(),
        }
    }

    fn mismatch(what: &str, mismatch: &Mismatch) -> Fault {
        let text =
            format!("{what}: error unmarshaling JSON: while decoding JSON: {}", mismatch.text);
        Fault { text, span: mismatch.span, notes: Vec::new() }
    }

    fn into_diagnostic(self) -> Diagnostic {
        self.diagnostic("wharf::package::chart")
    }

    /// The fault with a code.
    #[must_use]
    pub fn diagnostic(self, code: &'static str) -> Diagnostic {
        let diagnostic = Diagnostic::error(code, self.text).at(self.span, "found here");
        self.notes.into_iter().fold(diagnostic, Diagnostic::note)
    }
}

struct Loader<'a> {
    sources: &'a Sources,
    /// Bytes that may still come.
    left: u64,
    /// True until the outermost `Chart.yaml` was read.
    root: bool,
    /// The `Chart.yaml` that was read last.
    chart_yaml: Node,
}

impl Loader<'_> {
    fn spend(&mut self, files: &[File]) -> Result<(), Fault> {
        let bytes: u64 = files.iter().map(|file| file.bytes.len() as u64).sum();
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            Fault::new(format!("chart exceeds maximum decompressed size of {MAX_BYTES} bytes"))
        })?;
        Ok(())
    }

    fn document(&self, file: &File, what: &str) -> Result<Node, Fault> {
        let text = String::from_utf8_lossy(&file.bytes);
        let id = self.sources.add(&*file.shown, text.as_ref());
        yaml::parse_first(&text, id, Dialect::GoYamlV2).map_err(|error| Fault::yaml(what, &error))
    }

    fn chart(&mut self, files: Vec<File>, depth: usize) -> Result<Chart, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(format!("charts are nested deeper than {MAX_DEPTH}")));
        }
        let mut metadata = self.metadata(&files)?;
        let mut parts = Parts::default();
        for file in files {
            match file.name.as_str() {
                "Chart.yaml" => {}
                "Chart.lock" => drop(self.document(&file, "cannot load Chart.lock")?),
                "values.yaml" => {
                    parts.written =
                        read_values(&file.shown, &file.bytes, self.sources).map_err(|fault| {
                            Fault {
                                text: format!("cannot load values.yaml: {}", fault.text),
                                ..fault
                            }
                        })?;
                }
                "values.schema.json" => parts.schema = Some(file),
                "requirements.yaml" => {
                    let what = "cannot load requirements.yaml";
                    let root = self.document(&file, what)?;
                    let read = metadata.get_or_insert_default().read(&root, "v2.Metadata");
                    read.map_err(|mismatch| Fault::mismatch(what, &mismatch))?;
                    parts.locked.push(file);
                }
                "requirements.lock" => {
                    drop(self.document(&file, "cannot load requirements.lock")?);
                    parts.locked.push(file);
                }
                name if name.starts_with("templates/") => parts.templates.push(file),
                name if name.starts_with("charts/") && extension(name) != "prov" => {
                    let inner = &name["charts/".len()..];
                    let folder = inner.split('/').next().unwrap_or(inner).to_owned();
                    parts.charts.entry(folder).or_default().push(file);
                }
                _ => parts.files.push(file),
            }
        }
        let Some(mut metadata) = metadata else {
            return Err(Fault::new("Chart.yaml file is missing"));
        };
        metadata.validate().map_err(|text| self.incomplete(text))?;
        if metadata.api_version == "v1" {
            parts.files.append(&mut parts.locked);
        }
        let mut dependencies = Vec::new();
        for (folder, files) in parts.charts {
            if !folder.starts_with(['_', '.']) {
                dependencies.push(self.inner(&folder, files, depth).map_err(|fault| Fault {
                    text: format!(
                        "error unpacking subchart {folder} in {}: {}",
                        metadata.name, fault.text
                    ),
                    ..fault
                })?);
            }
        }
        Ok(Chart {
            metadata,
            values: match Value::from_node(&parts.written) {
                Value::Map(map) => map,
                _ => Map::any(BTreeMap::new()),
            },
            written: Rc::new(parts.written),
            schema: parts.schema,
            templates: parts.templates.into(),
            files: parts.files.into(),
            dependencies,
        })
    }

    fn metadata(&mut self, files: &[File]) -> Result<Option<Metadata>, Fault> {
        let Some(file) = files.iter().find(|file| file.name == "Chart.yaml") else {
            return Ok(None);
        };
        let what = "cannot load Chart.yaml";
        let root = self.document(file, what)?;
        let outermost = std::mem::take(&mut self.root);
        self.chart_yaml = root.clone();
        let mut metadata = Metadata::default();
        metadata
            .read(&root, if outermost { "loader.chartBase" } else { "v2.Metadata" })
            .map_err(|mismatch| Fault::mismatch(what, &mismatch))?;
        if metadata.api_version.is_empty() {
            "v1".clone_into(&mut metadata.api_version);
        }
        match metadata.api_version.as_str() {
            "v1" | "v2" => {}
            "v3" if outermost => return Err(Fault::new("invalid chart apiVersion")),
            _ if outermost => return Err(Fault::new("unsupported chart version")),
            _ => {}
        }
        Ok(Some(metadata))
    }

    /// The fault of a `Chart.yaml` that lacks something: a key that is misspelt may be why.
    fn incomplete(&self, text: String) -> Fault {
        let mut fault = Fault::new(text);
        let wanted =
            fault.text.strip_suffix(" is required").and_then(|text| text.rsplit('.').next());
        let Some(wanted) = wanted else { return fault };
        let keys = self.chart_yaml.as_map().map(|map| map.iter().as_slice()).unwrap_or_default();
        let unknown = |entry: &&Entry| !metadata::FIELDS.contains(&entry.key.as_str());
        let names = keys.iter().filter(unknown).map(|entry| entry.key.as_str());
        if let Some(near) = suggest::nearest(wanted, names) {
            let entry = keys.iter().find(|entry| entry.key == near);
            let note = format!("`{near}` is no field of `Chart.yaml`: did you mean `{wanted}`?");
            fault.span = entry.map_or(Span::NONE, |entry| entry.key_span);
            fault.notes = vec![note];
        }
        fault
    }

    /// A chart under `charts/`: an archive, or a folder.
    fn inner(&mut self, name: &str, files: Vec<File>, depth: usize) -> Result<Chart, Fault> {
        if extension(name) != "tgz" {
            let skip = "charts/".len() + name.len() + 1;
            let inside = files.into_iter().filter_map(|file| {
                let name = file.name.get(skip..)?.to_owned();
                Some(File { name, ..file })
            });
            return self.chart(inside.collect(), depth + 1);
        }
        let file = &files[0];
        if file.name.len() != "charts/".len() + name.len() {
            return Err(Fault::new(format!("expected {name}, got {}", file.name)));
        }
        let limits = Limits { total_bytes: self.left, ..Limits::default() };
        let (_, tree) = archive::unpack(&file.bytes, &file.shown, &limits).map_err(|error| {
            let mut fault = Fault::new(error.to_string());
            fault.notes.extend(std::error::Error::source(&error).map(ToString::to_string));
            fault
        })?;
        let files = files_of(&tree);
        self.spend(&files)?;
        self.chart(files, depth + 1)
    }
}

#[derive(Default)]
struct Parts {
    written: Node,
    schema: Option<File>,
    templates: Vec<File>,
    files: Vec<File>,
    /// `requirements.yaml` and its lock, which are files of charts of version 1 only.
    locked: Vec<File>,
    charts: BTreeMap<String, Vec<File>>,
}

/// Reads a file of values as Helm does: each of its documents is a map, put over those before.
///
/// # Errors
/// Helm's text, and where the fault is.
pub fn read_values(shown: &str, bytes: &[u8], sources: &Sources) -> Result<Node, Fault> {
    let mut text = String::from_utf8_lossy(bytes);
    if !text.is_empty() && !text.ends_with('\n') {
        // Helm adds it, so that a block of text at the end has one, too
        text.to_mut().push('\n');
    }
    let id = sources.add(shown, text.as_ref());
    let mut merged = Node::map();
    for document in documents(&text).map_err(Fault::new)? {
        let what = "cannot unmarshal yaml document";
        // offsets count in the file only for what stands at its beginning
        let at_start = std::ptr::eq(document.as_ptr(), text.as_ptr());
        let id = if at_start { id } else { FileId::NONE };
        let node = yaml::parse_first(document, id, Dialect::GoYamlV2)
            .map_err(|error| Fault::yaml(what, &error))?;
        if node.is_null() {
            continue;
        }
        super::decode::Fields::root(&node, "", "map[string]interface {}")
            .map_err(|mismatch| Fault::mismatch(what, &mismatch))?;
        merge(&mut merged, node);
    }
    Ok(merged)
}

/// Cuts a text where Kubernetes' reader does: at each line that begins with `---`.
fn documents(text: &str) -> Result<Vec<&str>, String> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(format!(
                    "error reading yaml document: invalid Yaml document separator: {rest}"
                ));
            }
            if at > start {
                documents.push(&text[start..at]);
                // the separator itself belongs to neither
                start = at + line.len();
            }
        }
        at += line.len();
    }
    documents.push(&text[start..]);
    Ok(documents)
}

/// Puts one map over another: maps merge, everything else is replaced.
fn merge(below: &mut Node, above: Node) {
    let span = above.span;
    match (&mut below.value, above.value) {
        (yaml::Value::Map(lower), yaml::Value::Map(upper)) => {
            for entry in upper {
                match lower.get_mut(&entry.key) {
                    Some(node) if node.as_map().is_some() && entry.value.as_map().is_some() => {
                        merge(node, entry.value);
                    }
                    _ => drop(lower.insert_entry(Entry { ..entry })),
                }
            }
        }
        (_, value) => *below = Node::new(value, span),
    }
}
