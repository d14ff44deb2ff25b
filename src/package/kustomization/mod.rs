//! `kustomization.yaml`: what a kustomization or component says, read strictly.
//!
//! The file is read as kustomize reads it (keys in any case, words such as `yes` as booleans), and
//! every fault is told at once, its text holding kustomize's own. What the fields of items mean is
//! the business of the transformers that read them; here they only have the right names and types.

mod check;
mod files;
mod remote;
mod repository;
mod shape;
#[cfg(test)]
mod tests;

pub use files::{FileError, Files, Found, is_within, join};
pub use remote::{ChartAddress, Denied, Remote, RemoteError, is_web};
pub use repository::{AddressError, Repository};

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources, Span};
use crate::yaml::{self, Dialect, Map, Node};
use check::{Checker, Voice};

/// Names of the file, one of which a folder must hold.
pub const FILE_NAMES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// Fields that have been replaced by others, with kustomize's words.
const DEPRECATED: &[(&str, &str)] = &[
    ("bases", "Please use 'resources' instead."),
    ("commonLabels", "Please use 'labels' instead."),
    ("imageTags", "Please use 'images' instead."),
    ("patchesJson6902", "Please use 'patches' instead."),
    ("patchesStrategicMerge", "Please use 'patches' instead."),
    ("vars", "Please use 'replacements' instead."),
];

/// A kustomization or component.
#[derive(Clone, Debug)]
pub struct Kustomization {
    /// The fields that are set, by their declared names; their values have the declared types.
    pub fields: Map,
    /// The file.
    pub file: FileId,
    /// The name of the file in its folder.
    pub name: String,
    /// It is a component.
    pub is_component: bool,
    /// Fields that ought to be written otherwise.
    pub warnings: Diagnostics,
}

impl Kustomization {
    /// Reads the text of a file. `folder` is how kustomize names the folder.
    ///
    /// # Errors
    /// Every fault that the file has.
    pub fn read(
        sources: &Sources,
        file: FileId,
        name: &str,
        folder: &str,
    ) -> Result<Kustomization, Diagnostics> {
        let text = sources.get(file).map(|file| file.text().clone()).unwrap_or_default();
        let root = yaml::parse_first(&text, file, Dialect::GoYamlV2).map_err(|error| {
            let message = format!("invalid Kustomization: {error}");
            Diagnostics::from(Diagnostic { message, ..Diagnostic::from(error) })
        })?;
        Kustomization::of(&root, file, name, folder)
    }

    /// The kustomization that a node is.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn of(
        root: &Node,
        file: FileId,
        name: &str,
        folder: &str,
    ) -> Result<Kustomization, Diagnostics> {
        let mut checker = Checker { voice: Voice::Go, faults: Diagnostics::new() };
        let fields = checker.root(root, &shape::KUSTOMIZATION);
        let mut read = Kustomization {
            is_component: fields.get("kind").and_then(Node::as_str) == Some("Component"),
            fields,
            file,
            name: name.to_owned(),
            warnings: Diagnostics::new(),
        };
        let mut faults = checker.faults;
        if faults.is_empty() {
            faults.extend(read.empty());
            faults.extend(read.wrong_version(folder));
        }
        read.warnings = read.deprecated();
        faults.finish(read).map(|(read, _)| read)
    }

    /// The fields of an overlay, which may be none; `more` are keys that it has besides.
    ///
    /// # Errors
    /// Every fault that they have, in plain words.
    pub fn of_overlay(
        root: &Node,
        name: &str,
        more: &'static [&'static str],
    ) -> Result<Kustomization, Diagnostics> {
        let mut checker = Checker { voice: Voice::Plain(more), faults: Diagnostics::new() };
        let fields = checker.root(root, &shape::KUSTOMIZATION);
        let read = Kustomization {
            is_component: false,
            fields,
            file: root.span.file,
            name: name.to_owned(),
            warnings: Diagnostics::new(),
        };
        checker.faults.finish(read).map(|(read, _)| read)
    }

    /// A text that is set and not empty.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&Node> {
        self.fields.get(field).filter(|node| node.as_str().is_some_and(|text| !text.is_empty()))
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self, field: &str) -> &[Node] {
        self.fields.get(field).and_then(Node::as_list).unwrap_or_default()
    }

    /// The entries of a map that is set and not empty.
    #[must_use]
    pub fn map(&self, field: &str) -> Option<&Map> {
        self.fields.get(field).and_then(Node::as_map).filter(|map| !map.is_empty())
    }

    /// The resources, those that are still called bases last.
    pub fn resources(&self) -> impl Iterator<Item = &Node> {
        self.items("resources").iter().chain(self.items("bases"))
    }

    /// The images, those that are still called image tags last.
    pub fn images(&self) -> impl Iterator<Item = &Node> {
        self.items("images").iter().chain(self.items("imageTags"))
    }

    /// True when `buildMetadata` names an option.
    #[must_use]
    pub fn builds(&self, option: &str) -> bool {
        self.items("buildMetadata").iter().any(|item| item.as_str() == Some(option))
    }

    /// The first line, for faults of the whole file.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.file, 0, 0)
    }

    fn empty(&self) -> Option<Diagnostic> {
        let says = |key: &str, node: &Node| {
            !["kind", "apiVersion"].contains(&key) && node.as_str().is_none_or(|it| !it.is_empty())
        };
        if self.fields.iter().any(|entry| says(&entry.key, &entry.value)) {
            return None;
        }
        let fault =
            Diagnostic::error("wharf::package::kustomization_empty", "kustomization.yaml is empty");
        Some(fault.at(self.span(), "").help("name its `resources`"))
    }

    fn wrong_version(&self, folder: &str) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let mut fault = |node: &Node, message: String, help: String| {
            let message = format!("Failed to read kustomization file under {folder}:\n{message}");
            let fault = Diagnostic::error("wharf::package::kustomization_version", message);
            faults.push(fault.at(node.span, "written here").help(help));
        };
        let kind = self.text("kind");
        let kind_name = kind.and_then(Node::as_str).unwrap_or("Kustomization");
        if let Some(kind) = kind.filter(|_| !["Kustomization", "Component"].contains(&kind_name)) {
            let message = "kind should be Kustomization or Component".to_owned();
            fault(kind, message, "write `kind: Kustomization`".to_owned());
        }
        let version = if self.is_component { COMPONENT_VERSION } else { VERSION };
        if let Some(found) = self.text("apiVersion").filter(|it| it.as_str() != Some(version)) {
            let message = format!("apiVersion for {kind_name} should be {version}");
            fault(found, message, format!("write `apiVersion: {version}`"));
        }
        faults
    }

    fn deprecated(&self) -> Diagnostics {
        let warning = |(field, instead): &(&str, &str)| {
            let entry = self.fields.entry(field)?;
            let message = format!("'{field}' is deprecated. {instead}");
            let code = "wharf::package::kustomization_deprecated";
            Some(Diagnostic::warning(code, message).at(entry.key_span, "written here"))
        };
        DEPRECATED.iter().filter_map(warning).collect()
    }
}
