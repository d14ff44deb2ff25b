//! `transformers`, `generators` and `validators`: configurations of kustomize's own plugins, inline
//! or in files and bases.
//!
//! Plugins of others are programs (an executable, a Go library, a container) and are refused.

use super::charts;
use super::generate::{self, Kind};
use super::loader::Loader;
use super::target::Builder;
use super::transformers;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Span};
use crate::object::Origin;
use crate::package::kustomization::Kustomization;
use crate::transform::Transformer;
use crate::transform::affix::Affix;
use crate::transform::config::specs;
use crate::transform::hash::HashSuffix;
use crate::transform::labels::Labels;
use crate::transform::namespace::{Namespace, Subjects};
use crate::transform::patches;
use crate::transform::read::Reader;
use crate::transform::set::{Resource, ResourceSet};
use crate::transform::value_add::{Target, ValueAdd};
use crate::yaml::{Map, Node};
use std::sync::Arc;

/// What the configurations of a field describe.
type Transformers = Vec<(Box<dyn Transformer>, Resource)>;

/// Generates what `generators` describe.
pub(super) fn generate(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
) -> Result<Vec<(Resource, Vec<Resource>)>, Diagnostics> {
    let mut made = Vec::new();
    let worded = |faults: Diagnostics| super::target::prefix(faults, "loading generator plugins");
    for config in configurations(builder, loader, kustomization, "generators").map_err(worded)? {
        let built = generated(builder, loader, kustomization, &config);
        let built = built
            .map_err(|faults| worded(super::target::prefix(faults, "failed to load generator")))?;
        made.push((config, built));
    }
    Ok(made)
}

/// The transformers that `transformers` or `validators` describe, each with its configuration.
pub(super) fn transformers(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    field: &str,
) -> Result<Transformers, Diagnostics> {
    let mut list = Vec::new();
    for config in configurations(builder, loader, kustomization, field)? {
        for transformer in transformer(builder, loader, &config)? {
            list.push((transformer, config.clone()));
        }
    }
    Ok(list)
}

/// Lets `validators` look at the set, which they must not change.
pub(super) fn validate(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    set: &mut ResourceSet,
) -> Result<(), Diagnostics> {
    for (validator, config) in transformers(builder, loader, kustomization, "validators")? {
        let mut copy = set.clone();
        builder.run(&*validator, &mut copy)?;
        let same = copy.len() == set.len()
            && copy.iter().zip(set.iter()).all(|(after, before)| after.root == before.root);
        if !same {
            let message = "validator shouldn't modify the resource map";
            return Err(fault(&config, message).into());
        }
    }
    Ok(())
}

/// The documents that a field gives: texts that hold them, then what files and bases hold.
fn configurations(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    field: &str,
) -> Result<Vec<Resource>, Diagnostics> {
    let mut gathered = builder.empty();
    let mut paths = Vec::new();
    for item in kustomization.items(field) {
        let text = item.as_str().unwrap_or_default();
        let package = loader.show(&loader.root);
        let origin = Arc::new(Origin { package, file: kustomization.name.clone() });
        let Ok(inline) = super::resources::read(text, FileId::NONE, "", &origin) else {
            paths.push(item);
            continue;
        };
        for mut resource in inline {
            resource.root.respan(item.span);
            if let Some(place) = &loader.place {
                place.inner(&kustomization.name).mark(&mut resource);
            }
            gathered.set.append(resource).map_err(|error| {
                let code = "wharf::render::kustomize_duplicate";
                Diagnostic::error(code, error.to_string()).at(item.span, "in this text")
            })?;
        }
    }
    for path in paths {
        builder.resource(loader, path, &mut gathered)?;
    }
    Ok(gathered.set.into_vec())
}

fn fault(config: &Resource, message: impl Into<String>) -> Diagnostic {
    let span = config.root.get("kind").map_or(config.root.span, |kind| kind.span);
    Diagnostic::error("wharf::render::plugin", message).at(span, "this plugin")
}

/// The fault of a configuration that is no plugin of kustomize's own.
fn refused(builder: &Builder<'_>, config: &Resource) -> Diagnostic {
    let kind = config.kind();
    let gvk = config.gvk();
    if gvk.group.is_empty() && gvk.version == "builtin" {
        let message = format!("unable to load builtin {kind}.builtin.[noGrp]");
        let known = GENERATORS.iter().chain(TRANSFORMERS).copied();
        let help = match kind {
            "SortOrderTransformer" => Some("write `sortOptions` in the kustomization".to_owned()),
            _ => crate::base::suggest::did_you_mean(kind, known),
        };
        return fault(config, message).maybe_help(help);
    }
    let help =
        "wharf runs no program of others: use a builtin transformer, a patch or a replacement";
    let message = if builder.options.plugins {
        format!("unable to load external plugin '{kind}': wharf runs no plugins")
    } else {
        format!("external plugins disabled; unable to load external plugin '{kind}'")
    };
    fault(config, message).help(help)
}

