//! Field specs: which fields of which kinds a transformer writes, as kustomize names them.
//!
//! A path has `/` between its keys (`\/` is a slash in a key). A list on the way stands for all of
//! its items; a key that ends in `[]` says that a list is expected: nothing is made there, but a
//! null becomes an empty list.

use crate::object::Gvk;
use crate::yaml::{Map, Node, Str, Value};
use std::collections::HashMap;

/// Keys that the path of a field may have.
pub const MAX_KEYS: usize = 64;

/// One field of some kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSpec {
    /// API group; empty for any.
    pub group: Str,
    /// API version; empty for any.
    pub version: Str,
    /// Kind; empty for any.
    pub kind: Str,
    /// Keys from the root.
    pub path: Str,
    /// Make the field, and the maps above it, where it is absent.
    pub create: bool,
}

/// What stands in a field that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// No field is made, whatever the spec says.
    Nothing,
    /// A text, which is null until it is set.
    Scalar,
    /// An empty map.
    Map,
    /// An empty list.
    List,
}

/// Why a field could not be written. The texts are kustomize's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldError(pub String);

impl FieldError {
    /// The fault of a value of another kind than it must have.
    #[must_use]
    pub fn wrong(expected: &str, found: &Value) -> FieldError {
        let found = match found {
            Value::List(_) => "SequenceNode",
            Value::Map(_) => "MappingNode",
            _ => "ScalarNode",
        };
        FieldError(format!("wrong node kind: expected {expected} but got {found}"))
    }
}

impl FieldSpec {
    /// The kinds that it is about, as messages show them: `Deployment.[noVer].[noGrp]`.
    #[must_use]
    pub fn shown_gvk(&self) -> String {
        let or = |text: &Str, absent: &'static str| match text.as_str() {
            "" => absent.to_owned(),
            text => text.to_owned(),
        };
        let FieldSpec { group, version, kind, .. } = self;
        format!("{}.{}.{}", or(kind, "[noKind]"), or(version, "[noVer]"), or(group, "[noGrp]"))
    }

    /// The spec of a row: group, kind, path, create.
    #[must_use]
    pub fn row(group: &str, kind: &str, path: &str, create: bool) -> FieldSpec {
        let (version, path) = (Str::default(), path.into());
        FieldSpec { group: group.into(), version, kind: kind.into(), path, create }
    }

    /// Reads `group`, `version`, `kind`, `path` and `create` of a map.
    ///
    /// # Errors
    /// When the path has more than [`MAX_KEYS`].
    pub fn read(node: &Node) -> Result<FieldSpec, FieldError> {
        let text = |key: &str| Str::from(node.str_at(&[key]).unwrap_or_default());
        let path = text("path");
        if path.split('/').count() > MAX_KEYS {
            return Err(FieldError(format!("`path` must be a path of at most {MAX_KEYS} keys")));
        }
        Ok(FieldSpec {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            path,
            create: node.get("create").and_then(Node::as_bool).unwrap_or(false),
        })
    }

    /// True when the spec is about this kind.
    #[must_use]
    pub fn fits(&self, gvk: &Gvk) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&self.group, &gvk.group)
            && fits(&self.version, &gvk.version)
            && fits(&self.kind, &gvk.kind)
    }

    /// Adds a spec to a list, unless one that fits as much is there.
    ///
    /// # Errors
    /// When that one differs in whether it makes the field.
    pub fn merge_into(&self, specs: &mut Vec<FieldSpec>) -> Result<(), FieldError> {
        let gvk = |it: &FieldSpec| Gvk {
            group: it.group.clone(),
            version: it.version.clone(),
            kind: it.kind.clone(),
        };
        match specs.iter().find(|it| it.path == self.path && self.fits(&gvk(it))) {
            None => specs.push(self.clone()),
            Some(same) if same.create == self.create => {}
            Some(_) => return Err(FieldError("conflicting fieldspecs".to_owned())),
        }
        Ok(())
    }

    /// Calls `change` for every field that the path leads to.
    ///
    /// # Errors
    /// When something that holds no fields is in the way, or what `change` says.
    pub fn visit(
        &self,
        root: &mut Node,
        make: Make,
        change: &mut dyn FnMut(&mut Node) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        let make = if self.create { make } else { Make::Nothing };
        walk(root, &keys(&self.path), make, change)
    }
}

/// True when every part of a selector that is not empty is the same in the other.
#[must_use]
pub fn selects(selector: &Gvk, gvk: &Gvk) -> bool {
    let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    fits(&selector.group, &gvk.group)
        && fits(&selector.version, &gvk.version)
        && fits(&selector.kind, &gvk.kind)
}

/// Specs by the kinds that they are about, their paths cut into keys.
#[derive(Debug, Default)]
pub struct SpecIndex<'a> {
    by_kind: HashMap<&'a str, Vec<(&'a FieldSpec, Vec<Str>)>>,
}

