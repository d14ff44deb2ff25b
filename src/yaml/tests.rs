//! Reading and writing as users meet them: faults with their places, limits, markers, round trips.

use super::emit::{self, Style};
use super::substitute::{Substitute, marker};
use super::*;
use crate::base::source::{FileId, Sources};
use proptest::prelude::*;
use serde_json::json;
use std::borrow::Cow;
use std::fmt::Write;

fn strict(text: &str) -> Result<Vec<Node>, String> {
    let sources = Sources::new();
    let file = sources.add("f.yaml", text);
    parse_documents(&sources, file, Dialect::Strict).map_err(|faults| {
        let mut out = String::new();
        for fault in &faults {
            let code = fault.code.trim_start_matches("wharf::yaml::");
            write!(out, "{code}: {fault}").expect("a text takes all");
            for label in &fault.labels {
                let place = sources.place(label.span).expect("a label has a file");
                let found = sources.slice(label.span).expect("a label is inside of the file");
                write!(out, " | {}:{} {found:?} {}", place.line, place.column, label.text)
                    .expect("a text takes all");
            }
            if let Some(help) = &fault.help {
                write!(out, " | help: {help}").expect("a text takes all");
            }
            out.push('\n');
        }
        out
    })
}

#[track_caller]
fn check_fault(text: &str, expected: &str) {
    let found = strict(text).expect_err("the text is at fault");
    assert_eq!(found.trim_end(), expected, "for {text:?}");
}

#[test]
fn faults_name_the_place_the_expectation_and_the_remedy() {
    check_fault(
        "a: 1\nb: 2\na: 3\nb: 4\n",
        "duplicate_key: key `a` is given twice | 3:1 \"a\" given again here | 1:1 \"a\" first given \
         here | help: remove one of the two; readers disagree on which of them counts\n\
         duplicate_key: key `b` is given twice | 4:1 \"b\" given again here | 2:1 \"b\" first given \
         here | help: remove one of the two; readers disagree on which of them counts",
    );
    check_fault(
        "a:\n\tb: 1\n",
        "tab: a tab is used for indentation | 2:1 \"\\t\" this is a tab | help: indent with spaces; \
         YAML does not allow tabs there",
    );
    check_fault(
        "a:\n  name:web\n  b: 1\n",
        "missing_colon: a key has no `:` after it | 2:3 \"name:web\" expected `key: value` | help: \
         put a space after the colon: `name: web`",
    );
    check_fault(
        "a: \"x\nb: 1\n",
        "unclosed_quote: a quoted text has no end | 1:4 \"\\\"\" the quote opens here | help: close \
         it, or escape a quote that is part of the text",
    );
    check_fault(
        "a: [1, 2\nb: 1\n",
        "unclosed_bracket: `[` is not closed | 2:2 \":\" expected `,` or `]` | 1:4 \"[\" opened here",
    );
    check_fault(
        "a: b: c\n",
        "nested_colon: a second `: ` in one line, or a key at a wrong place | 1:5 \":\" this `:` \
         makes a map where none can stand | help: quote the text if the `: ` is part of it; else \
         check the indentation",
    );
    check_fault(
        "a: @x\n",
        "bad_start: a value cannot begin with `@` | 1:4 \"@\" has a meaning of its own in YAML | \
         help: put the value in quotes",
    );
    check_fault(
        "a: &name 1\nb: *nome\n",
        "unknown_anchor: no anchor `nome` | 2:4 \"*nome\" refers to an anchor that is not defined \
         above | help: did you mean `*name`?",
    );
    check_fault(
        "a: &x [*x]\n",
        "recursion: the value of `&x` holds itself | 1:8 \"*x\" refers to what it is part of",
    );
    check_fault(
        "a: {{ x }}\n",
        "key: a map is no key | 1:5 \"{ x }\" a key must be text | help: quote the value if it \
         begins with `{{`: \"{{ … }}\"",
    );
    check_fault(
        "a: 1\n~: 2\n",
        "key: null is no key | 2:1 \"~\" a key must be text | help: quote it if the text is meant",
    );
    check_fault(
        "a: .inf\n",
        "not_finite: `+Inf` is no value here | 1:4 \".inf\" infinity and NaN cannot be written as \
         JSON | help: quote it if text is meant",
    );
    check_fault(
        "a: !!int x\n",
        "tag: cannot decode !!str `x` as a !!int | 1:10 \"x\" does not have the type that its tag \
         says",
    );
    check_fault(
        "a:\n  <<: 1\n",
        "merge: `<<` merges maps | 2:3 \"<<: 1\" its value is neither a map nor a list of maps",
    );
    check_fault(
        "a: \u{7}\n",
        "character: character U+0007 is not allowed | 1:4 \"\\u{7}\" here | help: save the file as \
         UTF-8 and write control characters as escapes: \"\\u0007\"",
    );
    check_fault(
        "a: 1\n b: 2\n",
        "nested_colon: a second `: ` in one line, or a key at a wrong place | 2:3 \":\" this `:` \
         makes a map where none can stand | help: quote the text if the `: ` is part of it; else \
         check the indentation",
    );
    check_fault(
        "- a\nb: 1\n",
        "syntax: did not find expected '-' indicator while parsing a block collection | 2:1 \"b\" \
         expected `-` of the list, or less indentation | 1:1 \"-\" began here | help: entries of \
         one list or map begin in the same column; a quoted text ends its value",
    );
}

