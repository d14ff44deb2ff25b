//! Findings for machines: JSON, SARIF 2.1.0, and GitHub's workflow commands. All of them point at
//! what the user can edit: templates and values rather than rendered text.

use crate::base::diag::{Diagnostic, Severity};
use crate::base::source::{Place, Sources};
use crate::policy::Review;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Every finding with its first place.
fn placed<'a>(
    sources: &'a Sources,
    review: &'a Review,
) -> impl Iterator<Item = (Diagnostic, Option<Place>)> + 'a {
    let sensitive: BTreeSet<usize> = review.sensitive.iter().copied().collect();
    review.findings.iter().enumerate().map(move |(at, finding)| {
        let notes = finding.notes.clone();
        let mut finding = finding.clone().traced(sources);
        if sensitive.contains(&at) {
            // notes of tracing quote the rendered line
            finding.notes = notes;
        }
        let place = finding.labels.first().and_then(|label| sources.place(label.span));
        (finding, place)
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// One JSON object with the counts and every finding.
pub(super) fn json(sources: &Sources, review: &Review) -> String {
    let findings: Vec<Value> = placed(sources, review)
        .map(|(finding, place)| {
            json!({
                "code": finding.code,
                "severity": level(finding.severity),
                "message": finding.message,
                "file": place.as_ref().map(|place| &place.file),
                "line": place.as_ref().map(|place| place.line),
                "column": place.as_ref().map(|place| place.column),
                "notes": finding.notes,
                "help": finding.help,
            })
        })
        .collect();
    let whole = json!({
        "valid": review.valid,
        "invalid": review.invalid,
        "skipped": review.skipped,
        "findings": findings,
    });
    serde_json::to_string_pretty(&whole).expect("it has text keys only")
}

/// A SARIF log, as code scanners read it.
pub(super) fn sarif(sources: &Sources, review: &Review) -> String {
    let mut codes = BTreeSet::new();
    let results: Vec<Value> = placed(sources, review)
        .map(|(finding, place)| {
            codes.insert(finding.code);
            let locations: Vec<Value> = place
                .map(|place| {
                    json!({"physicalLocation": {
                        "artifactLocation": {"uri": uri(&place.file)},
                        "region": {"startLine": place.line, "startColumn": place.column},
                    }})
                })
                .into_iter()
                .collect();
            json!({
                "ruleId": finding.code,
                "level": level(finding.severity),
                "message": {"text": text(&finding)},
                "locations": locations,
            })
        })
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "wharf",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).expect("it has text keys only")
}

/// A line for each finding that GitHub shows beside the code.
pub(super) fn github(sources: &Sources, review: &Review) -> String {
    let mut out = String::new();
    for (finding, place) in placed(sources, review) {
        let mut properties = Vec::new();
        if let Some(place) = place {
            properties.push(format!("file={}", property(&place.file)));
            properties.push(format!("line={}", place.line));
            properties.push(format!("col={}", place.column));
        }
        properties.push(format!("title={}", property(finding.code)));
        let severity = level(finding.severity);
        let _ = writeln!(out, "::{severity} {}::{}", properties.join(","), data(&text(&finding)));
    }
    out
}

/// The message and what helps.
fn text(finding: &Diagnostic) -> String {
    let lines = std::iter::once(&finding.message).chain(&finding.notes).chain(&finding.help);
    lines.map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Escapes the text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A path as a relative or file URI.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;

    fn review() -> (Sources, Review) {
        let sources = Sources::new();
        let file = sources.add("a b,c.yaml", "one: 1\ntwo: 2\n");
        let finding = Diagnostic::error("wharf::schema::bad_value", "100% wrong")
            .at(Span::new(file, 12, 13), "")
            .help("write: 3");
        let review = Review { findings: finding.into(), invalid: 1, ..Review::default() };
        (sources, review)
    }

    #[test]
    fn github_lines_are_escaped() {
        let (sources, review) = review();
        assert_eq!(
            github(&sources, &review),
            "::error file=a b%2Cc.yaml,line=2,col=6,title=wharf%3A%3Aschema%3A%3Abad_value\
             ::100%25 wrong%0Awrite: 3\n"
        );
    }

    #[test]
    fn sarif_has_what_2_1_0_demands() {
        let (sources, review) = review();
        let log: Value = serde_json::from_str(&sarif(&sources, &review)).expect("JSON");
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "wharf::schema::bad_value");
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b%2Cc.yaml");
        assert_eq!(place["region"], json!({"startLine": 2, "startColumn": 6}));
    }

    #[test]
    fn json_counts_and_places() {
        let (sources, review) = review();
        let whole: Value = serde_json::from_str(&json(&sources, &review)).expect("JSON");
        assert_eq!((&whole["invalid"], &whole["findings"][0]["line"]), (&json!(1), &json!(2)));
    }
}
