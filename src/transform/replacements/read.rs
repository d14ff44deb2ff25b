//! Reading replacements, inline or from files.

use super::super::read::Reader;
use super::super::set::Select;
use super::{Options, Replacement, Source, SourceField, Target};
use crate::yaml::{Map, Node, Value};

const KEYS: &[&str] = &["source", "sourceValue", "targets", "path"];
const SELECT: [&str; 7] =
    ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];

/// Reads the items of a list. `load` gives the document of a file that an item names, and has said
/// what is wrong when it gives none.
pub fn read_all(
    reader: &mut Reader,
    items: &[Node],
    load: &mut dyn FnMut(&mut Reader, &Node) -> Option<Node>,
) -> Vec<Replacement> {
    let mut all = Vec::new();
    for item in items {
        let Some(map) = reader.map(item, "a replacement", KEYS) else { continue };
        let path = map.get("path").filter(|path| path.as_str().is_some_and(|it| !it.is_empty()));
        let Some(path) = path else {
            all.extend(replacement(reader, item, &map));
            continue;
        };
        let has_targets =
            map.get("targets").and_then(Node::as_list).is_some_and(|it| !it.is_empty());
        if map.get("source").is_some_and(|it| !it.is_null()) || has_targets {
            reader.fault(item.span, "cannot specify both path and inline replacement");
            continue;
        }
        let Some(document) = load(reader, path) else { continue };
        let mut lenient = Reader::lenient();
        match &document.value {
            Value::List(items) => {
                for item in items {
                    let Some(map) = lenient.entries(item, "a replacement") else { continue };
                    all.extend(replacement(&mut lenient, item, map));
                }
            }
            Value::Map(map) => all.extend(replacement(&mut lenient, &document, map)),
            _ => {
                let kind = if document.is_null() { "invalid" } else { document.kind() };
                let message = format!(
                    "unsupported replacement type encountered within replacement path: {kind}"
                );
                lenient.fault(path.span, &message);
            }
        }
        reader.faults.extend(lenient.faults);
    }
    all
}

fn replacement(reader: &mut Reader, item: &Node, map: &Map) -> Option<Replacement> {
    let given = |key: &str| map.get(key).filter(|value| !value.is_null());
    let source = match (given("source"), given("sourceValue")) {
        (Some(_), Some(value)) => {
            reader.fault(value.span, "value and resource selectors are mutually exclusive");
            return None;
        }
        (None, Some(value)) => {
            let text = reader.string_at(map, "sourceValue").unwrap_or_default();
            Source::Value(Node::new(text, value.span))
        }
        (Some(source), None) => Source::Field(Box::new(source_field(reader, source)?)),
        (None, None) => {
            reader.fault(item.span, "replacements must specify a source and at least one target");
            return None;
        }
    };
    if given("targets").is_none() {
        reader.fault(item.span, "replacements must specify a source and at least one target");
        return None;
    }
    let items = reader.list_at(map, "targets");
    let targets = items.iter().filter_map(|item| target(reader, item)).collect();
    Some(Replacement { source, targets, span: item.span })
}

fn source_field(reader: &mut Reader, node: &Node) -> Option<SourceField> {
    let keys = ["group", "version", "kind", "name", "namespace", "fieldPath", "options"];
    let map = reader.map(node, "`source`", &keys)?;
    Some(SourceField {
        gvk: reader.gvk(&map),
        name: reader.string_at(&map, "name").unwrap_or_default().into(),
        namespace: reader.string_at(&map, "namespace").unwrap_or_default().into(),
        path: reader.string_at(&map, "fieldPath").unwrap_or_default(),
        options: options(reader, &map),
    })
}

fn target(reader: &mut Reader, item: &Node) -> Option<Target> {
    let map = reader.map(item, "a target", &["select", "reject", "fieldPaths", "options"])?;
    let Some(selected) = map.get("select").filter(|select| !select.is_null()) else {
        reader.fault(item.span, "target must specify resources to select");
        return None;
    };
    let select = select(reader, selected, "`select`")?;
    let rejected = reader.list_at(&map, "reject");
    let reject =
        rejected.iter().filter_map(|item| self::select(reader, item, "`reject`")).collect();
    let paths = reader.strings_at(&map, "fieldPaths");
    Some(Target { select, reject, paths, options: options(reader, &map), span: item.span })
}

fn select(reader: &mut Reader, node: &Node, what: &str) -> Option<Select> {
    reader.map(node, what, &SELECT)?;
    Select::read(node)
        .map_err(|error| {
            reader.fault(node.span, &format!("error creating target selector: {error}"));
        })
        .ok()
}

fn options(reader: &mut Reader, map: &Map) -> Options {
    let Some(node) = map.get("options").filter(|options| !options.is_null()) else {
        return Options::default();
    };
    let keys = ["delimiter", "index", "encoding", "create"];
    let Some(map) = reader.map(node, "`options`", &keys) else { return Options::default() };
    Options {
        delimiter: reader.string_at(&map, "delimiter").unwrap_or_default(),
        index: reader.integer_at(&map, "index").unwrap_or_default(),
        create: reader.flag_at(&map, "create"),
    }
}
