//! A rendered chart as objects that know where they came from.

use super::{Crd, Release};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources};
use crate::object::Origin;
use crate::render::Rendered;
use crate::render::documents::Collector;
use crate::yaml::{self, Dialect, Entry, Map, Node, Value};
use std::sync::Arc;

/// The objects of a release, and its hooks beside them.
///
/// # Errors
/// Every document that is no object.
pub fn objects(
    release: &Release,
    sources: &Sources,
) -> Result<(Rendered, Diagnostics), Diagnostics> {
    let (mut found, mut hooks) = (Vec::new(), Vec::new());
    let mut faults = Diagnostics::new();
    let mut warnings = release.warnings.clone();
    for (is_hook, found) in [(false, &mut found), (true, &mut hooks)] {
        let mut take = |object| found.push(object);
        let mut collector = Collector::new(&mut take);
        let manifests = release.manifests.iter();
        for manifest in manifests.filter(|manifest| manifest.hook.is_some() == is_hook) {
            let origin = Arc::new(origin(&release.chart, &manifest.path));
            let root = shifted(manifest.root.clone(), manifest.offset);
            collector.document(root, &origin);
        }
        faults.extend(collector.faults);
    }
    let mut defined = Vec::new();
    let mut take = |object| defined.push(object);
    let mut crds = Collector::new(&mut take);
    for crd in &release.crds {
        match definitions(crd, sources) {
            Ok(documents) => {
                crds.documents(documents, &Arc::new(origin(&release.chart, &crd.path)));
            }
            Err(faults) => crds.faults.extend(faults),
        }
    }
    faults.extend(crds.faults);
    let rendered = Rendered { objects: found, hooks, crds: defined, notes: release.notes.clone() };
    let (rendered, more) = faults.finish(rendered)?;
    warnings.extend(more);
    Ok((rendered, warnings))
}

/// A file of a chart: the outermost chart's name is the package.
fn origin(chart: &str, path: &str) -> Origin {
    let file = path.strip_prefix(chart).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    Origin { package: chart.to_owned(), file: file.to_owned() }
}

fn definitions(crd: &Crd, sources: &Sources) -> Result<Vec<Node>, Diagnostics> {
    let text = yaml::decode(&crd.text).map_err(Diagnostic::from)?;
    let file = sources.add(crd.shown.as_str(), text.as_ref());
    yaml::parse_documents(sources, file, Dialect::GoYamlV2)
}

/// A document whose spans count from the beginning of its file.
fn shifted(node: Node, offset: usize) -> Node {
    let shift = |span: crate::base::source::Span| {
        if span.file == FileId::NONE {
            span
        } else {
            super::manifest::shifted(span, span.file, offset)
        }
    };
    if offset == 0 {
        return node;
    }
    let span = shift(node.span);
    let value = match node.value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| shifted(item, offset)).collect())
        }
        Value::Map(map) => {
            let mut moved = Map::with_capacity(map.len());
            for entry in map {
                let Entry { key, key_span, value } = entry;
                let (key_span, value) = (shift(key_span), shifted(value, offset));
                moved.insert_entry(Entry { key, key_span, value });
            }
            Value::Map(moved)
        }
        scalar => scalar,
    };
    Node::new(value, span)
}
