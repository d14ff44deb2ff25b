//! `Package.yaml`: what a native package says of itself, read strictly.
//!
//! Every fault is reported at once; a key that is not known is a fault with a suggestion.
//! Dependencies are refused: nothing may be accepted and then ignored.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{Sources, Span};
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::yaml::{self, Dialect, Map, Node};

/// The `apiVersion` of `Package.yaml`.
const API_VERSION: &str = "wharf.dev/v1";

/// Keys of `Package.yaml`.
const KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "name",
    "version",
    "description",
    "appVersion",
    "kubeVersion",
    "home",
    "icon",
    "keywords",
    "sources",
    "maintainers",
    "annotations",
    "dependencies",
];

/// A native package: its metadata, and its files.
#[derive(Clone, Debug)]
pub struct Native {
    /// Name, a DNS label.
    pub name: String,
    /// Version.
    pub version: semver::Version,
    /// One line about it.
    pub description: Option<String>,
    /// Version of what it installs.
    pub app_version: Option<String>,
    /// Kubernetes versions that it supports, with where that is said.
    pub kube_version: Option<(semver::VersionReq, Span)>,
    /// `Package.yaml` as it was read.
    pub metadata: Node,
    /// All its files.
    pub tree: FileTree,
}

/// Reads `Package.yaml` of a tree.
///
/// # Errors
/// All faults that the file has.
pub fn load(tree: &FileTree, sources: &Sources) -> Result<Native, Diagnostics> {
    let shown = tree.display("Package.yaml");
    let Some(text) = tree.text("Package.yaml") else {
        let what =
            if tree.get("Package.yaml").is_some() { "is no UTF-8 text" } else { "is missing" };
        let message = format!("`{shown}` {what}");
        return Err(Diagnostic::error("wharf::package::unreadable", message).into());
    };
    let file = sources.add(shown, text);
    let root = yaml::parse_one(sources, file, Dialect::Strict)?;
    let whole = Span::new(file, 0, text.find('\n').unwrap_or(text.len()));
    let mut reader = Reader { faults: Diagnostics::new(), whole };
    let Some(map) = root.as_map() else {
        reader.fault(root.span, format!("expected a map, found {}", root.kind()));
        return Err(reader.faults);
    };
    reader.unknown_keys(map);
    reader.constant(map, "apiVersion", API_VERSION);
    reader.constant(map, "kind", "Package");
    let name = reader.required(map, "name").map(|(text, span)| reader.name(text, span));
    let version = reader
        .required(map, "version")
        .map_or(semver::Version::new(0, 0, 0), |(text, span)| reader.version(text, span));
    let kube_version = reader.text(map, "kubeVersion").and_then(|(text, span)| {
        match semver::VersionReq::parse(text) {
            Ok(range) => Some((range, span)),
            Err(error) => {
                reader.fault(span, format!("`{text}` is no range of versions: {error}"));
                None
            }
        }
    });
    let description = reader.text(map, "description").map(|(text, _)| text.to_owned());
    let app_version = reader.text(map, "appVersion").map(|(text, _)| text.to_owned());
    reader.lists_of_text(map);
    if let Some(entry) = map.entry("dependencies")
        && entry.value.as_list().is_none_or(|list| !list.is_empty())
    {
        reader.faults.push(
            Diagnostic::error(
                "wharf::package::dependencies",
                "dependencies of native packages are not supported",
            )
            .at(entry.key_span, "")
            .help("render the dependency as a package of its own"),
        );
    }
    let package = Native {
        name: name.unwrap_or_default(),
        version,
        description,
        app_version,
        kube_version,
        metadata: root.clone(),
        tree: tree.clone(),
    };
    reader.faults.finish(package).map(|(package, _)| package)
}

struct Reader {
    faults: Diagnostics,
    whole: Span,
}

impl Reader {
    fn fault(&mut self, span: Span, message: impl Into<String>) {
        self.faults.push(Diagnostic::error("wharf::package::invalid", message).at(span, ""));
    }

    fn unknown_keys(&mut self, map: &Map) {
        for entry in map {
            if !KEYS.contains(&entry.key.as_str()) {
                let message = format!("`{}` is no key of Package.yaml", entry.key);
                self.faults.push(
                    Diagnostic::error("wharf::package::unknown_key", message)
                        .at(entry.key_span, "")
                        .maybe_help(suggest::did_you_mean(&entry.key, KEYS.iter().copied())),
                );
            }
        }
    }

