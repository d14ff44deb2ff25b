//! Structural schemas of `CustomResourceDefinition`s, compiled to types.
//!
//! Rules in CEL (`x-kubernetes-validations`) are compiled with them; who validates a package leaves
//! them to the API server.

use super::cel;
use super::model::{
    Bound, Checks, Condition, Fields, Kind, ListKind, Property, Range, Rules, Shape, Type,
};
use super::registry::Schemas;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Span;
use crate::yaml::{FieldPath, Node, Str};
use regex::Regex;

const CODE: &str = "wharf::schema::bad_crd";

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an \
    object. Servers should convert recognized schemas to the latest internal value, and may reject \
    unrecognized values. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";

const KIND: &str = "Kind is a string value representing the REST resource this object represents. \
    Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In \
    CamelCase. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

const METADATA: &str = "Standard object's metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// Schemas nested deeper than this are refused; an API server's own limit is far below.
const DEPTH: usize = 200;

impl Schemas {
    /// Adds the kinds of a `CustomResourceDefinition`, one for each version that it serves.
    ///
    /// # Errors
    /// Every fault of the definition; the versions without a fault are added all the same.
    pub fn add_crd(&mut self, crd: &Node) -> Result<(), Diagnostics> {
        let mut faults = Diagnostics::new();
        let (Some(group), Some(kind)) =
            (crd.str_at(&["spec", "group"]), crd.str_at(&["spec", "names", "kind"]))
        else {
            let message = "a CustomResourceDefinition needs `spec.group` and `spec.names.kind`";
            return Err(Diagnostic::error(CODE, message).at(crd.span, "in this object").into());
        };
        let legacy = crd.str_at(&["apiVersion"]).is_some_and(|v| v.ends_with("v1beta1"));
        let open = crd.at(&["spec", "preserveUnknownFields"]).and_then(Node::as_bool) == Some(true);
        let shared = crd.at(&["spec", "validation", "openAPIV3Schema"]);
        let name = crd.str_at(&["spec", "version"]).unwrap_or_default();
        let single = Node::from(serde_json::json!({ "name": name }));
        let listed = crd.items_at(&["spec", "versions"]);
        let versions = if listed.is_empty() { std::slice::from_ref(&single) } else { listed };
        for (index, version) in versions.iter().enumerate() {
            let Some(name) = version.str_at(&["name"]) else { continue };
            if version.get("served").and_then(Node::as_bool) == Some(false) {
                continue;
            }
            let own = version.at(&["schema", "openAPIV3Schema"]);
            let mut compiler = Compiler {
                schemas: self,
                faults: Diagnostics::new(),
                path: FieldPath::root()
                    .key("spec")
                    .key("versions")
                    .index(index)
                    .key("schema")
                    .key("openAPIV3Schema"),
                legacy,
                open,
                depth: 0,
            };
            let mut ty = match own.or(shared) {
                Some(schema) => compiler.node(schema),
                None => Type { shape: Shape::Object(Box::new(open_fields())), rules: None },
            };
            compiler.embed(&mut ty, false);
            faults.extend(compiler.faults);
            self.insert(format!("{group}/{name}").into(), kind.into(), ty);
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

fn open_fields() -> Fields {
    Fields { open: true, ..Fields::default() }
}

fn flag(schema: &Node, key: &str) -> bool {
    schema.get(key).and_then(Node::as_bool) == Some(true)
}

fn texts(schema: &Node, key: &str) -> Vec<Str> {
    schema.items_at(&[key]).iter().filter_map(|node| node.as_str().map(Str::from)).collect()
}

struct Compiler<'a> {
    schemas: &'a Schemas,
    faults: Diagnostics,
    path: FieldPath,
    /// `v1beta1` definitions need not be structural.
    legacy: bool,
    /// The whole definition keeps unknown fields.
    open: bool,
    depth: usize,
}

impl Compiler<'_> {
    fn fault(&mut self, span: Span, message: &str) {
        let message = format!("the schema at `{}` {message}", self.path);
        self.faults.push(Diagnostic::error(CODE, message).at(span, ""));
    }

    fn below<T>(&mut self, key: &str, compile: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push_key(key);
        self.depth += 1;
        let result = compile(self);
        self.depth -= 1;
        self.path.pop();
        result
    }

    fn node(&mut self, schema: &Node) -> Type {
        if self.depth > DEPTH {
            self.fault(schema.span, "is nested too deep");
            return Type::default();
        }
        let keeps = self.open || flag(schema, "x-kubernetes-preserve-unknown-fields");
        let shape = match schema.str_at(&["type"]) {
            _ if flag(schema, "x-kubernetes-int-or-string") => Shape::IntOrString,
            Some("object") => self.object(schema, keeps),
            Some("array") => {
                let items = schema.get("items").cloned().unwrap_or_default();
                Shape::List(Box::new(self.below("items", |inner| inner.node(&items))))
            }
            Some("string") => Shape::String,
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Boolean,
            None if schema.get("properties").is_some() && self.legacy => self.object(schema, keeps),
            None if keeps || self.legacy => Shape::Any,
            None => {
                self.fault(schema.span, "has no `type`, which an API server refuses");
                Shape::Any
            }
            Some(other) => {
                let span = schema.get("type").map_or(schema.span, |node| node.span);
                self.fault(span, &format!("has the unknown type `{other}`"));
                Shape::Any
            }
        };
        let is_int_or_string = matches!(shape, Shape::IntOrString);
        let rules = self.rules(schema, is_int_or_string);
        let mut ty = Type { shape, rules: Some(Box::new(rules)) };
        if flag(schema, "x-kubernetes-embedded-resource") {
            self.embed(&mut ty, true);
        }
        ty
    }

    fn object(&mut self, schema: &Node, open: bool) -> Shape {
        let required = texts(schema, "required");
        let mut properties = Vec::new();
        for entry in schema.get("properties").and_then(Node::as_map).into_iter().flatten() {
            let ty = self.below(&entry.key, |inner| inner.node(&entry.value));
            let required = required.contains(&entry.key);
            properties.push(Property { key: entry.key.clone(), required, ty });
        }
        // a required key need not be declared
        for key in required {
            if !properties.iter().any(|property| property.key == key) {
                properties.push(Property { key, required: true, ty: Type::default() });
            }
        }
        let (additional, any) = match schema.get("additionalProperties") {
            Some(node) if node.as_map().is_some_and(|map| !map.is_empty()) => {
                (Some(self.below("additionalProperties", |inner| inner.node(node))), false)
            }
            Some(node) => (None, node.as_bool() != Some(false)),
            None => (None, false),
        };
        let mut fields = Fields { additional, open: open || any, ..Fields::default() };
        fields.set(properties);
        Shape::Object(Box::new(fields))
    }

    /// Gives an object the fields that every object has.
    fn embed(&mut self, ty: &mut Type, required: bool) {
        if !matches!(ty.shape, Shape::Object(_)) {
            ty.shape = Shape::Object(Box::new(open_fields()));
        }
        let Shape::Object(fields) = &mut ty.shape else { return };
        fields.embedded = true;
        let described = |shape: Shape, text: &str| {
            let rules = Rules { description: Some(text.into()), ..Rules::default() };
            Type { shape, rules: Some(Box::new(rules)) }
        };
        let mut properties: Vec<Property> = std::mem::take(&mut fields.properties).into_vec();
        properties.retain(|p| !matches!(p.key.as_str(), "apiVersion" | "kind" | "metadata"));
        for (key, ty) in [
            ("apiVersion", described(Shape::String, API_VERSION)),
            ("kind", described(Shape::String, KIND)),
            ("metadata", described(self.schemas.metadata().shape, METADATA)),
        ] {
            let required = required && key != "metadata";
            properties.push(Property { key: key.into(), required, ty });
        }
        fields.set(properties);
    }

    fn rules(&mut self, schema: &Node, is_int_or_string: bool) -> Rules {
        let list = schema.str_at(&["x-kubernetes-list-type"]).and_then(|kind| match kind {
            "atomic" => Some(ListKind::Atomic),
            "set" => Some(ListKind::Set),
            "map" => Some(ListKind::Map),
            _ => None,
        });
        let entries = schema.items_at(&["x-kubernetes-validations"]).iter().enumerate();
        let validations = entries.filter_map(|(index, entry)| match cel::Rule::compile(entry) {
            Ok(rule) => Some(rule),
            Err(why) => {
                let what = format!("has a rule in CEL ({index}) that cannot be read: {why}");
                self.fault(entry.span, &what);
                None
            }
        });
        let validations = validations.collect();
        Rules {
            validations,
            description: schema.str_at(&["description"]).map(Str::from),
            format: schema.str_at(&["format"]).map(Str::from),
            enumeration: schema.items_at(&["enum"]).to_vec(),
            default: schema.get("default").cloned(),
            nullable: flag(schema, "nullable"),
            list,
            keys: texts(schema, "x-kubernetes-list-map-keys").into(),
            atomic_map: schema.str_at(&["x-kubernetes-map-type"]) == Some("atomic"),
            checks: self.checks(schema, is_int_or_string).map(Box::new),
            ..Rules::default()
        }
    }

    /// The conditions of a schema, or nothing when it has none.
    fn checks(&mut self, schema: &Node, is_int_or_string: bool) -> Option<Checks> {
        const KEYS: [&str; 17] = [
            "pattern",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "uniqueItems",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
        ];
        let map = schema.as_map()?;
        if !KEYS.iter().any(|key| map.contains_key(key)) {
            return None;
        }
        let number = |key| schema.get(key).and_then(Node::as_f64);
        let bound = |key, exclusive| {
            number(key).map(|value| Bound { value, exclusive: flag(schema, exclusive) })
        };
        let count =
            |key| schema.get(key).and_then(Node::as_i64).and_then(|n| u64::try_from(n).ok());
        let range = |least, most| Range { least: count(least), most: count(most) };
        let pattern = schema.get("pattern").and_then(|node| {
            let compiled = node.as_str().and_then(|text| Regex::new(text).ok());
            if compiled.is_none() {
                self.fault(node.span, "has a `pattern` that is no regular expression");
            }
            compiled
        });
        Some(Checks {
            pattern,
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            length: range("minLength", "maxLength"),
            items: range("minItems", "maxItems"),
            properties: range("minProperties", "maxProperties"),
            unique: flag(schema, "uniqueItems"),
            all_of: self.conditions(schema, "allOf"),
            // beside `x-kubernetes-int-or-string` this only repeats it
            any_of: if is_int_or_string { vec![] } else { self.conditions(schema, "anyOf") },
            one_of: self.conditions(schema, "oneOf"),
            not: schema
                .get("not")
                .map(|node| Box::new(self.below("not", |inner| inner.condition(node)))),
        })
    }

    fn conditions(&mut self, schema: &Node, key: &str) -> Vec<Condition> {
        let items = schema.items_at(&[key]);
        items.iter().map(|node| self.below(key, |inner| inner.condition(node))).collect()
    }

    fn condition(&mut self, schema: &Node) -> Condition {
        if self.depth > DEPTH {
            self.fault(schema.span, "is nested too deep");
            return Condition::default();
        }
        let properties = schema.get("properties").and_then(Node::as_map);
        let properties = properties
            .into_iter()
            .flatten()
            .map(|entry| {
                let inner = self.below(&entry.key, |inner| inner.condition(&entry.value));
                (entry.key.clone(), inner)
            })
            .collect();
        let mut inner = |key: &str| {
            let node = schema.get(key).filter(|node| node.as_map().is_some())?;
            Some(Box::new(self.below(key, |inner| inner.condition(node))))
        };
        Condition {
            properties,
            additional: inner("additionalProperties"),
            items: inner("items"),
            required: texts(schema, "required"),
            kind: schema.str_at(&["type"]).and_then(|kind| match kind {
                "object" => Some(Kind::Object),
                "array" => Some(Kind::List),
                "string" => Some(Kind::String),
                "integer" => Some(Kind::Integer),
                "number" => Some(Kind::Number),
                "boolean" => Some(Kind::Boolean),
                _ => None,
            }),
            enumeration: schema.items_at(&["enum"]).to_vec(),
            format: schema.str_at(&["format"]).map(Str::from),
            checks: self.checks(schema, false).unwrap_or_default(),
        }
    }
}
