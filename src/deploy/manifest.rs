//! The manifest text that a release record keeps, written and read.

use super::error::DeployError;
use crate::base::source::Sources;
use crate::object::hook::{Hook, When};
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
        let source = path(object);
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

/// Hooks as a record keeps them. One whose annotations name no event is none.
#[must_use]
pub fn hooks_of(objects: &[Object]) -> Vec<Hook> {
    let hook = |object: &Object| {
        let when = When::read(|key| meta::annotation(&object.root, key))?.ok()?;
        Some(Hook {
            name: object.name().to_owned(),
            kind: object.kind().to_owned(),
            path: path(object),
            manifest: emit::to_string(&object.root, &emit::Style::default()),
            when,
        })
    };
    objects.iter().filter_map(hook).collect()
}

/// True when two texts hold the same objects: Helm writes them with comments and quotes of its own.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let objects = |text: &str| read("manifest", text);
    one == other || matches!((objects(one), objects(other)), (Ok(one), Ok(other)) if one == other)
}

/// True when hooks are the same, in whatever order. A policy that Helm fills in when it runs one
/// counts as none.
pub(super) fn are_same_hooks(some: &[Hook], others: &[Hook]) -> bool {
    let plain = |hooks: &[Hook]| -> Vec<Hook> {
        let mut hooks = hooks.to_vec();
        for hook in &mut hooks {
            if hook.when.delete_policies == ["before-hook-creation"] {
                hook.when.delete_policies.clear();
            }
        }
        hooks.sort_by(|a, b| (&a.kind, &a.name, &a.path).cmp(&(&b.kind, &b.name, &b.path)));
        hooks
    };
    let same = |(a, b): (&Hook, &Hook)| {
        let text = Hook { manifest: b.manifest.clone(), ..a.clone() };
        text == *b && is_same(&a.manifest, &b.manifest)
    };
    let (some, others) = (plain(some), plain(others));
    some.len() == others.len() && some.iter().zip(&others).all(same)
}

/// The file of an object, with its package.
fn path(object: &Object) -> String {
    let origin = &object.origin;
    match (origin.package.is_empty(), origin.file.starts_with(&origin.package)) {
        (false, false) => format!("{}/{}", origin.package, origin.file),
        _ => origin.file.clone(),
    }
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
