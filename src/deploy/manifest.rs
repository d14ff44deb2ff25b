//! The manifest text that a release record keeps, written and read.

use super::error::DeployError;
use crate::base::source::Sources;
use crate::object::{Object, Origin, meta};
use crate::release::Record;
use crate::yaml::{self, Node, emit};
use std::fmt::Write;
use std::sync::Arc;

/// Writes objects as Helm keeps them: each behind `---` and a comment with its file.
#[must_use]
pub fn manifest_text(objects: &[Object]) -> String {
    let mut text = String::new();
    for object in objects {
        let origin = &object.origin;
        let source = match (origin.package.is_empty(), origin.file.starts_with(&origin.package)) {
            (false, false) => format!("{}/{}", origin.package, origin.file),
            _ => origin.file.clone(),
        };
        text.push_str("---\n");
        if !source.is_empty() {
            // a name with a line break would end the comment
            let _ = writeln!(text, "# Source: {}", source.replace(['\n', '\r'], " "));
        }
        text.push_str(&emit::to_string(&object.root, &emit::Style::default()));
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// Reads the objects of a record's manifest.
///
/// # Errors
/// [`DeployError::BadManifest`] when it is no YAML.
pub(super) fn parse(record: &Record) -> Result<Vec<Object>, DeployError> {
    let name = format!("{} revision {}", record.name(), record.version());
    let roots = read(&name, record.manifest())?;
    let origin = Arc::new(Origin { package: String::new(), file: name });
    Ok(roots.into_iter().map(|root| Object { root, origin: Arc::clone(&origin) }).collect())
}

/// Reads the objects of a part of a manifest.
///
/// # Errors
/// [`DeployError::BadManifest`] when it is no YAML.
pub fn parse_documents(text: &str) -> Result<Vec<Node>, DeployError> {
    read("manifest", text)
}

fn read(name: &str, text: &str) -> Result<Vec<Node>, DeployError> {
    let sources = Sources::new();
    let file = sources.add(name, text);
    let documents = yaml::parse_documents(&sources, file, yaml::Dialect::GoYamlV2)
        .map_err(|faults| DeployError::BadManifest { name: name.to_owned(), faults })?;
    Ok(documents.into_iter().filter(|root| meta::gvk(root).is_some()).collect())
}
