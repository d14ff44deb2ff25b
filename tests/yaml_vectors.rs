//! YAML against go-yaml: the rows of the vectors, and how many of them agree.

#![expect(clippy::print_stderr, reason = "tests say what they skip and count")]

use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;
use wharf::base::source::FileId;
use wharf::yaml::{self, Dialect, Node};

/// The folder of the corpora, or nothing where the test has to be skipped.
fn corpus() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("WHARF_CORPUS") {
        return Some(folder.into());
    }
    assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
    eprintln!("skipped: WHARF_CORPUS is not set");
    None
}

fn rows(corpus: &std::path::Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(corpus.join("vectors").join(name)).expect("the vectors");
    serde_json::from_str(&text).expect("an array of rows")
}

/// The bytes of a field, which stand in base64 where they are no UTF-8.
fn bytes(row: &Value, name: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    if let Some(text) = row[name].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    let packed = row[format!("{name}_b64")].as_str()?;
    Some(base64::engine::general_purpose::STANDARD.decode(packed).expect("base64"))
}

/// Counts what agrees, and shows what does not when `WHARF_SHOW` is set.
struct Tally {
    name: &'static str,
    passed: usize,
    failed: usize,
}

impl Tally {
    fn new(name: &'static str) -> Tally {
        Tally { name, passed: 0, failed: 0 }
    }

    fn row(&mut self, input: &[u8], found: &str, expected: &str) {
        if found == expected {
            self.passed += 1;
            return;
        }
        self.failed += 1;
        if std::env::var("WHARF_SHOW").is_ok_and(|name| name == self.name) {
            let input = String::from_utf8_lossy(input);
            eprintln!("{}: {input:?}\n  found    {found:?}\n  expected {expected:?}", self.name);
        }
    }

    fn finish(self, least: usize) {
        eprintln!("{}: {} passed, {} failed", self.name, self.passed, self.failed);
        assert!(self.passed >= least, "{}: fewer than {least} rows passed", self.name);
    }
}

/// The text that Go's `json.Marshal` gives: keys sorted, and `<`, `>`, `&` escaped.
fn go_json(node: &Node, out: &mut String) {
    match &node.value {
        wharf::yaml::Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                go_json(item, out);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        wharf::yaml::Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            for (index, entry) in entries.iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                go_json_text(&entry.key, out);
                out.push(':');
                go_json(&entry.value, out);
            }
            out.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
        wharf::yaml::Value::String(text) => go_json_text(text, out),
        wharf::yaml::Value::Number(number) => out.push_str(&number.to_string()),
        wharf::yaml::Value::Bool(value) => out.push_str(&value.to_string()),
        wharf::yaml::Value::Null => out.push_str("null"),
    }
}

fn go_json_text(text: &str, out: &mut String) {
    for c in serde_json::Value::from(text).to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a text takes all");
            }
            c => out.push(c),
        }
    }
}

#[test]
fn go_yaml_2_reads_the_same() {
    let Some(corpus) = corpus() else { return };
    let (mut values, mut errors) = (Tally::new("json"), Tally::new("err"));
    for row in rows(&corpus, "yaml_read.json") {
        let input = bytes(&row, "yaml").expect("each row has a text");
        let found = yaml::decode(&input)
            .and_then(|text| yaml::parse_first(&text, FileId::NONE, Dialect::GoYamlV2));
        if let Some(expected) = row["json"].as_str() {
            let found = match found {
                Ok(node) => {
                    let mut text = String::new();
                    go_json(&node, &mut text);
                    text
                }
                Err(error) => error.go_text,
            };
            // Go escapes what it put for bytes that are no text
            values.row(&input, &found, &expected.replace("\\ufffd", "\u{fffd}"));
        } else {
            let found = match found {
                Ok(node) => format!("read as {node:?}"),
                Err(error) => error.go_text,
            };
            errors.row(&input, &found, row["err"].as_str().expect("json or err"));
        }
    }
    values.finish(1534);
    errors.finish(508);
}
