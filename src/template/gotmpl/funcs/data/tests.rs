//! What encoders and decoders give, of `vectors/yaml_write.json` in the folder that
//! `WHARF_CORPUS` names, and where they end.

#![expect(clippy::print_stderr, reason = "tells why it was skipped")]

use super::{json_read, json_write, yaml_write};
use crate::template::gotmpl::stack;
use crate::template::gotmpl::value::{Entries, Map, Value};
use std::path::PathBuf;

#[test]
fn yaml_is_written_as_helm_writes_it() {
    let Some(folder) = std::env::var_os("WHARF_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
        eprintln!("skipped: WHARF_CORPUS is not set");
        return;
    };
    let text = std::fs::read(folder.join("vectors/yaml_write.json")).expect("the vectors");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).expect("rows");
    let mut differences = Vec::new();
    for row in &rows {
        let input = row["json"].as_str().expect("each row has a text");
        let value = json_read::read(input.as_bytes()).expect("each text is JSON").value;
        let found = [
            yaml_write::write(&value).unwrap_or_else(|error| error),
            yaml_write::write_pretty(&value).expect("no functions in it"),
        ];
        for (names, found) in [["sigs", "sigs_err"], ["pretty", "kyaml"]].into_iter().zip(found) {
            let expected = names.into_iter().find_map(|name| row[name].as_str());
            if expected != Some(&found) {
                differences.push(format!("{input}\n  want {expected:?}\n  have {found:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_go_says_of_json() {
    let check = |text: &str, expected: &str| {
        assert_eq!(json_read::read(text.as_bytes()).expect_err(text), expected);
    };
    check("", "unexpected end of JSON input");
    check("{\"a\"", "unexpected end of JSON input");
    check("nul", "invalid character ' ' in literal null (expecting 'l')");
    check("{'a':1}", r"invalid character '\'' looking for beginning of object key string");
    check("[1 2]", "invalid character '2' after array element");
    check("{\"a\":1]", "invalid character ']' after object key:value pair");
    check("-", "invalid character ' ' in numeric literal");
    check("1.x", "invalid character 'x' after decimal point in numeric literal");
    check("1e", "invalid character ' ' in exponent of numeric literal");
    check("\"\\x\"", "invalid character 'x' in string escape code");
    check("\"\\u12\"", "invalid character '\"' in \\u hexadecimal character escape");
    check("\"\n\"", r"invalid character '\n' in string literal");
    check("{} é", "invalid character 'Ã' after top-level value");
    check(&"[".repeat(10_001), "invalid character '[' exceeded max depth");
}

#[test]
fn what_json_cannot_hold_is_told_by_both() {
    let check = |value: &Value, expected: &str| {
        let error = json_write::write(value, json_write::Style::default()).expect_err("fails");
        assert_eq!(error, format!("json: unsupported {expected}"));
        let error = yaml_write::write(value).expect_err("fails");
        assert_eq!(error, format!("error marshaling into JSON: json: unsupported {expected}"));
    };
    check(&Value::float(f64::NEG_INFINITY), "value: -Inf");
    stack::with_room(|| {
        let itself = Map::any(Entries::new());
        itself.set("a", Value::Map(itself.clone()));
        let value = Value::Map(itself.clone());
        check(&value, "value: encountered a cycle via map[string]interface {}");
        // or it would never be freed
        itself.entries_mut().clear();
    });
}
