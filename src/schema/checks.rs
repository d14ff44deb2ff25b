//! Conditions on values of custom resources: ranges, patterns, and schemas combined with
//! `allOf`, `anyOf`, `oneOf` and `not`.

use super::format;
use super::model::{Bound, Checks, Condition, Kind, Range};
use super::place::Place;
use super::validate::{BAD_VALUE, Validator, describe, shown};
use crate::base::diag::Diagnostic;
use crate::yaml::{Node, Value};

impl Validator<'_> {
    /// Reports every condition that a value does not meet.
    pub(super) fn checks(&mut self, node: &Node, checks: &Checks, place: &Place) {
        for must in broken(node, checks) {
            self.bad(node, place, &must, None);
        }
        for condition in &checks.all_of {
            if let Some(must) = unmet(node, condition) {
                self.condition(node, place, &format!("must have {must}"));
            }
        }
        if !checks.any_of.is_empty() && !checks.any_of.iter().any(|one| unmet(node, one).is_none())
        {
            let ways = ways(node, &checks.any_of);
            self.condition(node, place, &format!("must have one of: {ways}"));
        }
        if !checks.one_of.is_empty() {
            let met = checks.one_of.iter().filter(|one| unmet(node, one).is_none()).count();
            if met != 1 {
                let ways = ways(node, &checks.one_of);
                let how = if met == 0 { "must have one of" } else { "must have only one of" };
                self.condition(node, place, &format!("{how}: {ways}"));
            }
        }
        if checks.not.as_deref().is_some_and(|not| unmet(node, not).is_none()) {
            self.condition(node, place, "has what its definition forbids");
        }
    }

    fn condition(&mut self, node: &Node, place: &Place, what: &str) {
        let path = place.path().to_string();
        let subject = if path.is_empty() { "the object".to_owned() } else { format!("`{path}`") };
        let whole = matches!(node.value, Value::Map(_) | Value::List(_));
        let span = if whole || node.span.is_none() { place.span } else { node.span };
        self.sink.push(Diagnostic::error(BAD_VALUE, format!("{subject} {what}")).at(span, ""));
    }
}

/// What the alternatives ask for.
fn ways(node: &Node, conditions: &[Condition]) -> String {
    let ways: Vec<String> = conditions
        .iter()
        .map(|condition| match &*condition.required {
            [] => unmet(node, condition).unwrap_or_else(|| "what is there".to_owned()),
            keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and "),
        })
        .collect();
    ways.join("; ")
}

/// The conditions of a schema itself that a value breaks, each as what it must be.
fn broken(node: &Node, checks: &Checks) -> Vec<String> {
    let mut must = Vec::new();
    match &node.value {
        Value::String(text) => {
            let length = text.chars().count();
            must.extend(outside(length, checks.length, "characters"));
            if let Some(pattern) = &checks.pattern
                && !pattern.is_match(text)
            {
                must.push(format!("a match of `{pattern}`"));
            }
        }
        Value::Number(number) => {
            let value = number.as_f64();
            let low =
                |bound: &Bound| value < bound.value || bound.exclusive && value <= bound.value;
            let high =
                |bound: &Bound| value > bound.value || bound.exclusive && value >= bound.value;
            if let Some(bound) = checks.minimum.filter(low) {
                let word = if bound.exclusive { "more than" } else { "at least" };
                must.push(format!("{word} {}", bound.value));
            }
            if let Some(bound) = checks.maximum.filter(high) {
                let word = if bound.exclusive { "less than" } else { "at most" };
                must.push(format!("{word} {}", bound.value));
            }
            if let Some(factor) = checks.multiple_of
                && factor > 0.0
                && (value / factor).fract().abs() > 1e-9
            {
                must.push(format!("a multiple of {factor}"));
            }
        }
        Value::List(items) => {
            must.extend(outside(items.len(), checks.items, "items"));
            if checks.unique && !all_differ(items) {
                must.push("a list without equal items".to_owned());
            }
        }
        Value::Map(map) => must.extend(outside(map.len(), checks.properties, "fields")),
        Value::Null | Value::Bool(_) => {}
    }
    must
}

