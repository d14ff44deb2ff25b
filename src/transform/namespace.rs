//! Puts all resources into one namespace.
//!
//! Resources of kinds that are known to be cluster-wide stay where they are. Where the namespace
//! stands in other places it follows: the name of a Namespace and the fields of the specs, and
//! subjects of role bindings. With [`Rules::Overlay`] also subjects and webhooks that name a service
//! account or service of the set.

use super::field_spec::{FieldError, FieldSpec, Make, SpecIndex, keys, walk};
use super::set::{Resource, ResourceSet, Scopes};
use super::{Context, Rules, Transformer, failed};
use crate::base::diag::Diagnostic;
use crate::yaml::{Node, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Which subjects of role bindings move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    /// All service accounts.
    Accounts,
    /// None.
    Nothing,
}

/// The namespace to set.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its name, with where it was written.
    pub name: Node,
    /// Fields that hold it, besides the metadata.
    pub specs: Vec<FieldSpec>,
    /// Only fields that are empty are set.
    pub unset_only: bool,
    /// Which subjects of role bindings move.
    pub subjects: Subjects,
}

impl Namespace {
    /// The namespace as the field of a kustomization sets it.
    #[must_use]
    pub fn new(name: Node, specs: Vec<FieldSpec>) -> Namespace {
        Namespace { name, specs, unset_only: false, subjects: Subjects::default() }
    }
}

impl Transformer for Namespace {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        if self.name.as_str().is_none_or(str::is_empty) {
            return;
        }
        let mut scopes = set.scopes().clone();
        let known = (context.rules == Rules::Overlay).then(|| {
            Arc::make_mut(&mut scopes).learn(set.iter());
            Known::of(set)
        });
        let skips = |spec: &&FieldSpec| {
            let binding = ["RoleBinding", "ClusterRoleBinding"].contains(&spec.kind.as_str());
            spec.path == "metadata/namespace" || binding && spec.path == "subjects/namespace"
        };
        let specs = SpecIndex::new(self.specs.iter().filter(|spec| !skips(spec)));
        for resource in set.iter_mut().filter(|resource| !resource.from_chart) {
            resource.remember(&scopes);
            if let Err(error) = self.one(resource, &specs, &scopes, known.as_ref()) {
                let error = FieldError(format!("namespace transformation failed: {error}"));
                context
                    .sink
                    .push(failed(&error, resource, None).at(self.name.span, "asked for here"));
            }
        }
        if context.rules == Rules::Kustomize {
            self.collisions(set, context);
        }
    }
}

impl Namespace {
    fn one(
        &self,
        resource: &mut Resource,
        specs: &SpecIndex<'_>,
        scopes: &Scopes,
        known: Option<&Known>,
    ) -> Result<(), FieldError> {
        let gvk = resource.gvk();
        let root = &mut resource.root;
        let mut set = |node: &mut Node| self.set(node);
        if !scopes.is_cluster_wide(&gvk) {
            walk(root, &keys("metadata/namespace"), Make::Scalar, &mut set)?;
        }
        let is_binding = gvk.kind == "RoleBinding" || gvk.kind == "ClusterRoleBinding";
        if is_binding
            && let Some(Value::List(subjects)) = root.get_mut("subjects").map(|it| &mut it.value)
        {
            for subject in subjects {
                let text = |key: &str| subject.str_at(&[key]).unwrap_or_default();
                let moves = match self.subjects {
                    Subjects::Nothing => false,
                    Subjects::Accounts => text("kind") == "ServiceAccount",
                    Subjects::Default => {
                        text("name") == "default"
                            || text("kind") == "ServiceAccount"
                                && known.is_some_and(|it| has(&it.accounts, subject))
                    }
                };
                if moves {
                    walk(subject, &keys("namespace"), Make::Scalar, &mut set)?;
                }
            }
        }
        for (spec, keys) in specs.of(&gvk) {
            // the name of a Namespace of another version is no namespace
            if spec.path == "metadata/name" && !(gvk.group.is_empty() && gvk.version == "v1") {
                continue;
            }
            let make = if spec.create { Make::Scalar } else { Make::Nothing };
            walk(root, keys, make, &mut set)?;
        }
        if gvk.kind.ends_with("WebhookConfiguration")
            && let Some(known) = known
        {
            let path = keys("webhooks/clientConfig/service");
            walk(root, &path, Make::Nothing, &mut |service| {
                if has(&known.services, service) {
                    service.set("namespace", self.name.clone());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn set(&self, node: &mut Node) -> Result<(), FieldError> {
        match &node.value {
            Value::Map(_) | Value::List(_) => {
                let kind = if node.as_map().is_some() { "MappingNode" } else { "SequenceNode" };
                let message = format!(
                    "namespace field specs must target scalar nodes: wrong node kind: expected \
                     ScalarNode but got {kind}"
                );
                return Err(FieldError(message));
            }
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            _ if self.unset_only => return Ok(()),
            _ => {}
        }
        *node = self.name.clone();
        Ok(())
    }

    /// Two resources that were in two namespaces must not become one.
    fn collisions(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let scopes = set.scopes().clone();
        let mut seen = HashSet::new();
        for at in 0..set.len() {
            let id = set.get(at).id(&scopes);
            if seen.insert(id.key()) || set.current(&id).len() < 2 {
                continue;
            }
            let message = format!("namespace transformation produces ID conflict: {id}");
            let fault = Diagnostic::error("wharf::transform::namespace_conflict", message);
            let place = set.get(at).root.at(&["metadata"]).map_or(self.name.span, |it| it.span);
            context.sink.push(fault.at(self.name.span, "asked for here").at(place, "the second"));
        }
    }
}

/// Service accounts and services of a set, by namespace and name.
struct Known {
    accounts: HashSet<(String, String)>,
    services: HashSet<(String, String)>,
}

impl Known {
    fn of(set: &ResourceSet) -> Known {
        let named = |kind: &str| {
            let of_kind = set.iter().filter(|resource| resource.kind() == kind);
            of_kind.map(|it| (it.namespace().to_owned(), it.name().to_owned())).collect()
        };
        Known { accounts: named("ServiceAccount"), services: named("Service") }
    }
}

fn has(set: &HashSet<(String, String)>, node: &Node) -> bool {
    let text = |key| node.str_at(&[key]).unwrap_or_default().to_owned();
    set.contains(&(text("namespace"), text("name"))) || set.contains(&(String::new(), text("name")))
}
