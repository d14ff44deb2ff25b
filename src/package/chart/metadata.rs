//! `Chart.yaml`, and `requirements.yaml` of charts of version 1: what a chart says of itself.
//!
//! Reading and judging follow Helm, down to the texts of faults.

use super::decode::{Fields, Mismatch};
use crate::base::source::Span;
use crate::yaml::Node;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

const MAINTAINER: (&str, &str) = ("Maintainer", "v2.Maintainer");
const DEPENDENCY: (&str, &str) = ("Dependency", "v2.Dependency");

/// The fields of `Chart.yaml`.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// `v1` or `v2`.
    pub api_version: String,
    /// Its name; the alias, once dependencies are settled.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The Kubernetes versions that it supports, a semver constraint.
    pub kube_version: String,
    /// One sentence about it.
    pub description: String,
    /// `application`, `library` or nothing.
    pub kind: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// The project's page.
    pub home: String,
    /// Where its sources are.
    pub sources: Vec<String>,
    /// Who looks after it.
    pub maintainers: Vec<Maintainer>,
    /// A picture.
    pub icon: String,
    /// Version of what it installs.
    pub app_version: String,
    /// True when nobody should use it any more.
    pub deprecated: bool,
    /// Texts for other tools.
    pub annotations: Option<BTreeMap<String, String>>,
    /// A field of Helm 2 that templates can still see.
    pub condition: String,
    /// A field of Helm 2 that templates can still see.
    pub tags: String,
    /// The charts that it depends on. Copies of one chart that was taken in under several names
    /// share the list of what is inside of it, so what one has settled is settled for all.
    pub dependencies: Rc<RefCell<Option<Vec<Dependency>>>>,
    /// A list that holds null where a map belongs: its name.
    pub null_in: Option<&'static str>,
}

/// Who looks after a chart.
#[derive(Clone, Debug, Default)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Page.
    pub url: String,
}

/// A chart that another depends on.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    /// Where it is listed.
    pub span: Span,
    /// Name of the chart.
    pub name: String,
    /// The versions that will do.
    pub version: String,
    /// Where it is to be had.
    pub repository: String,
    /// Paths of values that turn it on or off, with commas between.
    pub condition: String,
    /// Names under `tags` in values that turn it on or off.
    pub tags: Vec<String>,
    /// Whether it is on.
    pub enabled: bool,
    /// Which of its values become values of its parent.
    pub imports: Vec<Import>,
    /// The name that its parent knows it by.
    pub alias: String,
}

/// The fields of a `Chart.yaml`.
pub(super) const FIELDS: &[&str] = &[
    "annotations",
    "apiVersion",
    "appVersion",
    "condition",
    "dependencies",
    "deprecated",
    "description",
    "home",
    "icon",
    "keywords",
    "kubeVersion",
    "maintainers",
    "name",
    "sources",
    "tags",
    "type",
    "version",
];

/// Values that a chart takes from a dependency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Import {
    /// What the dependency has under `exports` by that name.
    Export(String),
    /// What it has at the path `child`, to be put at `parent`.
    Path {
        /// Path in the values of the dependency.
        child: String,
        /// Path in the values of its parent.
        parent: String,
    },
    /// Something that is neither, which Helm passes over.
    Other,
}

impl Metadata {
    /// Reads a document into the fields. Those that it does not name stay. `go_type` is what Go
    /// says that a document should be.
    ///
    /// # Errors
    /// When a field holds something else than its type.
    pub fn read(&mut self, root: &Node, go_type: &'static str) -> Result<(), Mismatch> {
        let fields = Fields::root(root, "Metadata", go_type)?;
        let text = |key, field: &mut String| -> Result<(), Mismatch> {
            if fields.get(key).is_some() {
                *field = fields.text(key)?;
            }
            Ok(())
        };
        // JSON's keys come sorted, and the first fault counts
        if let Some(map) = fields.text_map("annotations")? {
            self.annotations = Some(map);
        }
        text("apiVersion", &mut self.api_version)?;
        text("appVersion", &mut self.app_version)?;
        text("condition", &mut self.condition)?;
        if let Some(items) = fields.items("dependencies", "[]*v2.Dependency")? {
            let items = self.without_nulls("dependencies", items);
            let read = items.map(|item| Dependency::read(&fields, item));
            *self.dependencies.borrow_mut() = Some(read.collect::<Result<_, _>>()?);
        }
        if fields.get("deprecated").is_some() {
            self.deprecated = fields.bool("deprecated")?;
        }
        text("description", &mut self.description)?;
        text("home", &mut self.home)?;
        text("icon", &mut self.icon)?;
        if fields.get("keywords").is_some() {
            self.keywords = fields.texts("keywords")?;
        }
        text("kubeVersion", &mut self.kube_version)?;
        if let Some(items) = fields.items("maintainers", "[]*v2.Maintainer")? {
            let items = self.without_nulls("maintainers", items);
            let read = items.map(|item| Maintainer::read(&fields, item));
            self.maintainers = read.collect::<Result<_, _>>()?;
        }
        text("name", &mut self.name)?;
        if fields.get("sources").is_some() {
            self.sources = fields.texts("sources")?;
        }
        text("tags", &mut self.tags)?;
        text("type", &mut self.kind)?;
        text("version", &mut self.version)
    }