    fn constant(&mut self, map: &Map, key: &str, expected: &str) {
        match map.get(key) {
            Some(node) if node.as_str() == Some(expected) => {}
            Some(node) => {
                self.fault(node.span, format!("`{key}` of Package.yaml must be `{expected}`"));
            }
            None => self.missing(key, &format!("add `{key}: {expected}`")),
        }
    }

    fn missing(&mut self, key: &str, help: &str) {
        let message = format!("Package.yaml lacks `{key}`");
        self.faults.push(
            Diagnostic::error("wharf::package::missing_key", message).at(self.whole, "").help(help),
        );
    }

    fn required<'a>(&mut self, map: &'a Map, key: &str) -> Option<(&'a str, Span)> {
        if map.get(key).is_none_or(Node::is_null) {
            self.missing(key, &format!("add `{key}: …`"));
            return None;
        }
        self.text(map, key)
    }

    fn text<'a>(&mut self, map: &'a Map, key: &str) -> Option<(&'a str, Span)> {
        let node = map.get(key)?;
        let text = node.as_str();
        if text.is_none() && !node.is_null() {
            let message = format!("`{key}` must be a string, found {}", node.kind());
            self.faults.push(
                Diagnostic::error("wharf::package::invalid", message)
                    .at(node.span, "")
                    .help("put it in quotes"),
            );
        }
        text.map(|text| (text, node.span))
    }

    fn name(&mut self, name: &str, span: Span) -> String {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = name.len() <= 63
            && name.chars().all(inner)
            && !name.starts_with('-')
            && !name.ends_with('-')
            && !name.is_empty();
        if !valid {
            self.fault(
                span,
                format!(
                    "`{name}` cannot be a package's name: lower-case letters, digits and `-`, at \
                     most 63, beginning and ending with a letter or digit"
                ),
            );
        }
        name.to_owned()
    }

    fn version(&mut self, text: &str, span: Span) -> semver::Version {
        semver::Version::parse(text).unwrap_or_else(|error| {
            let message = format!("`{text}` is no semantic version: {error}");
            self.faults.push(
                Diagnostic::error("wharf::package::invalid", message)
                    .at(span, "")
                    .help("write three numbers, such as `1.2.0`"),
            );
            semver::Version::new(0, 0, 0)
        })
    }

    fn lists_of_text(&mut self, map: &Map) {
        for key in ["keywords", "sources"] {
            let Some(node) = map.get(key) else { continue };
            if node.as_list().is_none_or(|list| list.iter().any(|item| item.as_str().is_none())) {
                self.fault(node.span, format!("`{key}` must be a list of strings"));
            }
        }
        for key in ["home", "icon"] {
            self.text(map, key);
        }
        if let Some(node) = map.get("maintainers")
            && node
                .as_list()
                .is_none_or(|list| list.iter().any(|person| person.str_at(&["name"]).is_none()))
        {
            self.fault(node.span, "`maintainers` must be a list of maps with a `name`");
        }
        if let Some(node) = map.get("annotations")
            && node.as_map().is_none_or(|map| map.values().any(|text| text.as_str().is_none()))
        {
            self.fault(node.span, "`annotations` must be a map of strings");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::path::SafePath;

    fn check(text: &str) -> Result<String, Vec<String>> {
        let mut tree = FileTree::new("p");
        tree.insert(SafePath::parse("Package.yaml").expect("a path"), text.to_owned());
        load(&tree, &Sources::new())
            .map(|package| format!("{} {}", package.name, package.version))
            .map_err(|faults| {
                let help = |fault: &Diagnostic| {
                    fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default()
                };
                faults.iter().map(|fault| format!("{fault}{}", help(fault))).collect()
            })
    }

    #[test]
    fn a_package_says_name_and_version() {
        let text = "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.2.0\n";
        assert_eq!(check(text), Ok("shop 1.2.0".into()));
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let text = "apiVersion: wharf.dev/v2\nnmae: shop\nversion: 1.2\nname: Shop\n\
                    dependencies: [{name: x}]\n";
        let faults = check(text).expect_err("faults");
        assert_eq!(
            faults,
            [
                "`nmae` is no key of Package.yaml (did you mean `name`?)",
                "`apiVersion` of Package.yaml must be `wharf.dev/v1`",
                "Package.yaml lacks `kind` (add `kind: Package`)",
                "`Shop` cannot be a package's name: lower-case letters, digits and `-`, at most \
                 63, beginning and ending with a letter or digit",
                "`version` must be a string, found number (put it in quotes)",
                "dependencies of native packages are not supported (render the dependency as a \
                 package of its own)",
            ]
        );
    }
}
