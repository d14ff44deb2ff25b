//! The transformers of a kustomization, in kustomize's order.

use super::loader::Loader;
use super::plugins;
use super::provenance::Maker;
use super::target::{Builder, Gathered};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::package::kustomization::Kustomization;
use crate::transform::Transformer;
use crate::transform::affix::Affix;
use crate::transform::config::Config;
use crate::transform::crds;
use crate::transform::field_spec::{FieldError, FieldSpec};
use crate::transform::images::Image;
use crate::transform::labels::Labels;
use crate::transform::namespace::Namespace;
use crate::transform::patches::{self, Patch};
use crate::transform::read::Reader;
use crate::transform::replacements::{self, Replacement};
use crate::transform::replicas::Replicas;
use crate::transform::variables::Variable;
use crate::yaml::{Map, Node};
use std::sync::Arc;

/// Where the transformers of a kustomization write: kustomize's own specs with those of its
/// configurations, then those of definitions.
pub(super) fn configs(
    builder: &Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
) -> Result<Vec<Arc<Config>>, Diagnostics> {
    let mut all = vec![Config::defaults()];
    let mut added = Config::default();
    for path in kustomization.items("configurations") {
        let more = Config::read(&builder.document(loader, path)?)?;
        added.merge(&more).map_err(|error| conflict(path, &error))?;
    }
    if added != Config::default() {
        let at = kustomization.fields.get("configurations").unwrap_or(&Node::NULL);
        Arc::make_mut(&mut all[0]).merge(&added).map_err(|error| conflict(at, &error))?;
    }
    for path in kustomization.items("crds") {
        let root = builder.document(loader, path)?;
        all.push(Arc::new(crds::config(&root, path.as_str().unwrap_or_default())?));
    }
    Ok(all)
}

/// The variables that a kustomization declares.
pub(super) fn variables(kustomization: &Kustomization) -> Result<Vec<Variable>, Diagnostics> {
    let mut reader = Reader::lenient();
    let read = |item| Variable::read(&mut reader, item);
    let variables: Vec<Variable> = kustomization.items("vars").iter().filter_map(read).collect();
    reader.finish(Some(variables))
}

/// Runs them. What a transformer leaves empty is gone before the next one. `own` are the patches of
/// an overlay, which has read them itself.
pub(super) fn run(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    gathered: &mut Gathered,
    own: Option<Vec<Patch>>,
) -> Result<(), Diagnostics> {
    let config = gathered.config.clone();
    let place = loader.place.as_ref().map(|place| place.inner(&kustomization.name));
    let mut list: Vec<(Box<dyn Transformer>, Option<Maker>)> =
        list(builder, loader, kustomization, &config, own)?
            .into_iter()
            .map(|(kind, it)| (it, place.as_ref().map(|place| place.maker("builtin", kind))))
            .collect();
    let more = plugins::transformers(builder, loader, kustomization, "transformers")?;
    list.extend(more.into_iter().map(|(transformer, config)| {
        let maker = place.as_ref().and_then(|_| Maker::of(&config));
        (transformer, maker)
    }));
    let mut faults = Diagnostics::new();
    for (transformer, maker) in list {
        match builder.run(&*transformer, &mut gathered.set) {
            Ok(()) => {}
            // whoever writes it is told of everything at once
            Err(more) => faults.extend(more),
        }
        if let Some(maker) = maker {
            gathered.set.contents_mut().for_each(|resource| maker.changed(resource));
        }
        let empty = |node: &Node| node.is_null() || node.as_map().is_some_and(Map::is_empty);
        gathered.set.retain(|resource| !empty(&resource.root));
    }
    faults.finish(()).map(|((), _)| ())
}

