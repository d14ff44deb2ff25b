//! What a value is made of, by its schema: which parts have an owner of their own.
//!
//! A part is a *leaf* (scalars, atomic lists and maps), or has parts of its own: the fields of a
//! map, the items of a list that are told apart by keys, the values of a set. Where no schema says
//! what a value is, its shape does: maps have parts, lists are leaves.
//!
//! [`field_set`], [`compare`] and [`check`] walk values so; `typed_merge` and `remove` change them.

use super::field_set::{FieldSet, PathElement, Scalar};
use crate::base::source::Span;
use crate::schema::{Kind, ListType, Type};
use crate::yaml::{Map, Node, Str, Value, json};
use std::collections::{HashMap, HashSet};

/// What is known of a value; nothing when no schema says what it is.
pub(super) type Known<'t> = Option<&'t Type>;

/// How a value is divided.
#[derive(Clone, Copy)]
pub(super) enum Form<'t> {
    /// As a whole.
    Leaf,
    /// By the fields of a map.
    Map,
    /// By the values of a set.
    Set,
    /// By the keys of the items.
    Keyed(&'t [Str]),
}

/// How a value of this type is divided.
pub(super) fn form<'t>(ty: Known<'t>, node: &Node) -> Form<'t> {
    let kind = ty.map_or(Kind::Any, Type::kind);
    match (&node.value, kind) {
        (Value::Map(_), Kind::Any) => Form::Map,
        (Value::Map(_) | Value::Null, Kind::Object) if !ty.is_some_and(Type::is_atomic_map) => {
            Form::Map
        }
        (Value::List(_) | Value::Null, Kind::List) => match ty.map(Type::list_type) {
            Some(ListType::Map(keys)) => Form::Keyed(keys),
            Some(ListType::Set) => Form::Set,
            _ => Form::Leaf,
        },
        _ => Form::Leaf,
    }
}

/// What is known of a field of a map.
pub(super) fn field<'t>(ty: Known<'t>, key: &str) -> Known<'t> {
    ty?.field(key)
}

/// True when the schema names the field, rather than allowing any key.
pub(super) fn is_named(ty: Known<'_>, key: &str) -> bool {
    ty.is_some_and(|ty| ty.property(key).is_some())
}

/// What is known of a part.
pub(super) fn part<'t>(ty: Known<'t>, element: &PathElement) -> Known<'t> {
    match element {
        PathElement::Field(name) => field(ty, name),
        _ => ty.and_then(Type::items),
    }
}

/// The element that an item of a list is found by.
///
/// # Errors
/// Why there is none, in the words of Kubernetes.
pub(super) fn element(ty: Known<'_>, form: Form<'_>, item: &Node) -> Result<PathElement, String> {
    let Form::Keyed(keys) = form else {
        return match &item.value {
            Value::Map(_) => {
                Err("associative list without keys has an element that's a map type".into())
            }
            Value::List(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => {
                Err("associative list without keys has an element that's an explicit null".into())
            }
            _ => Ok(PathElement::Value(Scalar::of(item).unwrap_or(Scalar::Null))),
        };
    };
    if item.is_null() {
        return Err("associative list with keys may not have a null element".into());
    }
    let Some(map) = item.as_map() else {
        return Err("associative list with keys may not have non-map elements".into());
    };
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let given = map.get(key).filter(|value| !value.is_null());
        let value = given.or_else(|| ty.and_then(|ty| ty.key_default(key)));
        if let Some(value) = value {
            found.push((key.clone(), Scalar::of(value).unwrap_or(Scalar::Null)));
        }
    }
    if found.is_empty() {
        let names: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't \
             have default values for any key fields)",
            names.join(" ")
        ));
    }
    found.sort();
    Ok(PathElement::Key(found))
}

/// The items of a list by their elements, in the order of the list; later ones of the same element
/// and those without one are left out.
pub(super) fn items<'n>(
    ty: Known<'_>,
    form: Form<'_>,
    list: &'n [Node],
) -> (Vec<PathElement>, HashMap<PathElement, &'n Node>) {
    let mut order = Vec::with_capacity(list.len());
    let mut found = HashMap::with_capacity(list.len());
    for item in list {
        let Ok(element) = element(ty, form, item) else { continue };
        found.entry(element).or_insert_with_key(|element| {
            order.push(element.clone());
            item
        });
    }
    (order, found)
}

