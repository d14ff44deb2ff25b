//! The merged values against `values.schema.json`: every fault, at the line that is wrong.
//!
//! A map whose schema lists `properties` and says nothing of other keys takes no other keys: a
//! misspelt value must not be ignored. References to other documents are refused.
//!
//! A message never holds the value of a key that is secret by its schema or by its name.

use super::schema::Schema;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::secret::is_secret_name;
use crate::base::source::Span;
use crate::base::suggest;
use crate::yaml::{FieldPath, Node, Step};
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use serde_json::Value as Json;

/// JSON Schema's types.
const TYPES: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];

/// True when a template's `values.…` path holds something that must not be shown.
#[must_use]
pub fn is_secret(path: &FieldPath, schema: Schema<'_>) -> bool {
    let steps = path.steps();
    let named = steps.last().is_some_and(|step| match step {
        Step::Key(key) => is_secret_name(key),
        Step::Index(_) => false,
    });
    named || steps.split_first().is_some_and(|(_, inner)| schema_of(schema, inner).1)
}

/// Checks values against a schema document.
///
/// # Errors
/// All faults of the values, or those of the schema itself.
pub fn check(values: &Node, schema: &Node) -> Result<(), Diagnostics> {
    super::effort::check(schema, values)?;
    let mut document = Json::from(schema);
    close(&mut document);
    let validator = jsonschema::options()
        .with_retriever(Offline)
        .should_validate_formats(true)
        .build(&document)
        .map_err(|error| {
            let place = find(schema, error.instance_path());
            let node = place.node.unwrap_or(schema);
            let fault = Diagnostic::error(
                "wharf::values::schema_invalid",
                "values.schema.json is no schema",
            )
            .at(node.span, "");
            let is_type = place.path.steps().last().is_some_and(|step| match step {
                Step::Key(key) => key == "type",
                Step::Index(_) => false,
            });
            match node.as_str().filter(|_| is_type) {
                Some(text) => fault
                    .note(format!("types are {}", TYPES.join(", ")))
                    .maybe_help(suggest::did_you_mean(text, TYPES.iter().copied())),
                None => fault.note(error.masked().to_string()),
            }
        })?;
    let instance = Json::from(values);
    let mut faults = Diagnostics::new();
    for error in validator.iter_errors(&instance) {
        let found = find(values, error.instance_path());
        describe(error.kind(), &found, schema, error.schema_path().as_str(), &mut faults);
    }
    faults.finish(()).map(|_| ())
}

/// Refuses documents outside the schema: compiling reaches no network.
struct Offline;

impl jsonschema::Retrieve for Offline {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is outside the package; copy it under `$defs`").into())
    }
}

/// Closes maps that list their keys.
fn close(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            let says_more = [
                "additionalProperties",
                "patternProperties",
                "unevaluatedProperties",
                "$ref",
                "allOf",
                "anyOf",
                "oneOf",
                "if",
            ];
            let lists = map.get("properties").is_some_and(Json::is_object);
            if lists && !says_more.iter().any(|key| map.contains_key(*key)) {
                map.insert("additionalProperties".into(), Json::Bool(false));
            }
            for (key, value) in map.iter_mut() {
                match key.as_str() {
                    // their values are data, and members of combinations see only a part of a map
                    "enum" | "const" | "default" | "examples" | "allOf" | "anyOf" | "oneOf"
                    | "if" | "then" | "else" | "not" => {}
                    "properties" | "patternProperties" | "$defs" | "definitions" => {
                        value
                            .as_object_mut()
                            .into_iter()
                            .flat_map(|map| map.values_mut())
                            .for_each(close);
                    }
                    _ => close(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Where an error is in the values.
struct Found<'a> {
    path: FieldPath,
    /// The node, and the one above it for spans of nodes that were computed.
    node: Option<&'a Node>,
    span: Span,
    secret: bool,
}

fn find<'a>(root: &'a Node, location: &jsonschema::paths::Location) -> Found<'a> {
    let mut found =
        Found { path: FieldPath::root(), node: Some(root), span: root.span, secret: false };
    for segment in location {
        let here = found.node;
        match segment {
            LocationSegment::Property(name) => {
                found.path.push_key(&name);
                found.secret |= is_secret_name(&name);
                found.node = here.and_then(|node| node.get(&name));
            }
            LocationSegment::Index(index) => {
                found.path.push_index(index);
                found.node = here.and_then(|node| node.as_list()?.get(index));
            }
        }
        if let Some(span) = found.node.map(|node| node.span).filter(|span| !span.is_none()) {
            found.span = span;
        }
    }
    found
}

/// The schema of a path, for its keys and whether it is secret.
fn schema_of<'a>(top: Schema<'a>, steps: &[Step]) -> (Schema<'a>, bool) {
    let mut here = top;
    let mut secret = here.is_secret();
    for step in steps {
        here = match step {
            Step::Key(key) => here.property(key),
            Step::Index(_) => here.items(),
        };
        secret |= here.is_secret();
    }
    (here, secret)
}

