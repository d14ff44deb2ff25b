//! Helm charts to manifests: what `helm template` does, as data.
//!
//! ```text
//! files -> chart -> dependencies settled -> values coalesced, checked -> templates rendered
//!       -> manifests and hooks sorted
//! ```
//!
//! All of it runs on a thread of its own with a large stack, for templates nest as deep as they
//! like. Rendering reads its request and nothing else.

mod advice;
mod capabilities;
mod chance;
mod data;
mod fault;
mod manifest;
mod name;
mod objects;
mod origin;
mod post;
#[cfg(test)]
mod tests;
pub mod text;

pub use crate::template::gotmpl::world::Lookup;
pub use chance::Chance;
pub use manifest::Manifest;
pub use name::from_template as name_from_template;
pub use objects::objects;
pub use post::PostRender;

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources};
use crate::base::tree::FileTree;
use crate::package::chart::{self, Chart, coalesce, schema};
use crate::template::gotmpl::value::Entries;
use crate::template::gotmpl::{self, Map, Options, Set, Value, stack};
use crate::yaml::{self, Node, Number};
use bytes::Bytes;
use manifest::Rendering;
use std::sync::Arc;

/// What is to be rendered, and for whom.
#[derive(Debug)]
pub struct Request<'a> {
    /// The files of the chart.
    pub tree: &'a FileTree,
    /// The user's values. Numbers are doubles, but for those of `--set`, which may be integers.
    pub values: &'a Node,
    /// Name of the release.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its revision, counted from 1.
    pub revision: u32,
    /// True when it is there already.
    pub is_upgrade: bool,
    /// Kubernetes version of the target; nothing means Helm's default.
    pub kube_version: Option<&'a str>,
    /// API versions that are there.
    pub api_versions: &'a [String],
    /// They are those of a target, in place of the ones that Helm takes for granted.
    pub served: bool,
    /// Answers `lookup`; without it every lookup finds nothing.
    pub cluster: Option<&'a Arc<dyn Lookup>>,
    /// `getHostByName` asks the network; else its answer is empty.
    pub resolves: bool,
    /// Values are not checked against schemas.
    pub skip_schemas: bool,
    /// Chance and time.
    pub chance: &'a Chance,
    /// A program that changes what was rendered.
    pub post: Option<&'a dyn PostRender>,
    /// Manifests are wanted as data, every part of which knows where it comes from; else their
    /// texts are all there is.
    pub traced: bool,
}

/// A chart that was rendered.
#[derive(Debug, Default)]
pub struct Release {
    /// Name of the chart.
    pub chart: String,
    /// Version of the chart.
    pub version: String,
    /// Version of what it installs.
    pub app_version: String,
    /// One line about it.
    pub description: String,
    /// Manifests, then hooks, each in the order in which they are installed.
    pub manifests: Vec<Manifest>,
    /// Custom resource definitions: names of the files with those of their charts, and texts.
    pub crds: Vec<Crd>,
    /// `NOTES.txt`.
    pub notes: Option<String>,
    /// The values that the chart saw.
    pub values: Node,
    /// What is doubtful, but no fault.
    pub warnings: Diagnostics,
}

/// A file of custom resource definitions.
#[derive(Clone, Debug)]
pub struct Crd {
    /// Its name, with those of its charts.
    pub path: String,
    /// What messages call it.
    pub shown: String,
    /// Its text.
    pub text: Bytes,
}

/// A chart that could not be rendered.
#[derive(Debug)]
pub struct Failed {
    /// What is wrong.
    pub faults: Diagnostics,
    /// The rendered files, when it was one of them that could not be read: name and text.
    pub rendered: Vec<(String, Vec<u8>)>,
}

impl From<Diagnostic> for Failed {
    fn from(fault: Diagnostic) -> Failed {
        Failed { faults: fault.into(), rendered: Vec::new() }
    }
}

/// Renders a chart.
///
/// # Errors
/// At the first fault, as Helm does.
pub fn render(request: &Request<'_>, sources: &Sources) -> Result<Release, Failed> {
    stack::with_room(|| run(request, sources))
}