/// The fields of a value, as its owner holds them.
pub(super) fn field_set(node: &Node, ty: Known<'_>) -> FieldSet {
    let mut set = FieldSet::new();
    match (form(ty, node), &node.value) {
        (Form::Map, Value::Map(map)) => {
            for entry in map {
                let inner = field(ty, &entry.key);
                let leaf = matches!(form(inner, &entry.value), Form::Leaf);
                let empty =
                    entry.value.is_null() || entry.value.as_map().is_some_and(Map::is_empty);
                let member = leaf || empty || !is_named(ty, &entry.key);
                let below = if leaf { FieldSet::new() } else { field_set(&entry.value, inner) };
                set.put(PathElement::Field(entry.key.clone()), member, below);
            }
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::List(list)) => {
            let inner = ty.and_then(Type::items);
            let (order, found) = items(ty, form, list);
            for element in order {
                let below = field_set(found[&element], inner);
                set.put(element, true, below);
            }
        }
        _ => {}
    }
    set
}

/// What differs between two values.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Fields that only the second has.
    pub(super) added: FieldSet,
    /// Fields with another value.
    pub(super) modified: FieldSet,
    /// Fields that only the first has.
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// What is left when fields and what lies below them do not count.
    pub(super) fn without(self, fields: &FieldSet) -> Comparison {
        Comparison {
            added: self.added.without_below(fields),
            modified: self.modified.without_below(fields),
            removed: self.removed.without_below(fields),
        }
    }

    /// What the second has and the first has not, or not so.
    pub(super) fn changed(&self) -> FieldSet {
        self.modified.union(&self.added)
    }
}

/// Compares two values field by field.
pub(super) fn compare(old: &Node, new: &Node, ty: Known<'_>) -> Comparison {
    let mut found = Comparison::default();
    parts(Some(old), Some(new), ty, &mut found);
    found
}

fn compare_part(
    element: PathElement,
    old: Option<&Node>,
    new: Option<&Node>,
    ty: Known<'_>,
    found: &mut Comparison,
) {
    let mut below = Comparison::default();
    let divided = parts(old, new, ty, &mut below);
    let (added, removed) = (old.is_none(), new.is_none());
    let modified = !divided && !added && !removed && old != new;
    found.added.put(element.clone(), added, below.added);
    found.removed.put(element.clone(), removed, below.removed);
    found.modified.put(element, modified, below.modified);
}

/// Compares the parts of two values; false when the values are leaves.
fn parts(old: Option<&Node>, new: Option<&Node>, ty: Known<'_>, found: &mut Comparison) -> bool {
    let is_empty = |node: Option<&Node>| match node.map(|node| &node.value) {
        None | Some(Value::Null) => true,
        Some(Value::List(items)) => items.is_empty(),
        Some(Value::Map(map)) => map.is_empty(),
        Some(_) => false,
    };
    // two empty values are leaves, so that an empty map and no map can be told apart
    if is_empty(old) && is_empty(new) {
        return false;
    }
    // null takes the shape of the other
    let shape = [new, old].into_iter().flatten().find(|node| !node.is_null());
    let Some(shape) = shape else { return false };
    let form = form(ty, shape);
    match form {
        Form::Leaf => false,
        Form::Map => {
            let none = Map::new();
            let before = old.and_then(Node::as_map).unwrap_or(&none);
            let after = new.and_then(Node::as_map).unwrap_or(&none);
            if old.is_some_and(|node| !node.is_null() && node.as_map().is_none()) {
                return false;
            }
            for entry in after {
                let element = PathElement::Field(entry.key.clone());
                let inner = field(ty, &entry.key);
                compare_part(element, before.get(&entry.key), Some(&entry.value), inner, found);
            }
            for entry in before.iter().filter(|entry| !after.contains_key(&entry.key)) {
                let element = PathElement::Field(entry.key.clone());
                compare_part(element, Some(&entry.value), None, field(ty, &entry.key), found);
            }
            true
        }
        Form::Set | Form::Keyed(_) => {
            let before = old.and_then(Node::as_list).unwrap_or_default();
            let after = new.and_then(Node::as_list).unwrap_or_default();
            let (before_order, before) = items(ty, form, before);
            let (after_order, after) = items(ty, form, after);
            let inner = ty.and_then(Type::items);
            for element in after_order {
                let (old, new) = (before.get(&element).copied(), after.get(&element).copied());
                compare_part(element, old, new, inner, found);
            }
            for element in before_order {
                if !after.contains_key(&element) {
                    let old = before.get(&element).copied();
                    compare_part(element, old, None, inner, found);
                }
            }
            true
        }
    }
}

