//! `replacements`: the value of one field, written into fields of other resources.
//!
//! A scalar that is written over keeps its type: a number stays a number, a text stays a text,
//! whatever the source is. A field that is made takes the type that its text has in YAML.
//!
//! A path may lead on into a text that holds YAML or JSON; [`structured`] changes that.

mod read;
mod structured;
#[cfg(test)]
mod tests;

pub use read::read_all;

use super::field_path::{self, Missing};
use super::field_spec::FieldError;
use super::set::{Id, Pattern, Resource, ResourceSet, Select};
use super::{Context, Transformer};
use crate::base::diag::Diagnostic;
use crate::base::source::{Sources, Span};
use crate::base::suggest;
use crate::object::{Gvk, meta};
use crate::yaml::{self, Dialect, Node, Str, Value};

/// The field that is meant where none is named.
const NAME: &str = "metadata.name";

/// One value and where it goes.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// Where the value comes from.
    pub source: Source,
    /// Where it goes.
    pub targets: Vec<Target>,
    /// Where it was asked for.
    pub span: Span,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It was written out.
    Value(Node),
    /// A field of a resource.
    Field(Box<SourceField>),
}

/// A value on its way into fields.
struct Given {
    /// What takes the place of a map or list.
    whole: Node,
    /// What takes the place of a scalar; maps and lists have no text.
    text: String,
}

/// The field of the one resource that has a kind, name and namespace.
#[derive(Clone, Debug, Default)]
pub struct SourceField {
    /// The kind; empty parts fit any.
    pub gvk: Gvk,
    /// The name, of now or before; empty for any.
    pub name: Str,
    /// The namespace, of now or before; empty for any.
    pub namespace: Str,
    /// The path of the field; empty for the name.
    pub path: String,
    /// Which part of it.
    pub options: Options,
}

/// Fields of some resources.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The resources.
    pub select: Select,
    /// Not those.
    pub reject: Vec<Select>,
    /// The paths of the fields; none for the name.
    pub paths: Vec<String>,
    /// Which part of them.
    pub options: Options,
    /// Where it was asked for.
    pub span: Span,
}

/// Which part of a text is meant, and whether a field is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What stands between parts; empty for the whole text.
    pub delimiter: String,
    /// Which part. In a target, before the first is in front and after the last is behind.
    pub index: i64,
    /// Make the field where it is absent.
    pub create: bool,
}

impl Transformer for Vec<Replacement> {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        for replacement in self {
            if let Err(fault) = replacement.apply(set, context.sources) {
                context.sink.push(fault);
            }
        }
    }
}

impl Replacement {
    fn apply(&self, set: &mut ResourceSet, sources: &Sources) -> Result<(), Diagnostic> {
        let fault = |error: &FieldError, span: Span| {
            let at = if span.is_none() { self.span } else { span };
            Diagnostic::error("wharf::transform::replacement", error.to_string())
                .at(at, "asked for here")
        };
        let value = match &self.source {
            Source::Value(text) => {
                let text = field_path::text(text);
                Given { whole: yaml::plain_scalar(&text).into(), text }
            }
            Source::Field(field) => {
                let value = field.value(set, sources).map_err(|error| fault(&error, self.span));
                value.map_err(|fault| fault.maybe_help(field.nearest(set)))?
            }
        };
        for target in &self.targets {
            for at in target.candidates(set) {
                if !target.chooses(set.get(at), set) {
                    continue;
                }
                set.edit(at, |resource| target.write(&mut resource.root, &value, sources))
                    .map_err(|error| {
                        let resource = set.get(at);
                        fault(&error, target.span)
                            .at(resource.root.span, "into this object")
                            .note(format!("the object is {}", resource.id(set.scopes())))
                            .maybe_help(target.nearest(&resource.root))
                    })?;
            }
        }
        Ok(())
    }
}

