//! The engine's errors as diagnostics: the line of the template, the way that led there through
//! macros and includes, the nearest name that exists.

use super::instrument::Prepared;
use super::trace::{Miss, Trace};
use crate::base::diag::{Diagnostic, Label};
use crate::base::source::{Sources, Span};
use crate::base::suggest;
use minijinja::{Error, ErrorKind};
use std::error::Error as _;

/// Names that every template knows.
const NAMES: &[&str] = &[
    "values",
    "package",
    "release",
    "target",
    "file",
    "files",
    "lookup",
    "required",
    "fail",
    "range",
    "dict",
    "namespace",
    "loop",
    "true",
    "false",
    "none",
];

/// Filters that templates can use, for suggestions.
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "b64decode",
    "b64encode",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "from_json",
    "from_yaml",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "nindent",
    "quote",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sha256",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "to_json",
    "to_yaml",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// Makes a diagnostic of an error in rendering `templates`.
pub(super) fn describe(
    error: &Error,
    trace: &Trace,
    templates: &[Prepared],
    sources: &Sources,
) -> Diagnostic {
    let chain = chain(error);
    let innermost = chain.last().copied().unwrap_or(error);
    let place = place(innermost, templates, sources);
    let mut fault = match trace.raised.clone() {
        Some(raised) => raised,
        None => translate(innermost, trace, templates, place, sources),
    };
    let own = std::mem::take(&mut fault.labels);
    let expression = trace.frames.last().map(|frame| frame.place).filter(|frame| !frame.is_none());
    let primary = match (place, expression) {
        // the engine knows the line, the expression being printed is more exact
        (Some(place), Some(frame)) if frame.file == place.file && within(frame, place) => frame,
        (Some(place), _) => place,
        (None, Some(frame)) => frame,
        (None, None) => Span::NONE,
    };
    fault = fault.at(primary, "");
    fault.labels.extend(own);
    for frame in trace.frames.iter().rev() {
        if frame.place != primary && !frame.place.is_none() {
            fault.labels.push(Label { span: frame.place, text: "called from here".into() });
        }
    }
    for outer in chain.iter().rev().skip(1) {
        if let Some(span) = self::place(outer, templates, sources)
            && fault.labels.iter().all(|label| label.span != span)
        {
            fault.labels.push(Label { span, text: "included here".into() });
        }
    }
    fault
}

/// Overlap, with the engine's spans of whole lines counted in, and those of what was put in after
/// the expression.
fn within(frame: Span, place: Span) -> bool {
    frame.start < place.end && place.start <= frame.end
}

/// The error and those that caused it, the innermost last.
fn chain(error: &Error) -> Vec<&Error> {
    let mut chain = vec![error];
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            chain.push(inner);
        }
        source = inner.source();
    }
    chain
}

/// Where in a template an error was found: the exact range, or the line.
fn place(error: &Error, templates: &[Prepared], sources: &Sources) -> Option<Span> {
    let name = error.name()?;
    let template = templates.iter().find(|template| template.name == name)?;
    if let Some(range) = error.range() {
        let start = template.original(range.start);
        let end = template.original(range.end).max(start + 1);
        return Some(Span::new(template.file, start, end));
    }
    let line = error.line()?;
    let file = sources.get(template.file)?;
    let start: usize = file.text().split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = file.line(line);
    let indent = text.len() - text.trim_start().len();
    Some(Span::new(template.file, start + indent, start + text.trim_end().len().max(indent + 1)))
}

