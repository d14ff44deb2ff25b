//! Checks a value against a type and reports every fault at once.
//!
//! What an API server accepts is accepted: a null is the same as an absent field, integral doubles
//! are integers. Faults point at the key or value, say what was expected, and suggest what to do.
//! Values of a Secret's data never stand in a message.

use super::format;
use super::model::{Fields, Kind, ListType, Shape, Type};
use super::place::Place;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::suggest;
use crate::yaml::{Map, Node, Number, Str, Value};
use std::collections::HashMap;

const UNKNOWN_FIELD: &str = "wharf::schema::unknown_field";
const WRONG_TYPE: &str = "wharf::schema::wrong_type";
const MISSING_FIELD: &str = "wharf::schema::missing_field";
const DUPLICATE_ITEM: &str = "wharf::schema::duplicate_item";
pub(super) const BAD_VALUE: &str = "wharf::schema::bad_value";

/// Looking for the place of a misplaced key costs more than all else; after so many faults nobody
/// reads the hints.
const HINTS: usize = 200;

/// Lists up to this length are searched for duplicates where they stand.
const FEW: usize = 12;

/// Reports all faults of a value of a type.
pub fn validate(node: &Node, ty: &Type, sink: &mut Diagnostics) {
    let is_secret = node.str_at(&["kind"]) == Some("Secret");
    let mut validator = Validator { sink, is_secret, quiet: false };
    validator.value(node, &Place::root(ty, node.span));
}

pub(super) struct Validator<'s> {
    pub(super) sink: &'s mut Diagnostics,
    is_secret: bool,
    /// Inside a Secret's data: values must not be shown.
    pub(super) quiet: bool,
}

