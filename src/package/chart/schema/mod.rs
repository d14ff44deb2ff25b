//! `values.schema.json`: JSON Schema of drafts 4 to 2020-12 over a chart's values, with the texts
//! of the validator that Helm uses.
//!
//! A schema is walked as it is written: charts' schemas are used once, so compiling them would cost
//! more than it saves. References lead to places in the document; those to the network are refused.

mod fault;
mod format;
mod text;
mod walk;

pub use fault::Violation;

use super::load::Chart;
use crate::template::gotmpl::{Map, Value};
use serde_json::Value as Json;

/// A chart whose values do not follow its schema.
#[derive(Debug)]
pub struct Rejected {
    /// Name of the chart.
    pub chart: String,
    /// Names of the charts that lead to it, itself included, without the outermost.
    pub path: Vec<String>,
    /// What is wrong: the whole text, and each violation with its place.
    pub text: String,
    /// Each violation by itself.
    pub violations: Vec<Violation>,
}

/// Checks the values of a chart and of all charts in it.
#[must_use]
pub fn check(chart: &Chart, values: &Map) -> Vec<Rejected> {
    let mut rejected = Vec::new();
    check_below(chart, values, &mut Vec::new(), &mut rejected);
    rejected
}

fn check_below(chart: &Chart, values: &Map, path: &mut Vec<String>, rejected: &mut Vec<Rejected>) {
    let mut reject = |name: &str, path: &[String], text: String, violations| {
        rejected.push(Rejected { chart: name.to_owned(), path: path.to_vec(), text, violations });
    };
    let name = &chart.metadata.name;
    if let Some(file) = &chart.schema {
        match single(&file.bytes, values) {
            Ok(()) => {}
            Err(Failed::Schema(text)) => reject(name, path, text, Vec::new()),
            Err(Failed::Values(violation)) => {
                let text = format!("{}\n", violation.listed());
                reject(name, path, text, violation.leaves());
            }
        }
    }
    for inner in &chart.dependencies {
        let name = &inner.metadata.name;
        match values.get(name) {
            None | Some(Value::Nil) => {}
            Some(Value::Map(below)) => {
                path.push(name.clone());
                check_below(inner, &below, path, rejected);
                path.pop();
            }
            Some(other) => {
                let kind = other.go_type().map_or("<nil>", |of| of.name);
                let text = format!("invalid type for values: expected object (map), got {kind}\n");
                rejected.push(Rejected {
                    chart: name.clone(),
                    path: path.clone(),
                    text,
                    violations: Vec::new(),
                });
            }
        }
    }
}

enum Failed {
    /// The schema is none.
    Schema(String),
    /// The values do not follow it.
    Values(Violation),
}

fn single(schema: &[u8], values: &Map) -> Result<(), Failed> {
    let document: Json =
        serde_json::from_slice(schema).map_err(|error| Failed::Schema(error.to_string()))?;
    let walk = walk::Walk::new(&document);
    match walk.run(&Value::Map(values.clone())) {
        Ok(None) => Ok(()),
        Ok(Some(violation)) => Err(Failed::Values(violation)),
        Err(text) => Err(Failed::Schema(text)),
    }
}

#[cfg(test)]
mod tests;