impl SourceField {
    /// The value, or the part of it that is meant.
    fn value(&self, set: &mut ResourceSet, sources: &Sources) -> Result<Given, FieldError> {
        let node = self.resource(set)?;
        let path = if self.path.is_empty() { NAME } else { &self.path };
        let found = field_path::look_up(&node.root, &field_path::steps(path))
            .map_err(|error| FieldError(format!("error looking up replacement source: {error}")))?;
        let is_empty = |node: &Node| match &node.value {
            Value::Null => true,
            Value::Map(map) => map.is_empty(),
            Value::List(items) => items.is_empty(),
            _ => false,
        };
        let Some(found) = found.filter(|found| !is_empty(found)) else {
            let id = self.id();
            let message = format!("fieldPath `{path}` is missing for replacement source {id}");
            return Err(FieldError(message));
        };
        let Options { delimiter, index, .. } = &self.options;
        if delimiter.is_empty() {
            return Ok(Given { whole: found.clone(), text: written(found, sources) });
        }
        if matches!(found.value, Value::Map(_) | Value::List(_)) {
            return Err(only_scalars());
        }
        let text = written(found, sources);
        let part = usize::try_from(*index).ok().and_then(|index| text.split(delimiter).nth(index));
        match part {
            Some(part) => {
                let whole = Node::new(part, found.span);
                Ok(Given { whole, text: part.to_owned() })
            }
            None => {
                let message = format!("options.index {index} is out of bounds for value {text}");
                Err(FieldError(message))
            }
        }
    }

    fn resource<'s>(&self, set: &'s mut ResourceSet) -> Result<&'s Resource, FieldError> {
        let candidates = match self.name.as_str() {
            "" => (0..set.len()).collect(),
            name => set.named(name),
        };
        let fits = |id: &Id| {
            super::field_spec::selects(&self.gvk, &id.gvk)
                && (self.name.is_empty() || self.name == id.name)
                && (self.namespace.is_empty() || self.namespace == id.effective_namespace())
        };
        let scopes = set.scopes().clone();
        let is_meant = |at: &usize| {
            let resource = set.get(*at);
            fits(&resource.id(&scopes)) || resource.past_ids().any(|id| fits(&id))
        };
        let mut meant = candidates.into_iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(at), None) => Ok(set.get(at)),
            (None, _) => Err(FieldError(format!("nothing selected by {}", self.shown()))),
            _ => Err(FieldError(format!("multiple matches for selector {}", self.shown()))),
        }
    }

    /// What may have been meant, where there is no such resource or field.
    fn nearest(&self, set: &mut ResourceSet) -> Option<String> {
        if let Ok(resource) = self.resource(set) {
            let path = if self.path.is_empty() { NAME } else { &self.path };
            return field_path::nearest(&resource.root, &field_path::steps(path));
        }
        let of_kind = |resource: &&Resource| super::field_spec::selects(&self.gvk, &resource.gvk());
        let names: Vec<&str> = set.iter().filter(of_kind).map(|it| it.name()).take(10).collect();
        let kind = &self.gvk.kind;
        let known = || format!("there is {kind} {}", names.join(", "));
        let near = suggest::did_you_mean(&self.name, names.iter().copied());
        near.or_else(|| (!names.is_empty()).then(known))
    }

    fn id(&self) -> Id {
        let SourceField { gvk, name, namespace, .. } = self.clone();
        Id { gvk, name, namespace, cluster_wide: false }
    }

    fn shown(&self) -> String {
        let mut text = self.id().to_string();
        let Options { delimiter, index, create } = &self.options;
        if !self.path.is_empty() {
            text = format!("{text}:{}", self.path);
        }
        if !delimiter.is_empty() || *create {
            text = format!("{text}:{delimiter}({index}), create={create}");
        }
        text
    }
}

impl Target {
    fn candidates(&self, set: &mut ResourceSet) -> Vec<usize> {
        match self.select.name.as_ref().and_then(Pattern::literal) {
            Some(name) => set.named(name),
            None => (0..set.len()).collect(),
        }
    }

    /// What a path that leads to nothing may have meant.
    fn nearest(&self, root: &Node) -> Option<String> {
        self.paths.iter().find_map(|path| field_path::nearest(root, &field_path::steps(path)))
    }

    /// True when the resource is selected by one of its ids, and rejected by none.
    fn chooses(&self, resource: &Resource, set: &ResourceSet) -> bool {
        let labelled = |select: &Select| {
            let annotations = resource.root.at(&["metadata", "annotations"]);
            select.labels.as_ref().is_none_or(|it| it.matches(meta::labels(&resource.root)))
                && select
                    .annotations
                    .as_ref()
                    .is_none_or(|it| it.matches(annotations.and_then(Node::as_map)))
        };
        let has_labels = |select: &&Select| select.labels.is_some() || select.annotations.is_some();
        if !labelled(&self.select) || self.reject.iter().filter(has_labels).any(labelled) {
            return false;
        }
        let ids: Vec<Id> =
            std::iter::once(resource.id(set.scopes())).chain(resource.past_ids()).collect();
        let fits = |select: &Select| ids.iter().any(|id| names(select, id));
        let has_id = |select: &&Select| {
            let Select { group, version, kind, name, namespace, .. } = select;
            [group, version, kind, name, namespace].iter().any(|part| part.is_some())
        };
        fits(&self.select) && !self.reject.iter().filter(has_id).any(fits)
    }