impl Validator<'_> {
    fn value(&mut self, node: &Node, place: &Place) {
        let ty = place.ty.target();
        match (&ty.shape, &node.value) {
            (_, Value::Null) => return,
            (Shape::Object(fields), Value::Map(map)) => self.object(fields, map, place),
            (Shape::List(items), Value::List(list)) => self.list(items, list, place),
            (Shape::String | Shape::IntOrString, Value::String(_))
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::Number | Shape::Quantity, Value::Number(_))
            | (Shape::Any | Shape::Reference(_), _) => {}
            (Shape::Integer, Value::Number(number)) if number.is_integral() => {
                self.integer(*number, node, place);
            }
            (Shape::IntOrString, Value::Number(number)) if number.is_integral() => {
                if number.as_i64().and_then(|int| i32::try_from(int).ok()).is_none() {
                    self.bad(node, place, "a number of 32 bits", None);
                }
            }
            (Shape::Quantity, Value::String(text)) => {
                if !format::is_quantity(text) {
                    let help = quantity_help(text);
                    self.bad(node, place, "a quantity such as `500m`, `2` or `1Gi`", help);
                }
            }
            _ => return self.wrong_type(node, place),
        }
        if place.ty.rules.is_some() || ty.rules.is_some() {
            self.rules(node, place);
        }
    }

    fn object(&mut self, fields: &Fields, map: &Map, place: &Place) {
        let mut found = 0;
        let mut unknown = Vec::new();
        for entry in map {
            let ty = match (fields.property(&entry.key), &fields.additional) {
                (Some(property), _) => {
                    found += usize::from(property.required && !entry.value.is_null());
                    &property.ty
                }
                (None, Some(additional)) => additional,
                (None, None) if fields.open => continue,
                (None, None) => {
                    unknown.push(entry);
                    continue;
                }
            };
            let is_data = self.is_secret && place.parent.is_none();
            let quiet = is_data && matches!(entry.key.as_str(), "data" | "stringData");
            self.quiet |= quiet;
            self.value(&entry.value, &place.key(&entry.key, ty, entry.key_span));
            self.quiet &= !quiet;
        }
        let mut meant = Vec::new();
        for entry in unknown {
            let known = fields.properties.iter().map(|property| property.key.as_str());
            let known = known.filter(|key| !map.contains_key(key));
            let nearest = suggest::nearest(&entry.key, known);
            let hinted = self.sink.len() < HINTS;
            let slip = nearest.filter(|name| name.eq_ignore_ascii_case(&entry.key));
            let home = (slip.is_none() && hinted)
                .then(|| place.home_of(&entry.key, &entry.value))
                .flatten();
            let help = match (&home, nearest) {
                (Some(home), _) => Some(format!("`{}` belongs under {}", entry.key, tick(home))),
                (None, Some(name)) => Some(format!("did you mean `{name}`?")),
                (None, None) => known_keys(fields),
            };
            if home.is_none() {
                meant.extend(nearest);
            }
            let message = format!("unknown field `{}`", place.path_of(&entry.key));
            let label = "not a field of this kind";
            self.sink.push(
                Diagnostic::error(UNKNOWN_FIELD, message)
                    .at(entry.key_span, label)
                    .maybe_help(help),
            );
        }
        if found < fields.required {
            self.missing(fields, map, &meant, place);
        }
    }

    fn missing(&mut self, fields: &Fields, map: &Map, meant: &[&str], place: &Place) {
        for property in fields.properties.iter().filter(|property| property.required) {
            let entry = map.entry(&property.key);
            // a misspelt key has been reported already
            if entry.is_some_and(|entry| !entry.value.is_null()) || meant.contains(&&*property.key)
            {
                continue;
            }
            let message = format!("field `{}` is missing", place.path_of(&property.key));
            let (span, label) = match entry {
                Some(entry) => (entry.key_span, "has no value"),
                None => (place.span, "required here"),
            };
            let help = format!("add `{}`, {}", property.key, describe(property.ty.kind()));
            self.sink.push(Diagnostic::error(MISSING_FIELD, message).at(span, label).help(help));
        }
    }

    fn list(&mut self, items: &Type, list: &[Node], place: &Place) {
        for (index, item) in list.iter().enumerate() {
            let place = place.index(index, items, item.span);
            let needs = items.fields().is_some_and(|fields| fields.required > 0);
            if item.is_null() && needs && !items.is_nullable() {
                self.wrong_type(item, &place);
            }
            self.value(item, &place);
        }
        if list.len() < 2 {
            return;
        }
        match place.ty.list_type() {
            ListType::Atomic => {}
            ListType::Set => self.duplicates(list, place, &[], |item| identity(&[Some(item)])),
            ListType::Map(keys) => {
                let default = |key| place.ty.key_default(key);
                self.duplicates(list, place, keys, |item| {
                    let values: Vec<_> =
                        keys.iter().map(|key| item.get(key).or_else(|| default(key))).collect();
                    identity(&values)
                });
            }
        }
    }

    fn duplicates(
        &mut self,
        list: &[Node],
        place: &Place,
        keys: &[Str],
        identity: impl Fn(&Node) -> Option<String>,
    ) {
        if keys.len() == 1 && few_and_different(list, &keys[0]) {
            return;
        }
        let mut seen: HashMap<String, &Node> = HashMap::new();
        for (index, item) in list.iter().enumerate() {
            let Some(identity) = identity(item) else { continue };
            let Some(first) = seen.get(&identity) else {
                seen.insert(identity, item);
                continue;
            };
            let what = if keys.is_empty() {
                "a value that is there already".to_owned()
            } else {
                let keys: Vec<&str> = keys.iter().map(Str::as_str).collect();
                format!("the {} of another item", keys.join(" and "))
            };
            let path = place.path().index(index);
            let key = |node: &Node| {
                let map = node.as_map().filter(|_| !keys.is_empty());
                let entry = map.and_then(|map| map.entry(&keys[0]));
                entry.map_or(node.span, |entry| entry.key_span.to(entry.value.span))
            };
            self.sink.push(
                Diagnostic::error(DUPLICATE_ITEM, format!("`{path}` has {what}: {identity}"))
                    .at(key(item), "again here")
                    .at(key(first), "first here"),
            );
        }
    }

    fn integer(&mut self, number: Number, node: &Node, place: &Place) {
        let fits = match (place.ty.format(), number.as_i64()) {
            (_, None) => false,
            (Some("int32"), Some(int)) => i32::try_from(int).is_ok(),
            _ => true,
        };
        if !fits {
            let bits = if place.ty.format() == Some("int32") { "32" } else { "64" };
            self.bad(node, place, &format!("an integer of {bits} bits"), None);
        }
    }

    fn rules(&mut self, node: &Node, place: &Place) {
        let allowed = place.ty.enumeration();
        if !allowed.is_empty() && !allowed.contains(node) {
            let names: Vec<&str> = allowed.iter().filter_map(Node::as_str).collect();
            let given = node.as_str().unwrap_or_default();
            let nearest = suggest::did_you_mean(given, names.iter().copied());
            let shown: Vec<String> = allowed
                .iter()
                .filter(|value| value.as_str() != Some(""))
                .map(|value| format!("`{}`", shown(value)))
                .collect();
            self.bad(node, place, &format!("one of {}", shown.join(", ")), nearest);
        }
        if let (Some(format), Some(text)) = (place.ty.format(), node.as_str())
            && !(text.is_empty() && place.ty.checks().is_none())
            && !format::holds(format, text)
        {
            let help = (format == "byte")
                .then(|| "write plain text under `stringData`, or encode it with base64".to_owned())
                .filter(|_| self.quiet);
            self.bad(node, place, format::describe(format), help);
        }
        if let Some(checks) = place.ty.checks() {
            self.checks(node, checks, place);
        }
    }

    /// Reports a value of the right type that is not allowed.
    pub(super) fn bad(&mut self, node: &Node, place: &Place, must: &str, help: Option<String>) {
        let path = place.path();
        let message = if self.quiet || node.as_map().is_some() || node.as_list().is_some() {
            format!("`{path}` must be {must}")
        } else {
            format!("`{path}` must be {must}, not `{}`", shown(node))
        };
        let span = if node.span.is_none() { place.span } else { node.span };
        self.sink.push(Diagnostic::error(BAD_VALUE, message).at(span, "").maybe_help(help));
    }

    fn wrong_type(&mut self, node: &Node, place: &Place) {
        let expected = describe(place.ty.kind());
        let found = match node.kind() {
            "integer" => "an integer",
            "null" => "nothing",
            other => &format!("a {other}"),
        };
        let message = format!("`{}` must be {expected}, not {found}", place.path());
        let span = match node.value {
            // a label on a whole block hides the text around it
            Value::Map(_) | Value::List(_) | Value::Null => place.span,
            _ => node.span,
        };
        self.sink.push(
            Diagnostic::error(WRONG_TYPE, message)
                .at(
                    span,
                    format!("{} expected", expected.split(" such").next().unwrap_or_default()),
                )
                .maybe_help(type_help(node, place.ty.kind(), self.quiet)),
        );
    }
}

