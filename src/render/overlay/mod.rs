//! Overlays: `overlays/<name>/overlay.yaml`, values and changes on top of a package.
//!
//! ```yaml
//! base: ../..                # what it changes; the package that it stands in need not be named
//! values: {replicas: 3}      # below the values that the user gives
//! namespace: shop            # from here on the fields of a kustomization
//! patches: [{path: more-memory.yaml}]
//! ```
//!
//! The base is any source: another overlay, a package, manifests; whoever loads the overlay follows
//! it, so reading one touches nothing but its own files. Its objects take the place that resources
//! of a base have in a kustomization, and everything else happens as it does there: the same
//! generators and transformers run in the same order, and names of objects are followed at the end
//! of all overlays. Stricter than there, a patch that finds nothing is a fault.
//!
//! Read strictly: a key that is not known is an error with a suggestion, and one that a
//! kustomization has but overlays do not is said to be so. All faults are reported at once.

mod patches;
#[cfg(test)]
mod tests;

use super::kustomize;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{Sources, Span};
use crate::object::Object;
use crate::package::kustomization::Kustomization;
use crate::package::overlay::Layer;
use crate::schema::Schemas;
use crate::transform::Resource;
use crate::transform::patches::Patch;
use crate::yaml::{Map, Node};

/// The `apiVersion` of an overlay, which need not be written.
const API_VERSION: &str = "wharf.dev/v1";

/// Fields of a kustomization that make no sense over a source, or that others have replaced.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("bases", "name it as `base`, or under `resources`"),
    ("buildMetadata", "`wharf explain` tells where a value came from"),
    ("helmChartInflationGenerator", "name the chart as `base`"),
    ("helmCharts", "name the chart as `base`"),
    ("helmGlobals", "name the chart as `base`"),
    ("imageTags", "write it under `images`"),
    ("openapi", "definitions of custom resources in the source say how their objects merge"),
    ("patchesJson6902", "write it under `patches`"),
    ("patchesStrategicMerge", "write it under `patches`"),
];

/// What an overlay says.
#[derive(Debug)]
pub struct Overlay {
    /// Values, below those that the user gives.
    pub values: Option<Node>,
    layer: Layer,
    kustomization: Kustomization,
    patches: Vec<Patch>,
}

impl Overlay {
    /// Reads an overlay.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn load(layer: &Layer, sources: &Sources) -> Result<Overlay, Diagnostics> {
        let node = layer.document(sources)?;
        let mut faults = Diagnostics::new();
        if !node.is_null() && node.as_map().is_none() {
            faults.push(invalid(
                node.span,
                &format!("an overlay must be a map, found {}", node.kind()),
            ));
        }
        let mut fields = Map::new();
        let mut values = None;
        for entry in node.as_map().into_iter().flatten() {
            let value = &entry.value;
            match entry.key.as_str() {
                "apiVersion" => faults.extend(constant(value, "apiVersion", API_VERSION)),
                "kind" => faults.extend(constant(value, "kind", "Overlay")),
                "metadata" => {}
                "base" if value.as_str().is_some() => {}
                "base" => {
                    let message = format!("`base` must be a string, found {}", value.kind());
                    faults.push(invalid(value.span, &message));
                }
                "values" if value.as_map().is_some() => values = Some(value.clone()),
                "values" => {
                    let message = format!("`values` must be a map, found {}", value.kind());
                    faults.push(invalid(value.span, &message));
                }
                key => match UNSUPPORTED.iter().find(|(field, _)| *field == key) {
                    Some((_, instead)) => faults.push(
                        Diagnostic::error(
                            "wharf::transform::unsupported",
                            format!(
                                "`{key}` is a field of a Kustomization that overlays do not support"
                            ),
                        )
                        .at(entry.key_span, "written here")
                        .help(*instead),
                    ),
                    None => drop(fields.insert_entry(entry.clone())),
                },
            }
        }
        let more = &["apiVersion", "kind", "metadata", "base", "values"];
        let root = Node::new(fields, node.span);
        let kustomization = match Kustomization::of_overlay(&root, "overlay.yaml", more) {
            Ok(kustomization) => kustomization,
            Err(more) => {
                faults.extend(more);
                return Err(faults);
            }
        };
        let patches = patches::read(kustomization.items("patches"), layer, sources, &mut faults);
        let layer = layer.clone();
        let overlay = Overlay { values, layer, kustomization, patches };
        faults.finish(overlay).map(|(overlay, _)| overlay)
    }

    /// The namespace that it puts objects into.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.kustomization.text("namespace").and_then(Node::as_str)
    }
}

/// Puts overlays over rendered objects, the lowest first. Doubts go to the sink.
///
/// # Errors
/// Every fault of the first overlay that has one.
pub fn apply(
    overlays: Vec<Overlay>,
    objects: Vec<Object>,
    schemas: &Schemas,
    sources: &Sources,
    sink: &mut Diagnostics,
) -> Result<Vec<Object>, Diagnostics> {
    let resources = objects.into_iter().map(Resource::from).collect();
    let layers = overlays.into_iter().map(|overlay| kustomize::Layer {
        files: std::rc::Rc::new(overlay.layer.tree),
        folder: format!("/{}", overlay.layer.folder),
        kustomization: overlay.kustomization,
        patches: overlay.patches,
    });
    let built = kustomize::overlay(resources, layers, schemas, sources)?;
    sink.extend(built.warnings);
    Ok(built.resources.into_iter().map(Object::from).collect())
}

fn constant(value: &Node, key: &str, expected: &str) -> Option<Diagnostic> {
    let message = format!("`{key}` of an overlay must be `{expected}`");
    (value.as_str() != Some(expected)).then(|| invalid(value.span, &message))
}

fn invalid(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error("wharf::transform::invalid_overlay", message).at(span, "here")
}
