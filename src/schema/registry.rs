//! All kinds that objects may have: those of a Kubernetes version and those of added CRDs.

use super::embedded::{self, Definition, Graph};
use super::model::{Shape, Type};
use crate::yaml::Str;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The kinds of one Kubernetes version and of custom resources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schemas {
    graph: &'static Graph,
    /// By `apiVersion`, then `kind`.
    custom: BTreeMap<Str, BTreeMap<Str, Arc<Type>>>,
}

impl Schemas {
    /// The built-in kinds of a Kubernetes version such as `1.33`, `v1.33.2` or `1.33.0+k3s1`.
    #[must_use]
    pub fn kubernetes(version: &str) -> Option<Schemas> {
        let version = version.trim().trim_start_matches('v');
        let mut parts = version.split('.');
        let (major, minor) = (parts.next()?, parts.next()?);
        let minor: String = minor.chars().take_while(char::is_ascii_digit).collect();
        let graph = Graph::open(&format!("{major}.{minor}"))?;
        Some(Schemas { graph, custom: BTreeMap::new() })
    }

    /// The built-in kinds of the newest version.
    #[must_use]
    pub fn latest() -> Schemas {
        let newest = Schemas::versions().last().copied().unwrap_or_default();
        Schemas::kubernetes(newest).expect("every listed version can be opened")
    }

    /// The versions that [`Schemas::kubernetes`] knows, oldest first: `1.36`.
    #[must_use]
    pub fn versions() -> &'static [&'static str] {
        embedded::versions()
    }

    /// The version whose kinds these are: `1.36`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.graph.version
    }

    /// The type of a kind's objects.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Type> {
        if let Some(definition) = self.graph.kind(api_version, kind) {
            return Some(definition.get());
        }
        self.custom(api_version, kind)
    }

    /// Every kind: its `apiVersion` and its `kind`.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        let custom = self.custom.iter().flat_map(|(version, kinds)| {
            kinds.keys().map(move |kind| (version.as_str(), kind.as_str()))
        });
        self.graph.kinds().map(|(version, kind, _)| (version, kind)).chain(custom)
    }

    /// The type of a custom kind.
    pub(super) fn custom(&self, api_version: &str, kind: &str) -> Option<&Type> {
        self.custom.get(api_version)?.get(kind).map(|ty| &**ty)
    }

    /// The definition of a built-in kind.
    pub(super) fn definition(&self, api_version: &str, kind: &str) -> Option<Definition> {
        self.graph.kind(api_version, kind)
    }

    /// The definition of a name.
    pub(super) fn named(&self, name: &str) -> Option<Definition> {
        self.graph.named(name)
    }

    /// Every built-in kind with its definition.
    pub(super) fn definitions(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, Definition)> + use<> {
        self.graph.kinds()
    }

    /// The type of `metadata`, which all kinds share.
    pub(super) fn metadata(&self) -> Type {
        let definition = self
            .graph
            .named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
            .expect("every version has ObjectMeta");
        Type { shape: Shape::Reference(definition), rules: None }
    }

    /// The type of a custom kind, to keep.
    #[must_use]
    pub fn shared(&self, api_version: &str, kind: &str) -> Option<Arc<Type>> {
        self.custom.get(api_version)?.get(kind).cloned()
    }

    /// Adds a custom kind whose type is known already.
    pub fn adopt(&mut self, api_version: &str, kind: &str, ty: Arc<Type>) {
        self.custom.entry(api_version.into()).or_default().insert(kind.into(), ty);
    }

    /// Adds the type of a custom kind.
    pub(super) fn insert(&mut self, api_version: Str, kind: Str, ty: Type) {
        self.custom.entry(api_version).or_default().insert(kind, Arc::new(ty));
    }

    /// A type that stands for any object: what is known of a kind without a schema.
    #[must_use]
    pub fn any() -> &'static Type {
        static ANY: OnceLock<Type> = OnceLock::new();
        ANY.get_or_init(Type::default)
    }
}
