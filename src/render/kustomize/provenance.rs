//! `buildMetadata`: annotations that tell where resources came from and what changed them.
//!
//! Paths are as they were named, from the folder that is built or from the root of a repository.

use crate::package::kustomization::{Repository, join};
use crate::transform::set::{ORIGIN, Resource};
use crate::yaml::{Node, emit};

/// The annotation that lists what changed a resource.
pub(super) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// Where something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    path: String,
    repository: String,
    reference: String,
}

impl Place {
    /// A place that is named from here.
    pub(super) fn inner(&self, path: &str) -> Place {
        match Repository::parse(path) {
            Ok(repository) => Place {
                repository: repository.clone_address(),
                reference: repository.reference.clone(),
                path: joined("", &repository.folder),
            },
            Err(_) => Place { path: joined(&self.path, path), ..self.clone() },
        }
    }

    /// Writes down that a resource was read here.
    pub(super) fn mark(&self, resource: &mut Resource) {
        annotate(resource, ORIGIN, &text(&self.node("path")));
    }

    /// What was configured here.
    pub(super) fn maker(&self, api_version: &str, kind: &str) -> Maker {
        let mut node = self.node("configuredIn");
        let mut by = Node::map();
        by.set("apiVersion", api_version);
        by.set("kind", kind);
        node.set("configuredBy", by);
        Maker { node }
    }

    fn node(&self, key: &str) -> Node {
        let mut node = Node::map();
        let mut set = |key: &str, text: &str| {
            if !text.is_empty() {
                node.set(key, text);
            }
        };
        if key == "path" {
            set(key, &self.path);
        }
        set("repo", &self.repository);
        set("ref", &self.reference);
        if key != "path" {
            set(key, &self.path);
        }
        node
    }
}

/// A generator or transformer, and where it was configured.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    node: Node,
}

impl Maker {
    /// The maker that a configuration is, when it is known where that was read.
    pub(super) fn of(config: &Resource) -> Option<Maker> {
        let origin = config.root.str_at(&["metadata", "annotations", ORIGIN])?;
        let origin = crate::yaml::parse_text(origin).ok()?;
        let text = |key: &str| origin.str_at(&[key]).unwrap_or_default().to_owned();
        let place = Place { path: text("path"), repository: text("repo"), reference: text("ref") };
        let root = |path: &[&str]| config.root.str_at(path).unwrap_or_default();
        let mut maker = place.maker(root(&["apiVersion"]), config.kind());
        for key in ["name", "namespace"] {
            let value = root(&["metadata", key]);
            if !value.is_empty() {
                maker.node.set_at(&["configuredBy", key], value);
            }
        }
        Some(maker)
    }

    /// Writes down that a resource was made by this.
    pub(super) fn made(&self, resource: &mut Resource) {
        annotate(resource, ORIGIN, &text(&self.node));
    }

    /// Writes down that a resource was changed by this.
    pub(super) fn changed(&self, resource: &mut Resource) {
        let path = ["metadata", "annotations", TRANSFORMATIONS];
        let before = resource.root.str_at(&path).unwrap_or_default();
        let all = format!("{before}{}", text(&Node::from(vec![self.node.clone()])));
        annotate(resource, TRANSFORMATIONS, &all);
    }
}

fn text(node: &Node) -> String {
    emit::to_string(node, &emit::Style { sort_keys: false, ..emit::Style::kustomize() })
}

fn annotate(resource: &mut Resource, key: &str, text: &str) {
    resource.root.set_at(&["metadata", "annotations", key], text);
}

/// Two paths as one, without `.` and with `..` only in front.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if path.starts_with('/') && folder.is_empty() { join("", path) } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn places_are_named_from_the_folder_that_is_built() {
        let place = Place::default().inner("../base").inner("x/../a.yaml");
        assert_eq!(text(&place.node("path")), "path: ../base/a.yaml\n");
        let place = place.inner("https://github.com/o/r//deep/base?ref=v1").inner("a.yaml");
        assert_eq!(
            text(&place.node("path")),
            "path: deep/base/a.yaml\nrepo: https://github.com/o/r\nref: v1\n"
        );
    }

    #[test]
    fn changes_are_listed_one_after_the_other() {
        let mut resource = Resource::new(json!({"kind": "A"}).into(), Arc::default());
        let maker = Place::default().inner("k.yaml").maker("builtin", "PrefixTransformer");
        maker.changed(&mut resource);
        maker.changed(&mut resource);
        let entry = "- configuredIn: k.yaml\n  configuredBy:\n    apiVersion: builtin\n    \
                     kind: PrefixTransformer\n";
        let found = resource.root.str_at(&["metadata", "annotations", TRANSFORMATIONS]);
        assert_eq!(found, Some(entry.repeat(2).as_str()));
    }
}
