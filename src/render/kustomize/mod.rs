//! Kustomizations to resources, as kustomize 5.8 builds them.
//!
//! ```text
//! kustomization -> resources and bases (each built the same way, one after the other)
//!               -> generators -> components (into the same set) -> transformers -> validators
//! the first one -> hashes in names -> references follow names -> variables -> order
//! ```
//!
//! Bases keep their own set until they are done; components change the set of who names them. What
//! is read is decided by a [`Files`]; nothing else is touched. Fields of kustomize that need a
//! program of somebody else's are refused.

mod charts;
mod generate;
mod loader;
mod plugins;
mod provenance;
mod resources;
mod target;
#[cfg(test)]
mod testing;
mod transformers;

pub use crate::transform::sort_order::SortOrder;

use provenance::TRANSFORMATIONS;

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::package::kustomization::{Denied, Files, Kustomization, Remote};
use crate::render::helm::Chance;
use crate::schema::Schemas;
use crate::transform::field_spec::FieldSpec;
use crate::transform::labels::Labels;
use crate::transform::patches::Patch;
use crate::transform::set::{ORIGIN, Resource, Scopes};
use crate::transform::{Context, Rules, Transformer};
use crate::yaml::{Entry, Form, Map, Node, Value, emit, json};
use std::rc::Rc;

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files must be in the folder of the kustomization that names them.
    pub restricted: bool,
    /// The order of what comes out, unless the kustomization gives one.
    pub order: SortOrder,
    /// Label everything as managed by kustomize.
    pub managed_by: bool,
    /// Charts are rendered.
    pub helm: bool,
    /// The version of Kubernetes that charts are told, instead of what they ask for.
    pub kube_version: Option<String>,
    /// The API versions that charts are told, instead of what they ask for.
    pub api_versions: Vec<String>,
    /// What charts draw random values from.
    pub chance: Chance,
    /// Fetches what is on other machines.
    pub remote: Rc<dyn Remote>,
    /// Programs may be run as plugins; they are refused all the same, with another word.
    pub plugins: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            restricted: true,
            order: SortOrder::legacy(),
            managed_by: false,
            helm: false,
            kube_version: None,
            api_versions: Vec::new(),
            chance: Chance::default(),
            remote: Rc::new(Denied),
            plugins: false,
        }
    }
}

/// What building gave.
#[derive(Debug)]
pub struct Built {
    /// The resources in order.
    pub resources: Vec<Resource>,
    /// What is doubtful, but no fault.
    pub warnings: Diagnostics,
}

/// Builds the kustomization of a folder.
///
/// # Errors
/// Every fault that can be found.
pub fn build(
    files: &Rc<dyn Files>,
    folder: &str,
    options: &Options,
    sources: &Sources,
) -> Result<Built, Diagnostics> {
    let schemas = Schemas::latest();
    let mut builder = target::Builder::new(options, sources, &schemas);
    let (mut set, first) = builder.root(files.clone(), folder)?;
    let mut sink = builder.warnings;
    match first.fields.get("sortOptions") {
        Some(node) => SortOrder::read(node)?.sort(&mut set),
        None => options.order.sort(&mut set),
    }
    if options.managed_by || first.builds("managedByLabel") {
        let mut pairs = Map::new();
        pairs.insert("app.kubernetes.io/managed-by", "kustomize-v5.8.1");
        let specs = vec![FieldSpec::row("", "", "metadata/labels", true)];
        let rules = Rules::Kustomize;
        let mut context = Context { sources, schemas: &schemas, rules, sink: &mut sink };
        Labels { pairs, specs }.transform(&mut set, &mut context);
    }
    let mut resources = set.into_vec();
    for resource in &mut resources {
        let gone = [
            (!first.builds("originAnnotations")).then_some(ORIGIN),
            (!first.builds("transformerAnnotations")).then_some(TRANSFORMATIONS),
        ];
        finish(resource, gone.iter().flatten(), sources);
    }
    sink.finish(resources).map(|(resources, warnings)| Built { resources, warnings })
}

/// What changes a set that is there: the fields of an overlay.
#[derive(Debug)]
pub struct Layer {
    /// The files that it may name.
    pub files: Rc<dyn Files>,
    /// Its folder.
    pub folder: String,
    /// Its fields, but for the patches.
    pub kustomization: Kustomization,
    /// Its patches.
    pub patches: Vec<Patch>,
}

/// Puts layers over resources, the lowest first. Names are followed when all have changed them.
///
/// # Errors
/// Every fault of the first layer that has one.
pub fn overlay(
    resources: Vec<Resource>,
    layers: impl Iterator<Item = Layer>,
    schemas: &Schemas,
    sources: &Sources,
) -> Result<Built, Diagnostics> {
    let options = Options { restricted: false, ..Options::default() };
    let mut builder = target::Builder::new(&options, sources, schemas);
    builder.scopes = Scopes::kubernetes().into();
    let mut resources = builder.layers(resources, layers)?.into_vec();
    for resource in &mut resources {
        finish(resource, [].iter(), sources);
    }
    Ok(Built { resources, warnings: builder.warnings })
}

/// The bytes that kustomize prints.
///
/// # Errors
/// When a value has no form in JSON.
pub fn print(resources: &[Resource]) -> Result<String, Diagnostics> {
    let mut out = String::new();
    for (at, resource) in resources.iter().enumerate() {
        if at > 0 {
            out.push_str("---\n");
        }
        out.push_str(&document(resource)?);
    }
    Ok(out)
}

/// One resource as kustomize prints it.
///
/// # Errors
/// When a value has no form in JSON.
pub fn document(resource: &Resource) -> Result<String, Diagnostics> {
    emit::marshal(&resource.root).map_err(|error| {
        let message = format!("{}: {}", resource.shown(), error.go_text);
        let fault = Diagnostic::error("wharf::render::kustomize_output", message);
        fault.at(resource.root.span, "this resource").into()
    })
}

/// Annotations come out as texts, and not at all when there are none.
fn finish<'a>(resource: &mut Resource, gone: impl Iterator<Item = &'a &'a str>, sources: &Sources) {
    let Some(metadata) = resource.root.get_mut("metadata") else { return };
    let Some(annotations) = metadata.get_mut("annotations") else { return };
    for key in gone {
        annotations.remove(key);
    }
    match &mut annotations.value {
        Value::Map(map) if !map.is_empty() => {
            let is_text = |entry: &Entry| {
                entry.value.as_str().is_some_and(|text| !is_date(text, entry.value.form))
            };
            if !map.iter().all(is_text) {
                for value in map.values_mut() {
                    as_text(value, sources);
                }
            }
        }
        _ => drop(metadata.remove("annotations")),
    }
}

/// True for a text that may stand in the file as a bare date.
fn is_date(text: &str, form: Form) -> bool {
    form == Form::Plain && text.len() == 20 && text.ends_with("T00:00:00Z")
}

/// The text that stands in the file for a value.
fn as_text(node: &mut Node, sources: &Sources) {
    let text =
        match &node.value {
            Value::String(text) if !is_date(text, node.form) => return,
            Value::String(text) => sources.slice(node.span).unwrap_or_else(|| text.to_string()),
            Value::List(_) | Value::Map(_) => String::new(),
            _ => sources.slice(node.span).filter(|text| !text.is_empty()).unwrap_or_else(|| {
                match &node.value {
                    Value::Null => String::new(),
                    _ => json::to_string(node),
                }
            }),
        };
    *node = Node::new(text, node.span);
}