#[test]
fn spans_cover_values_and_keys() {
    let sources = Sources::new();
    let text =
        "---\nmetadata:\n  name: \"web\"\n  labels: {a: b}\nlist:\n- one\n- - 2\n---\nx: |\n  t\n";
    let file = sources.add("f.yaml", text);
    let nodes = parse_documents(&sources, file, Dialect::Strict).expect("fine");
    let slice = |span| sources.slice(span).expect("a span of the file");
    let at = |keys: &[&str]| slice(nodes[0].at(keys).expect("there").span);
    assert_eq!(at(&["metadata", "name"]), "\"web\"");
    assert_eq!(at(&["metadata", "labels"]), "{a: b}");
    assert_eq!(at(&["metadata"]), "name: \"web\"\n  labels: {a: b}");
    assert_eq!(at(&["list"]), "- one\n- - 2");
    let key = nodes[0].as_map().and_then(|map| map.entry("metadata")).expect("there").key_span;
    assert_eq!(slice(key), "metadata");
    assert_eq!(slice(nodes[1].at(&["x"]).expect("there").span).trim_end(), "|\n  t");
}

#[test]
fn merged_keys_give_way_to_explicit_ones() {
    let text = "base: &b {x: 1, z: 2}\na:\n  x: 3\n  <<: *b\n";
    let node = strict(text).expect("fine").remove(0);
    assert_eq!(node.get("a"), Some(&Node::from(json!({"x": 3, "z": 2}))));
    let go = parse_first(text, FileId::NONE, Dialect::GoYamlV2).expect("fine");
    assert_eq!(go.get("a"), Some(&Node::from(json!({"x": 1, "z": 2}))));
}

#[test]
fn merged_keys_stand_where_the_merge_stands() {
    for (text, expected) in [
        ("- &b {x: 1, z: 2}\n- {a: 0, <<: *b, c: 4}\n", "a x z c"),
        ("- &b {x: 1, z: 2}\n- {<<: *b, x: 0, c: 4}\n", "z x c"),
        ("- &b {x: 1, z: 2}\n- &c {z: 3, q: 4}\n- {<<: [*c, *b], d: 5}\n", "z q x d"),
        ("- &b {x: 1}\n- &c {q: 2}\n- {<<: *b, a: 0, <<: *c}\n", "x a q"),
    ] {
        let node = strict(text).expect("fine").remove(0);
        let last = node.as_list().and_then(|items| items.last()?.as_map()).expect("a map");
        assert_eq!(last.keys().collect::<Vec<_>>().join(" "), expected, "{text}");
    }
}

#[test]
fn hostile_texts_end_in_a_fault() {
    let too_deep = |text: &str| strict(text).expect_err("deep").starts_with("depth: nested more");
    assert!(too_deep(&"[".repeat(20_000)));
    assert!(too_deep(&"- ".repeat(20_000)));
    assert!(too_deep(&"{a: ".repeat(600)));
    let mut steps = String::new();
    for level in 0..600 {
        writeln!(steps, "{:level$}a:", "").expect("a text takes all");
    }
    assert!(too_deep(&steps));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{items}]").expect("a text takes all");
    }
    assert!(strict(&bomb).expect_err("a bomb").starts_with("alias_bomb: aliases expand"));
    // deep through aliases
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..600 {
        writeln!(deep, "a{level}: &a{level} [*a{}]", level - 1).expect("a text takes all");
    }
    let fault = strict(&deep).expect_err("deep");
    assert!(fault.starts_with("depth") || fault.starts_with("alias_bomb"), "{fault}");
    let bytes = decode(b"a: \xff").expect_err("no UTF-8");
    assert_eq!(bytes.go_text, "yaml: invalid leading UTF-8 octet");
}

#[test]
fn the_deepest_value_can_be_used_on_a_small_stack() {
    let run = || {
        let text = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let node = strict(&text).expect("just not too deep").remove(0);
        let copy = node.clone();
        assert!(copy == node);
        assert_eq!(json::to_string(&node), text);
        assert_eq!(json::go_string(&node), text);
        assert!(emit::to_string(&node, &Style::kubernetes()).starts_with("- - -"));
        assert!(format!("{node:?}").starts_with("[["));
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread");
    thread.join().expect("no overflow");
}

#[test]
fn a_file_of_one_document_holds_one() {
    let sources = Sources::new();
    let one = |text: &str| {
        parse_one(&sources, sources.add("f", text), Dialect::Strict).map_err(|e| e.to_string())
    };
    assert_eq!(one("# nothing\n"), Ok(Node::NULL));
    assert_eq!(one("---\na: 1\n---\n# none\n"), Ok(Node::from(json!({"a": 1}))));
    assert_eq!(one("a: 1\n---\nb: 2\n"), Err("expected one document, found 2".to_owned()));
}

struct Values(Vec<Node>);

impl Substitute for Values {
    fn node(&self, index: usize) -> Option<Node> {
        self.0.get(index).cloned()
    }

    fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        let node = self.0.get(index)?;
        Some(node.as_str().map_or_else(|| json::to_string(node).into(), Cow::Borrowed))
    }
}

