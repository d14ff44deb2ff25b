//! What templates get: one map for each chart, with its values inside of those of its parent.

use super::Request;
use crate::package::chart::{Chart, File, Metadata};
use crate::template::gotmpl::go_type::{INT, STRING_MAP};
use crate::template::gotmpl::objects::{self, Capabilities, VALUES};
use crate::template::gotmpl::value::Entries;
use crate::template::gotmpl::{Job, Map, Source, Text, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// The templates of a chart and of those in it, and what each of them gets.
#[derive(Default)]
pub(super) struct Templates<'a> {
    pub(super) sources: Vec<Source>,
    pub(super) jobs: Vec<Job>,
    /// Each template's file, and the path of charts that it belongs to, without the outermost.
    pub(super) files: Vec<Owned<'a>>,
    /// Where each name is in these lists.
    places: HashMap<String, usize>,
}

/// A file of one of the charts.
pub(super) struct Owned<'a> {
    /// Its name among all templates.
    pub(super) name: String,
    pub(super) file: &'a File,
    /// Names of the charts that lead to its chart, without the outermost.
    pub(super) charts: Rc<[String]>,
}

/// What is the same for all charts.
struct Common {
    release: Value,
    capabilities: Value,
}

/// Gathers the templates of a chart with coalesced values.
pub(super) fn gather<'a>(
    chart: &'a Chart,
    values: &Map,
    request: &Request<'_>,
    capabilities: Capabilities,
) -> Templates<'a> {
    let common = Common {
        release: Value::map(Entries::from([
            ("Name".into(), Value::text(request.name)),
            ("Namespace".into(), Value::text(request.namespace)),
            ("IsUpgrade".into(), Value::Bool(request.is_upgrade)),
            ("IsInstall".into(), Value::Bool(!request.is_upgrade)),
            ("Revision".into(), Value::Int(i64::from(request.revision), &INT)),
            ("Service".into(), Value::text("Helm")),
        ])),
        capabilities: Value::Object(Rc::new(capabilities)),
    };
    let mut templates = Templates::default();
    templates.chart(chart, &values.typed(&VALUES), None, &[], &common);
    templates
}

impl<'a> Templates<'a> {
    /// Adds a chart; gives what its templates get.
    fn chart(
        &mut self,
        chart: &'a Chart,
        values: &Map,
        parent: Option<&str>,
        charts: &[String],
        common: &Common,
    ) -> Map {
        let name = &chart.metadata.name;
        let path = match parent {
            Some(parent) => format!("{parent}/charts/{name}"),
            None => name.clone(),
        };
        let inside = Map::any(Entries::new());
        let files = chart.files.iter();
        let data = Map::any(Entries::from([
            ("Chart".into(), metadata(&chart.metadata, parent.is_none())),
            (
                "Files".into(),
                objects::files(
                    files.map(|file| (file.name.as_str().into(), (&*file.bytes).into())),
                ),
            ),
            ("Release".into(), common.release.clone()),
            ("Capabilities".into(), common.capabilities.clone()),
            ("Values".into(), Value::Map(values.clone())),
            ("Subcharts".into(), Value::Map(inside.clone())),
        ]));
        for inner in &chart.dependencies {
            let key = inner.metadata.name.as_str();
            // Helm looks the name up as a path
            let below = key.split('.').try_fold(values.clone(), |map, key| match map.get(key) {
                Some(Value::Map(below)) => Some(below),
                _ => None,
            });
            let below = below.unwrap_or_else(|| Map::any(Entries::new())).typed(&VALUES);
            let charts = [charts, &[key.to_owned()]].concat();
            let data = self.chart(inner, &below, Some(&path), &charts, common);
            inside.set(key, Value::Map(data));
        }
        let base_path: Text = format!("{path}/templates").into();
        let charts: Rc<[String]> = charts.into();
        for file in &*chart.templates {
            let is_partial = file.name.rsplit('/').next().is_some_and(|base| base.starts_with('_'));
            if chart.metadata.is_library() && !is_partial {
                continue;
            }
            let name = format!("{path}/{}", file.name);
            let text = Text::from(name.as_str());
            let source = Source { name: text.clone(), text: (&*file.bytes).into() };
            let job = Job { name: text, data: data.clone(), base_path: base_path.clone() };
            let owned = Owned { name, file, charts: charts.clone() };
            // two versions of a chart side by side have the same names: the later one stays
            if let Some(at) = self.places.get(&owned.name) {
                self.sources[*at] = source;
                self.jobs[*at] = job;
                self.files[*at] = owned;
            } else {
                self.places.insert(owned.name.clone(), self.files.len());
                self.sources.push(source);
                self.jobs.push(job);
                self.files.push(owned);
            }
        }
        data
    }
}

/// `.Chart`: Helm gives templates a map of the fields.
fn metadata(metadata: &Metadata, is_root: bool) -> Value {
    let text = |text: &String| Value::text(text.as_str());
    let list = |texts: &[String]| Value::list(texts.iter().map(text).collect::<Vec<_>>());
    let people = metadata.maintainers.iter().map(|person| {
        Value::map(Entries::from([
            ("Name".into(), text(&person.name)),
            ("Email".into(), text(&person.email)),
            ("URL".into(), text(&person.url)),
        ]))
    });
    let annotations = metadata.annotations.as_ref().map_or(Value::NilOf(&STRING_MAP), |map| {
        let entries = map.iter().map(|(key, value)| (key.as_str().into(), text(value)));
        Value::Map(Map::new(&STRING_MAP, entries.collect()))
    });
    let listed = metadata.dependencies.borrow();
    let dependencies = listed.iter().flatten().map(|dependency| {
        let imports = dependency.imports.iter().map(|import| {
            use crate::package::chart::Import;
            match import {
                Import::Path { child, parent } => Value::Map(Map::new(
                    &STRING_MAP,
                    Entries::from([("child".into(), text(child)), ("parent".into(), text(parent))]),
                )),
                Import::Export(name) => text(name),
                Import::Other => Value::Nil,
            }
        });
        Value::map(Entries::from([
            ("Name".into(), text(&dependency.name)),
            ("Version".into(), text(&dependency.version)),
            ("Repository".into(), text(&dependency.repository)),
            ("Condition".into(), text(&dependency.condition)),
            ("Tags".into(), list(&dependency.tags)),
            ("Enabled".into(), Value::Bool(dependency.enabled)),
            ("ImportValues".into(), Value::list(imports.collect::<Vec<_>>())),
            ("Alias".into(), text(&dependency.alias)),
        ]))
    });
    Value::map(Entries::from([
        ("Name".into(), text(&metadata.name)),
        ("Home".into(), text(&metadata.home)),
        ("Sources".into(), list(&metadata.sources)),
        ("Version".into(), text(&metadata.version)),
        ("Description".into(), text(&metadata.description)),
        ("Keywords".into(), list(&metadata.keywords)),
        ("Maintainers".into(), Value::list(people.collect::<Vec<_>>())),
        ("Icon".into(), text(&metadata.icon)),
        ("APIVersion".into(), text(&metadata.api_version)),
        ("Condition".into(), text(&metadata.condition)),
        ("Tags".into(), text(&metadata.tags)),
        ("AppVersion".into(), text(&metadata.app_version)),
        ("Deprecated".into(), Value::Bool(metadata.deprecated)),
        ("Annotations".into(), annotations),
        ("KubeVersion".into(), text(&metadata.kube_version)),
        ("Dependencies".into(), Value::list(dependencies.collect::<Vec<_>>())),
        ("Type".into(), text(&metadata.kind)),
        ("IsRoot".into(), Value::Bool(is_root)),
    ]))
}
