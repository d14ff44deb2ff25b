//! Where transformers write: the field specs of each, kustomize's own and those of configurations.

mod defaults;
mod read;

pub use read::specs;

use super::field_spec::{FieldError, FieldSpec};
use crate::object::Gvk;
use crate::yaml::Str;
use std::sync::{Arc, LazyLock};

/// The field specs of every transformer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Names that get a prefix.
    pub name_prefix: Vec<FieldSpec>,
    /// Names that get a suffix.
    pub name_suffix: Vec<FieldSpec>,
    /// Fields that hold the namespace, besides the metadata.
    pub namespace: Vec<FieldSpec>,
    /// Maps that `commonLabels` go into.
    pub common_labels: Vec<FieldSpec>,
    /// Maps that every entry of `labels` goes into besides its own.
    pub labels: Vec<FieldSpec>,
    /// Maps that labels go into with `includeTemplates`.
    pub template_labels: Vec<FieldSpec>,
    /// Maps that `commonAnnotations` go into.
    pub common_annotations: Vec<FieldSpec>,
    /// Fields that hold names of other resources.
    pub name_references: Vec<NameReference>,
    /// Fields in which variables are replaced.
    pub var_references: Vec<FieldSpec>,
    /// Fields that hold images.
    pub images: Vec<FieldSpec>,
    /// Fields that hold a count of replicas.
    pub replicas: Vec<FieldSpec>,
}

/// The fields that hold names of resources of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameReference {
    /// API group of what is referred to; empty for any.
    pub group: Str,
    /// API version of what is referred to; empty for any.
    pub version: Str,
    /// Kind of what is referred to; empty for any.
    pub kind: Str,
    /// The fields that refer to it.
    pub referrers: Vec<FieldSpec>,
}

impl NameReference {
    /// True when a resource of this kind is referred to.
    #[must_use]
    pub fn is_about(&self, gvk: &Gvk) -> bool {
        (self.group.is_empty() || self.group == gvk.group)
            && (self.version.is_empty() || self.version == gvk.version)
            && (self.kind.is_empty() || self.kind == gvk.kind)
    }
}

impl Config {
    /// What kustomize does by itself.
    #[must_use]
    pub fn defaults() -> Arc<Config> {
        static DEFAULTS: LazyLock<Arc<Config>> = LazyLock::new(|| {
            let mut config = defaults::config();
            config.sort();
            Arc::new(config)
        });
        DEFAULTS.clone()
    }

    /// Puts all lists in the order of the kinds that they are about. Where one spec says as much
    /// as several others, the order decides which of them a merge keeps.
    fn sort(&mut self) {
        let lists = [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.common_annotations,
            &mut self.var_references,
            &mut self.images,
            &mut self.replicas,
        ];
        for list in lists {
            list.sort_by_cached_key(|spec| rank(&spec.group, &spec.version, &spec.kind));
        }
        self.name_references.sort_by_cached_key(|it| rank(&it.group, &it.version, &it.kind));
    }

    /// Adds the specs of another.
    ///
    /// # Errors
    /// When the two differ in whether a field is made.
    pub fn merge(&mut self, other: &Config) -> Result<(), FieldError> {
        for (into, from, name) in [
            (&mut self.name_prefix, &other.name_prefix, "NamePrefix"),
            (&mut self.name_suffix, &other.name_suffix, "NameSuffix"),
            (&mut self.namespace, &other.namespace, "NameSpace"),
            (&mut self.common_annotations, &other.common_annotations, "CommonAnnotations"),
            (&mut self.common_labels, &other.common_labels, "CommonLabels"),
            (&mut self.labels, &other.labels, "Labels"),
            (&mut self.template_labels, &other.template_labels, "TemplateLabels"),
            (&mut self.var_references, &other.var_references, "VarReference"),
            (&mut self.images, &other.images, "Images"),
            (&mut self.replicas, &other.replicas, "Replicas"),
        ] {
            merge(into, from, name)?;
        }
        for reference in &other.name_references {
            let same = |it: &&mut NameReference| {
                (&it.group, &it.version, &it.kind)
                    == (&reference.group, &reference.version, &reference.kind)
            };
            match self.name_references.iter_mut().find(same) {
                Some(known) => merge(&mut known.referrers, &reference.referrers, "NameReference")?,
                None => self.name_references.push(reference.clone()),
            }
        }
        self.sort();
        Ok(())
    }
}

fn rank(group: &str, version: &str, kind: &str) -> (isize, String) {
    let or = |text: &str, absent: &str| if text.is_empty() { absent } else { text }.to_owned();
    let text = format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"));
    (crate::transform::sort_order::rank(kind), text)
}

fn merge(into: &mut Vec<FieldSpec>, from: &[FieldSpec], name: &str) -> Result<(), FieldError> {
    from.iter()
        .try_for_each(|spec| spec.merge_into(into))
        .map_err(|error| FieldError(format!("failed to merge {name} fieldSpec: {error}")))
}
