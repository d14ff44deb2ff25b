//! Functions, filters and the way values are printed.
//!
//! Everything here gives the same answer for the same input: there is no clock, no randomness, no
//! environment. Filters of the engine that would mark text as safe are taken away, since safe text
//! is what macros rendered and nothing else.

use super::marker::{self, Part};
use super::trace::{self, Kept, What};
use super::value::{self, Refusal};
use super::{Files, growth, instrument};
use crate::base::diag::Diagnostic;
use crate::base::digest::Digest;
use crate::base::source::Span;
use crate::base::suggest;
use crate::yaml::{self, FieldPath, Node};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error, ErrorKind, Output};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that the engine knows and wharf does not: they mark text as safe, or show everything.
const REMOVED: &[&str] = &["safe", "escape", "e", "tojson", "pprint"];

/// Adds everything that templates may call. `places` are the printed expressions of each template.
pub(super) fn install(env: &mut Environment<'_>, files: &Files, places: Arc<Vec<Vec<Span>>>) {
    for name in REMOVED {
        env.remove_filter(name);
    }
    env.remove_global("debug");
    growth::install(env);
    env.add_function("__begin", move |id: u64| {
        let (template, expression) = ((id >> 32) as usize, (id & 0xFFFF_FFFF) as usize);
        let place = places.get(template).and_then(|list| list.get(expression));
        trace::begin(place.copied().unwrap_or(Span::NONE));
    });
    env.add_function("__charge", |bytes: usize| charge(bytes));
    env.add_filter("__text", |value: Value| flatten(value, true));
    env.add_filter("__capture", |value: Value| flatten(value, false));
    functions(env, files);
    filters(env);
}

fn functions(env: &mut Environment<'_>, files: &Files) {
    let all = files.clone();
    env.add_function("file", move |path: &str| {
        let Some(bytes) = all.get(path) else {
            let known = all.keys().map(String::as_str);
            return Err(raise(
                Diagnostic::error(
                    "wharf::template::file",
                    format!("there is no file `files/{path}` in the package"),
                )
                .maybe_help(suggest::did_you_mean(path, known)),
            ));
        };
        text_or_bytes(path, bytes)
    });
    let all = files.clone();
    env.add_function("files", move |pattern: Option<&str>| {
        let pattern = pattern.unwrap_or("*");
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        for (path, bytes) in all.iter().filter(|(path, _)| matches_glob(pattern, path)) {
            let name = path.rsplit('/').next().unwrap_or(path);
            if found.insert(name.to_owned(), text_or_bytes(path, bytes)?).is_some() {
                return Err(raise(Diagnostic::error(
                    "wharf::template::file",
                    format!("`{pattern}` matches two files named `{name}`"),
                )));
            }
        }
        Ok(Value::from_pairs(found))
    });
    // compiling reaches no cluster: what is looked up is never there
    env.add_function(
        "lookup",
        |_: Rest<Value>| Value::from_pairs(BTreeMap::<String, Value>::new()),
    );
    env.add_function("fail", |message: &str| -> Result<Value, Error> {
        Err(raise(Diagnostic::error("wharf::template::fail", message)))
    });
    env.add_function("required", |value: Value, message: Option<&str>| {
        let empty = value.is_undefined() || value.is_none() || value.as_str() == Some("");
        if !empty {
            return Ok(value);
        }
        let message = message.unwrap_or("a required value is not set");
        Err(raise(Diagnostic::error("wharf::template::required", message)))
    });
}