const GENERATORS: &[&str] =
    &["ConfigMapGenerator", "SecretGenerator", "IAMPolicyGenerator", "HelmChartInflationGenerator"];

const TRANSFORMERS: &[&str] = &[
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "SuffixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "ValueAddTransformer",
];

fn is_builtin(config: &Resource, kinds: &[&str]) -> bool {
    let gvk = config.gvk();
    gvk.group.is_empty() && gvk.version == "builtin" && kinds.contains(&gvk.kind.as_str())
}

/// What one generator makes.
fn generated(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    config: &Resource,
) -> Result<Vec<Resource>, Diagnostics> {
    if !is_builtin(config, GENERATORS) {
        if is_builtin(config, TRANSFORMERS) {
            let id = config.id(&builder.scopes);
            return Err(fault(config, format!("plugin {id} not a generator")).into());
        }
        return Err(refused(builder, config).into());
    }
    let mut args = config.root.clone();
    for field in ["name", "namespace"] {
        let is_set = args.str_at(&[field]).is_some_and(|text| !text.is_empty());
        if let Some(value) = config.root.at(&["metadata", field]).filter(|_| !is_set) {
            args.set(field, value.clone());
        }
    }
    let one = |kind| generate::generate(kind, &args, None, loader, &config.origin);
    match config.kind() {
        "ConfigMapGenerator" => Ok(vec![one(Kind::ConfigMap)?]),
        "SecretGenerator" => Ok(vec![one(Kind::Secret)?]),
        "HelmChartInflationGenerator" => {
            charts::generate(builder, loader, kustomization, &config.root, None)
        }
        _ => Ok(vec![service_account(config)?]),
    }
}

/// The service account of an `IAMPolicyGenerator`.
fn service_account(config: &Resource) -> Result<Resource, Diagnostic> {
    let text = |path: &[&str]| config.root.str_at(path).unwrap_or_default();
    let cloud = text(&["cloud"]);
    if cloud != "gke" {
        return Err(fault(config, format!("cloud provider {cloud} not supported yet")));
    }
    let (name, project) =
        (text(&["serviceAccount", "name"]), text(&["serviceAccount", "projectId"]));
    let account = format!("{name}@{project}.iam.gserviceaccount.com");
    let mut root = Node::new(Map::new(), config.root.span);
    root.set("apiVersion", "v1");
    root.set("kind", "ServiceAccount");
    root.set_at(&["metadata", "annotations", "iam.gke.io/gcp-service-account"], account);
    root.set_at(&["metadata", "name"], text(&["kubernetesService", "name"]));
    let namespace = text(&["kubernetesService", "namespace"]);
    if !namespace.is_empty() {
        root.set_at(&["metadata", "namespace"], namespace);
    }
    Ok(Resource::new(root, config.origin.clone()))
}

/// The transformers that one configuration describes.
fn transformer(
    builder: &mut Builder<'_>,
    loader: &Loader,
    config: &Resource,
) -> Result<Vec<Box<dyn Transformer>>, Diagnostics> {
    if !is_builtin(config, TRANSFORMERS) {
        if is_builtin(config, GENERATORS) {
            let id = config.id(&builder.scopes);
            return Err(fault(config, format!("plugin {id} not a transformer")).into());
        }
        return Err(refused(builder, config).into());
    }
    let mut reader = Reader::lenient();
    let list = described(builder, loader, config, &mut reader)?;
    reader.finish(Some(list)).map_err(|faults| {
        let words = format!("plugin {} fails configuration", config.id(&builder.scopes));
        super::target::prefix(faults, &words)
    })
}

