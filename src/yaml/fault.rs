//! Faults of values: texts that parse, and mean nothing that JSON's data model can hold.

use super::compose::MAX_DEPTH;
use super::node::{Node, Number, Value};
use super::problem::{Mark, Problem, Stage};
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Span};
use crate::base::suggest;
use std::fmt::Write;

pub(super) fn too_deep(mark: Mark) -> Problem {
    let mut problem = Problem::parser("exceeded max depth of 10000", mark);
    problem.stage = Stage::Scanner;
    problem
}

pub(super) fn bad_tag(words: String, span: Span) -> Problem {
    let advice = Diagnostic::error("wharf::yaml::tag", words.clone())
        .at(span, "does not have the type that its tag says");
    Problem::value(Stage::Decode, words, advice)
}

pub(super) fn unknown_anchor<'a>(
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'a str>,
) -> Problem {
    let advice = Diagnostic::error("wharf::yaml::unknown_anchor", format!("no anchor `{name}`"))
        .at(span, "refers to an anchor that is not defined above")
        .maybe_help(suggest::nearest(name, known).map(|near| format!("did you mean `*{near}`?")));
    Problem::value(Stage::Decode, format!("unknown anchor '{name}' referenced"), advice)
}

pub(super) fn holds_itself(name: &str, span: Span) -> Problem {
    let advice =
        Diagnostic::error("wharf::yaml::recursion", format!("the value of `&{name}` holds itself"))
            .at(span, "refers to what it is part of");
    Problem::value(Stage::Decode, format!("anchor '{name}' value contains itself"), advice)
}

pub(super) fn alias_bomb(name: &str, span: Span, count: u64) -> Problem {
    let message = format!("aliases expand to {count} values");
    let advice = Diagnostic::error("wharf::yaml::alias_bomb", message)
        .at(span, format!("`*{name}` makes them too many"))
        .note("aliases of aliases multiply, so a small text can fill all memory");
    Problem::value(Stage::Decode, "document contains excessive aliasing", advice)
}

pub(super) fn no_json_number(float: f64, span: Span) -> Problem {
    let go = if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    let advice = Diagnostic::error("wharf::yaml::not_finite", format!("`{go}` is no value here"))
        .at(span, "infinity and NaN cannot be written as JSON")
        .help("quote it if text is meant");
    Problem::value(Stage::Json, format!("json: unsupported value: {go}"), advice)
}

pub(super) fn null_key(value: &Node, span: Span) -> Problem {
    let mut text = "unsupported map key of type: %!s(<nil>), key: <nil>, value: ".to_owned();
    go_value(value, &mut text);
    let advice = Diagnostic::error("wharf::yaml::key", "null is no key")
        .at(span, "a key must be text")
        .help("quote it if the text is meant");
    Problem::value(Stage::Convert, text, advice)
}

pub(super) fn big_key(number: Number, value: &Node, span: Span) -> Problem {
    let hex = match number {
        Number::UInt(int) => int,
        Number::Int(_) | Number::Float(_) => 0,
    };
    let mut text = format!("unsupported map key of type: uint64, key: {hex:#x}, value: ");
    go_value(value, &mut text);
    let advice = Diagnostic::error("wharf::yaml::key", format!("`{number}` is too big for a key"))
        .at(span, "a key must be text, or a number of 63 bits")
        .help("quote it");
    Problem::value(Stage::Convert, text, advice)
}

pub(super) fn collection_key(key: &Node) -> Problem {
    let mut text = "invalid map key: ".to_owned();
    go_syntax(key, &mut text);
    let kind = key.kind();
    let mut advice = Diagnostic::error("wharf::yaml::key", format!("a {kind} is no key"))
        .at(key.span, "a key must be text");
    if key.as_map().is_some_and(|map| map.len() == 1 && map.values().all(Node::is_null)) {
        advice = advice.help("quote the value if it begins with `{{`: \"{{ … }}\"");
    }
    Problem::value(Stage::Decode, text, advice)
}

pub(super) fn no_text_key(text: &str, span: Span) -> Problem {
    let advice = Diagnostic::error("wharf::yaml::key", format!("the key `{text}` is no text"))
        .at(span, "a key must be text")
        .help("quote it");
    let words = "json: unsupported type: map[interface {}]interface {}";
    Problem::value(Stage::Json, words, advice)
}

pub(super) fn duplicate_key(key: &str, span: Span, first: Span) -> Problem {
    let advice =
        Diagnostic::error("wharf::yaml::duplicate_key", format!("key `{key}` is given twice"))
            .at(span, "given again here")
            .at(first, "first given here")
            .help("remove one of the two; readers disagree on which of them counts");
    Problem::value(Stage::Decode, format!("mapping key {key:?} already defined"), advice)
}

pub(super) fn no_merge_map(span: Span) -> Problem {
    let advice = Diagnostic::error("wharf::yaml::merge", "`<<` merges maps")
        .at(span, "its value is neither a map nor a list of maps");
    let text = "map merge requires map or sequence of maps as the value";
    Problem::value(Stage::Decode, text, advice)
}

pub(super) fn second_merge(span: Span) -> Problem {
    let advice = Diagnostic::error("wharf::yaml::merge", "a map has one `<<` at most")
        .at(span, "the second one")
        .help("give the first one a list of maps");
    Problem::value(Stage::Decode, "duplicate merge key", advice)
}

pub(super) fn depth(mark: Mark, file: FileId) -> Diagnostic {
    let span = Span { file, start: mark.at, end: mark.at + 1 };
    Diagnostic::error("wharf::yaml::depth", format!("nested more than {MAX_DEPTH} levels deep"))
        .at(span, "too deep from here on")
}

/// The value as Go's `%#v` prints it by itself.
fn go_value(node: &Node, out: &mut String) {
    if node.is_null() {
        out.push_str("<nil>");
    } else {
        go_syntax(node, out);
    }
}

/// The value as Go's `%#v` prints it within another.
fn go_syntax(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("interface {}(nil)"),
        Value::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => {
            let _ = write!(out, "{text:?}");
        }
        Value::List(items) => {
            out.push_str("[]interface {}{");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                go_syntax(item, out);
            }
            out.push('}');
        }
        Value::Map(map) => {
            out.push_str("map[interface {}]interface {}{");
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{:?}:", entry.key);
                go_syntax(&entry.value, out);
            }
            out.push('}');
        }
    }
}
