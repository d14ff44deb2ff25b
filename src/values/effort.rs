//! Reckons how much work a schema makes of the values, before it is done.
//!
//! Each `$ref` is followed where it is used, so a schema of forty lines in which every definition
//! refers twice to the next asks for 2^40 checks of one value. How many checks a pair of a schema's
//! place and a value takes is the sum of those of the pairs below it. Each pair is reckoned once, so
//! a schema of any shape is reckoned in about as many steps as it has places times values.
//!
//! The number is a bound: a rule that fails early takes fewer. References by anchor or to other
//! documents count as one.

use crate::base::diag::Diagnostic;
use crate::yaml::{Map, Node, Value};
use std::collections::HashMap;

/// Checks that values may take; a million take about a tenth of a second.
const FUEL: u64 = 20_000_000;

/// How deep schemas may lie in each other at one value and those around it, references followed.
const DEPTH: usize = 200;

/// Refuses a schema that makes too much work of values.
pub(super) fn check(schema: &Node, values: &Node) -> Result<(), Diagnostic> {
    let mut reckoner = Reckoner { root: schema, known: HashMap::new(), steps: 0 };
    reckoner.pair(schema, values, 0).map(|_| ())
}

struct Reckoner<'a> {
    root: &'a Node,
    /// Checks of a place with a value; nothing while they are being reckoned.
    known: HashMap<(*const Node, *const Node), Option<u64>>,
    steps: u64,
}

impl<'a> Reckoner<'a> {
    fn pair(&mut self, schema: &'a Node, value: &Node, depth: usize) -> Result<u64, Diagnostic> {
        let Some(map) = schema.as_map() else { return Ok(1) };
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        match self.known.get(&pair) {
            Some(Some(checks)) => return Ok(*checks),
            Some(None) => {
                return Err(fault("the schema leads back to itself", schema)
                    .note("a value would be checked against it without end"));
            }
            None => {}
        }
        if depth > DEPTH {
            return Err(fault("the schema is nested too deep", schema)
                .note(format!("at most {DEPTH} schemas may lie in each other")));
        }
        self.steps += 1;
        if self.steps > FUEL {
            return Err(too_much(schema));
        }
        self.known.insert(pair, None);
        let mut checks: u64 = 1;
        for entry in map {
            let more = self.keyword(&entry.key, &entry.value, value, depth)?;
            checks = checks.saturating_add(more);
        }
        if checks > FUEL {
            return Err(too_much(schema));
        }
        self.known.insert(pair, Some(checks));
        Ok(checks)
    }

    /// What one keyword of a schema asks of a value.
    #[inline(never)]
    fn keyword(
        &mut self,
        key: &str,
        part: &'a Node,
        value: &Node,
        depth: usize,
    ) -> Result<u64, Diagnostic> {
        Ok(match key {
            "$ref" | "$dynamicRef" => match self.target(part) {
                Some(target) => self.pair(target, value, depth + 1)?,
                None => 1,
            },
            "allOf" | "anyOf" | "oneOf" => {
                self.all(part.as_list().unwrap_or_default().iter(), value, depth)?
            }
            "not" | "if" | "then" | "else" => self.pair(part, value, depth + 1)?,
            "dependentSchemas" | "dependencies" => {
                self.all(part.as_map().into_iter().flat_map(Map::values), value, depth)?
            }
            "properties" => {
                let mut sum: u64 = 0;
                for property in part.as_map().into_iter().flatten() {
                    if let Some(inner) = value.get(&property.key) {
                        sum = sum.saturating_add(self.pair(&property.value, inner, depth + 1)?);
                    }
                }
                sum
            }
            "patternProperties" => {
                let mut sum: u64 = 0;
                for pattern in part.as_map().into_iter().flat_map(Map::values) {
                    sum = sum.saturating_add(self.inside(pattern, value, depth)?);
                }
                sum
            }
            "additionalProperties"
            | "unevaluatedProperties"
            | "items"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains" => self.inside(part, value, depth)?,
            "prefixItems" => {
                let mut sum: u64 = 0;
                let items = part.as_list().unwrap_or_default().iter();
                for (item, inner) in items.zip(value.as_list().unwrap_or_default()) {
                    sum = sum.saturating_add(self.pair(item, inner, depth + 1)?);
                }
                sum
            }
            "propertyNames" => value.as_map().map_or(0, |map| map.len() as u64),
            _ => 0,
        })
    }

