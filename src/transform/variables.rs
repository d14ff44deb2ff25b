//! `vars`: values of fields, put where `$(NAME)` stands.
//!
//! A variable is bound to its resource while the layer that declares it is built, by the names that
//! the resource has or had; it is read and replaced when everything else is done. `$$` stands for a
//! `$`. A text that is nothing but one variable takes the type of its value.

use super::field_path;
use super::field_spec::{FieldError, FieldSpec, Make, SpecIndex};
use super::read::Reader;
use super::set::{Id, ResourceSet};
use super::{Context, failed};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::object::Gvk;
use crate::yaml::{Node, Number, Str, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without `$(` and `)`.
    pub name: Str,
    /// The kind of the resource that it reads.
    pub gvk: Gvk,
    /// The name of that resource.
    pub object: Str,
    /// Its namespace, or empty.
    pub namespace: Str,
    /// The path of the field; empty for the name.
    pub path: String,
    /// Where it is declared.
    pub span: Span,
}

/// The variables of all layers, each name once.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    list: BTreeMap<Str, Variable>,
}

impl Variable {
    /// Reads an item of `vars`.
    pub fn read(reader: &mut Reader, item: &Node) -> Option<Variable> {
        let map = reader.map(item, "a variable", &["name", "objref", "fieldref"])?;
        let name = reader.string_at(&map, "name").unwrap_or_default().into();
        let mut variable = Variable {
            name,
            gvk: Gvk::default(),
            object: Str::default(),
            namespace: Str::default(),
            path: String::new(),
            span: item.span,
        };
        if let Some(node) = map.get("objref").filter(|node| !node.is_null()) {
            let keys = ["apiVersion", "group", "version", "kind", "name", "namespace"];
            let map = reader.map(node, "`objref`", &keys)?;
            variable.gvk = reader.gvk(&map);
            let version = reader.string_at(&map, "apiVersion").unwrap_or_default();
            match version.split('/').collect::<Vec<_>>()[..] {
                [group, version] => {
                    variable.gvk.group = group.into();
                    variable.gvk.version = version.into();
                }
                [version] if !version.is_empty() => variable.gvk.version = version.into(),
                _ => {}
            }
            variable.object = reader.string_at(&map, "name").unwrap_or_default().into();
            variable.namespace = reader.string_at(&map, "namespace").unwrap_or_default().into();
        }
        if let Some(node) = map.get("fieldref").filter(|node| !node.is_null()) {
            let map = reader.map(node, "`fieldref`", &["fieldPath"])?;
            variable.path = reader.string_at(&map, "fieldPath").unwrap_or_default();
        }
        Some(variable)
    }

    fn path(&self) -> &str {
        if self.path.is_empty() { "metadata.name" } else { &self.path }
    }

    /// An item of `vars` as kustomize shows it before it looks at the `apiVersion`.
    #[must_use]
    pub fn written(item: &Node) -> String {
        let text = |path: &[&str]| item.str_at(path).unwrap_or_default();
        let [group, version, kind] = ["group", "version", "kind"].map(|key| text(&["objref", key]));
        let gvk = Gvk { group: group.into(), version: version.into(), kind: kind.into() };
        in_words(text(&["name"]), &gvk, text(&["fieldref", "fieldPath"]))
    }

    fn shown(&self, path: &str) -> String {
        in_words(&self.name, &self.gvk, path)
    }

    fn fault(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("wharf::transform::variable", message).at(self.span, "declared here")
    }
}

fn in_words(name: &str, gvk: &Gvk, path: &str) -> String {
    let spec = FieldSpec::row(&gvk.group, &gvk.kind, "", false);
    let spec = FieldSpec { version: gvk.version.clone(), ..spec };
    format!("{{{name} {} {{{path}}}}}", spec.shown_gvk())
}

impl Variables {
    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds those of one layer, and binds them to the resources that it has by now.
    ///
    /// # Errors
    /// When a name was taken already, or more than one resource is meant.
    pub fn declare(
        &mut self,
        declared: &[Variable],
        set: &mut ResourceSet,
    ) -> Result<(), Diagnostic> {
        for variable in declared {
            let Variable { gvk, object, namespace, .. } = variable.clone();
            let wanted = Id { gvk, name: object, namespace, cluster_wide: false };
            let is_meant = |id: &Id| match wanted.namespace.as_str() {
                "" => id.gvk == wanted.gvk && id.name == wanted.name,
                _ => *id == wanted,
            };
            let scopes = set.scopes().clone();
            let mut found = set.named(&wanted.name);
            found.retain(|at| {
                let resource = set.get(*at);
                is_meant(&resource.id(&scopes)) || resource.past_ids().any(|id| is_meant(&id))
            });
            match found[..] {
                [] => {}
                [at] => set.edit(at, |resource| resource.variables.push(variable.name.clone())),
                _ => {
                    let message = format!(
                        "found {} resId matches for var {} (unable to disambiguate)",
                        found.len(),
                        variable.shown(&variable.path),
                    );
                    return Err(variable.fault(message));
                }
            }
        }
        declared.iter().try_for_each(|variable| self.add(variable.clone()))
    }