/// A transformer, with the name of its plugin.
type Step = (&'static str, Box<dyn Transformer>);

fn list(
    builder: &Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    config: &Config,
    own: Option<Vec<Patch>>,
) -> Result<Vec<Step>, Diagnostics> {
    let mut list: Vec<Step> = Vec::new();
    let mut load = |path: &str| builder.source(loader, path).map_err(|error| error.to_string());
    let table = builder.table.clone();
    let advised = |fault: Box<Diagnostic>, item: &Node| {
        let path = item.str_at(&["path"]).filter(|path| builder.source(loader, path).is_err());
        let advice = path.and_then(|path| loader.advice(path, &fault.message));
        fault.maybe_help(advice)
    };
    let mut faults = Diagnostics::new();
    let mut patches = patches::Reader { sources: builder.sources, load: &mut load, table };
    if let Some(items) = kustomization.fields.get("patchesStrategicMerge")
        && !kustomization.items("patchesStrategicMerge").is_empty()
    {
        let patch = patches.strategic_merge(items).map_err(|fault| *fault)?;
        list.push(("PatchStrategicMergeTransformer", Box::new(patch)));
    }
    let items = kustomization.items("patches").iter().filter(|_| own.is_none());
    for item in items {
        match patches.patch(item) {
            Ok(patch) => list.push(("PatchTransformer", Box::new(patch))),
            Err(fault) => faults.push(advised(fault, item)),
        }
    }
    for patch in own.into_iter().flatten() {
        list.push(("PatchTransformer", Box::new(patch)));
    }
    if let Some(name) = kustomization.text("namespace") {
        let namespace = Namespace::new(name.clone(), config.namespace.clone());
        list.push(("NamespaceTransformer", Box::new(namespace)));
    }
    for (field, is_suffix, specs) in
        [("namePrefix", false, &config.name_prefix), ("nameSuffix", true, &config.name_suffix)]
    {
        if let Some(text) = kustomization.text(field) {
            let specs = specs.clone();
            let kind = if is_suffix { "SuffixTransformer" } else { "PrefixTransformer" };
            list.push((kind, Box::new(Affix { text: text.clone(), is_suffix, specs })));
        }
    }
    for item in kustomization.items("labels") {
        let specs = label_specs(item, config).map_err(|error| {
            let error = FieldError(format!("failed to merge labels: {error}"));
            conflict(item, &error)
        })?;
        let pairs = item.get("pairs").and_then(Node::as_map).cloned().unwrap_or_default();
        list.push(("LabelTransformer", Box::new(Labels { pairs, specs })));
    }
    let common = kustomization.map("commonLabels");
    // kustomize labels once more when there are `labels`, with nothing
    if common.is_some() || !kustomization.items("labels").is_empty() {
        let (pairs, specs) = (common.cloned().unwrap_or_default(), config.common_labels.clone());
        list.push(("LabelTransformer", Box::new(Labels { pairs, specs })));
    }
    if let Some(pairs) = kustomization.map("commonAnnotations").cloned() {
        let specs = config.common_annotations.clone();
        list.push(("AnnotationsTransformer", Box::new(Labels { pairs, specs })));
    }
    for item in kustomization.items("patchesJson6902") {
        match patches.json6902(item) {
            Ok(patch) => list.push(("PatchJson6902Transformer", Box::new(patch))),
            Err(fault) => faults.push(advised(fault, item)),
        }
    }
    let items = kustomization.items("replicas").iter();
    list.extend(items.map(|it| ("ReplicaCountTransformer", replicas(it, &config.replicas))));
    let images = kustomization.images();
    list.extend(images.map(|item| ("ImageTagTransformer", image(item, &config.images))));
    let mut reader = Reader::lenient();
    let items = kustomization.items("replacements");
    let replacements = replacements(builder, loader, &mut reader, items);
    faults.extend(reader.faults);
    if !items.is_empty() {
        list.push(("ReplacementTransformer", Box::new(replacements)));
    }
    faults.finish(list).map(|(list, _)| list)
}

/// The transformer of an item of `images`.
pub(super) fn image(item: &Node, specs: &[FieldSpec]) -> Box<dyn Transformer> {
    let text = |key: &str| item.str_at(&[key]).filter(|text| !text.is_empty()).map(str::to_owned);
    Box::new(Image {
        name: item.get("name").cloned().unwrap_or_else(|| "".into()),
        new_name: text("newName"),
        new_tag: text("newTag"),
        digest: text("digest"),
        tag_suffix: text("tagSuffix"),
        span: item.span,
        specs: specs.to_vec(),
    })
}

/// The transformer of an item of `replicas`.
pub(super) fn replicas(item: &Node, specs: &[FieldSpec]) -> Box<dyn Transformer> {
    let name = item.get("name").cloned().unwrap_or_else(|| "".into());
    let count = item.get("count").cloned().unwrap_or_else(|| 0.into());
    Box::new(Replicas { name, count, specs: specs.to_vec() })
}

/// The transformer of `replacements`, some of which may be in files.
pub(super) fn replacements(
    builder: &Builder<'_>,
    loader: &Loader,
    reader: &mut Reader,
    items: &[Node],
) -> Vec<Replacement> {
    let mut load = |reader: &mut Reader, path: &Node| document(builder, loader, reader, path);
    replacements::read_all(reader, items, &mut load)
}

/// The document of a file.
pub(super) fn document(
    builder: &Builder<'_>,
    loader: &Loader,
    reader: &mut Reader,
    path: &Node,
) -> Option<Node> {
    match builder.document(loader, path) {
        Ok(node) => Some(node),
        Err(faults) => {
            reader.faults.extend(faults);
            None
        }
    }
}

fn conflict(at: &Node, error: &FieldError) -> Diagnostics {
    let code = "wharf::render::kustomize_config";
    Diagnostic::error(code, error.to_string()).at(at.span, "asked for here").into()
}

/// The labels of templates of volume claims.
const CLAIMS: &str = "spec/volumeClaimTemplates[]/metadata/labels";

/// The maps that an entry of `labels` goes into.
fn label_specs(item: &Node, config: &Config) -> Result<Vec<FieldSpec>, FieldError> {
    let mut specs = Vec::new();
    let flag = |key: &str| item.get(key).and_then(Node::as_bool) == Some(true);
    for field in item.items_at(&["fields"]) {
        specs.push(FieldSpec::read(field)?);
    }
    merge(&mut specs, &config.labels)?;
    if flag("includeSelectors") {
        merge(&mut specs, &config.common_labels)?;
    } else {
        if flag("includeTemplates") {
            merge(&mut specs, &config.template_labels)?;
        }
        merge(&mut specs, &[FieldSpec::row("", "", "metadata/labels", true)])?;
    }
    // newer than kustomize 5.8, where templates of claims go with templates of pods
    let claims = FieldSpec::row("apps", "StatefulSet", CLAIMS, true);
    match item.get("includeVolumeClaimTemplates").and_then(Node::as_bool) {
        Some(true) => merge(&mut specs, &[claims])?,
        Some(false) if !flag("includeSelectors") => specs.retain(|spec| *spec != claims),
        _ => {}
    }
    Ok(specs)
}

fn merge(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<(), FieldError> {
    more.iter().try_for_each(|spec| spec.merge_into(specs))
}
