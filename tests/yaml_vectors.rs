//! YAML against go-yaml: the rows of the vectors, and how many of them agree.

use crate::prerequisites;
use serde_json::Value;
use std::path::PathBuf;
use wharf::base::source::FileId;
use wharf::yaml::emit::{self, Style};
use wharf::yaml::{self, Dialect, Node, Number, TreeKind, json};

/// The folder of the corpora, or nothing where the test has to be skipped.
fn corpus() -> Option<PathBuf> {
    prerequisites::folder("WHARF_CORPUS")
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
                Ok(node) => json::go_string(&node),
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
    errors.finish(513);
}

/// Helm holds every number as a double.
fn doubles(node: &mut Node) {
    match &mut node.value {
        yaml::Value::Number(number) => *number = Number::Float(number.as_f64()),
        yaml::Value::List(items) => items.iter_mut().for_each(doubles),
        yaml::Value::Map(map) => map.values_mut().for_each(doubles),
        _ => {}
    }
}

/// What kustomize says of JSON that is no YAML: of halves of surrogate pairs, and of keys with a
/// separator of lines.
const NO_YAML: [&str; 2] = [
    "yaml: found invalid Unicode character escape code",
    "yaml: line 1: did not find expected ',' or '}'",
];

/// A JSON text as Go's decoder reads it: half of a surrogate pair is a character that nobody knows,
/// and no depth is too deep.
fn decoded(text: &str) -> Node {
    const PAIRS: &str = r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)";
    let text = replaced(PAIRS, text, |half| half.get(1).map(|_| "\\ufffd".to_owned()));
    let read = json::parse(text.as_bytes());
    read.unwrap_or_else(|_| yaml::parse_text(&text).expect("JSON is YAML"))
}

