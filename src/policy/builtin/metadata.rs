//! Names, labels and annotations of every object.

use super::super::field::Field;
use super::super::names;
use super::{BAD_LABEL, BAD_NAME, syntax};
use crate::base::diag::{Diagnostic, Diagnostics};

const NO_NAME: &str = "wharf::policy::no_name";
const TOO_LARGE: &str = "wharf::policy::too_large";

/// Most bytes of all annotations of an object.
const ANNOTATIONS: usize = 256 << 10;

/// Kinds whose objects are questions to the server and have no name.
fn is_nameless(kind: &str) -> bool {
    kind.ends_with("Review") || kind.ends_with("List") || kind.ends_with("Options")
}

/// Checks the metadata of an object.
pub(super) fn check(root: &Field, group: &str, kind: &str, sink: &mut Diagnostics) {
    let metadata = root.get("metadata");
    let named = metadata.is_some_and(|metadata| {
        let given = |key| metadata.text_at(key).is_some_and(|name| !name.is_empty());
        // a name of another type is a fault of the schema
        given("name")
            || given("generateName")
            || metadata.has("name") && metadata.text_at("name").is_none()
    });
    if !named && !is_nameless(kind) {
        let span = metadata.map_or(root.node.span, |metadata| metadata.span());
        let finding = Diagnostic::error(NO_NAME, format!("this {kind} has no name"));
        sink.push(finding.at(span, "").help("add `metadata.name`"));
    }
    let Some(metadata) = metadata else { return };
    let rule = match (group, kind) {
        ("", "Service") => names::service,
        ("", "Namespace") => names::label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::subdomain,
    };
    if let Some(name) = metadata.get("name").filter(|name| name.text() != Some("")) {
        syntax(&name, BAD_NAME, rule, sink);
    }
    if let Some(namespace) = metadata.get("namespace").filter(|name| name.text() != Some("")) {
        syntax(&namespace, BAD_NAME, names::label, sink);
    }
    common(&metadata, sink);
}

/// Checks labels and annotations, of an object or of the template of others.
pub(super) fn common(metadata: &Field, sink: &mut Diagnostics) {
    if let Some(labels) = metadata.get("labels") {
        label_map(&labels, sink);
    }
    if let Some(annotations) = metadata.get("annotations") {
        let mut size = 0;
        for annotation in annotations.fields() {
            size += annotation.key().len() + annotation.text().map_or(0, str::len);
            if let Some(what) = names::annotation_key(annotation.key()) {
                let finding = annotation.error(BAD_LABEL, format_args!("is no key: {what}"));
                sink.push(Diagnostic { labels: vec![], ..finding }.at(annotation.key_span(), ""));
            }
        }
        if size > ANNOTATIONS {
            let what = format_args!("hold {size} bytes, {ANNOTATIONS} are allowed");
            sink.push(annotations.error(TOO_LARGE, what));
        }
    }
}

/// Checks a map of labels.
pub(super) fn label_map(labels: &Field, sink: &mut Diagnostics) {
    for label in labels.fields() {
        if let Some(what) = names::label_key(label.key()) {
            let finding = label.error(BAD_LABEL, format_args!("is no key: {what}"));
            sink.push(Diagnostic { labels: vec![], ..finding }.at(label.key_span(), ""));
        }
        if let Some(text) = label.text()
            && let Some(what) = names::label_value(text)
        {
            let finding = label.error(BAD_LABEL, format_args!("is no label's value: {what}"));
            sink.push(finding.maybe_help(names::suggestion(text, names::label_value)));
        }
    }
}
