//! Patches as they are written in a kustomization: which kind a patch is, and what is wrong with it.
//!
//! kustomize reads each text twice, as objects and as operations, and takes the reading that makes
//! sense. The texts of faults are its own.

use super::{Change, Doubt, Field, Patch};
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Sources, Span};
use crate::object::meta;
use crate::schema::MergeTable;
use crate::transform::set::{Select, SelectError};
use crate::yaml::{self, Dialect, Node, Value, emit, json};
use std::sync::Arc;

/// Loads the file of a path; the error is what kustomize says of it.
pub type Load<'a> = dyn FnMut(&str) -> Result<FileId, String> + 'a;

/// Reads patches.
pub struct Reader<'a> {
    /// Where texts are kept.
    pub sources: &'a Sources,
    /// Loads files.
    pub load: &'a mut Load<'a>,
    /// How lists merge; nothing for what kustomize knows by itself.
    pub table: Option<Arc<MergeTable>>,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

type Read<T> = Result<T, Box<Diagnostic>>;

impl Reader<'_> {
    /// Reads an item of `patches`.
    ///
    /// # Errors
    /// A fault with kustomize's words, and the place that it is about.
    pub fn patch(&mut self, item: &Node) -> Read<Patch> {
        let text = |key: &str| item.str_at(&[key]).unwrap_or_default();
        let (path, inline) = (text("path"), text("patch").trim());
        let (file, shown) = match (path, inline) {
            ("", "") => {
                let words = "must specify one of patch and path in";
                return Err(invalid(with_text(words, item), item.span, "without either").into());
            }
            ("", inline) => (
                self.sources.add_scalar(place(item, "patch"), inline),
                format!("[patch: {inline:?}]"),
            ),
            (path, "") => {
                let loaded = (self.load)(path).map_err(|error| {
                    let words = format!("failed to get the patch file from path({path}): {error}");
                    invalid(words, place(item, "path"), "named here")
                })?;
                (loaded, format!("[path: {path:?}]"))
            }
            _ => {
                let words = "patch and path can't be set at the same time";
                return Err(
                    invalid(with_text(words, item), place(item, "path"), "and a `patch`").into()
                );
            }
        };
        let text = self.text(file);
        let change = match (objects(&text, file), operations(&text, file)) {
            (Ok(objects), Ok(Node { value: Value::List(list), .. }))
                if !objects.is_empty() && !list.is_empty() =>
            {
                let words = format!("illegally qualifies as both an SM and JSON patch: {shown}");
                return Err(invalid(words, item.span, "this patch").into());
            }
            (Ok(objects), _) => Change::Merge(objects),
            (Err(_), Ok(operations)) => Change::Operations(operations),
            (Err(as_objects), Err(as_operations)) => {
                let words = format!("unable to parse SM or JSON patch from {shown}");
                let mut fault = invalid(words, item.span, "this patch");
                if as_objects.message.starts_with("missing ") {
                    let text =
                        "give it a `kind` and a `metadata.name`, which with a `target` may be any";
                    fault = fault.help(text);
                }
                for (kind, error) in [("object", as_objects), ("JSON patch", as_operations)] {
                    fault = fault.note(format!("as {kind}: {}", error.message));
                }
                return Err(Box::new(fault));
            }
        };
        let option = |key: &str| item.at(&["options", key]).and_then(Node::as_bool) == Some(true);
        let (target, doubt) = target(item);
        Ok(Patch {
            target,
            doubt,
            renames: option("allowNameChange"),
            changes_kind: option("allowKindChange"),
            ..self.made(Field::Patches, change, item.span, shown)
        })
    }

    /// Reads `patchesStrategicMerge`: paths, and texts of patches.
    ///
    /// # Errors
    /// A fault with kustomize's words, and the place that it is about.
    pub fn strategic_merge(&mut self, items: &Node) -> Read<Patch> {
        let mut documents = Vec::new();
        for item in items.as_list().unwrap_or_default() {
            let text = item.as_str().unwrap_or_default();
            // a path is tried as a text first, which costs kustomize nothing
            let looks_like_text = text.contains([':', '\n', '#']) || text.trim().is_empty();
            if looks_like_text {
                let file = self.sources.add_scalar(item.span, text);
                if let Ok(objects) = objects(&self.text(file), file) {
                    documents.extend(objects);
                    continue;
                }
            }
            let file =
                (self.load)(text).map_err(|error| invalid(error, item.span, "named here"))?;
            documents.extend(objects(&self.text(file), file)?);
        }
        if documents.is_empty() {
            let paths = items.as_list().unwrap_or_default().iter().filter_map(Node::as_str);
            let paths = paths.collect::<Vec<_>>().join(" ");
            let words = format!("patch appears to be empty; files=[{paths}], Patch=");
            return Err(invalid(words, items.span, "no patch is here").into());
        }
        Ok(self.made(Field::StrategicMerge, Change::Merge(documents), items.span, String::new()))
    }

    /// Reads an item of `patchesJson6902`.
    ///
    /// # Errors
    /// A fault with kustomize's words, and the place that it is about.
    pub fn json6902(&mut self, item: &Node) -> Read<Patch> {
        let text = |key: &str| item.str_at(&[key]).unwrap_or_default();
        if item.str_at(&["target", "name"]).is_none_or(str::is_empty) {
            let words = "must specify the target name".to_owned();
            return Err(invalid(words, place(item, "target"), "without a `name`").into());
        }
        let (path, inline) = (text("path"), text("patch"));
        let file = match (path, inline) {
            ("", "") => {
                let words = "empty file path and empty jsonOp".to_owned();
                return Err(invalid(words, item.span, "without `path` and `patch`").into());
            }
            ("", inline) => self.sources.add_scalar(place(item, "patch"), inline),
            (path, "") => (self.load)(path)
                .map_err(|error| invalid(error, place(item, "path"), "named here"))?,
            _ => {
                let words = "must specify a file path or jsonOp, not both".to_owned();
                return Err(invalid(words, place(item, "path"), "and a `patch`").into());
            }
        };
        let text = self.text(file);
        if text.is_empty() {
            let words = format!("patch file '{path}' empty seems to be empty");
            return Err(invalid(words, place(item, "path"), "named here").into());
        }
        let operations = operations(&text, file)?;
        if operations.as_list().is_none_or(<[Node]>::is_empty) {
            let shown = json::to_string(&operations);
            let words = format!("patch appears to be empty; file={path}, JsonOp={shown}");
            return Err(invalid(words, item.span, "this patch").into());
        }
        let (target, doubt) = target(item);
        let made =
            self.made(Field::Json6902, Change::Operations(operations), item.span, text.to_string());
        Ok(Patch { target, doubt, ..made })
    }

    fn made(&self, field: Field, change: Change, span: Span, shown: String) -> Patch {
        Patch {
            field,
            change,
            target: None,
            doubt: None,
            renames: false,
            changes_kind: false,
            table: self.table.clone(),
            span,
            shown,
        }
    }

    fn text(&self, file: FileId) -> Arc<str> {
        self.sources.get(file).map_or_else(|| Arc::from(""), |file| file.text().clone())
    }
}