fn filters(env: &mut Environment<'_>) {
    let json = |value: Value, pretty: Option<bool>| {
        let node = to_node(&value)?;
        Ok::<_, Error>(if pretty == Some(true) {
            yaml::json::to_string_pretty(&node)
        } else {
            yaml::json::to_string(&node)
        })
    };
    env.add_filter("to_json", json);
    env.add_filter("tojson", json);
    env.add_filter("to_yaml", |value: Value| {
        let text = yaml::emit::to_string(&to_node(&value)?, &yaml::emit::Style::default());
        Ok::<_, Error>(text.trim_end_matches('\n').to_owned())
    });
    env.add_filter("from_json", |text: &str| {
        let node = yaml::json::parse(text.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("no JSON: {error}"))
        })?;
        from_text(&node)
    });
    env.add_filter("from_yaml", |text: &str| {
        let node = yaml::parse_text(text).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("no YAML: {error}"))
        })?;
        from_text(&node)
    });
    env.add_filter("b64encode", |value: Value| Ok::<_, Error>(BASE64.encode(bytes_of(&value)?)));
    env.add_filter("b64decode", |text: &str| {
        let bytes = BASE64
            .decode(text.trim())
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, "the text is not valid base64"))?;
        match String::from_utf8(bytes) {
            Ok(text) if marker::is_in(&text) => {
                Err(raise(instrument::private_characters("decoded text")))
            }
            Ok(text) => Ok(Value::from(text)),
            Err(error) => Ok(Value::from_bytes(error.into_bytes())),
        }
    });
    env.add_filter("sha256", |value: Value| Ok::<_, Error>(Digest::of(&bytes_of(&value)?).hex()));
    env.add_filter("quote", |value: Value| {
        let node = to_node(&value)?;
        Ok::<_, Error>(yaml::json::to_string(&Node::from(value::to_text(&node).as_ref())))
    });
    env.add_filter("nindent", |text: &str, width: usize, _: Kwargs| {
        if !charge(width.saturating_mul(text.lines().count()))?.is_true() {
            return Ok(String::new());
        }
        let pad = " ".repeat(width);
        let mut out = String::new();
        for line in text.split('\n') {
            out.push('\n');
            if !line.is_empty() {
                out.push_str(&pad);
                out.push_str(line);
            }
        }
        Ok::<_, Error>(out)
    });
}

/// Prints a value into YAML: keeps it and writes its marker.
pub(super) fn print_marker(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    let what = if value.is_safe() {
        What::Fragment(value.as_str().unwrap_or_default().to_owned())
    } else {
        let node = to_node(value)?;
        charge(weight(&node))?;
        What::Value(node)
    };
    out.write_str(&marker::value(trace::keep(what))).map_err(Error::from)
}

/// Prints a value into text that is no YAML.
pub(super) fn print_text(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    // what a macro rendered is text as well, its pieces still marked
    let text = match value.as_str().filter(|text| text.contains(marker::PIECE)) {
        Some(text) => text.to_owned(),
        None => value::to_text(&to_node(value)?).into_owned(),
    };
    charge(text.len())?;
    trace::pass();
    out.write_str(&text).map_err(Error::from)
}

/// About how many bytes a value takes.
fn weight(node: &Node) -> usize {
    match &node.value {
        yaml::Value::String(text) => text.len(),
        yaml::Value::List(items) => items.iter().map(weight).sum::<usize>() + items.len() * 16,
        yaml::Value::Map(map) => {
            map.iter().map(|entry| entry.key.len() + weight(&entry.value) + 16).sum()
        }
        _ => 8,
    }
}

fn charge(bytes: usize) -> Result<Value, Error> {
    if trace::charge(bytes) {
        return Ok(Value::from(true));
    }
    Err(raise(output_limit()))
}

fn output_limit() -> Diagnostic {
    Diagnostic::error("wharf::template::output_limit", "the template prints too much")
        .note(format!("at most {} MiB may come out of one template", super::OUTPUT >> 20))
        .help("look for a loop that does not end")
}

fn raise(fault: Diagnostic) -> Error {
    let error = Error::new(ErrorKind::InvalidOperation, fault.message.clone());
    trace::raise(fault);
    error
}

/// What a value is as a node, or why it cannot be one.
fn to_node(value: &Value) -> Result<Node, Error> {
    value::to_node(value).map_err(|refusal| match refusal {
        Refusal::Undefined => Error::new(ErrorKind::UndefinedError, "a value is not defined"),
        Refusal::Marker => raise(instrument::private_characters("a printed value")),
        Refusal::Function => raise(
            Diagnostic::error("wharf::template::not_a_value", "a function or macro is printed")
                .help("call it: add `()`"),
        ),
        Refusal::Bytes => raise(
            Diagnostic::error("wharf::template::not_a_value", "bytes that are no text are printed")
                .help("encode them: add `| b64encode`"),
        ),
        Refusal::Integer => raise(Diagnostic::error(
            "wharf::template::not_a_value",
            "a number is printed that does not fit 64 bits",
        )),
        Refusal::Deep => raise(Diagnostic::error(
            "wharf::template::not_a_value",
            format!("a value is printed that is nested more than {} deep", value::MAX_DEPTH),
        )),
        Refusal::Large => raise(output_limit()),
        Refusal::Invalid(message) => Error::new(ErrorKind::InvalidOperation, message),
    })
}