    fn without_nulls<'a>(
        &mut self,
        list: &'static str,
        items: &'a [Node],
    ) -> impl Iterator<Item = &'a Node> + use<'a> {
        if self.null_in != Some("maintainers") && items.iter().any(Node::is_null) {
            self.null_in = Some(list);
        }
        items.iter().filter(|item| !item.is_null())
    }

    /// Makes texts printable, and judges the whole.
    ///
    /// # Errors
    /// What Helm says of it.
    pub fn validate(&mut self) -> Result<(), String> {
        let Metadata { name, description, home, icon, condition, tags, .. } = self;
        for text in [name, description, home, icon, condition, tags]
            .into_iter()
            .chain([&mut self.app_version, &mut self.kube_version])
            .chain(&mut self.sources)
            .chain(&mut self.keywords)
        {
            clean(text);
        }
        let wrong = |text: String| Err(format!("validation: {text}"));
        if self.api_version.is_empty() {
            return wrong("chart.metadata.apiVersion is required".into());
        }
        let name = self.name.as_str();
        if name.is_empty() {
            return wrong("chart.metadata.name is required".into());
        }
        if name == "." || name == ".." {
            return wrong(format!("chart.metadata.name {name:?} is not allowed"));
        }
        if name.contains('/') {
            return wrong(format!("chart.metadata.name {name:?} is invalid"));
        }
        if self.version.is_empty() {
            return wrong("chart.metadata.version is required".into());
        }
        if !super::version::is_version(&self.version) {
            return wrong(format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return wrong("chart.metadata.type must be application or library".into());
        }
        for person in &mut self.maintainers {
            [&mut person.name, &mut person.email, &mut person.url].into_iter().for_each(clean);
        }
        if let Some(list) = self.null_in {
            return wrong(format!("{list} must not contain empty or null nodes"));
        }
        let mut names = HashSet::new();
        for dependency in self.dependencies.borrow_mut().iter_mut().flatten() {
            dependency.validate().or_else(wrong)?;
            let key = dependency.known_as().to_owned();
            if !names.insert(key.clone()) {
                let text = format!("more than one dependency with name or alias {key:?}");
                return wrong(text);
            }
        }
        Ok(())
    }

    /// True for a chart that only gives templates to others.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }
}

impl Maintainer {
    fn read(outer: &Fields<'_>, node: &Node) -> Result<Maintainer, Mismatch> {
        let fields = outer.inner(node, "maintainers", "maintainers.", MAINTAINER)?;
        Ok(Maintainer {
            email: fields.text("email")?,
            name: fields.text("name")?,
            url: fields.text("url")?,
        })
    }
}

impl Dependency {
    fn read(outer: &Fields<'_>, node: &Node) -> Result<Dependency, Mismatch> {
        let fields = outer.inner(node, "dependencies", "dependencies.", DEPENDENCY)?;
        let alias = fields.text("alias")?;
        let condition = fields.text("condition")?;
        let enabled = fields.bool("enabled")?;
        let imports = fields.items("import-values", "[]interface {}")?;
        Ok(Dependency {
            span: node.span,
            alias,
            condition,
            enabled,
            imports: imports.into_iter().flatten().map(Import::read).collect(),
            name: fields.text("name")?,
            repository: fields.text("repository")?,
            tags: fields.texts("tags")?,
            version: fields.text("version")?,
        })
    }

    fn validate(&mut self) -> Result<(), String> {
        let Dependency { name, version, repository, condition, .. } = self;
        for text in [name, version, repository, condition].into_iter().chain(&mut self.tags) {
            clean(text);
        }
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
        if self.alias.chars().all(plain) {
            return Ok(());
        }
        Err(format!("dependency {:?} has disallowed characters in the alias", self.name))
    }

    /// The name that its parent knows it by.
    #[must_use]
    pub fn known_as(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }
}

impl Import {
    fn read(node: &Node) -> Import {
        if let Some(name) = node.as_str() {
            return Import::Export(name.to_owned());
        }
        let Some(map) = node.as_map() else { return Import::Other };
        // as Go prints a value, and an absent one
        let path = |key| match map.get(key) {
            Some(node) => node.as_str().map_or_else(|| format!("{node:?}"), ToOwned::to_owned),
            None => "<nil>".to_owned(),
        };
        Import::Path { child: path("child"), parent: path("parent") }
    }
}

/// Turns white space into spaces and drops what cannot be printed.
fn clean(text: &mut String) {
    let odd = |char: char| !char.is_ascii_graphic() && char != ' ';
    if text.contains(odd) {
        let kept = |char: char| match char {
            char if char.is_whitespace() => Some(' '),
            char if char.is_control() => None,
            char => Some(char),
        };
        *text = text.chars().filter_map(kept).collect();
    }
}