    /// Adds those of another layer.
    ///
    /// # Errors
    /// When a name was taken already.
    pub fn merge(&mut self, other: Variables) -> Result<(), Diagnostic> {
        other.list.into_values().try_for_each(|variable| self.add(variable))
    }

    fn add(&mut self, variable: Variable) -> Result<(), Diagnostic> {
        match self.list.get(&variable.name) {
            Some(known) => Err(variable
                .fault(format!("var '{}' already encountered", variable.name))
                .at(known.span, "and here")),
            None => {
                self.list.insert(variable.name.clone(), variable);
                Ok(())
            }
        }
    }

    /// Replaces them in the fields that the specs name.
    pub fn resolve(&self, set: &mut ResourceSet, specs: &[FieldSpec], context: &mut Context<'_>) {
        let values = match self.values(set) {
            Ok(values) if values.is_empty() => return,
            Ok(values) => values,
            Err(faults) => return context.sink.extend(faults),
        };
        let index = SpecIndex::new(specs);
        let mut replacer = Replacer { values, used: HashSet::new() };
        for resource in set.iter_mut() {
            let gvk = resource.gvk();
            let change = &mut |node: &mut Node| replacer.field(node);
            if let Err(error) = index.visit(&gvk, &mut resource.root, Make::Nothing, change) {
                context.sink.push(failed(&error, resource, None));
            }
        }
        for variable in self.list.values() {
            if !replacer.used.contains(&variable.name) {
                let name = &variable.name;
                let message = format!("well-defined vars that were never replaced: {name}");
                context.sink.push(
                    Diagnostic::warning("wharf::transform::unused_variable", message)
                        .at(variable.span, "declared here"),
                );
            }
        }
    }