    fn write(&self, root: &mut Node, value: &Given, sources: &Sources) -> Result<(), FieldError> {
        let missing = match (self.options.create, &value.whole.value) {
            (false, _) => Missing::Stays,
            (true, Value::Map(_)) => Missing::Map,
            (true, Value::List(_)) => Missing::List,
            (true, _) => Missing::Scalar,
        };
        let named = [NAME.to_owned()];
        let paths = if self.paths.is_empty() { &named[..] } else { &self.paths };
        for path in paths {
            let steps = field_path::steps(path);
            if structured::write(root, &steps, value, missing, sources)? {
                continue;
            }
            let how = if self.options.create { "find or create" } else { "find" };
            let lost = format!("unable to {how} field \"{path}\" in replacement target");
            let found = field_path::find(root, &steps, missing)
                .map_err(|error| FieldError(format!("{lost}: {error}")))?;
            if found.places.is_empty() && !found.is_inside_text {
                return Err(FieldError(lost));
            }
            for place in found.places {
                let node = field_path::at(root, &place).expect("a place that was found");
                self.set(node, value, sources)?;
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, value: &Given, sources: &Sources) -> Result<(), FieldError> {
        let Options { delimiter, index, .. } = &self.options;
        if delimiter.is_empty() {
            return put(node, value);
        }
        if matches!(node.value, Value::Map(_) | Value::List(_)) {
            return Err(only_scalars());
        }
        let old = written(node, sources);
        let mut parts: Vec<&str> = old.split(delimiter).collect();
        match usize::try_from(*index) {
            Err(_) => parts.insert(0, &value.text),
            Ok(index) => match parts.get_mut(index) {
                Some(part) => *part = &value.text,
                None => parts.push(&value.text),
            },
        }
        let text = parts.join(delimiter);
        put(node, &Given { whole: value.whole.clone(), text })
    }
}

/// True when an id is meant. Namespaces are compared as they are written.
fn names(select: &Select, id: &Id) -> bool {
    let fits = |pattern: &Option<Pattern>, text: &str| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
    };
    select.matches_gvk(&id.gvk)
        && fits(&select.name, &id.name)
        && fits(&select.namespace, &id.namespace)
}

/// Writes a value over a node: a scalar keeps its type.
fn put(node: &mut Node, value: &Given) -> Result<(), FieldError> {
    if matches!(node.value, Value::Map(_) | Value::List(_)) {
        node.clone_from(&value.whole);
        return Ok(());
    }
    let typed = match tag(node) {
        "" if value.text.is_empty() => Ok(Value::from("")),
        "" => Ok(yaml::plain_scalar(&value.text)),
        tag => yaml::tagged(tag, &value.text, Dialect::GoYamlV3),
    };
    let typed = typed.map_err(|error| FieldError(format!("yaml: {error}")))?;
    node.value = typed;
    node.span = value.whole.span;
    Ok(())
}

/// The type of a scalar; one that was just made has none.
fn tag(node: &Node) -> &'static str {
    match &node.value {
        Value::Bool(_) => "!!bool",
        Value::Number(number) if number.is_integral() && number.as_i64().is_some() => "!!int",
        Value::Number(_) => "!!float",
        Value::Null if node.span.is_none() => "",
        Value::Null => "!!null",
        Value::String(_) | Value::Map(_) | Value::List(_) => "!!str",
    }
}

/// A scalar as it was written, as far as that is known: `1.10`, not `1.1`.
fn written(node: &Node, sources: &Sources) -> String {
    if matches!(node.value, Value::Number(_) | Value::Bool(_))
        && let Some(text) = sources.slice(node.span)
        && yaml::plain_scalar(&text) == node.value
    {
        return text;
    }
    field_path::text(node)
}

fn only_scalars() -> FieldError {
    FieldError("delimiter option can only be used with scalar nodes".to_owned())
}