/// One thing that keeps a value from having its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFault {
    /// The field, in Kubernetes' notation; empty for the whole value.
    pub path: String,
    /// What is wrong, in the words of Kubernetes.
    pub message: String,
    /// Where it was written.
    pub span: Span,
}

/// Everything that keeps a value from having its type, as server-side apply sees it: fields that
/// the schema does not have, values of another kind, list items that cannot be told apart.
pub(super) fn check(node: &Node, ty: Known<'_>) -> Vec<TypeFault> {
    let mut faults = Vec::new();
    check_value(node, ty, "", &mut faults);
    faults
}

fn check_value(node: &Node, ty: Known<'_>, path: &str, faults: &mut Vec<TypeFault>) {
    let Some(ty) = ty else { return };
    let mut fault = |path: &str, message: String, span: Span| {
        faults.push(TypeFault { path: path.to_owned(), message, span });
    };
    let go = |node: &Node| format!("&value.valueUnstructured{{Value:{}}}", json::to_string(node));
    match (ty.kind(), &node.value) {
        (Kind::Any, _) | (_, Value::Null) => {}
        (Kind::Object, Value::Map(map)) => {
            // one undeclared field ends the reading of its map
            let undeclared = map.iter().filter(|entry| ty.field(&entry.key).is_none());
            let first = undeclared.min_by(|a, b| a.key.cmp(&b.key));
            if let Some(entry) = first.filter(|_| !ty.preserves_unknown()) {
                let inner = format!("{path}.{}", entry.key);
                fault(&inner, "field not declared in schema".into(), entry.key_span);
                return;
            }
            for entry in map {
                let inner = format!("{path}.{}", entry.key);
                check_value(&entry.value, ty.field(&entry.key), &inner, faults);
            }
        }
        (Kind::List, Value::List(list)) => {
            let item_type = ty.items();
            let form = form(Some(ty), node);
            let mut seen = HashSet::new();
            for (at, item) in list.iter().enumerate() {
                let inner = match form {
                    Form::Leaf | Form::Map => PathElement::Index(i64::try_from(at).unwrap_or(0)),
                    _ => match element(Some(ty), form, item) {
                        Ok(element) => element,
                        Err(message) => {
                            let message = format!("element {at}: {message}");
                            faults.push(TypeFault { path: path.into(), message, span: item.span });
                            continue;
                        }
                    },
                };
                if !seen.insert(inner.clone()) {
                    let message = format!("duplicate entries for key {inner}");
                    faults.push(TypeFault { path: path.into(), message, span: item.span });
                }
                check_value(item, item_type, &format!("{path}{inner}"), faults);
            }
        }
        (Kind::Object, _) => fault(path, format!("expected map, got {}", go(node)), node.span),
        (Kind::List, _) => fault(path, format!("expected list, got {}", go(node)), node.span),
        (Kind::String, value) if !matches!(value, Value::String(_)) => {
            fault(path, format!("expected string, got {}", go(node)), node.span);
        }
        (Kind::Integer | Kind::Number, value) if !matches!(value, Value::Number(_)) => {
            let message = format!("expected numeric (int or float), got {}", node.kind());
            fault(path, message, node.span);
        }
        (Kind::Boolean, value) if !matches!(value, Value::Bool(_)) => {
            fault(path, format!("expected boolean, got {}", go(node)), node.span);
        }
        (Kind::IntOrString | Kind::Quantity, Value::Map(_) | Value::List(_)) => {
            fault(path, format!("expected scalar, got {}", go(node)), node.span);
        }
        _ => {}
    }
}
