//! `helmCharts`: charts rendered by wharf's own engine, as kustomize has them rendered by Helm.

use super::loader::Loader;
use super::resources;
use super::target::{Builder, FETCHED};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::tree::FileTree;
use crate::object::Origin;
use crate::package::chart;
use crate::package::kustomization::{ChartAddress, Kustomization, RemoteError, join};
use crate::render::helm::text::{self, Choice};
use crate::render::helm::{self, Chance};
use crate::transform::set::Resource;
use crate::yaml::{self, Dialect, Map, Node, Value, emit};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// Fields of a chart and of what holds for all charts.
const FIELDS: &[&str] = &[
    "additionalValuesFiles",
    "apiVersions",
    "chartHome",
    "configHome",
    "debug",
    "devel",
    "includeCRDs",
    "kubeVersion",
    "name",
    "nameTemplate",
    "namespace",
    "releaseName",
    "repo",
    "skipHooks",
    "skipTests",
    "valuesFile",
    "valuesInline",
    "valuesMerge",
    "version",
];

/// Renders one chart. `globals` hold for all charts of the kustomization.
pub(super) fn generate(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    args: &Node,
    globals: Option<&Node>,
) -> Result<Vec<Resource>, Diagnostics> {
    let config = config(args, globals, kustomization, loader);
    let fault = |message: String| {
        let shown = emit::to_string(&config, &emit::Style::kubernetes());
        let words = "trouble configuring builtin HelmChartInflationGenerator with config: `\n";
        Diagnostic::error("wharf::render::helm_chart", format!("{words}{shown}`: {message}"))
            .at(args.span, "this chart")
    };
    if !builder.options.helm {
        let help = "give --enable-helm to render charts; wharf needs no helm for it";
        return Err(fault("must specify --enable-helm".to_owned()).help(help).into());
    }
    Chart { config: &config, loader, args }.check().map_err(fault)?;
    let chart = Chart { config: &config, loader, args };
    let tree = chart.tree()?;
    let values = chart.values(&tree, builder)?;
    chart.render(builder, &tree, &values)
}

/// The settings of a chart; what is empty is not there.
fn config(args: &Node, globals: Option<&Node>, of: &Kustomization, loader: &Loader) -> Node {
    let mut config = Node::map();
    let is_empty = |node: &Node| match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    };
    for field in FIELDS {
        let given = args.get(field).filter(|node| !is_empty(node));
        let global = globals.and_then(|globals| globals.get(field)).filter(|node| !is_empty(node));
        if let Some(value) = given.or(global) {
            config.set(field, value.clone());
        }
    }
    if config.get("namespace").is_none()
        && let Some(namespace) = of.text("namespace").or(loader.namespace.as_ref())
    {
        config.set("namespace", namespace.clone());
    }
    config
}

struct Chart<'a> {
    config: &'a Node,
    loader: &'a Loader,
    args: &'a Node,
}