fn outside(count: usize, range: Range, unit: &str) -> Option<String> {
    let count = count as u64;
    let number = |n: u64| {
        let unit = if n == 1 { unit.trim_end_matches('s') } else { unit };
        format!("{n} {unit}")
    };
    match (range.least, range.most) {
        (Some(least), _) if count < least => Some(format!("{} or more", number(least))),
        (_, Some(most)) if count > most => Some(format!("{} or fewer", number(most))),
        _ => None,
    }
}

fn all_differ(items: &[Node]) -> bool {
    let mut texts: Vec<String> = items.iter().map(crate::yaml::json::to_string).collect();
    texts.sort_unstable();
    texts.windows(2).all(|pair| pair[0] != pair[1])
}

/// What a value lacks to meet a condition, or nothing when it meets it.
fn unmet(node: &Node, condition: &Condition) -> Option<String> {
    if let Some(kind) = condition.kind
        && !is_kind(node, kind)
    {
        return Some(describe(kind).to_owned());
    }
    if !condition.enumeration.is_empty() && !condition.enumeration.contains(node) {
        let values: Vec<String> =
            condition.enumeration.iter().map(|value| format!("`{}`", shown(value))).collect();
        return Some(format!("one of {}", values.join(", ")));
    }
    if let (Some(name), Some(text)) = (&condition.format, node.as_str())
        && !format::holds(name, text)
    {
        return Some(format::describe(name).to_owned());
    }
    if let Some(must) = broken(node, &condition.checks).into_iter().next() {
        return Some(must);
    }
    below(node, condition).or_else(|| combined(node, &condition.checks))
}

fn is_kind(node: &Node, kind: Kind) -> bool {
    match &node.value {
        Value::Map(_) => kind == Kind::Object,
        Value::List(_) => kind == Kind::List,
        Value::String(_) => kind == Kind::String,
        Value::Bool(_) => kind == Kind::Boolean,
        Value::Number(number) => {
            kind == Kind::Number || kind == Kind::Integer && number.is_integral()
        }
        Value::Null => false,
    }
}

fn below(node: &Node, condition: &Condition) -> Option<String> {
    if let Some(map) = node.as_map() {
        let absent = |key: &&crate::yaml::Str| map.get(key).is_none_or(Node::is_null);
        if let Some(key) = condition.required.iter().find(absent) {
            return Some(format!("`{key}`"));
        }
        for (key, inner) in &condition.properties {
            if let Some(must) = map.get(key).and_then(|value| unmet(value, inner)) {
                return Some(format!("`{key}` as {must}"));
            }
        }
        if let Some(inner) = &condition.additional {
            let known = |key: &str| condition.properties.iter().any(|(name, _)| name == key);
            let others = map.iter().filter(|entry| !known(&entry.key));
            for entry in others {
                if let Some(must) = unmet(&entry.value, inner) {
                    return Some(format!("`{}` as {must}", entry.key));
                }
            }
        }
    }
    let inner = condition.items.as_deref()?;
    node.as_list()?.iter().find_map(|item| unmet(item, inner))
}

fn combined(node: &Node, checks: &Checks) -> Option<String> {
    if let Some(must) = checks.all_of.iter().find_map(|one| unmet(node, one)) {
        return Some(must);
    }
    let any =
        checks.any_of.is_empty() || checks.any_of.iter().any(|one| unmet(node, one).is_none());
    let one = checks.one_of.is_empty()
        || checks.one_of.iter().filter(|one| unmet(node, one).is_none()).count() == 1;
    let not = checks.not.as_deref().is_none_or(|not| unmet(node, not).is_some());
    match (any, one, not) {
        (false, ..) => Some(ways(node, &checks.any_of)),
        (_, false, _) => Some(format!("only one of {}", ways(node, &checks.one_of))),
        (.., false) => Some("something else than its definition forbids".to_owned()),
        _ => None,
    }
}
