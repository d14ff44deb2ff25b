//! What Helm's engine answers, of `vectors/functions.json` in the folder that `WHARF_CORPUS` names.
//! `VECTORS_SHOW=name` shows the rows of a function that differ, `VECTORS_SHOW=all` those of all.

#![expect(clippy::print_stderr, reason = "tells what passed, and why it was skipped")]

use super::super::stack;
use super::fixture::render_chart;
use crate::yaml::Node;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[test]
fn functions() {
    let Some(folder) = std::env::var_os("WHARF_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
        eprintln!("skipped: WHARF_CORPUS is not set");
        return;
    };
    let text = std::fs::read_to_string(folder.join("vectors/functions.json")).expect("the vectors");
    let rows: Vec<Json> = serde_json::from_str(&text).expect("the vectors are JSON");
    let differences = stack::with_room(|| {
        let found = rows.iter().filter_map(|row| Some((subject(row), difference(row)?)));
        found.collect::<Vec<_>>()
    });
    report(&rows, &differences);
    assert!(differences.is_empty(), "{} of {} rows differ", differences.len(), rows.len());
}

/// How an answer differs from Helm's.
fn difference(row: &Json) -> Option<String> {
    let mut templates =
        vec![("x.yaml".to_owned(), text(row, "tpl").expect("a row has a template"))];
    if let Some(Json::Object(also)) = row.get("also") {
        let also = also.iter().map(|(name, text)| {
            (name.clone(), text.as_str().expect("a template is text").to_owned())
        });
        templates.extend(also);
    }
    let values = Node::from(row.get("values").cloned().unwrap_or(Json::Null));
    let answer = std::panic::catch_unwind(|| render_chart(&templates, &values));
    let Ok(answer) = answer else { return Some(format!("{}\n  panicked", templates[0].1)) };
    let shown =
        |wanted: &str, given: &str| Some(format!("{row}\n  want {wanted:?}\n  have {given:?}"));
    let error = bytes(row, "err").map(|text| String::from_utf8_lossy(&text).into_owned());
    match (&answer, bytes(row, "out"), error) {
        (Ok(rendered), Some(wanted), _) => {
            let mut wanted = vec![("x.yaml".to_owned(), wanted)];
            if let Some(Json::Object(also)) = row.get("also_out") {
                wanted.extend(also.iter().map(|(name, text)| {
                    (name.clone(), text.as_str().unwrap_or_default().as_bytes().to_vec())
                }));
            }
            for (file, wanted) in wanted {
                let name = format!("t/templates/{file}");
                let given = rendered.iter().find(|one| one.name == *name.as_str());
                let given = given.map(|one| one.text.to_vec()).unwrap_or_default();
                if given != wanted {
                    return shown(
                        &wanted.escape_ascii().to_string(),
                        &given.escape_ascii().to_string(),
                    );
                }
            }
            None
        }
        (Err(error), _, Some(wanted)) => {
            let given = error.message.lossy().into_owned();
            if given == wanted { None } else { shown(&wanted, &given) }
        }
        (Err(error), ..) => shown("a text", &format!("error {}", error.message.lossy())),
        (Ok(rendered), _, wanted) => {
            let text = rendered.iter().find(|one| one.name == *"t/templates/x.yaml");
            let text =
                text.map(|one| String::from_utf8_lossy(&one.text).into_owned()).unwrap_or_default();
            shown(&format!("error {}", wanted.unwrap_or_default()), &text)
        }
    }
}

fn text(row: &Json, field: &str) -> Option<String> {
    Some(row.get(field)?.as_str()?.to_owned())
}

fn bytes(row: &Json, field: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    if let Some(text) = text(row, field) {
        return Some(text.into_bytes());
    }
    let encoded = text(row, &format!("{field}_b64"))?;
    Some(base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64"))
}

/// The function that a row is about: the first that its template calls, but for those that only
/// make arguments for others.
fn subject(row: &Json) -> String {
    let template = row["tpl"].as_str().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut before = "{{".to_owned();
    let mut names = Vec::new();
    for word in template.split_inclusive(|c: char| !is_name(c)) {
        let name = word.trim_end_matches(|c: char| !is_name(c));
        if name.starts_with(|c: char| c.is_ascii_lowercase())
            && before.trim_end().ends_with(['{', '(', '|', '-'])
            && !matches!(name, "if" | "with" | "range" | "end" | "else" | "define" | "template")
        {
            names.push(name);
        }
        if word.trim() != "" {
            word.clone_into(&mut before);
        }
    }
    let plain = |name: &&&str| !matches!(**name, "list" | "dict" | "printf" | "quote" | "toJson");
    let name = names.iter().find(plain).or(names.first());
    name.map_or_else(|| "(language)".to_owned(), |name| (*name).to_owned())
}

fn report(rows: &[Json], differences: &[(String, String)]) {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows {
        counts.entry(subject(row)).or_default().0 += 1;
    }
    for (subject, _) in differences {
        counts.entry(subject.clone()).or_default().1 += 1;
    }
    let failed: Vec<String> = counts
        .iter()
        .filter(|(_, (_, failed))| *failed > 0)
        .map(|(name, (all, failed))| format!("{name} {failed}/{all}"))
        .collect();
    eprintln!("differ: {}", failed.join(", "));
    eprintln!("{} of {} rows pass", rows.len() - differences.len(), rows.len());
    let Ok(show) = std::env::var("VECTORS_SHOW") else { return };
    for (subject, difference) in
        differences.iter().filter(|(name, _)| show == "all" || *name == show)
    {
        eprintln!("--- {subject}: {difference}");
    }
}