fn translate(
    error: &Error,
    trace: &Trace,
    templates: &[Prepared],
    place: Option<Span>,
    sources: &Sources,
) -> Diagnostic {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::UndefinedError => undefined(detail, trace, place, sources),
        ErrorKind::SyntaxError | ErrorKind::BadEscape => Diagnostic::error(
            "wharf::template::syntax",
            format!("the template cannot be read: {detail}"),
        )
        .maybe_help(
            detail
                .contains("expected end of variable block")
                .then(|| "`{{ … }}` holds one expression; put a text in quotes".to_owned()),
        ),
        _ if detail == "recursion limit exceeded" => Diagnostic::error(
            "wharf::template::too_deep",
            "macros or templates lie too deep in each other",
        )
        .help("look for one that calls or includes itself without end"),
        ErrorKind::OutOfFuel => {
            Diagnostic::error("wharf::template::too_long", "the template takes too long to render")
                .note(format!("a template may take {} steps", super::FUEL))
                .help("look for a loop that does not end")
        }
        ErrorKind::TemplateNotFound => {
            let wanted = quoted(detail, '"').unwrap_or_else(|| {
                detail.rsplit(' ').next().unwrap_or_default().trim_matches(['"', '\'']).to_owned()
            });
            let known = templates.iter().map(|template| template.name.as_str());
            Diagnostic::error(
                "wharf::template::not_found",
                format!("there is no template `{wanted}`"),
            )
            .note("templates and macros are named by their path below `templates/`")
            .maybe_help(suggest::did_you_mean(&wanted, known))
        }
        ErrorKind::UnknownFilter => unknown("filter", detail, FILTERS),
        ErrorKind::UnknownFunction => unknown("function", detail, NAMES),
        ErrorKind::UnknownTest => unknown("test", detail, &[]),
        ErrorKind::UnknownMethod => unknown("method", detail, &[]),
        ErrorKind::WriteFailure => {
            Diagnostic::error("wharf::template::output_limit", "the template prints too much")
        }
        kind => {
            let detail = if trace.secret { "" } else { detail };
            let message = if detail.is_empty() { kind.to_string() } else { detail.to_owned() };
            Diagnostic::error("wharf::template::failed", message)
        }
    }
}

fn unknown(what: &str, detail: &str, known: &[&str]) -> Diagnostic {
    let named = detail.rsplit_once("named ").map(|(_, name)| name);
    let name = named.or_else(|| {
        detail.split_whitespace().find(|word| {
            !matches!(
                *word,
                "filter" | "function" | "test" | "method" | "named" | "object" | "has" | "no"
            )
        })
    });
    let name = name.unwrap_or(detail).trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
    Diagnostic::error("wharf::template::unknown_name", format!("there is no {what} `{name}`"))
        .maybe_help(suggest::did_you_mean(name, known.iter().copied()))
}

fn quoted(text: &str, quote: char) -> Option<String> {
    let (_, rest) = text.split_once(quote)?;
    rest.split_once(quote).map(|(inner, _)| inner.to_owned())
}

fn undefined(detail: &str, trace: &Trace, place: Option<Span>, sources: &Sources) -> Diagnostic {
    let expression = quoted(detail, '`').filter(|text| !text.contains("(...)"));
    // a print of a missing key carries no name, but the frame knows what it missed
    let miss = match &expression {
        Some(path) => trace.miss.as_ref().filter(|miss| last_name(path) == miss.key),
        None => trace.frames.last().and_then(|frame| frame.own_miss()),
    };
    if let Some(miss) = miss {
        return missing_key(miss);
    }
    let written = place.and_then(|span| sources.slice(span)).unwrap_or_default();
    let name = expression.unwrap_or_else(|| identifier(&written).to_owned());
    let fault = Diagnostic::error(
        "wharf::template::undefined",
        if name.is_empty() {
            "a value is not defined".into()
        } else {
            format!("`{name}` is not defined")
        },
    );
    let root = name.split(['.', '[']).next().unwrap_or_default();
    fault.maybe_help(suggest::did_you_mean(root, NAMES.iter().copied()))
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
    &text[..end.unwrap_or(text.len())]
}

fn last_name(path: &str) -> &str {
    let name = path.rsplit('.').next().unwrap_or(path);
    name.rsplit_once('[')
        .map_or(name, |(_, key)| key.trim_end_matches(']').trim_matches(['"', '\'']))
}

fn missing_key(miss: &Miss) -> Diagnostic {
    let full = miss.map.path.key(&miss.key);
    let known: Vec<&str> = miss.map.keys().collect();
    let near = suggest::nearest(&miss.key, known.iter().copied())
        .map(|near| format!("did you mean `{}`?", miss.map.path.key(near)));
    let mut fault =
        Diagnostic::error("wharf::template::undefined", format!("`{full}` is not defined"))
            .at(miss.map.span, format!("`{}` is defined here", miss.map.path))
            .maybe_help(near);
    if fault.help.is_none() && !known.is_empty() && known.len() <= 12 {
        fault = fault.note(format!("`{}` has {}", miss.map.path, known.join(", ")));
    }
    fault
}