/// The fault of a patch that says nothing that could be done.
pub fn invalid(words: String, at: Span, label: &str) -> Diagnostic {
    Diagnostic::error("wharf::transform::patch_invalid", words).at(at, label)
}

fn with_text(words: &str, item: &Node) -> String {
    format!("{words}\n{}", emit::to_string(item, &emit::Style::kubernetes()))
}

fn place(item: &Node, key: &str) -> Span {
    item.get(key).map_or(item.span, |node| node.span)
}

/// The target of an entry, and what is wrong with its selectors.
fn target(item: &Node) -> (Option<Select>, Option<Doubt>) {
    let Some(target) = item.get("target").filter(|node| !node.is_null()) else {
        return (None, None);
    };
    let doubt = |error: SelectError, only_if_asked| {
        // kustomize's parser knows fewer operators
        let error = error
            .to_string()
            .replace("in, notin, =, ==, !=, gt, lt", "'=', '!=', '==', 'in', notin'");
        let words = format!("unable to find patch target in `resources`: {error}");
        let fault = Box::new(invalid(words, target.span, "this target"));
        Some(Doubt { fault, only_if_asked })
    };
    let (select, errors) = Select::read_all(target);
    let is_selector = |(_, error): &(&str, SelectError)| matches!(error, SelectError::Selector(_));
    if errors.iter().all(is_selector) {
        let doubt = errors.into_iter().next().map(|(_, error)| doubt(error, true));
        return (Some(select), doubt.flatten());
    }
    let error = errors.into_iter().find(|error| !is_selector(error));
    (Some(Select::default()), error.and_then(|(_, error)| doubt(error, false)))
}