fn described(
    builder: &mut Builder<'_>,
    loader: &Loader,
    config: &Resource,
    reader: &mut Reader,
) -> Result<Vec<Box<dyn Transformer>>, Diagnostics> {
    let root = &config.root;
    let empty = Map::new();
    let map = root.as_map().unwrap_or(&empty);
    let node = |key: &str| map.get(key).cloned().unwrap_or_default();
    let pairs = |reader: &mut Reader, key: &str| match map.get(key).filter(|it| !it.is_null()) {
        Some(node) => reader.pairs(node, &format!("`{key}`")).unwrap_or_default(),
        None => Map::new(),
    };
    let affix = |reader: &mut Reader, is_suffix: bool| -> Box<dyn Transformer> {
        if map.get("fieldSpecs").is_none_or(Node::is_null) {
            reader.fault(root.span, "fieldSpecs is not expected to be nil");
        }
        let text = node(if is_suffix { "suffix" } else { "prefix" });
        Box::new(Affix { text, is_suffix, specs: specs(reader, map, "fieldSpecs") })
    };
    let one: Box<dyn Transformer> = match config.kind() {
        "AnnotationsTransformer" => {
            let pairs = pairs(reader, "annotations");
            Box::new(Labels { pairs, specs: specs(reader, map, "fieldSpecs") })
        }
        "LabelTransformer" => {
            let pairs = pairs(reader, "labels");
            Box::new(Labels { pairs, specs: specs(reader, map, "fieldSpecs") })
        }
        "HashTransformer" => Box::new(HashSuffix),
        "ImageTagTransformer" => {
            transformers::image(&node("imageTag"), &specs(reader, map, "fieldSpecs"))
        }
        "ReplicaCountTransformer" => {
            transformers::replicas(&node("replica"), &specs(reader, map, "fieldSpecs"))
        }
        "NamespaceTransformer" => Box::new(namespace(reader, root, map)),
        "PrefixTransformer" => affix(reader, false),
        "SuffixTransformer" => affix(reader, true),
        "PrefixSuffixTransformer" => {
            return Ok(vec![affix(reader, false), affix(reader, true)]);
        }
        "ReplacementTransformer" => {
            let items = reader.list_at(map, "replacements");
            Box::new(transformers::replacements(builder, loader, reader, items))
        }
        "ValueAddTransformer" => Box::new(value_add(builder, loader, reader, map)),
        _ => patch(builder, loader, config)?,
    };
    Ok(vec![one])
}

fn namespace(reader: &mut Reader, root: &Node, map: &Map) -> Namespace {
    let name = root.at(&["metadata", "namespace"]).cloned().unwrap_or_default();
    let mode = reader.string_at(map, "setRoleBindingSubjects").unwrap_or_default();
    let subjects = match mode.as_str() {
        "" | "defaultOnly" => Subjects::Default,
        "allServiceAccounts" => Subjects::Accounts,
        "none" => Subjects::Nothing,
        other => {
            let message = format!(
                "invalid value \"{other}\" for setRoleBindingSubjects: must be one of \
                 \"defaultOnly\", \"none\" or \"allServiceAccounts\""
            );
            reader.fault(root.span, &message);
            Subjects::Default
        }
    };
    let unset_only = reader.flag_at(map, "unsetOnly");
    Namespace { name, specs: specs(reader, map, "fieldSpecs"), unset_only, subjects }
}

fn value_add(
    builder: &mut Builder<'_>,
    loader: &Loader,
    reader: &mut Reader,
    map: &Map,
) -> ValueAdd {
    let value = reader.string_at(map, "value").unwrap_or_default();
    let folder = loader.root.rsplit('/').next().unwrap_or_default();
    let value = if value.trim().is_empty() { folder } else { value.trim() }.to_owned();
    let mut nodes: Vec<Node> = reader.list_at(map, "targets").to_vec();
    if let Some(path) = map.get("targetFilePath").filter(|path| path.as_str() != Some(""))
        && let Some(document) = transformers::document(builder, loader, reader, path)
    {
        nodes.extend(document.items_at(&["targets"]).iter().cloned());
    }
    if nodes.is_empty() {
        reader.fault(Span::NONE, "must specify at least one target");
    }
    let targets = nodes.iter().filter_map(|node| Target::read(reader, node)).collect();
    ValueAdd { value, targets }
}