impl Chart<'_> {
    fn text(&self, field: &str) -> Option<&str> {
        self.config.str_at(&[field])
    }

    fn flag(&self, field: &str) -> bool {
        self.config.get(field).and_then(Node::as_bool) == Some(true)
    }

    fn texts(&self, field: &str) -> impl Iterator<Item = &str> {
        self.config.items_at(&[field]).iter().filter_map(Node::as_str)
    }

    fn check(&self) -> Result<(), String> {
        if self.text("name").is_none() {
            return Err("chart name cannot be empty".to_owned());
        }
        for file in self.texts("additionalValuesFiles") {
            self.loader
                .load(file)
                .map_err(|error| format!("could not load additionalValuesFile: {error}"))?;
        }
        match self.text("valuesMerge") {
            None | Some("merge" | "override" | "replace") => {}
            Some(_) => return Err("valuesMerge must be one of [merge override replace]".to_owned()),
        }
        match (self.text("nameTemplate"), self.text("releaseName")) {
            (Some(_), Some(_)) => {
                Err("cannot set --name-template and also specify a name".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The name of the release.
    fn name(&self, chance: &Chance) -> Result<Cow<'_, str>, Diagnostics> {
        let Some(template) = self.config.get("nameTemplate") else {
            return Ok(self.text("releaseName").unwrap_or("release-name").into());
        };
        helm::name_from_template(template.as_str().unwrap_or_default(), chance)
            .map(Cow::Owned)
            .map_err(|failed| {
                let at = |fault: Diagnostic| fault.at(template.span, "this template");
                failed.faults.into_iter().map(at).collect()
            })
    }

    fn fault(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("wharf::render::helm_chart", message).at(self.args.span, "this chart")
    }

    /// Where the chart is when it is there.
    fn folder(&self) -> String {
        let home = join(&self.loader.root, self.text("chartHome").unwrap_or("charts"));
        let name = self.text("name").unwrap_or_default();
        match (self.text("version"), self.text("repo")) {
            (Some(version), Some(_)) => format!("{home}/{name}-{version}/{name}"),
            _ => format!("{home}/{name}"),
        }
    }

    fn tree(&self) -> Result<FileTree, Diagnostic> {
        if let Ok(tree) = self.loader.tree(&self.folder()) {
            return Ok(tree);
        }
        let name = self.text("name").unwrap_or_default();
        let Some(repository) = self.text("repo") else {
            let folder = self.loader.show(&self.folder());
            let message = "no repo specified for pull, no chart found at ''";
            return Err(self.fault(message).help(format!("put the chart into {folder}")));
        };
        let version = self.text("version").unwrap_or_default();
        let wanted = ChartAddress { repository, name, version, devel: self.flag("devel") };
        self.loader.remote.chart(&wanted).map_err(|error| {
            let is_denied = matches!(error, RemoteError::Denied(_));
            self.fault(error.to_string()).maybe_help(is_denied.then(|| FETCHED.to_owned()))
        })
    }

    /// The values that go over the chart's own.
    fn values(&self, tree: &FileTree, builder: &Builder<'_>) -> Result<Node, Diagnostics> {
        let merge = self.text("valuesMerge").unwrap_or("override");
        let inline = self.config.get("valuesInline");
        let mut values = match (inline, merge) {
            (Some(inline), "replace") => inline.clone(),
            (Some(inline), "merge") => {
                let mut values = inline.clone();
                over(&mut values, &self.file(tree, builder, true)?);
                values
            }
            (Some(inline), _) => {
                let mut values = self.file(tree, builder, true)?;
                over(&mut values, inline);
                values
            }
            (None, _) => self.file(tree, builder, false)?,
        };
        for file in self.texts("additionalValuesFiles") {
            let (path, bytes) = self.load(file)?;
            let more = self.read(builder, &path, &bytes)?;
            crate::values::layer(&mut values, more);
        }
        Ok(values)
    }

    /// The file of values: the one that is named, or the chart's own. To be merged it is read by
    /// kustomize, to which `yes` is a text, else by Helm.
    fn file(
        &self,
        tree: &FileTree,
        builder: &Builder<'_>,
        is_merged: bool,
    ) -> Result<Node, Diagnostics> {
        let own = "values.yaml";
        let (shown, bytes) = match (self.text("valuesFile"), tree.get(own)) {
            (Some(file), _) => self.load(file)?,
            (None, Some(bytes)) => (tree.display(own), bytes.clone()),
            (None, None) => return Ok(Node::map()),
        };
        if !is_merged {
            return self.read(builder, &shown, &bytes);
        }
        let text = yaml::decode(&bytes).map_err(Diagnostic::from)?;
        let file = builder.sources.add(shown, text.as_ref());
        let root = yaml::parse_first(&text, file, Dialect::GoYamlV3).map_err(Diagnostic::from)?;
        if root.is_null() { Ok(Node::map()) } else { Ok(root) }
    }

    fn load(&self, file: &str) -> Result<(String, Bytes), Diagnostic> {
        let loaded = self.loader.load(file).map_err(|error| self.fault(error.to_string()));
        loaded.map(|(path, bytes)| (self.loader.show(&path), bytes))
    }

    fn read(&self, builder: &Builder<'_>, shown: &str, bytes: &[u8]) -> Result<Node, Diagnostics> {
        chart::read_values(shown, bytes, builder.sources).map_err(|fault| {
            let fault = fault.diagnostic("wharf::render::helm_chart");
            Diagnostics::from(fault.at(self.args.span, "for this chart"))
        })
    }

    fn render(
        &self,
        builder: &Builder<'_>,
        tree: &FileTree,
        values: &Node,
    ) -> Result<Vec<Resource>, Diagnostics> {
        let options = builder.options;
        let name = self.name(&options.chance)?;
        let kube_version = options.kube_version.as_deref().or(self.text("kubeVersion"));
        let api_versions: Vec<String> = match options.api_versions.as_slice() {
            [] => self.texts("apiVersions").map(str::to_owned).collect(),
            given => given.to_vec(),
        };
        let release = helm::render(
            &helm::Request {
                tree,
                values,
                name: &name,
                namespace: self.text("namespace").unwrap_or("default"),
                revision: 1,
                is_upgrade: false,
                kube_version,
                api_versions: &api_versions,
                skip_schemas: false,
                served: false,
                cluster: None,
                resolves: false,
                post: None,
                chance: &options.chance,
                traced: false,
            },
            builder.sources,
        )
        .map_err(|failed| {
            let at = |fault: Diagnostic| fault.at(self.args.span, "for this chart");
            failed.faults.into_iter().map(at).collect::<Diagnostics>()
        })?;
        let choice = Choice {
            crds: self.flag("includeCRDs"),
            hooks: !self.flag("skipHooks"),
            tests: !self.flag("skipTests"),
        };
        let printed = text::all(&release, choice).concat();
        let printed = String::from_utf8_lossy(&printed);
        let shown = tree.label().to_owned();
        let file = builder.sources.add(shown.clone(), printed.as_ref());
        let origin = Arc::new(Origin { package: shown.clone(), file: String::new() });
        let read = resources::read(&printed, file, &shown, &origin).map_err(|it| it.faults)?;
        Ok(read.into_iter().map(|resource| Resource { from_chart: true, ..resource }).collect())
    }
}

/// Puts values over others: null takes a value away, and lists are taken whole.
fn over(below: &mut Node, above: &Node) {
    let Some(above) = above.as_map() else { return below.clone_from(above) };
    let map = below.ensure_map();
    for entry in above {
        match (map.get_mut(&entry.key), &entry.value.value) {
            (_, Value::Null) => drop(map.remove(&entry.key)),
            (Some(value @ Node { value: Value::Map(_), .. }), Value::Map(_)) => {
                over(value, &entry.value);
            }
            (Some(value), _) => value.clone_from(&entry.value),
            (None, _) => {
                let mut value = Node::default();
                over(&mut value, &entry.value);
                map.insert(entry.key.clone(), value);
            }
        }
    }
}

/// The charts of a kustomization, and what holds for all of them: `helmCharts` and `helmGlobals`,
/// or the older `helmChartInflationGenerator`.
pub(super) fn declared(kustomization: &Kustomization) -> (Vec<Node>, Option<Node>) {
    let mut charts = kustomization.items("helmCharts").to_vec();
    let mut globals = kustomization.fields.get("helmGlobals").cloned();
    for old in kustomization.items("helmChartInflationGenerator") {
        let mut chart = Node::new(Map::new(), old.span);
        for (from, to) in [
            ("chartName", "name"),
            ("chartVersion", "version"),
            ("chartRepoUrl", "repo"),
            ("values", "valuesFile"),
            ("valuesLocal", "valuesInline"),
            ("valuesMerge", "valuesMerge"),
            ("releaseName", "releaseName"),
        ] {
            if let Some(value) = old.get(from) {
                chart.set(to, value.clone());
            }
        }
        if let Some(home) = old.get("chartHome").filter(|home| home.as_str() != Some("")) {
            globals.get_or_insert_with(Node::map).set("chartHome", home.clone());
        }
        charts.push(chart);
    }
    (charts, globals)
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{built, fault};
    use super::over;
    use crate::yaml::Node;
    use serde_json::json;

    const FILES: &[(&str, &str)] = &[
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("charts/web/values.yaml", "port: 80\nname: x\n"),
        (
            "charts/web/templates/a.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n  \
             namespace: {{ .Release.Namespace }}\nspec:\n  port: {{ .Values.port }}\n",
        ),
    ];

    fn with(kustomization: &'static str) -> Vec<(&'static str, &'static str)> {
        let mut files = FILES.to_vec();
        files.push(("kustomization.yaml", kustomization));
        files
    }

    #[test]
    fn charts_are_rendered_with_the_values_of_the_kustomization() {
        let files = with(
            "namespace: shop\nnamePrefix: a-\nhelmCharts:\n- name: web\n  releaseName: r\n  \
             valuesInline: {port: 81}\n",
        );
        let options = Options { helm: true, ..Options::default() };
        assert_eq!(
            built(&files, &options).expect("no fault"),
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: a-r\n  namespace: shop\nspec:\n  \
             port: 81\n"
        );
    }

    #[test]
    fn charts_need_leave() {
        let files = with("helmCharts: [{name: web}]\n");
        let (code, message) = fault(&files, &Options::default());
        assert_eq!(code, "wharf::render::helm_chart");
        assert!(message.ends_with("name: web\n`: must specify --enable-helm"), "{message}");
        let files = with("helmCharts: [{name: other}]\n");
        let options = Options { helm: true, ..Options::default() };
        let (_, message) = fault(&files, &options);
        assert_eq!(message, "no repo specified for pull, no chart found at ''");
    }

    #[test]
    fn a_template_names_the_release() {
        let options = Options { helm: true, ..Options::default() };
        let named = |fields: &str| {
            let text = format!("helmCharts:\n- {{name: web, {fields}}}\n");
            let mut files = FILES.to_vec();
            files.push(("kustomization.yaml", &text));
            match built(&files, &options) {
                Ok(text) => text.lines().nth(3).map(str::to_owned).unwrap_or_default(),
                Err(_) => fault(&files, &options).1,
            }
        };
        assert_eq!(named("nameTemplate: 'a-{{ \"B\" | lower }}'"), "  name: a-b");
        assert_eq!(named("nameTemplate: plain"), "  name: plain");
        assert_eq!(
            named("nameTemplate: '{{'"),
            "parse error at (name-template:1): unclosed action"
        );
        let both = named("nameTemplate: a, releaseName: b");
        assert!(both.ends_with("cannot set --name-template and also specify a name"), "{both}");
    }

    #[test]
    fn null_takes_a_value_away() {
        let mut values = Node::from(json!({"a": 1, "b": {"c": 1, "d": [1]}}));
        over(&mut values, &json!({"a": null, "b": {"d": [2]}, "e": {"f": null}}).into());
        assert_eq!(values, json!({"b": {"c": 1, "d": [2]}, "e": {}}).into());
    }
}
