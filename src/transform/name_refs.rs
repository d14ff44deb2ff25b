//! Lets references follow names that have changed.
//!
//! A field of a [`NameReference`] holds a name that a resource had before. Which resource is meant
//! tell its kind, then the namespace, then the prefixes and suffixes that both got; where several
//! remain that are called differently now, it is a fault. A field that is a map holds `name` and
//! `namespace`, and both follow.
//!
//! Candidates are found by former name and namespace of now, so the work is in proportion to the
//! fields that refer to something.

use super::config::NameReference;
use super::field_spec::{FieldError, FieldSpec, Make, keys, walk};
use super::set::{CLUSTER_WIDE, Id, Resource, ResourceSet};
use super::{Context, Transformer};
use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::object::Gvk;
use crate::yaml::{Node, Str, Value, json};
use std::collections::{BTreeSet, HashMap};

/// Sets references to the names that their resources have now.
#[derive(Clone, Debug)]
pub struct NameReferences<'a> {
    /// The fields that hold names.
    pub references: &'a [NameReference],
}

impl Transformer for NameReferences<'_> {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        // where no name has changed, fields of a wrong kind are faults all the same
        let renamed = set.iter().any(|resource| !resource.past.is_empty());
        let fields = self.by_kind();
        let candidates = Candidates::of(set);
        for at in 0..set.len() {
            let gvk = original_gvk(set.get(at));
            let any = fields.get("").into_iter().flatten();
            let own = fields.get(gvk.kind.as_str()).into_iter().flatten();
            let mut root = std::mem::take(set.content_mut(at));
            for field in any.chain(own).filter(|field| field.spec.fits(&gvk)) {
                let referrer = Referrer { id: &candidates.ids[at], root: &root };
                let scope =
                    if renamed { referrer.scope(&field.spec.path) } else { Scope::default() };
                let search = Search { set, candidates: &candidates, field, scope, at };
                let mut found = None;
                let result = walk(&mut root, &field.keys, Make::Nothing, &mut |node| {
                    found = Some(node.span);
                    search.follow(node)
                });
                if let Err(error) = result {
                    let id = &candidates.ids[at];
                    let at = found.map(|span| (span, "this reference"));
                    let at = at.unwrap_or_else(|| (name_span(&root), "of this object"));
                    context.sink.push(fault(&error, &field.spec.path, id, at));
                }
            }
            *set.content_mut(at) = root;
        }
    }
}

fn name_span(root: &Node) -> Span {
    root.at(&["metadata", "name"]).map_or(root.span, |name| name.span)
}

fn fault(error: &FieldError, path: &str, id: &Id, (span, label): (Span, &str)) -> Diagnostic {
    let message = format!(
        "updating name reference in '{path}' field of '{id}': considering field '{path}' of object \
         {id}: {error}"
    );
    Diagnostic::error("wharf::transform::name_reference", message).at(span, label)
}

/// A field that refers to resources of a kind.
struct Field<'a> {
    target: &'a NameReference,
    spec: &'a FieldSpec,
    keys: Vec<Str>,
}

impl NameReferences<'_> {
    fn by_kind(&self) -> HashMap<&str, Vec<Field<'_>>> {
        let mut fields: HashMap<&str, Vec<Field<'_>>> = HashMap::new();
        for target in self.references {
            for spec in &target.referrers {
                let field = Field { target, spec, keys: keys(&spec.path) };
                fields.entry(spec.kind.as_str()).or_default().push(field);
            }
        }
        fields
    }
}

fn original_gvk(resource: &Resource) -> Gvk {
    Gvk { kind: resource.original_kind().into(), ..resource.gvk() }
}

/// Resources that were called otherwise before.
struct Candidates {
    /// The id of every resource of the set.
    ids: Vec<Id>,
    /// By former name and effective namespace of now.
    placed: HashMap<(Str, Str), Vec<usize>>,
    /// By former name.
    named: HashMap<Str, Vec<usize>>,
    /// For every first effective namespace, where its resources are now: effectively, and as it is
    /// written.
    moved: HashMap<Str, BTreeSet<(Str, Str)>>,
}

