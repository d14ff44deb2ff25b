//! What to do about a template that failed: which value is not there, what `.` is, which template
//! was meant. Helm tells none of it.

use super::data::Templates;
use super::origin::Written;
use crate::base::suggest;
use crate::template::gotmpl::Frame;
use crate::yaml::{Node, Value};
use regex::Regex;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// What defines a template.
static DEFINED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\{\{-?\s*(?:define|block)\s+"([^"]+)""#).expect("the pattern is one")
});

/// Fields of what Helm gives to templates.
const ROOT: &[&str] =
    &["Values", "Release", "Chart", "Capabilities", "Files", "Template", "Subcharts"];

/// A remedy for what failed in a template of the chart that the names lead to.
pub(super) fn help(
    frame: &Frame,
    charts: &[String],
    templates: &Templates<'_>,
    written: &Written<'_>,
) -> Option<String> {
    let mut message = frame.message.lossy().into_owned();
    message.extend(frame.cause.iter().map(|cause| cause.lossy().into_owned()));
    if let Some((_, rest)) = message.split_once("no template \"") {
        let wanted = rest.split('"').next().unwrap_or_default();
        return other_template(wanted, templates);
    }
    if message.contains("incompatible types for comparison") {
        let help = "`int`, `float64` and `toString` make of a value what can be compared";
        return Some(help.to_owned());
    }
    let field = message
        .split_once("nil pointer evaluating ")
        .and_then(|(_, place)| place.rsplit('.').next())
        .or_else(|| message.split_once("can't evaluate field ")?.1.split(' ').next())?;
    // of a call, the operand that fails is not told
    let chain = frame.node.strip_prefix('$').unwrap_or(&frame.node);
    let keys: Vec<&str> = chain.strip_prefix('.')?.split('.').collect();
    let at = keys.iter().position(|key| *key == field)?;
    if ROOT.contains(&keys[0]) && (at == 0 || (at == 1 && keys[0] == "Values")) {
        return (frame.node.len() == chain.len()).then(|| {
            format!(
                "`.` is not the chart here, as it is not in `range` and `with`: write `${chain}`, or \
                 call the template with `$`"
            )
        });
    }
    if keys[0] != "Values" {
        return None;
    }
    let parent = &keys[1..at];
    let name = format!(".Values.{}", parent.join("."));
    let root = if frame.node.starts_with('$') { "$" } else { "" };
    match written.node(charts, parent) {
        Some(node) => kind(node).map(|kind| format!("`{name}` is {kind}, which has no fields")),
        None => {
            let mut help = format!(
                "`{name}` is not set: give it a value, or write `({root}{name}).{field}`, which is then \
                 empty"
            );
            if let Some(chart) = charts.last() {
                let _ = write!(
                    help,
                    "\nthe values of this chart stand below `{chart}` in those of the chart that it \
                     is in, but for `global`"
                );
            }
            Some(help)
        }
    }
}

fn other_template(wanted: &str, templates: &Templates<'_>) -> Option<String> {
    let texts = templates.sources.iter().map(|source| source.text.lossy().into_owned());
    let names: Vec<String> = texts
        .flat_map(|text| {
            let found = DEFINED.captures_iter(&text).map(|found| found[1].to_owned());
            found.collect::<Vec<_>>()
        })
        .collect();
    suggest::did_you_mean(wanted, names.iter().map(String::as_str))
}

fn kind(node: &Node) -> Option<&'static str> {
    Some(match node.value {
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::List(_) => "a list",
        Value::Null | Value::Map(_) => return None,
    })
}