fn describe(kind: &Kind, found: &Found<'_>, schema: &Node, rule: &str, faults: &mut Diagnostics) {
    let (place, secret) = schema_of(Schema::new(schema), found.path.steps());
    let secret = secret || found.secret;
    let path = shown(&found.path);
    let invalid = |message: String| Diagnostic::error("wharf::values::invalid", message);
    let value = || match found.node {
        Some(node) if secret => format!("a {}", node.kind()),
        Some(node) => crate::yaml::json::to_string(node).chars().take(80).collect(),
        None => "nothing".to_owned(),
    };
    match kind {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let entry = found.node.and_then(|node| node.as_map()?.entry(name));
                let span = entry.map(|entry| entry.key_span).filter(|span| !span.is_none());
                let full = shown(&found.path.key(name));
                let known: Vec<&str> = place.property_names().collect();
                let mut fault = Diagnostic::error(
                    "wharf::values::unknown_key",
                    format!("{full} is no value of this package"),
                )
                .at(span.unwrap_or(found.span), "not in values.schema.json")
                .maybe_help(suggest::did_you_mean(name, known.iter().copied()));
                if fault.help.is_none() && !known.is_empty() && known.len() <= 12 {
                    fault = fault.note(format!("known here: {}", known.join(", ")));
                }
                faults.push(fault);
            }
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let full = shown(&found.path.key(name));
            faults.push(
                Diagnostic::error("wharf::values::missing", format!("{full} must be set"))
                    .at(found.span, "")
                    .help(format!(
                        "set it in a values file or with `--set {}=…`",
                        found.path.key(name)
                    )),
            );
        }
        Kind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(one) => noun(&one.to_string()).to_owned(),
                TypeKind::Multiple(set) => {
                    let names: Vec<String> =
                        set.iter().map(|one| noun(&one.to_string()).to_owned()).collect();
                    names.join(" or ")
                }
            };
            let actual = found.node.map_or("nothing", Node::kind);
            faults.push(
                invalid(format!("{path} must be {expected}, found {actual}"))
                    .at(found.span, format!("expected {expected}")),
            );
        }
        Kind::Enum { options } => {
            let names: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned))
                .collect();
            let near = found
                .node
                .and_then(Node::as_str)
                .filter(|_| !secret)
                .and_then(|text| suggest::did_you_mean(text, names.iter().map(String::as_str)));
            faults.push(
                invalid(format!("{path} must be one of {}, found {}", names.join(", "), value()))
                    .at(found.span, "")
                    .maybe_help(near),
            );
        }
        other => {
            let message = match other {
                Kind::Minimum { limit } => {
                    format!("{path} must be at least {limit}, found {}", value())
                }
                Kind::Maximum { limit } => {
                    format!("{path} must be at most {limit}, found {}", value())
                }
                Kind::ExclusiveMinimum { limit } => {
                    format!("{path} must be more than {limit}, found {}", value())
                }
                Kind::ExclusiveMaximum { limit } => {
                    format!("{path} must be less than {limit}, found {}", value())
                }
                Kind::MinLength { limit } => {
                    format!("{path} must have at least {limit} characters")
                }
                Kind::MaxLength { limit } => format!("{path} must have at most {limit} characters"),
                Kind::MinItems { limit } => format!("{path} must have at least {limit} items"),
                Kind::MaxItems { limit } => format!("{path} must have at most {limit} items"),
                Kind::Pattern { pattern } => {
                    format!("{path} must match `{pattern}`, found {}", value())
                }
                Kind::Format { format } => format!("{path} must be a {format}, found {}", value()),
                Kind::Constant { expected_value } => {
                    format!("{path} must be {expected_value}, found {}", value())
                }
                Kind::UniqueItems => format!("{path} holds an item twice"),
                other => format!("{path} breaks the rule `{}`", other.keyword()),
            };
            faults.push(invalid(message).at(found.span, "").note(format!("the rule: {rule}")));
        }
    }
}

fn shown(path: &FieldPath) -> String {
    if path.steps().is_empty() { "the values".into() } else { format!("`{path}`") }
}

fn noun(json_type: &str) -> &str {
    match json_type {
        "object" => "a map",
        "array" => "a list",
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(schema: Json, values: Json) -> Vec<String> {
        match check(&Node::from(values), &Node::from(schema)) {
            Ok(()) => Vec::new(),
            Err(faults) => faults
                .iter()
                .map(|fault| {
                    let help = fault.help.as_deref().map(|h| format!(" ({h})")).unwrap_or_default();
                    format!("{fault}{help}")
                })
                .collect(),
        }
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "image": {"properties": {"repository": {}, "tag": {"type": "string"}}},
                "replicas": {"type": "integer", "minimum": 1},
                "level": {"enum": ["debug", "info"]},
                "adminPassword": {"type": "string", "pattern": "^[a-z]{9,}$"},
                "pin": {"x-wharf-secret": true, "maximum": 5},
                "free": {"type": "object"},
            }
        })
    }

    #[test]
    fn all_faults_with_suggestions() {
        let values = json!({
            "image": {"tga": "1", "tag": 1}, "replicas": 0, "level": "inf", "free": {"x": 1},
            "replica": 2
        });
        let mut faults = run(schema(), values);
        faults.sort();
        assert_eq!(
            faults,
            [
                "`image.tag` must be a string, found integer",
                "`image.tga` is no value of this package (did you mean `tag`?)",
                "`level` must be one of debug, info, found \"inf\" (did you mean `info`?)",
                "`name` must be set (set it in a values file or with `--set name=…`)",
                "`replica` is no value of this package (did you mean `replicas`?)",
                "`replicas` must be at least 1, found 0",
            ]
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let faults = run(schema(), json!({"name": "x", "adminPassword": "Hunter2", "pin": 77777}));
        assert_eq!(faults.len(), 2, "{faults:?}");
        for fault in faults {
            assert!(!fault.contains("Hunter2") && !fault.contains("77777"), "{fault}");
        }
    }

    #[test]
    fn other_documents_are_refused() {
        let faults = run(json!({"$ref": "https://example.com/s.json"}), json!({}));
        assert_eq!(faults, ["values.schema.json is no schema"]);
    }
}