/// Text that a filter read out of other text, as a value without markers.
fn from_text(node: &Node) -> Result<Value, Error> {
    let mut found = Vec::new();
    value::marked(node, &mut found);
    if !found.is_empty() {
        return Err(raise(instrument::private_characters("the text that was read")));
    }
    if value::deeper_than(node, value::MAX_DEPTH) {
        return to_node(&Value::UNDEFINED).map(|_| Value::UNDEFINED);
    }
    Ok(value::from_node(node, &FieldPath::root(), &|_| false))
}

fn bytes_of(value: &Value) -> Result<Vec<u8>, Error> {
    if let Some(bytes) = value.as_bytes() {
        return Ok(bytes.to_vec());
    }
    let node = to_node(value)?;
    Ok(value::to_text(&node).as_bytes().to_vec())
}

fn text_or_bytes(path: &str, bytes: &[u8]) -> Result<Value, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if marker::is_in(text) => {
            Err(raise(instrument::private_characters(&format!("`files/{path}`"))))
        }
        Ok(text) => Ok(Value::from(text)),
        Err(_) => Ok(Value::from_bytes(bytes.to_vec())),
    }
}

/// `*` and `?` inside of one name, `**` through folders.
fn matches_glob(pattern: &str, path: &str) -> bool {
    fn matches(pattern: &[u8], path: &[u8]) -> bool {
        match pattern {
            [] => path.is_empty(),
            [b'*', b'*', rest @ ..] => {
                let rest = rest.strip_prefix(b"/").unwrap_or(rest);
                (0..=path.len()).any(|at| matches(rest, &path[at..]))
            }
            [b'*', rest @ ..] => {
                let name = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
                (0..=name).any(|at| matches(rest, &path[at..]))
            }
            [b'?', rest @ ..] => {
                path.first().is_some_and(|byte| *byte != b'/') && matches(rest, &path[1..])
            }
            [byte, rest @ ..] => path.first() == Some(byte) && matches(rest, &path[1..]),
        }
    }
    // each wildcard multiplies the ways to match
    pattern.matches('*').count() <= 8 && matches(pattern.as_bytes(), path.as_bytes())
}

/// The text of something that may hold markers. What a macro rendered loses the white space around
/// it, a capture keeps it.
fn flatten(value: Value, trim: bool) -> Value {
    if !value.is_safe() {
        let piece = |text: &str| text.contains(marker::PIECE);
        return match value.as_str() {
            // in text that is no YAML a capture is not marked as safe
            Some(text) if piece(text) => Value::from(trace::with_kept(|kept| plain(text, kept, 0))),
            _ => value,
        };
    }
    let text = trace::with_kept(|kept| plain(value.as_str().unwrap_or_default(), kept, 0));
    Value::from(if trim { text.trim() } else { text.as_str() })
}

/// A text with every marker replaced by the text of what it stands for.
pub(super) fn plain(text: &str, kept: &[Kept], depth: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for part in marker::parts(text) {
        match part {
            Part::Text(own, _) => out.push_str(own),
            Part::Value(index) => match kept.get(index).map(|kept| &kept.what) {
                Some(What::Value(node)) => out.push_str(&value::to_text(node)),
                Some(What::Fragment(inner)) if depth < value::MAX_DEPTH => {
                    out.push_str(plain(inner, kept, depth + 1).trim());
                }
                _ => {}
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn patterns_match_names_and_folders() {
        for (pattern, path, matched) in [
            ("*", "a.conf", true),
            ("*", "d/a.conf", false),
            ("d/*.conf", "d/a.conf", true),
            ("**", "d/e/a.conf", true),
            ("**/*.conf", "d/e/a.conf", true),
            ("?.conf", "a.conf", true),
            ("?.conf", "ab.conf", false),
        ] {
            assert_eq!(matches_glob(pattern, path), matched, "{pattern} {path}");
        }
    }
}
