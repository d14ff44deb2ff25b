//! Transformers: each maps a set of objects to a set, as Kustomize's transformer of that name does.
//!
//! | module | field of an overlay |
//! |---|---|
//! | [`patches`] | `patches` |
//! | [`namespace`] | `namespace` |
//! | [`labels`] | `labels`, `commonLabels`, `commonAnnotations` |
//! | [`replicas`] | `replicas` |
//! | [`images`] | `images` |
//!
//! [`overlay`] reads them from a file and runs them in this order. What a transformer writes has
//! the span of what asked for it, so that a field leads to the line of the overlay or patch.
//! Every transformer is linear in the objects.

pub mod field_spec;
pub mod images;
pub mod labels;
pub mod namespace;
pub mod overlay;
pub mod patches;
pub mod replicas;

use crate::base::diag::Diagnostics;
use crate::object::Object;

/// Changes a set of objects.
pub trait Transformer {
    /// Changes the set; faults go to the sink.
    fn transform(&self, objects: &mut Vec<Object>, sink: &mut Diagnostics);
}