    /// Several schemas of one value.
    fn all(
        &mut self,
        schemas: impl Iterator<Item = &'a Node>,
        value: &Node,
        depth: usize,
    ) -> Result<u64, Diagnostic> {
        let mut sum: u64 = 0;
        for schema in schemas {
            sum = sum.saturating_add(self.pair(schema, value, depth + 1)?);
        }
        Ok(sum)
    }

    /// One schema, or a list of them, of everything that is directly in a value.
    fn inside(&mut self, schema: &'a Node, value: &Node, depth: usize) -> Result<u64, Diagnostic> {
        let inner: Vec<&Node> = match &value.value {
            Value::List(items) => items.iter().collect(),
            Value::Map(map) => map.values().collect(),
            _ => Vec::new(),
        };
        let schemas = schema.as_list().unwrap_or(std::slice::from_ref(schema));
        let mut sum: u64 = 0;
        for schema in schemas {
            for inner in &inner {
                sum = sum.saturating_add(self.pair(schema, inner, depth + 1)?);
            }
        }
        Ok(sum)
    }

    /// What a reference inside the document leads to.
    fn target(&self, reference: &Node) -> Option<&'a Node> {
        let pointer = reference.as_str()?.strip_prefix('#')?;
        if pointer.is_empty() {
            return Some(self.root);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self.root, |node, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Value::List(items) => items.get(step.parse::<usize>().ok()?),
                _ => node.get(&step),
            }
        })
    }
}

fn fault(message: &str, schema: &Node) -> Diagnostic {
    let first = schema.as_map().and_then(|map| map.iter().next());
    let span = first.map_or(schema.span, |entry| entry.key_span.to(entry.value.span));
    Diagnostic::error("wharf::values::schema_effort", message).at(span, "")
}

fn too_much(schema: &Node) -> Diagnostic {
    fault("the schema makes too much work of the values", schema)
        .note(format!("here more than {} million checks would come together", FUEL / 1_000_000))
        .help("refer to each definition once at each level, or write out what is referred to")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(schema: serde_json::Value, values: serde_json::Value) -> Option<String> {
        check(&Node::from(schema), &Node::from(values)).err().map(|fault| fault.message)
    }

    /// Each definition refers twice to the next.
    fn fan(levels: usize) -> serde_json::Value {
        let mut definitions = serde_json::Map::new();
        for level in 0..levels {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            definitions.insert(format!("d{level}"), json!({"allOf": [next, next]}));
        }
        definitions.insert(format!("d{levels}"), json!({"type": "object"}));
        json!({"$defs": definitions, "$ref": "#/$defs/d0"})
    }

    #[test]
    fn references_that_double_are_refused() {
        assert_eq!(run(fan(10), json!({})), None);
        let refused = Some("the schema makes too much work of the values".to_owned());
        assert_eq!(run(fan(40), json!({})), refused);
        assert_eq!(run(fan(90), json!({})), refused);
        let items = json!({"additionalProperties": {"additionalProperties": fan(12)}});
        let mut items = items;
        items["$defs"] = fan(12)["$defs"].clone();
        let row: serde_json::Map<_, _> = (0..100).map(|n| (n.to_string(), json!({}))).collect();
        let rows: serde_json::Map<_, _> =
            (0..100).map(|n| (n.to_string(), row.clone().into())).collect();
        assert_eq!(run(items, rows.into()), refused);
    }

    #[test]
    fn references_without_an_end_are_refused() {
        let back = Some("the schema leads back to itself".to_owned());
        assert_eq!(run(json!({"$ref": "#"}), json!({})), back);
        assert_eq!(run(json!({"anyOf": [{"not": {"$ref": "#"}}]}), json!({})), back);
        assert_eq!(run(fan(300), json!({})), Some("the schema is nested too deep".to_owned()));
    }

    #[test]
    fn a_schema_that_holds_itself_is_fine() {
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert_eq!(run(tree, json!({"left": {"left": {}}, "right": {}})), None);
    }
}
