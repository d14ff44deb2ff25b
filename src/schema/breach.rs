//! Faults of custom objects, worded as an API server words them.
//!
//! Follows k8s.io/kube-openapi `pkg/validation/validate` for the conditions and their texts, and
//! k8s.io/apiextensions-apiserver `pkg/apiserver/validation` for the reasons. [`super::validate`]
//! says the same to people who write packages, with spans and advice.

use super::cel;
use super::format;
use super::model::{Bound, Checks, Condition, Fields, Kind, ListType, Shape, Type};
use crate::yaml::{FieldPath, Map, Node, Str, Value, json};
use std::collections::HashSet;

/// Why a value is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It breaks a rule.
    Invalid,
    /// It must be there.
    Required,
    /// It is none of a few.
    NotSupported,
    /// It stands in its list twice.
    Duplicate,
    /// It has too many characters.
    TooLong,
    /// It has too many items or fields.
    TooMany,
    /// It is of another type.
    Type,
    /// It must not be there.
    Forbidden,
}

/// One fault of an object.
#[derive(Clone, PartialEq, Debug)]
pub struct Breach {
    /// Why.
    pub reason: Reason,
    /// Where; `<nil>` for the whole object.
    pub field: String,
    /// The value, as the message shows it.
    pub value: Option<Node>,
    /// The rule: a sentence, the values that are supported, or a limit.
    pub rule: String,
}

/// Every fault of an object. `old` is its state before, for rules about changes; `part` is the one
/// field that is written, if it is not the whole.
#[must_use]
pub fn breaches(object: &Node, old: Option<&Node>, part: Option<&str>, ty: &Type) -> Vec<Breach> {
    let mut judge = Judge { part, path: FieldPath::root(), found: Vec::new() };
    match part {
        None => {
            judge.value(object, old, ty);
            judge.lists(object, ty);
        }
        Some(key) => {
            if let (Some(value), Some(ty)) = (object.get(key), ty.property(key)) {
                judge.value(value, old.and_then(|old| old.get(key)), ty);
                judge.lists(value, ty);
            }
        }
    }
    let mut found = judge.found;
    let blocks = |breach: &Breach| {
        matches!(
            breach.reason,
            Reason::NotSupported
                | Reason::Required
                | Reason::TooLong
                | Reason::TooMany
                | Reason::Type
        )
    };
    if !found.iter().any(blocks) {
        found.extend(cel::judge(object, old, ty));
    } else if cel::has_rules(ty) {
        found.push(Breach {
            reason: Reason::Invalid,
            field: "<nil>".into(),
            value: Some(Node::NULL),
            rule: "some validation rules were not checked because the object was invalid; correct \
                   the existing errors to complete validation"
                .into(),
        });
    }
    found
}

struct Judge<'p> {
    /// The field that is judged; sentences speak of what is below it.
    part: Option<&'p str>,
    path: FieldPath,
    found: Vec<Breach>,
}