impl Candidates {
    fn of(set: &ResourceSet) -> Candidates {
        let scopes = set.scopes();
        let mut candidates = Candidates {
            ids: set.iter().map(|resource| resource.id(scopes)).collect(),
            placed: HashMap::new(),
            named: HashMap::new(),
            moved: HashMap::new(),
        };
        for (at, resource) in set.iter().enumerate() {
            let id = &candidates.ids[at];
            let place = Str::from(id.effective_namespace());
            let first = match resource.past.first() {
                Some(past) => past.namespace.clone(),
                None => place.clone(),
            };
            if first != CLUSTER_WIDE {
                let now = candidates.moved.entry(first).or_default();
                now.insert((place.clone(), id.namespace.clone()));
            }
            let mut names: Vec<&Str> = resource.past.iter().map(|past| &past.name).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let key = (name.clone(), place.clone());
                candidates.placed.entry(key).or_default().push(at);
                candidates.named.entry(name.clone()).or_default().push(at);
            }
        }
        candidates
    }
}

/// Who refers.
struct Referrer<'a> {
    id: &'a Id,
    root: &'a Node,
}

/// Which resources a referrer can mean, besides those without a namespace.
#[derive(Default)]
struct Scope {
    /// Its own effective namespace; nothing for all.
    own: Option<Str>,
    /// Namespaces of the service accounts that a role binding names.
    accounts: Vec<Str>,
    /// Group and kind that stand beside the name of a role.
    role: Option<(Str, Str)>,
}

impl Referrer<'_> {
    fn scope(&self, path: &str) -> Scope {
        let own = (!self.id.cluster_wide).then(|| Str::from(self.id.effective_namespace()));
        let mut accounts = Vec::new();
        if self.id.gvk.kind == "RoleBinding" {
            for subject in self.root.items_at(&["subjects"]) {
                if let Some(namespace) = subject.str_at(&["namespace"])
                    && subject.str_at(&["kind"]) == Some("ServiceAccount")
                    && !accounts.iter().any(|known| known == namespace)
                {
                    accounts.push(Str::from(namespace));
                }
            }
        }
        let part = |key: &str| Some(Str::from(self.root.str_at(&["roleRef", key])?));
        let role = path.ends_with("roleRef/name").then(|| part("apiGroup").zip(part("kind")));
        Scope { own, accounts, role: role.flatten() }
    }
}

/// The search for what one field of one resource means.
struct Search<'a> {
    set: &'a ResourceSet,
    candidates: &'a Candidates,
    field: &'a Field<'a>,
    scope: Scope,
    at: usize,
}