    fn values(&self, set: &ResourceSet) -> Result<HashMap<Str, Node>, Diagnostics> {
        let mut bound: HashMap<&Str, usize> = HashMap::new();
        for (at, resource) in set.iter().enumerate() {
            for name in &resource.variables {
                bound.entry(name).or_insert(at);
            }
        }
        let mut faults = Diagnostics::new();
        let mut values = HashMap::new();
        for variable in self.list.values() {
            let shown = variable.shown(variable.path());
            let Some(at) = bound.get(&variable.name) else {
                faults.push(variable.fault(format!(
                    "var '{shown}' cannot be mapped to a field in the set of known resources"
                )));
                continue;
            };
            let steps = indexed(field_path::steps(variable.path()));
            match field_path::look_up(&set.get(*at).root, &steps) {
                Ok(Some(value)) => drop(values.insert(variable.name.clone(), value.clone())),
                _ => faults.push(variable.fault(format!(
                    "field specified in var '{shown}' not found in corresponding resource"
                ))),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }
}

/// Steps like `ports[0]` in two.
fn indexed(steps: Vec<String>) -> Vec<String> {
    let mut all = Vec::new();
    for step in steps {
        let cut = step.strip_suffix(']').and_then(|inner| inner.rsplit_once('['));
        match cut.filter(|(_, index)| {
            !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            Some((key, index)) => {
                all.extend((!key.is_empty()).then(|| key.to_owned()));
                all.push(index.to_owned());
            }
            None => all.push(step),
        }
    }
    all
}

struct Replacer {
    values: HashMap<Str, Node>,
    used: HashSet<Str>,
}

impl Replacer {
    fn field(&mut self, node: &mut Node) -> Result<(), FieldError> {
        match &mut node.value {
            Value::String(_) => self.text(node),
            Value::Map(map) => map.values_mut().for_each(|value| self.text(value)),
            Value::List(items) => {
                for item in items {
                    if item.as_str().is_none() {
                        return Err(FieldError("invalid value type expect a string".to_owned()));
                    }
                    self.text(item);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Replaces what stands in a text; other scalars stay.
    fn text(&mut self, node: &mut Node) {
        let Some(text) = node.as_str().filter(|text| text.contains('$')) else { return };
        if let Some(value) = self.replaced(text) {
            node.value = value;
        }
    }

    fn replaced(&mut self, text: &str) -> Option<Value> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, mark) = rest.split_at(at);
            out.push_str(before);
            let after = &mark[1..];
            rest = match after.as_bytes().first() {
                None => {
                    out.push('$');
                    after
                }
                Some(b'$') => {
                    out.push('$');
                    &after[1..]
                }
                Some(b'(') => match after.find(')') {
                    Some(end) => {
                        let name = &after[1..end];
                        let value = self.value(name);
                        if let Some(value) = &value
                            && text.len() == name.len() + 3
                        {
                            return Some(value.value.clone());
                        }
                        match &value {
                            Some(value) => out.push_str(&shown(value)),
                            None => out.push_str(&mark[..end + 2]),
                        }
                        &after[end + 1..]
                    }
                    None => {
                        out.push_str("$(");
                        &after[1..]
                    }
                },
                Some(_) => {
                    let next = after.chars().next().map_or(0, char::len_utf8);
                    out.push('$');
                    out.push_str(&after[..next]);
                    &after[next..]
                }
            };
        }
        out.push_str(rest);
        (out != text).then(|| Value::from(out))
    }

    /// The value of a name. Maps and lists cannot stand in a text.
    fn value(&mut self, name: &str) -> Option<Node> {
        let value = self.values.get(name)?;
        if matches!(value.value, Value::Map(_) | Value::List(_)) {
            return None;
        }
        self.used.insert(name.into());
        Some(value.clone())
    }
}

/// A value in the middle of a text, as Go prints it.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.to_string(),
        Value::Number(Number::Float(float)) => json::general(*float),
        _ => json::to_string(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;
    use crate::schema::Schemas;
    use crate::transform::config::Config;
    use crate::transform::set::{Resource, Scopes};
    use crate::transform::{Rules, set};
    use crate::yaml::parse_text;
    use serde_json::json;
    use std::sync::Arc;

    fn variables(text: &str) -> Vec<Variable> {
        let node = parse_text(text).expect("YAML");
        let mut reader = Reader::strict();
        let items = node.as_list().expect("a list").iter();
        let read = items.map(|item| Variable::read(&mut reader, item).expect("a variable"));
        read.collect()
    }

    /// What is said of variables, and the command of a pod afterwards.
    fn resolve(text: &str) -> (Vec<(&'static str, String)>, serde_json::Value) {
        let objects = [
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                "spec": {"ports": [{"port": 80}]}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                "spec": {"containers": [{"command": ["$(NAME)", "--port=$(PORT)"]}]}}),
        ];
        let of = |object: serde_json::Value| Resource::new(Node::from(object), Arc::default());
        let list = objects.map(of).into();
        let mut set = set::ResourceSet::unchecked(list, Scopes::kustomize().into());
        let mut all = Variables::default();
        let mut sink = Diagnostics::new();
        if let Err(fault) = all.declare(&variables(text), &mut set) {
            sink.push(fault);
        }
        let mut context = Context {
            sources: &Sources::new(),
            schemas: &Schemas::latest(),
            rules: Rules::Kustomize,
            sink: &mut sink,
        };
        all.resolve(&mut set, &Config::defaults().var_references, &mut context);
        let command = set.get(1).root.items_at(&["spec", "containers"])[0].get("command").cloned();
        let said = sink.iter().map(|it| (it.code, it.to_string())).collect();
        (said, (&command.expect("a command")).into())
    }

    #[test]
    fn variables_read_the_resources_that_they_are_bound_to() {
        let service = "objref: {apiVersion: v1, kind: Service, name: s}";
        let (said, command) = resolve(&format!(
            "- {{name: NAME, {service}}}\n\
             - {{name: PORT, {service}, fieldref: {{fieldpath: 'spec.ports[0].port'}}}}\n"
        ));
        assert_eq!((said, command), (vec![], json!(["s", "--port=80"])));
        for (text, code, expected) in [
            (
                format!("- {{name: OTHER, {service}}}"),
                "wharf::transform::unused_variable",
                "well-defined vars that were never replaced: OTHER",
            ),
            (
                format!("- {{name: NAME, {service}}}\n- {{name: NAME, {service}}}"),
                "wharf::transform::variable",
                "var 'NAME' already encountered",
            ),
            (
                "- {name: NAME, objref: {kind: Service, name: s}}".to_owned(),
                "wharf::transform::variable",
                "var '{NAME Service.[noVer].[noGrp] {metadata.name}}' cannot be mapped to a field \
                 in the set of known resources",
            ),
            (
                format!("- {{name: NAME, {service}, fieldref: {{fieldpath: spec.no}}}}"),
                "wharf::transform::variable",
                "field specified in var '{NAME Service.v1.[noGrp] {spec.no}}' not found in \
                 corresponding resource",
            ),
        ] {
            let (said, _) = resolve(&text);
            assert_eq!(said[0], (code, expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn names_in_parentheses_are_replaced() {
        for (text, expected) in [
            ("$(A)-1", json!("a-1")),
            ("$(N)", json!(8)),
            ("x$(N)", json!("x8")),
            ("$(B)", json!(true)),
            ("$(NONE)", json!("$(NONE)")),
            ("$$(A)_$(A)", json!("$(A)_a")),
            ("$A ${A} $", json!("$A ${A} $")),
            ("$(A)__$(A", json!("a__$(A")),
            ("$(A$(A))", json!("$(A$(A))")),
            ("$$$$(A)", json!("$$(A)")),
            ("$$$(A)", json!("$a")),
            ("--$($($(--", json!("--$($($(--")),
            ("$é$(A)", json!("$éa")),
            ("$(MAP)", json!("$(MAP)")),
        ] {
            let values =
                [("A", json!("a")), ("N", json!(8)), ("B", json!(true)), ("MAP", json!({"x": 1}))];
            let values = values.map(|(name, value)| (Str::from(name), Node::from(value)));
            let mut replacer = Replacer { values: values.into(), used: HashSet::new() };
            let mut node = Node::from(text);
            replacer.text(&mut node);
            assert_eq!(node, Node::from(expected), "{text}");
        }
    }
}