fn run(request: &Request<'_>, sources: &Sources) -> Result<Release, Failed> {
    let capabilities = capabilities::capabilities(request)
        .map_err(|text| Diagnostic::error("wharf::values::kube_version", text))?;
    name::check(request.name)?;
    let mut chart = chart::load(request.tree, sources)?;
    if chart.metadata.is_library() {
        let text = format!("{} charts are not installable", chart.metadata.kind);
        return Err(Diagnostic::error("wharf::package::chart", text).into());
    }
    let deprecated = chart.metadata.deprecated;
    let missing = chart::missing(&chart);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        let text =
            format!("found in Chart.yaml, but missing in charts/ directory: {}", names.join(", "));
        let mut fault = Diagnostic::error("wharf::package::chart_dependency", text).help(
            "`wharf template CHART --dependency-update` fetches them into its folder `charts`",
        );
        for (_, span) in &missing {
            fault = fault.at(*span, "listed here");
        }
        return Err(fault.into());
    }
    let user = user_values(request.values, sources);
    let mut warnings = Vec::new();
    let invalid = |text: String, chart: &Chart| {
        fault::of_values(text, &origin::Written::new(chart, request.values))
    };
    chart::settle(&mut chart, &user, &mut warnings)
        .map_err(|text| invalid(format!("chart dependencies processing failed: {text}"), &chart))?;
    warnings.clear();
    if deprecated {
        warnings.push("this chart is deprecated".to_owned());
    }
    let values =
        coalesce::coalesce(&chart, &user, &mut warnings).map_err(|text| invalid(text, &chart))?;
    let written = origin::Written::new(&chart, request.values);
    if !request.skip_schemas {
        let rejected = schema::check(&chart, &values);
        if !rejected.is_empty() {
            return Err(fault::of_schemas(&rejected, &written).into());
        }
    }
    fault::unsupported(&chart, &capabilities)?;
    let seen = Node::from(&Json(&Value::Map(values.clone())));
    let templates = data::gather(&chart, &values, request, capabilities);
    let world = request.chance.world(request.cluster.cloned(), request.resolves);
    let options = Options::default();
    let set = Set::parse(&templates.sources)
        .map_err(|error| fault::of_templates(&error, &templates, &written, sources))?;
    let rendered = gotmpl::render(&set, &templates.jobs, &world, &options)
        .map_err(|error| fault::of_templates(&error, &templates, &written, sources))?;
    let notes_of_root = format!("{}/templates/NOTES.txt", chart.metadata.name);
    let mut notes = None;
    let mut files = Vec::new();
    for file in rendered {
        let name = file.name.lossy().into_owned();
        if name.ends_with("NOTES.txt") {
            if name == notes_of_root {
                notes = Some(String::from_utf8_lossy(&file.text).into_owned());
            }
        } else if !file.text.trim_ascii().is_empty() {
            files.push((name, file));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(program) = request.post {
        files = post::through(&files, program)?;
    }
    let origins = origin::Origins::new(&templates, &written, sources);
    let manifests = match manifests(&files, request.traced.then_some(&origins)) {
        // what comes out well is not asked where it came from
        Err(_) if !request.traced => manifests(&files, Some(&origins)),
        done => done,
    };
    let manifests = manifests.map_err(|unreadable| Failed {
        faults: fault::of_manifest(unreadable, sources).into(),
        rendered: files.iter().map(|(name, file)| (name.clone(), file.text.to_vec())).collect(),
    })?;
    let mut crds = Vec::new();
    definitions(&chart, None, &mut crds);
    Ok(Release {
        manifests,
        crds,
        notes,
        values: seen,
        warnings: warnings.into_iter().map(fault::warning).collect(),
        chart: chart.metadata.name,
        version: chart.metadata.version,
        app_version: chart.metadata.app_version,
        description: chart.metadata.description,
    })
}

/// The manifests of rendered files.
fn manifests(
    files: &[(String, gotmpl::Rendered)],
    origins: Option<&origin::Origins<'_, '_>>,
) -> Result<Vec<Manifest>, manifest::Unreadable> {
    let rendering = |(name, file): &(String, gotmpl::Rendered)| Rendering {
        file: origins.map_or(FileId::NONE, |origins| origins.add(name, file)),
        text: file.text.clone(),
        name: name.clone(),
    };
    manifest::sorted(&files.iter().map(rendering).collect::<Vec<_>>())
}

/// The files under `crds` of a chart and of those in it.
fn definitions(chart: &Chart, parent: Option<&str>, found: &mut Vec<Crd>) {
    let name = &chart.metadata.name;
    let path = parent.map_or_else(|| name.clone(), |parent| format!("{parent}/charts/{name}"));
    for file in &*chart.files {
        let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let readable =
            ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known));
        if file.name.starts_with("crds/") && readable {
            found.push(Crd {
                path: format!("{path}/{}", file.name),
                shown: file.shown.to_string(),
                text: file.bytes.clone(),
            });
        }
    }
    for inner in &chart.dependencies {
        definitions(inner, Some(&path), found);
    }
}

/// The user's values as templates get them: numbers are doubles, as YAML through JSON makes them,
/// but what `--set` takes for an integer is one.
fn user_values(node: &Node, sources: &Sources) -> Map {
    let mut set_flag = SetFlag { sources, last: (FileId::NONE, false) };
    match set_flag.value(node) {
        Value::Map(map) => map,
        _ => Map::any(Entries::new()),
    }
}

struct SetFlag<'a> {
    sources: &'a Sources,
    /// The file that was looked at last, and whether it is a `--set` flag.
    last: (FileId, bool),
}

impl SetFlag<'_> {
    fn value(&mut self, node: &Node) -> Value {
        match &node.value {
            yaml::Value::Number(Number::Int(int)) if self.wrote(node.span.file) => {
                Value::int64(*int)
            }
            yaml::Value::List(items) => {
                Value::list(items.iter().map(|item| self.value(item)).collect::<Vec<_>>())
            }
            yaml::Value::Map(map) => Value::map(
                map.iter()
                    .map(|entry| (entry.key.as_str().into(), self.value(&entry.value)))
                    .collect(),
            ),
            _ => Value::from_node(node),
        }
    }

    fn wrote(&mut self, file: FileId) -> bool {
        if self.last.0 != file {
            let is_set = self.sources.get(file).is_some_and(|file| file.name() == "--set");
            self.last = (file, is_set);
        }
        self.last.1
    }
}

/// A value of templates as a node of its own.
struct Json<'a>(&'a Value);

impl From<&Json<'_>> for Node {
    fn from(value: &Json<'_>) -> Node {
        match value.0 {
            Value::Bool(bool) => (*bool).into(),
            Value::Int(int, _) => (*int).into(),
            Value::Uint(int, _) => (*int).into(),
            Value::Float(float, _) => (*float).into(),
            Value::Text(text) => Node::from(&*text.lossy()),
            Value::List(items) => {
                Node::from(items.iter().map(|item| Node::from(&Json(item))).collect::<Vec<_>>())
            }
            Value::Map(map) => {
                let entries = map.entries();
                let nodes = entries
                    .iter()
                    .map(|(key, value)| (key.lossy().into_owned(), Node::from(&Json(value))))
                    .collect::<yaml::Map>();
                Node::from(nodes)
            }
            _ => Node::NULL,
        }
    }
}