impl Judge<'_> {
    fn push(&mut self, reason: Reason, value: Option<Node>, rule: impl Into<String>) {
        let field = self.field();
        self.found.push(Breach { reason, field, value, rule: rule.into() });
    }

    fn field(&self) -> String {
        let path = self.path.to_string();
        match (self.part, path.as_str()) {
            (None, "") => "<nil>".into(),
            (None, _) => path,
            (Some(part), "") => part.into(),
            (Some(part), below) => format!("{part}.{below}"),
        }
    }

    /// A sentence about the field: `spec.n in body should be …`.
    fn invalid(&mut self, value: Node, what: &str) {
        let rule = format!("{} in body {what}", self.path);
        self.push(Reason::Invalid, Some(value), rule);
    }

    /// What an update leaves alone need not meet rules that came later.
    fn value(&mut self, node: &Node, old: Option<&Node>, ty: &Type) {
        if old == Some(node) {
            return;
        }
        let ty = ty.target();
        if node.is_null() {
            if !ty.is_nullable() && !matches!(ty.shape, Shape::Any) {
                self.wrong_type(node, ty.kind());
            }
            return;
        }
        match (&ty.shape, &node.value) {
            (Shape::Object(fields), Value::Map(map)) => self.object(map, old, fields),
            (Shape::List(items), Value::List(list)) => {
                for (index, item) in list.iter().enumerate() {
                    self.path.push_index(index);
                    self.value(item, cel::counterpart(item, old, ty), items);
                    self.path.pop();
                }
            }
            _ if fits(node, ty.kind()) => {}
            _ => return self.wrong_type(node, ty.kind()),
        }
        let allowed = ty.enumeration();
        if !allowed.is_empty() && !allowed.contains(node) {
            self.unsupported(node, allowed);
        }
        if let Some(format) = ty.format() {
            self.format(node, format);
        }
        if let Some(checks) = ty.checks() {
            self.checks(node, checks);
        }
    }

    fn object(&mut self, map: &Map, old: Option<&Node>, fields: &Fields) {
        for property in &fields.properties {
            if property.required && !map.contains_key(&property.key) {
                self.required(&property.key);
            }
        }
        for entry in map {
            // metadata has rules of its own
            if fields.embedded && matches!(entry.key.as_str(), "apiVersion" | "kind" | "metadata") {
                continue;
            }
            let known = fields.property(&entry.key).map(|property| &property.ty);
            let Some(ty) = known.or(fields.additional.as_ref()) else { continue };
            self.path.push_key(&entry.key);
            self.value(&entry.value, old.and_then(|old| old.get(&entry.key)), ty);
            self.path.pop();
        }
    }

    fn required(&mut self, key: &str) {
        self.path.push_key(key);
        self.push(Reason::Required, None, "");
        self.path.pop();
    }

    fn wrong_type(&mut self, node: &Node, kind: Kind) {
        let found = match &node.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_integral() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "object",
        };
        let rule = format!("{} in body must be of type {}: {found:?}", self.path, name(kind));
        self.push(Reason::Type, Some(found.into()), rule);
    }

    fn unsupported(&mut self, node: &Node, allowed: &[Node]) {
        let shown: Vec<String> = allowed
            .iter()
            .map(|value| match value.as_str() {
                Some(text) => format!("{text:?}"),
                None => format!("{:?}", json::to_string(value)),
            })
            .collect();
        self.push(Reason::NotSupported, Some(node.clone()), shown.join(", "));
    }

    fn format(&mut self, node: &Node, format: &str) {
        let holds = match (format, &node.value) {
            ("int32", Value::Number(number)) => {
                number.as_i64().is_none_or(|int| i32::try_from(int).is_ok())
            }
            (_, Value::String(text)) => format::holds(format, text),
            _ => true,
        };
        if !holds {
            let shown = json::to_string(node);
            let rule = format!("{} in body must be of type {format}: {shown}", self.path);
            self.push(Reason::Type, Some(node.clone()), rule);
        }
    }

    fn checks(&mut self, node: &Node, checks: &Checks) {
        match &node.value {
            Value::String(text) => self.text(text, node, checks),
            Value::Number(number) => self.number(number.as_f64(), node, checks),
            Value::List(items) => {
                let count = items.len() as u64;
                if checks.items.least.is_some_and(|least| count < least) {
                    let least = checks.items.least.unwrap_or_default();
                    self.invalid(count.into(), &format!("should have at least {least} items"));
                }
                if let Some(most) = checks.items.most.filter(|most| count > *most) {
                    self.too_many(count, most);
                }
            }
            Value::Map(map) => {
                let count = map.len() as u64;
                if checks.properties.least.is_some_and(|least| count < least) {
                    let least = checks.properties.least.unwrap_or_default();
                    let what = format!("should have at least {least} properties");
                    self.invalid(count.into(), &what);
                }
                if let Some(most) = checks.properties.most.filter(|most| count > *most) {
                    self.too_many(count, most);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(node, checks);
    }

    fn too_many(&mut self, count: u64, most: u64) {
        self.push(Reason::TooMany, Some(count.into()), most.to_string());
    }

    fn text(&mut self, text: &str, node: &Node, checks: &Checks) {
        let count = text.chars().count() as u64;
        if let Some(most) = checks.length.most.filter(|most| count > *most) {
            self.push(Reason::TooLong, None, most.to_string());
        }
        if let Some(least) = checks.length.least.filter(|least| count < *least) {
            self.invalid(node.clone(), &format!("should be at least {least} chars long"));
        }
        if let Some(pattern) = checks.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            self.invalid(node.clone(), &format!("should match '{pattern}'"));
        }
    }

    fn number(&mut self, value: f64, node: &Node, checks: &Checks) {
        let shown = |bound: &Bound| json::float(bound.value);
        if let Some(bound) = &checks.maximum
            && (value > bound.value || bound.exclusive && value >= bound.value)
        {
            let or = if bound.exclusive { "" } else { "or equal to " };
            self.invalid(node.clone(), &format!("should be less than {or}{}", shown(bound)));
        }
        if let Some(bound) = &checks.minimum
            && (value < bound.value || bound.exclusive && value <= bound.value)
        {
            let or = if bound.exclusive { "" } else { "or equal to " };
            self.invalid(node.clone(), &format!("should be greater than {or}{}", shown(bound)));
        }
        if let Some(factor) = checks.multiple_of
            && factor > 0.0
            && (value / factor).fract().abs() > 1e-9
        {
            let factor = json::float(factor);
            self.invalid(node.clone(), &format!("should be a multiple of {factor}"));
        }
    }

    fn combined(&mut self, node: &Node, checks: &Checks) {
        if !checks.any_of.is_empty() {
            let ways: Vec<Vec<Breach>> =
                checks.any_of.iter().map(|way| self.tried(node, way)).collect();
            if !ways.iter().any(Vec::is_empty) {
                self.whole("must validate at least one schema (anyOf)");
                // what the way lacks that came nearest
                let nearest = ways.into_iter().min_by_key(Vec::len);
                self.found.extend(nearest.unwrap_or_default());
            }
        }
        if !checks.one_of.is_empty() {
            let ways: Vec<Vec<Breach>> =
                checks.one_of.iter().map(|way| self.tried(node, way)).collect();
            let met = ways.iter().filter(|way| way.is_empty()).count();
            if met != 1 {
                let how = if met == 0 {
                    "Found none valid".to_owned()
                } else {
                    format!("Found {met} valid alternatives")
                };
                self.whole(&format!("must validate one and only one schema (oneOf). {how}"));
            }
            if met == 0 {
                let nearest = ways.into_iter().min_by_key(Vec::len);
                self.found.extend(nearest.unwrap_or_default());
            }
        }
        let mut lacking = Vec::new();
        for way in &checks.all_of {
            lacking.extend(self.tried(node, way));
        }
        if !lacking.is_empty() {
            self.found.extend(lacking);
            self.whole("must validate all the schemas (allOf)");
        }
        if checks.not.as_deref().is_some_and(|not| self.tried(node, not).is_empty()) {
            self.whole("must not validate the schema (not)");
        }
    }

    /// A fault that is about no field in particular.
    fn whole(&mut self, what: &str) {
        let rule = format!("\"{}\" {what}", self.path);
        let field = "<nil>".into();
        self.found.push(Breach { reason: Reason::Invalid, field, value: Some("".into()), rule });
    }

    /// What a value lacks to meet a condition.
    fn tried(&self, node: &Node, condition: &Condition) -> Vec<Breach> {
        let mut inner = Judge { part: self.part, path: self.path.clone(), found: Vec::new() };
        inner.condition(node, condition);
        inner.found
    }

    fn condition(&mut self, node: &Node, condition: &Condition) {
        if let Some(kind) = condition.kind
            && !fits(node, kind)
        {
            return self.wrong_type(node, kind);
        }
        if !condition.enumeration.is_empty() && !condition.enumeration.contains(node) {
            self.unsupported(node, &condition.enumeration);
        }
        if let Some(format) = &condition.format {
            self.format(node, format);
        }
        if let Some(map) = node.as_map() {
            for key in condition.required.iter().filter(|key| !map.contains_key(key)) {
                self.required(key);
            }
            for entry in map {
                let known = condition.properties.iter().find(|(key, _)| *key == entry.key);
                let inner = known.map(|(_, inner)| inner).or(condition.additional.as_deref());
                let Some(inner) = inner else { continue };
                self.path.push_key(&entry.key);
                self.condition(&entry.value, inner);
                self.path.pop();
            }
        }
        if let (Some(list), Some(inner)) = (node.as_list(), &condition.items) {
            for (index, item) in list.iter().enumerate() {
                self.path.push_index(index);
                self.condition(item, inner);
                self.path.pop();
            }
        }
        self.checks(node, &condition.checks);
    }

    /// Items of sets and keyed lists must differ.
    fn lists(&mut self, node: &Node, ty: &Type) {
        let ty = ty.target();
        match (&ty.shape, &node.value) {
            (Shape::Object(fields), Value::Map(map)) => {
                for entry in map {
                    let known = fields.property(&entry.key).map(|property| &property.ty);
                    let Some(ty) = known.or(fields.additional.as_ref()) else { continue };
                    self.path.push_key(&entry.key);
                    self.lists(&entry.value, ty);
                    self.path.pop();
                }
            }
            (Shape::List(items), Value::List(list)) => {
                match ty.list_type() {
                    ListType::Atomic => {}
                    ListType::Set => self.differ(list),
                    ListType::Map(keys) => self.keyed(list, keys),
                }
                for (index, item) in list.iter().enumerate() {
                    self.path.push_index(index);
                    self.lists(item, items);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn keyed(&mut self, list: &[Node], keys: &[Str]) {
        let identity = |item: &Node| -> Node {
            let parts = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
            parts.collect::<Map>().into()
        };
        let identities: Vec<Node> = list.iter().map(identity).collect();
        self.differ(&identities);
    }

    fn differ(&mut self, values: &[Node]) {
        let mut seen = HashSet::new();
        for (index, value) in values.iter().enumerate() {
            if !seen.insert(json::to_string(value)) {
                self.path.push_index(index);
                self.push(Reason::Duplicate, Some(value.clone()), "");
                self.path.pop();
            }
        }
    }
}

fn fits(node: &Node, kind: Kind) -> bool {
    match (kind, &node.value) {
        (Kind::Any, _)
        | (Kind::Object, Value::Map(_))
        | (Kind::List, Value::List(_))
        | (Kind::String | Kind::IntOrString | Kind::Quantity, Value::String(_))
        | (Kind::Number | Kind::Quantity, Value::Number(_))
        | (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Integer | Kind::IntOrString, Value::Number(number)) => number.is_integral(),
        _ => false,
    }
}

/// A type as JSON schema names it.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "any",
        Kind::Object => "object",
        Kind::List => "array",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::IntOrString => "integer,string",
        Kind::Quantity => "string,number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Schemas, structural};
    use serde_json::json;

    /// The faults of a spec, each as `reason field value rule`.
    fn check(
        schema: &serde_json::Value,
        spec: serde_json::Value,
        old: Option<serde_json::Value>,
    ) -> Vec<String> {
        let crd = Node::from(json!({"spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": schema},
            }}}],
        }}));
        let mut schemas = Schemas::latest();
        schemas.add_crd(&crd).expect("a sound definition");
        let ty = schemas.kind("example.com/v1", "Thing").expect("it was added");
        let object = |spec| Node::from(json!({"kind": "Thing", "spec": spec}));
        let mut new = object(spec);
        structural::prune(&mut new, ty);
        structural::default(&mut new, ty);
        let found = breaches(&new, old.map(object).as_ref(), None, ty);
        let shown = |breach: &Breach| {
            let value = breach.value.as_ref().map(json::to_string).unwrap_or_default();
            format!("{:?} {} {value} {}", breach.reason, breach.field, breach.rule)
        };
        found.iter().map(shown).collect()
    }

    #[test]
    fn faults_are_worded_as_a_server_words_them() {
        let schema = json!({"type": "object", "required": ["n"], "properties": {
            "n": {"type": "integer", "minimum": 1, "default": 1},
            "time": {"type": "string", "format": "date-time"},
            "list": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "required": ["k"],
                "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "way": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        }});
        let faults = |spec| check(&schema, spec, None);
        assert_eq!(faults(json!({"time": "2024-01-31T12:00:00Z", "way": {"a": "x"}})), [""; 0]);
        assert_eq!(
            faults(json!({"n": 0, "time": "now", "set": ["a", "a"]})),
            [
                "Invalid spec.n 0 spec.n in body should be greater than or equal to 1",
                "Type spec.time \"now\" spec.time in body must be of type date-time: \"now\"",
                "Duplicate spec.set[1] \"a\" ",
            ]
        );
        assert_eq!(
            faults(json!({"list": [{"k": "a"}, {"v": "1"}, {"k": "a"}], "way": {}})),
            [
                "Required spec.list[1].k  ",
                "Type spec.list[1].v \"string\" spec.list[1].v in body must be of type integer: \"string\"",
                "Invalid <nil> \"\" \"spec.way\" must validate one and only one schema (oneOf). Found none valid",
                "Required spec.way.a  ",
                "Duplicate spec.list[2] {\"k\":\"a\"} ",
            ]
        );
    }

    #[test]
    fn what_an_update_leaves_alone_is_not_judged() {
        let schema = json!({"type": "object", "properties": {
            "n": {"type": "integer", "maximum": 5}, "m": {"type": "integer"},
            "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]},
        }});
        let old = json!({"n": 9, "m": 1, "fixed": "a"});
        assert_eq!(check(&schema, json!({"n": 9, "m": 2}), Some(old.clone())), [""; 0]);
        assert_eq!(
            check(&schema, json!({"n": 8, "fixed": "b"}), Some(old)),
            [
                "Invalid spec.n 8 spec.n in body should be less than or equal to 5",
                "Invalid spec.fixed \"b\" failed rule: self == oldSelf",
            ]
        );
    }
}