/// The transformer of a plugin that patches; its configuration has the fields of the
/// kustomization's own, under other names.
fn patch(
    builder: &Builder<'_>,
    loader: &Loader,
    config: &Resource,
) -> Result<Box<dyn Transformer>, Diagnostics> {
    let root = &config.root;
    let mut load = |path: &str| builder.source(loader, path).map_err(|error| error.to_string());
    let table = builder.table.clone();
    let mut reader = patches::Reader { sources: builder.sources, load: &mut load, table };
    let read = match config.kind() {
        "PatchTransformer" => reader.patch(root),
        "PatchJson6902Transformer" => {
            let mut item = root.clone();
            if let Some(operations) = item.remove("jsonOp") {
                item.set("patch", operations);
            }
            reader.json6902(&item)
        }
        _ => {
            let mut items = root.items_at(&["paths"]).to_vec();
            items.extend(root.get("patches").filter(|text| text.as_str() != Some("")).cloned());
            if items.is_empty() {
                let words = format!("plugin {} fails configuration", config.id(&builder.scopes));
                let message = format!("{words}: empty file path and empty patch content");
                return Err(fault(config, message).into());
            }
            reader.strategic_merge(&Node::new(items, root.span))
        }
    };
    let patch = read.map_err(|fault| {
        let words = format!("plugin {} fails configuration", config.id(&builder.scopes));
        super::target::prefix(Diagnostics::from(*fault), &words)
    })?;
    Ok(Box::new(patch))
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{built, fault};

    const OBJECT: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";

    fn with(field: &str, plugin: &str) -> Vec<(&'static str, String)> {
        let kustomization = format!("resources: [a.yaml]\n{field}: [plugin.yaml]\n");
        vec![
            ("kustomization.yaml", kustomization),
            ("a.yaml", OBJECT.to_owned()),
            ("plugin.yaml", plugin.to_owned()),
        ]
    }

    fn texts<'a>(files: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
        files.iter().map(|(path, text)| (*path, text.as_str())).collect()
    }

    #[test]
    fn plugins_do_what_the_fields_of_kustomizations_do() {
        for (plugin, expected) in [
            (
                "kind: PrefixSuffixTransformer\nprefix: x-\nsuffix: -y\n\
                 fieldSpecs: [{path: metadata/name}]",
                "metadata:\n  name: x-a-y\n",
            ),
            (
                "kind: LabelTransformer\nlabels: {l: '1'}\n\
                 fieldSpecs: [{path: metadata/labels, create: true}]",
                "metadata:\n  labels:\n    l: \"1\"\n  name: a\n",
            ),
            (
                "kind: PatchTransformer\ntarget: {name: a}\n\
                 patch: '[{\"op\": \"add\", \"path\": \"/spec\", \"value\": {\"x\": 1}}]'",
                "metadata:\n  name: a\nspec:\n  x: 1\n",
            ),
            (
                "kind: ValueAddTransformer\nvalue: v\ntargets: [{fieldPath: spec/x}]",
                "metadata:\n  name: a\nspec:\n  x: v\n",
            ),
            (
                "kind: ReplacementTransformer\nreplacements:\n- sourceValue: b\n  \
                 targets: [{select: {kind: Service}}]",
                "metadata:\n  name: b\n",
            ),
        ] {
            let plugin = format!("apiVersion: builtin\nmetadata: {{name: p}}\n{plugin}");
            let files = with("transformers", &plugin);
            let printed = built(&texts(&files), &Options::default()).expect("no fault");
            assert_eq!(printed, format!("apiVersion: v1\nkind: Service\n{expected}"), "{plugin}");
        }
    }

    #[test]
    fn generators_make_what_kustomizations_make() {
        let plugin = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: p}\n\
                      literals: [a=b]\noptions: {disableNameSuffixHash: true}";
        let printed = built(&texts(&with("generators", plugin)), &Options::default());
        assert!(printed.expect("no fault").ends_with("kind: ConfigMap\nmetadata:\n  name: p\n"));
    }

    #[test]
    fn programs_of_others_are_refused() {
        for (field, plugin, expected) in [
            (
                "transformers",
                "apiVersion: someteam.example.com/v1\nkind: Tshirt\nmetadata: {name: p}",
                "external plugins disabled; unable to load external plugin 'Tshirt'",
            ),
            (
                "generators",
                "apiVersion: x/v1\nkind: Nginx\nmetadata: {name: p}",
                "loading generator plugins: failed to load generator: external plugins disabled; \
                 unable to load external plugin 'Nginx'",
            ),
            (
                "transformers",
                "apiVersion: builtin\nkind: SortOrderTransformer\nmetadata: {name: p}",
                "unable to load builtin SortOrderTransformer.builtin.[noGrp]",
            ),
            (
                "validators",
                "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: x\n\
                 fieldSpecs: [{path: metadata/name}]",
                "validator shouldn't modify the resource map",
            ),
        ] {
            let files = with(field, plugin);
            let found = fault(&texts(&files), &Options::default());
            assert_eq!(found, ("wharf::render::plugin", expected.to_owned()));
        }
    }
}