/// The text as partial objects, each of which has a kind and a name.
fn objects(text: &str, file: FileId) -> Read<Vec<Node>> {
    let mut nodes = yaml::resources(text, file).map_err(|mut errors| {
        let error = errors.swap_remove(0);
        let mut fault = *error.diagnostic;
        if !fault.message.contains(&error.go_text) {
            fault = fault.note(format!("MalformedYAMLError: {}", error.go_text));
        }
        Box::new(fault)
    })?;
    nodes.retain(|node| !is_empty(node));
    nodes.iter().try_for_each(check)?;
    Ok(nodes)
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Map(map) => map.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

fn check(node: &Node) -> Read<()> {
    let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
    let kind = text(&["kind"]);
    let missing = match (kind.as_str(), meta::name(node)) {
        _ if node.as_map().is_none() => "missing Resource metadata".to_owned(),
        ("", _) => "missing kind".to_owned(),
        (kind, "") if !kind.ends_with("List") => "missing metadata.name".to_owned(),
        _ => return Ok(()),
    };
    let shown = if missing == "missing Resource metadata" {
        String::new()
    } else {
        let texts = |field: &str| {
            let map = node.at(&["metadata", field]).and_then(Node::as_map);
            let mut texts: Vec<String> = map
                .into_iter()
                .flatten()
                .map(|entry| format!("{}:{}", entry.key, entry.value.as_str().unwrap_or_default()))
                .collect();
            texts.sort();
            texts.join(" ")
        };
        format!(
            " in object {{{{{} {kind}}} {{{{{} {}}} map[{}] map[{}]}}}}",
            text(&["apiVersion"]),
            meta::name(node),
            meta::namespace(node),
            texts("labels"),
            texts("annotations")
        )
    };
    Err(invalid(missing + &shown, node.span, "this patch").into())
}

/// The text as operations of a JSON patch; null when it holds nothing.
fn operations(text: &str, file: FileId) -> Read<Node> {
    let whole = Span::new(file, 0, text.len());
    if text.is_empty() {
        return Err(invalid("empty json patch operations".to_owned(), whole, "nothing").into());
    }
    if text.starts_with('[')
        && let Err(error) = json::parse(text.as_bytes())
    {
        return Err(invalid(error.to_string(), whole, "begins like JSON").into());
    }
    let node = match yaml::parse_first(text, file, Dialect::GoYamlV2) {
        Ok(node) => node,
        Err(error) if text.starts_with('[') => {
            // JSON that YAML does not take, such as one with tabs
            json::parse(text.as_bytes()).map_err(|_| error.diagnostic)?
        }
        Err(error) => {
            let go_text = format!("yaml: {}", error.go_text);
            return Err(Box::new(error.diagnostic.note(go_text)));
        }
    };
    let refuse = |node: &Node, ty: &str| {
        let kind = json::go_kind(node);
        let words = format!("json: cannot unmarshal {kind} into Go value of type jsonpatch.{ty}");
        Err(invalid(words, node.span, "a JSON patch is a list of operations").into())
    };
    if !matches!(node.value, Value::Null | Value::List(_)) {
        return refuse(&node, "Patch");
    }
    let items = node.as_list().unwrap_or_default();
    match items.iter().find(|item| !matches!(item.value, Value::Null | Value::Map(_))) {
        Some(item) => refuse(item, "Operation"),
        None => Ok(node),
    }
}