fn replaced(
    pattern: &str,
    text: &str,
    by: impl Fn(&regex::Captures<'_>) -> Option<String>,
) -> String {
    let pattern = regex::Regex::new(pattern).expect("a pattern");
    let new = |found: &regex::Captures<'_>| by(found).unwrap_or_else(|| found[0].to_owned());
    pattern.replace_all(text, new).into_owned()
}

#[test]
fn go_yaml_writes_the_same() {
    let Some(corpus) = corpus() else { return };
    let names = ["sigs", "direct", "kyaml", "pretty", "build"];
    let mut tallies = names.map(Tally::new);
    for row in rows(&corpus, "yaml_write.json") {
        let input = row["json"].as_str().expect("each row has a text");
        let text = |result: Result<String, yaml::YamlError>| result.unwrap_or_else(|e| e.go_text);
        let direct = yaml::parse_first(input, FileId::NONE, Dialect::GoYamlV2)
            .map(|node| emit::to_string(&node, &Style { integers: false, ..Style::kubernetes() }));
        // an integer has no negative zero
        let value = decoded(&replaced(r"-0([,\]}]|$)", input, |end| Some(format!("0{}", &end[1]))));
        let mut helm = decoded(input);
        doubles(&mut helm);
        let found = [
            Some(text(emit::marshal(&helm))),
            Some(text(direct)),
            Some(emit::to_string(&value, &Style::kustomize())),
            Some(emit::to_string(&helm, &Style::pretty())),
            match built(input) {
                Err(error) if row["build_err"].is_string() => {
                    Some(format!("MalformedYAMLError: {error}"))
                }
                // rows are silent where YAML refuses what JSON allows, and where nothing is built
                Err(error) if row["build"].is_null() && row["sigs"].is_string() => {
                    assert!(NO_YAML.contains(&error.as_str()), "{input}: {error}");
                    None
                }
                Ok(text) => Some(text).filter(|text| !text.is_empty()),
                Err(text) => Some(text),
            },
        ];
        for ((tally, name), found) in tallies.iter_mut().zip(names).zip(found) {
            let Some(found) = found else { continue };
            let other = match name {
                "direct" | "build" => "sigs",
                "pretty" => "kyaml",
                name => name,
            };
            let error = format!("{name}_err");
            let expected = [name, &error, other, &format!("{other}_err")]
                .into_iter()
                .find_map(|field| row[field].as_str());
            tally.row(input.as_bytes(), &found, expected.expect("one of them is there"));
        }
    }
    for (tally, count) in tallies.into_iter().zip([1739, 1739, 1739, 1739, 1732]) {
        tally.finish(count);
    }
}

/// Documents as kustomize reads them, written by its encoder.
fn encoded(text: &str) -> Result<String, String> {
    let text = text.replace("\r\n", "\n");
    let mut out = Vec::new();
    for piece in yaml::pieces(&text)? {
        let malformed = |error: yaml::YamlError| format!("MalformedYAMLError: {}", error.go_text);
        let Some(document) = yaml::Tree::parse(piece).map_err(malformed)? else { continue };
        if document.root.tag != "!!null" {
            out.push(document.encode());
        }
    }
    // a list is taken apart, and this one has no items
    if out == ["kind: List\nitems: x\n"] {
        out.clear();
    }
    Ok(out.join("---\n"))
}

#[test]
fn kustomize_reads_the_same() {
    let Some(corpus) = corpus() else { return };
    let (mut values, mut errors) = (Tally::new("encoded"), Tally::new("kyaml_err"));
    for row in rows(&corpus, "yaml_read.json") {
        let input = bytes(&row, "yaml").expect("each row has a text");
        let text =
            yaml::decode(&input).map_err(|error| format!("MalformedYAMLError: {}", error.go_text));
        let found = text.and_then(|text| encoded(&text)).unwrap_or_else(|error| error);
        if let Some(expected) = row["kyaml_err"].as_str() {
            errors.row(&input, &found, expected);
        } else if let Some(expected) = row["kyaml"].as_str() {
            values.row(&input, &found, expected);
        }
    }
    values.finish(1610);
    errors.finish(437);
}

/// Documents as kustomize reads them, written as `kustomize build` writes resources.
fn built(text: &str) -> Result<String, String> {
    let nodes = yaml::resources(text, FileId::NONE).map_err(|errors| errors[0].go_text.clone())?;
    let written: Result<Vec<String>, String> =
        nodes.iter().map(|node| emit::marshal(node).map_err(|error| error.go_text)).collect();
    Ok(written?.join("---\n"))
}

#[test]
fn kustomize_builds_the_same() {
    let Some(corpus) = corpus() else { return };
    let (mut values, mut errors) = (Tally::new("built"), Tally::new("build_err"));
    for row in rows(&corpus, "yaml_read.json") {
        let input = bytes(&row, "yaml").expect("each row has a text");
        let text = yaml::decode(&input).map_err(|error| error.go_text);
        let found = text.and_then(|text| built(&text)).unwrap_or_else(|error| error);
        let error = row["build_err"].as_str().or(row["kyaml_err"].as_str());
        if let Some(expected) = error {
            let expected = expected.strip_prefix("MalformedYAMLError: ").unwrap_or(expected);
            // where kustomize ends by force there is an error, and a single text is no resource
            // to others than this test
            let loops = expected.contains("stack overflow") && found.contains("contains itself");
            let single = expected.ends_with("into map[string]interface {}");
            if loops || single {
                continue;
            }
            errors.row(&input, &found, expected);
        } else if let Some(expected) = row["build"].as_str().or_else(|| {
            // where the root is no collection there is nothing to build
            let is_scalar = |text: &str| {
                yaml::Tree::parse(text)
                    .is_ok_and(|it| it.is_some_and(|it| it.root.kind == TreeKind::Scalar))
            };
            row["kyaml"].as_str().filter(|text| !is_scalar(text))
        }) {
            values.row(&input, &found, expected);
        }
    }
    values.finish(1380);
    errors.finish(538);
}
