//! The transformers of a kustomization, in kustomize's order.

use super::loader::Loader;
use super::target::{Builder, Gathered};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::package::kustomization::Kustomization;
use crate::transform::Transformer;
use crate::transform::affix::Affix;
use crate::transform::config::Config;
use crate::transform::crds;
use crate::transform::field_spec::{FieldError, FieldSpec};
use crate::transform::images::Image;
use crate::transform::kustomize_patches;
use crate::transform::labels::Labels;
use crate::transform::namespace::Namespace;
use crate::transform::read::Reader;
use crate::transform::replacements;
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

/// Runs them. What a transformer leaves empty is gone before the next one.
pub(super) fn run(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    gathered: &mut Gathered,
) -> Result<(), Diagnostics> {
    let config = gathered.config.clone();
    for transformer in list(builder, loader, kustomization, &config)? {
        builder.run(&*transformer, &mut gathered.set)?;
        let empty = |node: &Node| node.is_null() || node.as_map().is_some_and(Map::is_empty);
        gathered.set.retain(|resource| !empty(&resource.root));
    }
    Ok(())
}

fn list(
    builder: &Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    config: &Config,
) -> Result<Vec<Box<dyn Transformer>>, Diagnostics> {
    let mut list: Vec<Box<dyn Transformer>> = Vec::new();
    let mut load = |path: &str| builder.source(loader, path).map_err(|error| error.to_string());
    let table = builder.table.clone();
    let mut patches =
        kustomize_patches::Reader { sources: builder.sources, load: &mut load, table };
    if let Some(items) = kustomization.fields.get("patchesStrategicMerge")
        && !kustomization.items("patchesStrategicMerge").is_empty()
    {
        list.push(Box::new(patches.strategic_merge(items).map_err(|fault| *fault)?));
    }
    for item in kustomization.items("patches") {
        list.push(Box::new(patches.patch(item).map_err(|fault| *fault)?));
    }
    if let Some(name) = kustomization.text("namespace") {
        list.push(Box::new(Namespace::new(name.clone(), config.namespace.clone())));
    }
    for (field, is_suffix, specs) in
        [("namePrefix", false, &config.name_prefix), ("nameSuffix", true, &config.name_suffix)]
    {
        if let Some(text) = kustomization.text(field) {
            let specs = specs.clone();
            list.push(Box::new(Affix { text: text.clone(), is_suffix, specs }));
        }
    }
    for item in kustomization.items("labels") {
        let specs = label_specs(item, config).map_err(|error| {
            let error = FieldError(format!("failed to merge labels: {error}"));
            conflict(item, &error)
        })?;
        let pairs = item.get("pairs").and_then(Node::as_map).cloned().unwrap_or_default();
        list.push(Box::new(Labels { pairs, specs }));
    }
    for (field, specs) in
        [("commonLabels", &config.common_labels), ("commonAnnotations", &config.common_annotations)]
    {
        if let Some(map) = kustomization.map(field) {
            list.push(Box::new(Labels { pairs: map.clone(), specs: specs.clone() }));
        }
    }
    for item in kustomization.items("patchesJson6902") {
        list.push(Box::new(patches.json6902(item).map_err(|fault| *fault)?));
    }
    for item in kustomization.items("replicas") {
        let name = item.get("name").cloned().unwrap_or_else(|| "".into());
        let count = item.get("count").cloned().unwrap_or_else(|| 0.into());
        list.push(Box::new(Replicas { name, count, specs: config.replicas.clone() }));
    }
    list.extend(kustomization.images().map(|item| image(item, config)));
    let mut reader = Reader::lenient();
    let mut load = |reader: &mut Reader, path: &Node| match builder.document(loader, path) {
        Ok(node) => Some(node),
        Err(faults) => {
            reader.faults.extend(faults);
            None
        }
    };
    let items = kustomization.items("replacements");
    let replacements = replacements::read_all(&mut reader, items, &mut load);
    list.push(Box::new(reader.finish(Some(replacements))?));
    Ok(list)
}

fn image(item: &Node, config: &Config) -> Box<dyn Transformer> {
    let text = |key: &str| item.str_at(&[key]).filter(|text| !text.is_empty()).map(str::to_owned);
    Box::new(Image {
        name: item.get("name").cloned().unwrap_or_else(|| "".into()),
        new_name: text("newName"),
        new_tag: text("newTag"),
        digest: text("digest"),
        tag_suffix: text("tagSuffix"),
        span: item.span,
        specs: config.images.clone(),
    })
}

fn conflict(at: &Node, error: &FieldError) -> Diagnostics {
    let code = "wharf::render::kustomize_config";
    Diagnostic::error(code, error.to_string()).at(at.span, "asked for here").into()
}

/// The maps that an entry of `labels` goes into.
fn label_specs(item: &Node, config: &Config) -> Result<Vec<FieldSpec>, FieldError> {
    let mut specs = Vec::new();
    let flag = |key: &str| item.get(key).and_then(Node::as_bool) == Some(true);
    let own = item.items_at(&["fields"]).iter().map(FieldSpec::read);
    specs.extend(own);
    merge(&mut specs, &config.labels)?;
    if flag("includeSelectors") {
        merge(&mut specs, &config.common_labels)?;
    } else {
        if flag("includeTemplates") {
            merge(&mut specs, &config.template_labels)?;
        }
        merge(&mut specs, &[FieldSpec::row("", "", "metadata/labels", true)])?;
    }
    Ok(specs)
}

fn merge(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<(), FieldError> {
    more.iter().try_for_each(|spec| spec.merge_into(specs))
}