fn tick(path: &str) -> String {
    if path.contains(' ') { path.to_owned() } else { format!("`{path}`") }
}

/// The usual list: few items, each with a name of its own.
fn few_and_different(list: &[Node], key: &str) -> bool {
    let name = |at: usize| list[at].get(key).and_then(Node::as_str);
    let differs = |at: usize| name(at).is_some() && !(0..at).any(|before| name(before) == name(at));
    list.len() <= FEW && (0..list.len()).all(differs)
}

/// The text by which an item is told apart, or nothing when one of its keys is absent.
fn identity(values: &[Option<&Node>]) -> Option<String> {
    let texts: Option<Vec<String>> =
        values.iter().map(|value| value.filter(|node| !node.is_null()).map(shown)).collect();
    Some(texts?.join(", "))
}

/// A value in a message: short, on one line.
pub(super) fn shown(node: &Node) -> String {
    const LONGEST: usize = 60;
    let text = match &node.value {
        Value::String(text) => text.to_string(),
        _ => crate::yaml::json::to_string(node),
    };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain("…".chars()).collect()
}

pub(super) fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "any value",
        Kind::Object => "a map",
        Kind::List => "a list",
        Kind::String => "a string",
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::IntOrString => "an integer or a string",
        Kind::Quantity => "a quantity such as `500m`, `2` or `1Gi`",
    }
}

fn known_keys(fields: &Fields) -> Option<String> {
    const MOST: usize = 12;
    let keys: Vec<&str> = fields.properties.iter().map(|property| &*property.key).collect();
    match keys.len() {
        0 => Some("this map takes no fields".to_owned()),
        1..=MOST => Some(format!("known here: {}", keys.join(", "))),
        _ => None,
    }
}

fn type_help(node: &Node, expected: Kind, quiet: bool) -> Option<String> {
    match (expected, &node.value) {
        (Kind::Integer | Kind::Number, Value::String(text)) => {
            let number = text.parse::<f64>().is_ok_and(f64::is_finite);
            (number && !quiet).then(|| format!("remove the quotes: {text}"))
        }
        (Kind::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some("remove the quotes: true".to_owned()),
            "false" | "no" | "off" | "n" => Some("remove the quotes: false".to_owned()),
            _ => None,
        },
        (Kind::String, Value::Bool(_)) => {
            Some("put it in quotes; YAML reads yes, no, on and off as booleans".to_owned())
        }
        (Kind::String, Value::Number(_)) => Some("put it in quotes".to_owned()),
        (Kind::List, Value::Map(_)) => {
            Some("to make it a list of one, put `- ` before its first key".to_owned())
        }
        (Kind::List, _) => Some("to make it a list of one, put `- ` before it".to_owned()),
        (Kind::Object, Value::List(_)) => Some("write `key: value` lines without `- `".to_owned()),
        (Kind::Object, Value::String(text)) if text.contains([':', '=']) => {
            Some("write `key: value`, with a space after the colon".to_owned())
        }
        _ => None,
    }
}

/// The slips that quantities invite: units of other tools.
fn quantity_help(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let meant = match unit.trim().to_ascii_lowercase().as_str() {
        "gb" | "g" => "G",
        "gib" | "gi" => "Gi",
        "mb" => "M",
        "mib" | "mi" => "Mi",
        "kb" => "k",
        "kib" | "ki" => "Ki",
        _ => return None,
    };
    (!number.is_empty()).then(|| format!("did you mean `{number}{meant}`?"))
}

#[cfg(test)]
mod tests;
