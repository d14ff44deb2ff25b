//! Limit ranges: bounds that do not contradict each other.

use super::{PLAIN_RULES, Rules};
use crate::agent::api::fault::Faults;
use crate::object::quantity::Quantity;
use crate::yaml::{Map, Node};
use std::collections::{BTreeSet, HashSet};

pub(crate) static LIMIT_RANGE: Rules = Rules { default, validate, ..PLAIN_RULES };

/// What a container's default leaves out is its bound.
fn default(range: &mut Node) {
    let items = range.at_mut(&["spec", "limits"]).and_then(Node::as_list_mut);
    for item in items.into_iter().flatten() {
        if item.str_at(&["type"]) != Some("Container") {
            continue;
        }
        for (from, to) in
            [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
        {
            let amounts = item.get(from).and_then(Node::as_map).cloned();
            for entry in amounts.into_iter().flatten() {
                if item.at(&[to, &entry.key]).is_none() {
                    item.set_at(&[to, &entry.key], entry.value);
                }
            }
        }
    }
}

/// Pairs of fields of which the first may not be larger, with the words for each.
const ORDER: [(&str, &str, &str, &str); 6] = [
    ("min", "min value", "max", "max value"),
    ("min", "min value", "defaultRequest", "default request value"),
    ("defaultRequest", "default request value", "max", "max value"),
    ("defaultRequest", "default request value", "default", "default limit value"),
    ("min", "min value", "default", "default value"),
    ("default", "default value", "max", "max value"),
];

fn validate(range: &Node, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for (index, item) in range.items_at(&["spec", "limits"]).iter().enumerate() {
        let path = format!("spec.limits[{index}]");
        let kind = item.str_at(&["type"]).unwrap_or_default();
        if !seen.insert(kind) {
            faults.duplicate(format!("{path}.type"), kind);
        }
        if kind == "Pod" {
            for field in ["default", "defaultRequest"] {
                if item.get(field).and_then(Node::as_map).is_some_and(|map| !map.is_empty()) {
                    let rule = "may not be specified when `type` is 'Pod'";
                    faults.forbidden(format!("{path}.{field}"), rule);
                }
            }
        }
        let bound = |field| item.at(&[field, "storage"]).is_some();
        if kind == "PersistentVolumeClaim" && !bound("min") && !bound("max") {
            let rule =
                "either minimum or maximum storage value is required, but neither was provided";
            faults.required(format!("{path}.limits"), rule);
        }
        validate_item(item, &path, faults);
    }
}

fn validate_item(item: &Node, path: &str, faults: &mut Faults) {
    let amount = |field: &str, key: &str| item.at(&[field, key]).and_then(Quantity::from_node);
    let maps = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];
    let maps = maps.iter().filter_map(|field| item.get(field).and_then(Node::as_map));
    let keys: BTreeSet<&str> = maps.flat_map(Map::keys).collect();
    for key in keys {
        for (low, low_words, high, high_words) in ORDER {
            if let (Some(small), Some(large)) = (amount(low, key), amount(high, key))
                && small > large
            {
                // told about the one that is the more special
                let at = if high.starts_with("default") && low == "min" { high } else { low };
                let rule = format!("{low_words} {small} is greater than {high_words} {large}");
                let shown = amount(at, key).map_or_else(String::new, |amount| amount.to_string());
                faults.invalid(format!("{path}.{at}[{key}]"), shown, rule);
            }
        }
        if let Some(ratio) = amount("maxLimitRequestRatio", key)
            && ratio.milli() < 1000
        {
            let rule = format!("ratio {ratio} is less than 1");
            faults.invalid(format!("{path}.maxLimitRequestRatio[{key}]"), ratio.to_string(), rule);
        }
    }
}
