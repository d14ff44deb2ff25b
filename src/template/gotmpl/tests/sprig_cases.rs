//! The cases of sprig's own tests (`gotemplate/sprig_cases.json` in the folder that `WHARF_CORPUS`
//! names).

#![expect(clippy::print_stderr, reason = "tells what passed, and why it was skipped")]

use super::super::engine::{Job, Options, Set, Source, render};
use super::super::stack;
use super::super::value::{Entries, Map, Text};
use super::fixture::world;
use serde_json::Value as Json;
use std::path::PathBuf;

/// Charts have not all of sprig: Helm leaves out what reads the environment.
const LEFT_OUT: &[&str] = &["env ", "expandenv "];

#[test]
fn cases() {
    let Some(folder) = std::env::var_os("WHARF_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
        eprintln!("skipped: WHARF_CORPUS is not set");
        return;
    };
    let text = std::fs::read(folder.join("gotemplate/sprig_cases.json")).expect("the cases");
    let cases: Vec<Json> = serde_json::from_slice(&text).expect("JSON");
    let differences = stack::with_room(|| cases.iter().filter_map(difference).collect::<Vec<_>>());
    eprintln!("{} of {} cases pass", cases.len() - differences.len(), cases.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn difference(case: &Json) -> Option<String> {
    let field = |name: &str| case.get(name).and_then(Json::as_str).unwrap_or_default();
    let input = field("Input");
    if LEFT_OUT.iter().any(|name| input.contains(name)) {
        return None;
    }
    let source = Source { name: "t".into(), text: input.into() };
    let job = Job { name: "t".into(), data: Map::any(Entries::new()), base_path: "t".into() };
    let answer = Set::parse(&[source])
        .and_then(|set| render(&set, &[job], &world(), &Options::default()))
        .map(|rendered| Text::from(&rendered[0].text[..]));
    let (wanted, given) = match answer {
        Ok(text) => (field("Out"), text),
        Err(error) => (field("Err"), in_one_line(error.message)),
    };
    let wanted = wanted.replace("<no value>", "");
    (given != *wanted.as_str()).then(|| format!("{input}\n  want {wanted:?}\n  have {given:?}"))
}

/// Go's text of an error of which Helm makes three lines.
fn in_one_line(message: Text) -> Text {
    match message.lossy().split_once("\n  executing ") {
        Some((place, rest)) => {
            let rest = rest.replacen("\n    ", " ", 1);
            format!("template: {place}: executing {rest}").into()
        }
        None => message,
    }
}