#[track_caller]
fn check_markers(template: &str, values: serde_json::Value, expected: serde_json::Value) {
    let values = Values(match Node::from(values).value {
        Value::List(items) => items,
        _ => unreachable!("the table has lists"),
    });
    let text = (0..values.0.len()).fold(template.to_owned(), |text, index| {
        text.replace(&format!("<{index}>"), &marker(index))
    });
    let sources = Sources::new();
    let file = sources.add("f.yaml", text);
    let options = ReadOptions { dialect: Dialect::Strict, markers: Some(&values) };
    let nodes = parse_documents_with(&sources, file, &options).expect("the template is fine");
    assert_eq!(Node::from(nodes), Node::from(expected), "for {template:?}");
}

#[test]
fn markers_are_values_alone_and_text_among_text() {
    check_markers("a: <0>\n", json!([5]), json!([{"a": 5}]));
    check_markers("a: <0>\n", json!(["x: y # z"]), json!([{"a": "x: y # z"}]));
    check_markers("a: v<0>\n", json!([5]), json!([{"a": "v5"}]));
    check_markers("a: 1<0>\n", json!([5]), json!([{"a": "15"}]));
    check_markers("a: '<0>'\n", json!([5]), json!([{"a": "5"}]));
    check_markers("a: |\n  x\n  <0>\n", json!(["t\nu"]), json!([{"a": "x\nt\nu\n"}]));
    check_markers("a: !!str <0>\n", json!([5]), json!([{"a": "5"}]));
    check_markers("<0>: 1\n", json!(["k"]), json!([{"k": 1}]));
    check_markers("a-<0>: 1\n", json!(["k"]), json!([{"a-k": 1}]));
    check_markers("a:\n  <0>\n", json!([{"b": [1]}]), json!([{"a": {"b": [1]}}]));
    check_markers(
        "a:\n  <<: <0>\n  b: 2\n",
        json!([{"b": 1, "c": 3}]),
        json!([{"a": {"b": 2, "c": 3}}]),
    );
    check_markers(
        "- <0>\n- [<0>, {x: <0>}]\n",
        json!([null]),
        json!([[null, [null, {"x": null}]]]),
    );
    check_markers(
        "<0>\n---\na: 1\n",
        json!([[{"b": 1}, {"c": 2}]]),
        json!([{"b": 1}, {"c": 2}, {"a": 1}]),
    );
    check_markers("a: 1 # <0>\n", json!([5]), json!([{"a": 1}]));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.:/ -]{0,12}",
        "[ -~\n\t]{0,40}",
        any::<String>(),
        "[a-z ]{60,160}",
        prop::sample::select(vec!["yes", "null", "1e3", "0x1f", "2024-01-01", "<<", "12:30", "~"])
            .prop_map(str::to_owned),
    ]
}

fn any_node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::NULL),
        any::<bool>().prop_map(Node::from),
        any::<i64>().prop_map(Node::from),
        any::<u64>().prop_map(Node::from),
        prop::num::f64::NORMAL.prop_map(Node::from),
        any_text().prop_map(Node::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Node::from),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|entries| Node::from(entries.into_iter().collect::<Map>())),
        ]
    })
}

/// go-yaml does not quote what its own reader changes: other line breaks, tabs where a
/// block begins, and the key `<<`.
fn printable(node: &Node) -> bool {
    let fine = |text: &str| {
        let block_with_tab = text.contains('\t') && text.contains('\n');
        !block_with_tab && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\r'])
    };
    match &node.value {
        Value::String(text) => fine(text),
        Value::List(items) => items.iter().all(printable),
        Value::Map(map) => {
            map.iter().all(|entry| entry.key != "<<" && fine(&entry.key) && printable(&entry.value))
        }
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_global_rejects: u32::MAX,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_reads_back(node in any_node()) {
        prop_assume!(printable(&node));
        for style in [Style::default(), Style::kubernetes(), Style::kustomize(), Style::pretty()] {
            let text = emit::to_string(&node, &style);
            let back = parse_first(&text, FileId::NONE, Dialect::Strict);
            prop_assert_eq!(back.map_err(|error| error.go_text), Ok(node.clone()), "{}", text);
        }
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(&bytes) {
            for dialect in [Dialect::GoYamlV2, Dialect::GoYamlV3, Dialect::Strict] {
                let sources = Sources::new();
                let file = sources.add("f", text.as_ref());
                let _ = parse_documents(&sources, file, dialect);
            }
        }
    }

    #[test]
    fn nothing_yaml_like_panics(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\t0a.~<]|\\PC){0,60}") {
        let sources = Sources::new();
        let file = sources.add("f", text.as_str());
        for dialect in [Dialect::GoYamlV2, Dialect::GoYamlV3, Dialect::Strict] {
            let _ = parse_documents(&sources, file, dialect);
        }
    }
}