impl Search<'_> {
    fn follow(&self, node: &mut Node) -> Result<(), FieldError> {
        match &mut node.value {
            Value::Null => Ok(()),
            Value::List(items) => {
                items.iter_mut().filter(|item| !item.is_null()).try_for_each(|item| {
                    match &item.value {
                        Value::Map(_) => self.follow_map(item),
                        Value::List(_) => Err(FieldError(
                            "an item is expected to be either a string or a map of string".into(),
                        )),
                        _ => self.follow_text(item),
                    }
                })
            }
            Value::Map(_) => self.follow_map(node),
            _ => self.follow_text(node),
        }
    }

    fn follow_text(&self, node: &mut Node) -> Result<(), FieldError> {
        let name = text(node);
        let found = self.named(&name, None);
        if let Some(at) =
            self.select(found, |ids| ids.windows(2).all(|two| two[0].name == two[1].name))?
        {
            let now = &self.candidates.ids[at].name;
            if *now != name {
                node.value = Value::String(now.clone());
            }
        }
        Ok(())
    }

    fn follow_map(&self, node: &mut Node) -> Result<(), FieldError> {
        let Some(name) = node.get("name").map(text) else {
            return Err(FieldError("path config error; no 'name' field in node".to_owned()));
        };
        let namespace = node.get("namespace").map(text);
        let found = self.named(&name, namespace.as_deref());
        let same = |ids: &[&Id]| {
            let both = |id: &Id| (id.name.clone(), id.namespace.clone());
            ids.windows(2).all(|two| both(two[0]) == both(two[1]))
        };
        let Some(at) = self.select(found, same)? else { return Ok(()) };
        let id = &self.candidates.ids[at];
        if id.name == name && id.namespace.is_empty() {
            return Ok(());
        }
        put(node, "name", &id.name);
        if !id.namespace.is_empty() {
            put(node, "namespace", &id.namespace);
        }
        Ok(())
    }

    /// Resources that were called so, in the order of the set.
    fn named(&self, name: &str, namespace: Option<&str>) -> Vec<usize> {
        let Candidates { ids, placed, named, moved } = self.candidates;
        let Some(all) = named.get(name) else { return Vec::new() };
        let mut found = match &self.scope.own {
            None => all.clone(),
            Some(own) => {
                let mut found = Vec::new();
                let places = [CLUSTER_WIDE, own].into_iter();
                for place in places.chain(self.scope.accounts.iter().map(Str::as_str)) {
                    let at = placed.get(&(Str::from(name), Str::from(place)));
                    found.extend(at.into_iter().flatten().filter(|at| {
                        let id = &ids[**at];
                        place == CLUSTER_WIDE || place == own || id.namespace == place
                    }));
                }
                found.sort_unstable();
                found.dedup();
                found
            }
        };
        let Some(namespace) = namespace else { return found };
        let first = |at: &usize| match self.set.get(*at).past.first() {
            Some(past) => past.namespace.as_str(),
            None => ids[*at].effective_namespace(),
        };
        if moved.get(namespace).is_some_and(|places| self.sees_any(places)) {
            found.retain(|at| first(at) == namespace);
        } else {
            found
                .retain(|at| !ids[*at].cluster_wide && ids[*at].effective_namespace() == namespace);
        }
        found
    }

    fn sees_any(&self, places: &BTreeSet<(Str, Str)>) -> bool {
        let Some(own) = &self.scope.own else { return true };
        let seen = |(place, written): &(Str, Str)| {
            place == CLUSTER_WIDE || place == own || self.scope.accounts.contains(written)
        };
        places.iter().any(seen)
    }

    /// The one that is meant, if any.
    fn select(
        &self,
        mut found: Vec<usize>,
        same: impl Fn(&[&Id]) -> bool,
    ) -> Result<Option<usize>, FieldError> {
        let ids = &self.candidates.ids;
        found.retain(|at| {
            let resource = self.set.get(*at);
            let Gvk { group, version, .. } = &ids[*at].gvk;
            let was = |test: &dyn Fn(&Gvk) -> bool| {
                resource.past.iter().any(|past| {
                    let kind = past.kind.clone();
                    test(&Gvk { group: group.clone(), version: version.clone(), kind })
                })
            };
            let role = |gvk: &Gvk| {
                self.scope.role.as_ref().is_none_or(|(group, kind)| {
                    (group.is_empty() || *group == gvk.group)
                        && (kind.is_empty() || *kind == gvk.kind)
                })
            };
            let near = match &self.scope.own {
                None => true,
                Some(own) => {
                    ids[*at].cluster_wide
                        || ids[*at].gvk.kind == "ServiceAccount"
                        || ids[*at].effective_namespace() == own
                }
            };
            near && was(&|gvk| self.field.target.is_about(gvk)) && was(&role)
        });
        if let [one] = found.as_slice() {
            return Ok(Some(*one));
        }
        let referrer = self.set.get(self.at);
        found.retain(|at| self.set.get(*at).affixes_fit(referrer, true));
        if found.len() > 1 {
            found.retain(|at| self.set.get(*at).affixes_fit(referrer, false));
        }
        let Some(first) = found.first() else { return Ok(None) };
        let of: Vec<&Id> = found.iter().map(|at| &ids[*at]).collect();
        if found.len() == 1 || same(&of) {
            return Ok(Some(*first));
        }
        let names = of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(FieldError(format!("found multiple possible referrals: {names}")))
    }
}

fn put(node: &mut Node, key: &str, value: &Str) {
    let span = node.get(key).map_or(node.span, |old| old.span);
    node.set(key, Node::new(value.clone(), span));
}

fn text(node: &Node) -> Str {
    match &node.value {
        Value::String(text) => text.clone(),
        Value::Null | Value::List(_) | Value::Map(_) => Str::default(),
        _ => json::to_string(node).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::testing::fault;
    use serde_json::json;

    #[test]
    fn fields_of_a_wrong_kind_are_faults_where_nothing_is_renamed() {
        let referrers = ["spec/service/name", "spec/list", "spec/pair"]
            .map(|path| FieldSpec::row("", "Door", path, false))
            .to_vec();
        let service =
            NameReference { kind: "Service".into(), referrers, ..NameReference::default() };
        let references = [service];
        let transformer = NameReferences { references: &references };
        for (spec, expected) in [
            (json!({"service": "text"}), "expected sequence or mapping node"),
            (json!({"list": [[]]}), "an item is expected to be either a string or a map of string"),
            (json!({"pair": {"port": 1}}), "path config error; no 'name' field in node"),
        ] {
            let meta = json!({"name": "front"});
            let door =
                json!({"apiVersion": "a/v1", "kind": "Door", "metadata": meta, "spec": spec});
            let found = fault(&transformer, &[door]);
            assert!(found.ends_with(expected), "{found}");
        }
    }
}
