//! Transformers: each maps a set of resources to a set, as Kustomize's transformer of that name does.
//!
//! | module | field of an overlay or kustomization |
//! |---|---|
//! | [`patches`] | `patches`, `patchesStrategicMerge`, `patchesJson6902` |
//! | [`namespace`] | `namespace` |
//! | [`affix`] | `namePrefix`, `nameSuffix` |
//! | [`labels`] | `labels`, `commonLabels`, `commonAnnotations` |
//! | [`replicas`] | `replicas` |
//! | [`images`] | `images` |
//! | [`replacements`] | `replacements` |
//! | [`variables`] | `vars` |
//! | [`sort_order`] | `sortOptions` |
//! | [`config`], [`crds`] | `configurations`, `crds` |
//!
//! Overlays and kustomizations run them in the same order. What a transformer writes has the span
//! of what asked for it, so that a field leads to the line of the overlay or patch.
//! Every transformer is linear in the resources.

pub mod affix;
pub mod config;
pub mod crds;
pub mod field_path;
pub mod field_spec;
pub mod hash;
pub mod images;
pub mod labels;
pub mod name_refs;
pub mod namespace;
pub mod patches;
pub mod read;
pub mod replacements;
pub mod replicas;
pub mod set;
pub mod sort_order;
#[cfg(test)]
mod testing;
pub mod value_add;
pub mod variables;

pub use set::{Resource, ResourceSet};

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{Sources, Span};
use crate::schema::Schemas;
use crate::yaml::Entry;
use field_spec::FieldError;

/// Whose rules hold where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// kustomize's, in everything.
    #[default]
    Kustomize,
    /// Those of overlays: what finds nothing is a fault, and definitions of custom resources in the
    /// set say where their objects live and how they merge.
    Overlay,
}

/// What transformers may look at besides the set, and where they report.
#[derive(Debug)]
pub struct Context<'a> {
    /// The texts that spans lead into.
    pub sources: &'a Sources,
    /// How the fields of kinds merge.
    pub schemas: &'a Schemas,
    /// Whose rules hold.
    pub rules: Rules,
    /// Faults and doubts.
    pub sink: &'a mut Diagnostics,
}

/// The fault of a field of a resource that could not be written.
fn failed(error: &FieldError, resource: &Resource, by: Option<&Entry>) -> Diagnostic {
    let at = resource.root.at(&["metadata"]).map_or(resource.root.span, |it| it.span);
    Diagnostic::error("wharf::transform::field", format!("{}: {error}", resource.shown()))
        .at(at, "of this object")
        .at(by.map_or(Span::NONE, |entry| entry.key_span), "asked for here")
}

/// Changes a set of resources.
pub trait Transformer: std::fmt::Debug {
    /// Changes the set; faults go to the context's sink. After an error the set may be in any
    /// state.
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>);
}