impl<'a> SpecIndex<'a> {
    /// Sorts specs by kind.
    pub fn new(specs: impl IntoIterator<Item = &'a FieldSpec>) -> SpecIndex<'a> {
        let mut index = SpecIndex::default();
        for spec in specs {
            let of_kind = index.by_kind.entry(spec.kind.as_str()).or_default();
            of_kind.push((spec, keys(&spec.path)));
        }
        index
    }

    /// The specs for one kind, those for any kind first.
    pub fn of<'s>(&'s self, gvk: &'s Gvk) -> impl Iterator<Item = &'s (&'a FieldSpec, Vec<Str>)> {
        let any = self.by_kind.get("").into_iter().flatten();
        let own = (!gvk.kind.is_empty()).then(|| self.by_kind.get(gvk.kind.as_str())).flatten();
        any.chain(own.into_iter().flatten()).filter(|(spec, _)| spec.fits(gvk))
    }

    /// Calls `change` for every field of an object that a spec leads to.
    ///
    /// # Errors
    /// When something that holds no fields is in the way, or what `change` says.
    pub fn visit(
        &self,
        gvk: &Gvk,
        root: &mut Node,
        make: Make,
        change: &mut dyn FnMut(&mut Node) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        for (spec, keys) in self.of(gvk) {
            let make = if spec.create { make } else { Make::Nothing };
            walk(root, keys, make, change).map_err(|error| {
                let path = &spec.path;
                let id = super::set::Scopes::kustomize().id(root);
                FieldError(format!("considering field '{path}' of object {id}: {error}"))
            })?;
        }
        Ok(())
    }
}

/// The keys of a path.
#[must_use]
pub fn keys(path: &str) -> Vec<Str> {
    let mut keys: Vec<Str> = Vec::new();
    for part in path.split('/') {
        match keys.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => {
                last.pop();
                last.push('/');
                last.push_str(part);
            }
            None => keys.push(part.into()),
        }
    }
    keys
}

/// Goes from a node along keys, and calls `change` where they end.
///
/// # Errors
/// When something that holds no fields is in the way, or what `change` says.
pub fn walk(
    node: &mut Node,
    keys: &[Str],
    make: Make,
    change: &mut dyn FnMut(&mut Node) -> Result<(), FieldError>,
) -> Result<(), FieldError> {
    let Some((key, rest)) = keys.split_first() else { return change(node) };
    match &mut node.value {
        Value::Null => Ok(()),
        Value::List(items) => items.iter_mut().try_for_each(|item| walk(item, keys, make, change)),
        Value::Map(map) => {
            let name = key.strip_suffix("[]").unwrap_or(key);
            if name.is_empty() {
                let message = "cannot set or create an empty field name".to_owned();
                return Err(FieldError(message));
            }
            of_map(name).map_err(|error| FieldError(format!("fieldName: {name}: {error}")))?;
            let is_list = name.len() != key.len();
            let made = match make {
                _ if is_list => Some(Node::list()),
                Make::Nothing => None,
                _ if !rest.is_empty() => Some(Node::map()),
                Make::Scalar => Some(Node::NULL),
                Make::Map => Some(Node::map()),
                Make::List => Some(Node::list()),
            };
            let Some(value) = map.get_mut(name) else {
                // nothing is put in before it is known that something will stand there
                let Some(mut made) = made.filter(|_| !is_list) else { return Ok(()) };
                walk(&mut made, rest, make, change)?;
                map.insert(name, made);
                return Ok(());
            };
            if value.is_null()
                && let Some(made) = made
            {
                *value = made;
            }
            walk(value, rest, make, change)
        }
        _ => Err(FieldError("expected sequence or mapping node".to_owned())),
    }
}

/// Nothing is taken from a map by what kustomize reads as an index, a wildcard or a condition.
fn of_map(step: &str) -> Result<(), FieldError> {
    let digits = step.strip_prefix(['+', '-']).unwrap_or(step);
    let is_index = step == "-" || digits.parse::<u64>().is_ok();
    let is_condition = step.starts_with('[') && step.ends_with(']');
    match step {
        "*" => Err(FieldError("wildcard is not supported in PathGetter".to_owned())),
        _ if is_index || is_condition => {
            Err(FieldError::wrong("SequenceNode", &Value::Map(Map::new())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_lists_and_make_maps() {
        for (path, create, before, after) in [
            ("a/b", true, json!({}), json!({"a": {"b": 1}})),
            ("a/b", false, json!({}), json!({})),
            ("a/b", true, json!({"a": null}), json!({"a": {"b": 1}})),
            ("a[]/b", true, json!({}), json!({})),
            ("a[]/b", true, json!({"a": null}), json!({"a": []})),
            ("a[]/b", false, json!({"a": null}), json!({"a": []})),
            ("a/b", false, json!({"a": null}), json!({"a": null})),
            ("a[]/b", true, json!({"a": [{}, {"b": 0}]}), json!({"a": [{"b": 1}, {"b": 1}]})),
            ("a/b", false, json!({"a": [{"c": 0}, {"b": 0}]}), json!({"a": [{"c": 0}, {"b": 1}]})),
            ("a/b\\/c", true, json!({}), json!({"a": {"b/c": 1}})),
        ] {
            let mut node = Node::from(before);
            let spec = FieldSpec::row("", "", path, create);
            let mut set = |node: &mut Node| {
                *node = 1.into();
                Ok(())
            };
            spec.visit(&mut node, Make::Scalar, &mut set).expect("fields");
            assert_eq!(node, Node::from(after), "{path}");
        }
    }

    #[test]
    fn what_leads_to_no_field_is_a_fault() {
        let no_index = "wrong node kind: expected SequenceNode but got MappingNode";
        for (path, expected) in [
            ("a/b", "expected sequence or mapping node"),
            ("m/*", "fieldName: *: wildcard is not supported in PathGetter"),
            ("m/0", &format!("fieldName: 0: {no_index}")),
            ("m/-", &format!("fieldName: -: {no_index}")),
            ("m/[k=v]", &format!("fieldName: [k=v]: {no_index}")),
        ] {
            let mut node = Node::from(json!({"a": "text", "m": {"0": 1, "*": 1}}));
            let spec = FieldSpec::row("", "", path, true);
            let fault = spec.visit(&mut node, Make::Scalar, &mut |_| Ok(())).expect_err(path);
            assert_eq!(fault.to_string(), expected);
        }
    }
}
